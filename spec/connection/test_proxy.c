/* SPDX-License-Identifier: MIT */
/* The proxy filter over a socket: opening with bytes in any pieces, bytes that
 * come early, and failures. */
#include "connection/proxy.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "transport/socket.h"
#include "transport/stream_fault.h"
#include "transport/stream_tcp.h"

#include <poll.h>

typedef struct ends {
  ws_stream *stream;
  ws_fd proxy;
} ends;

static ends make(ws_tunnel_kind kind, ws_fault_plan plan) {
  ws_fd pair[2];
  ends e = {NULL, WS_FD_NONE};
  CHECK_INT(ws_socket_pair(pair), WS_OK);
  ws_stream *below =
      ws_stream_fault_new(ws_stream_tcp_new(pair[0]), &plan);
  ws_tunnel_target target = {
      .kind = kind, .host = ws_slice_of("example.com"), .port = 80};
  CHECK_INT(ws_stream_proxy_new(below, &target, &e.stream), WS_OK);
  e.proxy = pair[1];
  return e;
}

static void end(ends e) {
  ws_stream_free(e.stream);
  ws_socket_close(e.proxy);
  CHECK_INT(ws_memory_live(), 0);
}

static void say(ends e, const char *text, size_t len) {
  ws_slice slice = {text, len};
  CHECK_INT(ws_socket_write(e.proxy, &slice, 1), len);
}

/* Whether it gives exactly this reason for its failure. */
static bool said(ends e, const char *expected) {
  const char *why = ws_stream_why(e.stream);
  if (why && strcmp(why, expected) == 0) return true;
  fprintf(stderr, "  it said: %s\n", why ? why : "nothing");
  return false;
}

static const char answer[] = "HTTP/1.1 200 OK\r\n\r\n";

TEST(opens_and_stands_aside) {
  ends e = make(WS_TUNNEL_HTTP, (ws_fault_plan){0});
  uint8_t data[200];
  CHECK_INT(ws_stream_open(e.stream), WS_EAGAIN);
  CHECK(ws_stream_wants(e.stream) & WS_READABLE);
  ptrdiff_t got = ws_socket_read(e.proxy, data, sizeof data);
  CHECK(got > 8 && memcmp(data, "CONNECT ", 8) == 0);
  say(e, answer, sizeof answer - 1);
  CHECK_INT(ws_stream_open(e.stream), WS_OK);
  CHECK_INT(ws_stream_wants(e.stream), 0);
  ws_slice hello = ws_slice_of("hello");
  CHECK_INT(ws_stream_write(e.stream, &hello, 1), 5);
  CHECK_INT(ws_socket_read(e.proxy, data, sizeof data), 5);
  say(e, "there", 5);
  CHECK_INT(ws_stream_read(e.stream, data, sizeof data), 5);
  CHECK_INT(ws_stream_read(e.stream, data, sizeof data), WS_EAGAIN);
  CHECK_INT(ws_stream_close(e.stream), WS_OK);
  CHECK_INT(ws_socket_read(e.proxy, data, sizeof data), WS_EOF);
  end(e);
}

TEST(what_came_early_is_read_first) {
  ends e = make(WS_TUNNEL_HTTP, (ws_fault_plan){0});
  uint8_t data[4];
  ws_stream_open(e.stream);
  say(e, "HTTP/1.1 200 OK\r\n\r\nearly", 24);
  CHECK_INT(ws_stream_open(e.stream), WS_OK);
  say(e, "late", 4);
  CHECK_INT(ws_stream_read(e.stream, data, sizeof data), 4);
  CHECK_BYTES(data, 4, "earl");
  CHECK_INT(ws_stream_read(e.stream, data, sizeof data), 1);
  CHECK_INT(ws_stream_read(e.stream, data, sizeof data), 4);
  CHECK_BYTES(data, 4, "late");
  end(e);
}

TEST(wants_to_write_until_all_is_said) {
  ends e = make(WS_TUNNEL_SOCKS5,
                (ws_fault_plan){.write_most = 1, .again_every = 2});
  uint8_t data[8];
  size_t len = 0;
  for (int i = 0; i < 20 && len < 3; i++) {
    CHECK_INT(ws_stream_open(e.stream), WS_EAGAIN);
    ptrdiff_t got = ws_socket_read(e.proxy, data + len, sizeof data - len);
    if (got > 0) len += (size_t)got;
    CHECK_INT(ws_stream_wants(e.stream),
              len < 3 ? WS_READABLE | WS_WRITABLE : WS_READABLE);
  }
  CHECK_INT(len, 3);
  end(e);
}

/* One byte at a time both ways, with "again" in between. */
TEST(in_pieces) {
  ends e = make(WS_TUNNEL_SOCKS5, (ws_fault_plan){.read_most = 1,
                                                  .write_most = 1,
                                                  .again_every = 3});
  uint8_t data[100];
  size_t len = 0;
  bool greeted = false;
  int status = WS_EAGAIN;
  for (int i = 0; i < 200 && status == WS_EAGAIN; i++) {
    status = ws_stream_open(e.stream);
    ptrdiff_t got = ws_socket_read(e.proxy, data + len, sizeof data - len);
    if (got > 0) len += (size_t)got;
    if (len == 3 && !greeted) {
      say(e, "\5\0", 2);
      greeted = true;
    }
    if (len == 21) {
      say(e, "\5\0\0\1\0\0\0\0\0\0", 10);
      len++;
    }
  }
  CHECK_INT(status, WS_OK);
  CHECK_BYTES(data, 21, "\5\1\0\5\1\0\3\13example.com\0\120");
  end(e);
}

TEST(a_refusal_stays_one) {
  ends e = make(WS_TUNNEL_HTTP, (ws_fault_plan){0});
  ws_stream_open(e.stream);
  say(e, "HTTP/1.1 403 Forbidden\r\n\r\n", 26);
  CHECK_INT(ws_stream_open(e.stream), WS_EPROXY);
  CHECK(strstr(ws_stream_why(e.stream), "403 Forbidden") != NULL);
  CHECK_INT(ws_stream_open(e.stream), WS_EPROXY);
  end(e);
}

TEST(the_proxy_goes_away) {
  ends e = make(WS_TUNNEL_HTTP, (ws_fault_plan){0});
  ws_stream_open(e.stream);
  ws_socket_shutdown(e.proxy);
  CHECK_INT(ws_stream_open(e.stream), WS_EPROXY);
  CHECK(said(e, "proxy: it ended the connection"));
  end(e);
}

TEST(reading_or_writing_fails) {
  ends e = make(WS_TUNNEL_HTTP,
                (ws_fault_plan){.fail_write = 1, .status = WS_EPIPE});
  CHECK_INT(ws_stream_open(e.stream), WS_EPIPE);
  CHECK(said(e, "proxy: the peer has closed the connection"));
  end(e);
  e = make(WS_TUNNEL_HTTP,
           (ws_fault_plan){.fail_read = 1, .status = WS_ECONNRESET});
  CHECK_INT(ws_stream_open(e.stream), WS_ECONNRESET);
  CHECK(said(e, "proxy: connection reset by the peer"));
  end(e);
}

static const char *why_tls_failed(ws_stream *stream) {
  (void)stream;
  return "TLS: bad record mac";
}

/* The TLS of an https proxy says more about a failure than the status does. */
TEST(the_stream_below_says_why) {
  ends e = make(WS_TUNNEL_HTTP,
                (ws_fault_plan){.fail_read = 1, .status = WS_ETLS});
  ws_stream_kind kind = *e.stream->below->kind;
  kind.why = why_tls_failed;
  e.stream->below->kind = &kind;
  CHECK_INT(ws_stream_open(e.stream), WS_ETLS);
  CHECK(said(e, "TLS: bad record mac"));
  end(e);
}

TEST(without_memory_for_the_answer) {
  ends e = make(WS_TUNNEL_HTTP, (ws_fault_plan){0});
  CHECK_INT(ws_stream_open(e.stream), WS_EAGAIN);
  say(e, answer, sizeof answer - 1);
  ws_memory_fail(1, 0);
  CHECK_INT(ws_stream_open(e.stream), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK(said(e, "proxy: out of memory"));
  end(e);
}

TEST(without_memory) {
  for (uint64_t n = 1; n < 6; n++) {
    ws_fd pair[2];
    CHECK_INT(ws_socket_pair(pair), WS_OK);
    ws_stream *stream = NULL, *tcp = ws_stream_tcp_new(pair[0]);
    ws_tunnel_target target = {
        .kind = WS_TUNNEL_SOCKS5, .host = ws_slice_of("a"), .port = 80};
    ws_memory_fail(n, 0);
    int status = ws_stream_proxy_new(tcp, &target, &stream);
    ws_memory_fail(0, 0);
    CHECK(status == WS_OK || status == WS_ENOMEM);
    ws_stream_free(status == WS_OK ? stream : tcp);
    ws_socket_close(pair[1]);
    CHECK_INT(ws_memory_live(), 0);
  }
}

int main(void) {
  RUN(opens_and_stands_aside);
  RUN(what_came_early_is_read_first);
  RUN(wants_to_write_until_all_is_said);
  RUN(in_pieces);
  RUN(a_refusal_stays_one);
  RUN(the_proxy_goes_away);
  RUN(reading_or_writing_fails);
  RUN(the_stream_below_says_why);
  RUN(without_memory_for_the_answer);
  RUN(without_memory);
  return check_done();
}
