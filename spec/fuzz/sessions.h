/* SPDX-License-Identifier: MIT */
/* For the targets that feed a whole session, of either side: with bytes whole
 * and in pieces, and an owner that reacts as the flags say. What the session
 * answers has to be heads and frames again. */
#pragma once
#include "fuzz.h"
#include "bytes/memory.h"
#include "protocol/session.h"

enum {
  WITH_HANDSHAKE = 1, /* a good handshake precedes the input */
  WITH_DEFLATE = 2,
  ECHO = 4,
  LATER = 8,   /* answers a request only when all has been read */
  REFUSE = 16, /* refuses it; a client closes at the first message */
  SMALL = 32,  /* small limits */
  HOLD_PONGS = 64,
  NO_MEMORY = 128
};

typedef struct solo {
  ws_session session;
  ws_buffer out;
  ws_session_config config;
  uint8_t flags;
  fuzz_log log;
  bool failed, closed;
  unsigned messages;
} solo;

/* Kept from run to run: a pool resets its contexts for their next user. */
static ws_deflate_pool solo_pool;

static inline void solo_prepare(solo *it, bool server, uint8_t flags) {
  if (!solo_pool.resize) ws_deflate_pool_init(&solo_pool, ws_memory_resize);
  *it = (solo){.flags = flags};
  it->config = (ws_session_config){
      .limits = {.max_payload = flags & SMALL ? 64 : 1 << 16,
                 .masked = server},
      .max_head = flags & SMALL ? 512 : 0,
      .max_body = flags & SMALL ? 16 : 1024,
      .resize = fuzz_resize,
      .random = fuzz_random,
      .deflate = {.enabled = flags & WITH_DEFLATE, .level = 1},
      .pool = &solo_pool};
  ws_buffer_init(&it->out, fuzz_resize, 0);
}

/* ------------------------------------------------------------ reactions */

static inline void solo_answer(solo *it) {
  const ws_handshake_verdict *verdict = ws_session_verdict(&it->session);
  ws_offer_walk walk = {.head = ws_session_request(&it->session)};
  ws_slice none = {NULL, 0}, protocol = none;
  if (!verdict) return;
  (void)ws_handshake_next_offer(&walk, &protocol);
  if (verdict->kind == WS_REQUEST_UPGRADE && !(it->flags & REFUSE))
    (void)ws_session_accept(&it->session, protocol, NULL, 0, &it->out);
  else
    (void)ws_session_refuse(&it->session, 404, ws_slice_of("no"), NULL, 0,
                            &it->out);
}

static inline void solo_on_message(solo *it, const ws_event *event) {
  PROMISE(event->len <= it->config.limits.max_payload);
  PROMISE(!it->closed && ws_session_state(&it->session) == WS_OPEN);
  it->messages++;
  if (it->flags & ECHO)
    (void)ws_session_send(&it->session, event->opcode, event->data,
                          event->len, &it->out);
  if (it->flags & REFUSE)
    (void)ws_session_close(&it->session, 1000, "bye", 3, &it->out);
}

static inline void solo_on_event(solo *it, const ws_event *event) {
  ws_event plain = *event;
  plain.why = NULL; /* it may quote what had come, which depends on the cuts */
  PROMISE(!it->failed);
  if (event->type == WS_EVENT_BODY) {
    for (size_t i = 0; i < event->len; i++)
      fuzz_log_bytes(&it->log, event->data + i, 1);
    return;
  }
  fuzz_log_event(&it->log, &plain);
  if (event->type == WS_EVENT_FAIL) {
    it->failed = true;
    PROMISE(ws_session_over(&it->session));
    PROMISE(ws_session_state(&it->session) == WS_CLOSED);
  } else if (event->type == WS_EVENT_CLOSE) {
    PROMISE(!it->closed);
    it->closed = true;
  } else if (event->type == WS_EVENT_MESSAGE) {
    solo_on_message(it, event);
  } else if (event->type == WS_EVENT_BODY_END ||
             (event->type == WS_EVENT_REQUEST && !(it->flags & LATER) &&
              ws_session_verdict(&it->session)->kind == WS_REQUEST_UPGRADE)) {
    solo_answer(it);
  }
}

/* -------------------------------------------------------------- feeding */

/* Feeds one piece, until the session wants no more of it. */
static inline bool solo_feed(solo *it, uint8_t *piece, size_t len) {
  size_t used = 0;
  for (;;) {
    ws_event event;
    size_t took = ws_session_feed(&it->session, piece + used, len - used,
                                  &it->out, &event);
    PROMISE(took <= len - used);
    used += took;
    if (event.type != WS_EVENT_NONE) {
      solo_on_event(it, &event);
      continue;
    }
    if (used == len) return true;
    /* It takes no more: it is over, or waits for the request's answer. */
    if (!ws_session_request(&it->session) || !(it->flags & LATER)) break;
    solo_answer(it);
    if (ws_session_request(&it->session)) break;
  }
  PROMISE(ws_session_over(&it->session) ||
          ws_session_request(&it->session) || it->flags & NO_MEMORY);
  return false;
}

static inline void solo_feed_all(solo *it, fuzz_input in, fuzz_cuts cuts) {
  ws_event event;
  (void)ws_session_hold_pong(&it->session, it->flags & HOLD_PONGS, &it->out);
  while (in.len > 0) {
    ws_slice part = fuzz_run(&in, fuzz_cut(&cuts, in.len));
    if (!solo_feed(it, fuzz_piece(part.data, part.len), part.len)) break;
  }
  solo_answer(it);
  (void)ws_session_hold_pong(&it->session, false, &it->out);
  ws_session_end(&it->session, &event);
  if (event.type != WS_EVENT_NONE) solo_on_event(it, &event);
  if (ws_session_clean(&it->session)) PROMISE(it->closed);
}

/* --------------------------------------------------------- what was said */

/* What was sent is a head, then whole frames, with a Close at the end. */
static inline void solo_check_said(const solo *it, bool upgraded) {
  fuzz_input said = {it->out.data, it->out.len};
  size_t scanned = 0;
  if (said.len == 0) return;
  (void)fuzz_run(&said, ws_http_find_end((const char *)said.data, said.len,
                                         &scanned));
  bool closed = false;
  while (upgraded && said.len > 0) {
    ws_frame frame;
    ptrdiff_t head = ws_frame_decode(&frame, said.data, said.len);
    PROMISE(head > 0 && frame.fin);
    /* Pings are answered until the peer's Close has come. */
    if (closed) PROMISE(frame.opcode == WS_PONG);
    PROMISE(frame.masked == !it->config.limits.masked);
    PROMISE(frame.length <= said.len - (size_t)head);
    PROMISE((frame.rsv & ~(it->flags & WITH_DEFLATE ? WS_RSV1 : 0)) == 0);
    closed = closed || frame.opcode == WS_CLOSE;
    (void)fuzz_run(&said, (size_t)head + (size_t)frame.length);
  }
}

static inline void solo_end(solo *it) {
  fuzz_log_bytes(&it->log, it->out.data, it->out.len);
  ws_session_deinit(&it->session);
  ws_buffer_deinit(&it->out);
  fuzz_memory_done();
}
