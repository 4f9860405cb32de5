/* SPDX-License-Identifier: MIT */
/* Masking with vectors of 16 bytes, where every processor of the target has
 * them (SSE2, NEON); with words elsewhere. */
#include "bytes/mask_parts.h"

#include <string.h>

#if defined(__SSE2__) || defined(__ARM_NEON)

typedef uint32_t vector __attribute__((vector_size(16)));
#define SIZE sizeof(vector)

static vector all(uint32_t key) { return (vector){key, key, key, key}; }

static vector load(const uint8_t *from) {
  vector loaded;
  memcpy(&loaded, from, SIZE);
  return loaded;
}

static void store(uint8_t *into, vector stored) {
  memcpy(into, &stored, SIZE);
}

/* More than 64 bytes: both ends are unaligned; the middle is written to aligned
 * places of `into`. The ends are read first and written last. */
static void mask_long(uint8_t *into, const uint8_t *from, size_t len,
                      uint32_t key) {
  vector head = load(from) ^ all(key);
  vector tail = load(from + len - SIZE) ^ all(ws_mask_turn(key, len));
  size_t at = SIZE - (uintptr_t)into % SIZE;
  vector keys = all(ws_mask_turn(key, at));
  for (; at + 4 * SIZE <= len; at += 4 * SIZE) {
    vector a = load(from + at), b = load(from + at + SIZE);
    vector c = load(from + at + 2 * SIZE), d = load(from + at + 3 * SIZE);
    store(into + at, a ^ keys);
    store(into + at + SIZE, b ^ keys);
    store(into + at + 2 * SIZE, c ^ keys);
    store(into + at + 3 * SIZE, d ^ keys);
  }
  for (; at + SIZE <= len; at += SIZE) store(into + at, load(from + at) ^ keys);
  store(into, head);
  store(into + len - SIZE, tail);
}

void ws_mask_vectors(uint8_t *into, const uint8_t *from, size_t len,
                     uint32_t key) {
  if (len > 4 * SIZE) {
    mask_long(into, from, len, key);
    return;
  }
  vector keys = all(key), turned = all(ws_mask_turn(key, len));
  vector head = load(from) ^ keys;
  vector tail = load(from + len - SIZE) ^ turned;
  if (len > 2 * SIZE) {
    vector second = load(from + SIZE) ^ keys;
    vector last_but_one = load(from + len - 2 * SIZE) ^ turned;
    store(into + SIZE, second);
    store(into + len - 2 * SIZE, last_but_one);
  }
  store(into, head);
  store(into + len - SIZE, tail);
}

#else

void ws_mask_vectors(uint8_t *into, const uint8_t *from, size_t len,
                     uint32_t key) {
  ws_mask_words(into, from, len, key);
}

#endif
