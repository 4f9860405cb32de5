/* SPDX-License-Identifier: MIT */
/* Messages through zlib and back: the examples of RFC 7692 section 7.2.3, bytes
 * that are not deflate, output that is too long, no memory (S171-S178). */
#include "protocol/deflate.h"

#include "deflate_peer.h"

#define PLENTY ((size_t)1 << 24)

static ws_buffer fresh(void) {
  ws_buffer buffer;
  ws_buffer_init(&buffer, wire_resize, 0);
  return buffer;
}

static void empty(ws_buffer *buffer) {
  ws_buffer_consume(buffer, buffer->len);
}

static bool nothing_held(void) { return wire_memory.blocks == 0; }

/* ---------------------------------------------------------- deflating */

#define MADE(deflater, text, literal)                                    \
  do {                                                                   \
    CHECK_INT(ws_deflater_message(deflater, text, strlen(text), &out),   \
              WS_OK);                                                    \
    CHECK_BYTES(out.data, out.len, literal);                             \
    empty(&out);                                                         \
  } while (0)

TEST(hello) { /* S171 */
  ws_buffer out = fresh();
  ws_deflater *deflater = ws_deflater_new(wire_resize, 15, 6);
  MADE(deflater, "Hello", "\xf2\x48\xcd\xc9\xc9\x07\0");
  MADE(deflater, "Hello", "\xf2\0\x11\0\0");
  MADE(deflater, "", "\0"); /* S175 */
  MADE(deflater, "", "\0");
  ws_deflater_reset(deflater);
  MADE(deflater, "Hello", "\xf2\x48\xcd\xc9\xc9\x07\0");
  ws_deflater_reset(deflater);
  MADE(deflater, "", "\0");
  CHECK_INT(ws_deflater_message(deflater, NULL, 0, &out), WS_OK);
  CHECK_BYTES(out.data, out.len, "\0");
  ws_deflater_free(deflater);
  ws_buffer_deinit(&out);
  CHECK(nothing_held());
}

/* What the buffer held before stays there. */
TEST(messages_are_appended) {
  ws_buffer out = fresh();
  ws_deflater *deflater = ws_deflater_new(wire_resize, 15, 6);
  CHECK_INT(ws_buffer_append(&out, "<", 1), WS_OK);
  CHECK_INT(ws_deflater_message(deflater, "Hello", 5, &out), WS_OK);
  CHECK_INT(ws_deflater_message(deflater, "", 0, &out), WS_OK);
  CHECK_INT(ws_deflater_message(deflater, "Hello", 5, &out), WS_OK);
  CHECK_BYTES(out.data, out.len,
              "<\xf2\x48\xcd\xc9\xc9\x07\0\0\xf2\0\x11\0\0");
  ws_deflater_free(deflater);
  ws_buffer_deinit(&out);
}

/* Whatever the length, the output is what zlib makes when it has all the room
 * it wants: no flush is written twice. */
TEST(every_length_up_to_a_thousand) {
  static const int levels[] = {0, 1, 6};
  for (size_t i = 0; i < 6; i++) {
    wire text = {0}, expected = {0};
    ws_buffer out = fresh();
    peer zlib;
    peer_start(&zlib, 15, 12, levels[i % 3]);
    ws_deflater *deflater = ws_deflater_new(wire_resize, 12, levels[i % 3]);
    for (size_t len = 0; len < 1000; len += len < 300 ? 1 : 7) {
      (i < 3 ? peer_words : peer_noise)(&text, len);
      peer_pack(&zlib, text.data, len, &expected);
      CHECK_INT(ws_deflater_message(deflater, text.data, len, &out), WS_OK);
      CHECK_INT(out.len, expected.len);
      CHECK(wire_same(&expected, out.data, out.len));
      empty(&out);
    }
    ws_deflater_free(deflater);
    ws_buffer_deinit(&out);
    peer_stop(&zlib);
    wire_free(&text);
    wire_free(&expected);
  }
}

TEST(a_buffer_that_is_full) {
  wire noise = {0};
  uint8_t memory[512];
  peer_noise(&noise, 1000);
  ws_deflater *deflater = ws_deflater_new(wire_resize, 15, 6);
  for (size_t size = 0; size <= sizeof memory; size += 64) {
    ws_buffer out;
    ws_buffer_init_fixed(&out, memory, size);
    CHECK_INT(ws_deflater_message(deflater, noise.data, noise.len, &out),
              WS_ETOOBIG);
    ws_deflater_reset(deflater);
  }
  ws_buffer out = fresh();
  MADE(deflater, "Hello", "\xf2\x48\xcd\xc9\xc9\x07\0");
  ws_deflater_free(deflater);
  ws_buffer_deinit(&out);
  wire_free(&noise);
}

/* ---------------------------------------------------------- inflating */

typedef struct example {
  const char *rule;
  struct {
    const char *bytes;
    size_t len;
    const char *text;
  } messages[4];
} example;

#define M(bytes, text) {bytes, sizeof(bytes) - 1, text}
#define HELLO M("\xf2\x48\xcd\xc9\xc9\x07\0", "Hello")
#define AGAIN M("\xf2\0\x11\0\0", "Hello")

static const example examples[] = {
    {"S172", {HELLO, AGAIN, AGAIN}},
    {"7.2.3.3 S174", {M("\0\5\0\xfa\xffHello\0", "Hello"), AGAIN}},
    {"7.2.3.4 S174", {M("\xf3\x48\xcd\xc9\xc9\x07\0\0", "Hello"), AGAIN}},
    {"S174", {M("\xf3\x48\xcd\xc9\xc9\x07\0\0", "Hello"), HELLO, AGAIN}},
    /* A last block, and no empty block after it. */
    {"S174", {M("\xf3\x48\xcd\xc9\xc9\x07\0", "Hello"), AGAIN, HELLO}},
    {"S174", {M("\1\5\0\xfa\xffHello", "Hello"), AGAIN}},
    {"S174", {HELLO, M("\xf3\0\x11\0", "Hello"), AGAIN}},
    /* The empty block whose end is cut off is marked as the last. */
    {"S174", {M("\0\5\0\xfa\xffHello\1", "Hello"), AGAIN, HELLO}},
    {"S174", {M("\1", ""), HELLO, M("\1", ""), AGAIN}},
    {"S174",
     {M("\xf3\x48\xcd\xc9\xc9\x07\0\xf3\x48\xcd\xc9\xc9\x07\0", "HelloHello"),
      AGAIN}},
    {"S174",
     {M("\xf3\x48\xcd\xc9\xc9\x07\0\xf3\0\x11\0\0", "HelloHello"), AGAIN}},
    {"7.2.3.5 S174",
     {M("\xf2\x48\5\0\0\0\xff\xff\xca\xc9\xc9\x07\0", "Hello"), AGAIN}},
    {"7.2.3.6 S175", {M("\0", ""), HELLO, M("\0", ""), AGAIN}},
    {"S175", {M("\2\0", ""), HELLO, M("\2\0", ""), AGAIN}},
    {"S175", {M("\3\0", ""), HELLO, M("\3\0\0", ""), AGAIN}},
};

/* Feeds the bytes, cut in this way (see wire_cut). */
static int inflate_in_way(ws_inflater *inflater, const void *bytes,
                          size_t len, size_t way, ws_buffer *out,
                          size_t most) {
  const uint8_t *data = bytes;
  int status = WS_OK;
  if (way >= wire_ways(len)) way = 0;
  for (size_t at = 0; at < len && status == WS_OK;) {
    size_t to = wire_cut(way, at, len);
    uint8_t *piece = wire_piece(data + at, to - at);
    status = ws_inflater_feed(inflater, piece, to - at, out, most);
    at = to;
  }
  return status == WS_OK ? ws_inflater_end(inflater, out, most) : status;
}

static void run_example(const example *it, size_t way) {
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  ws_buffer out = fresh();
  for (size_t i = 0; i < 4 && it->messages[i].bytes; i++) {
    const char *text = it->messages[i].text;
    int status = inflate_in_way(inflater, it->messages[i].bytes,
                                it->messages[i].len, way, &out, PLENTY);
    bool good = status == WS_OK && out.len == strlen(text) &&
                (out.len == 0 || memcmp(out.data, text, out.len) == 0);
    if (!good)
      fprintf(stderr, "%s: message %zu, cut %zu, %s\n", it->rule, i, way,
              ws_status_name(status));
    CHECK(good);
    empty(&out);
  }
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
}

TEST(examples_at_every_cut) {
  for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
    for (size_t way = 0; way < 16; way++) run_example(&examples[i], way);
  CHECK(nothing_held());
}

/* S173: without the first message, the second cannot be inflated. */
TEST(reset_forgets) {
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  ws_buffer out = fresh();
  for (int i = 0; i < 2; i++) {
    CHECK_INT(inflate_in_way(inflater, "\xf2\x48\xcd\xc9\xc9\x07\0", 7, 0,
                             &out, PLENTY),
              WS_OK);
    CHECK_BYTES(out.data, out.len, "Hello");
    ws_inflater_reset(inflater);
    CHECK_INT(inflate_in_way(inflater, "\xf2\0\x11\0\0", 5, 0, &out, PLENTY),
              WS_EDEFLATE);
    ws_inflater_reset(inflater);
    empty(&out);
  }
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
}

/* S176: bytes that no compressor makes, or not all of them. */
TEST(what_cannot_be_inflated) {
  static const struct {
    const char *bytes;
    size_t len;
  } rows[] = {
#define B(bytes) {bytes, sizeof(bytes) - 1}
      B("\x06"),                        /* a reserved kind of block */
      B("\xff\xff\xff"),
      B("Hello"),
      B("\xf2\0\x11\0\0"),              /* before the window's beginning */
      B("\0\5\0\xfa\xfeHello\0"),       /* a length with a wrong complement */
      B("\4\0\xfe\xff"),                /* too many code lengths */
      B("\xf2"),
      B("\xf2\x48"),
      B("\xf2\x48\xcd"),
      B("\xf2\x48\xcd\xc9"),
      B("\xf2\x48\xcd\xc9\xc9"),
      B("\xf2\x48\xcd\xc9\xc9\x07"),
      B("\xf3\x48\xcd\xc9\xc9\x07"),
      B("\0\5\0\xfa"),
      B("\0\xa0\0\x5f\xffHello"),
      B("\0\5\0\xfa\xffHello"),         /* the empty block is missing */
      B("\xf3\x48\xcd\xc9\xc9\x07\0\6"), /* after a last block */
      B("\xf3\x48\xcd\xc9\xc9\x07\0\0\0"),
      /* Its codes are such that the block ends two bits before the bytes that
       * end every message do. */
      B("\x04\xc0\x01\x92\x24\x49\x92\x24\xc9\xb7\x22\xb1\xa8\x79\x64"
        "\xf5\xec\xfd\x1f\0\0\0\x0e\0"),
#undef B
  };
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  ws_buffer out = fresh();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t way = 0; way < wire_ways(rows[i].len); way++) {
      int status = inflate_in_way(inflater, rows[i].bytes, rows[i].len, way,
                                  &out, PLENTY);
      if (status != WS_EDEFLATE)
        fprintf(stderr, "row %zu, cut %zu\n", i, way);
      CHECK_INT(status, WS_EDEFLATE);
      /* It works again once it is reset. */
      ws_inflater_reset(inflater);
      empty(&out);
      CHECK_INT(inflate_in_way(inflater, "\xf2\x48\xcd\xc9\xc9\x07\0", 7, way,
                               &out, PLENTY),
                WS_OK);
      CHECK_BYTES(out.data, out.len, "Hello");
      ws_inflater_reset(inflater);
      empty(&out);
    }
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
}

/* S176: a message with its own code tables fails wherever it is cut short. */
TEST(cut_short_anywhere) {
  wire text = {0}, packed = {0};
  peer zlib;
  peer_start(&zlib, 15, 15, 6);
  peer_words(&text, 2000);
  peer_pack(&zlib, text.data, text.len, &packed);
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  ws_buffer out = fresh();
  for (size_t len = 1; len < packed.len; len++) {
    CHECK_INT(inflate_in_way(inflater, packed.data, len, 0, &out, PLENTY),
              WS_EDEFLATE);
    CHECK(out.len <= text.len + 258);
    ws_inflater_reset(inflater);
    empty(&out);
  }
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
  peer_stop(&zlib);
  wire_free(&text);
  wire_free(&packed);
}

TEST(every_cut_of_two_messages) {
  wire text[2] = {{0}, {0}}, packed[2] = {{0}, {0}};
  peer zlib;
  peer_start(&zlib, 15, 15, 6);
  for (int i = 0; i < 2; i++) {
    peer_words(&text[i], 900);
    peer_pack(&zlib, text[i].data, text[i].len, &packed[i]);
  }
  CHECK(packed[1].len > 100);
  for (size_t way = 0; way < wire_ways(packed[0].len); way++) {
    ws_inflater *inflater = ws_inflater_new(wire_resize);
    ws_buffer out = fresh();
    for (int i = 0; i < 2; i++) {
      CHECK_INT(inflate_in_way(inflater, packed[i].data, packed[i].len, way,
                               &out, PLENTY),
                WS_OK);
      CHECK(wire_same(&text[i], out.data, out.len));
      empty(&out);
    }
    ws_inflater_free(inflater);
    ws_buffer_deinit(&out);
  }
  peer_stop(&zlib);
  for (int i = 0; i < 2; i++) {
    wire_free(&text[i]);
    wire_free(&packed[i]);
  }
}

/* -------------------------------------------------------------- limits */

static void zeros(wire *packed, size_t len) {
  peer zlib;
  uint8_t *block = calloc(1, len + 1);
  if (!block) _exit(2);
  peer_start(&zlib, 15, 15, 9);
  peer_pack(&zlib, block, len, packed);
  peer_stop(&zlib);
  free(block);
}

TEST(a_bomb_stops_early) { /* S178 */
  wire packed = {0};
  zeros(&packed, (size_t)10 << 20);
  CHECK(packed.len < 12000);
  static const size_t limits[] = {0, 1, 1000, 16383, 16384, 100000, 1 << 20};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
    for (size_t way = 0; way < 2; way++) {
      wire_memory_reset();
      ws_inflater *inflater = ws_inflater_new(wire_resize);
      ws_buffer out = fresh();
      size_t before = wire_memory.held;
      CHECK_INT(inflate_in_way(inflater, packed.data, packed.len, way, &out,
                               limits[i]),
                WS_ETOOBIG);
      CHECK_INT(out.len, limits[i] + 1);
      CHECK(wire_memory.peak <=
            before + WS_WINDOW + 2 * (limits[i] + 16384));
      ws_inflater_free(inflater);
      ws_buffer_deinit(&out);
    }
  wire_free(&packed);
}

static const uint8_t zero[1000];

/* A message that is one last block of `len` zeros, without an empty block after
 * it. */
static void last_block(wire *packed, size_t len) {
  uint8_t bytes[100];
  z_stream z = {.next_in = (Bytef *)(uintptr_t)zero,
                .avail_in = (unsigned)len,
                .next_out = bytes,
                .avail_out = sizeof bytes};
  if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK ||
      deflate(&z, Z_FINISH) != Z_STREAM_END)
    _exit(2);
  packed->len = 0;
  wire_add(packed, bytes, sizeof bytes - z.avail_out);
  (void)deflateEnd(&z);
}

/* A last block is whole wherever the room for its output ends: in it, right
 * after it, or later. */
TEST(last_blocks_of_every_length) { /* S174 */
  wire packed = {0};
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  ws_buffer out = fresh();
  for (size_t len = 1; len <= sizeof zero; len++)
    for (size_t way = 0; way < 2; way++) {
      last_block(&packed, len);
      CHECK_INT(inflate_in_way(inflater, packed.data, packed.len, way, &out,
                               PLENTY),
                WS_OK);
      CHECK(out.len == len && memcmp(out.data, zero, len) == 0);
      empty(&out);
    }
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
  wire_free(&packed);
}

typedef struct emptiness {
  ws_inflater *inflater;
  ws_buffer *out;
  wire blocks;
} emptiness;

static void inflate_nothing(void *subject, size_t size) {
  const emptiness *it = subject;
  size_t before = it->out->len;
  wire_memory_reset();
  CHECK_INT(inflate_in_way(it->inflater, it->blocks.data, size, 0, it->out,
                           PLENTY),
            WS_OK);
  CHECK(wire_memory.calls <= 1);
  CHECK_INT(it->out->len, before);
}

/* Very many last blocks cost the receiver no more than other blocks: nothing is
 * allocated or moved for them. */
TEST(many_last_blocks) { /* S174, S178 */
  wire noise = {0}, packed = {0};
  peer zlib;
  peer_start(&zlib, 15, 15, 6);
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  ws_buffer out = fresh();
  peer_noise(&noise, 40000); /* fills the window */
  peer_pack(&zlib, noise.data, noise.len, &packed);
  CHECK_INT(inflate_in_way(inflater, packed.data, packed.len, 0, &out,
                           PLENTY),
            WS_OK);
  emptiness others = {inflater, &out, {0}}, last = {inflater, &out, {0}};
  for (int i = 0; i < 1 << 17; i++) {
    wire_add(&others.blocks, "\0\0\0\xff\xff", 5);
    wire_add(&last.blocks, "\3\0", 2);
  }
  wire_add(&others.blocks, "\0", 1); /* the end is not stored */
  CHECK(check_times(inflate_nothing, &others, others.blocks.len, &last,
                    last.blocks.len, 24));
  CHECK_INT(out.len, noise.len);
  empty(&out);
  peer_pack(&zlib, noise.data + 39000, 1000, &packed);
  CHECK(packed.len < 100);
  CHECK_INT(inflate_in_way(inflater, packed.data, packed.len, 0, &out,
                           PLENTY),
            WS_OK);
  CHECK(out.len == 1000 && memcmp(out.data, noise.data + 39000, 1000) == 0);
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
  peer_stop(&zlib);
  wire_free(&others.blocks);
  wire_free(&last.blocks);
  wire_free(&noise);
  wire_free(&packed);
}

/* A message that is too long before it is broken counts as too long, at every
 * cut. */
TEST(too_long_and_broken) {
  wire packed = {0};
  zeros(&packed, 100);
  wire_add(&packed, "\xff\xff\xff\xff", 4); /* lengths that do not fit */
  for (size_t way = 0; way < wire_ways(packed.len); way++) {
    ws_inflater *inflater = ws_inflater_new(wire_resize);
    ws_buffer out = fresh();
    CHECK_INT(inflate_in_way(inflater, packed.data, packed.len, way, &out, 99),
              WS_ETOOBIG);
    empty(&out);
    ws_inflater_reset(inflater);
    CHECK_INT(
        inflate_in_way(inflater, packed.data, packed.len, way, &out, 100),
        WS_EDEFLATE);
    ws_inflater_free(inflater);
    ws_buffer_deinit(&out);
  }
  wire_free(&packed);
}

/* S178: the limit itself is allowed; a buffer's own limit holds too. */
TEST(limits_to_the_byte) {
  static const size_t lengths[] = {1, 255, 256, 16383, 16384, 16385, 40000};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    wire packed = {0};
    size_t len = lengths[i];
    zeros(&packed, len);
    for (size_t way = 0; way < 2; way++) {
      ws_inflater *inflater = ws_inflater_new(wire_resize);
      ws_buffer out = fresh();
      CHECK_INT(inflate_in_way(inflater, packed.data, packed.len, way, &out,
                               len),
                WS_OK);
      CHECK_INT(out.len, len);
      empty(&out);
      ws_inflater_reset(inflater);
      CHECK_INT(inflate_in_way(inflater, packed.data, packed.len, way, &out,
                               len - 1),
                WS_ETOOBIG);
      ws_inflater_free(inflater);
      ws_buffer_deinit(&out);
    }
    wire_free(&packed);
  }
}

/* --------------------------------------------------------- round trips */

/* Messages of all sizes, both ways, between our code and zlib: ours stay within
 * the window, and refer to earlier messages. */
static void round_trips(unsigned bits, int level, const size_t *lengths,
                        size_t count) {
  wire text = {0}, packed = {0}, back = {0};
  ws_buffer out = fresh();
  peer zlib;
  peer_start(&zlib, (int)bits, (int)bits, level);
  ws_deflater *deflater = ws_deflater_new(wire_resize, bits, level);
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  for (size_t i = 0; i < count; i++) {
    (i % 2 ? peer_noise : peer_words)(&text, lengths[i]);
    CHECK_INT(ws_deflater_message(deflater, text.data, text.len, &out),
              WS_OK);
    CHECK(peer_unpack(&zlib, out.data, out.len, &back));
    CHECK(wire_same(&text, back.data, back.len));
    empty(&out);
    peer_pack(&zlib, text.data, text.len, &packed);
    CHECK_INT(inflate_in_way(inflater, packed.data, packed.len, 0, &out,
                             text.len),
              WS_OK);
    CHECK(wire_same(&text, out.data, out.len));
    empty(&out);
  }
  ws_deflater_free(deflater);
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
  peer_stop(&zlib);
  wire_free(&text);
  wire_free(&packed);
  wire_free(&back);
}

TEST(every_window_and_level) {
  static const size_t lengths[] = {5000, 700, 0, 33000, 1, 1200};
  for (unsigned bits = 9; bits <= 15; bits++)
    for (int level = 0; level <= 9; level++)
      round_trips(bits, level, lengths, sizeof lengths / sizeof *lengths);
  CHECK(nothing_held());
}

TEST(long_messages_at_every_level) {
  static const size_t lengths[] = {300 << 10, 300 << 10, 65535, 65536, 200000};
  for (int level = 0; level <= 9; level++)
    round_trips(15, level, lengths, sizeof lengths / sizeof *lengths);
  CHECK(nothing_held());
}

/* S173: a repeated message takes almost no bytes. */
TEST(history_is_used) {
  wire text = {0};
  ws_buffer out = fresh();
  ws_deflater *deflater = ws_deflater_new(wire_resize, 15, 6);
  peer_noise(&text, 5000);
  CHECK_INT(ws_deflater_message(deflater, text.data, text.len, &out), WS_OK);
  CHECK(out.len > 5000);
  empty(&out);
  CHECK_INT(ws_deflater_message(deflater, text.data, text.len, &out), WS_OK);
  CHECK(out.len < 100);
  ws_deflater_free(deflater);
  ws_buffer_deinit(&out);
  wire_free(&text);
}

/* ------------------------------------------------------------- windows */

/* After each message, another inflater continues with the last one's window. */
TEST(windows_can_be_moved) { /* S173 */
  wire text = {0}, packed = {0};
  uint8_t *window = check_guarded(WS_WINDOW);
  peer zlib;
  peer_start(&zlib, 15, 15, 6);
  ws_buffer out = fresh();
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  CHECK_INT(ws_inflater_window(inflater, window), 0);
  size_t told = 0;
  for (size_t i = 0; i < 60; i++) {
    (i % 5 ? peer_words : peer_noise)(&text, i % 7 ? i * 50 : i * 700);
    peer_pack(&zlib, text.data, text.len, &packed);
    CHECK_INT(inflate_in_way(inflater, packed.data, packed.len, i % 2, &out,
                             PLENTY),
              WS_OK);
    CHECK(wire_same(&text, out.data, out.len));
    empty(&out);
    told += text.len;
    size_t len = ws_inflater_window(inflater, window);
    CHECK_INT(len, told < WS_WINDOW ? told : WS_WINDOW);
    ws_inflater *next = ws_inflater_new(wire_resize);
    CHECK_INT(ws_inflater_set_window(next, window, len), WS_OK);
    ws_inflater_free(inflater);
    inflater = next;
  }
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
  peer_stop(&zlib);
  wire_free(&text);
  wire_free(&packed);
  CHECK(nothing_held());
}

/* A connection that has not received anything has no window to carry over. */
TEST(no_window_costs_nothing) {
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  wire_memory_reset();
  CHECK_INT(ws_inflater_set_window(inflater, NULL, 0), WS_OK);
  CHECK_INT(wire_memory.calls, 0);
  ws_inflater_free(inflater);
}

/* -------------------------------------------------------------- memory */

/* zlib's memory is taken from `resize` too, about as much as deflate.h says. */
TEST(all_memory_is_counted) {
  ws_buffer out = fresh();
  ws_deflater *deflater = ws_deflater_new(wire_resize, 15, 6);
  CHECK(wire_memory.held > 200 << 10 && wire_memory.held < 300 << 10);
  ws_deflater_free(deflater);
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  CHECK(wire_memory.held > 4 << 10 && wire_memory.held < 12 << 10);
  size_t before = wire_memory.held;
  CHECK_INT(inflate_in_way(inflater, "\xf2\x48\xcd\xc9\xc9\x07\0", 7, 0,
                           &out, PLENTY),
            WS_OK);
  ws_buffer_deinit(&out);
  CHECK_INT(wire_memory.held, before + WS_WINDOW);
  ws_inflater_free(inflater);
  CHECK(nothing_held());
}

/* Uses everything while the n-th request for memory fails; true if there were
 * so many. Whatever failed works after a reset. */
static bool without_memory(size_t nth, const wire *text, const wire *bomb) {
  ws_buffer out = fresh();
  wire_memory_reset();
  wire_memory.fail_at = nth;
  ws_deflater *deflater = ws_deflater_new(wire_resize, 15, 6);
  ws_inflater *inflater = ws_inflater_new(wire_resize);
  int made = WS_OK, read = WS_OK, moved = WS_OK;
  if (deflater)
    made = ws_deflater_message(deflater, text->data, text->len, &out);
  empty(&out);
  if (inflater)
    moved = ws_inflater_set_window(inflater, text->data, WS_WINDOW);
  if (inflater && moved == WS_OK)
    read = inflate_in_way(inflater, bomb->data, bomb->len, 0, &out, PLENTY);
  bool failed = wire_memory.fail_at == 0;
  wire_memory.fail_at = 0;
  int failures = (deflater == NULL) + (inflater == NULL) +
                 (made != WS_OK) + (read != WS_OK) + (moved != WS_OK);
  CHECK_INT(failures, failed);
  CHECK(made == WS_OK || made == WS_ENOMEM);
  CHECK(read == WS_OK || read == WS_ENOMEM);
  CHECK(moved == WS_OK || moved == WS_ENOMEM);
  empty(&out);
  if (deflater) {
    ws_deflater_reset(deflater);
    MADE(deflater, "Hello", "\xf2\x48\xcd\xc9\xc9\x07\0");
  }
  if (inflater) {
    ws_inflater_reset(inflater);
    CHECK_INT(inflate_in_way(inflater, bomb->data, bomb->len, 0, &out,
                             PLENTY),
              WS_OK);
  }
  ws_deflater_free(deflater);
  ws_inflater_free(inflater);
  ws_buffer_deinit(&out);
  CHECK(nothing_held());
  return failed;
}

TEST(without_memory_anywhere) {
  wire text = {0}, bomb = {0};
  size_t nth = 1;
  peer_words(&text, 50000);
  zeros(&bomb, 200000);
  while (without_memory(nth, &text, &bomb)) nth++;
  CHECK(nth > 10);
  wire_free(&text);
  wire_free(&bomb);
}

TEST(nothing_may_be_freed) {
  ws_deflater_free(NULL);
  ws_inflater_free(NULL);
  CHECK(nothing_held());
}

int main(void) {
  RUN(hello);
  RUN(messages_are_appended);
  RUN(every_length_up_to_a_thousand);
  RUN(a_buffer_that_is_full);
  RUN(examples_at_every_cut);
  RUN(reset_forgets);
  RUN(what_cannot_be_inflated);
  RUN(cut_short_anywhere);
  RUN(every_cut_of_two_messages);
  RUN(a_bomb_stops_early);
  RUN(last_blocks_of_every_length);
  RUN(many_last_blocks);
  RUN(too_long_and_broken);
  RUN(limits_to_the_byte);
  RUN(every_window_and_level);
  RUN(long_messages_at_every_level);
  RUN(history_is_used);
  RUN(windows_can_be_moved);
  RUN(no_window_costs_nothing);
  RUN(all_memory_is_counted);
  RUN(without_memory_anywhere);
  RUN(nothing_may_be_freed);
  return check_done();
}
