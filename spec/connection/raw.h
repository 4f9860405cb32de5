/* SPDX-License-Identifier: MIT */
/* A peer that is just a socket: it sends whatever the test likes, while the
 * party's loop turns. */
#pragma once
#include "connection/party.h"
#include "transport/stream_fault.h"
#include "transport/stream_tcp.h"

typedef struct raw {
  ws_fd fd;
  char data[70000];
  size_t len;
  bool ended; /* EOF or reset was read */
} raw;

static inline raw raw_connect(uint16_t port) {
  ws_address where;
  raw r = {.fd = WS_FD_NONE};
  CHECK(ws_address_parse(&where, ws_slice_of("127.0.0.1"), port));
  int status = ws_socket_connect(&where, &r.fd);
  CHECK(status == WS_OK || status == WS_EAGAIN);
  return r;
}

static inline bool raw_write(party *p, raw *r, const void *data, size_t len) {
  ws_slice slice = {data, len};
  time_t until = real_seconds() + PATIENCE;
  while (slice.len > 0 && real_seconds() < until) {
    ptrdiff_t wrote = ws_socket_write(r->fd, &slice, 1);
    if (wrote > 0) {
      slice.data += wrote;
      slice.len -= (size_t)wrote;
    } else if (wrote != WS_EAGAIN) {
      return false;
    }
    ws_loop_turn(p->loop, 1);
  }
  return slice.len == 0;
}

static inline void raw_say(party *p, raw *r, const char *text) {
  CHECK(raw_write(p, r, text, strlen(text)));
}

/* Sends a few bytes, and waits until the loop has served them. */
static inline void raw_heard(party *p, raw *r, const char *text) {
  ws_slice slice = ws_slice_of(text);
  CHECK_INT(ws_socket_write(r->fd, &slice, 1), slice.len);
  party_serve(p);
}

/* Reads until `least` bytes are there, or the end has come. */
static inline void raw_read(party *p, raw *r, size_t least) {
  time_t until = real_seconds() + PATIENCE;
  while (r->len < least && !r->ended && real_seconds() < until) {
    ws_loop_turn(p->loop, 1);
    ptrdiff_t got =
        ws_socket_read(r->fd, r->data + r->len, sizeof r->data - r->len);
    if (got > 0) r->len += (size_t)got;
    else if (got != WS_EAGAIN) r->ended = true;
  }
}

static inline void raw_read_to_end(party *p, raw *r) {
  raw_read(p, r, sizeof r->data);
}

static inline bool raw_has(const raw *r, const char *text) {
  return memmem(r->data, r->len, text, strlen(text)) != NULL;
}

/* Reads until the text is among what has come. */
static inline void raw_read_until(party *p, raw *r, const char *text) {
  time_t until = real_seconds() + PATIENCE;
  while (!raw_has(r, text) && !r->ended && real_seconds() < until)
    raw_read(p, r, r->len + 1);
  CHECK(raw_has(r, text));
}

#define RAW_REQUEST                             \
  "GET / HTTP/1.1\r\nHost: a\r\n"               \
  "Upgrade: websocket\r\nConnection: Upgrade\r\n" \
  "Sec-WebSocket-Version: 13\r\n"               \
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* A raw client after its handshake; what followed the 101 stays in data. */
static inline raw raw_open(party *p) {
  raw r = raw_connect(party_port(p));
  raw_say(p, &r, RAW_REQUEST);
  raw_read_until(p, &r, "\r\n\r\n");
  char *blank = memmem(r.data, r.len, "\r\n\r\n", 4);
  CHECK(raw_has(&r, "HTTP/1.1 101 "));
  CHECK(raw_has(&r, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  if (blank) {
    r.len -= (size_t)(blank + 4 - r.data);
    memmove(r.data, blank + 4, r.len);
  }
  return r;
}

static inline void raw_end(raw *r) {
  ws_socket_close(r->fd);
  r->fd = WS_FD_NONE;
}

/* A client's frame, masked with the key 0, which changes nothing. */
static inline size_t raw_put(uint8_t *into, unsigned first,
                             const char *text, size_t len) {
  into[0] = (uint8_t)first;
  size_t n = 2;
  if (len < 126) {
    into[1] = (uint8_t)(0x80 | len);
  } else {
    into[1] = 0x80 | 126;
    into[2] = (uint8_t)(len >> 8);
    into[3] = (uint8_t)len;
    n = 4;
  }
  memset(into + n, 0, 4);
  memcpy(into + n + 4, text, len);
  return n + 4 + len;
}

static inline void raw_frame(party *p, raw *r, unsigned first,
                             const char *text) {
  uint8_t bytes[1000];
  size_t len = raw_put(bytes, first, text, strlen(text));
  CHECK(raw_write(p, r, bytes, len));
}

/* A server's connection on a faulty stream; the other end is raw. */
static inline side *on_faulty(party *p, raw *r,
                              const ws_fault_plan *plan) {
  ws_fd ends[2];
  side *s = party_side(p, false);
  CHECK_INT(ws_socket_pair(ends), WS_OK);
  *r = (raw){.fd = ends[0]};
  s->connection = ws_connection_new(&p->hub, p->server_config, &side_events,
                                    s);
  ws_stream *tcp = ws_stream_tcp_new(ends[1]);
  ws_stream *faulty = ws_stream_fault_new(tcp, plan);
  CHECK_INT(ws_connection_attach(s->connection, faulty), WS_OK);
  return s;
}

/* ------------------------------------------------------------ serving */

/* A server that is just a listening socket. */
typedef struct acceptor {
  ws_fd listener;
  uint16_t port;
} acceptor;

static inline acceptor accept_here(int backlog) {
  ws_address where;
  ws_listen_options options = {.backlog = backlog};
  acceptor a = {WS_FD_NONE, 0};
  CHECK(ws_address_parse(&where, ws_slice_of("127.0.0.1"), 0));
  CHECK_INT(ws_socket_listen(&where, &options, &a.listener), WS_OK);
  CHECK(ws_socket_local(a.listener, &where));
  a.port = ws_address_port(&where);
  return a;
}

static inline raw raw_take(party *p, acceptor *a) {
  raw r = {.fd = WS_FD_NONE};
  ws_address peer;
  time_t until = real_seconds() + PATIENCE;
  while (r.fd == WS_FD_NONE && real_seconds() < until) {
    ws_loop_turn(p->loop, 10);
    if (ws_socket_accept(a->listener, &r.fd, &peer) != WS_OK)
      r.fd = WS_FD_NONE;
  }
  CHECK(r.fd != WS_FD_NONE);
  return r;
}

static inline side *connect_to_port(party *p, uint16_t port) {
  char url[64];
  snprintf(url, sizeof url, "ws://127.0.0.1:%u/path?q=1", port);
  return party_connect_to(p, url);
}
