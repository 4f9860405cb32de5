/* SPDX-License-Identifier: MIT */
/* Certificates and keys from files and text, and the messages for bad ones. */
#include "transport/tls_pem.h"

#include "tls_pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>

static ws_tls_options server_options(const char *cert, const char *key) {
  return (ws_tls_options){.server = true,
                          .cert = cert_path(cert),
                          .key = cert_path(key)};
}

/* Checks that it fails with these words, and leaves nothing behind. */
static void refused(const ws_tls_options *options, const char *name,
                    const char *reason) {
  ws_tls *tls = NULL;
  size_t live = ws_memory_live();
  char why[320] = "";
  CHECK_INT(ws_tls_new(options, &tls, why, sizeof why), WS_ETLS);
  CHECK(tls == NULL);
  if (!CHECK(strstr(why, name)) || !CHECK(strstr(why, reason)))
    fprintf(stderr, "why: %s\n", why);
  CHECK_INT(ERR_peek_error(), 0);
  CHECK_INT(ws_memory_live(), live);
}

static void accepted(const ws_tls_options *options) {
  ws_tls *tls = tls_make(options);
  CHECK(tls != NULL);
  CHECK_INT(ERR_peek_error(), 0);
  ws_tls_unref(tls);
}

TEST(certificates_that_cannot_be_used) { /* A87, matrix 67 */
  ws_tls_options o = server_options("missing.pem", "leaf.key");
  refused(&o, "missing.pem'", "No such file");
  o = server_options("empty.pem", "leaf.key");
  refused(&o, "certificate '", "no certificate in it");
  o = server_options("garbage.pem", "leaf.key");
  refused(&o, "garbage.pem'", "no certificate in it");
  o = server_options("leaf.key", "leaf.key");
  refused(&o, "leaf.key'", "no certificate in it");
  o = server_options("broken.pem", "leaf.key");
  refused(&o, "broken.pem'", "bad base64");
  o = server_options("rsa1024.pem", "rsa1024.key");
  refused(&o, "rsa1024.pem'", "key too small");
  o = server_options("sha1.pem", "leaf.key");
  refused(&o, "sha1.pem'", "md too weak");
  o = server_options(NULL, NULL);
  refused(&o, "cert", "a server needs a certificate");
  o = server_options(".", "leaf.key");
  refused(&o, "/.'", "a folder");
  o = server_options("server.pem", "leaf.key");
  o.cert = (ws_slice){"a\0b", 3};
  refused(&o, "certificate", "zero byte");
}

TEST(chains_that_cannot_be_used) {
  char *good = cert_text("server.pem"), *bad = cert_text("broken.pem");
  char *both = calloc(1, 140000);
  ws_tls_options o = server_options(NULL, "leaf.key");
  sprintf(both, "%s%s", good, bad);
  o.cert = ws_slice_of(both);
  refused(&o, "chain 'given as text'", "bad base64");
  free(good);
  free(bad);
  free(both);
}

TEST(keys_that_cannot_be_used) { /* A87 */
  ws_tls_options o = server_options("server.pem", "other.key");
  refused(&o, "other.key'", "does not belong");
  o = server_options("server.pem", "rsa1024.key");
  refused(&o, "rsa1024.key'", "does not belong");
  o = server_options("server.pem", NULL); /* no key in it */
  refused(&o, "server.pem'", "no private key");
  o = server_options("server.pem", "empty.pem");
  refused(&o, "empty.pem'", "no private key");
  o = server_options("server.pem", "missing.key");
  refused(&o, "missing.key'", "No such file");
  o = server_options("server.pem", "encrypted.key");
  refused(&o, "encrypted.key'", "no password was given");
  o.password = ws_slice_of("wrong");
  refused(&o, "encrypted.key'", "password does not open it");
  static char endless[5000];
  memset(endless, 'x', sizeof endless);
  o.password = (ws_slice){endless, sizeof endless};
  refused(&o, "encrypted.key'", "password does not open it");
  o = (ws_tls_options){.key = cert_path("leaf.key"), .no_verify = true};
  refused(&o, "leaf.key'", "without a certificate");
}

TEST(good_keys) {
  ws_tls_options o = server_options("server.pem", "encrypted.key");
  o.password = ws_slice_of("secret");
  accepted(&o);
  o = server_options("both.pem", NULL);
  accepted(&o);
  o = server_options("both.pem", "both.pem");
  accepted(&o);
  o = server_options("ed25519.pem", "ed25519.key");
  accepted(&o);
}

TEST(pem_text_in_place_of_files) {
  tls_pair pair;
  char *cert = cert_text("server.pem"), *key = cert_text("leaf.key");
  char *ca = cert_text("root.pem"), *other = cert_text("other.key");
  ws_tls_options o = {.server = true,
                      .cert = ws_slice_of(cert),
                      .key = ws_slice_of(other)};
  refused(&o, "key 'given as text'", "does not belong");
  o.key = ws_slice_of(key);
  ws_tls *server = tls_make(&o);
  o = (ws_tls_options){.ca = ws_slice_of(ca)};
  ws_tls *client = tls_make(&o);
  memset(cert, 'x', strlen(cert)); /* only borrowed for the call */
  pair_begin(&pair, client, server, "ws.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.client_status, WS_OK);
  pair_end(&pair);
  ws_tls_unref(client);
  ws_tls_unref(server);
  free(cert);
  free(key);
  free(ca);
  free(other);
}

TEST(roots_that_cannot_be_used) { /* matrix 67 */
  ws_tls_options o = {.ca = cert_path("missing.pem")};
  refused(&o, "missing.pem'", "No such file");
  o.ca = cert_path("empty.pem");
  refused(&o, "empty.pem'", "no certificate in it");
  o.ca = cert_path("garbage.pem");
  refused(&o, "garbage.pem'", "no certificate in it");
  o.ca = cert_path("broken.pem");
  refused(&o, "broken.pem'", "bad base64");
  o.ca = cert_path("leaf.key");
  refused(&o, "leaf.key'", "no certificate in it");
  o.ca = (ws_slice){"a\0b", 3};
  refused(&o, "ca", "zero byte");
  o = server_options("server.pem", "leaf.key");
  o.require_cert = true;
  o.ca = cert_path("empty.pem");
  refused(&o, "empty.pem'", "no certificate in it");
}

/* Writes the root under its hash, where OpenSSL looks for it. */
static void write_root(const char *folder, char *path, size_t size) {
  char *text = cert_text("root.pem");
  BIO *bio = BIO_new_mem_buf(text, -1);
  X509 *root = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  snprintf(path, size, "%s/%08lx.0", folder, X509_subject_name_hash(root));
  FILE *out = fopen(path, "w");
  if (!CHECK(out && fputs(text, out) >= 0 && fclose(out) == 0)) exit(2);
  X509_free(root);
  BIO_free(bio);
  free(text);
}

/* Almost the name of a revocation list: OpenSSL would not find it. */
static const char *const no_lists[] = {"0123abcd.r", "0123abcd.r0~",
                                       "0123abcd.rx"};

static void write_no_lists(const char *folder, bool remove_them) {
  for (size_t i = 0; i < sizeof no_lists / sizeof *no_lists; i++) {
    char path[64];
    snprintf(path, sizeof path, "%s/%s", folder, no_lists[i]);
    FILE *out = remove_them ? NULL : fopen(path, "w");
    CHECK_INT(out ? fclose(out) : remove(path), 0);
  }
}

TEST(roots_in_a_folder) {
  static const cert_row known = {"1", "server.pem", NULL, "ws.test", NULL};
  static const cert_row unknown = {"9", "unknown.pem", NULL, "ws.test",
                                   "unable to get local issuer"};
  char folder[] = "/tmp/ws-roots-XXXXXX", path[64];
  if (!CHECK(mkdtemp(folder) != NULL)) return;
  write_root(folder, path, sizeof path);
  write_no_lists(folder, false);
  ws_tls_options o = {.ca = ws_slice_of(folder)};
  ws_tls *client = tls_make(&o);
  CHECK(row_try(&known, client, true));
  CHECK(row_try(&unknown, client, true));
  ws_tls_unref(client);
  CHECK_INT(remove(path), 0);
  write_no_lists(folder, true);
  CHECK_INT(rmdir(folder), 0);
}

/* Each of our own allocations fails. */
TEST(memory_failing) {
  ws_slice pin = ws_slice_of("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  ws_tls_options o = server_options("server.pem", "leaf.key");
  o.require_cert = true;
  o.ca = cert_path("root.pem");
  o.ciphers = ws_slice_of("HIGH");
  o.pins = &pin;
  o.pin_count = 1;
  int status = WS_ENOMEM;
  uint64_t nth = 0;
  size_t live = ws_memory_live();
  while (status == WS_ENOMEM && nth < 50) {
    ws_tls *tls = NULL;
    ws_memory_fail(++nth, 0);
    status = ws_tls_new(&o, &tls, tls_why, sizeof tls_why);
    ws_memory_fail(0, 0);
    ws_tls_unref(tls);
    CHECK_INT(ws_memory_live(), live);
  }
  CHECK_INT(status, WS_OK);
  CHECK(nth > 5);
}

int main(void) {
  certs_begin();
  RUN(certificates_that_cannot_be_used);
  RUN(chains_that_cannot_be_used);
  RUN(keys_that_cannot_be_used);
  RUN(good_keys);
  RUN(pem_text_in_place_of_files);
  RUN(roots_that_cannot_be_used);
  RUN(roots_in_a_folder);
  RUN(memory_failing);
  certs_end();
  return check_done();
}
