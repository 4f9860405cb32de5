/* SPDX-License-Identifier: MIT */
/* XOR with a frame's masking key, in words and vectors. */
#include "bytes/mask.h"

#include <string.h>

/* The compiler makes of this what the processor has: SSE2 or NEON at the
 * least, both are in every such processor. */
typedef uint8_t vector __attribute__((vector_size(16)));

void ws_mask_copy(uint8_t *into, const uint8_t *from, size_t len,
                  const uint8_t key[4], uint64_t offset) {
  uint8_t turned[16];
  for (size_t i = 0; i < 16; i++) turned[i] = key[(offset + i) % 4];
  size_t at = 0;
  if (len >= 16) {
    vector keys, a;
    memcpy(&keys, turned, 16);
    for (; at + 16 <= len; at += 16) {
      memcpy(&a, from + at, 16);
      a ^= keys;
      memcpy(into + at, &a, 16);
    }
  }
  for (; at < len; at++) into[at] = from[at] ^ turned[at % 4];
}

void ws_mask(uint8_t *data, size_t len, const uint8_t key[4],
             uint64_t offset) {
  ws_mask_copy(data, data, len, key, offset);
}
