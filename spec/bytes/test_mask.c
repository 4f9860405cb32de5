/* SPDX-License-Identifier: MIT */
/* Masking (S144) against RFC 6455 section 5.3 applied byte by byte: with each
 * implementation for this processor, every length, alignment, offset, cut. */
#include "bytes/mask.h"

#include "bytes/mask_parts.h"
#include "check.h"

static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};

/* Bytes on either side of the payload, which must not change. */
#define AROUND 64
#define LONGEST 3000

static uint8_t plain[LONGEST + 16];
static uint8_t masked[4][LONGEST + 16]; /* one for each offset modulo 4 */

/* j = i MOD 4 of section 5.3, with i counted from the frame's first byte. */
static void set_up(void) {
  for (size_t i = 0; i < sizeof plain; i++) {
    plain[i] = (uint8_t)(i * 97 + i / 256 + 13);
    for (size_t offset = 0; offset < 4; offset++)
      masked[offset][i] = plain[i] ^ key[(offset + i) % 4];
  }
}

/* A place with this alignment modulo 16, and known bytes around it. */
static uint8_t *place(unsigned side, size_t alignment) {
  static _Alignas(64) uint8_t bytes[2][LONGEST + 3 * AROUND];
  memset(bytes[side], 0xc3, sizeof bytes[side]);
  return bytes[side] + AROUND + alignment;
}

static bool untouched_around(const uint8_t *data, size_t len) {
  for (size_t i = 1; i <= 48; i++)
    if (data[-(ptrdiff_t)i] != 0xc3 || data[len + i - 1] != 0xc3) return false;
  return true;
}

/* Returns 1 if it went wrong, as do the functions below. */
static unsigned in_place(size_t len, uint64_t offset, size_t alignment) {
  uint8_t *data = place(0, alignment);
  memcpy(data, plain, len);
  ws_mask(data, len, key, offset);
  if (memcmp(data, masked[offset % 4], len) == 0 &&
      untouched_around(data, len))
    return 0;
  fprintf(stderr, "  %zu bytes, offset %llu, alignment %zu\n", len,
          (unsigned long long)offset, alignment);
  return 1;
}

/* S144 */
TEST(test_in_place_at_every_length_offset_and_alignment) {
  unsigned wrong = 0;
  for (size_t len = 0; len <= 200; len++)
    for (uint64_t offset = 0; offset < 4; offset++)
      for (size_t alignment = 0; alignment < 16; alignment++)
        wrong += in_place(len, offset, alignment);
  CHECK_INT(wrong, 0);
}

TEST(test_in_place_at_lengths_around_the_steps) {
  unsigned wrong = 0;
  for (size_t len = 201; len <= LONGEST; len += len < 700 ? 1 : 127)
    for (size_t alignment = 0; alignment < 32; alignment += 5)
      wrong += in_place(len, len % 4, alignment);
  CHECK_INT(wrong, 0);
}

static unsigned copied(size_t len, uint64_t offset, size_t from,
                       size_t into) {
  uint8_t *data = place(0, from), *copy = place(1, into);
  memcpy(data, plain, len);
  ws_mask_copy(copy, data, len, key, offset);
  if (memcmp(copy, masked[offset % 4], len) == 0 &&
      memcmp(data, plain, len) == 0 && untouched_around(copy, len))
    return 0;
  fprintf(stderr, "  %zu bytes, offset %llu, from %zu to %zu\n", len,
          (unsigned long long)offset, from, into);
  return 1;
}

TEST(test_copy_at_every_length_offset_and_alignment) {
  unsigned wrong = 0;
  for (size_t len = 0; len <= 200; len++)
    for (uint64_t offset = 0; offset < 4; offset++)
      for (size_t alignment = 0; alignment < 16; alignment++)
        wrong += copied(len, offset, (alignment * 7 + len) % 16, alignment);
  for (size_t len = 201; len <= LONGEST; len += len < 700 ? 1 : 127)
    for (size_t alignment = 0; alignment < 32; alignment += 7)
      wrong += copied(len, len % 4, (alignment * 5 + len) % 32, alignment);
  CHECK_INT(wrong, 0);
}

/* S144: a payload in two pieces, cut at every place, and byte by byte. */
TEST(test_cut_at_every_place) {
  unsigned wrong = 0;
  for (size_t len = 0; len <= 200; len++)
    for (size_t cut = 0; cut <= len; cut++) {
      uint8_t *data = place(0, cut % 16);
      memcpy(data, plain, len);
      ws_mask(data, cut, key, 0);
      ws_mask(data + cut, len - cut, key, cut);
      wrong += memcmp(data, masked[0], len) != 0;
    }
  CHECK_INT(wrong, 0);
  uint8_t *data = place(0, 0);
  memcpy(data, plain, 200);
  for (size_t i = 0; i < 200; i++) ws_mask(data + i, 1, key, i);
  CHECK(memcmp(data, masked[0], 200) == 0);
}

/* A frame may be longer than 32 bits can count. */
TEST(test_offsets_of_long_frames) {
  static const uint64_t far[] = {((uint64_t)1 << 32) - 1, (uint64_t)1 << 32,
                                 ((uint64_t)1 << 32) + 2,
                                 INT64_MAX, UINT64_MAX};
  unsigned wrong = 0;
  for (size_t i = 0; i < sizeof far / sizeof *far; i++)
    for (size_t len = 0; len <= 400; len++) wrong += in_place(len, far[i], i);
  CHECK_INT(wrong, 0);
}

/* Reads and writes right before a guarded page. */
TEST(test_at_the_end_of_memory) {
  uint8_t *from_end = check_guarded(LONGEST) + LONGEST;
  uint8_t *into_end = check_guarded(LONGEST) + LONGEST;
  unsigned wrong = 0;
  for (size_t len = 0; len <= 600; len++) {
    memcpy(from_end - len, plain, len);
    ws_mask_copy(into_end - len, from_end - len, len, key, 3);
    wrong += memcmp(into_end - len, masked[3], len) != 0;
    ws_mask(from_end - len, len, key, 3);
    wrong += memcmp(from_end - len, masked[3], len) != 0;
  }
  CHECK_INT(wrong, 0);
  ws_mask(NULL, 0, key, 0);
  ws_mask_copy(NULL, NULL, 0, key, 0);
}

/* Masking twice restores the bytes; a key of zeros changes nothing. */
TEST(test_masking_is_its_own_inverse) {
  static const uint8_t zeros[4];
  for (size_t len = 0; len <= 500; len++) {
    uint8_t *data = place(0, len % 16);
    memcpy(data, plain, len);
    ws_mask(data, len, key, 1);
    ws_mask(data, len, zeros, 2);
    ws_mask(data, len, key, 1);
    CHECK(memcmp(data, plain, len) == 0);
  }
}

/* RFC 6455 section 5.7: "Hello", masked. */
TEST(test_example_of_the_rfc) {
  uint8_t hello[5] = "Hello";
  ws_mask(hello, 5, key, 0);
  CHECK_BYTES(hello, 5, "\x7f\x9f\x4d\x51\x58");
}

/* One implementation, with every length it is for. */
static void compare(const char *name, ws_mask_run *run, size_t shortest) {
  unsigned wrong = 0;
  uint32_t turned;
  memcpy(&turned, key, 4);
  uint8_t *from_end = check_guarded(LONGEST) + LONGEST;
  for (size_t len = shortest; len <= 1100; len++)
    for (size_t alignment = 0; alignment < 32; alignment += 3) {
      uint8_t *data = place(0, alignment);
      memcpy(data, plain, len);
      memcpy(from_end - len, plain, len);
      run(data, data, len, turned);
      wrong += memcmp(data, masked[0], len) != 0;
      wrong += !untouched_around(data, len);
      data = place(1, alignment);
      run(data, from_end - len, len, ws_mask_turn(turned, 3));
      wrong += memcmp(data, masked[3], len) != 0;
      wrong += !untouched_around(data, len);
    }
  if (!CHECK_INT(wrong, 0)) fprintf(stderr, "  in %s\n", name);
}

TEST(test_words) { compare("words", ws_mask_words, 0); }

TEST(test_vectors) { compare("vectors", ws_mask_vectors, 16); }

/* A processor without AVX2 has to get NULL. */
TEST(test_avx2) {
  ws_mask_run *run = ws_mask_avx2();
  CHECK(run == ws_mask_avx2());
  if (run) compare("avx2", run, 32);
}

int main(void) {
  set_up();
  RUN(test_in_place_at_every_length_offset_and_alignment);
  RUN(test_in_place_at_lengths_around_the_steps);
  RUN(test_copy_at_every_length_offset_and_alignment);
  RUN(test_cut_at_every_place);
  RUN(test_offsets_of_long_frames);
  RUN(test_at_the_end_of_memory);
  RUN(test_masking_is_its_own_inverse);
  RUN(test_example_of_the_rfc);
  RUN(test_words);
  RUN(test_vectors);
  RUN(test_avx2);
  return check_done();
}
