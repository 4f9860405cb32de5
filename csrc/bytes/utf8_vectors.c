/* SPDX-License-Identifier: MIT */
/* UTF-8 in vectors of 16 bytes: SSSE3 where an x86 processor has it, NEON in
 * every 64-bit ARM. The same walk as in utf8_avx2. */
#include "bytes/utf8_parts.h"

#include <stdbool.h>

#if defined(__x86_64__) || defined(__i386__)

#include <tmmintrin.h>

#define TARGET __attribute__((target("ssse3")))

typedef __m128i block;

TARGET static inline block load(const uint8_t *data) {
  return _mm_loadu_si128((const __m128i *)data);
}

TARGET static inline block all(uint8_t byte) {
  return _mm_set1_epi8((char)byte);
}

TARGET static inline block both(block a, block b) {
  return _mm_and_si128(a, b);
}

TARGET static inline block either(block a, block b) {
  return _mm_or_si128(a, b);
}

TARGET static inline block one_of_two(block a, block b) {
  return _mm_xor_si128(a, b);
}

/* Stops at zero. */
TARGET static inline block minus(block a, block b) {
  return _mm_subs_epu8(a, b);
}

TARGET static inline block pick(block table, block places) {
  return _mm_shuffle_epi8(table, places);
}

TARGET static inline block high_half(block bytes) {
  return _mm_and_si128(_mm_srli_epi16(bytes, 4), all(15));
}

TARGET static inline block later_by_1(block bytes) {
  return _mm_slli_si128(bytes, 1);
}

TARGET static inline bool is_ascii(block bytes) {
  return _mm_movemask_epi8(bytes) == 0;
}

TARGET static inline bool is_zero(block bytes) {
  return _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, all(0))) == 0xffff;
}

static bool have_vectors(void) { return __builtin_cpu_supports("ssse3"); }

#define VECTORS 1
#elif defined(__aarch64__)

#include <arm_neon.h>

#define TARGET

typedef uint8x16_t block;

static inline block load(const uint8_t *data) { return vld1q_u8(data); }

static inline block all(uint8_t byte) { return vdupq_n_u8(byte); }

static inline block both(block a, block b) { return vandq_u8(a, b); }

static inline block either(block a, block b) { return vorrq_u8(a, b); }

static inline block one_of_two(block a, block b) { return veorq_u8(a, b); }

/* Stops at zero. */
static inline block minus(block a, block b) { return vqsubq_u8(a, b); }

static inline block pick(block table, block places) {
  return vqtbl1q_u8(table, places);
}

static inline block high_half(block bytes) { return vshrq_n_u8(bytes, 4); }

static inline block later_by_1(block bytes) {
  return vextq_u8(vdupq_n_u8(0), bytes, 15);
}

static inline bool is_ascii(block bytes) { return vmaxvq_u8(bytes) < 0x80; }

static inline bool is_zero(block bytes) { return vmaxvq_u8(bytes) == 0; }

static bool have_vectors(void) { return true; }

#define VECTORS 1
#endif

#ifdef VECTORS

#define SIZE sizeof(block)

typedef struct tables {
  block first_high, first_low, second_high;
} tables;

/* The faults of a block, given the blocks that begin one, two and three bytes
 * earlier. Two bytes after E0 or above, and three after F0 or above, a
 * continuation is due: there TWICE must be found, and nowhere else. */
TARGET static inline block judge(const tables *in, block bytes, block one,
                                 block two, block three) {
  block faults = both(both(pick(in->first_high, high_half(one)),
                           pick(in->first_low, both(one, all(15)))),
                      pick(in->second_high, high_half(bytes)));
  block due = either(minus(two, all(0xe0 - 0x80)),
                     minus(three, all(0xf0 - 0x80)));
  return one_of_two(faults, both(due, all(0x80)));
}

/* The first block: no bytes come before it. */
TARGET static inline block judge_first(const tables *in, block bytes) {
  block one = later_by_1(bytes), two = later_by_1(one);
  return judge(in, bytes, one, two, later_by_1(two));
}

TARGET static inline block judge_at(const tables *in, const uint8_t *data) {
  return judge(in, load(data), load(data - 1), load(data - 2),
               load(data - 3));
}

/* True if four blocks are ASCII that follows ASCII, or have no fault. */
TARGET static inline bool four_are_good(const tables *in,
                                        const uint8_t *data) {
  block any = either(either(load(data), load(data + SIZE)),
                     either(load(data + 2 * SIZE), load(data + 3 * SIZE)));
  if (is_ascii(any) && data[-1] < 0x80) return true;
  block faults = judge_at(in, data);
  for (size_t i = 1; i < 4; i++)
    faults = either(faults, judge_at(in, data + i * SIZE));
  return is_zero(faults);
}

/* The last block may overlap the one before it. A rest of one or two bytes is
 * left to the caller: after only one block, the block that ends with the rest
 * would not have the three bytes before it that it needs. */
TARGET static size_t walk(const uint8_t *data, size_t len) {
  tables in = {load(ws_utf8_tables[0]), load(ws_utf8_tables[1]),
               load(ws_utf8_tables[2])};
  block first = load(data);
  if (!is_ascii(first) && !is_zero(judge_first(&in, first))) return 0;
  size_t at = SIZE;
  for (; at + 4 * SIZE <= len; at += 4 * SIZE)
    if (!four_are_good(&in, data + at)) break;
  for (; at + SIZE <= len; at += SIZE)
    if (!is_zero(judge_at(&in, data + at))) return ws_utf8_back_up(data, at);
  if (len - at > 2 && is_zero(judge_at(&in, data + len - SIZE))) at = len;
  return ws_utf8_back_up(data, at);
}

ws_utf8_walk *ws_utf8_vectors(void) { return have_vectors() ? walk : NULL; }

#else

ws_utf8_walk *ws_utf8_vectors(void) { return NULL; }

#endif
