/* SPDX-License-Identifier: MIT */
/* Messages and control frames -> bytes. A message is sent as one frame. */
#pragma once
#include "bytes/buffer.h"
#include "protocol/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fills data[0..len) with unpredictable bytes; WS_OK or WS_ERANDOM. */
typedef int ws_random(void *data, size_t len);

/* Fields are private to sender.c. */
typedef struct ws_sender {
  ws_random *random; /* NULL: frames are not masked (a server's) */
} ws_sender;

void ws_sender_init(ws_sender *sender, ws_random *random);

/* Appends one whole frame. WS_OK, WS_ENOMEM, WS_ETOOBIG (the buffer's limit)
 * or WS_ERANDOM; on failure nothing was appended. */
int ws_sender_write(ws_sender *sender, unsigned opcode, const void *data,
                    size_t len, ws_buffer *out);

/* The same for a message that was compressed: RSV1 is set (RFC 7692 section
 * 6). */
int ws_sender_write_compressed(ws_sender *sender, unsigned opcode,
                               const void *data, size_t len, ws_buffer *out);

/* A server's frame header alone, for a payload that is written separately.
 * Returns its length. */
size_t ws_sender_head(unsigned opcode, unsigned rsv, uint64_t len,
                      uint8_t head[WS_FRAME_HEAD_MAX]);

/* Appends a Close frame; with code 0 its body is empty. As ws_sender_write, or
 * WS_EINVAL for a reason over 123 bytes or one without a code. */
int ws_sender_close(ws_sender *sender, unsigned code, const void *reason,
                    size_t len, ws_buffer *out);
