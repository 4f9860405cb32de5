/* SPDX-License-Identifier: MIT */
/* A connection's keeper, and how it gets and replaces its stream and session.
 * Input is handled in connection_read.c. */
#include "connection/connection_open.h"

#include "bytes/status.h"
#include "connection/connection_parts.h"
#include "transport/socket.h"

#include <string.h>

void ws_connection_set_keeper(ws_connection *c, void *keeper,
                              const ws_keeping *keeping) {
  c->keeper = keeper;
  c->keeping = keeping;
}

void *ws_connection_keeper_if(const ws_connection *c,
                              const ws_keeping *keeping) {
  return c->keeping == keeping ? c->keeper : NULL;
}

ws_connection_links *ws_connection_links_of(ws_connection *c) {
  return &c->links;
}

/* ------------------------------------------------- stream and session */

static void remember_peer(ws_connection *c, const ws_address *peer) {
  if (ws_address_family(peer) == 0) return; /* a Unix socket's */
  memcpy(c->peer.bytes, peer->sockaddr.bytes, peer->len);
  c->peer.len = (uint8_t)peer->len;
}

bool ws_connection_local(const ws_connection *c, ws_address *address) {
  return c->stream && ws_socket_local(ws_stream_fd(c->stream), address);
}

bool ws_connection_peer(const ws_connection *c, ws_address *address) {
  if (c->peer.len == 0) return false;
  memset(address, 0, sizeof *address);
  memcpy(address->sockaddr.bytes, c->peer.bytes, c->peer.len);
  address->len = c->peer.len;
  return true;
}

static int attach(ws_connection *c, ws_stream *stream) {
  int status = ws_loop_watch(c->hub->loop, &c->watch, ws_stream_fd(stream),
                             ws_stream_wants(stream));
  if (status != WS_OK) return status;
  c->stream = stream;
  c->phase = WS_PHASE_SECURING;
  ws_connection_secure(c);
  return WS_OK;
}

int ws_connection_attach(ws_connection *c, ws_stream *stream) {
  ws_address peer;
  if (ws_socket_peer(ws_stream_fd(stream), &peer)) remember_peer(c, &peer);
  return attach(c, stream);
}

int ws_connection_attach_from(ws_connection *c, ws_stream *stream,
                              const ws_address *peer) {
  remember_peer(c, peer);
  return attach(c, stream);
}

void ws_connection_detach(ws_connection *c) {
  c->phase = WS_PHASE_DIALLING;
  ws_connection_drop_output(c);
  ws_loop_unwatch(c->hub->loop, &c->watch);
  ws_stream_free(c->stream);
  c->stream = NULL;
  if (c->has_session) ws_session_deinit(&c->session);
  c->has_session = false;
  ws_buffer_deinit(&c->pending);
  c->blocked = c->hung_up = c->hurried = false;
  c->write_failed = WS_OK;
  ws_connection_schedule(c);
}

/* The first bytes may have come with the end of the TLS handshake, or of a
 * proxy's answer. */
static void begin_reading(ws_connection *c) {
  ws_connection_rewatch(c);
  if (c->stream && ws_stream_may_hold(c->stream))
    ws_connection_attend_later(c);
}

void ws_connection_begin_server(ws_connection *c) {
  ws_session_init_server(&c->session, &c->config->session);
  c->has_session = true;
  c->phase = WS_PHASE_LIVE;
  begin_reading(c);
}

/* If it was accepted in this turn, closes it: its owner has not been told yet
 * that it is open, and will not be. */
static bool take_back(ws_connection *c) {
  if (!c->has_session || ws_session_state(&c->session) != WS_OPEN)
    return false;
  int status = ws_session_close(&c->session, 1001, NULL, 0,
                                ws_connection_out(c));
  if (status == WS_OK) ws_connection_linger(c);
  return status == WS_OK;
}

void ws_connection_turn_away(ws_connection *c) {
  if (c->phase == WS_PHASE_LINGERING || take_back(c)) return;
  bool unanswered = c->waiting && !c->answering;
  ws_slice nothing = {NULL, 0};
  if (!unanswered || ws_connection_refuse(c, 503, nothing, NULL, 0) != WS_OK)
    ws_connection_terminate(c);
}

int ws_connection_begin_client(ws_connection *c,
                               const ws_handshake_request *request) {
  int status = ws_session_init_client(&c->session, &c->config->session,
                                      request, ws_connection_out(c));
  if (status != WS_OK) return status;
  c->has_session = true;
  c->phase = WS_PHASE_LIVE;
  ws_connection_wrote(c);
  if (!c->ended) begin_reading(c);
  return WS_OK;
}
