/* SPDX-License-Identifier: MIT */
/* UTF-8 (S153, S154) against a simple reading of RFC 3629: which is the first
 * byte after which no text can be valid. With each implementation for this
 * processor. */
#include "bytes/utf8.h"

#include "bytes/utf8_parts.h"
#include "check.h"

/* The bytes at which something changes in the table of RFC 3629 section 4. */
static const uint8_t edges[] = {
    0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2,
    0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5,
    0xf7, 0xf8, 0xff};
#define EDGES (sizeof edges / sizeof *edges)

/* Whether `size` bytes may encode any code point from `low` to `high`. */
static bool reachable(uint32_t low, uint32_t high, unsigned size) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (low < least[size]) low = least[size];
  if (high > 0x10ffff) high = 0x10ffff;
  if (low > high) return false;
  return !(low >= 0xd800 && high <= 0xdfff); /* surrogates only */
}

/* The length of the first character (1 to 4), 0 when it is not complete in
 * `len` bytes, or minus the number (from 1) of its first impossible byte. */
static int judge(const uint8_t *data, size_t len) {
  uint8_t lead = data[0];
  if (lead < 0x80) return 1;
  unsigned size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc0 || lead >= 0xf8) return -1;
  uint32_t value = lead & (0x7fu >> size);
  for (unsigned i = 1;; i++) {
    unsigned due = 6 * (size - i);
    uint32_t low = value << due, high = low + ((uint32_t)1 << due) - 1;
    if (!reachable(low, high, size)) return -(int)i;
    if (i == size) return (int)size;
    if (i == len) return 0;
    if (data[i] >> 6 != 2) return -(int)(i + 1);
    value = value << 6 | (data[i] & 0x3f);
  }
}

/* The place of the first bad byte, or `len`; *whole is whether the bytes before
 * it end with a whole character. */
static size_t good_until(const uint8_t *data, size_t len, bool *whole) {
  *whole = true;
  for (size_t at = 0; at < len;) {
    int size = judge(data + at, len - at);
    if (size > 0) {
      at += (size_t)size;
      continue;
    }
    *whole = size == -1;
    return size == 0 ? len : at + (size_t)-size - 1;
  }
  return len;
}

static bool feed(const uint8_t *data, size_t len) {
  ws_utf8 utf8 = {0};
  return ws_utf8_feed(&utf8, data, len);
}

/* Returns 1 unless the bytes are judged as good_until does: all of them, those
 * before the bad byte, and those up to it. */
static unsigned misjudged(const uint8_t *data, size_t len) {
  bool whole;
  size_t good = good_until(data, len, &whole);
  ws_utf8 utf8 = {0};
  bool fine = ws_utf8_valid(data, len) == (good == len && whole) &&
              ws_utf8_feed(&utf8, data, good) &&
              ws_utf8_complete(&utf8) == whole;
  if (good < len)
    fine = fine && !feed(data, good + 1) && !feed(data, len) &&
           !ws_utf8_feed(&utf8, data + good, 1);
  if (fine) return 0;
  fprintf(stderr, "  the first bad byte is %zu of\n", good);
  check_show("bytes", data, len);
  return 1;
}

#define ROOM 4096

/* A place for `len` bytes that ends at a guarded page. The bytes before it
 * begin a character, which must not be taken for a part of the text. */
static uint8_t *place(size_t len) {
  static uint8_t *end;
  if (!end) end = check_guarded(ROOM) + ROOM;
  memset(end - len - 8, 0xf1, 8);
  return end - len;
}

/* Room for the padding before and after a sequence, filled with "a". */
static uint8_t *padded(size_t before, size_t after) {
  uint8_t *data = place(before + after);
  memset(data, 'a', before + after);
  return data + before;
}

TEST(test_nothing) {
  ws_utf8 utf8 = {0};
  CHECK(ws_utf8_valid(NULL, 0));
  CHECK(ws_utf8_complete(&utf8));
  CHECK(ws_utf8_feed(&utf8, NULL, 0));
  CHECK(ws_utf8_complete(&utf8));
}

/* Judges the sequence with padding before and after it. */
static unsigned misjudged_at(size_t before, const uint8_t *sequence,
                             size_t len, size_t after) {
  uint8_t *at = padded(before, len + after);
  memcpy(at, sequence, len);
  return misjudged(at - before, before + len + after);
}

/* S154: lone continuations, truncated characters, overlong forms, surrogates,
 * above U+10FFFF. All pairs at a few places, pairs of edges at every place. */
TEST(test_bytes_and_pairs_at_every_place) {
  unsigned wrong = 0;
  for (size_t before = 0; before <= 80 && wrong < 20; before++)
    for (unsigned a = 0; a < 256; a++) {
      uint8_t pair[2] = {(uint8_t)a};
      wrong += misjudged_at(before, pair, 1, 0);
      for (size_t e = 0; e < EDGES; e++) {
        pair[1] = edges[e];
        wrong += misjudged_at(before, pair, 2, e % 2 * 20);
      }
    }
  for (unsigned both = 0; both < 0x10000 && wrong < 20; both++) {
    uint8_t pair[2] = {(uint8_t)(both >> 8), (uint8_t)both};
    wrong += misjudged_at(0, pair, 2, both % 3) +
             misjudged_at(15 + both % 2 * 16, pair, 2, 40);
  }
  CHECK_INT(wrong, 0);
}

/* S154 */
TEST(test_three_edges_at_every_place) {
  unsigned wrong = 0;
  for (size_t before = 0; before <= 80 && wrong < 20; before++)
    for (size_t e = 0; e < EDGES * EDGES * EDGES; e++) {
      uint8_t bytes[3] = {edges[e / EDGES / EDGES], edges[e / EDGES % EDGES],
                          edges[e % EDGES]};
      if (bytes[0] < 0x80) continue;
      wrong += misjudged_at(before, bytes, 3, e % 2 * (before % 7));
    }
  CHECK_INT(wrong, 0);
}

/* S154: four edges that begin with a lead byte, each at the places where
 * vectors end, and at all places in turn. */
TEST(test_four_edges) {
  static const size_t places[] = {0, 13, 14, 15, 29, 31, 61, 62, 63};
  unsigned wrong = 0;
  for (size_t e = 0; e < EDGES * EDGES * EDGES * EDGES && wrong < 20; e++) {
    uint8_t bytes[4] = {edges[e / EDGES / EDGES / EDGES],
                        edges[e / EDGES / EDGES % EDGES],
                        edges[e / EDGES % EDGES], edges[e % EDGES]};
    if (bytes[0] < 0xe0 || bytes[1] < 0x80) continue;
    wrong += misjudged_at(e % 81, bytes, 4, e % 3);
    if (bytes[0] < 0xf0 || bytes[0] > 0xf5 || bytes[1] > 0xc0) continue;
    for (size_t p = 0; p < sizeof places / sizeof *places; p++)
      wrong += misjudged_at(places[p], bytes, 4, e % 5);
  }
  CHECK_INT(wrong, 0);
}

/* S154: every three bytes that begin with a lead byte, alone and where they
 * straddle two vectors. */
TEST(test_every_three) {
  unsigned wrong = 0;
  uint8_t *alone = check_guarded(3), *among = check_guarded(40);
  memset(among, ' ', 40);
  for (unsigned long n = 0xc00000; n <= 0xffffff; n++) {
    uint8_t bytes[3] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    bool whole;
    bool good = good_until(bytes, 3, &whole) == 3 && whole;
    memcpy(alone, bytes, 3);
    memcpy(among + 14, bytes, 3);
    wrong += ws_utf8_valid(alone, 3) != good;
    wrong += ws_utf8_valid(among, 40) != good;
  }
  CHECK_INT(wrong, 0);
}

/* Encodes a code point by RFC 3629 section 3. */
static uint8_t *encode(uint8_t *into, uint32_t code) {
  unsigned size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  if (size == 1) {
    *into++ = (uint8_t)code;
    return into;
  }
  *into++ = (uint8_t)(0xf00u >> size | code >> (6 * (size - 1)));
  while (--size > 0)
    *into++ = (uint8_t)(0x80 | (code >> (6 * (size - 1)) & 0x3f));
  return into;
}

static uint8_t every[128 + 1920 * 2 + (65536 - 2048 - 2048) * 3 + 0x100000 * 4];

static void write_every(void) {
  uint8_t *at = every;
  for (uint32_t code = 0; code <= 0x10ffff; code++)
    if (code < 0xd800 || code > 0xdfff) at = encode(at, code);
  CHECK_INT(at - every, sizeof every);
}

/* As one long text, NUL, BOM and noncharacters included. S92, S154 */
TEST(test_every_code_point) {
  ws_utf8 utf8 = {0};
  unsigned wrong = 0;
  write_every();
  CHECK(ws_utf8_valid(every, sizeof every));
  for (size_t at = 0; at < sizeof every; at += 1021) {
    size_t left = sizeof every - at;
    wrong += !ws_utf8_feed(&utf8, every + at, left < 1021 ? left : 1021);
  }
  CHECK_INT(wrong, 0);
  CHECK(ws_utf8_complete(&utf8));
  every[sizeof every - 1] = 'x'; /* the very last byte */
  CHECK(!ws_utf8_valid(every, sizeof every));
}

/* Characters of all sizes, in an order that repeats only after long. */
static size_t write_text(uint8_t *into, size_t len, uint32_t seed) {
  static const uint32_t codes[] = {'a',    0xe5,   0x5339,  0x1043e, 0x7f,
                                   0x80,   0x7ff,  0x800,   0xd7ff,  0xe000,
                                   0xfeff, 0xffff, 0x10000, 0x10ffff, 0};
  uint8_t *at = into;
  while ((size_t)(at - into) + 4 <= len) {
    seed = seed * 1664525 + 1013904223;
    unsigned run = seed >> 30 ? 1 : seed >> 24 & 63; /* or a run of ASCII */
    uint32_t code = codes[(seed >> 16) % 15];
    if (run != 1) code = 'r';
    for (; run && (size_t)(at - into) + 4 <= len; run--) at = encode(at, code);
  }
  return (size_t)(at - into);
}

static uint8_t *write_placed(size_t most, uint32_t seed, size_t *len) {
  uint8_t text[ROOM];
  *len = write_text(text, most, seed);
  return memcpy(place(*len), text, *len);
}

/* A good text in which one byte was changed. */
TEST(test_one_byte_changed_anywhere) {
  static const uint8_t others[] = {0x00, 0x80, 0xbf, 0xc0, 0xc3,
                                   0xe2, 0xed, 0xf0, 0xf4, 0xff};
  unsigned wrong = 0;
  for (uint32_t seed = 1; seed <= 12; seed++) {
    size_t len;
    uint8_t *data = write_placed(130 + seed * 31, seed, &len);
    wrong += misjudged(data, len);
    for (size_t at = 0; at < len && wrong < 20; at++) {
      uint8_t good = data[at];
      for (size_t i = 0; i < sizeof others; i++) {
        data[at] = others[i];
        wrong += misjudged(data, len);
      }
      data[at] = good;
    }
  }
  CHECK_INT(wrong, 0);
}

/* S153: after each piece, the state depends only on all bytes so far. */
static unsigned misjudged_in_pieces(const uint8_t *data, size_t len,
                                    const size_t cuts[2]) {
  ws_utf8 utf8 = {0};
  size_t ends[3] = {cuts[0], cuts[1], len}, at = 0;
  for (unsigned i = 0; i < 3; i++) {
    bool whole;
    bool good = good_until(data, ends[i], &whole) == ends[i];
    if (ws_utf8_feed(&utf8, data + at, ends[i] - at) != good) return 1;
    if (good && ws_utf8_complete(&utf8) != whole) return 1;
    at = ends[i];
  }
  return 0;
}

/* S153: good texts and bad ones in three pieces, at every pair of cuts. */
TEST(test_pieces_at_every_cut) {
  unsigned wrong = 0;
  for (uint32_t seed = 1; seed <= 10; seed++) {
    size_t len, cuts[2];
    uint8_t *data = write_placed(seed % 2 ? 70 : 110, seed * 77, &len);
    if (seed > 4) data[len * seed / 11] ^= seed % 2 ? 0x40 : 0x80;
    for (cuts[0] = 0; cuts[0] <= len; cuts[0]++)
      for (cuts[1] = cuts[0]; cuts[1] <= len; cuts[1]++)
        wrong += misjudged_in_pieces(data, len, cuts);
  }
  CHECK_INT(wrong, 0);
}

/* S153: byte by byte; fails at the first hopeless byte, and ever after. */
TEST(test_the_first_bad_byte) {
  static const struct {
    const char *bytes;
    size_t bad; /* its number from 1; 0: only unfinished */
  } cases[] = {
      {"\x80", 1},         {"\xc0\x80", 1},         {"\xc1\xbf", 1},
      {"\xc2", 0},         {"\xc2\x41", 2},         {"\xe0\x9f\xbf", 2},
      {"\xe0\xa0", 0},     {"\xed\xa0\x80", 2},     {"\xed\x9f", 0},
      {"\xed\xbf\xbf", 2}, {"\xf0\x8f\xbf\xbf", 2}, {"\xf0\x90\x80", 0},
      {"\xf4\x8f\xbf", 0}, {"\xf4\x90\x80\x80", 2}, {"\xf5\x80", 1},
      {"\xff", 1},         {"\xf1\x80\x80\xc0", 4}, {"\xe1\x80\xe1", 3},
      {"\xef\xbb\xbf\xc3", 0},
      /* Autobahn's text of case 6.4: kosme, U+110000, edited */
      {"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80"
       "edited", 13},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ws_utf8 utf8 = {0};
    size_t len = strlen(cases[i].bytes), bad = cases[i].bad;
    for (size_t at = 0; at < len; at++) {
      uint8_t byte = (uint8_t)cases[i].bytes[at];
      CHECK(ws_utf8_feed(&utf8, &byte, 1) == (bad == 0 || at + 1 < bad));
    }
    CHECK(!ws_utf8_complete(&utf8));
    if (bad == 0) continue;
    CHECK(!ws_utf8_feed(&utf8, NULL, 0));
    CHECK(!ws_utf8_feed(&utf8, (const uint8_t *)"good", 4));
    CHECK(!ws_utf8_feed(&utf8, (const uint8_t *)"\xbf", 1));
    CHECK(!ws_utf8_complete(&utf8));
  }
}

/* What a walk passes must be good and whole, and of a good text it may leave
 * only a little. */
static unsigned walked_wrongly(ws_utf8_walk *walk, const uint8_t *data,
                               size_t len) {
  bool whole;
  size_t good = good_until(data, len, &whole), passed = walk(data, len);
  if (passed > good) return 1;
  if (good == len && len - passed > 5) return 1;
  if (good < len && good - passed > 64) return 1;
  return good_until(data, passed, &whole) != passed || !whole;
}

/* No good character stops a walk, and no bad one passes: every pair of bytes,
 * followed by each value of a byte's upper half, or by two continuations. */
static void check_walk_of_pairs(ws_utf8_walk *walk) {
  unsigned wrong = 0;
  write_every();
  CHECK(sizeof every - walk(every, sizeof every) <= 5);
  uint8_t *data = place(70);
  memset(data, 'p', 70);
  for (unsigned both = 0; both < 0x10000 && wrong < 20; both++) {
    uint8_t *at = data + both % 33 + 1;
    at[0] = (uint8_t)(both >> 8);
    at[1] = (uint8_t)both;
    for (unsigned half = 0; half < 16; half++) {
      at[2] = (uint8_t)(half << 4);
      wrong += walked_wrongly(walk, data, 70);
    }
    at[2] = at[3] = 0x80;
    wrong += walked_wrongly(walk, data, 70);
    memset(at, 'p', 4);
  }
  CHECK_INT(wrong, 0);
}

static void check_walk(ws_utf8_walk *walk, size_t shortest) {
  unsigned wrong = 0;
  for (size_t len = shortest; len < shortest + 300 && wrong < 20; len++) {
    size_t size;
    uint8_t *data = write_placed(len + 3, (uint32_t)len, &size);
    if (size < shortest) continue;
    wrong += walked_wrongly(walk, data, size);
    for (size_t at = 0; at < size; at++)
      for (size_t e = at % 4; e < EDGES; e += 4) {
        uint8_t good = data[at];
        data[at] = edges[e];
        wrong += walked_wrongly(walk, data, size);
        data[at] = good;
      }
  }
  CHECK_INT(wrong, 0);
}

TEST(test_vectors) {
  ws_utf8_walk *walk = ws_utf8_vectors();
  CHECK(walk == ws_utf8_vectors());
  if (!walk) return;
  check_walk(walk, 16);
  check_walk_of_pairs(walk);
}

TEST(test_avx2) {
  ws_utf8_walk *walk = ws_utf8_avx2();
  CHECK(walk == ws_utf8_avx2());
  if (!walk) return;
  check_walk(walk, 32);
  check_walk_of_pairs(walk);
}

/* The portable implementation alone gives the same answers. */
TEST(test_scalar) {
  unsigned wrong = 0;
  for (uint32_t seed = 1; seed <= 300; seed++) {
    size_t len;
    bool whole;
    uint8_t *data = write_placed(seed + 3, seed, &len);
    if (seed % 3) data[len / 2] = edges[seed % EDGES];
    size_t good = good_until(data, len, &whole);
    uint32_t state = ws_utf8_scalar(0, data, good);
    wrong += (state == 0) != whole || state == WS_UTF8_BROKEN;
    if (good == len) continue;
    wrong += ws_utf8_scalar(state, data + good, 1) != WS_UTF8_BROKEN;
    wrong += ws_utf8_scalar(0, data, len) != WS_UTF8_BROKEN;
  }
  CHECK_INT(wrong, 0);
}

int main(void) {
  RUN(test_nothing);
  RUN(test_bytes_and_pairs_at_every_place);
  RUN(test_three_edges_at_every_place);
  RUN(test_four_edges);
  RUN(test_every_three);
  RUN(test_every_code_point);
  RUN(test_one_byte_changed_anywhere);
  RUN(test_pieces_at_every_cut);
  RUN(test_the_first_bad_byte);
  RUN(test_vectors);
  RUN(test_avx2);
  RUN(test_scalar);
  return check_done();
}
