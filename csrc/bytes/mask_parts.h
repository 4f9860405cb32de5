/* SPDX-License-Identifier: MIT */
/* The ways to mask that mask.c chooses from, private to mask*.c and their
 * specs. All give the same bytes; `from` may be `into`, but the two do not
 * overlap otherwise. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Byte i of the payload meets byte i % 4 of `key` as it lies in memory. */
typedef void ws_mask_run(uint8_t *into, const uint8_t *from, size_t len,
                         uint32_t key);

/* In words of the processor, for any `len`. */
ws_mask_run ws_mask_words;

/* In vectors of 16 bytes, for `len` of at least 16: SSE2 or NEON, else in
 * words. */
ws_mask_run ws_mask_vectors;

/* In vectors of 32 bytes, for `len` of at least 32: NULL where the processor
 * has none. */
ws_mask_run *ws_mask_avx2(void);

/* The key for a run that starts `by` bytes later. Bytes move to the front:
 * to the right where the first is the lowest, else to the left. */
static inline uint32_t ws_mask_turn(uint32_t key, size_t by) {
  size_t way = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? by : 4 - by % 4;
  unsigned bits = (unsigned)(way % 4 * 8);
  return key >> bits | key << (32 - bits) % 32;
}
