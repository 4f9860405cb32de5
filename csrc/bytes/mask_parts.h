/* SPDX-License-Identifier: MIT */
/* The implementations that mask.c chooses from, private to mask*.c and their
 * specs. All give the same bytes. `from` and `into` may be equal, but must not
 * overlap otherwise. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Byte i of the payload is XORed with byte i % 4 of `key` in memory order. */
typedef void ws_mask_run(uint8_t *into, const uint8_t *from, size_t len,
                         uint32_t key);

/* With machine words, for any `len`. */
ws_mask_run ws_mask_words;

/* With vectors of 16 bytes (SSE2 or NEON), for `len` of at least 16; with words
 * where the processor has neither. */
ws_mask_run ws_mask_vectors;

/* With vectors of 32 bytes (AVX2), for `len` of at least 32; NULL where the
 * processor has none. */
ws_mask_run *ws_mask_avx2(void);

/* The key for a run that starts `by` bytes later: in memory its bytes rotate
 * towards the first, so the number rotates right on little-endian machines and
 * left on others. */
static inline uint32_t ws_mask_turn(uint32_t key, size_t by) {
  size_t way = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? by : 4 - by % 4;
  unsigned bits = (unsigned)(way % 4 * 8);
  return key >> bits | key << (32 - bits) % 32;
}
