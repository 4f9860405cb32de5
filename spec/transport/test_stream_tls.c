/* SPDX-License-Identifier: MIT */
/* TLS streams with each other: opening, ending, wrong bytes. How bytes flow is
 * in test_stream_tls_bytes.c, other peers are in test_stream_tls_openssl.c. */
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

/* Nor is anything read from it: only ws_stream_open continues the handshake. */
TEST(nothing_is_sent_to_a_peer_not_judged_yet) { /* A80 */
  tls_pair pair;
  uint8_t got[8];
  ws_tls *wrong = tls_server("wrong.pem", NULL);
  for (int good = 0; good < 2; good++) {
    pair_begin(&pair, client_tls, good ? server_tls : wrong, "ws.test",
               PIPE_ROOM, PIPE_ROOM);
    CHECK_INT(ws_stream_open(pair.client), WS_EAGAIN);
    CHECK_INT(ws_stream_open(pair.server), WS_EAGAIN);
    size_t sent = pair.to_server.total;
    /* All bytes that the handshake needs have arrived. */
    CHECK_INT(put(pair.client, "secret"), WS_EAGAIN);
    CHECK_INT(ws_stream_read(pair.client, got, sizeof got), WS_EAGAIN);
    CHECK_INT(pair.to_server.total, sent);
    CHECK_INT(ws_stream_open(pair.client), good ? WS_OK : WS_ETLS);
    CHECK_INT(put(pair.client, "secret"), good ? 6 : WS_ETLS);
    pair_end(&pair);
  }
  ws_tls_unref(wrong);
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

/* While bytes are held back, it wants to write, and takes nothing more. */
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
  memory_pipe pipe;
  pipe_begin(&pipe, PIPE_ROOM, PIPE_ROOM);
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

static bool hello_holds(ws_tls *tls, const char *host, const char *text) {
  static memory_pipe in, out;
  ws_stream *stream = NULL;
  bool found = false;
  pipe_begin(&in, PIPE_ROOM, PIPE_ROOM);
  pipe_begin(&out, PIPE_ROOM, PIPE_ROOM);
  ws_stream *below = memory_end_new(&in, &out);
  CHECK_INT(ws_stream_tls_new(below, tls, ws_slice_of(host), (ws_slice){0},
                              &stream), WS_OK);
  CHECK_INT(ws_stream_open(stream), WS_EAGAIN);
  for (size_t i = 0; i + strlen(text) <= out.len; i++)
    found |= memcmp(pipe_data(&out) + i, text, strlen(text)) == 0;
  ws_stream_free(stream);
  return found;
}

TEST(names_go_out_and_addresses_do_not) { /* S23, A80 */
  ws_tls_options off = {.no_verify = true};
  ws_tls *contexts[] = {client_tls, tls_make(&off)};
  for (size_t i = 0; i < 2; i++) {
    CHECK(hello_holds(contexts[i], "WS.test.", "\x07ws.test"));
    CHECK(hello_holds(contexts[i], "ws.test", "\x08http/1.1"));
    CHECK(!hello_holds(contexts[i], "127.0.0.1", "127.0.0.1"));
    CHECK(!hello_holds(contexts[i], "::1", "::1"));
  }
  ws_tls_unref(contexts[1]);
}

TEST(memory_failing_when_made) {
  memory_pipe pipe;
  pipe_begin(&pipe, PIPE_ROOM, PIPE_ROOM);
  ws_stream *below = memory_end_new(&pipe, &pipe), *stream = NULL;
  size_t live = ws_memory_live();
  ws_memory_fail(1, 0);
  CHECK_INT(ws_stream_tls_new(below, client_tls, ws_slice_of("ws.test"),
                              (ws_slice){0}, &stream), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK_INT(ws_memory_live(), live);
  ws_stream_free(below);
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

/* A reader that waits for the descriptor after a short read misses nothing. */
TEST(drained_when_the_next_read_would_wait) {
  tls_pair pair;
  uint8_t got[8];
  begin(&pair);
  CHECK_INT(put(pair.client, "text"), 4);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 4);
  CHECK(ws_stream_drained(pair.server));
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_EAGAIN);
  CHECK_INT(put(pair.client, "more than fits"), 14);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), sizeof got);
  CHECK(!ws_stream_drained(pair.server));
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 6);
  CHECK(ws_stream_drained(pair.server));
  CHECK_INT(put(pair.client, "last"), 4);
  CHECK_INT(ws_stream_close(pair.client), WS_OK);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 4);
  CHECK(!ws_stream_drained(pair.server));
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_EOF);
  pair_end(&pair);
}

TEST(not_drained_before_a_failure_is_told) {
  tls_pair pair;
  uint8_t got[8];
  begin(&pair);
  CHECK_INT(put(pair.client, "good"), 4);
  CHECK_INT(put(pair.client, "bad"), 3);
  pipe_data(&pair.to_server)[pair.to_server.len - 1] ^= 1;
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 4);
  CHECK(!ws_stream_drained(pair.server));
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETLS);
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

TEST(end_without_close_notify_is_truncation) { /* A84 */
  tls_pair pair;
  uint8_t got[8];
  begin(&pair);
  CHECK_INT(put(pair.client, "last"), 4);
  pair.to_server.ended = true;
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 4);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETRUNCATED);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETRUNCATED);
  CHECK(why_has(pair.server, "close_notify"));
  CHECK_INT(ERR_peek_error(), 0);
  pair_end(&pair);
}

/* The end comes at any byte of what the server sends in the handshake. */
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

TEST(reset_during_the_handshake_passes_through) {
  tls_pair pair;
  for (size_t room = 0; room < 20; room += 10) {
    pair_begin(&pair, client_tls, server_tls, "ws.test", room, PIPE_ROOM);
    if (room > 0) CHECK_INT(ws_stream_open(pair.client), WS_EAGAIN);
    pair.to_server.ended = true;
    CHECK_INT(ws_stream_open(pair.client), WS_EPIPE);
    CHECK_INT(ws_stream_open(pair.client), WS_EPIPE);
    pair_end(&pair);
  }
}

TEST(reset_below_passes_through) {
  tls_pair pair;
  begin(&pair);
  uint8_t got[8];
  CHECK_INT(put(pair.server, "last"), 4);
  pair.to_server.ended = true; /* our writes fail, theirs still arrive */
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
  memcpy(pipe_data(&pair.to_server), head, sizeof head - 1);
  pair.to_server.len = sizeof head - 1;
  CHECK_INT(ws_stream_open(pair.server), WS_ETLS);
  CHECK(why_has(pair.server, "http request"));
  CHECK(!strstr(ws_stream_why(pair.server), "host")); /* it asked for none */
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
  memcpy(pipe_data(&pair.to_client), head, sizeof head - 1);
  pair.to_client.len = sizeof head - 1;
  CHECK_INT(ws_stream_open(pair.client), WS_ETLS);
  CHECK(why_has(pair.client, "no TLS, or an old one (host ws.test)"));
  pair_end(&pair);
}

TEST(a_flipped_bit_ends_it) {
  tls_pair pair;
  uint8_t got[8];
  begin(&pair);
  CHECK_INT(put(pair.client, "good"), 4);
  size_t border = pair.to_server.len;
  CHECK_INT(put(pair.client, "bad"), 3);
  pipe_data(&pair.to_server)[border + 7] ^= 1;
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), 4);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETLS);
  CHECK_INT(ws_stream_read(pair.server, got, sizeof got), WS_ETLS);
  CHECK(why_has(pair.server, "bad record mac"));
  CHECK_INT(put(pair.server, "x"), WS_ETLS);
  CHECK_INT(ws_stream_read(pair.client, got, sizeof got), WS_ETLS);
  CHECK(why_has(pair.client, "alert bad record mac"));
  pair_end(&pair);
}

/* Errors that others left in OpenSSL's queue are not our failures, and we leave
 * none there. */
TEST(error_queue_stays_apart) { /* A88 */
  tls_pair good, bad;
  uint8_t got[8];
  begin(&good);
  begin(&bad);
  CHECK_INT(ws_stream_read(good.client, got, sizeof got), WS_EAGAIN);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  CHECK_INT(ws_stream_read(good.client, got, sizeof got), WS_EAGAIN);
  CHECK_INT(ERR_peek_error(), 0);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  CHECK_INT(put(good.client, "x"), 1);
  CHECK_INT(ERR_peek_error(), 0);
  ERR_put_error(ERR_LIB_SSL, 0, SSL_R_BAD_LENGTH, "spec", 1);
  CHECK_INT(ws_stream_read(good.server, got, sizeof got), 1);
  CHECK_INT(put(bad.client, "bad"), 3);
  pipe_data(&bad.to_server)[bad.to_server.len - 1] ^= 1;
  CHECK_INT(ws_stream_read(bad.server, got, sizeof got), WS_ETLS);
  CHECK_INT(ERR_peek_error(), 0);
  CHECK_INT(ws_stream_read(good.server, got, sizeof got), WS_EAGAIN);
  CHECK_INT(ws_stream_close(good.server), WS_OK);
  CHECK_INT(ERR_peek_error(), 0);
  pair_end(&good);
  pair_end(&bad);
}

int main(void) {
  certs_begin();
  client_tls = tls_client("root.pem");
  server_tls = tls_server("server.pem", NULL);
  if (!client_tls || !server_tls) return 2;
  RUN(handshake_tells_what_was_agreed);
  RUN(nothing_is_sent_to_a_peer_not_judged_yet);
  RUN(handshake_byte_by_byte);
  RUN(held_bytes_are_announced);
  RUN(hosts_that_cannot_be);
  RUN(names_go_out_and_addresses_do_not);
  RUN(memory_failing_when_made);
  RUN(close_notify_is_the_end_and_reading_goes_on);
  RUN(drained_when_the_next_read_would_wait);
  RUN(not_drained_before_a_failure_is_told);
  RUN(close_waits_for_room);
  RUN(end_without_close_notify_is_truncation);
  RUN(end_during_the_handshake);
  RUN(reset_during_the_handshake_passes_through);
  RUN(reset_below_passes_through);
  RUN(plain_http_to_a_tls_server);
  RUN(plain_http_from_the_server);
  RUN(a_flipped_bit_ends_it);
  RUN(error_queue_stays_apart);
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
