/* SPDX-License-Identifier: MIT */
/* The header of one frame, RFC 6455 section 5.2: bytes <-> struct. The receiver
 * knows which frames may follow which. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_FRAME_HEAD_MAX 14
#define WS_CONTROL_MAX 125 /* payload of a control frame, section 5.5 */
#define WS_RSV1 4u
#define WS_RSV2 2u
#define WS_RSV3 1u

typedef enum ws_opcode {
  WS_CONTINUATION = 0,
  WS_TEXT = 1,
  WS_BINARY = 2,
  WS_CLOSE = 8,
  WS_PING = 9,
  WS_PONG = 10
} ws_opcode;

typedef struct ws_frame {
  bool fin;
  bool masked;
  uint8_t rsv; /* WS_RSV1 | WS_RSV2 | WS_RSV3 */
  uint8_t opcode;
  uint8_t key[4]; /* when masked */
  uint64_t length; /* of the payload */
} ws_frame;

/* True for close, ping, pong and the reserved control opcodes. */
static inline bool ws_opcode_is_control(unsigned opcode) {
  return (opcode & 8u) != 0;
}

/* Reads a header from data[0..len). Returns its length, 0 when it is not
 * complete, or WS_EPROTOCOL as soon as the bytes show a reserved opcode, a
 * control frame that is fragmented or over 125 bytes, a length not in its
 * shortest form, or one with its top bit set. */
ptrdiff_t ws_frame_decode(ws_frame *frame, const uint8_t *data, size_t len);

/* The length of a header: what ws_frame_encode writes. */
static inline size_t ws_frame_head_len(uint64_t length, bool masked) {
  size_t more = length <= 125 ? 0 : length <= 0xffff ? 2 : 8;
  return 2 + more + (masked ? 4 : 0);
}

/* Writes the header in its shortest form; returns its length. */
size_t ws_frame_encode(uint8_t head[WS_FRAME_HEAD_MAX], const ws_frame *frame);

/* True if a close code may be on the wire (RFC 6455 section 7.4, S137). */
bool ws_close_code_valid(unsigned code);
