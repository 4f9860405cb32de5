/* SPDX-License-Identifier: MIT */
/* The states of a connection, RFC 6455 sections 4 to 7: the opening phase
 * (opening.h), then frames and the answers to them. No bytes are parsed here,
 * and there is no I/O. */
#include "protocol/session.h"

#include "bytes/status.h"
#include "protocol/opening.h"
#include "protocol/session_parts.h"

#include <string.h>

/* ------------------------------------------------------------- phases */

void ws_session_drop_opening(ws_session *session) {
  ws_opening_free(session->opening);
  session->opening = NULL;
}

static void *resize(const ws_session *session, void *block, size_t size) {
  return session->config->resize(block, size);
}

static void drop_pong(ws_session *session) {
  if (session->pong)
    (void)resize(session, session->pong, 0);
  session->pong = NULL;
  session->pong_held = false;
}

void ws_session_over_now(ws_session *session) {
  session->phase = PHASE_OVER;
  session->state = WS_CLOSED;
}

void ws_session_begin_frames(ws_session *session) {
  ws_session_drop_opening(session);
  session->phase = PHASE_FRAMES;
  session->state = WS_OPEN;
}

/* 7.1.7: a Close that says why, then nothing more. */
static void fail(ws_session *session, int status, const char *why,
                 ws_buffer *out, ws_event *event) {
  unsigned code = ws_status_close_code(status);
  if (session->phase == PHASE_FRAMES && !session->close_sent && code != 0) {
    /* If the Close cannot be written the session fails all the same. */
    (void)ws_sender_close(&session->sender, code, NULL, 0, out);
    session->close_sent = true;
  }
  drop_pong(session);
  ws_session_over_now(session);
  *event = (ws_event){.type = WS_EVENT_FAIL, .status = status, .why = why};
}

void ws_session_forget_agreed(ws_session *session) {
  ws_receiver_use_deflate(&session->receiver, NULL);
  ws_deflate_free(session->deflate);
  session->deflate = NULL;
  if (session->agreed)
    (void)resize(session, session->agreed, 0);
  session->agreed = NULL;
  session->protocol_len = session->extensions_len = 0;
}

static int use_deflate(ws_session *session, const ws_deflate_agreed *agreed) {
  const ws_session_config *config = session->config;
  session->deflate = ws_deflate_new(config->pool, &config->deflate, agreed,
                                    config->limits.masked,
                                    ws_receiver_limit(&config->limits));
  ws_receiver_use_deflate(&session->receiver, session->deflate);
  return session->deflate ? WS_OK : WS_ENOMEM;
}

static int keep_text(ws_session *session, ws_slice protocol,
                     ws_slice extensions) {
  if (protocol.len + extensions.len == 0)
    return WS_OK;
  session->agreed = resize(session, NULL, protocol.len + extensions.len);
  if (!session->agreed)
    return WS_ENOMEM;
  if (protocol.len)
    memcpy(session->agreed, protocol.data, protocol.len);
  if (extensions.len)
    memcpy(session->agreed + protocol.len, extensions.data, extensions.len);
  session->protocol_len = (uint32_t)protocol.len;
  session->extensions_len = (uint32_t)extensions.len;
  return WS_OK;
}

int ws_session_keep_agreed(ws_session *session, ws_slice protocol,
                           ws_slice extensions,
                           const ws_deflate_agreed *agreed) {
  int status = keep_text(session, protocol, extensions);
  if (status == WS_OK && agreed->on)
    status = use_deflate(session, agreed);
  if (status != WS_OK)
    ws_session_forget_agreed(session);
  return status;
}

/* ----------------------------------------------------- opening phase */

/* Client: the answer is good, apart from its extensions, which are judged
 * here. */
static void take_answer(ws_session *session, ws_buffer *out, ws_event *event) {
  const ws_handshake_answer *answer = &session->opening->answer;
  ws_deflate_agreed agreed;
  const char *why = ws_deflate_judge(&session->config->deflate,
                                     answer->extensions, &agreed);
  if (why) {
    fail(session, WS_EHANDSHAKE, why, out, event);
    return;
  }
  int status = ws_session_keep_agreed(session, answer->protocol,
                                      answer->extensions, &agreed);
  if (status == WS_OK)
    ws_session_begin_frames(session);
  else
    fail(session, status, NULL, out, event);
}

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
    ws_session_over_now(session);
  } else if (event->type == WS_EVENT_OPEN) {
    take_answer(session, out, event);
  }
  return used;
}

/* -------------------------------------------------------------- frames */

static int keep_pong(ws_session *session, const ws_event *ping) {
  if (!session->pong)
    session->pong = resize(session, NULL, WS_CONTROL_MAX);
  if (!session->pong)
    return WS_ENOMEM;
  if (ping->len)
    memcpy(session->pong, ping->data, ping->len);
  session->pong_len = (uint8_t)ping->len;
  session->pong_held = true;
  return WS_OK;
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

/* Answers the event; if that fails, the event becomes a failure. */
static void react(ws_session *session, ws_buffer *out, ws_event *event) {
  int status = WS_OK;
  switch (event->type) {
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
}

static size_t feed_frames(ws_session *session, uint8_t *data, size_t len,
                          ws_buffer *out, ws_event *event) {
  size_t used = ws_receiver_feed(&session->receiver, data, len, event);
  if (event->type != WS_EVENT_MESSAGE)
    react(session, out, event);
  return used;
}

/* ----------------------------------------------------------- exported */

static void init(ws_session *session, const ws_session_config *config) {
  memset(session, 0, sizeof *session);
  session->config = config;
  ws_receiver_init(&session->receiver, &config->limits, config->resize);
  ws_sender_init(&session->sender,
                 config->limits.masked ? NULL : config->random);
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
  char offer[WS_DEFLATE_TEXT];
  ws_handshake_request with = *request;
  if (config->deflate.enabled)
    with.extensions =
        (ws_slice){offer, ws_deflate_offer(&config->deflate, offer)};
  int status = ws_opening_start(session->opening, &with, config->random, out);
  if (status != WS_OK)
    ws_session_drop_opening(session);
  return status;
}

void ws_session_init_server(ws_session *session,
                            const ws_session_config *config) {
  init(session, config);
}

void ws_session_deinit(ws_session *session) {
  ws_session_drop_opening(session);
  ws_receiver_deinit(&session->receiver);
  drop_pong(session);
  ws_session_forget_agreed(session);
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

bool ws_session_dry(const ws_session *session) {
  return session->phase == PHASE_FRAMES && !session->receiver.deliver &&
         !session->receiver.control;
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
    ws_session_over_now(session);
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

const ws_http_head *ws_session_answer(const ws_session *session) {
  const ws_opening *opening = session->opening;
  bool there = opening && opening->stage == WS_OPENING_REFUSAL;
  return there ? &opening->head : NULL;
}

/* -------------------------------------------------------------- agreed */

ws_slice ws_session_protocol(const ws_session *session) {
  return (ws_slice){session->agreed, session->protocol_len};
}

ws_slice ws_session_extensions(const ws_session *session) {
  if (session->extensions_len == 0)
    return (ws_slice){NULL, 0};
  return (ws_slice){session->agreed + session->protocol_len,
                    session->extensions_len};
}

/* ------------------------------------------------------------- sending */

static bool may_send(const ws_session *session, unsigned opcode) {
  return session->state == WS_OPEN &&
         (opcode == WS_TEXT || opcode == WS_BINARY);
}

int ws_session_send(ws_session *session, unsigned opcode, const void *data,
                    size_t len, ws_buffer *out) {
  if (!ws_session_compresses(session, len))
    return ws_session_send_plain(session, opcode, data, len, out);
  if (!may_send(session, opcode))
    return WS_EINVAL;
  const ws_buffer *made;
  int status = ws_deflate_message(session->deflate, data, len, &made);
  if (status == WS_OK)
    status = ws_sender_write_compressed(&session->sender, opcode, made->data,
                                        made->len, out);
  /* The peer will not see the message: no later one may refer to it. */
  if (status != WS_OK)
    ws_deflate_forget(session->deflate);
  return status;
}

int ws_session_send_plain(ws_session *session, unsigned opcode,
                          const void *data, size_t len, ws_buffer *out) {
  if (!may_send(session, opcode))
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
    ws_session_over_now(session);
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
  ws_receiver_mute(&session->receiver);
  return WS_OK;
}

int ws_session_hold_pong(ws_session *session, bool hold, ws_buffer *out) {
  session->hold_pong = hold;
  if (hold || !session->pong_held)
    return WS_OK;
  int status = ws_sender_write(&session->sender, WS_PONG, session->pong,
                               session->pong_len, out);
  drop_pong(session);
  return status;
}
