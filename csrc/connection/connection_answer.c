/* SPDX-License-Identifier: MIT */
/* What a server's connection answers to its request: a WebSocket, a refusal, or
 * plain HTTP, piece by piece. */
#include "connection/connection_parts.h"

#include "bytes/status.h"
#include "transport/socket.h"

int ws_connection_accept(ws_connection *c, ws_slice protocol,
                         const ws_header *headers, size_t count) {
  if (c->ended || !c->waiting) return WS_ECONNABORTED;
  int status = ws_session_accept(&c->session, protocol, headers, count,
                                 ws_connection_out(c));
  if (status != WS_OK) return status;
  ws_connection_wrote(c);
  if (c->ended) return WS_ECONNABORTED;
  c->waiting = false;
  ws_connection_attend_later(c); /* on_open is called by a task */
  return WS_OK;
}

/* The owner is told of the end when the answer's last byte has left. */
static void end_answer(ws_connection *c) {
  c->waiting = false;
  c->answering = true;
  c->code = 1006;
  ws_connection_linger(c);
}

int ws_connection_refuse(ws_connection *c, unsigned status, ws_slice body,
                         const ws_header *headers, size_t count) {
  if (c->ended || !c->waiting) return WS_ECONNABORTED;
  int result = ws_session_refuse(&c->session, status, body, headers, count,
                                 ws_connection_out(c));
  if (result == WS_OK) end_answer(c);
  return result;
}

static bool may_write(const ws_connection *c) {
  return !c->ended && c->phase == WS_PHASE_LIVE;
}

static int append(ws_connection *c, const void *data, size_t len) {
  c->answering = c->waiting; /* false for "100 Continue", before the body */
  int status = ws_buffer_append(ws_connection_out(c), data, len);
  if (status != WS_OK) {
    ws_connection_fail(c, status, NULL);
    return status;
  }
  c->visible += len;
  c->cork->payload += len;
  ws_connection_wrote(c);
  return WS_OK;
}

/* The limit is for callers that do not wait for on_drain: it is checked before
 * the piece is added, which may be of any length. */
int ws_connection_write(ws_connection *c, const void *data, size_t len) {
  if (may_write(c) && ws_connection_overflows(c))
    ws_connection_fail(c, WS_EBACKPRESSURE, NULL);
  return may_write(c) ? append(c, data, len) : WS_ECONNABORTED;
}

int ws_connection_finish(ws_connection *c, const void *data, size_t len) {
  if (may_write(c) && len > 0) append(c, data, len);
  if (!may_write(c)) return WS_ECONNABORTED;
  if (c->waiting) ws_session_finish(&c->session);
  end_answer(c);
  return c->status;
}

void ws_connection_open_ended(ws_connection *c) { c->open_ended = true; }

void ws_connection_mark_cut(const ws_connection *c) {
  bool whole = c->phase == WS_PHASE_LINGERING && !c->finishing;
  if (c->open_ended && c->stream && !whole)
    ws_socket_reset_on_close(ws_stream_fd(c->stream));
}
