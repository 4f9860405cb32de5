/* SPDX-License-Identifier: MIT */
/* The name for which a certificate must be, and which certificates are. */
#include "transport/tls_name.h"

#include "tls_pair.h"

#include <openssl/pem.h>

/* The messages show that OpenSSL's check fails, not only our second one. */
#define MISMATCH "certificate verify failed: hostname mismatch (host "
#define IP_MISMATCH "certificate verify failed: IP address mismatch (host "

static const cert_row rows[] = {
    {"1", "server.pem", NULL, "ws.test", NULL},
    {"1", "server.pem", NULL, "localhost", NULL},
    {"2", "many.pem", NULL, "ws.test", NULL},
    {"3", "wrong.pem", NULL, "ws.test", MISMATCH},
    {"4", "cn_only.pem", NULL, "ws.test", MISMATCH},
    {"5", "cn_other.pem", NULL, "ws.test", MISMATCH},
    {"18", "wild_test.pem", NULL, "ws.test", MISMATCH},
    {"19", "wild.pem", NULL, "ws.a.test", NULL},
    {"19", "wild.pem", NULL, "WS.A.test.", NULL},
    {"20", "wild.pem", NULL, "a.test", MISMATCH},
    {"20", "wild.pem", NULL, "x.ws.a.test", MISMATCH},
    {"22", "partial.pem", NULL, "ws.a.test", MISMATCH},
    {"23", "wild_middle.pem", NULL, "a.ws.test", MISMATCH},
    {"23", "wild_two.pem", NULL, "a.ws.test", MISMATCH},
    {"23", "wild_idn.pem", NULL, "xn--bcher-kva.test", MISMATCH},
    {"23", "star.pem", NULL, "localhost", MISMATCH},
    {"24", "wild.pem", NULL, "xn--bcher-kva.a.test", NULL},
    {"25", "ip.pem", NULL, "127.0.0.1", NULL},
    {"25", "ip.pem", NULL, "127.0.0.2", IP_MISMATCH},
    {"26", "ip.pem", NULL, "127.0.0.1.", NULL},
    {"27", "ip6.pem", NULL, "::1", NULL},
    {"27", "ip6.pem", NULL, "0:0:0:0:0:0:0:1", NULL},
    {"27", "ip6.pem", NULL, "::1%lo", NULL},
    {"27", "ip6.pem", NULL, "::2", IP_MISMATCH},
    {"27", "server.pem", NULL, "::1", NULL},
    {"28", "dns_ip.pem", NULL, "127.0.0.1", IP_MISMATCH},
    {"29", "cn_ip.pem", NULL, "127.0.0.1", IP_MISMATCH},
    {"30", "star.pem", NULL, "127.0.0.1", IP_MISMATCH},
    {"31", "uri.pem", NULL, "ws.test", MISMATCH},
    {"32", "upper.pem", NULL, "ws.test", NULL},
    {"32", "server.pem", NULL, "WS.TEST", NULL},
    {"33", "dot.pem", NULL, "ws.test", MISMATCH},
    {"34", "server.pem", NULL, "ws.test.", NULL},
    {"35", "idn.pem", NULL, "xn--bcher-kva.test", NULL},
    {"36", "zero.pem", NULL, "ws.test", MISMATCH},
    {"25", "ip.pem", NULL, "localhost", MISMATCH},
};

#define ROWS (sizeof rows / sizeof *rows)

TEST(matrix_of_names) {
  ws_tls *client = tls_client("root.pem");
  for (size_t i = 0; i < ROWS; i++) CHECK(row_try(&rows[i], client, true));
  ws_tls_unref(client);
}

TEST(matrix_of_names_with_verify_off) { /* A80 */
  ws_tls_options options = {.no_verify = true};
  ws_tls *client = tls_make(&options);
  for (size_t i = 0; i < ROWS; i++) CHECK(row_try(&rows[i], client, false));
  ws_tls_unref(client);
}

static X509 *read_leaf(const char *file) {
  BIO *bio = BIO_new_file(cert_path(file).data, "r");
  X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return leaf;
}

/* Our own check alone gives the same answers: it is what remains when OpenSSL's
 * is lost. */
TEST(second_check_agrees) {
  for (size_t i = 0; i < ROWS; i++) {
    ws_tls_name name;
    X509 *leaf = read_leaf(rows[i].cert);
    CHECK_INT(ws_tls_name_init(&name, ws_slice_of(rows[i].host)), WS_OK);
    CHECK_INT(ws_tls_name_matches(&name, leaf), rows[i].refusal == NULL);
    X509_free(leaf);
  }
}

TEST(no_name_matches_nothing) {
  ws_tls_name name = {0};
  X509 *leaf = read_leaf("server.pem");
  CHECK(!ws_tls_name_matches(&name, leaf));
  X509_free(leaf);
}

static int init(const char *host, ws_tls_name *name) {
  return ws_tls_name_init(name, ws_slice_of(host));
}

TEST(names_come_in_one_form) {
  ws_tls_name name;
  CHECK_INT(init("WS.Test.", &name), WS_OK);
  CHECK(strcmp(name.text, "ws.test") == 0 && name.ip_len == 0);
  CHECK_INT(init("a_b-c.x1", &name), WS_OK);
  CHECK_INT(init("10.0.0.255", &name), WS_OK);
  CHECK(name.ip_len == 4 && memcmp(name.ip, "\x0a\0\0\xff", 4) == 0);
  CHECK_INT(init("FE80::1%eth0", &name), WS_OK);
  CHECK(name.ip_len == 16 && strcmp(name.text, "fe80::1") == 0);
  CHECK_INT(init("::ffff:1.2.3.4", &name), WS_OK);
  CHECK(name.ip_len == 16);
  CHECK_INT(init("1.2.3.4.example", &name), WS_OK);
  CHECK_INT(name.ip_len, 0);
  CHECK_INT(init("1.2.3.a", &name), WS_OK);
  CHECK_INT(name.ip_len, 0);
  CHECK_INT(init("a:9::0:F", &name), WS_OK);
  CHECK(name.ip_len == 16 && name.ip[1] == 10 && name.ip[15] == 15);
  CHECK_INT(init("::", &name), WS_OK);
  CHECK_INT(name.ip_len, 16);
  CHECK_INT(init("0xcafe.cafe", &name), WS_OK);
  CHECK_INT(init("AZ.az09", &name), WS_OK);
  CHECK(strcmp(name.text, "az.az09") == 0);
  CHECK_INT(init("a.cx", &name), WS_OK); /* no number, without a 0 */
  CHECK_INT(init("a.0b", &name), WS_OK); /* nor this, without an x */
}

TEST(names_that_cannot_be) {
  static const char *const hosts[] = {
      "",        ".",         "..",      ".a",        "a..b",    "a..",
      "1",       "1.2.3",     "1.2.3.4.5", "256.1.1.1", "1.2.3.04", "1.2.3.0x4",
      "a.1",     "a.0x1f",    "a b",     "a/b",       "a\xc3\xa9", "*.a",
      "[::1]",   ":",         ":::",     "1:2",       "::g",     "::1 ",
      "a:b",     "%",         "a%b",     "0x7f000001", "0x",     "a\tb",
      "1..2.3",  "1.2.3..4",  "::1.2.3.4x", "::1.2.3.+4",
  };
  ws_tls_name name;
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
    if (!CHECK_INT(init(hosts[i], &name), WS_EINVAL))
      fprintf(stderr, "host: '%s'\n", hosts[i]);
}

/* At a guarded page, with each length up to one that is too long. */
TEST(names_of_every_length) {
  ws_tls_name name;
  for (size_t len = 1; len <= 300; len++) {
    char *host = (char *)check_guarded(len);
    for (size_t i = 0; i < len; i++) host[i] = i % 10 == 9 ? '.' : 'a';
    size_t live = host[len - 1] == '.' ? len - 1 : len;
    CHECK_INT(ws_tls_name_init(&name, (ws_slice){host, len}),
              live <= 253 ? WS_OK : WS_EINVAL);
    for (size_t i = 0; i < len; i++) host[i] = 'a';
    CHECK_INT(ws_tls_name_init(&name, (ws_slice){host, len}),
              len <= 63 ? WS_OK : WS_EINVAL);
  }
}

int main(void) {
  certs_begin();
  RUN(matrix_of_names);
  RUN(matrix_of_names_with_verify_off);
  RUN(second_check_agrees);
  RUN(no_name_matches_nothing);
  RUN(names_come_in_one_form);
  RUN(names_that_cannot_be);
  RUN(names_of_every_length);
  certs_end();
  return check_done();
}
