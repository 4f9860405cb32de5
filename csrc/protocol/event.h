/* SPDX-License-Identifier: MIT */
/* What a session or receiver found in the bytes it was fed: one event per call.
 * Its bytes are borrowed until the next call on the same object. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum ws_event_type {
  WS_EVENT_NONE = 0, /* nothing yet: more bytes are needed */
  WS_EVENT_REQUEST,  /* server: a judged request head, see session.h */
  WS_EVENT_BODY,     /* server: data/len is a run of a plain request's body */
  WS_EVENT_BODY_END, /* server: the plain request is complete */
  WS_EVENT_OPEN,     /* the handshake is done: state is OPEN */
  WS_EVENT_MESSAGE,  /* opcode WS_TEXT or WS_BINARY; data/len */
  WS_EVENT_PING,     /* data/len; the answer is already written */
  WS_EVENT_PONG,     /* data/len */
  WS_EVENT_CLOSE,    /* the peer's Close: code (1005: none), data/len reason */
  WS_EVENT_FAIL      /* status; `why` says more or is NULL */
} ws_event_type;

typedef struct ws_event {
  ws_event_type type;
  uint8_t opcode;
  uint16_t code;
  int status;
  const char *why; /* static, or part of the object */
  const uint8_t *data;
  size_t len;
} ws_event;
