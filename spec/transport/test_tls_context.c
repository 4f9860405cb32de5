/* SPDX-License-Identifier: MIT */
/* The settings of a side, and which certificate a client gets. */
#include "transport/tls_context.h"

#include "tls_pair.h"

#include <openssl/conf.h>

/* The subject of the certificate that a client gets when it asks for `host`; it
 * accepts any. */
static const char *shown(ws_tls *server, const char *host) {
  static tls_pair pair;
  static char subject[64];
  ws_tls_options off = {.no_verify = true};
  ws_tls *client = tls_make(&off);
  ws_tls_info info = {0};
  pair_begin(&pair, client, server, host, PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.server_status, WS_OK);
  (void)ws_stream_tls_info(pair.client, &info);
  snprintf(subject, sizeof subject, "%s", info.peer ? info.peer : "(none)");
  pair_end(&pair);
  ws_tls_unref(client);
  return subject;
}

static void shows(ws_tls *server, const char *host, const char *subject) {
  const char *found = shown(server, host);
  if (!CHECK(strcmp(found, subject) == 0))
    fprintf(stderr, "%s shows %s\n", host, found);
}

TEST(names_choose_the_certificate) {
  ws_tls *server = tls_server("server.pem", NULL);
  ws_tls *a = tls_server("a.pem", NULL), *b = tls_server("b.pem", NULL);
  ws_tls *wild = tls_server("wild.pem", NULL);
  shows(server, "a.test", "CN=localhost");
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("A.test."), a), WS_OK);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("b.test"), b), WS_OK);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("*.a.test"), wild), WS_OK);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("b.a.test"), b), WS_OK);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("s.a.test"), server), WS_OK);
  ws_tls_unref(a); /* the table holds them */
  ws_tls_unref(b);
  ws_tls_unref(wild);
  shows(server, "a.test", "CN=a");
  shows(server, "A.TEST", "CN=a");
  shows(server, "b.test", "CN=b");
  shows(server, "x.a.test", "CN=wild");
  shows(server, "X.A.Test", "CN=wild");
  shows(server, "b.a.test", "CN=b"); /* the exact name has precedence */
  shows(server, "s.a.test", "CN=localhost");
  shows(server, "y.x.a.test", "CN=localhost"); /* one label only */
  shows(server, "unknown.test", "CN=localhost");
  shows(server, "test", "CN=localhost");
  shows(server, "127.0.0.1", "CN=localhost"); /* no SNI at all */
  ws_tls_unref(server);
}

/* A name that is set again is replaced; earlier connections still work. */
TEST(names_are_replaced) {
  static tls_pair pair;
  ws_tls *server = tls_server("server.pem", NULL);
  ws_tls *a = tls_server("a.pem", NULL), *b = tls_server("b.pem", NULL);
  ws_tls *client = tls_client("root.pem");
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("a.test"), b), WS_OK);
  ws_tls_unref(b);
  shows(server, "a.test", "CN=b");
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("a.test"), a), WS_OK);
  ws_tls_unref(a);
  pair_begin(&pair, client, server, "a.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.client_status, WS_OK);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("a.test"), server), WS_OK);
  shows(server, "a.test", "CN=localhost");
  ws_tls *again = tls_server("a.pem", NULL);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("a.test"), again), WS_OK);
  ws_tls_unref(again);
  shows(server, "a.test", "CN=a");
  ws_tls_unref(client);
  ws_tls_unref(server); /* now only the streams hold it */
  uint8_t got[8];
  CHECK_INT(put(pair.server, "x"), 1);
  CHECK_INT(ws_stream_read(pair.client, got, sizeof got), 1);
  pair_end(&pair);
}

TEST(names_that_cannot_be_added) {
  static const ws_slice names[] = {
      {"", 0},        {"*", 1},      {"*.", 2},         {".a.test", 7},
      {"a\0b", 3},    {"*.*.a", 5},  {"w*.a.test", 9},  {"1.2.3.4", 7},
      {"::1", 3},     {"a..b", 4},   {"*.1.2.3.4", 9},  {"a b", 3},
  };
  ws_tls *server = tls_server("server.pem", NULL);
  ws_tls *other = tls_server("a.pem", NULL);
  ws_tls *client = tls_client("root.pem");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    CHECK_INT(ws_tls_add_name(server, names[i], other), WS_EINVAL);
  ws_slice good = ws_slice_of("a.test");
  CHECK_INT(ws_tls_add_name(client, good, other), WS_EINVAL);
  CHECK_INT(ws_tls_add_name(server, good, client), WS_EINVAL);
  ws_memory_fail(1, 0);
  CHECK_INT(ws_tls_add_name(server, good, other), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK_INT(ws_tls_add_name(server, good, other), WS_OK);
  CHECK_INT(ws_tls_add_name(other, good, server), WS_EINVAL); /* a circle */
  ws_tls_unref(server);
  ws_tls_unref(other);
  ws_tls_unref(client);
}

/* What is demanded of a client depends on the name it asks for. */
TEST(demands_come_with_the_name) { /* A82 */
  static tls_pair pair;
  ws_tls_options strict = {.server = true,
                           .require_cert = true,
                           .ca = cert_path("root.pem"),
                           .cert = cert_path("a.pem"),
                           .key = cert_path("leaf.key"),
                           .min_version = ws_slice_of("TLSv1.3")};
  ws_tls_options with = {.ca = cert_path("root.pem"),
                         .cert = cert_path("client.pem"),
                         .key = cert_path("leaf.key")};
  ws_tls *server = tls_server("server.pem", NULL);
  ws_tls *secret = tls_make(&strict);
  ws_tls *bare = tls_client("root.pem"), *known = tls_make(&with);
  ws_tls_info info = {0};
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("a.test"), secret), WS_OK);
  pair_begin(&pair, bare, server, "a.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.server_status, WS_ETLS);
  pair_end(&pair);
  pair_begin(&pair, known, server, "a.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.server_status, WS_OK);
  CHECK(ws_stream_tls_info(pair.server, &info));
  CHECK(info.verified && info.peer && strcmp(info.peer, "CN=client") == 0);
  pair_end(&pair);
  pair_begin(&pair, bare, server, "ws.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.server_status, WS_OK);
  pair_end(&pair);
  SSL_CTX_set_max_proto_version(known->context, TLS1_2_VERSION);
  pair_begin(&pair, known, server, "a.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.server_status, WS_ETLS);
  pair_end(&pair);
  pair_begin(&pair, known, server, "ws.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.server_status, WS_OK);
  pair_end(&pair);
  ws_tls_unref(server);
  ws_tls_unref(secret);
  ws_tls_unref(bare);
  ws_tls_unref(known);
}

/* A client that has to say hello twice, because its first key does not fit,
 * gets the certificate that its first hello chose. */
TEST(a_second_hello_changes_nothing) {
  static tls_pair pair;
  ws_tls_options off = {.no_verify = true};
  ws_tls *server = tls_server("server.pem", NULL), *client = tls_make(&off);
  ws_tls *a = tls_server("a.pem", NULL), *b = tls_server("b.pem", NULL);
  ws_slice name = ws_slice_of("a.test");
  ws_tls_info info = {0};
  CHECK_INT(ws_tls_add_name(server, name, a), WS_OK);
  CHECK_INT(ws_tls_add_name(a, name, b), WS_OK); /* asked for `a` itself */
  CHECK_INT(SSL_CTX_set1_groups_list(client->context, "P-521:P-256"), 1);
  CHECK_INT(SSL_CTX_set1_groups_list(server->context, "P-256"), 1);
  CHECK_INT(SSL_CTX_set1_groups_list(a->context, "P-256"), 1);
  pair_begin(&pair, client, server, "a.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.server_status, WS_OK);
  CHECK(ws_stream_tls_info(pair.client, &info));
  CHECK(info.peer && strcmp(info.peer, "CN=a") == 0);
  pair_end(&pair);
  ws_tls_unref(server);
  ws_tls_unref(client);
  ws_tls_unref(a);
  ws_tls_unref(b);
  CHECK_INT(ws_memory_live(), 0);
}

/* Cuts the server_name extension of a hello to `len` bytes. The name's bytes
 * become another extension, and a length says that the name is longer than what
 * is left. */
static void cut_name(memory_pipe *pipe, size_t len, const char *host) {
  uint8_t *at = pipe_data(pipe), *end = at + pipe->len - strlen(host);
  while (at < end && memcmp(at, host, strlen(host)) != 0) at++;
  if (!CHECK(at < end)) return;
  size_t left = strlen(host) + 5 - len - 4; /* for the other extension */
  uint8_t *data = at - 5;
  memset(data, 0xff, 5 + strlen(host));
  data[-1] = (uint8_t)len;
  data[-2] = 0;
  data[2] = TLSEXT_NAMETYPE_host_name;
  data[len + 2] = (uint8_t)(left >> 8);
  data[len + 3] = (uint8_t)left;
}

TEST(a_name_that_is_cut_off) { /* RFC 6066 section 3 */
  ws_tls_options off = {.no_verify = true};
  ws_tls *server = tls_server("server.pem", NULL), *client = tls_make(&off);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("a.test"), server), WS_OK);
  char host[254] = {0};
  for (size_t i = 0; i < 253; i++) host[i] = i % 50 == 49 ? '.' : 'a';
  for (size_t len = 0; len < 5; len += 4) {
    static tls_pair pair;
    pair_begin(&pair, client, server, host, PIPE_ROOM, PIPE_ROOM);
    CHECK_INT(ws_stream_open(pair.client), WS_EAGAIN);
    cut_name(&pair.to_server, len, host);
    CHECK_INT(ws_stream_open(pair.server), WS_ETLS);
    CHECK(strstr(ws_stream_why(pair.server), "bad extension"));
    pair_end(&pair);
  }
  ws_tls_unref(server);
  ws_tls_unref(client);
}

static void refused(const ws_tls_options *options, const char *reason) {
  ws_tls *tls = NULL;
  CHECK_INT(ws_tls_new(options, &tls, tls_why, sizeof tls_why), WS_ETLS);
  if (!CHECK(tls == NULL && strstr(tls_why, reason)))
    fprintf(stderr, "why: %s\n", tls_why);
  char tiny[4];
  CHECK_INT(ws_tls_new(options, &tls, tiny, sizeof tiny), WS_ETLS);
  CHECK_INT(strlen(tiny), 3);
  CHECK_INT(ws_tls_new(options, &tls, NULL, 0), WS_ETLS);
}

TEST(settings_that_cannot_be) {
  ws_tls_options o = {.min_version = ws_slice_of("TLSv1.1")};
  refused(&o, "minVersion 'TLSv1.1': neither");
  o.min_version = ws_slice_of("");
  o.ciphers = ws_slice_of("NONSENSE");
  refused(&o, "ciphers 'NONSENSE': no cipher match");
  o.ciphers = ws_slice_of("TLS_NONSENSE");
  refused(&o, "ciphers 'TLS_NONSENSE': no cipher match");
  o.ciphers = (ws_slice){"HIGH\0", 5};
  refused(&o, "zero byte");
  o = (ws_tls_options){.key = cert_path("leaf.key")};
  refused(&o, "a key without a certificate");
  o.server = true;
  refused(&o, "a server needs a certificate");
}

/* Whatever a cipher list says. */
TEST(the_floor_holds) { /* A85 */
  ws_tls_options o = {.ca = cert_path("root.pem"),
                      .ciphers = ws_slice_of("ALL:@SECLEVEL=0")};
  ws_tls *tls = tls_make(&o);
  SSL_CTX *context = tls->context;
  CHECK(SSL_CTX_get_security_level(context) >= 2);
  CHECK_INT(SSL_CTX_get_min_proto_version(context), TLS1_2_VERSION);
  CHECK_INT(SSL_CTX_get_verify_mode(context), SSL_VERIFY_PEER);
  uint64_t options = (uint64_t)SSL_CTX_get_options(context);
  CHECK(options & SSL_OP_NO_COMPRESSION);
  CHECK(options & SSL_OP_NO_RENEGOTIATION);
  CHECK_INT(SSL_CTX_get_max_early_data(context), 0);
  CHECK_INT(SSL_CTX_get_verify_depth(context), 16);
  ws_tls_unref(tls);
}

TEST(more_than_the_floor_is_kept) {
  ws_tls_options o = {.ca = cert_path("root.pem"),
                      .ciphers = ws_slice_of("HIGH:@SECLEVEL=3")};
  ws_tls *tls = tls_make(&o);
  CHECK_INT(SSL_CTX_get_security_level(tls->context), 3);
  ws_tls_unref(tls);
}

TEST(settings_without_memory) {
  ws_slice pin = ws_slice_of("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  ws_tls_options o = {.ca = cert_path("root.pem"),
                      .ciphers = ws_slice_of("HIGH"),
                      .pins = &pin,
                      .pin_count = 1};
  size_t live = ws_memory_live();
  ws_tls *tls = NULL;
  uint64_t failures = 0;
  int status;
  do {
    ws_memory_fail(failures + 1, 0);
    status = ws_tls_new(&o, &tls, tls_why, sizeof tls_why);
    ws_memory_fail(0, 0);
    if (status != WS_OK) CHECK_INT(status, WS_ENOMEM);
    CHECK_INT(tls != NULL, status == WS_OK);
    CHECK_INT(tls || ws_memory_live() == live, true);
  } while (status == WS_ENOMEM && failures++ < 100);
  CHECK(failures >= 3); /* itself, the ciphers, the pins */
  ws_tls_unref(tls);
  o.pin_count = SIZE_MAX / sizeof *tls->pins + 1;
  CHECK_INT(ws_tls_new(&o, &tls, tls_why, sizeof tls_why), WS_ENOMEM);
}

/* Configures OpenSSL as openssl.cnf could. */
static void configure(const char *least) {
  char text[240];
  snprintf(text, sizeof text, "openssl_conf = a\n[a]\nssl_conf = b\n[b]\n"
                              "system_default = c\n[c]\nMinProtocol = %s\n"
                              "Options = UnsafeLegacyRenegotiation,"
                              "UnsafeLegacyServerConnect\n",
           least);
  BIO *bio = BIO_new_mem_buf(text, -1);
  CONF *conf = NCONF_new(NULL);
  CHECK_INT(NCONF_load_bio(conf, bio, NULL), 1);
  CHECK(CONF_modules_load(conf, NULL, 0) > 0);
  NCONF_free(conf);
  BIO_free(bio);
}

static long least_version(const char *asked) {
  ws_tls_options o = {.ca = cert_path("root.pem"),
                      .min_version = ws_slice_of(asked)};
  ws_tls *tls = tls_make(&o);
  long least = SSL_CTX_get_min_proto_version(tls->context);
  ws_tls_unref(tls);
  return least;
}

TEST(the_system_may_demand_more) {
  configure("TLSv1.3");
  CHECK_INT(least_version(""), TLS1_3_VERSION);
  CHECK_INT(least_version("TLSv1.2"), TLS1_2_VERSION); /* but is told */
  configure("TLSv1.1");
  CHECK_INT(least_version(""), TLS1_2_VERSION);
  CHECK_INT(least_version("TLSv1.3"), TLS1_3_VERSION);
  CONF_modules_finish();
}

TEST(the_system_cannot_lower_the_floor) { /* A85 */
  const uint64_t unsafe = SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                          SSL_OP_LEGACY_SERVER_CONNECT;
  ws_tls_options o = {.ca = cert_path("root.pem")};
  configure("TLSv1.2");
  SSL_CTX *plain = SSL_CTX_new(TLS_client_method());
  CHECK_INT(SSL_CTX_get_options(plain) & unsafe, unsafe);
  SSL_CTX_free(plain);
  ws_tls *tls = tls_make(&o);
  CHECK_INT(SSL_CTX_get_options(tls->context) & unsafe, 0);
  ws_tls_unref(tls);
  CONF_modules_finish();
}

/* What OpenSSL finds wrong with an optional certificate is recorded. */
TEST(a_refusal_is_noted) {
  ws_tls_options o = {.server = true,
                      .request_cert = true,
                      .ca = cert_path("root.pem"),
                      .cert = cert_path("server.pem"),
                      .key = cert_path("leaf.key")};
  ws_tls *tls = tls_make(&o);
  SSL *ssl = SSL_new(tls->context);
  X509_STORE_CTX *store = X509_STORE_CTX_new();
  SSL_verify_cb verify = SSL_CTX_get_verify_callback(tls->context);
  ws_tls_notes notes = {0};
  CHECK_INT(verify(0, store), 0); /* nobody to tell */
  CHECK_INT(X509_STORE_CTX_set_ex_data(
                store, SSL_get_ex_data_X509_STORE_CTX_idx(), ssl), 1);
  CHECK_INT(verify(0, store), 0);
  CHECK_INT(SSL_set_app_data(ssl, &notes), 1);
  CHECK_INT(verify(1, store), 1);
  CHECK(!notes.refused);
  CHECK_INT(verify(0, store), 1);
  CHECK(notes.refused);
  CHECK_INT(verify(1, store), 1);
  CHECK(notes.refused);
  X509_STORE_CTX_free(store);
  SSL_free(ssl);
  ws_tls_unref(tls);
}

TEST(a_certificate_is_known_of) {
  ws_tls_options o = {.ca = cert_path("root.pem")};
  ws_tls *without = tls_make(&o);
  o.cert = cert_path("client.pem");
  o.key = cert_path("leaf.key");
  ws_tls *with = tls_make(&o);
  CHECK(!ws_tls_has_cert(without) && ws_tls_has_cert(with));
  ws_tls_unref(without);
  ws_tls_unref(with);
}

TEST(references) {
  ws_tls *tls = tls_client("root.pem");
  CHECK(ws_tls_ref(tls) == tls);
  ws_tls_unref(tls);
  CHECK_INT(tls->refs, 1);
  ws_tls_unref(tls);
  ws_tls_unref(NULL);
  CHECK_INT(ws_memory_live(), 0);
}

int main(void) {
  certs_begin();
  RUN(names_choose_the_certificate);
  RUN(names_are_replaced);
  RUN(names_that_cannot_be_added);
  RUN(demands_come_with_the_name);
  RUN(a_second_hello_changes_nothing);
  RUN(a_name_that_is_cut_off);
  RUN(settings_that_cannot_be);
  RUN(the_floor_holds);
  RUN(more_than_the_floor_is_kept);
  RUN(settings_without_memory);
  RUN(the_system_may_demand_more);
  RUN(the_system_cannot_lower_the_floor);
  RUN(a_refusal_is_noted);
  RUN(a_certificate_is_known_of);
  RUN(references);
  certs_end();
  return check_done();
}
