/* SPDX-License-Identifier: MIT */
/* UTF-8 is compared with a reader of RFC 3629 that is as simple as possible:
 * whole, in pieces, at any alignment, and repeated to fill the vectors. */
#include "fuzz.h"
#include "bytes/utf8.h"

static bool in_range(uint32_t value, uint32_t from, uint32_t to) {
  return value >= from && value <= to;
}

/* The length of the character at the front; 0: broken, -1: unfinished. */
static int character(const uint8_t *data, size_t len) {
  static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
  uint8_t first = data[0];
  int size = first < 0x80               ? 1
             : in_range(first, 0xc2, 0xdf) ? 2
             : in_range(first, 0xe0, 0xef) ? 3
             : in_range(first, 0xf0, 0xf4) ? 4
                                           : 0;
  if (size < 2) return size;
  uint32_t value = first & (0xffu >> (size + 1));
  uint32_t highest = value; /* the most it can become with bytes to come */
  for (int i = 1; i < size; i++) {
    bool there = (size_t)i < len;
    if (there && (data[i] & 0xc0) != 0x80) return 0;
    highest = highest << 6 | (there ? data[i] & 63u : 63u);
    value = value << 6 | (there ? data[i] & 63u : 0u);
  }
  if (highest < lowest[size] || value > 0x10ffff) return 0;
  if (value >= 0xd800 && highest <= 0xdfff) return 0;
  return (size_t)size <= len ? size : -1;
}

/* 1: valid, -1: unfinished but valid so far, 0: broken. */
static int reference(const uint8_t *data, size_t len) {
  while (len > 0) {
    int size = character(data, len);
    if (size <= 0) return size;
    data += size;
    len -= (size_t)size;
  }
  return 1;
}

static int in_pieces(const uint8_t *data, size_t len, fuzz_cuts cuts) {
  ws_utf8 utf8 = {0};
  size_t at = 0;
  while (at < len) {
    size_t part = fuzz_cut(&cuts, len - at);
    if (!ws_utf8_feed(&utf8, fuzz_piece(data + at, part), part)) {
      PROMISE(!ws_utf8_feed(&utf8, (const uint8_t *)"a", 1));
      return 0;
    }
    at += part;
  }
  return ws_utf8_complete(&utf8) ? 1 : -1;
}

static void check(const uint8_t *data, size_t len, fuzz_cuts cuts) {
  int expected = reference(data, len);
  PROMISE(ws_utf8_valid(fuzz_piece(data, len), len) == (expected == 1));
  PROMISE(in_pieces(data, len, fuzz_uncut) == expected);
  PROMISE(in_pieces(data, len, cuts) == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static uint8_t text[4096];
  fuzz_input in = {data, len};
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  size_t times = fuzz_byte(&in), before = fuzz_byte(&in) % 64;
  check(in.data, in.len, cuts);
  memset(text, 'a', before);
  size_t used = before;
  for (; times > 0 && in.len < sizeof text - used; times--) {
    if (in.len > 0) memcpy(text + used, in.data, in.len);
    used += in.len;
  }
  check(text, used, cuts);
  return 0;
}
