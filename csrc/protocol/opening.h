/* SPDX-License-Identifier: MIT */
/* The opening phase of a session, for both sides, from the first byte to the
 * answered handshake: collects heads, has handshake judge them, and reports the
 * result. Private to session*.c. */
#pragma once
#include "bytes/buffer.h"
#include "protocol/event.h"
#include "protocol/handshake.h"
#include "protocol/http.h"
#include "protocol/sender.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_OPENING_EXCERPT 512 /* bytes looked at of a refusal's body */
#define WS_OPENING_WHY 320

typedef enum ws_opening_stage {
  WS_OPENING_REQUEST = 0, /* server: in a request's head */
  WS_OPENING_UPGRADE,     /* server: a handshake waits for an answer */
  WS_OPENING_BODY,        /* server: in a plain request's body */
  WS_OPENING_PLAIN,       /* server: a whole plain request waits */
  WS_OPENING_RESPONSE,    /* client: in a response's head */
  WS_OPENING_REFUSAL      /* client: in the body of an answer other than 101 */
} ws_opening_stage;

/* Session reads stage, head, verdict and answer. */
typedef struct ws_opening {
  ws_resize *resize;
  size_t max_head;
  uint64_t max_body;
  ws_opening_stage stage;
  ws_buffer bytes; /* of the head: the slices below point into it */
  size_t scanned;
  ws_http_head head;

  ws_handshake_verdict verdict; /* server */

  char accept[WS_ACCEPT_LENGTH]; /* client: the expected one */
  ws_slice *protocols;           /* client: those offered, in one block */
  size_t protocol_count;
  bool offered_extensions;
  unsigned interim;
  ws_handshake_answer answer;

  ws_http_body_kind body; /* of a plain request or of a refusal */
  uint64_t left;          /* WS_BODY_LENGTH: bytes to come */
  uint64_t taken;
  ws_http_chunks chunks;
  bool body_whole;

  uint8_t excerpt[WS_OPENING_EXCERPT];
  size_t excerpt_len;
  char why[WS_OPENING_WHY];
} ws_opening;

/* For a server, waiting for a request; NULL without memory. */
ws_opening *ws_opening_new(ws_resize *resize, size_t max_head,
                           uint64_t max_body);

void ws_opening_free(ws_opening *opening);

/* Turns it into a client's: appends the request to `out` and keeps what is
 * needed to judge the answer. Returns as ws_session_init_client; on failure
 * nothing was appended. */
int ws_opening_start(ws_opening *opening, const ws_handshake_request *request,
                     ws_random *random, ws_buffer *out);

/* As ws_session_feed: returns NONE, REQUEST, BODY, BODY_END, OPEN (client:
 * `answer` is set) or FAIL; refusals are appended to `out`. Must not be fed
 * after OPEN or FAIL. */
size_t ws_opening_feed(ws_opening *opening, const uint8_t *data, size_t len,
                       ws_buffer *out, ws_event *event);

/* As ws_session_end. */
void ws_opening_end(ws_opening *opening, ws_event *event);
