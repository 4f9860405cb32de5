/* SPDX-License-Identifier: MIT */
/* TLS streams against each other and against OpenSSL used plainly, over pipes
 * in memory. Certificates are judged in test_tls_name.c and test_tls_peer.c. */
#include "tls_pair.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static ws_tls *client_tls, *server_tls; /* good ones, for most tests */

static void begin(tls_pair *pair) {
  pair_begin(pair, client_tls, server_tls, "ws.test", PIPE_ROOM, PIPE_ROOM);
  pair_shake(pair);
  CHECK_INT(pair->client_status, WS_OK);
  CHECK_INT(pair->server_status, WS_OK);
}

static bool why_has(ws_stream *stream, const char *part) {
  const char *why = ws_stream_why(stream);
  bool found = why && strstr(why, part);
  if (!found) fprintf(stderr, "why: %s\n", why ? why : "(none)");
  return found;
}

/* ---- OpenSSL used plainly, as the peer of one of our streams ---- */

typedef struct raw_peer {
  memory_pipe in, out; /* seen from the raw side */
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
  memory_pipe clean = {.room = PIPE_ROOM, .bite = PIPE_ROOM};
  ws_slice none = {0};
  raw->in = raw->out = clean;
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
  if (in->len > 0) BIO_write(SSL_get_rbio(raw->ssl), in->data, (int)in->len);
  in->len = 0;
  int room = (int)(out->room - out->len);
  int got = room > 0 ? BIO_read(SSL_get_wbio(raw->ssl), out->data + out->len,
                                room)
                     : 0;
  if (got > 0) out->len += (size_t)got;
}

/* Our side's status in the end. */
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
  /* Without this its session counts as broken and is not taken up again. */
  SSL_set_shutdown(raw->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(raw->ssl);
  raw->ssl = NULL;
}

/* ---- opening ---- */

TEST(handshake_tells_what_was_agreed) { /* S23 */
  tls_pair pair;
  ws_tls_info info;
  pair_begin(&pair, client_tls, server_tls, "ws.test", PIPE_ROOM, PIPE_ROOM);
  CHECK(!ws_stream_tls_info(pair.client, &info));
  CHECK_INT(ws_stream_wants(pair.client), WS_READABLE);
  CHECK_INT(put(pair.client, "too early"), WS_EAGAIN);
  pair_shake(&pair);
  CHECK_INT(pair.client_status, WS_OK);
  CHECK_INT(pair.server_status, WS_OK);
  CHECK(ws_stream_tls_info(pair.client, &info));
  CHECK(strcmp(info.version, "TLSv1.3") == 0);
  CHECK(info.cipher && strncmp(info.cipher, "TLS_", 4) == 0);
  CHECK(info.peer && strcmp(info.peer, "CN=localhost") == 0);
  CHECK(info.verified && !info.resumed);
  CHECK(ws_stream_tls_info(pair.server, &info));
  CHECK(info.peer == NULL && !info.verified);
  CHECK(ws_stream_why(pair.client) == NULL);
  CHECK_INT(ws_stream_wants(pair.client), 0);
  CHECK_INT(ws_stream_open(pair.client), WS_OK);
  CHECK(!ws_stream_tls_info(pair.client->below, &info));
  pair_end(&pair);
}

/* Every cut of the handshake's bytes, and hardly any room below. */
TEST(handshake_byte_by_byte) {
  static const size_t rooms[] = {1, 7, 100, PIPE_ROOM};
  for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
    tls_pair pair;
    uint8_t got[8];
    pair_begin(&pair, client_tls, server_tls, "ws.test", rooms[i], 1);
    pair_shake(&pair);
    CHECK_INT(pair.client_status, WS_OK);
    CHECK_INT(pair.server_status, WS_OK);
    CHECK_INT(put(pair.client, "hello"), 5);
    ptrdiff_t len = WS_EAGAIN;
    for (int turn = 0; turn < 2000 && len == WS_EAGAIN; turn++) {
      (void)ws_stream_flush(pair.client);
      len = ws_stream_read(pair.server, got, sizeof got);
    }
    CHECK_BYTES(got, (size_t)(len > 0 ? len : 0), "hello");
    pair_end(&pair);
  }
}

/* While held back, the wish to write is said, and nothing more is taken. */
TEST(held_bytes_are_announced) {
  tls_pair pair;
  begin(&pair);
  pair.to_server.room = pair.to_server.len + 10;
  CHECK_INT(put(pair.client, "hello"), 5);
  CHECK_INT(ws_stream_wants(pair.client), WS_WRITABLE);
  CHECK_INT(put(pair.client, "again"), WS_EAGAIN);
  CHECK_INT(ws_stream_flush(pair.client), WS_EAGAIN);
  pair.to_server.room = PIPE_ROOM;
  CHECK_INT(ws_stream_flush(pair.client), WS_OK);
  CHECK_INT(ws_stream_wants(pair.client), 0);
  uint8_t got[8];
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 5);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_EAGAIN);
  pair_end(&pair);
}

TEST(hosts_that_cannot_be) { /* matrix 21, 64 */
  static const ws_slice hosts[] = {
      {NULL, 0},           {"", 0},        {".", 1},
      {".a.test", 7},      {"..", 2},      {"ws.test\0.evil.test", 18},
      {"ws..test", 8},     {"*.test", 6},  {"ws test", 7},
      {"b\xc3\xbc.test", 8}, {"1.2.3", 5}, {"010.0.0.1", 9},
  };
  memory_pipe pipe = {.room = PIPE_ROOM, .bite = PIPE_ROOM};
  ws_stream *below = memory_end_new(&pipe, &pipe);
  ws_tls_options off = {.no_verify = true};
  ws_tls *contexts[] = {client_tls, tls_make(&off)};
  ws_slice none = {0};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
    for (size_t k = 0; k < 2; k++) {
      ws_stream *stream = NULL;
      CHECK_INT(ws_stream_tls_new(below, contexts[k], hosts[i], none,
                                  &stream), WS_EINVAL);
      CHECK(stream == NULL);
    }
  ws_tls_unref(contexts[1]);
  ws_stream_free(below);
}

TEST(servername_replaces_the_host) {
  tls_pair pair;
  ws_tls *a = tls_server("a.pem", NULL);
  CHECK_INT(ws_tls_add_name(server_tls, ws_slice_of("a.test"), a), WS_OK);
  pair_pipes(&pair, PIPE_ROOM, PIPE_ROOM);
  ws_stream *below = memory_end_new(&pair.to_client, &pair.to_server);
  CHECK_INT(ws_stream_tls_new(below, client_tls, ws_slice_of("10.0.0.1"),
                              ws_slice_of("a.test"), &pair.client), WS_OK);
  below = memory_end_new(&pair.to_server, &pair.to_client);
  CHECK_INT(ws_stream_tls_new(below, server_tls, (ws_slice){0}, (ws_slice){0},
                              &pair.server), WS_OK);
  pair_shake(&pair);
  CHECK_INT(pair.client_status, WS_OK);
  ws_tls_info info;
  CHECK(ws_stream_tls_info(pair.client, &info));
  CHECK(info.peer && strcmp(info.peer, "CN=a") == 0);
  pair_end(&pair);
  ws_tls_unref(a);
}

TEST(memory_failing_when_made) {
  memory_pipe pipe = {.room = PIPE_ROOM, .bite = PIPE_ROOM};
  ws_stream *below = memory_end_new(&pipe, &pipe), *stream = NULL;
  size_t live = ws_memory_live();
  ws_memory_fail(1, 0);
  CHECK_INT(ws_stream_tls_new(below, client_tls, ws_slice_of("ws.test"),
                              (ws_slice){0}, &stream), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK_INT(ws_memory_live(), live);
  ws_stream_free(below);
}

/* ---- bytes ---- */

typedef struct flow {
  size_t sent, got;
  uint32_t write_seed, read_seed;
} flow;

static uint8_t next_byte(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return (uint8_t)(*seed >> 24);
}

/* Writes what comes next in two slices of odd sizes. */
static void flow_write(flow *f, ws_stream *stream, size_t whole) {
  static uint8_t bytes[50000];
  size_t len = whole - f->sent < sizeof bytes ? whole - f->sent
                                              : sizeof bytes;
  uint32_t seed = f->write_seed;
  for (size_t i = 0; i < len; i++) bytes[i] = next_byte(&seed);
  ws_slice slices[2] = {{(char *)bytes, len / 3},
                        {(char *)bytes + len / 3, len - len / 3}};
  ptrdiff_t took = len > 0 ? ws_stream_write(stream, slices, 2) : 0;
  for (ptrdiff_t i = 0; i < took; i++) (void)next_byte(&f->write_seed);
  if (took > 0) f->sent += (size_t)took;
  if (took < 0 && took != WS_EAGAIN) CHECK_INT(took, 0);
  (void)ws_stream_flush(stream);
}

static void flow_read(flow *f, ws_stream *stream) {
  size_t wrong = 0;
  static uint8_t *bytes;
  if (!bytes) bytes = check_guarded(5000);
  ptrdiff_t got = ws_stream_read(stream, bytes, 5000);
  for (ptrdiff_t i = 0; i < got; i++)
    wrong += bytes[i] != next_byte(&f->read_seed);
  if (got > 0) f->got += (size_t)got;
  if (wrong > 0 || (got < 0 && got != WS_EAGAIN)) CHECK_INT(got, 0);
}

TEST(a_mebibyte_each_way_through_a_slow_pipe) {
  enum { WHOLE = 1 << 20 };
  tls_pair pair;
  flow up = {.write_seed = 1, .read_seed = 1};
  flow down = {.write_seed = 2, .read_seed = 2};
  pair_begin(&pair, client_tls, server_tls, "ws.test", 3000, 777);
  pair_shake(&pair);
  size_t most = 0;
  for (int i = 0; i < 20000 && (up.got < WHOLE || down.got < WHOLE); i++) {
    flow_write(&up, pair.client, WHOLE);
    flow_write(&down, pair.server, WHOLE);
    if (up.sent - up.got > most) most = up.sent - up.got;
    flow_read(&up, pair.server);
    flow_read(&down, pair.client);
  }
  CHECK_INT(up.got, WHOLE);
  CHECK_INT(down.got, WHOLE);
  CHECK(most <= 3 * 16384 + 3000); /* what is in between stays bounded */
  pair_end(&pair);
}

/* A reader's 64 KiB are filled with all that is there, in one call. */
TEST(reading_fills_the_buffer) {
  static uint8_t text[40000], got[65536];
  tls_pair pair;
  begin(&pair);
  memset(text, 'x', sizeof text);
  ws_slice slice = {(char *)text, sizeof text};
  CHECK_INT(ws_stream_write(pair.client, &slice, 1), sizeof text);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), sizeof text);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_EAGAIN);
  CHECK(memcmp(text, got, sizeof text) == 0);
  pair_end(&pair);
}

/* A buffer smaller than what came: the rest comes with the next call, though
 * the descriptor says nothing any more. */
TEST(reading_in_small_pieces) {
  uint8_t got[4];
  tls_pair pair;
  begin(&pair);
  CHECK_INT(put(pair.client, "abcdefghij"), 10);
  CHECK_INT(ws_stream_read(pair.server, got, 4), 4);
  CHECK_INT(pair.to_server.len, 0);
  CHECK_INT(ws_stream_read(pair.server, got, 4), 4);
  CHECK_BYTES(got, 4, "efgh");
  CHECK_INT(ws_stream_read(pair.server, got, 4), 2);
  CHECK_INT(ws_stream_read(pair.server, got, 4), WS_EAGAIN);
  pair_end(&pair);
}

TEST(small_slices_become_one_record) {
  tls_pair pair;
  ws_slice slices[100];
  uint8_t got[1200];
  begin(&pair);
  for (size_t i = 0; i < 100; i++)
    slices[i] = i % 7 ? ws_slice_of("0123456789") : (ws_slice){NULL, 0};
  size_t before = pair.to_server.total, writes = pair.to_server.writes;
  CHECK_INT(ws_stream_write(pair.client, slices, 100), 850);
  CHECK_INT(pair.to_server.total - before, 850 + 22);
  CHECK_INT(pair.to_server.writes - writes, 1);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 850);
  CHECK(memcmp(got + 840, "0123456789", 10) == 0);
  CHECK_INT(ws_stream_write(pair.client, slices, 0), 0);
  CHECK_INT(ws_stream_write(pair.client, slices, 1), 0);
  pair_end(&pair);
}

/* Slices across the border of a record: nothing lost, nothing twice. */
TEST(slices_across_records) {
  static uint8_t text[16384 * 2 + 100], got[sizeof text];
  static const size_t cuts[] = {1, 16383, 16384, 16385, 32768, 100};
  uint32_t seed = 7;
  for (size_t i = 0; i < sizeof text; i++) text[i] = next_byte(&seed);
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
    tls_pair pair;
    ws_slice slices[3] = {{(char *)text, cuts[i]},
                          {NULL, 0},
                          {(char *)text + cuts[i], sizeof text - cuts[i]}};
    begin(&pair);
    memset(got, 0, sizeof got);
    CHECK_INT(ws_stream_write(pair.server, slices, 3), sizeof text);
    CHECK_INT(ws_stream_read(pair.client, got, sizeof got), sizeof text);
    CHECK(memcmp(text, got, sizeof text) == 0);
    pair_end(&pair);
  }
}

/* ---- the end ---- */

TEST(close_notify_is_the_end_and_reading_goes_on) {
  tls_pair pair;
  uint8_t got[8];
  begin(&pair);
  CHECK_INT(put(pair.client, "last"), 4);
  CHECK_INT(ws_stream_close(pair.client), WS_OK);
  CHECK(pair.to_server.ended);
  CHECK_INT(ws_stream_close(pair.client), WS_OK);
  CHECK_INT(put(pair.client, "more"), WS_EPIPE);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 4);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_EOF);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_EOF);
  CHECK_INT(put(pair.server, "answer"), 6);
  CHECK_INT(ws_stream_read(pair.client, got, sizeof got), 6);
  CHECK_INT(ws_stream_close(pair.server), WS_OK);
  CHECK_INT(ws_stream_read(pair.client, got, sizeof got), WS_EOF);
  pair_end(&pair);
}

TEST(close_waits_for_room) {
  tls_pair pair;
  uint8_t got[8];
  begin(&pair);
  pair.to_server.room = pair.to_server.len + 3;
  CHECK_INT(ws_stream_close(pair.client), WS_EAGAIN);
  CHECK(!pair.to_server.ended);
  CHECK_INT(ws_stream_wants(pair.client), WS_WRITABLE);
  pair.to_server.room = PIPE_ROOM;
  CHECK_INT(ws_stream_close(pair.client), WS_OK);
  CHECK(pair.to_server.ended);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_EOF);
  pair_end(&pair);
}

TEST(end_without_close_notify_is_truncation) { /* attack 84 */
  tls_pair pair;
  uint8_t got[8];
  begin(&pair);
  CHECK_INT(put(pair.client, "last"), 4);
  pair.to_server.ended = true;
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 4);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETRUNCATED);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETRUNCATED);
  CHECK(why_has(pair.server, "close_notify"));
  pair_end(&pair);
}

/* The end at each byte of what the server sends to open. */
TEST(end_during_the_handshake) {
  for (size_t cut = 0; cut < 200; cut += 7) {
    tls_pair pair;
    pair_begin(&pair, client_tls, server_tls, "ws.test", PIPE_ROOM,
               PIPE_ROOM);
    CHECK_INT(ws_stream_open(pair.client), WS_EAGAIN);
    CHECK_INT(ws_stream_open(pair.server), WS_EAGAIN);
    pair.to_client.len = cut;
    pair.to_client.ended = true;
    CHECK_INT(ws_stream_open(pair.client), WS_ETRUNCATED);
    CHECK_INT(ws_stream_open(pair.client), WS_ETRUNCATED);
    CHECK(why_has(pair.client, "during the TLS handshake (host ws.test)"));
    pair_end(&pair);
  }
}

TEST(reset_below_passes_through) {
  tls_pair pair;
  begin(&pair);
  uint8_t got[8];
  CHECK_INT(put(pair.server, "last"), 4);
  pair.to_server.ended = true; /* our writes fail, theirs are still there */
  CHECK_INT(put(pair.client, "x"), WS_EPIPE);
  CHECK_INT(put(pair.client, "x"), WS_EPIPE);
  CHECK_INT(ws_stream_flush(pair.client), WS_EPIPE);
  CHECK_INT(ws_stream_read(pair.client, got, sizeof got), 4);
  pair_end(&pair);
}

/* ---- wrong bytes ---- */

TEST(plain_http_to_a_tls_server) {
  static const char head[] = "GET / HTTP/1.1\r\nHost: ws.test\r\n\r\n";
  tls_pair pair;
  pair_begin(&pair, client_tls, server_tls, "ws.test", PIPE_ROOM, PIPE_ROOM);
  memcpy(pair.to_server.data, head, sizeof head - 1);
  pair.to_server.len = sizeof head - 1;
  CHECK_INT(ws_stream_open(pair.server), WS_ETLS);
  CHECK(why_has(pair.server, "http request"));
  CHECK_INT(ws_stream_open(pair.server), WS_ETLS);
  uint8_t got[8];
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETLS);
  CHECK_INT(put(pair.server, "x"), WS_ETLS);
  pair_end(&pair);
}

TEST(plain_http_from_the_server) {
  static const char head[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
  tls_pair pair;
  pair_begin(&pair, client_tls, server_tls, "ws.test", PIPE_ROOM, PIPE_ROOM);
  memcpy(pair.to_client.data, head, sizeof head - 1);
  pair.to_client.len = sizeof head - 1;
  CHECK_INT(ws_stream_open(pair.client), WS_ETLS);
  CHECK(why_has(pair.client, "wrong version number (host ws.test)"));
  pair_end(&pair);
}

TEST(a_flipped_bit_ends_it) {
  tls_pair pair;
  uint8_t got[8];
  begin(&pair);
  CHECK_INT(put(pair.client, "good"), 4);
  size_t border = pair.to_server.len;
  CHECK_INT(put(pair.client, "bad"), 3);
  pair.to_server.data[border + 7] ^= 1;
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 4);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETLS);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETLS);
  CHECK(why_has(pair.server, "bad record mac"));
  CHECK_INT(put(pair.server, "x"), WS_ETLS);
  CHECK_INT(ws_stream_read(pair.client, got, sizeof got), WS_ETLS);
  CHECK(why_has(pair.client, "alert bad record mac"));
  pair_end(&pair);
}

/* Somebody else's leftovers in OpenSSL's queue are not our failure, and we
 * leave nothing there ourselves. */
TEST(error_queue_stays_apart) { /* attack 88 */
  tls_pair good, bad;
  uint8_t got[8];
  begin(&good);
  begin(&bad);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  CHECK_INT(ws_stream_read(good.client, got, sizeof got), WS_EAGAIN);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  CHECK_INT(put(good.client, "x"), 1);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  CHECK_INT(ws_stream_read(good.server, got, sizeof got), 1);
  CHECK_INT(put(bad.client, "bad"), 3);
  bad.to_server.data[bad.to_server.len - 1] ^= 1;
  CHECK_INT(ws_stream_read(bad.server, got, sizeof got), WS_ETLS);
  CHECK_INT(ERR_peek_error(), 0);
  CHECK_INT(ws_stream_read(good.server, got, sizeof got), WS_EAGAIN);
  CHECK_INT(ws_stream_close(good.server), WS_OK);
  CHECK_INT(ERR_peek_error(), 0);
  pair_end(&good);
  pair_end(&bad);
}

/* ---- versions, protocols, sessions: against plain OpenSSL ---- */

TEST(old_versions_are_refused) { /* attack 85 */
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

TEST(a_server_that_chooses_h2_is_refused) { /* attack 85, S23 */
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

TEST(renegotiation_is_refused) { /* attack 83 */
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

/* Each KeyUpdate asks for one in return; the peer reads none of them. */
TEST(key_update_flood_stays_bounded) { /* attack 83 */
  raw_peer raw;
  uint8_t got[8];
  raw_context(&raw, false);
  raw_begin(&raw, server_tls, false);
  CHECK_INT(raw_shake(&raw), WS_OK);
  raw.in.room = 0;
  size_t stuck = 0;
  for (int i = 0; i < 20000 && stuck < 3; i++) {
    CHECK_INT(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
    (void)SSL_do_handshake(raw.ssl);
    size_t before = raw.out.len;
    raw_move(&raw);
    CHECK_INT(ws_stream_read(raw.ours, got, sizeof got), WS_EAGAIN);
    stuck = raw.out.len > before ? stuck + 1 : 0;
  }
  CHECK_INT(stuck, 3); /* it stopped reading */
  CHECK_INT(ws_stream_wants(raw.ours), WS_WRITABLE);
  raw.in.room = PIPE_ROOM;
  CHECK(ws_stream_flush(raw.ours) == WS_EAGAIN);
  raw_move(&raw);
  CHECK_INT(ws_stream_flush(raw.ours), WS_OK);
  CHECK_INT(ws_stream_read(raw.ours, got, sizeof got), WS_EAGAIN);
  CHECK_INT(raw.out.len, 0); /* and went on */
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

/* A connection to `tls` as `name`, with the session kept from before. */
static bool resumes(raw_peer *raw, ws_tls *tls, const char *name) {
  char got[8];
  raw_begin(raw, tls, false);
  if (kept_session) CHECK_INT(SSL_set_session(raw->ssl, kept_session), 1);
  SSL_set_tlsext_host_name(raw->ssl, name);
  CHECK_INT(raw_shake(raw), WS_OK);
  CHECK_INT(put(raw->ours, "x"), 1);
  raw_move(raw);
  CHECK_INT(SSL_read(raw->ssl, got, sizeof got), 1); /* and the tickets */
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

TEST(sessions_stay_with_their_context) { /* attack 82 */
  resume_with(TLS1_2_VERSION);
  resume_with(TLS1_3_VERSION);
}

int main(void) {
  certs_begin();
  client_tls = tls_client("root.pem");
  server_tls = tls_server("server.pem", NULL);
  if (!client_tls || !server_tls) return 2;
  RUN(handshake_tells_what_was_agreed);
  RUN(handshake_byte_by_byte);
  RUN(held_bytes_are_announced);
  RUN(hosts_that_cannot_be);
  RUN(memory_failing_when_made);
  RUN(a_mebibyte_each_way_through_a_slow_pipe);
  RUN(reading_fills_the_buffer);
  RUN(reading_in_small_pieces);
  RUN(small_slices_become_one_record);
  RUN(slices_across_records);
  RUN(close_notify_is_the_end_and_reading_goes_on);
  RUN(close_waits_for_room);
  RUN(end_without_close_notify_is_truncation);
  RUN(end_during_the_handshake);
  RUN(reset_below_passes_through);
  RUN(plain_http_to_a_tls_server);
  RUN(plain_http_from_the_server);
  RUN(a_flipped_bit_ends_it);
  RUN(error_queue_stays_apart);
  RUN(old_versions_are_refused);
  RUN(a_server_that_chooses_h2_is_refused);
  RUN(a_server_chooses_http_1_1);
  RUN(min_version_and_ciphers);
  RUN(renegotiation_is_refused);
  RUN(key_update_flood_stays_bounded);
  RUN(sessions_stay_with_their_context);
  RUN(servername_replaces_the_host);
  ws_tls_unref(client_tls);
  ws_tls_unref(server_tls);
  certs_end();
  if (ws_memory_live() != 0) {
    fprintf(stderr, "%zu blocks are left\n", ws_memory_live());
    return 1;
  }
  return check_done();
}
