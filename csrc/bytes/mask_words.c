/* SPDX-License-Identifier: MIT */
/* Masking with machine words: every payload where the processor has no vectors,
 * and short payloads everywhere. */
#include "bytes/mask_parts.h"

#include <string.h>

static uint64_t twice(uint32_t key) { return (uint64_t)key << 32 | key; }

/* One to three bytes: the first, the middle and the last may coincide. */
static void mask_bytes(uint8_t *into, const uint8_t *from, size_t len,
                       uint32_t key) {
  uint8_t keys[4];
  memcpy(keys, &key, 4);
  size_t middle = len / 2, last = len - 1;
  uint8_t a = from[0], b = from[middle], c = from[last];
  into[0] = a ^ keys[0];
  into[middle] = b ^ keys[middle];
  into[last] = c ^ keys[last];
}

/* Four to seven bytes as two overlapping words. Both are read before either is
 * written, as `from` may be `into`. */
static void mask_halves(uint8_t *into, const uint8_t *from, size_t len,
                        uint32_t key) {
  uint32_t head, tail;
  memcpy(&head, from, 4);
  memcpy(&tail, from + len - 4, 4);
  head ^= key;
  tail ^= ws_mask_turn(key, len);
  memcpy(into, &head, 4);
  memcpy(into + len - 4, &tail, 4);
}

void ws_mask_words(uint8_t *into, const uint8_t *from, size_t len,
                   uint32_t key) {
  if (len < 4) {
    if (len) mask_bytes(into, from, len, key);
    return;
  }
  if (len < 8) {
    mask_halves(into, from, len, key);
    return;
  }
  uint64_t keys = twice(key), tail, word;
  memcpy(&tail, from + len - 8, 8);
  tail ^= twice(ws_mask_turn(key, len));
  for (size_t at = 0; at + 8 < len; at += 8) {
    memcpy(&word, from + at, 8);
    word ^= keys;
    memcpy(into + at, &word, 8);
  }
  memcpy(into + len - 8, &tail, 8);
}
