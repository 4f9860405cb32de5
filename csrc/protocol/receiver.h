/* SPDX-License-Identifier: MIT */
/* Bytes after the handshake -> messages and control frames: checks the order of
 * frames, masking, limits, UTF-8, Close bodies. Answering is for session. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/utf8.h"
#include "protocol/deflate_pool.h"
#include "protocol/event.h"
#include "protocol/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The settings of a receiver; borrowed. */
typedef struct ws_receiver_limits {
  uint64_t max_payload; /* bytes of one message, at most SIZE_MAX / 4; 0 means
                           SIZE_MAX / 4 */
  bool masked;          /* frames must be masked (a server's receiver); else
                           they must not be */
} ws_receiver_limits;

/* The most bytes that one message may have. */
static inline size_t ws_receiver_limit(const ws_receiver_limits *limits) {
  uint64_t most = limits->max_payload;
  return most == 0 || most > SIZE_MAX / 4 ? SIZE_MAX / 4 : (size_t)most;
}

/* Fields are private to receiver*.c; session.c looks at deliver and control.
 */
typedef struct ws_receiver {
  const ws_receiver_limits *limits;
  ws_resize *resize;
  ws_deflate *deflate;  /* borrowed; NULL: RSV1 is an error */
  uint8_t *message;     /* what has arrived of an unfinished message */
  uint8_t *control;     /* a control payload that came in pieces, or NULL */
  size_t message_len;
  size_t message_size;  /* of the block */
  uint64_t left;        /* payload bytes of the current frame still to come */
  uint64_t done;        /* payload bytes of the current frame already in */
  ws_frame frame;       /* the current frame, while in_frame */
  ws_utf8 utf8;
  uint8_t spill[WS_FRAME_HEAD_MAX]; /* an unfinished header */
  uint8_t spilled;
  uint8_t opcode;       /* of the message being assembled, 0 when none */
  bool compressed;      /* that message is */
  bool in_frame;
  bool deliver;         /* message was handed out: empty it on the next call */
  bool muted;
  int failed;           /* the status it failed with: it stays failed */
  const char *why;      /* static */
} ws_receiver;

/* `resize` allocates for messages that come in pieces. No memory is held while
 * no message is unfinished. */
void ws_receiver_init(ws_receiver *receiver, const ws_receiver_limits *limits,
                      ws_resize *resize);

void ws_receiver_deinit(ws_receiver *receiver);

/* From now on data frames with RSV1 begin messages that `deflate` inflates (RFC
 * 7692 section 6). It must live as long as the receiver. */
void ws_receiver_use_deflate(ws_receiver *receiver, ws_deflate *deflate);

/* From now on messages are checked, but not delivered. Compressed ones are no
 * longer inflated, as that can cost a thousand times what sending them does. */
static inline void ws_receiver_mute(ws_receiver *receiver) {
  receiver->muted = true;
  if (receiver->compressed) receiver->utf8 = (ws_utf8){0};
}

/* Takes bytes from data[0..len), unmasking in place, and returns how many it
 * used. `event` is one of NONE (all used), MESSAGE, PING, PONG, CLOSE, FAIL.
 * event->data points into `data` when the whole message was there, otherwise
 * into the receiver; it is never NULL. Call again with the rest until the event
 * is NONE or all is used; a call with no bytes frees the memory of a message
 * that was delivered, and gives no event. After FAIL (WS_EPROTOCOL, WS_EUTF8,
 * WS_ETOOBIG, WS_EDEFLATE, WS_ENOMEM; `why` says more) every call fails in the
 * same way. The memory held is at most twice the payload bytes received, or 4
 * KiB; for a compressed message at most twice its inflated length and two steps
 * of 16 KiB, besides the inflater's 40 KiB. A declared length alone allocates
 * nothing. */
size_t ws_receiver_feed(ws_receiver *receiver, uint8_t *data, size_t len,
                        ws_event *event);

/* Inside a long data frame: where its next bytes can be read to directly;
 * `*room` says how many fit, at least `least`. They must then be fed with
 * `data` equal to the pointer returned here. NULL: read elsewhere and feed. The
 * bound on memory grows by `least`. */
uint8_t *ws_receiver_space(ws_receiver *receiver, size_t least, size_t *room);
