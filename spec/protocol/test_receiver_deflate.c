/* SPDX-License-Identifier: MIT */
/* Streams of frames with compressed messages, and the events they must give: at
 * every cut and byte by byte, for both roles, before a guarded page (S162,
 * S163, S172-S179, S181). */
#include "protocol/receiver.h"

#include "deflate_peer.h"

static ws_deflate_pool pool;

static const ws_deflate_agreed usual = {
    .on = true, .server_bits = 15, .client_bits = 15};

typedef struct frame {
  unsigned first;
  const char *payload;
  size_t len;
} frame;

#define F(first, payload) {first, payload, sizeof(payload) - 1}

/* "Hello" compressed, and the same again, as a match in the window. */
#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\0"
#define AGAIN "\xf2\0\x11\0\0"
#define WHOLE HELLO "\0\0\xff\xff" /* more of the message may follow */

typedef struct stream {
  const char *rule;
  frame frames[8];
  const char *events;
} stream;

static void write_stream(wire *to, const stream *from, bool masked) {
  for (const frame *it = from->frames; it->payload; it++)
    wire_frame(to, it->first, it->payload, it->len, masked);
}

/* --------------------------------------------------------------- running */

/* A receiver and what it needs. */
typedef struct reading {
  ws_receiver receiver;
  ws_receiver_limits limits;
  ws_deflate *deflate;
  wire log;
} reading;

static void reading_start(reading *it, bool masked, uint64_t most,
                          const ws_deflate_agreed *agreed) {
  ws_deflate_options options = {.enabled = true, .level = 6};
  *it = (reading){.limits = {most, masked}};
  ws_receiver_init(&it->receiver, &it->limits, wire_resize);
  if (!agreed) return;
  it->deflate = ws_deflate_new(&pool, &options, agreed, masked,
                               most ? (size_t)most : SIZE_MAX / 4);
  CHECK(it->deflate != NULL);
  ws_receiver_use_deflate(&it->receiver, it->deflate);
}

static void reading_stop(reading *it) {
  ws_receiver_deinit(&it->receiver);
  ws_deflate_free(it->deflate);
  wire_free(&it->log);
}

/* Feeds a piece and logs its events; false once it has failed. */
static bool reading_feed(reading *it, const void *data, size_t len) {
  uint8_t *piece = wire_piece(data, len);
  size_t used = 0;
  for (;;) {
    ws_event event;
    used += ws_receiver_feed(&it->receiver, piece + used, len - used, &event);
    if (event.type == WS_EVENT_NONE) {
      CHECK_INT(used, len);
      return true;
    }
    CHECK(event.type == WS_EVENT_FAIL || event.data != NULL);
    wire_say_event(&it->log, &event);
    if (event.type == WS_EVENT_FAIL) return false;
  }
}

static void reading_all(reading *it, const wire *bytes, size_t way) {
  bool going = true;
  for (size_t at = 0; going && at < bytes->len;) {
    size_t to = wire_cut(way, at, bytes->len);
    going = reading_feed(it, bytes->data + at, to - at);
    at = to;
  }
}

static void run_bytes(const char *rule, const wire *bytes, bool masked,
                      uint64_t most, const ws_deflate_agreed *agreed,
                      const char *expected) {
  for (size_t way = 0; way < wire_ways(bytes->len); way++) {
    reading it;
    ws_deflate_pool_init(&pool, wire_resize);
    reading_start(&it, masked, most, agreed);
    reading_all(&it, bytes, way);
    bool good = wire_is(&it.log, expected);
    if (!good)
      fprintf(stderr, "%s, cut %zu of %zu bytes\n  is:  %.*s\n  not: %s\n",
              rule, way, bytes->len, (int)it.log.len,
              it.log.data ? (const char *)it.log.data : "", expected);
    CHECK(good);
    reading_stop(&it);
    ws_deflate_pool_deinit(&pool);
    CHECK_INT(wire_memory.blocks, 0);
  }
}

static void run_streams(const stream *streams, size_t count, uint64_t most,
                        const ws_deflate_agreed *agreed) {
  for (size_t i = 0; i < count; i++)
    for (int masked = 0; masked < 2; masked++) {
      wire bytes = {0};
      write_stream(&bytes, &streams[i], masked != 0);
      run_bytes(streams[i].rule, &bytes, masked != 0, most, agreed,
                streams[i].events);
      wire_free(&bytes);
    }
}

#define RUN_STREAMS(list, most, agreed) \
  run_streams(list, sizeof list / sizeof *list, most, agreed)

/* -------------------------------------------------------------- messages */

TEST(compressed_messages) {
  static const stream list[] = {
      {"S172", {F(0xc1, HELLO)}, "text(Hello) "},
      {"S172", {F(0xc2, HELLO)}, "binary(Hello) "},
      {"S173", {F(0xc1, HELLO), F(0xc1, AGAIN)}, "text(Hello) text(Hello) "},
      {"S173", {F(0xc2, HELLO), F(0xc1, AGAIN)},
       "binary(Hello) text(Hello) "},
      {"S174", {F(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\0\0"), F(0xc1, HELLO)},
       "text(Hello) text(Hello) "},
      {"S174", {F(0xc1, "\xf3\x48\xcd\xc9\xc9\x07\0"), F(0xc1, AGAIN)},
       "text(Hello) text(Hello) "},
      {"S174", {F(0xc1, "\0\5\0\xfa\xffHello\0")}, "text(Hello) "},
      {"S174", {F(0xc1, "\xf2\x48\5\0\0\0\xff\xff\xca\xc9\xc9\7\0")},
       "text(Hello) "},
      {"S175", {F(0xc1, "\0"), F(0xc2, "\0")}, "text() binary() "},
      {"S175", {F(0xc1, ""), F(0xc2, ""), F(0xc1, HELLO)},
       "text() binary() text(Hello) "},
      {"S175", {F(0x41, ""), F(0x00, ""), F(0x80, ""), F(0xc1, HELLO)},
       "text() text(Hello) "},
      {"S175", {F(0x41, ""), F(0x80, "\0")}, "text() "},
      /* Fragments may cut the compressed bytes anywhere. */
      {"S171", {F(0x41, "\xf2\x48\xcd"), F(0x80, "\xc9\xc9\x07\0")},
       "text(Hello) "},
      {"S171", {F(0x42, "\xf2"), F(0x00, "\x48\xcd\xc9"), F(0x00, ""),
                F(0x00, "\xc9\x07\0"), F(0x80, "")},
       "binary(Hello) "},
      {"S171", {F(0x41, WHOLE), F(0x80, AGAIN)}, "text(HelloHello) "},
      {"S171", {F(0x41, ""), F(0x80, HELLO), F(0x41, AGAIN), F(0x80, "")},
       "text(Hello) text(Hello) "},
      /* S181: uncompressed messages do not change the window. */
      {"S181", {F(0xc1, HELLO), F(0x81, "plain"), F(0xc1, AGAIN)},
       "text(Hello) text(plain) text(Hello) "},
      {"S181", {F(0xc1, HELLO), F(0x01, "pl"), F(0x80, "ain"), F(0xc1, AGAIN),
                F(0x82, "")},
       "text(Hello) text(plain) text(Hello) binary() "},
      {"S181", {F(0x01, "pl"), F(0x80, "ain"), F(0x41, HELLO), F(0x80, ""),
                F(0x02, "\xff"), F(0x80, "\xfe")},
       "text(plain) text(Hello) binary(\xff\xfe) "},
      /* Without RSV1 these bytes are plain text, which is not UTF-8. */
      {"S181", {F(0x81, HELLO)}, "fail EUTF8 "},
      {"S181", {F(0xc1, HELLO), F(0x82, HELLO), F(0xc1, AGAIN)},
       "text(Hello) binary(\xf2\x48\xcd\xc9\xc9\x07\\0) text(Hello) "},
  };
  RUN_STREAMS(list, 0, &usual);
}

TEST(control_frames_in_between) { /* S179 */
  static const stream list[] = {
      {"S179",
       {F(0x41, "\xf2\x48"), F(0x89, "one"), F(0x00, "\xcd\xc9"),
        F(0x8a, "two"), F(0x89, ""), F(0x80, "\xc9\x07\0"), F(0xc1, AGAIN)},
       "ping(one) pong(two) ping() text(Hello) text(Hello) "},
      {"S179", {F(0x41, ""), F(0x89, ""), F(0x80, HELLO), F(0x89, "x")},
       "ping() text(Hello) ping(x) "},
      {"S179", {F(0x41, HELLO), F(0x88, "\x03\xe8" "bye"), F(0x80, "")},
       "close1000(bye) text(Hello) "},
  };
  RUN_STREAMS(list, 0, &usual);
}

TEST(no_takeover) { /* S165, S173: each message stands alone */
  static const stream list[] = {
      {"S173", {F(0xc1, HELLO), F(0xc1, HELLO)}, "text(Hello) text(Hello) "},
      {"S173", {F(0xc1, HELLO), F(0xc1, AGAIN)},
       "text(Hello) fail EDEFLATE "},
  };
  ws_deflate_agreed agreed = usual;
  agreed.server_no_context = agreed.client_no_context = true;
  RUN_STREAMS(list, 0, &agreed);
}

/* ------------------------------------------------------------------ RSV1 */

TEST(reserved_bits) { /* S162: only RSV1, only on the first frame of data */
  static const stream list[] = {
      {"S162", {F(0x41, "\xf2\x48"), F(0xc0, "\xcd")}, "fail EPROTOCOL "},
      {"S162", {F(0x41, "\xf2\x48"), F(0x40, "\xcd")}, "fail EPROTOCOL "},
      {"S162", {F(0x01, "pl"), F(0xc0, "ain")}, "fail EPROTOCOL "},
      {"S162", {F(0xc0, HELLO)}, "fail EPROTOCOL "},
      {"S162", {F(0xc9, "")}, "fail EPROTOCOL "},
      {"S162", {F(0xca, "x")}, "fail EPROTOCOL "},
      {"S162", {F(0xc8, "\x03\xe8")}, "fail EPROTOCOL "},
      {"S162", {F(0x41, "\xf2\x48"), F(0xc9, "x")}, "fail EPROTOCOL "},
      {"S162", {F(0x41, "\xf2\x48"), F(0xc1, HELLO)}, "fail EPROTOCOL "},
      {"S162", {F(0xa1, "x")}, "fail EPROTOCOL "},
      {"S162", {F(0x91, "x")}, "fail EPROTOCOL "},
      {"S162", {F(0xe1, HELLO)}, "fail EPROTOCOL "},
      {"S162", {F(0xd1, HELLO)}, "fail EPROTOCOL "},
      {"S162", {F(0xf1, HELLO)}, "fail EPROTOCOL "},
      {"S162", {F(0xc3, HELLO)}, "fail EPROTOCOL "},
      {"S162", {F(0xc1, HELLO), F(0xc8, "")}, "text(Hello) fail EPROTOCOL "},
  };
  RUN_STREAMS(list, 0, &usual);
}

TEST(nothing_was_agreed) { /* S163, R53 */
  static const stream list[] = {
      {"S163", {F(0x81, "plain")}, "text(plain) "},
      {"S163", {F(0xc1, HELLO)}, "fail EPROTOCOL "},
      {"S163", {F(0xc2, "")}, "fail EPROTOCOL "},
      {"R53", {F(0x81, "a"), F(0x41, "\xf2\x48")},
       "text(a) fail EPROTOCOL "},
  };
  RUN_STREAMS(list, 0, NULL);
}

/* -------------------------------------------------------------- failures */

TEST(what_cannot_be_inflated) { /* S176 */
  static const stream list[] = {
      {"S176", {F(0xc1, "Hello")}, "fail EDEFLATE "},
      {"S176", {F(0xc2, "\x06")}, "fail EDEFLATE "},
      {"S176", {F(0xc1, AGAIN)}, "fail EDEFLATE "},
      {"S176", {F(0xc1, HELLO), F(0xc2, "\xff\xff")},
       "text(Hello) fail EDEFLATE "},
      {"S176", {F(0xc1, "\xf2\x48\xcd\xc9\xc9\x07")}, "fail EDEFLATE "},
      {"S176", {F(0x41, "\xf2\x48\xcd"), F(0x80, "")}, "fail EDEFLATE "},
      {"S176", {F(0x42, "\xf2\x48"), F(0x89, "x"), F(0x80, "\xff\xff\xff")},
       "ping(x) fail EDEFLATE "},
  };
  RUN_STREAMS(list, 0, &usual);
}

/* S177: the expanded text is checked, across fragments and at its end. The
 * failure is the same however the bytes are cut, even when others follow. */
TEST(text_that_is_not_utf8) {
  static const stream list[] = {
      {"S177", {F(0xc1, "\0\2\0\xfd\xff\xc3\xa4\0")}, "text(\xc3\xa4) "},
      {"S177", {F(0x41, "\0\2\0\xfd\xff\xc3"), F(0x80, "\xa4\0")},
       "text(\xc3\xa4) "},
      {"S177", {F(0xc1, "\0\1\0\xfe\xff\xc3\0\1\0\xfe\xff\xa4\0")},
       "text(\xc3\xa4) "},
      {"S177", {F(0xc2, "\0\2\0\xfd\xff\xff\xfe\0")}, "binary(\xff\xfe) "},
      {"S177", {F(0xc1, "\0\2\0\xfd\xff\xc3\xc3\0")}, "fail EUTF8 "},
      {"S177", {F(0xc1, "\0\1\0\xfe\xff\xc3\0")}, "fail EUTF8 "},
      {"S177", {F(0x41, "\0\1\0\xfe\xff\xc3\0"), F(0x80, "")}, "fail EUTF8 "},
      {"S177", {F(0x41, "\0\2\0\xfd\xff" "a\xff"), F(0x89, "never")},
       "fail EUTF8 "},
      /* First not text, then not deflate. */
      {"S177", {F(0xc1, "\0\1\0\xfe\xff\xff\6")}, "fail EUTF8 "},
      /* The bad byte comes before the limit of 10 is exceeded. */
      {"S177", {F(0xc1, "\0\x0c\0\xf3\xff" "ab\xff" "defghijkl\0")},
       "fail EUTF8 "},
      {"S178", {F(0xc1, "\0\x0c\0\xf3\xff" "abcdefghijk\xff\0")},
       "fail ETOOBIG "},
  };
  RUN_STREAMS(list, 10, &usual);
}

TEST(limits_are_for_what_comes_out) { /* S178 */
  static const stream list[] = {
      {"S178", {F(0xc1, HELLO), F(0xc1, AGAIN)}, "text(Hello) text(Hello) "},
      {"S178", {F(0xc1, "\0\6\0\xf9\xffHello!\0")}, "fail ETOOBIG "},
      {"S178", {F(0x41, WHOLE), F(0x80, "\0\1\0\xfe\xff!\0")},
       "fail ETOOBIG "},
      {"S178", {F(0x41, WHOLE), F(0x89, "p"), F(0x80, AGAIN)},
       "ping(p) fail ETOOBIG "},
      /* On the wire it may be longer. */
      {"S178",
       {F(0xc2, "\0\1\0\xfe\xff" "a\0\1\0\xfe\xff" "b\0\0\0\xff\xff\0")},
       "binary(ab) "},
      {"S178",
       {F(0x42, "\0\0\0\xff\xff"),
        F(0x00, "\0\1\0\xfe\xff" "a\0\1\0\xfe\xff" "b"), F(0x80, "\0")},
       "binary(ab) "},
      {"S178", {F(0x81, "Hello"), F(0x81, "Hello!")},
       "text(Hello) fail ETOOBIG "},
      {"S178", {F(0x01, "Hel"), F(0x80, "lo!")}, "fail ETOOBIG "},
  };
  RUN_STREAMS(list, 5, &usual);
}

TEST(a_bomb) { /* S178: 1009, in bounded memory */
  enum { LONG = 10 << 20, MOST = 100000 };
  wire packed = {0}, bytes = {0};
  peer zlib;
  void *zeros = calloc(1, LONG);
  if (!zeros) _exit(2);
  peer_start(&zlib, 15, 15, 9);
  peer_pack(&zlib, zeros, LONG, &packed);
  wire_frame(&bytes, 0xc2, packed.data, packed.len, true);
  for (size_t way = 0; way < 2; way++) {
    reading it;
    ws_deflate_pool_init(&pool, wire_resize);
    wire_memory_reset();
    reading_start(&it, true, MOST, &usual);
    reading_all(&it, &bytes, way);
    CHECK(wire_is(&it.log, "fail ETOOBIG "));
    CHECK(wire_memory.peak < 2 * (MOST + 16384) + 60000);
    /* A failed receiver does not keep the message. */
    CHECK_INT(it.deflate->text.len, 0);
    CHECK(wire_memory.held < 60000);
    CHECK(!reading_feed(&it, "x", 1));
    reading_stop(&it);
    ws_deflate_pool_deinit(&pool);
  }
  peer_stop(&zlib);
  free(zeros);
  wire_free(&packed);
  wire_free(&bytes);
}

/* ------------------------------------------------------- many messages */

/* Adds a message of the peer, compressed or not, in several frames with pings
 * in between, and the events that it must give. */
static void say_message(wire *bytes, wire *events, peer *zlib, bool masked) {
  wire text = {0}, packed = {0};
  unsigned opcode = 1 + peer_random() % 2;
  bool compressed = peer_random() % 4 != 0;
  size_t len = peer_random() % (peer_random() % 10 ? 300 : 20000);
  peer_words(&text, len);
  if (compressed) peer_pack(zlib, text.data, text.len, &packed);
  else wire_add(&packed, text.data, text.len);
  unsigned first = opcode | (compressed ? 0x40u : 0u);
  size_t frames = 1 + peer_random() % 4;
  for (size_t at = 0; frames > 0; frames--) {
    size_t n = frames == 1 ? packed.len - at
                           : peer_random() % (packed.len - at + 1);
    wire_frame(bytes, first | (frames == 1 ? 0x80u : 0u),
               packed.data ? packed.data + at : (const void *)"", n, masked);
    first = 0;
    at += n;
    if (frames == 1 || peer_random() % 3) continue;
    wire_frame(bytes, 0x89, "still there", 11, masked);
    wire_say(events, "ping(still there) ");
  }
  wire_say(events, opcode == 1 ? "text" : "binary");
  wire_say_bytes(events, text.data, text.len);
  wire_free(&text);
  wire_free(&packed);
}

TEST(random_streams_do_not_depend_on_the_cuts) {
  for (unsigned round = 0; round < 24; round++) {
    wire bytes = {0}, events = {0};
    bool masked = round % 2;
    ws_deflate_agreed agreed = usual;
    peer zlib;
    peer_start(&zlib, 15, 15, 6);
    zlib.out_alone = round % 3 == 0;
    agreed.client_no_context = agreed.server_no_context = round % 3 == 0;
    for (int i = 0; i < 30; i++)
      say_message(&bytes, &events, &zlib, masked);
    wire_add(&events, "", 1);
    for (size_t way = 0; way < 12; way++) {
      reading it;
      bool going = true;
      ws_deflate_pool_init(&pool, wire_resize);
      reading_start(&it, masked, 20000, &agreed);
      size_t most = way == 0 ? 1 : way == 1 ? bytes.len : way * way * 20;
      for (size_t at = 0; going && at < bytes.len;) {
        size_t n = way < 2 ? most : 1 + peer_random() % most;
        n = n < bytes.len - at ? n : bytes.len - at;
        going = reading_feed(&it, bytes.data + at, n);
        at += n;
      }
      CHECK(wire_is(&it.log, (const char *)events.data));
      reading_stop(&it);
      ws_deflate_pool_deinit(&pool);
      CHECK_INT(wire_memory.blocks, 0);
    }
    peer_stop(&zlib);
    wire_free(&bytes);
    wire_free(&events);
  }
}

/* -------------------------------------------------------------- memory */

/* What receiver.h promises. The worst is a step that begins when the block has
 * just too little room for it: hence one byte more than a power of two. */
TEST(memory_follows_what_is_inflated) {
  static const size_t firsts[] = {1, 100, 4097, 16385, 16500, 32769};
  enum { BLOCKS = 1000 };
  for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
    wire stored = {0}, blocks = {0};
    reading it;
    ws_deflate_pool_init(&pool, wire_resize);
    reading_start(&it, false, 0, &usual);
    size_t len = firsts[i];
    const uint8_t head[] = {0, (uint8_t)len, (uint8_t)(len >> 8),
                            (uint8_t)~len, (uint8_t)(~len >> 8)};
    peer_words(&blocks, len);
    wire_add(&stored, head, sizeof head);
    wire_add(&stored, blocks.data, len);
    blocks.len = 0;
    wire_frame(&blocks, 0x42, stored.data, stored.len, false);
    CHECK(reading_feed(&it, blocks.data, blocks.len));
    blocks.len = stored.len = 0;
    for (int n = 0; n < BLOCKS; n++) wire_add(&stored, "\0\0\0\xff\xff", 5);
    wire_frame(&blocks, 0x00, stored.data, stored.len, false);
    CHECK(reading_feed(&it, blocks.data, blocks.len));
    CHECK_INT(it.deflate->text.len, len);
    CHECK(it.deflate->text.cap <= 2 * len + 2 * 16384);
    reading_stop(&it);
    ws_deflate_pool_deinit(&pool);
    wire_free(&stored);
    wire_free(&blocks);
  }
}

/* A message that was handed out is freed by the next call, like any other. */
TEST(nothing_is_held_at_rest) {
  wire bytes = {0};
  reading it;
  ws_deflate_pool_init(&pool, wire_resize);
  wire_frame(&bytes, 0xc1, HELLO, sizeof HELLO - 1, true);
  reading_start(&it, true, 0, &usual);
  CHECK(reading_feed(&it, bytes.data, bytes.len));
  size_t blocks = wire_memory.blocks, held = wire_memory.held;
  for (int i = 0; i < 5; i++) {
    bytes.len = 0;
    wire_frame(&bytes, 0x41, AGAIN, 2, true);
    wire_frame(&bytes, 0x80, &AGAIN[2], 3, true);
    CHECK(reading_feed(&it, bytes.data, 8));
    CHECK(reading_feed(&it, bytes.data + 8, bytes.len - 8));
    CHECK_INT(wire_memory.blocks, blocks);
    CHECK_INT(wire_memory.held, held);
  }
  CHECK(it.receiver.message == NULL);
  CHECK(it.deflate->text.base == NULL);
  reading_stop(&it);
  ws_deflate_pool_deinit(&pool);
  wire_free(&bytes);
}

/* Compressed frames cannot be read into place, as they are not the message. */
TEST(no_space_in_compressed_frames) {
  wire bytes = {0}, noise = {0};
  reading it;
  size_t room;
  ws_deflate_pool_init(&pool, wire_resize);
  peer_noise(&noise, 300);
  wire_frame(&bytes, 0x42, "\0\x2c\1\xd3\xfe", 5, true);
  wire_frame(&bytes, 0x00, noise.data, noise.len, true);
  wire_frame(&bytes, 0x80, "\0", 1, true);
  wire_frame(&bytes, 0x82, noise.data, noise.len, true);
  reading_start(&it, true, 0, &usual);
  CHECK(reading_feed(&it, bytes.data, 50));
  CHECK(ws_receiver_space(&it.receiver, 1, &room) == NULL);
  size_t second = bytes.len - noise.len;
  CHECK(reading_feed(&it, bytes.data + 50, second + 5 - 50));
  CHECK(ws_receiver_space(&it.receiver, 1, &room) != NULL);
  CHECK(reading_feed(&it, bytes.data + second + 5, noise.len - 5));
  wire expected = {0};
  for (int i = 0; i < 2; i++) {
    wire_say(&expected, "binary");
    wire_say_bytes(&expected, noise.data, noise.len);
  }
  CHECK(wire_same(&it.log, expected.data, expected.len));
  reading_stop(&it);
  ws_deflate_pool_deinit(&pool);
  wire_free(&bytes);
  wire_free(&noise);
  wire_free(&expected);
}

/* The n-th request for memory fails. Then the receiver fails for good, or does
 * without that memory, and nothing is missing. */
static bool without_memory(size_t nth, const wire *bytes,
                           const char *events) {
  reading it;
  ws_deflate_pool_init(&pool, wire_resize);
  reading_start(&it, true, 0, &usual);
  wire_memory_reset();
  wire_memory.fail_at = nth;
  reading_all(&it, bytes, 0);
  bool failed = wire_memory.fail_at == 0;
  wire_memory.fail_at = 0;
  bool complete = wire_is(&it.log, events);
  CHECK(failed || complete);
  if (!complete) {
    wire_add(&it.log, "", 1);
    CHECK(strstr((const char *)it.log.data, "fail ENOMEM ") != NULL);
    CHECK(!reading_feed(&it, "x", 1));
  }
  reading_stop(&it);
  ws_deflate_pool_deinit(&pool);
  CHECK_INT(wire_memory.blocks, 0);
  return failed;
}

TEST(without_memory_anywhere) {
  wire bytes = {0}, events = {0};
  peer zlib;
  peer_start(&zlib, 15, 15, 6);
  for (int i = 0; i < 10; i++) say_message(&bytes, &events, &zlib, true);
  wire_add(&events, "", 1);
  size_t nth = 1;
  while (without_memory(nth, &bytes, (const char *)events.data)) nth++;
  CHECK(nth > 10);
  peer_stop(&zlib);
  wire_free(&bytes);
  wire_free(&events);
}

int main(void) {
  RUN(compressed_messages);
  RUN(control_frames_in_between);
  RUN(no_takeover);
  RUN(reserved_bits);
  RUN(nothing_was_agreed);
  RUN(what_cannot_be_inflated);
  RUN(text_that_is_not_utf8);
  RUN(limits_are_for_what_comes_out);
  RUN(a_bomb);
  RUN(random_streams_do_not_depend_on_the_cuts);
  RUN(memory_follows_what_is_inflated);
  RUN(nothing_is_held_at_rest);
  RUN(no_space_in_compressed_frames);
  RUN(without_memory_anywhere);
  return check_done();
}
