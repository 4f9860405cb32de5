/* SPDX-License-Identifier: MIT */
/* Masking in vectors of 32 bytes, for x86 processors that have AVX2. On others
 * ws_mask_avx2 returns NULL. */
#include "bytes/mask_parts.h"

#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
#define SIZE sizeof(__m256i)

TARGET static inline __m256i all(uint32_t key) {
  return _mm256_set1_epi32((int)key);
}

TARGET static inline __m256i masked(const uint8_t *from, __m256i keys) {
  return _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)from), keys);
}

TARGET static inline void store(uint8_t *into, __m256i stored) {
  _mm256_storeu_si256((__m256i *)into, stored);
}

/* Both ends are unaligned; the middle is written to aligned places of `into`.
 * The ends are read first and written last, as `from` may be `into`. */
TARGET static void run(uint8_t *into, const uint8_t *from, size_t len,
                       uint32_t key) {
  __m256i head = masked(from, all(key));
  __m256i tail = masked(from + len - SIZE, all(ws_mask_turn(key, len)));
  size_t at = SIZE - (uintptr_t)into % SIZE;
  __m256i keys = all(ws_mask_turn(key, at));
  for (; at + 4 * SIZE <= len; at += 4 * SIZE) {
    __m256i a = masked(from + at, keys);
    __m256i b = masked(from + at + SIZE, keys);
    __m256i c = masked(from + at + 2 * SIZE, keys);
    __m256i d = masked(from + at + 3 * SIZE, keys);
    store(into + at, a);
    store(into + at + SIZE, b);
    store(into + at + 2 * SIZE, c);
    store(into + at + 3 * SIZE, d);
  }
  for (; at + SIZE <= len; at += SIZE)
    store(into + at, masked(from + at, keys));
  store(into, head);
  store(into + len - SIZE, tail);
}

ws_mask_run *ws_mask_avx2(void) {
  return __builtin_cpu_supports("avx2") ? run : NULL;
}

#else

ws_mask_run *ws_mask_avx2(void) { return NULL; }

#endif
