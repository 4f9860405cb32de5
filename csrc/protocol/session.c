/* SPDX-License-Identifier: MIT */
/* The states of a connection, RFC 6455 sections 4 to 7: the opening phase
 * (opening.h), then frames and what they are answered with. No bytes are
 * looked at here and nothing is read or written. */
#include "protocol/session.h"

#include "bytes/status.h"
#include "protocol/opening.h"

#include <string.h>

enum {
  PHASE_OPENING,
  PHASE_FRAMES,
  PHASE_SWALLOW, /* the peer's Close has come */
  PHASE_OVER     /* takes nothing */
};

/* ------------------------------------------------------------- phases */

static void drop_opening(ws_session *session) {
  ws_opening_free(session->opening);
  session->opening = NULL;
}

static void drop_pong(ws_session *session) {
  ws_buffer_deinit(&session->pong);
  session->pong_held = false;
}

static void end_session(ws_session *session) {
  session->phase = PHASE_OVER;
  session->state = WS_CLOSED;
}

static void begin_frames(ws_session *session) {
  drop_opening(session);
  session->phase = PHASE_FRAMES;
  session->state = WS_OPEN;
}

/* 7.1.7: a Close that says why, then nothing more. */
static void fail(ws_session *session, int status, const char *why,
                 ws_buffer *out, ws_event *event) {
  unsigned code = ws_status_close_code(status);
  if (session->phase == PHASE_FRAMES && !session->close_sent && code != 0) {
    /* The failure is told in any case, and only this once. */
    (void)ws_sender_close(&session->sender, code, NULL, 0, out);
    session->close_sent = true;
  }
  drop_pong(session);
  end_session(session);
  *event = (ws_event){.type = WS_EVENT_FAIL, .status = status, .why = why};
}

static void forget_agreed(ws_session *session) {
  ws_buffer_deinit(&session->agreed);
  session->protocol_len = 0;
}

static int keep_agreed(ws_session *session, ws_slice protocol,
                       ws_slice extensions) {
  ws_buffer *agreed = &session->agreed;
  int status = ws_buffer_append(agreed, protocol.data, protocol.len);
  if (status == WS_OK)
    status = ws_buffer_append(agreed, extensions.data, extensions.len);
  session->protocol_len = protocol.len;
  if (status != WS_OK)
    forget_agreed(session);
  return status;
}

/* ----------------------------------------------------- opening phase */

static size_t feed_opening(ws_session *session, const uint8_t *data,
                           size_t len, ws_buffer *out, ws_event *event) {
  const ws_session_config *config = session->config;
  if (!session->opening)
    session->opening = ws_opening_new(config->resize, config->max_head,
                                      config->max_body);
  if (!session->opening) {
    fail(session, WS_ENOMEM, NULL, out, event);
    return 0;
  }
  size_t used = ws_opening_feed(session->opening, data, len, out, event);
  if (event->type == WS_EVENT_FAIL) {
    /* The opening stays: event->why may lie in it. */
    end_session(session);
  } else if (event->type == WS_EVENT_OPEN) {
    const ws_handshake_answer *answer = &session->opening->answer;
    int status = keep_agreed(session, answer->protocol, answer->extensions);
    if (status == WS_OK)
      begin_frames(session);
    else
      fail(session, status, NULL, out, event);
  }
  return used;
}

/* -------------------------------------------------------------- frames */

static int keep_pong(ws_session *session, const ws_event *ping) {
  ws_buffer *pong = &session->pong;
  session->pong_held = true;
  ws_buffer_consume(pong, pong->len);
  return ws_buffer_append(pong, ping->data, ping->len);
}

/* 5.5.2 and 5.5.3: a pong for each ping, or for the latest only. */
static int answer_ping(ws_session *session, const ws_event *ping,
                       ws_buffer *out) {
  if (session->hold_pong)
    return keep_pong(session, ping);
  return ws_sender_write(&session->sender, WS_PONG, ping->data, ping->len,
                         out);
}

/* 5.5.1: answered with the same code (and reason, as browsers do: S131), unless
 * ours has gone out before. */
static int answer_close(ws_session *session, const ws_event *close,
                        ws_buffer *out) {
  session->state = WS_CLOSING;
  session->phase = PHASE_SWALLOW;
  session->close_received = true;
  drop_pong(session);
  if (session->close_sent)
    return WS_OK;
  int status = ws_sender_close(&session->sender,
                               close->code == 1005 ? 0 : close->code,
                               close->data, close->len, out);
  session->close_sent = status == WS_OK;
  return status;
}

/* Whether the event is one for the caller; it may have become a failure. */
static bool react(ws_session *session, ws_buffer *out, ws_event *event) {
  int status = WS_OK;
  switch (event->type) {
    case WS_EVENT_MESSAGE:
      return session->state == WS_OPEN;
    case WS_EVENT_PING:
      status = answer_ping(session, event, out);
      break;
    case WS_EVENT_CLOSE:
      status = answer_close(session, event, out);
      break;
    case WS_EVENT_FAIL:
      fail(session, event->status, event->why, out, event);
      break;
    default:
      break;
  }
  if (status != WS_OK)
    fail(session, status, NULL, out, event);
  return true;
}

static size_t feed_frames(ws_session *session, uint8_t *data, size_t len,
                          ws_buffer *out, ws_event *event) {
  size_t used = ws_receiver_feed(&session->receiver, data, len, event);
  while (!react(session, out, event))
    used += ws_receiver_feed(&session->receiver, data + used, len - used,
                             event);
  return used;
}

/* ----------------------------------------------------------- exported */

static void init(ws_session *session, const ws_session_config *config) {
  memset(session, 0, sizeof *session);
  session->config = config;
  ws_receiver_init(&session->receiver, &config->limits, config->resize);
  ws_sender_init(&session->sender,
                 config->limits.masked ? NULL : config->random);
  ws_buffer_init(&session->pong, config->resize, WS_CONTROL_MAX);
  ws_buffer_init(&session->agreed, config->resize, 0);
}

int ws_session_init_client(ws_session *session,
                           const ws_session_config *config,
                           const ws_handshake_request *request,
                           ws_buffer *out) {
  init(session, config);
  session->opening =
      ws_opening_new(config->resize, config->max_head, config->max_body);
  if (!session->opening)
    return WS_ENOMEM;
  int status =
      ws_opening_start(session->opening, request, config->random, out);
  if (status != WS_OK)
    drop_opening(session);
  return status;
}

void ws_session_init_server(ws_session *session,
                            const ws_session_config *config) {
  init(session, config);
}

void ws_session_deinit(ws_session *session) {
  drop_opening(session);
  ws_receiver_deinit(&session->receiver);
  ws_buffer_deinit(&session->pong);
  ws_buffer_deinit(&session->agreed);
}

size_t ws_session_feed(ws_session *session, uint8_t *data, size_t len,
                       ws_buffer *out, ws_event *event) {
  if (session->phase == PHASE_FRAMES)
    return feed_frames(session, data, len, out, event);
  if (session->phase == PHASE_OPENING)
    return feed_opening(session, data, len, out, event);
  *event = (ws_event){0};
  return session->phase == PHASE_SWALLOW ? len : 0;
}

uint8_t *ws_session_space(ws_session *session, size_t least, size_t *room) {
  if (session->phase != PHASE_FRAMES)
    return NULL;
  return ws_receiver_space(&session->receiver, least, room);
}

void ws_session_end(ws_session *session, ws_event *event) {
  *event = (ws_event){0};
  if (session->phase == PHASE_OPENING && session->opening)
    ws_opening_end(session->opening, event);
  if (event->type == WS_EVENT_FAIL)
    end_session(session);
}

bool ws_session_clean(const ws_session *session) {
  return session->close_sent && session->close_received;
}

bool ws_session_over(const ws_session *session) {
  return session->phase >= PHASE_SWALLOW;
}

bool ws_session_refused(const ws_session *session) {
  return session->phase == PHASE_OPENING && session->opening &&
         session->opening->stage == WS_OPENING_REFUSAL;
}

/* ------------------------------------------------- answering a request */

/* The opening of a request that waits to be answered, or NULL. */
static ws_opening *waiting(const ws_session *session) {
  if (session->phase != PHASE_OPENING || !session->opening)
    return NULL;
  ws_opening_stage stage = session->opening->stage;
  bool waits = stage == WS_OPENING_UPGRADE || stage == WS_OPENING_BODY ||
               stage == WS_OPENING_PLAIN;
  return waits ? session->opening : NULL;
}

const ws_http_head *ws_session_request(const ws_session *session) {
  const ws_opening *opening = waiting(session);
  return opening ? &opening->head : NULL;
}

const ws_handshake_verdict *ws_session_verdict(const ws_session *session) {
  const ws_opening *opening = waiting(session);
  return opening ? &opening->verdict : NULL;
}

int ws_session_accept(ws_session *session, ws_slice protocol,
                      const ws_header *headers, size_t header_count,
                      ws_buffer *out) {
  const ws_slice none = {NULL, 0};
  const ws_opening *opening = waiting(session);
  if (!opening || opening->stage != WS_OPENING_UPGRADE)
    return WS_EINVAL;
  /* 4.2.2: none, or one of those offered. */
  if (protocol.len > 0 && !ws_handshake_offers(&opening->head, protocol))
    return WS_EINVAL;
  int status = keep_agreed(session, protocol, none);
  if (status != WS_OK)
    return status;
  status = ws_handshake_write_accept(out, opening->verdict.accept, protocol,
                                     none, headers, header_count);
  if (status == WS_OK)
    begin_frames(session);
  else
    forget_agreed(session);
  return status;
}

int ws_session_refuse(ws_session *session, unsigned status, ws_slice body,
                      const ws_header *headers, size_t header_count,
                      ws_buffer *out) {
  if (!waiting(session))
    return WS_EINVAL;
  int result = ws_handshake_write_refusal(out, status, body, headers,
                                          header_count);
  if (result == WS_OK)
    ws_session_finish(session);
  return result;
}

void ws_session_finish(ws_session *session) {
  if (!waiting(session))
    return;
  drop_opening(session);
  end_session(session);
}

ws_slice ws_session_protocol(const ws_session *session) {
  return (ws_slice){(const char *)session->agreed.data,
                    session->protocol_len};
}

ws_slice ws_session_extensions(const ws_session *session) {
  const ws_buffer *agreed = &session->agreed;
  if (agreed->len == session->protocol_len)
    return (ws_slice){NULL, 0};
  return (ws_slice){(const char *)agreed->data + session->protocol_len,
                    agreed->len - session->protocol_len};
}

/* ------------------------------------------------------------- sending */

int ws_session_send(ws_session *session, unsigned opcode, const void *data,
                    size_t len, ws_buffer *out) {
  if (session->state != WS_OPEN ||
      (opcode != WS_TEXT && opcode != WS_BINARY))
    return WS_EINVAL;
  return ws_sender_write(&session->sender, opcode, data, len, out);
}

int ws_session_control(ws_session *session, unsigned opcode, const void *data,
                       size_t len, ws_buffer *out) {
  bool may = session->phase == PHASE_FRAMES &&
             (opcode == WS_PONG ||
              (opcode == WS_PING && session->state == WS_OPEN));
  if (!may || len > WS_CONTROL_MAX)
    return WS_EINVAL;
  return ws_sender_write(&session->sender, opcode, data, len, out);
}

int ws_session_close(ws_session *session, unsigned code, const void *reason,
                     size_t len, ws_buffer *out) {
  if (session->state == WS_CONNECTING) {
    end_session(session);
    session->state = WS_CLOSING;
    return WS_OK;
  }
  if (session->state != WS_OPEN)
    return WS_OK;
  if (code != 0 && !ws_close_code_valid(code))
    return WS_EINVAL;
  int status = ws_sender_close(&session->sender, code, reason, len, out);
  if (status != WS_OK)
    return status;
  session->close_sent = true;
  session->state = WS_CLOSING;
  return WS_OK;
}

int ws_session_hold_pong(ws_session *session, bool hold, ws_buffer *out) {
  session->hold_pong = hold;
  if (hold || !session->pong_held)
    return WS_OK;
  int status = ws_sender_write(&session->sender, WS_PONG, session->pong.data,
                               session->pong.len, out);
  drop_pong(session);
  return status;
}
