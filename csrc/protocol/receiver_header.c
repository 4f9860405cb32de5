/* SPDX-License-Identifier: MIT */
/* Whether a frame's header is allowed now: masked as it has to be, with no bits
 * but those agreed on, in the order of RFC 6455 section 5.4. */
#include "protocol/receiver_header.h"

#include <string.h>

/* 5.2: the bits an extension has claimed for a frame of this opcode. */
static unsigned claimed_bits(const ws_receiver *receiver, unsigned opcode) {
  bool data = opcode == WS_TEXT || opcode == WS_BINARY;
  return receiver->deflate && data ? WS_RSV1 : 0;
}

/* 5.4: a continuation needs an open message, a new one must find none. */
static bool follows(const ws_receiver *receiver, unsigned opcode) {
  return ws_opcode_is_control(opcode) ||
         (opcode == WS_CONTINUATION) == (receiver->opcode != 0);
}

ptrdiff_t ws_receiver_decode_spilled(ws_receiver *receiver,
                                     const uint8_t *data, size_t len) {
  uint8_t head[WS_FRAME_HEAD_MAX];
  size_t before = receiver->spilled;
  size_t room = sizeof head - before;
  size_t more = len < room ? len : room;
  memcpy(head, receiver->spill, before);
  memcpy(head + before, data, more);
  return ws_frame_decode(&receiver->frame, head, before + more);
}

bool ws_receiver_accepts(const ws_receiver *receiver) {
  const ws_frame *frame = &receiver->frame;
  return frame->masked == receiver->limits->masked &&
         (frame->rsv & ~claimed_bits(receiver, frame->opcode)) == 0 &&
         follows(receiver, frame->opcode);
}

static const char *first_byte_fault(const ws_receiver *receiver,
                                    uint8_t first) {
  unsigned opcode = first & 15u;
  uint8_t final = first | 0x80u;
  ws_frame frame;
  if (ws_frame_decode(&frame, &final, 1) < 0)
    return "a frame with a reserved opcode";
  if (ws_frame_decode(&frame, &first, 1) < 0)
    return "a fragmented control frame";
  if (((first >> 4 & 7u) & ~claimed_bits(receiver, opcode)) != 0)
    return "a frame with a reserved bit set";
  if (follows(receiver, opcode))
    return NULL;
  return opcode == WS_CONTINUATION
             ? "a continuation frame with no message to continue"
             : "a new message inside an unfinished one";
}

const char *ws_receiver_header_fault(const ws_receiver *receiver,
                                     const uint8_t *head, size_t len) {
  const char *fault = first_byte_fault(receiver, head[0]);
  if (fault || len < 2)
    return fault;
  if ((head[1] >> 7 != 0) != receiver->limits->masked)
    return receiver->limits->masked ? "an unmasked frame from a client"
                                    : "a masked frame from a server";
  ws_frame frame;
  if (ws_frame_decode(&frame, head, len) >= 0)
    return NULL;
  if (ws_opcode_is_control(head[0] & 15u))
    return "a control frame above 125 bytes";
  return (head[1] & 127u) == 127 && head[2] > 127
             ? "a frame length with its top bit set"
             : "a frame length not in its shortest form";
}
