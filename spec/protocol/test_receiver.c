/* SPDX-License-Identifier: MIT */
/* Streams of frames and the events they must give: whole, byte by byte, at
 * every cut, and read into the receiver's own space; for both roles, before a
 * guarded page. Then their memory. */
#include "protocol/receiver.h"

#include "wire.h"

typedef struct frame {
  unsigned first; /* first byte; 0 with raw: payload is raw bytes */
  const char *payload;
  size_t len;
  bool raw;
} frame;

#define F(first, payload) {first, payload, sizeof(payload) - 1, false}
#define RAW(bytes) {0, bytes, sizeof(bytes) - 1, true}

typedef struct stream {
  const char *rule;
  frame frames[8];
  const char *events;
} stream;

/* Raw bytes are written as they are, without a key. For the masked role they
 * get the mask bit, and a key at their end. */
static void write_stream(wire *to, const stream *from, bool masked) {
  for (const frame *it = from->frames; it->payload; it++) {
    if (!it->raw) {
      wire_frame(to, it->first, it->payload, it->len, masked);
      continue;
    }
    wire_add(to, it->payload, it->len);
    if (it->len > 1 && masked)
      to->data[to->len - it->len + 1] |= 0x80;
    if (masked)
      wire_add(to, wire_key, 4);
  }
}

/* Feeds a piece and logs its events. */
static bool feed(ws_receiver *receiver, uint8_t *data, size_t len, wire *log) {
  size_t used = 0;
  for (;;) {
    ws_event event;
    used += ws_receiver_feed(receiver, data + used, len - used, &event);
    if (event.type == WS_EVENT_NONE) {
      CHECK_INT(used, len);
      return true;
    }
    wire_say_event(log, &event);
    if (event.type == WS_EVENT_FAIL)
      return false;
  }
}

static bool feed_in_space(ws_receiver *receiver, const uint8_t *data,
                          size_t *at, size_t len, wire *log) {
  size_t room = 0;
  uint8_t *space = ws_receiver_space(receiver, 1, &room);
  size_t n = space ? room : 1;
  n = n < len - *at ? n : len - *at;
  n = n < 3 ? n : 3;
  uint8_t *into = space ? space : wire_piece(data + *at, n);
  if (space)
    memcpy(space, data + *at, n);
  *at += n;
  return feed(receiver, into, n, log);
}

static void feed_in_way(ws_receiver *receiver, const wire *bytes, size_t way,
                        wire *log) {
  bool going = true;
  bool space = way == wire_ways(bytes->len);
  for (size_t at = 0; going && at < bytes->len;) {
    if (space) {
      going = feed_in_space(receiver, bytes->data, &at, bytes->len, log);
      continue;
    }
    size_t to = wire_cut(way, at, bytes->len);
    uint8_t *piece = wire_piece(bytes->data + at, to - at);
    going = feed(receiver, piece, to - at, log);
    at = to;
  }
}

static void show(const char *rule, size_t way, const wire *bytes,
                 const wire *log, const char *expected) {
  fprintf(stderr, "%s, cut %zu of %zu bytes\n  is:     %.*s\n  not:    %s\n",
          rule, way, bytes->len, (int)log->len,
          log->data ? (const char *)log->data : "", expected);
  CHECK(rule == NULL);
}

static void run_bytes(const char *rule, const wire *bytes, bool masked,
                      uint64_t max_payload, const char *expected) {
  ws_receiver_limits limits = {max_payload, masked};
  for (size_t way = 0; way <= wire_ways(bytes->len); way++) {
    ws_receiver receiver;
    wire log = {0};
    ws_receiver_init(&receiver, &limits, wire_resize);
    feed_in_way(&receiver, bytes, way, &log);
    if (!wire_is(&log, expected))
      show(rule, way, bytes, &log, expected);
    else
      CHECK(true);
    ws_receiver_deinit(&receiver);
    wire_free(&log);
  }
  CHECK_INT(wire_memory.blocks, 0);
}

static void run_streams(const stream *streams, size_t count) {
  for (size_t i = 0; i < count; i++)
    for (int masked = 0; masked < 2; masked++) {
      wire bytes = {0};
      write_stream(&bytes, &streams[i], masked != 0);
      run_bytes(streams[i].rule, &bytes, masked != 0, 0, streams[i].events);
      wire_free(&bytes);
    }
}

#define RUN_STREAMS(list) run_streams(list, sizeof list / sizeof *list)

#define BYTES_125 \
  "0123456789012345678901234567890123456789012345678901234567890123456789" \
  "0123456789012345678901234567890123456789012345678901234"

/* ------------------------------------------------------------- messages */

TEST(test_messages) {
  static const stream list[] = {
      {"S92", {F(0x81, "hello")}, "text(hello) "},
      {"S92", {F(0x81, "\xef\xbb\xbf\0hi")}, "text(\xef\xbb\xbf\\0hi) "},
      {"S93", {F(0x82, "\xff\xfe\x80")}, "binary(\xff\xfe\x80) "},
      {"S94", {F(0x81, "")}, "text() "},
      {"S94", {F(0x82, "")}, "binary() "},
      {"S94", {F(0x01, ""), F(0x00, ""), F(0x80, "")}, "text() "},
      {"S94", {F(0x01, "ab"), F(0x00, ""), F(0x80, "c")}, "text(abc) "},
      {"38", {F(0x02, "ab"), F(0x80, "")}, "binary(ab) "},
      {"38", {F(0x02, ""), F(0x80, "ab"), F(0x81, "x")},
       "binary(ab) text(x) "},
      {"S152",
       {F(0x01, "he"), F(0x89, "now"), F(0x80, "llo")},
       "ping(now) text(hello) "},
      {"S152",
       {F(0x01, "he"), F(0x89, ""), F(0x00, "l"), F(0x8a, "x"),
        F(0x80, "lo")},
       "ping() pong(x) text(hello) "},
      {"S156", {F(0x8a, "any"), F(0x8a, "")}, "pong(any) pong() "},
      {"S155", {F(0x89, ""), F(0x89, "a")}, "ping() ping(a) "},
      {"S159",
       {F(0x81, "a"), F(0x82, "b"), F(0x89, "c"), F(0x81, "d")},
       "text(a) binary(b) ping(c) text(d) "},
      {"S95",
       {F(0x81, "a"), F(0x88, "\x03\xe8")},
       "text(a) close1000() "},
      {"S95", {F(0x81, "a"), F(0x83, "b")}, "text(a) fail EPROTOCOL "},
      {"S142", {F(0x01, "half"), F(0x88, "\x03\xe9")}, "close1001() "},
      {"S95", {F(0x01, "half")}, ""},
  };
  RUN_STREAMS(list);
}

/* S155, S148: the sizes at which something changes. */
TEST(test_sizes) {
  static uint8_t bytes[70000];
  static const size_t sizes[] = {0,     1,     124,   125,   126,  127, 4095,
                                 4096,  4097,  8193,  65535, 65536, 65999};
  static const size_t steps[] = {1, 7, 1460, 4096, 65536, 1000000};
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t)(' ' + i % 90);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
      ws_receiver_limits limits = {0, i % 2 == 0};
      ws_receiver receiver;
      wire input = {0}, log = {0}, expected = {0};
      ws_event message = {.type = WS_EVENT_MESSAGE,
                          .opcode = 1,
                          .data = bytes,
                          .len = sizes[i]};
      wire_frame(&input, 0x81, bytes, sizes[i], limits.masked);
      wire_say_event(&expected, &message);
      ws_receiver_init(&receiver, &limits, wire_resize);
      for (size_t at = 0; at < input.len;) {
        size_t n = input.len - at < steps[s] ? input.len - at : steps[s];
        feed(&receiver, wire_piece(input.data + at, n), n, &log);
        at += n;
      }
      CHECK(log.len == expected.len &&
            memcmp(log.data, expected.data, log.len) == 0);
      ws_receiver_deinit(&receiver);
      wire_free(&input);
      wire_free(&log);
      wire_free(&expected);
    }
  CHECK_INT(wire_memory.blocks, 0);
}

/* -------------------------------------------------------- broken frames */

TEST(test_headers_that_fail) {
  static const stream list[] = {
      {"S147", {F(0x83, "a")}, "fail EPROTOCOL "},
      {"S147", {F(0x87, "")}, "fail EPROTOCOL "},
      {"S147", {F(0x8b, "")}, "fail EPROTOCOL "},
      {"S147", {F(0x8f, "")}, "fail EPROTOCOL "},
      {"S147", {RAW("\x83")}, "fail EPROTOCOL "},
      {"S146", {F(0xc1, "a")}, "fail EPROTOCOL "},
      {"S146", {F(0xa1, "a")}, "fail EPROTOCOL "},
      {"S146", {F(0x91, "a")}, "fail EPROTOCOL "},
      {"S146", {F(0xc9, "")}, "fail EPROTOCOL "},
      {"S146", {F(0x01, "a"), F(0xc0, "b")}, "fail EPROTOCOL "},
      {"S150", {F(0x09, "a")}, "fail EPROTOCOL "},
      {"S150", {F(0x08, "")}, "fail EPROTOCOL "},
      {"S150", {F(0x0a, "")}, "fail EPROTOCOL "},
      {"S150", {F(0x89, BYTES_125 "x")}, "fail EPROTOCOL "},
      {"S138", {F(0x88, "\x03\xe8" BYTES_125)}, "fail EPROTOCOL "},
      {"36", {RAW("\x89\x7e\x00\x05")}, "fail EPROTOCOL "},
      {"S149", {RAW("\x81\x7e\x00\x05")}, "fail EPROTOCOL "},
      {"S149", {RAW("\x82\x7e\x00\x7d")}, "fail EPROTOCOL "},
      {"S149", {RAW("\x82\x7f\0\0\0\0\0\0\xff\xff")}, "fail EPROTOCOL "},
      {"S149", {RAW("\x82\x7f\x80\0\0\0\0\0\0\0")}, "fail EPROTOCOL "},
      {"33",
       {RAW("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff")},
       "fail EPROTOCOL "},
      {"33",
       {RAW("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff")},
       "fail ETOOBIG "},
      {"S151", {F(0x80, "a")}, "fail EPROTOCOL "},
      {"S151", {F(0x00, "a")}, "fail EPROTOCOL "},
      {"S151", {F(0x01, "a"), F(0x81, "b")}, "fail EPROTOCOL "},
      {"S151", {F(0x01, "a"), F(0x02, "b")}, "fail EPROTOCOL "},
      {"S151", {F(0x81, "a"), F(0x80, "b")}, "text(a) fail EPROTOCOL "},
  };
  RUN_STREAMS(list);
}

/* Also when several rules are broken, and however it is cut. A length may break
 * either rule of section 5.2, or, in a control frame, that of 5.5. */
TEST(test_a_broken_frame_says_what_is_wrong) {
  static const struct {
    const char *head;
    size_t len;
    const char *why;
  } list[] = {
      {"\x82\x7e\0\x7d", 4, "a frame length not in its shortest form"},
      {"\x82\x7f\0\0\0\0\0\0\xff\xff", 10,
       "a frame length not in its shortest form"},
      {"\x82\x7f\x80\0\0\0\0\1\0\0", 10,
       "a frame length with its top bit set"},
      {"\x82\x7f\x80\0\0\0\0\0\0\0", 10,
       "a frame length with its top bit set"},
      {"\x82\x7f\xff", 3, "a frame length with its top bit set"},
      {"\x89\x7f\x80", 3, "a control frame above 125 bytes"},
      {"\x83", 1, "a frame with a reserved opcode"},
      {"\x8b", 1, "a frame with a reserved opcode"},
      {"\x0b", 1, "a frame with a reserved opcode"},
      {"\x49", 1, "a fragmented control frame"},
      {"\xc1", 1, "a frame with a reserved bit set"},
      {"\x90", 1, "a frame with a reserved bit set"},
      {"\x80", 1, "a continuation frame with no message to continue"},
      {"\1\1x\x81", 4, "a new message inside an unfinished one"},
      {"\x82\x80", 2, "a masked frame from a server"},
      {"\x88\1\3", 3, "a Close frame with half a code"},
      {"\x88\2\3\xec", 4, "a Close frame with a reserved code"},
      {"\x88\3\3\xe8\xff", 5, "a Close reason that is not UTF-8"},
  };
  const ws_receiver_limits limits = {.masked = false};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    wire bytes = {0};
    wire_add(&bytes, list[i].head, list[i].len);
    for (size_t way = 0; way <= wire_ways(bytes.len); way++) {
      ws_receiver receiver;
      wire log = {0};
      ws_receiver_init(&receiver, &limits, wire_resize);
      feed_in_way(&receiver, &bytes, way, &log);
      CHECK(receiver.why && strcmp(receiver.why, list[i].why) == 0);
      ws_receiver_deinit(&receiver);
      wire_free(&log);
    }
    wire_free(&bytes);
  }
  CHECK_INT(wire_memory.blocks, 0);
}

/* S150, S155: the longest control frame is accepted at every cut. */
TEST(test_control_frame_of_125_bytes) {
  wire expected = {0};
  ws_event ping = {.type = WS_EVENT_PING,
                   .data = (const uint8_t *)BYTES_125,
                   .len = 125};
  wire_say_event(&expected, &ping);
  wire_add(&expected, "", 1);
  stream it = {"S150", {F(0x89, BYTES_125)}, (const char *)expected.data};
  run_streams(&it, 1);
  wire_free(&expected);
}

/* S145, R28, A32: fails at the header, before any payload, in both roles. */
TEST(test_wrong_masking) {
  for (int masked = 0; masked < 2; masked++) {
    wire bytes = {0};
    wire_frame(&bytes, 0x81, "hello", 5, masked == 0);
    run_bytes("S145", &bytes, masked != 0, 0, "fail EPROTOCOL ");
    bytes.len = 2;
    run_bytes("S145", &bytes, masked != 0, 0, "fail EPROTOCOL ");
    wire_free(&bytes);
    wire_frame(&bytes, 0x89, "", 0, masked == 0);
    run_bytes("S145", &bytes, masked != 0, 0, "fail EPROTOCOL ");
    wire_free(&bytes);
  }
}

/* ---------------------------------------------------------------- close */

TEST(test_close_bodies) {
  static const stream list[] = {
      {"S130", {F(0x88, "")}, "close1005() "},
      {"S131", {F(0x88, "\x03\xe8")}, "close1000() "},
      {"S131", {F(0x88, "\x0f\xa0why")}, "close4000(why) "},
      {"S135", {F(0x88, "\x03\xe8\xef\xbb\xbf")}, "close1000(\xef\xbb\xbf) "},
      {"S135", {F(0x88, "\x03\xe8\xff")}, "fail EUTF8 "},
      {"S135", {F(0x88, "\x03\xe8ok\xe2\x82")}, "fail EUTF8 "},
      {"S136, X20", {F(0x88, "\x03")}, "fail EPROTOCOL "},
      {"S137", {F(0x88, "\x00\x00")}, "fail EPROTOCOL "},
      {"S137", {F(0x88, "\x03\xe7")}, "fail EPROTOCOL "},
      {"S137", {F(0x88, "\x03\xec")}, "fail EPROTOCOL "},
      {"S137", {F(0x88, "\x03\xed")}, "fail EPROTOCOL "},
      {"S137", {F(0x88, "\x03\xee")}, "fail EPROTOCOL "},
      {"S137", {F(0x88, "\x03\xf7")}, "fail EPROTOCOL "},
      {"S137", {F(0x88, "\x03\xf8")}, "fail EPROTOCOL "},
      {"S137", {F(0x88, "\x13\x88")}, "fail EPROTOCOL "},
      {"S137", {F(0x88, "\xff\xff")}, "fail EPROTOCOL "},
      {"S137, 135: the code first", {F(0x88, "\x03\xe7\xff")},
       "fail EPROTOCOL "},
  };
  RUN_STREAMS(list);
}

/* S137, A43: every possible code. */
TEST(test_every_close_code) {
  ws_receiver_limits limits = {0, false};
  for (unsigned code = 0; code < 65536; code++) {
    uint8_t bytes[] = {0x88, 2, (uint8_t)(code >> 8), (uint8_t)code};
    ws_receiver receiver;
    ws_event event;
    ws_receiver_init(&receiver, &limits, wire_resize);
    ws_receiver_feed(&receiver, bytes, sizeof bytes, &event);
    bool good = event.type == WS_EVENT_CLOSE && event.code == code;
    if (good != ws_close_code_valid(code))
      CHECK_INT(code, -1);
    ws_receiver_deinit(&receiver);
  }
  CHECK(true);
}

/* ----------------------------------------------------------------- text */

TEST(test_text_that_is_not_utf8) {
  static const stream list[] = {
      {"S154", {F(0x81, "\xff")}, "fail EUTF8 "},
      {"S154", {F(0x81, "ok\xc0\x80")}, "fail EUTF8 "},
      {"S154", {F(0x81, "\xed\xa0\x80")}, "fail EUTF8 "},
      {"S154", {F(0x81, "\xf4\x90\x80\x80")}, "fail EUTF8 "},
      {"S154", {F(0x81, "\xe2\x82")}, "fail EUTF8 "},
      {"S154", {F(0x81, "\x80")}, "fail EUTF8 "},
      {"S154", {F(0x01, "\xe2\x82"), F(0x80, "")}, "fail EUTF8 "},
      {"S153",
       {F(0x01, "\xe2"), F(0x00, "\x82"), F(0x80, "\xac")},
       "text(\xe2\x82\xac) "},
      {"S153",
       {F(0x01, "\xe2"), F(0x89, "\xff"), F(0x80, "\x82\xac")},
       "ping(\xff) text(\xe2\x82\xac) "},
      {"S153", {F(0x01, "\xe2"), F(0x80, "a")}, "fail EUTF8 "},
      {"S153, 42: as soon as it shows", {F(0x01, "\xf4\x90")}, "fail EUTF8 "},
      {"S154", {F(0x82, "\xff"), F(0x02, "\xff"), F(0x80, "\xc0")},
       "binary(\xff) binary(\xff\xc0) "},
      {"S154: state is of one message",
       {F(0x81, "\xef\xbf\xbf"), F(0x81, "\xf0\x90\x80\x80")},
       "text(\xef\xbf\xbf) text(\xf0\x90\x80\x80) "},
      {"S154: nor of a binary one before",
       {F(0x02, "\xe2"), F(0x80, "\x82"), F(0x01, "a"), F(0x80, "b")},
       "binary(\xe2\x82) text(ab) "},
  };
  RUN_STREAMS(list);
}

/* A42: the failure comes with the bad byte, not with the frame's end. */
TEST(test_text_fails_at_the_first_bad_byte) {
  static const char text[] = "good \xe2\x82\xac then \xed\xbf bad bytes";
  const size_t bad = 14 + 1; /* ED may be followed by 80..9F only */
  for (int masked = 0; masked < 2; masked++) {
    ws_receiver_limits limits = {0, masked != 0};
    wire bytes = {0};
    wire_frame(&bytes, 0x81, text, sizeof text - 1, limits.masked);
    size_t head = limits.masked ? 6 : 2;
    for (size_t cut = 1; cut < bytes.len; cut++) {
      ws_receiver receiver;
      ws_event event;
      ws_receiver_init(&receiver, &limits, wire_resize);
      ws_receiver_feed(&receiver, wire_piece(bytes.data, cut), cut, &event);
      CHECK_INT(event.type,
                cut > head + bad ? WS_EVENT_FAIL : WS_EVENT_NONE);
      ws_receiver_deinit(&receiver);
    }
    wire_free(&bytes);
  }
}

/* --------------------------------------------------------------- limits */

/* S158, A40: the limit itself is allowed, one byte more is not. */
TEST(test_message_limit) {
  for (int masked = 0; masked < 2; masked++)
    for (size_t len = 9; len <= 11; len++) {
      const char *expected = len == 9    ? "binary(123456789) "
                             : len == 10 ? "binary(1234567890) "
                                         : "fail ETOOBIG ";
      wire bytes = {0};
      wire_frame(&bytes, 0x82, "12345678901", len, masked != 0);
      run_bytes("40", &bytes, masked != 0, 10, expected);
      wire_free(&bytes);
      wire_frame(&bytes, 0x02, "1234", 4, masked != 0);
      wire_frame(&bytes, 0x00, "", 0, masked != 0);
      wire_frame(&bytes, 0x80, "5678901", len - 4, masked != 0);
      run_bytes("40", &bytes, masked != 0, 10, expected);
      wire_free(&bytes);
    }
}

/* S158: control frames are not part of the message. */
TEST(test_limit_is_not_for_control_frames) {
  wire bytes = {0};
  wire_frame(&bytes, 0x01, "12", 2, true);
  wire_frame(&bytes, 0x89, "a longer ping", 13, true);
  wire_frame(&bytes, 0x80, "3", 1, true);
  run_bytes("40", &bytes, true, 3, "ping(a longer ping) text(123) ");
  wire_free(&bytes);
}

static int feed_once(ws_receiver *receiver, const void *bytes, size_t len) {
  ws_event event;
  ws_receiver_feed(receiver, wire_piece(bytes, len), len, &event);
  return event.type == WS_EVENT_FAIL ? event.status : WS_OK;
}

/* A34, A41: no sum wraps, with and without a limit. */
TEST(test_length_arithmetic) {
  static const uint64_t limits_tried[] = {0, 100, UINT64_MAX, INT64_MAX};
  static const char *const lengths[] = {
      "\x80\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
      "\x80\x7f\x40\x00\x00\x00\x00\x00\x00\x00",
      "\x00\x7f\x7f\xff\xff\xff\xff\xff\xff\xfe",
      "\x80\x7f\x3f\xff\xff\xff\xff\xff\xff\xff"};
  for (size_t i = 0; i < 4; i++)
    for (size_t n = 0; n < 4; n++) {
      ws_receiver_limits limits = {limits_tried[i], false};
      ws_receiver receiver;
      ws_receiver_init(&receiver, &limits, wire_resize);
      CHECK_INT(feed_once(&receiver, "\x02\x02hi", 4), WS_OK);
      CHECK_INT(feed_once(&receiver, lengths[n], 10), WS_ETOOBIG);
      CHECK_INT(wire_memory.blocks, 0);
      ws_receiver_deinit(&receiver);
    }
}

/* S158: known from the header, before any memory is requested. */
TEST(test_too_big_allocates_nothing) {
  ws_receiver_limits limits = {1000, false};
  ws_receiver receiver;
  ws_receiver_init(&receiver, &limits, wire_resize);
  wire_memory_reset();
  CHECK_INT(feed_once(&receiver, "\x82\x7e\x03\xe9 first bytes", 16),
            WS_ETOOBIG);
  CHECK_INT(wire_memory.calls, 0);
  ws_receiver_deinit(&receiver);
}

TEST(test_stays_failed) {
  ws_receiver_limits limits = {0, false};
  ws_receiver receiver;
  ws_event event;
  ws_receiver_init(&receiver, &limits, wire_resize);
  CHECK_INT(feed_once(&receiver, "\x80\x00", 2), WS_EPROTOCOL);
  uint8_t good[] = {0x81, 0};
  CHECK_INT(ws_receiver_feed(&receiver, good, 2, &event), 0);
  CHECK_INT(event.type, WS_EVENT_FAIL);
  CHECK_INT(event.status, WS_EPROTOCOL);
  CHECK(event.why != NULL);
  ws_receiver_feed(&receiver, good, 0, &event);
  CHECK_INT(event.type, WS_EVENT_FAIL);
  ws_receiver_deinit(&receiver);
}

/* --------------------------------------------------------------- memory */

/* A frame that is complete is handed out in place. */
TEST(test_whole_frames_are_not_copied) {
  for (int masked = 0; masked < 2; masked++) {
    ws_receiver_limits limits = {0, masked != 0};
    ws_receiver receiver;
    wire bytes = {0};
    static uint8_t payload[70000];
    wire_frame(&bytes, 0x81, payload, sizeof payload, limits.masked);
    ws_receiver_init(&receiver, &limits, wire_resize);
    wire_memory_reset();
    uint8_t *piece = wire_piece(bytes.data, bytes.len);
    ws_event event;
    CHECK_INT(ws_receiver_feed(&receiver, piece, bytes.len, &event),
              bytes.len);
    CHECK_INT(event.type, WS_EVENT_MESSAGE);
    CHECK(event.data == piece + bytes.len - sizeof payload);
    CHECK(memcmp(event.data, payload, sizeof payload) == 0);
    CHECK_INT(wire_memory.calls, 0);
    ws_receiver_deinit(&receiver);
    wire_free(&bytes);
  }
}

/* A35: a declared length costs no memory until the bytes come. */
TEST(test_declared_length_allocates_nothing) {
  ws_receiver_limits limits = {(uint64_t)1 << 40, false};
  ws_receiver receiver;
  uint8_t some[1000] = {0};
  ws_receiver_init(&receiver, &limits, wire_resize);
  wire_memory_reset();
  CHECK_INT(feed_once(&receiver, "\x82\x7f\0\0\0\0\x20\0\0\0", 10), WS_OK);
  CHECK_INT(wire_memory.calls, 0);
  size_t sent = 0;
  for (int i = 0; i < 500; i++) {
    CHECK_INT(feed_once(&receiver, some, sizeof some), WS_OK);
    sent += sizeof some;
    CHECK(wire_memory.held <= 2 * sent + 4096);
  }
  ws_receiver_deinit(&receiver);
  CHECK_INT(wire_memory.blocks, 0);
}

/* Memory never exceeds a known length. */
TEST(test_memory_ends_at_the_known_length) {
  ws_receiver_limits limits = {0, false};
  for (size_t len = 1; len < 20000; len = len * 3 + 1) {
    ws_receiver receiver;
    wire bytes = {0}, log = {0};
    static uint8_t payload[20000];
    wire_frame(&bytes, 0x82, payload, len, false);
    ws_receiver_init(&receiver, &limits, wire_resize);
    wire_memory_reset();
    for (size_t at = 0; at < bytes.len; at++)
      feed(&receiver, bytes.data + at, 1, &log);
    CHECK(wire_memory.peak <= len);
    CHECK_INT(wire_memory.held, 0);
    ws_receiver_deinit(&receiver);
    wire_free(&bytes);
    wire_free(&log);
  }
}

/* A message that was handed out is freed by the next call, even one without
 * bytes. */
TEST(test_nothing_is_held_at_rest) {
  ws_receiver_limits limits = {0, false};
  ws_receiver receiver;
  ws_event event;
  ws_receiver_init(&receiver, &limits, wire_resize);
  CHECK_INT(feed_once(&receiver, "\x01\x03" "abc", 5), WS_OK);
  uint8_t rest[] = {0x80, 1, 'd'};
  ws_receiver_feed(&receiver, rest, 3, &event);
  CHECK_BYTES(event.data, event.len, "abcd");
  CHECK_INT(wire_memory.blocks, 1);
  CHECK_INT(ws_receiver_feed(&receiver, rest, 0, &event), 0);
  CHECK_INT(event.type, WS_EVENT_NONE);
  CHECK_INT(wire_memory.blocks, 0);
  ws_receiver_deinit(&receiver);
}

static void feed_empty_fragments(void *subject, size_t count) {
  static uint8_t bytes[6 * 1000];
  static const ws_receiver_limits limits = {0, true};
  ws_receiver receiver;
  ws_event event;
  (void)subject;
  for (size_t i = 0; i < sizeof bytes; i += 6) bytes[i + 1] = 0x80;
  ws_receiver_init(&receiver, &limits, wire_resize);
  wire_memory_reset();
  uint8_t first[] = {0x01, 0x80, 1, 2, 3, 4};
  ws_receiver_feed(&receiver, first, sizeof first, &event);
  for (size_t i = 0; i < count; i += 1000) {
    CHECK_INT(ws_receiver_feed(&receiver, bytes, sizeof bytes, &event),
              sizeof bytes);
    CHECK_INT(event.type, WS_EVENT_NONE);
  }
  first[0] = 0x80;
  ws_receiver_feed(&receiver, first, sizeof first, &event);
  CHECK_INT(event.type, WS_EVENT_MESSAGE);
  CHECK_INT(event.len, 0);
  CHECK(event.data != NULL);
  CHECK_INT(wire_memory.calls, 0);
  ws_receiver_deinit(&receiver);
}

/* A38, A39: a million empty fragments take no memory and linear time, and give
 * an empty message. */
TEST(test_empty_fragments) {
  CHECK(check_linear(feed_empty_fragments, NULL, 125000));
}

static void feed_tiny_fragments(void *subject, size_t count) {
  const ws_receiver_limits limits = {count, false};
  ws_receiver receiver;
  ws_event event;
  (void)subject;
  ws_receiver_init(&receiver, &limits, wire_resize);
  wire_memory_reset();
  for (size_t i = 0; i < count; i++) {
    uint8_t bytes[] = {i == 0 ? 0x02 : 0x00, 1, (uint8_t)i};
    ws_receiver_feed(&receiver, bytes, sizeof bytes, &event);
    if (event.type != WS_EVENT_NONE || wire_memory.held > 2 * i + 8192)
      CHECK_INT(i, -1);
  }
  CHECK(wire_memory.calls < 40);
  CHECK(wire_memory.peak <= 2 * count);
  CHECK_INT(feed_once(&receiver, "\x80\x01x", 3), WS_ETOOBIG);
  CHECK_INT(wire_memory.blocks, 0);
  ws_receiver_deinit(&receiver);
}

/* A39: fragments of one byte cost twice their payload, up to the limit. */
TEST(test_tiny_fragments) {
  CHECK(check_linear(feed_tiny_fragments, NULL, 40000));
}

/* Whole, in fragments and cut anywhere: messages are neither delivered nor
 * held, but what comes between and after them is delivered. */
TEST(test_a_muted_one_gives_no_messages) {
  static const uint8_t sent[] =
      "\x82\x02" "ab" "\x02\x01" "c" "\x89\x01" "p" "\x80\x01" "d"
      "\x81\x01" "e" "\x89\x01" "q";
  ws_receiver_limits limits = {2, false};
  for (size_t cut = 0; cut < sizeof sent; cut++) {
    ws_receiver receiver;
    uint8_t bytes[sizeof sent];
    wire log = {0};
    memcpy(bytes, sent, sizeof sent);
    ws_receiver_init(&receiver, &limits, wire_resize);
    wire_memory_reset();
    ws_receiver_mute(&receiver);
    CHECK(feed(&receiver, bytes, cut, &log));
    CHECK(feed(&receiver, bytes + cut, sizeof sent - 1 - cut, &log));
    CHECK_BYTES(log.data, log.len, "ping(p) ping(q) ");
    ws_receiver_feed(&receiver, bytes, 0, &(ws_event){0});
    CHECK_INT(wire_memory.blocks, 0);
    ws_receiver_deinit(&receiver);
    wire_free(&log);
  }
}

/* The owner copies a message that is delivered, so meanwhile the receiver keeps
 * only a little room to spare. */
TEST(test_a_told_message_holds_little_more) {
  uint8_t piece[4 + 1000] = {0, 126, 1000 >> 8, 1000 & 255};
  ws_receiver_limits limits = {0, false};
  for (size_t count = 1; count < 200; count++) {
    ws_receiver receiver;
    ws_event event;
    ws_receiver_init(&receiver, &limits, wire_resize);
    wire_memory_reset();
    for (size_t i = 0; i < count; i++) {
      piece[0] = i == 0 ? 0x02 : 0x00;
      CHECK_INT(feed_once(&receiver, piece, sizeof piece), WS_OK);
    }
    uint8_t last[] = {0x80, 0};
    wire_memory.fail_at = count % 3 == 0; /* it is delivered even then */
    ws_receiver_feed(&receiver, last, sizeof last, &event);
    CHECK_INT(event.type, WS_EVENT_MESSAGE);
    CHECK_INT(event.len, count * 1000);
    size_t spare = count % 3 == 0 ? event.len + 4096 : 16 * 1024;
    CHECK(wire_memory.held <= event.len + spare);
    ws_receiver_deinit(&receiver);
    CHECK_INT(wire_memory.blocks, 0);
  }
}

TEST(test_without_memory) {
  ws_receiver_limits limits = {0, false};
  for (size_t nth = 1; nth <= 3; nth++) {
    ws_receiver receiver;
    static uint8_t some[9000];
    ws_receiver_init(&receiver, &limits, wire_resize);
    wire_memory_reset();
    wire_memory.fail_at = nth;
    int status = feed_once(&receiver, "\x02\x01x", 3);
    for (int i = 0; i < 5 && status == WS_OK; i++) {
      status = feed_once(&receiver, "\x00\x7e\x23\x28", 4);
      if (status == WS_OK)
        status = feed_once(&receiver, some, sizeof some);
    }
    CHECK_INT(status, WS_ENOMEM);
    CHECK_INT(feed_once(&receiver, "\x80\x00", 2), WS_ENOMEM);
    CHECK_INT(wire_memory.blocks, 0);
    ws_receiver_deinit(&receiver);
  }
  wire_memory_reset();
}

/* ---------------------------------------------------------------- space */

TEST(test_space_is_only_in_long_frames) {
  ws_receiver_limits limits = {0, false};
  ws_receiver receiver;
  size_t room = 7;
  ws_receiver_init(&receiver, &limits, wire_resize);
  CHECK(!ws_receiver_space(&receiver, 1, &room));
  feed_once(&receiver, "\x82", 1);
  CHECK(!ws_receiver_space(&receiver, 1, &room));
  feed_once(&receiver, "\x05" "ab", 3);
  CHECK(!ws_receiver_space(&receiver, 4, &room));
  CHECK(ws_receiver_space(&receiver, 3, &room) != NULL);
  CHECK_INT(room, 3);
  feed_once(&receiver, "cde", 3);
  CHECK(!ws_receiver_space(&receiver, 1, &room));
  feed_once(&receiver, "\x89\x05" "ab", 4);
  CHECK(!ws_receiver_space(&receiver, 1, &room));
  CHECK_INT(feed_once(&receiver, "cde\x80\x00", 5), WS_OK);
  CHECK_INT(feed_once(&receiver, "\x80\x00", 2), WS_EPROTOCOL);
  CHECK(!ws_receiver_space(&receiver, 1, &room));
  ws_receiver_deinit(&receiver);
}

/* The space ends with the frame, even when the message continues. */
TEST(test_space_ends_with_the_frame) {
  ws_receiver_limits limits = {0, false};
  ws_receiver receiver;
  size_t room = 0;
  ws_receiver_init(&receiver, &limits, wire_resize);
  feed_once(&receiver, "\x02\x05" "ab", 4);
  uint8_t *space = ws_receiver_space(&receiver, 2, &room);
  CHECK(space != NULL);
  CHECK_INT(room, 3);
  feed_once(&receiver, "cde", 3);
  feed_once(&receiver, "\x80\x04" "f", 3);
  CHECK(ws_receiver_space(&receiver, 2, &room) == space + 4);
  CHECK_INT(room, 3);
  ws_receiver_deinit(&receiver);
}

/* A long message through the space only: the bytes are right, memory is
 * bounded, and they are seldom moved. */
TEST(test_space_carries_a_long_message) {
  enum { LEN = 1 << 20, LEAST = 16384 };
  uint8_t *payload = malloc(LEN);
  for (size_t i = 0; i < LEN; i++)
    payload[i] = (uint8_t)(i * 7 + i / 256);
  for (int masked = 0; masked < 2; masked++) {
    ws_receiver_limits limits = {0, masked != 0};
    ws_receiver receiver;
    ws_event event;
    wire bytes = {0};
    wire_frame(&bytes, 0x82, payload, LEN, limits.masked);
    ws_receiver_init(&receiver, &limits, wire_resize);
    wire_memory_reset();
    size_t at = 14;
    ws_receiver_feed(&receiver, bytes.data, at, &event);
    while (event.type == WS_EVENT_NONE && at < bytes.len) {
      size_t room = 0, left = bytes.len - at;
      uint8_t *space = ws_receiver_space(&receiver, LEAST, &room);
      CHECK((space != NULL) == (left >= LEAST));
      size_t n = !space ? left : room < 50001 ? room : 50001;
      CHECK(!space || (room >= LEAST && room <= left));
      if (space)
        memcpy(space, bytes.data + at, n);
      CHECK_INT(ws_receiver_feed(&receiver, space ? space : bytes.data + at,
                                 n, &event), n);
      at += n;
      CHECK(wire_memory.held <= 2 * at + LEAST);
    }
    CHECK_INT(event.type, WS_EVENT_MESSAGE);
    CHECK(event.len == LEN && memcmp(event.data, payload, LEN) == 0);
    CHECK(wire_memory.peak <= LEN);
    CHECK(wire_memory.calls < 12);
    ws_receiver_deinit(&receiver);
    wire_free(&bytes);
  }
  free(payload);
}

/* Text with a bad byte inside the space. */
TEST(test_space_with_bad_text) {
  ws_receiver_limits limits = {0, false};
  ws_receiver receiver;
  ws_event event;
  size_t room = 0;
  ws_receiver_init(&receiver, &limits, wire_resize);
  feed_once(&receiver, "\x81\x7d" "ok", 4);
  uint8_t *space = ws_receiver_space(&receiver, 3, &room);
  CHECK(space != NULL && room >= 3);
  memcpy(space, "a\xff" "b", 3);
  ws_receiver_feed(&receiver, space, 3, &event);
  CHECK_INT(event.status, WS_EUTF8);
  CHECK_INT(wire_memory.blocks, 0);
  ws_receiver_deinit(&receiver);
}

/* --------------------------------------------------------------- random */

static uint32_t next_random(uint32_t *state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static void random_stream(wire *bytes, uint32_t *state, bool masked) {
  static const uint8_t firsts[] = {0x81, 0x82, 0x01, 0x02, 0x00, 0x80,
                                   0x80, 0x00, 0x89, 0x8a, 0x88};
  for (unsigned n = 1 + next_random(state) % 6; n > 0; n--) {
    uint8_t payload[40];
    size_t len = next_random(state) % 12;
    for (size_t i = 0; i < len; i++)
      payload[i] = (uint8_t)(next_random(state) % 8 == 0
                                 ? next_random(state)
                                 : 'a' + next_random(state) % 20);
    unsigned first = firsts[next_random(state) % sizeof firsts];
    wire_frame(bytes, first, payload, len, masked);
  }
  /* Sometimes a bit is flipped. */
  if (next_random(state) % 3 == 0)
    bytes->data[next_random(state) % bytes->len] ^=
        (uint8_t)(1u << next_random(state) % 8);
}

/* S159: for any stream, the events and the reason of a failure do not depend on
 * how it is cut. */
TEST(test_random_streams_do_not_depend_on_the_cuts) {
  uint32_t state = 1;
  for (int round = 0; round < 3000; round++) {
    ws_receiver_limits limits = {20, round % 2 == 0};
    wire bytes = {0}, whole = {0};
    const char *why = NULL;
    random_stream(&bytes, &state, limits.masked);
    for (size_t way = 0; way <= wire_ways(bytes.len); way++) {
      ws_receiver receiver;
      wire log = {0};
      ws_receiver_init(&receiver, &limits, wire_resize);
      feed_in_way(&receiver, &bytes, way, way == 0 ? &whole : &log);
      if (way == 0) {
        why = receiver.why;
        wire_add(&whole, "", 1);
      } else if (!wire_is(&log, (const char *)whole.data)) {
        show("S159", way, &bytes, &log, (const char *)whole.data);
      } else {
        CHECK(receiver.why == why);
      }
      ws_receiver_deinit(&receiver);
      wire_free(&log);
    }
    wire_free(&bytes);
    wire_free(&whole);
  }
  CHECK_INT(wire_memory.blocks, 0);
}

int main(void) {
  RUN(test_messages);
  RUN(test_sizes);
  RUN(test_headers_that_fail);
  RUN(test_a_broken_frame_says_what_is_wrong);
  RUN(test_control_frame_of_125_bytes);
  RUN(test_wrong_masking);
  RUN(test_close_bodies);
  RUN(test_every_close_code);
  RUN(test_text_that_is_not_utf8);
  RUN(test_text_fails_at_the_first_bad_byte);
  RUN(test_message_limit);
  RUN(test_limit_is_not_for_control_frames);
  RUN(test_length_arithmetic);
  RUN(test_too_big_allocates_nothing);
  RUN(test_stays_failed);
  RUN(test_whole_frames_are_not_copied);
  RUN(test_declared_length_allocates_nothing);
  RUN(test_memory_ends_at_the_known_length);
  RUN(test_nothing_is_held_at_rest);
  RUN(test_empty_fragments);
  RUN(test_tiny_fragments);
  RUN(test_a_muted_one_gives_no_messages);
  RUN(test_a_told_message_holds_little_more);
  RUN(test_without_memory);
  RUN(test_space_is_only_in_long_frames);
  RUN(test_space_ends_with_the_frame);
  RUN(test_space_carries_a_long_message);
  RUN(test_space_with_bad_text);
  RUN(test_random_streams_do_not_depend_on_the_cuts);
  return check_done();
}
