/* SPDX-License-Identifier: MIT */
/* Frame headers against a second, simpler reading of RFC 6455 section 5.2, at
 * every length and at every cut. */
#include "protocol/frame.h"

#include "bytes/status.h"
#include "check.h"

static const uint64_t lengths[] = {0,     1,          5,
                                   124,   125,        126,
                                   127,   255,        256,
                                   65534, 65535,      65536,
                                   65537, 0x7fffffff, 0xffffffff,
                                   (uint64_t)1 << 32, (uint64_t)1 << 62,
                                   INT64_MAX};
#define LENGTHS (sizeof lengths / sizeof *lengths)

static ptrdiff_t decode_guarded(ws_frame *frame, const void *bytes,
                                size_t len) {
  static uint8_t *end;
  if (!end)
    end = check_guarded(64) + 64;
  if (len > 0)
    memcpy(end - len, bytes, len);
  return ws_frame_decode(frame, end - len, len);
}

static bool same(const ws_frame *a, const ws_frame *b) {
  return a->fin == b->fin && a->masked == b->masked && a->rsv == b->rsv &&
         a->opcode == b->opcode && a->length == b->length &&
         (!a->masked || memcmp(a->key, b->key, 4) == 0);
}

/* What is written is read again; without its last byte it is incomplete. */
static void round_trip(const ws_frame *frame) {
  uint8_t head[WS_FRAME_HEAD_MAX];
  size_t len = ws_frame_encode(head, frame);
  CHECK_INT(ws_frame_head_len(frame->length, frame->masked), len);
  ws_frame read = {0};
  CHECK_INT(decode_guarded(&read, head, len), len);
  CHECK(same(&read, frame));
  for (size_t cut = 0; cut < len; cut++)
    CHECK_INT(decode_guarded(&read, head, cut), 0);
}

/* S148 */
TEST(test_round_trip_of_every_length_form) {
  static const uint8_t opcodes[] = {WS_CONTINUATION, WS_TEXT, WS_BINARY};
  for (size_t i = 0; i < LENGTHS; i++)
    for (size_t o = 0; o < sizeof opcodes; o++)
      for (unsigned bits = 0; bits < 32; bits++) {
        ws_frame frame = {.fin = bits & 1,
                          .masked = bits & 2,
                          .rsv = (uint8_t)(bits >> 2),
                          .opcode = opcodes[o],
                          .key = {1, 0, 255, 128},
                          .length = lengths[i]};
        round_trip(&frame);
      }
}

/* S150: the control frames that are allowed. */
TEST(test_round_trip_of_control_frames) {
  for (unsigned opcode = WS_CLOSE; opcode <= WS_PONG; opcode++)
    for (unsigned length = 0; length <= 125; length++) {
      ws_frame frame = {.fin = true,
                        .masked = length & 1,
                        .opcode = (uint8_t)opcode,
                        .length = length};
      round_trip(&frame);
    }
}

/* S148: the exact bytes of the examples of section 5.7. */
TEST(test_bytes_of_the_examples) {
  uint8_t head[WS_FRAME_HEAD_MAX];
  ws_frame frame = {.fin = true, .opcode = WS_TEXT, .length = 5};
  CHECK_BYTES(head, ws_frame_encode(head, &frame), "\x81\x05");
  frame = (ws_frame){.fin = true,
                     .masked = true,
                     .opcode = WS_TEXT,
                     .length = 5,
                     .key = {0x37, 0xfa, 0x21, 0x3d}};
  CHECK_BYTES(head, ws_frame_encode(head, &frame),
              "\x81\x85\x37\xfa\x21\x3d");
  frame = (ws_frame){.fin = true, .opcode = WS_BINARY, .length = 256};
  CHECK_BYTES(head, ws_frame_encode(head, &frame), "\x82\x7e\x01\x00");
  frame.length = 65536;
  CHECK_BYTES(head, ws_frame_encode(head, &frame),
              "\x82\x7f\0\0\0\0\0\1\0\0");
}

/* S147: refused at the first byte, as is a fragmented control frame (S150). */
TEST(test_first_byte_alone) {
  for (unsigned first = 0; first < 256; first++) {
    unsigned opcode = first & 15;
    bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    bool good = known && !(opcode >= 8 && first < 128);
    uint8_t byte = (uint8_t)first;
    ws_frame frame;
    CHECK_INT(decode_guarded(&frame, &byte, 1), good ? 0 : WS_EPROTOCOL);
  }
}

/* S150: a control frame above 125 bytes is refused at the second byte. */
TEST(test_first_two_bytes) {
  for (unsigned first = 0; first < 256; first++)
    for (unsigned second = 0; second < 256; second++) {
      uint8_t bytes[2] = {(uint8_t)first, (uint8_t)second};
      unsigned opcode = first & 15;
      bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
      bool good = known && !(opcode >= 8 && first < 128) &&
                  !(opcode >= 8 && (second & 127) > 125);
      bool whole = second <= 125;
      ws_frame frame;
      ptrdiff_t expected = !good ? WS_EPROTOCOL : whole ? 2 : 0;
      if (decode_guarded(&frame, bytes, 2) != expected)
        CHECK_INT(decode_guarded(&frame, bytes, 2), expected);
    }
  CHECK(true);
}

/* S149 */
static void refused_from(const void *bytes, size_t len, size_t from) {
  ws_frame frame;
  for (size_t cut = 0; cut <= len; cut++)
    CHECK_INT(decode_guarded(&frame, bytes, cut),
              cut < from ? 0 : WS_EPROTOCOL);
}

TEST(test_length_in_a_longer_form) {
  for (unsigned length = 0; length < 126; length++) {
    uint8_t bytes[] = {0x82, 126, 0, (uint8_t)length};
    refused_from(bytes, sizeof bytes, 4);
    bytes[1] |= 0x80;
    refused_from(bytes, sizeof bytes, 4);
  }
  static const unsigned short_ones[] = {0, 5, 125, 126, 256, 65535};
  for (size_t i = 0; i < 6; i++) {
    unsigned length = short_ones[i];
    uint8_t bytes[] = {0x82, 127, 0, 0, 0, 0, 0, 0, (uint8_t)(length >> 8),
                       (uint8_t)length};
    refused_from(bytes, sizeof bytes, 8);
  }
}

TEST(test_top_bit_of_the_length) {
  refused_from("\x82\x7f\x80\0\0\0\0\0\0\0", 10, 3);
  refused_from("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10, 3);
}

/* S137, against a written list. */
TEST(test_close_codes) {
  static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008,
                                  1009, 1010, 1011, 1012, 1013, 1014};
  for (unsigned code = 0; code < 70000; code++) {
    bool expected = code >= 3000 && code < 5000;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
      expected = expected || code == good[i];
    if (ws_close_code_valid(code) != expected)
      CHECK_INT(code, -1);
  }
  CHECK(!ws_close_code_valid((unsigned)-1));
}

int main(void) {
  RUN(test_round_trip_of_every_length_form);
  RUN(test_round_trip_of_control_frames);
  RUN(test_bytes_of_the_examples);
  RUN(test_first_byte_alone);
  RUN(test_first_two_bytes);
  RUN(test_length_in_a_longer_form);
  RUN(test_top_bit_of_the_length);
  RUN(test_close_codes);
  return check_done();
}
