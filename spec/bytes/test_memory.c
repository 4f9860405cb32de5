/* SPDX-License-Identifier: MIT */
/* The only malloc: what it counts, and how it fails on demand. */
#include "bytes/memory.h"

#include "check.h"

/* Called by AddressSanitizer, if built in: too large an allocation then gives
 * NULL, as everywhere, instead of ending the program. */
const char *__asan_default_options(void)
    __attribute__((visibility("default")));

const char *__asan_default_options(void) {
  return "allocator_may_return_null=1";
}

TEST(test_new_is_zeroed_and_counted) {
  size_t before = ws_memory_live();
  for (size_t size = 1; size <= 5000; size += 333) {
    uint8_t *block = ws_memory_new(size);
    if (!CHECK(block != NULL)) return;
    CHECK_INT(ws_memory_live(), before + 1);
    size_t set = 0;
    for (size_t i = 0; i < size; i++) set += block[i] != 0;
    CHECK_INT(set, 0);
    memset(block, 0xa5, size); /* the next block must not be zero by luck */
    ws_memory_free(block);
    CHECK_INT(ws_memory_live(), before);
  }
}

TEST(test_resize_keeps_the_bytes) {
  size_t before = ws_memory_live();
  uint8_t *block = ws_memory_resize(NULL, 3);
  if (!CHECK(block != NULL)) return;
  memcpy(block, "abc", 3);
  CHECK_INT(ws_memory_live(), before + 1);
  block = ws_memory_resize(block, 100000);
  if (!CHECK(block != NULL)) return;
  CHECK_BYTES(block, 3, "abc");
  block[99999] = 1;
  CHECK_INT(ws_memory_live(), before + 1);
  block = ws_memory_resize(block, 2);
  if (!CHECK(block != NULL)) return;
  CHECK_BYTES(block, 2, "ab");
  CHECK(ws_memory_resize(block, 0) == NULL);
  CHECK_INT(ws_memory_live(), before);
}

TEST(test_nothing_is_freed_once) {
  size_t before = ws_memory_live();
  ws_memory_free(NULL);
  CHECK(ws_memory_resize(NULL, 0) == NULL);
  CHECK_INT(ws_memory_live(), before);
}

/* Allocates five times, by new and resize in turn. Returns a bit for each
 * success. */
static unsigned five(void) {
  unsigned given = 0;
  for (unsigned i = 0; i < 5; i++) {
    void *block = i % 2 ? ws_memory_resize(NULL, 8) : ws_memory_new(8);
    if (block) given |= 1u << i;
    ws_memory_free(block);
  }
  return given;
}

TEST(test_the_nth_fails_alone) {
  for (unsigned nth = 1; nth <= 5; nth++) {
    ws_memory_fail(nth, 0);
    CHECK_INT(five(), 31 & ~(1u << (nth - 1)));
    CHECK_INT(five(), 31);
  }
  ws_memory_fail(6, 0);
  CHECK_INT(five(), 31);
  CHECK_INT(five(), 30);
  CHECK_INT(five(), 31);
}

TEST(test_the_nth_and_all_later_fail) {
  for (unsigned nth = 1; nth <= 5; nth++) {
    ws_memory_fail(nth, 1);
    CHECK_INT(five(), (1u << (nth - 1)) - 1);
    CHECK_INT(five(), 0);
    ws_memory_fail(0, 0);
    CHECK_INT(five(), 31);
  }
}

TEST(test_zero_ends_a_failure_to_come) {
  ws_memory_fail(3, 1);
  ws_memory_fail(0, 1);
  CHECK_INT(five(), 31);
  CHECK_INT(five(), 31);
}

/* Growing a block counts too, and the old block survives a failure. */
TEST(test_failed_resize_leaves_the_block) {
  size_t before = ws_memory_live();
  char *block = ws_memory_resize(NULL, 4);
  if (!CHECK(block != NULL)) return;
  memcpy(block, "kept", 4);
  ws_memory_fail(1, 0);
  CHECK(ws_memory_resize(block, 4096) == NULL);
  CHECK_BYTES(block, 4, "kept");
  CHECK_INT(ws_memory_live(), before + 1);
  ws_memory_fail(1, 1);
  ws_memory_free(block); /* freeing never fails and is not counted */
  CHECK_INT(ws_memory_live(), before);
  CHECK(ws_memory_new(1) == NULL);
  CHECK_INT(ws_memory_live(), before);
  ws_memory_fail(0, 0);
}

/* Impossible sizes fail, and leave the count as it is. */
TEST(test_too_much) {
  size_t before = ws_memory_live();
  volatile size_t huge = SIZE_MAX - 4096;
  CHECK(ws_memory_new(huge) == NULL);
  CHECK(ws_memory_resize(NULL, huge) == NULL);
  CHECK_INT(ws_memory_live(), before);
}

/* Its own allocation is not counted, nor made to fail. */
TEST(test_calming_is_no_allocation) {
  size_t before = ws_memory_live();
  ws_memory_fail(1, 0);
  ws_memory_calm();
  CHECK_INT(ws_memory_live(), before);
  CHECK(ws_memory_new(1) == NULL);
  CHECK_INT(ws_memory_fail(0, 0), 0);
}

int main(void) {
  RUN(test_new_is_zeroed_and_counted);
  RUN(test_resize_keeps_the_bytes);
  RUN(test_nothing_is_freed_once);
  RUN(test_the_nth_fails_alone);
  RUN(test_the_nth_and_all_later_fail);
  RUN(test_zero_ends_a_failure_to_come);
  RUN(test_failed_resize_leaves_the_block);
  RUN(test_too_much);
  RUN(test_calming_is_no_allocation);
  return check_done();
}
