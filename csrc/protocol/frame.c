/* SPDX-License-Identifier: MIT */
/* Frame headers and close codes, RFC 6455 sections 5.2 and 7.4: bytes <->
 * numbers. Which frames may follow which is for receiver_header.c. */
#include "protocol/frame.h"

#include "bytes/status.h"

#include <string.h>

#define FIN 0x80u
#define MASKED 0x80u

/* 5.2: continuation, text, binary, close, ping and pong; a bit each. */
#define KNOWN_OPCODES 0x0707u

static bool first_byte_ok(unsigned first) {
  unsigned opcode = first & 15u;
  if ((KNOWN_OPCODES >> opcode & 1u) == 0)
    return false;
  /* 5.5: control frames are never fragmented. */
  return (first & FIN) != 0 || !ws_opcode_is_control(opcode);
}

static uint64_t big_endian(const uint8_t *bytes, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; i++)
    value = value << 8 | bytes[i];
  return value;
}

/* Reads the 2 or 8 bytes that follow a length of 126 or 127. Returns how many,
 * 0 if they have not all arrived, or WS_EPROTOCOL. */
static ptrdiff_t decode_long(uint64_t *length, const uint8_t *data,
                             size_t len) {
  if ((data[1] & 127u) == 126) {
    if (len < 4)
      return 0;
    *length = big_endian(data + 2, 2);
    return *length < 126 ? WS_EPROTOCOL : 2;
  }
  /* 5.2: the top bit is 0, and the form is the shortest. Both can be checked
   * before the last byte is there. */
  if (len > 2 && data[2] > 127)
    return WS_EPROTOCOL;
  if (len >= 8 && big_endian(data + 2, 6) == 0)
    return WS_EPROTOCOL;
  if (len < 10)
    return 0;
  *length = big_endian(data + 2, 8);
  return 8;
}

ptrdiff_t ws_frame_decode(ws_frame *frame, const uint8_t *data, size_t len) {
  if (len == 0)
    return 0;
  unsigned first = data[0];
  if (!first_byte_ok(first))
    return WS_EPROTOCOL;
  if (len == 1)
    return 0;
  uint64_t length = data[1] & 127u;
  size_t head = 2;
  if (length > WS_CONTROL_MAX) {
    if (ws_opcode_is_control(first & 15u))
      return WS_EPROTOCOL;
    ptrdiff_t more = decode_long(&length, data, len);
    if (more <= 0)
      return more;
    head += (size_t)more;
  }
  frame->masked = (data[1] & MASKED) != 0;
  if (frame->masked) {
    if (len < head + 4)
      return 0;
    memcpy(frame->key, data + head, 4);
    head += 4;
  }
  frame->fin = (first & FIN) != 0;
  frame->rsv = (uint8_t)(first >> 4 & 7u);
  frame->opcode = (uint8_t)(first & 15u);
  frame->length = length;
  return (ptrdiff_t)head;
}

static size_t encode_length(uint8_t *into, uint64_t length) {
  if (length <= 125) {
    into[0] = (uint8_t)length;
    return 1;
  }
  size_t count = length <= 0xffff ? 2 : 8;
  into[0] = count == 2 ? 126 : 127;
  for (size_t i = count; i > 0; i--, length >>= 8)
    into[i] = (uint8_t)length;
  return 1 + count;
}

size_t ws_frame_encode(uint8_t head[WS_FRAME_HEAD_MAX],
                       const ws_frame *frame) {
  head[0] = (uint8_t)((frame->fin ? FIN : 0u) | (frame->rsv & 7u) << 4 |
                      (frame->opcode & 15u));
  size_t len = 1 + encode_length(head + 1, frame->length);
  if (!frame->masked)
    return len;
  head[1] |= MASKED;
  memcpy(head + len, frame->key, 4);
  return len + 4;
}

bool ws_close_code_valid(unsigned code) {
  /* 7.4.2: 3000 to 4999 are for libraries and applications. */
  if (code >= 3000)
    return code <= 4999;
  /* 7.4.1: 1004 to 1006 and 1015 never appear in a frame; the IANA registry
   * adds 1012 to 1014. */
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}
