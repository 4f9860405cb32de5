/* SPDX-License-Identifier: MIT */
/* UTF-8 in vectors of 32 bytes, for x86 processors that have AVX2. */
#include "bytes/utf8_parts.h"

#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>

#include <stdbool.h>

#define TARGET __attribute__((target("avx2")))
#define SIZE sizeof(block)

typedef __m256i block;

typedef struct tables {
  block first_high, first_low, second_high;
} tables;

TARGET static inline block load(const uint8_t *data) {
  return _mm256_loadu_si256((const __m256i *)data);
}

TARGET static inline block table(unsigned which) {
  return _mm256_broadcastsi128_si256(
      _mm_loadu_si128((const __m128i *)ws_utf8_tables[which]));
}

TARGET static inline block all(uint8_t byte) {
  return _mm256_set1_epi8((char)byte);
}

TARGET static inline block high_half(block bytes) {
  return _mm256_and_si256(_mm256_srli_epi16(bytes, 4), all(15));
}

TARGET static inline block low_half(block bytes) {
  return _mm256_and_si256(bytes, all(15));
}

TARGET static inline bool is_ascii(block bytes) {
  return _mm256_movemask_epi8(bytes) == 0;
}

TARGET static inline bool is_zero(block bytes) {
  return _mm256_testz_si256(bytes, bytes) != 0;
}

/* The faults of a block, given the blocks that begin one, two and three bytes
 * earlier. Two bytes after E0 or above, and three after F0 or above, a
 * continuation is due: there TWICE must be found, and nowhere else. */
TARGET static inline block judge(const tables *in, block bytes, block one,
                                 block two, block three) {
  block faults = _mm256_and_si256(
      _mm256_and_si256(_mm256_shuffle_epi8(in->first_high, high_half(one)),
                       _mm256_shuffle_epi8(in->first_low, low_half(one))),
      _mm256_shuffle_epi8(in->second_high, high_half(bytes)));
  block due = _mm256_or_si256(_mm256_subs_epu8(two, all(0xe0 - 0x80)),
                              _mm256_subs_epu8(three, all(0xf0 - 0x80)));
  return _mm256_xor_si256(faults, _mm256_and_si256(due, all(0x80)));
}

/* The first block: no bytes come before it. */
TARGET static inline block judge_first(const tables *in, block bytes) {
  block before = _mm256_permute2x128_si256(bytes, bytes, 0x08);
  return judge(in, bytes, _mm256_alignr_epi8(bytes, before, 15),
               _mm256_alignr_epi8(bytes, before, 14),
               _mm256_alignr_epi8(bytes, before, 13));
}

TARGET static inline block judge_at(const tables *in, const uint8_t *data) {
  return judge(in, load(data), load(data - 1), load(data - 2),
               load(data - 3));
}

/* True if four blocks are ASCII that follows ASCII, or have no fault. */
TARGET static inline bool four_are_good(const tables *in,
                                        const uint8_t *data) {
  block any = _mm256_or_si256(
      _mm256_or_si256(load(data), load(data + SIZE)),
      _mm256_or_si256(load(data + 2 * SIZE), load(data + 3 * SIZE)));
  if (is_ascii(any) && data[-1] < 0x80) return true;
  block faults = judge_at(in, data);
  for (size_t i = 1; i < 4; i++)
    faults = _mm256_or_si256(faults, judge_at(in, data + i * SIZE));
  return is_zero(faults);
}

/* The last block may overlap the one before it. A rest of one or two bytes is
 * left to the caller: after only one block, the block that ends with the rest
 * would not have the three bytes before it that it needs. */
TARGET static size_t walk(const uint8_t *data, size_t len) {
  tables in = {table(0), table(1), table(2)};
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

ws_utf8_walk *ws_utf8_avx2(void) {
  return __builtin_cpu_supports("avx2") ? walk : NULL;
}

#else

ws_utf8_walk *ws_utf8_avx2(void) { return NULL; }

#endif
