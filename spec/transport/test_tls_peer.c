/* SPDX-License-Identifier: MIT */
/* Judging peers: chains, pins, clients' certificates, resumed sessions. */
#include "transport/tls_peer.h"

#include "tls_pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>

static const cert_row rows[] = {
    {"6", "expired.pem", NULL, "ws.test", "certificate has expired"},
    {"7", "not_yet.pem", NULL, "ws.test", "certificate is not yet valid"},
    {"8", "unknown_sent.pem", NULL, "ws.test", "self-signed certificate in"},
    {"9", "unknown.pem", NULL, "ws.test",
     "unable to get local issuer certificate"},
    {"10", "self.pem", "other.key", "ws.test", "self-signed certificate"},
    {"13", "expired_inter.pem", NULL, "ws.test", "certificate has expired"},
    {"14", "no_inter.pem", NULL, "ws.test", "unable to"},
    {"15", "wrong_inter.pem", NULL, "ws.test", "unable to"},
    {"16", "extra.pem", NULL, "ws.test", NULL},
    {"17", "root_sent.pem", NULL, "ws.test", NULL},
    {"37", "eku_client.pem", NULL, "ws.test", "certificate purpose"},
    {"38", "eku_code.pem", NULL, "ws.test", "certificate purpose"},
    {"39", "eku_any.pem", NULL, "ws.test", "certificate purpose"},
    {"40", "no_eku.pem", NULL, "ws.test", NULL},
    {"41", "no_signing.pem", NULL, "ws.test", "certificate purpose"},
    {"43", "critical.pem", NULL, "ws.test", "unhandled critical extension"},
    {"44", "by_leaf.pem", NULL, "ws.test", "invalid CA certificate"},
    {"47", "too_long.pem", NULL, "ws.test", "path length"},
    {"49", "inside.pem", NULL, "a.ok.test", NULL},
    {"50", "outside.pem", NULL, "ws.test", "permitted subtree violation"},
    {"56", "p384.pem", "p384.key", "ws.test", NULL},
    {"56", "ed25519.pem", "ed25519.key", "ws.test", NULL},
    {"57", "revoked.pem", NULL, "ws.test", NULL},
};

#define ROWS (sizeof rows / sizeof *rows)

TEST(matrix_of_chains) {
  ws_tls *client = tls_client("root.pem");
  for (size_t i = 0; i < ROWS; i++) CHECK(row_try(&rows[i], client, true));
  ws_tls_unref(client);
}

TEST(matrix_of_chains_with_verify_off) {
  ws_tls_options options = {.no_verify = true, .ca = cert_path("root.pem")};
  ws_tls *client = tls_make(&options);
  for (size_t i = 0; i < ROWS; i++) CHECK(row_try(&rows[i], client, false));
  ws_tls_unref(client);
}

TEST(revoked_with_a_list) { /* matrix 58, 59 */
  static const cert_row listed[] = {
      {"58", "revoked.pem", NULL, "ws.test", "certificate revoked"},
      {"59", "server.pem", NULL, "ws.test", NULL},
      {"60", "inside.pem", NULL, "a.ok.test",
       "unable to get certificate CRL"},
  };
  static const char *const places[] = {"root_crl.pem", "hashed"};
  for (size_t i = 0; i < 6; i++) {
    ws_tls *client = tls_client(places[i / 3]);
    CHECK(row_try(&listed[i % 3], client, true));
    ws_tls_unref(client);
  }
}

/* The system's store does not know our root. */
TEST(verify_is_on_by_default) { /* A80 */
  static const cert_row row = {"9", "server.pem", NULL, "ws.test",
                               "certificate verify failed"};
  ws_tls_options options = {0};
  ws_tls *client = tls_make(&options);
  CHECK(row_try(&row, client, true));
  ws_tls_unref(client);
}

/* ---- weak certificates, which our own server does not even load ---- */

static int shake_weak(const char *cert, const char *key) {
  static memory_pipe to_server, to_client;
  ws_stream *ours = NULL;
  ws_tls *client = tls_client("root.pem");
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_security_level(context, 0);
  CHECK_INT(SSL_CTX_use_certificate_chain_file(context, cert_path(cert).data),
            1);
  CHECK_INT(SSL_CTX_use_PrivateKey_file(context, cert_path(key).data,
                                        SSL_FILETYPE_PEM), 1);
  SSL *ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  pipe_begin(&to_server, PIPE_ROOM, PIPE_ROOM);
  pipe_begin(&to_client, PIPE_ROOM, PIPE_ROOM);
  ws_stream *below = memory_end_new(&to_client, &to_server);
  CHECK_INT(ws_stream_tls_new(below, client, ws_slice_of("ws.test"),
                              (ws_slice){0}, &ours), WS_OK);
  CHECK_INT(ws_stream_open(ours), WS_EAGAIN);
  BIO_write(SSL_get_rbio(ssl), pipe_data(&to_server), (int)to_server.len);
  CHECK(SSL_accept(ssl) == -1);
  int len = BIO_read(SSL_get_wbio(ssl), pipe_data(&to_client), PIPE_ROOM);
  to_client.len = len > 0 ? (size_t)len : 0;
  int status = ws_stream_open(ours);
  const char *why = ws_stream_why(ours);
  CHECK(why && (strstr(why, "too weak") || strstr(why, "too small")));
  ws_stream_free(ours);
  SSL_free(ssl);
  SSL_CTX_free(context);
  ws_tls_unref(client);
  return status;
}

TEST(weak_algorithms) { /* matrix 54, 55 */
  CHECK_INT(shake_weak("sha1.pem", "leaf.key"), WS_ETLS);
  CHECK_INT(shake_weak("rsa1024.pem", "rsa1024.key"), WS_ETLS);
}

/* ---- pins ---- */

static X509 *read_leaf(const char *file) {
  BIO *bio = BIO_new_file(cert_path(file).data, "r");
  X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return leaf;
}

/* "sha256//" and the key's digest in base64 or hex, as other tools print it. */
static void pin_of(const char *file, char text[64], bool hex) {
  unsigned char *der = NULL, digest[32];
  X509 *leaf = read_leaf(file);
  int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
  CHECK(EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1);
  if (hex) {
    for (size_t i = 0; i < 32; i++)
      sprintf(text + 2 * i, i % 2 ? "%02x" : "%02X", digest[i]);
  } else {
    strcpy(text, "sha256//");
    EVP_EncodeBlock((unsigned char *)text + 8, digest, 32);
  }
  OPENSSL_free(der);
  X509_free(leaf);
}

static void try_pins(const ws_slice *pins, size_t count, bool no_verify,
                     const char *host, int expected) {
  static tls_pair pair;
  ws_tls_options options = {.no_verify = no_verify,
                            .ca = cert_path("root.pem"),
                            .pins = pins,
                            .pin_count = count};
  ws_tls *client = tls_make(&options);
  ws_tls *server = tls_server("server.pem", NULL);
  /* Twice with one context: a failure affects only its own connection. */
  for (int i = 0; i < 2; i++) {
    pair_begin(&pair, client, server, host, PIPE_ROOM, PIPE_ROOM);
    pair_shake(&pair);
    CHECK_INT(pair.client_status, expected);
    if (expected == WS_ETLS) {
      const char *why = ws_stream_why(pair.client);
      CHECK(why && strstr(why, "verify failed"));
      CHECK_INT(put(pair.client, "x"), WS_ETLS);
      CHECK_INT(ws_stream_open(pair.client), WS_ETLS);
    }
    pair_end(&pair);
  }
  ws_tls_unref(client);
  ws_tls_unref(server);
}

TEST(pins) { /* matrix 69 */
  char right[80], right_hex[80], wrong[80];
  pin_of("server.pem", right, false);
  pin_of("server.pem", right_hex, true);
  pin_of("self.pem", wrong, false);
  ws_slice one[] = {ws_slice_of(right)}, bad[] = {ws_slice_of(wrong)};
  ws_slice backup[] = {ws_slice_of(wrong), {right_hex, 64}};
  ws_slice bare[] = {ws_slice_of(right + 8)};
  try_pins(one, 1, false, "ws.test", WS_OK);
  try_pins(bare, 1, false, "ws.test", WS_OK);
  try_pins(backup, 2, false, "ws.test", WS_OK);
  try_pins(bad, 1, false, "ws.test", WS_ETLS);
  try_pins(one, 1, false, "wrong.test", WS_ETLS); /* a pin is not a name */
  try_pins(one, 1, true, "wrong.test", WS_OK);
  try_pins(bad, 1, true, "ws.test", WS_ETLS); /* but counts without verify */
}

TEST(pins_that_are_none) {
  static const char *const texts[] = {
      "", "sha256//", "abc",
      "sha1//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
      "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
      "g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF==",
      "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU*",
  };
  ws_tls_pin pin;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ws_slice text = ws_slice_of(texts[i]);
    ws_tls_options options = {.no_verify = true, .pins = &text,
                              .pin_count = 1};
    ws_tls *tls = NULL;
    CHECK(!ws_tls_pin_parse(&pin, text));
    CHECK_INT(ws_tls_new(&options, &tls, tls_why, sizeof tls_why), WS_ETLS);
    CHECK(strstr(tls_why, "pin") && !tls);
  }
}

/* Of any length, though the room for a decoded pin is limited. */
TEST(pins_of_every_length) {
  ws_tls_pin pin;
  char text[300];
  memset(text, 'a', sizeof text);
  for (size_t len = 0; len < sizeof text; len++)
    CHECK_INT(ws_tls_pin_parse(&pin, (ws_slice){text, len}), len == 64);
}

TEST(pins_in_hex_and_base64) {
  ws_tls_pin pin;
  ws_slice good = ws_slice_of("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
  CHECK(ws_tls_pin_parse(&pin, good));
  CHECK_BYTES(pin.digest, 4, "\xe3\xb0\xc4\x42");
  good = ws_slice_of("000102030405060708090A0B0C0D0E0F"
                     "f0e0d0c0b0a090807060504030201000");
  CHECK(ws_tls_pin_parse(&pin, good));
  CHECK_BYTES(pin.digest, 32,
              "\0\x01\x02\x03\x04\x05\x06\x07"
              "\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
              "\xf0\xe0\xd0\xc0\xb0\xa0\x90\x80"
              "\x70\x60\x50\x40\x30\x20\x10\0");
}

/* ---- clients' certificates ---- */

typedef struct client_row {
  const char *cert;
  int required;  /* the server's status when a certificate is required */
  bool verified; /* whether it is verified when none is required */
} client_row;

static ws_tls *client_with(const char *cert) {
  ws_tls_options options = {.ca = cert_path("root.pem"),
                            .cert = cert_path(cert),
                            .key = cert_path(cert ? "leaf.key" : NULL)};
  return tls_make(&options);
}

static void try_client(const client_row *row, ws_tls *server, bool require) {
  static tls_pair pair;
  ws_tls *client = client_with(row->cert);
  ws_tls_info info = {0};
  uint8_t got[8];
  pair_begin(&pair, client, server, "ws.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(&pair);
  CHECK_INT(pair.server_status, require ? row->required : WS_OK);
  if (pair.server_status == WS_OK) {
    CHECK(ws_stream_tls_info(pair.server, &info));
    CHECK_INT(info.verified, row->verified);
    CHECK_INT(info.peer != NULL, row->verified);
    if (info.peer) CHECK(strcmp(info.peer, "CN=client") == 0);
  } else {
    CHECK(!ws_stream_tls_info(pair.server, &info));
    CHECK(ws_stream_why(pair.server) != NULL);
    /* In TLS 1.3, the client notices it when it reads. */
    CHECK_INT(ws_stream_read(pair.client, got, sizeof got), WS_ETLS);
    const char *why = ws_stream_why(pair.client);
    CHECK(why && strstr(why, "alert"));
  }
  pair_end(&pair);
  ws_tls_unref(client);
}

TEST(client_certificates) { /* matrix 70, A87 */
  static const client_row clients[] = {
      {"client.pem", WS_OK, true},
      {NULL, WS_ETLS, false},
      {"client_expired.pem", WS_ETLS, false},
      {"client_wrong.pem", WS_ETLS, false},
      {"client_unknown.pem", WS_ETLS, false},
  };
  for (int require = 0; require < 2; require++) {
    ws_tls_options options = {.server = true,
                              .request_cert = true,
                              .require_cert = require,
                              .ca = cert_path("root.pem"),
                              .cert = cert_path("server.pem"),
                              .key = cert_path("leaf.key")};
    ws_tls *server = tls_make(&options);
    for (size_t i = 0; i < sizeof clients / sizeof *clients; i++)
      try_client(&clients[i], server, require);
    ws_tls_unref(server);
  }
}

/* ---- one host's session used at another ---- */

/* Moves what each side writes to the other, until both are done. */
static void raw_shake(SSL *client, SSL *server) {
  char data[16384], byte;
  for (int i = 0; i < 6; i++) {
    (void)SSL_do_handshake(client);
    int len = BIO_read(SSL_get_wbio(client), data, sizeof data);
    if (len > 0) BIO_write(SSL_get_rbio(server), data, len);
    (void)SSL_do_handshake(server);
    len = BIO_read(SSL_get_wbio(server), data, sizeof data);
    if (len > 0) BIO_write(SSL_get_rbio(client), data, len);
  }
  (void)SSL_read(client, &byte, 1); /* the tickets */
}

static SSL *raw_side(SSL_CTX *context, bool server) {
  SSL *ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (server)
    SSL_set_accept_state(ssl);
  else
    SSL_set_connect_state(ssl);
  return ssl;
}

static int judge_as(SSL *ssl, const ws_tls_name *name, bool *verified) {
  ws_tls_demand demand = {.verify = true, .name = name};
  return ws_tls_peer_judge(ssl, &demand, false, verified,
                           (ws_tls_why){tls_why, sizeof tls_why});
}

/* OpenSSL resumes the session of a.test for b.test and finds nothing wrong:
 * only our second check does. */
TEST(resumed_sessions_are_checked_again) { /* matrix 65 */
  ws_tls *server = tls_server("a.pem", NULL);
  SSL_CTX *here = SSL_CTX_new(TLS_client_method());
  SSL_CTX *there = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate_chain_file(there, cert_path("a.pem").data);
  SSL_CTX_use_PrivateKey_file(there, cert_path("leaf.key").data,
                              SSL_FILETYPE_PEM);
  SSL_CTX_load_verify_locations(here, cert_path("root.pem").data, NULL);
  SSL_CTX_set_verify(here, SSL_VERIFY_PEER, NULL);
  ws_tls_name a, b;
  bool verified;
  CHECK_INT(ws_tls_name_init(&a, ws_slice_of("a.test")), WS_OK);
  CHECK_INT(ws_tls_name_init(&b, ws_slice_of("b.test")), WS_OK);
  SSL *client = raw_side(here, false), *peer = raw_side(there, true);
  CHECK(ws_tls_name_expect(&a, client, true));
  raw_shake(client, peer);
  CHECK_INT(judge_as(client, &a, &verified), WS_OK);
  CHECK(verified);
  SSL_SESSION *session = SSL_get1_session(client);
  SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(client);
  SSL_free(peer);

  client = raw_side(here, false);
  peer = raw_side(there, true);
  CHECK(ws_tls_name_expect(&b, client, true));
  CHECK_INT(SSL_set_session(client, session), 1);
  raw_shake(client, peer);
  CHECK_INT(SSL_session_reused(client), 1);
  CHECK_INT(SSL_get_verify_result(client), X509_V_OK);
  CHECK_INT(judge_as(client, &b, &verified), WS_ETLS);
  CHECK(!verified && strstr(tls_why, "hostname mismatch (second check)"));
  SSL_SESSION_free(session);
  SSL_free(client);
  SSL_free(peer);
  SSL_CTX_free(here);
  SSL_CTX_free(there);
  ws_tls_unref(server);
}

/* ---- what OpenSSL has accepted is still judged ---- */

typedef struct raw_pair {
  SSL_CTX *here, *there;
  SSL *client, *server;
} raw_pair;

static int take_h2(SSL *ssl, const unsigned char **out,
                   unsigned char *out_len, const unsigned char *offered,
                   unsigned len, void *owner) {
  (void)ssl;
  (void)owner;
  *out = offered + 1;
  *out_len = offered[0];
  return len > 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* Both sides accept any certificate. */
static void raw_pair_begin(raw_pair *pair, const char *cert, const char *key,
                           const char *protocols) {
  pair->here = SSL_CTX_new(TLS_client_method());
  pair->there = SSL_CTX_new(TLS_server_method());
  SSL_CTX_load_verify_locations(pair->here, cert_path("root.pem").data, NULL);
  CHECK_INT(SSL_CTX_use_certificate_chain_file(pair->there,
                                               cert_path(cert).data), 1);
  CHECK_INT(SSL_CTX_use_PrivateKey_file(pair->there, cert_path(key).data,
                                        SSL_FILETYPE_PEM), 1);
  if (protocols) {
    SSL_CTX_set_alpn_protos(pair->here, (const unsigned char *)protocols,
                            (unsigned)strlen(protocols));
    SSL_CTX_set_alpn_select_cb(pair->there, take_h2, NULL);
  }
  pair->client = raw_side(pair->here, false);
  pair->server = raw_side(pair->there, true);
  raw_shake(pair->client, pair->server);
  CHECK(SSL_is_init_finished(pair->client));
  CHECK(SSL_is_init_finished(pair->server));
}

static void raw_pair_end(raw_pair *pair) {
  SSL_free(pair->client);
  SSL_free(pair->server);
  SSL_CTX_free(pair->here);
  SSL_CTX_free(pair->there);
}

static int judge_by(SSL *ssl, const ws_tls_demand *demand, bool refused,
                    bool *verified, const char *words) {
  tls_why[0] = '\0';
  int status = ws_tls_peer_judge(ssl, demand, refused, verified,
                                 (ws_tls_why){tls_why, sizeof tls_why});
  if (!CHECK(strstr(tls_why, words))) fprintf(stderr, "why: %s\n", tls_why);
  return status;
}

TEST(judging_what_passed_unverified) {
  raw_pair pair;
  bool verified = true;
  ws_tls_demand demand = {.verify = true}, optional = {true, true, 0, 0, 0};
  raw_pair_begin(&pair, "self.pem", "other.key", NULL);
  CHECK_INT(judge_by(pair.client, &demand, false, &verified, "self"),
            WS_ETLS);
  CHECK(!verified);
  CHECK_INT(judge_by(pair.client, &optional, false, &verified, ""), WS_OK);
  CHECK(!verified);
  raw_pair_end(&pair);
  raw_pair_begin(&pair, "server.pem", "leaf.key", NULL);
  CHECK_INT(judge_by(pair.client, &demand, false, &verified, ""), WS_OK);
  CHECK(verified);
  CHECK_INT(judge_by(pair.client, &optional, true, &verified, ""), WS_OK);
  CHECK(!verified);
  CHECK_INT(judge_by(pair.client, &demand, true, &verified, "failed"),
            WS_ETLS);
  CHECK(!verified);
  raw_pair_end(&pair);
}

TEST(judging_a_peer_without_certificate) {
  raw_pair pair;
  bool verified = true;
  ws_tls_pin pin = {{0}};
  ws_tls_demand demand = {.verify = true}, optional = {true, true, 0, 0, 0};
  ws_tls_demand pinned = {.pins = &pin, .pin_count = 1}, none = {0};
  char text[8];
  raw_pair_begin(&pair, "server.pem", "leaf.key", NULL);
  CHECK_INT(judge_by(pair.server, &demand, false, &verified,
                     "no certificate"), WS_ETLS);
  CHECK_INT(judge_by(pair.server, &pinned, false, &verified,
                     "no certificate"), WS_ETLS);
  CHECK_INT(judge_by(pair.server, &optional, false, &verified, ""), WS_OK);
  CHECK_INT(judge_by(pair.server, &none, false, &verified, ""), WS_OK);
  CHECK(!verified);
  CHECK(!ws_tls_peer_subject(pair.server, text, sizeof text));
  memset(text, 'x', sizeof text);
  CHECK(ws_tls_peer_subject(pair.client, text, sizeof text));
  CHECK(strcmp(text, "CN=loca") == 0); /* cut to the room */
  raw_pair_end(&pair);
}

TEST(judging_leaves_no_error_behind) { /* A88 */
  raw_pair pair;
  char text[8];
  bool verified;
  ws_tls_demand demand = {.verify = true};
  raw_pair_begin(&pair, "server.pem", "leaf.key", NULL);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  CHECK_INT(judge_by(pair.client, &demand, false, &verified, ""), WS_OK);
  CHECK_INT(ERR_peek_error(), 0);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  CHECK(ws_tls_peer_subject(pair.client, text, sizeof text));
  CHECK_INT(ERR_peek_error(), 0);
  raw_pair_end(&pair);
}

/* Only `pin_count` pins count. */
TEST(judging_by_the_pins_there_are) {
  raw_pair pair;
  char text[80];
  bool verified;
  ws_tls_pin pins[2] = {{{0}}};
  ws_tls_demand demand = {.verify = true, .pins = pins, .pin_count = 1};
  pin_of("server.pem", text, true);
  CHECK(ws_tls_pin_parse(&pins[1], (ws_slice){text, 64}));
  raw_pair_begin(&pair, "server.pem", "leaf.key", NULL);
  CHECK_INT(judge_by(pair.client, &demand, false, &verified, "no pin"),
            WS_ETLS);
  demand.pin_count = 2;
  CHECK_INT(judge_by(pair.client, &demand, false, &verified, ""), WS_OK);
  raw_pair_end(&pair);
}

TEST(judging_the_protocol) { /* A85 */
  static const char *const protocols[] = {"\x02h2", "\x08http/1.0",
                                          "\x08http/1.1", NULL};
  for (size_t i = 0; i < 4; i++) {
    raw_pair pair;
    bool verified;
    ws_tls_demand demand = {.verify = true};
    raw_pair_begin(&pair, "server.pem", "leaf.key", protocols[i]);
    CHECK_INT(judge_by(pair.client, &demand, false, &verified,
                       i < 2 ? "ALPN" : ""), i < 2 ? WS_ETLS : WS_OK);
    raw_pair_end(&pair);
  }
}

int main(void) {
  certs_begin();
  RUN(matrix_of_chains);
  RUN(matrix_of_chains_with_verify_off);
  RUN(revoked_with_a_list);
  RUN(verify_is_on_by_default);
  RUN(weak_algorithms);
  RUN(pins);
  RUN(pins_that_are_none);
  RUN(pins_of_every_length);
  RUN(pins_in_hex_and_base64);
  RUN(client_certificates);
  RUN(resumed_sessions_are_checked_again);
  RUN(judging_what_passed_unverified);
  RUN(judging_a_peer_without_certificate);
  RUN(judging_leaves_no_error_behind);
  RUN(judging_by_the_pins_there_are);
  RUN(judging_the_protocol);
  certs_end();
  if (ws_memory_live() != 0) {
    fprintf(stderr, "%zu blocks are left\n", ws_memory_live());
    return 1;
  }
  return check_done();
}
