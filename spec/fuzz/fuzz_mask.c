/* SPDX-License-Identifier: MIT */
/* Every implementation of masking is compared with a loop: any length,
 * alignment, key and offset; bytes before and after stay as they are. */
#include "fuzz.h"
#include "bytes/mask.h"
#include "bytes/mask_parts.h"

#define ROOM 8192
#define AROUND 64

static uint8_t expected[ROOM], block[ROOM + 2 * AROUND];

static void check_around(size_t shift, size_t len) {
  PROMISE(memcmp(block + shift, expected, len) == 0);
  for (size_t i = 0; i < AROUND; i++) {
    if (i < shift) PROMISE(block[i] == 0xee);
    PROMISE(block[shift + len + i] == 0xee);
  }
}

static void fill(size_t shift, const uint8_t *data, size_t len) {
  memset(block, 0xee, shift);
  if (data) memcpy(block + shift, data, len);
  memset(block + shift + len, 0xee, AROUND);
}

static void check_run(ws_mask_run *run, size_t least, const uint8_t *data,
                      size_t len, size_t shift, uint32_t key) {
  if (!run || len < least) return;
  fill(shift, data, len);
  run(block + shift, block + shift, len, key);
  check_around(shift, len);
  run(block + shift, fuzz_piece(data, len), len, key);
  check_around(shift, len);
}

static void check_ways(const uint8_t *data, size_t len, size_t shift,
                       const uint8_t key[4], uint64_t offset) {
  uint32_t word;
  memcpy(&word, key, 4);
  word = ws_mask_turn(word, offset % 4);
  check_run(ws_mask_words, 0, data, len, shift, word);
  check_run(ws_mask_vectors, 16, data, len, shift, word);
  check_run(ws_mask_avx2(), 32, data, len, shift, word);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  fuzz_input in = {data, len};
  ws_slice key_bytes = fuzz_run(&in, 4);
  uint8_t key[4] = {0};
  uint64_t offset = 0;
  if (key_bytes.len > 0) memcpy(key, key_bytes.data, key_bytes.len);
  for (int i = 0; i < 8; i++) offset = offset << 8 | fuzz_byte(&in);
  size_t shift = fuzz_byte(&in) % AROUND, cut = fuzz_byte(&in);
  if (in.len > ROOM) in.len = ROOM;
  if (cut > in.len) cut = in.len;
  for (size_t i = 0; i < in.len; i++)
    expected[i] = in.data[i] ^ key[(offset + i) % 4];

  fill(shift, in.data, in.len);
  ws_mask(block + shift, cut, key, offset);
  ws_mask(block + shift + cut, in.len - cut, key, offset + cut);
  check_around(shift, in.len);
  fill(shift, in.data, in.len);
  ws_mask_copy(block + shift, fuzz_piece(in.data, in.len), in.len, key,
               offset);
  check_around(shift, in.len);
  check_ways(in.data, in.len, shift, key, offset);
  return 0;
}
