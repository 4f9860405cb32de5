/* SPDX-License-Identifier: MIT */
/* XOR with a frame's masking key: chooses one of the implementations, which are
 * in mask_words, mask_vectors and mask_avx2. */
#include "bytes/mask.h"

#include "bytes/mask_parts.h"

#include <string.h>

/* Up to SHORT bytes, words are enough; from LONG bytes on, it pays to ask
 * whether the processor has the widest vectors. */
#define SHORT ((size_t)16)
#define LONG ((size_t)256)

void ws_mask_copy(uint8_t *into, const uint8_t *from, size_t len,
                  const uint8_t key[4], uint64_t offset) {
  uint32_t turned;
  memcpy(&turned, key, 4);
  turned = ws_mask_turn(turned, (size_t)(offset % 4));
  if (len <= SHORT) {
    ws_mask_words(into, from, len, turned);
    return;
  }
  ws_mask_run *widest = len < LONG ? NULL : ws_mask_avx2();
  (widest ? widest : ws_mask_vectors)(into, from, len, turned);
}

void ws_mask(uint8_t *data, size_t len, const uint8_t key[4],
             uint64_t offset) {
  ws_mask_copy(data, data, len, key, offset);
}
