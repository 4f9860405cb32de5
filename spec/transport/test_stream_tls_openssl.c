/* SPDX-License-Identifier: MIT */
/* Our streams with plain OpenSSL as peer: versions, protocols, sessions. */
#include "tls_pair.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static ws_tls *client_tls, *server_tls; /* good ones, for most tests */

static bool why_has(ws_stream *stream, const char *part) {
  const char *why = ws_stream_why(stream);
  bool found = why && strstr(why, part);
  if (!found) fprintf(stderr, "why: %s\n", why ? why : "(none)");
  return found;
}

/* ---- plain OpenSSL as the peer of one of our streams ---- */

typedef struct raw_peer {
  memory_pipe in, out; /* as the raw side sees them */
  SSL_CTX *context;
  SSL *ssl;
  ws_stream *ours;
} raw_peer;

static void raw_context(raw_peer *raw, bool server) {
  raw->context = SSL_CTX_new(server ? TLS_server_method()
                                    : TLS_client_method());
  if (!raw->context) exit(2);
  if (server &&
      (SSL_CTX_use_certificate_chain_file(
           raw->context, cert_path("server.pem").data) != 1 ||
       SSL_CTX_use_PrivateKey_file(raw->context, cert_path("leaf.key").data,
                                   SSL_FILETYPE_PEM) != 1))
    exit(2);
}

static void raw_begin(raw_peer *raw, ws_tls *tls, bool server) {
  ws_slice none = {0};
  pipe_begin(&raw->in, PIPE_ROOM, PIPE_ROOM);
  pipe_begin(&raw->out, PIPE_ROOM, PIPE_ROOM);
  raw->ssl = SSL_new(raw->context);
  SSL_set_bio(raw->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (server)
    SSL_set_accept_state(raw->ssl);
  else
    SSL_set_connect_state(raw->ssl);
  ws_stream *below = memory_end_new(&raw->out, &raw->in);
  ws_slice host = ws_slice_of(server ? "ws.test" : NULL);
  if (ws_stream_tls_new(below, tls, host, none, &raw->ours) != WS_OK) exit(2);
}

static void raw_move(raw_peer *raw) {
  memory_pipe *in = &raw->in, *out = &raw->out;
  if (in->len > 0)
    BIO_write(SSL_get_rbio(raw->ssl), pipe_data(in), (int)in->len);
  in->len = 0;
  uint8_t *free_part = pipe_data(out) + out->len;
  int room = (int)(out->room - out->len);
  int got = room > 0 ? BIO_read(SSL_get_wbio(raw->ssl), free_part, room) : 0;
  if (got > 0) out->len += (size_t)got;
}

/* Does the handshake; returns our side's status. */
static int raw_shake(raw_peer *raw) {
  int status = WS_EAGAIN;
  for (int i = 0; i < 12; i++) {
    ERR_clear_error();
    (void)SSL_do_handshake(raw->ssl);
    raw_move(raw);
    if (status == WS_EAGAIN) status = ws_stream_open(raw->ours);
    (void)ws_stream_flush(raw->ours);
    raw_move(raw);
  }
  ERR_clear_error();
  return status;
}

static void raw_end(raw_peer *raw) {
  ws_stream_free(raw->ours);
  /* Without this, its session counts as broken and cannot be resumed. */
  SSL_set_shutdown(raw->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(raw->ssl);
  raw->ssl = NULL;
}

/* ---- versions, protocols, sessions: against plain OpenSSL ---- */

TEST(old_versions_are_refused) { /* A85 */
  static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};
  for (size_t i = 0; i < 4; i++) {
    raw_peer raw;
    bool server = i / 2 == 0;
    raw_context(&raw, server);
    SSL_CTX_set_security_level(raw.context, 0);
    SSL_CTX_set_cipher_list(raw.context, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(raw.context, versions[i % 2]);
    SSL_CTX_set_max_proto_version(raw.context, versions[i % 2]);
    raw_begin(&raw, server ? client_tls : server_tls, server);
    CHECK_INT(raw_shake(&raw), WS_ETLS);
    CHECK(ws_stream_why(raw.ours) != NULL);
    raw_end(&raw);
    SSL_CTX_free(raw.context);
  }
}

static int choose_protocol(SSL *ssl, const unsigned char **out,
                           unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *protocol) {
  (void)ssl;
  (void)in;
  CHECK(in_len == 9 && memcmp(in, "\x08http/1.1", 9) == 0);
  *out = protocol;
  *out_len = (unsigned char)strlen(protocol);
  return SSL_TLSEXT_ERR_OK;
}

TEST(a_server_that_chooses_h2_is_refused) { /* A85, S23 */
  static char *const protocols[] = {NULL, "http/1.1", "h2", "http/1.10"};
  for (size_t i = 0; i < 4; i++) {
    raw_peer raw;
    raw_context(&raw, true);
    if (protocols[i])
      SSL_CTX_set_alpn_select_cb(raw.context, choose_protocol, protocols[i]);
    raw_begin(&raw, client_tls, true);
    CHECK_INT(raw_shake(&raw), i < 2 ? WS_OK : WS_ETLS);
    if (i >= 2) CHECK(why_has(raw.ours, "(host ws.test)"));
    raw_end(&raw);
    SSL_CTX_free(raw.context);
  }
}

TEST(a_server_chooses_http_1_1) {
  static const char *const offers[] = {"", "\x02h2\x08http/1.1",
                                       "\x08http/1.1", "\x02h2",
                                       "\x08http/1.0"};
  static const int expected[] = {WS_OK, WS_OK, WS_OK, WS_ETLS, WS_ETLS};
  for (size_t i = 0; i < 5; i++) {
    raw_peer raw;
    const unsigned char *chosen;
    unsigned len;
    raw_context(&raw, false);
    SSL_CTX_set_alpn_protos(raw.context, (const unsigned char *)offers[i],
                            (unsigned)strlen(offers[i]));
    raw_begin(&raw, server_tls, false);
    CHECK_INT(raw_shake(&raw), expected[i]);
    SSL_get0_alpn_selected(raw.ssl, &chosen, &len);
    if (expected[i] == WS_OK && i > 0)
      CHECK_BYTES(chosen, len, "http/1.1");
    else
      CHECK_INT(len, 0);
    raw_end(&raw);
    SSL_CTX_free(raw.context);
  }
}

TEST(min_version_and_ciphers) {
  ws_tls_options options = {.ca = cert_path("root.pem"),
                            .min_version = ws_slice_of("TLSv1.3")};
  ws_tls *newest = tls_make(&options);
  raw_peer raw;
  raw_context(&raw, true);
  SSL_CTX_set_max_proto_version(raw.context, TLS1_2_VERSION);
  raw_begin(&raw, newest, true);
  CHECK_INT(raw_shake(&raw), WS_ETLS);
  raw_end(&raw);
  ws_tls_unref(newest);
  options = (ws_tls_options){
      .ca = cert_path("root.pem"),
      .ciphers = ws_slice_of("ECDHE-ECDSA-AES256-GCM-SHA384:@SECLEVEL=0")};
  ws_tls *narrow = tls_make(&options);
  raw_begin(&raw, narrow, true);
  CHECK_INT(raw_shake(&raw), WS_OK);
  ws_tls_info info;
  CHECK(ws_stream_tls_info(raw.ours, &info));
  CHECK(strcmp(info.version, "TLSv1.2") == 0);
  CHECK(strcmp(info.cipher, "ECDHE-ECDSA-AES256-GCM-SHA384") == 0);
  raw_end(&raw);
  SSL_CTX_free(raw.context);
  ws_tls_unref(narrow);
}

TEST(renegotiation_is_refused) { /* A83 */
  raw_peer raw;
  uint8_t got[8];
  raw_context(&raw, false);
  SSL_CTX_set_max_proto_version(raw.context, TLS1_2_VERSION);
  raw_begin(&raw, server_tls, false);
  CHECK_INT(raw_shake(&raw), WS_OK);
  CHECK_INT(SSL_renegotiate(raw.ssl), 1);
  (void)SSL_do_handshake(raw.ssl);
  raw_move(&raw);
  CHECK(ws_stream_read(raw.ours, got, sizeof got) < 0);
  raw_move(&raw);
  CHECK(SSL_do_handshake(raw.ssl) != 1); /* told "no renegotiation" */
  CHECK_INT(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
  ERR_clear_error();
  raw_end(&raw);
  SSL_CTX_free(raw.context);
}

static void update_keys(raw_peer *raw, int count, int kind) {
  for (int i = 0; i < count; i++) {
    CHECK_INT(SSL_key_update(raw->ssl, kind), 1);
    (void)SSL_do_handshake(raw->ssl);
  }
  raw_move(raw);
}

/* Deriving keys takes long, and a few bytes are enough to ask for it. */
TEST(one_read_follows_few_key_updates) { /* A83 */
  raw_peer raw;
  uint8_t got[8];
  raw_context(&raw, false);
  raw_begin(&raw, server_tls, false);
  CHECK_INT(raw_shake(&raw), WS_OK);
  update_keys(&raw, 2000, SSL_KEY_UPDATE_NOT_REQUESTED);
  CHECK_INT(SSL_write(raw.ssl, "end", 3), 3);
  raw_move(&raw);
  int calls = 0;
  ptrdiff_t len;
  do {
    size_t before = raw.out.len;
    len = ws_stream_read(raw.ours, got, sizeof got);
    CHECK(before - raw.out.len <= 17 * 1024); /* a record, section 5.2 */
    calls++;
  } while (len == WS_EAGAIN && calls < 100);
  CHECK_INT(len, 3); /* nothing is lost */
  CHECK(calls >= 3);
  raw_end(&raw);
  SSL_CTX_free(raw.context);
}

/* Each KeyUpdate asks for one in return, and the peer reads none of them. */
TEST(key_update_flood_stays_bounded) { /* A83 */
  raw_peer raw;
  uint8_t got[8];
  raw_context(&raw, false);
  raw_begin(&raw, server_tls, false);
  CHECK_INT(raw_shake(&raw), WS_OK);
  raw.in.room = 0;
  ptrdiff_t status = WS_EAGAIN;
  int updates = 0;
  for (; updates < 20000 && status == WS_EAGAIN; updates++) {
    update_keys(&raw, 1, SSL_KEY_UPDATE_REQUESTED);
    status = ws_stream_read(raw.ours, got, sizeof got);
  }
  /* It must not wait and stay readable for ever. */
  CHECK_INT(status, WS_EBACKPRESSURE);
  CHECK(updates > 1000);
  CHECK_INT(ws_stream_read(raw.ours, got, sizeof got), WS_EBACKPRESSURE);
  CHECK_INT(ws_stream_wants(raw.ours), WS_WRITABLE);
  raw_end(&raw);
  SSL_CTX_free(raw.context);
}

/* A peer may change keys while our output is blocked. */
TEST(key_updates_are_answered_when_there_is_room) {
  raw_peer raw;
  uint8_t got[8];
  raw_context(&raw, false);
  raw_begin(&raw, server_tls, false);
  CHECK_INT(raw_shake(&raw), WS_OK);
  raw.in.room = 0;
  CHECK_INT(put(raw.ours, "held"), 4);
  CHECK_INT(put(raw.ours, "x"), WS_EAGAIN);
  for (int i = 0; i < 100; i++) {
    update_keys(&raw, 1, SSL_KEY_UPDATE_REQUESTED);
    CHECK_INT(SSL_write(raw.ssl, "more", 4), 4);
    raw_move(&raw);
    CHECK_INT(ws_stream_read(raw.ours, got, sizeof got), 4);
  }
  CHECK_INT(ws_stream_wants(raw.ours), WS_WRITABLE);
  raw.in.room = PIPE_ROOM;
  CHECK_INT(ws_stream_flush(raw.ours), WS_OK);
  CHECK_INT(put(raw.ours, "after"), 5);
  raw_move(&raw);
  CHECK_INT(SSL_read(raw.ssl, got, sizeof got), 4);
  CHECK_BYTES(got, 4, "held");
  CHECK_INT(SSL_read(raw.ssl, got, sizeof got), 5); /* with the newest keys */
  CHECK_BYTES(got, 5, "after");
  raw_end(&raw);
  SSL_CTX_free(raw.context);
}

static SSL_SESSION *kept_session;

static int keep_session(SSL *ssl, SSL_SESSION *session) {
  (void)ssl;
  SSL_SESSION_free(kept_session);
  kept_session = session;
  return 1;
}

/* Connects to `tls` for `name` with the session of the last connection; returns
 * whether it was resumed. */
static bool resumes(raw_peer *raw, ws_tls *tls, const char *name) {
  char got[8];
  raw_begin(raw, tls, false);
  if (kept_session) CHECK_INT(SSL_set_session(raw->ssl, kept_session), 1);
  SSL_set_tlsext_host_name(raw->ssl, name);
  CHECK_INT(raw_shake(raw), WS_OK);
  CHECK_INT(put(raw->ours, "x"), 1);
  raw_move(raw);
  CHECK_INT(SSL_read(raw->ssl, got, sizeof got), 1); /* also reads tickets */
  ws_tls_info info;
  CHECK(ws_stream_tls_info(raw->ours, &info));
  CHECK_INT(info.resumed, SSL_session_reused(raw->ssl));
  raw_end(raw);
  return info.resumed;
}

static void resume_with(int version) {
  raw_peer raw;
  ws_tls *server = tls_server("server.pem", NULL);
  ws_tls *other = tls_server("a.pem", NULL);
  CHECK_INT(ws_tls_add_name(server, ws_slice_of("a.test"), other), WS_OK);
  raw_context(&raw, false);
  SSL_CTX_set_max_proto_version(raw.context, version);
  SSL_CTX_set_session_cache_mode(raw.context, SSL_SESS_CACHE_CLIENT);
  SSL_CTX_sess_set_new_cb(raw.context, keep_session);
  CHECK(!resumes(&raw, server, "ws.test"));
  CHECK(kept_session != NULL);
  CHECK(resumes(&raw, server, "ws.test"));
  CHECK(!resumes(&raw, server, "a.test")); /* another context's session */
  CHECK(!resumes(&raw, server, "ws.test"));
  SSL_SESSION_free(kept_session);
  kept_session = NULL;
  SSL_CTX_free(raw.context);
  ws_tls_unref(server);
  ws_tls_unref(other);
}

TEST(sessions_stay_with_their_context) { /* A82 */
  resume_with(TLS1_2_VERSION);
  resume_with(TLS1_3_VERSION);
}

/* A client that must show a certificate shows it each time. */
TEST(no_sessions_where_clients_are_verified) { /* A82 */
  static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  ws_tls_options options = {.server = true,
                            .require_cert = true,
                            .ca = cert_path("root.pem"),
                            .cert = cert_path("server.pem"),
                            .key = cert_path("leaf.key")};
  ws_tls *server = tls_make(&options);
  for (size_t i = 0; i < 2; i++) {
    raw_peer raw;
    raw_context(&raw, false);
    CHECK_INT(SSL_CTX_use_certificate_chain_file(
                  raw.context, cert_path("client.pem").data), 1);
    CHECK_INT(SSL_CTX_use_PrivateKey_file(
                  raw.context, cert_path("leaf.key").data, SSL_FILETYPE_PEM),
              1);
    SSL_CTX_set_max_proto_version(raw.context, versions[i]);
    SSL_CTX_set_session_cache_mode(raw.context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(raw.context, keep_session);
    CHECK(!resumes(&raw, server, "ws.test"));
    CHECK(!resumes(&raw, server, "ws.test"));
    CHECK(!kept_session || versions[i] == TLS1_2_VERSION);
    SSL_SESSION_free(kept_session);
    kept_session = NULL;
    SSL_CTX_free(raw.context);
  }
  ws_tls_unref(server);
}

int main(void) {
  certs_begin();
  client_tls = tls_client("root.pem");
  server_tls = tls_server("server.pem", NULL);
  if (!client_tls || !server_tls) return 2;
  RUN(old_versions_are_refused);
  RUN(a_server_that_chooses_h2_is_refused);
  RUN(a_server_chooses_http_1_1);
  RUN(min_version_and_ciphers);
  RUN(renegotiation_is_refused);
  RUN(one_read_follows_few_key_updates);
  RUN(key_update_flood_stays_bounded);
  RUN(key_updates_are_answered_when_there_is_room);
  RUN(sessions_stay_with_their_context);
  RUN(no_sessions_where_clients_are_verified);
  ws_tls_unref(client_tls);
  ws_tls_unref(server_tls);
  certs_end();
  if (ws_memory_live() != 0) {
    fprintf(stderr, "%zu blocks are left\n", ws_memory_live());
    return 1;
  }
  return check_done();
}
