/* SPDX-License-Identifier: MIT */
/* The growing buffer against a simple model and with failing allocations, and
 * the fixed one at the end of its memory. */
#include "bytes/buffer.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"

static uint8_t byte_at(size_t position) {
  return (uint8_t)(position * 31 + position / 251);
}

/* A part of the stream of test bytes, from `from` on. */
static const uint8_t *stream(size_t from, size_t len) {
  static uint8_t bytes[70000];
  for (size_t i = 0; i < len; i++) bytes[i] = byte_at(from + i);
  return bytes;
}

static bool holds(const ws_buffer *buffer, size_t from, size_t len) {
  if (buffer->len != len) return false;
  for (size_t i = 0; i < len; i++)
    if (buffer->data[i] != byte_at(from + i)) return false;
  return true;
}

TEST(test_empty) {
  size_t live = ws_memory_live();
  ws_buffer buffer;
  memset(&buffer, 0xa5, sizeof buffer);
  ws_buffer_init(&buffer, ws_memory_resize, 0);
  CHECK_INT(buffer.len, 0);
  CHECK_INT(ws_buffer_append(&buffer, NULL, 0), WS_OK);
  CHECK_INT(ws_buffer_reserve(&buffer, 0), WS_OK);
  ws_buffer_consume(&buffer, 0);
  CHECK_INT(ws_memory_live(), live); /* no block until there is a byte */
  ws_buffer_deinit(&buffer);
  ws_buffer_deinit(&buffer);
  CHECK_INT(ws_memory_live(), live);
}

/* Appends and consumes in steps of changing sizes. What it holds is always the
 * part of the stream that was appended and not consumed. */
TEST(test_bytes_come_out_as_they_went_in) {
  size_t live = ws_memory_live();
  ws_buffer buffer;
  ws_buffer_init(&buffer, ws_memory_resize, 0);
  size_t in = 0, out = 0;
  uint32_t random = 12345;
  for (unsigned step = 0; step < 4000; step++) {
    random = random * 1664525 + 1013904223;
    size_t size = (random >> 16) % (step % 7 == 0 ? 5000 : 300);
    if (random >> 31 || buffer.len == 0) {
      if (ws_buffer_append(&buffer, stream(in, size), size) != WS_OK) break;
      in += size;
    } else {
      size = size % 3 == 0 || size > buffer.len ? buffer.len : size;
      ws_buffer_consume(&buffer, size);
      out += size;
    }
    if (!CHECK(holds(&buffer, out, in - out))) break;
    CHECK(ws_memory_live() <= live + 1);
  }
  CHECK(in > 100000);
  ws_buffer_deinit(&buffer);
  CHECK_INT(buffer.len, 0);
  CHECK_INT(ws_memory_live(), live);
  CHECK_INT(ws_buffer_append(&buffer, "again", 5), WS_OK);
  CHECK_BYTES(buffer.data, buffer.len, "again");
  ws_buffer_deinit(&buffer);
  CHECK_INT(ws_memory_live(), live);
}

/* The room that reserve promised can be written, to the last byte. */
TEST(test_reserve_gives_room) {
  ws_buffer buffer;
  ws_buffer_init(&buffer, ws_memory_resize, 0);
  for (size_t size = 0; size < 3000; size += 37) {
    CHECK_INT(ws_buffer_reserve(&buffer, size), WS_OK);
    size_t len = buffer.len;
    if (size) memset(buffer.data + len, 'r', size);
    CHECK_INT(buffer.len, len); /* only the caller makes it longer */
    buffer.len += size;
    ws_buffer_consume(&buffer, size / 2);
  }
  ws_buffer_deinit(&buffer);
}

static unsigned resizes;

static void *counted_resize(void *block, size_t size) {
  resizes += size != 0;
  return ws_memory_resize(block, size);
}

/* Growing by single bytes takes few allocations; a queue that stays short
 * takes none. */
TEST(test_grows_by_doubling) {
  ws_buffer buffer;
  ws_buffer_init(&buffer, counted_resize, 0);
  resizes = 0;
  for (size_t i = 0; i < 65536; i++)
    if (ws_buffer_append(&buffer, stream(i, 1), 1) != WS_OK) CHECK(false);
  CHECK(holds(&buffer, 0, 65536));
  CHECK(resizes >= 1 && resizes <= 16);
  ws_buffer_consume(&buffer, 65536);
  resizes = 0;
  for (size_t i = 0; i < 100000; i += 100) {
    CHECK_INT(ws_buffer_append(&buffer, stream(i, 100), 100), WS_OK);
    if (i) ws_buffer_consume(&buffer, 100);
  }
  CHECK_INT(resizes, 0); /* the block was kept, and used from its front */
  ws_buffer_deinit(&buffer);
}

/* A queue that stays full is not moved for each byte that goes through. */
TEST(test_a_full_queue_moves_little) {
  static const size_t rounds = 20000;
  ws_buffer buffer;
  ws_buffer_init(&buffer, ws_memory_resize, 0);
  CHECK_INT(ws_buffer_append(&buffer, stream(0, 4095), 4095), WS_OK);
  size_t moved = 0;
  for (size_t i = 0; i < rounds; i++) {
    ws_buffer_consume(&buffer, 1);
    size_t front = (size_t)(buffer.data - buffer.base);
    uint8_t byte = byte_at(4095 + i);
    if (ws_buffer_append(&buffer, &byte, 1) != WS_OK) CHECK(false);
    if ((size_t)(buffer.data - buffer.base) != front) moved += buffer.len;
  }
  CHECK(holds(&buffer, rounds, 4095));
  CHECK(moved <= 2 * rounds);
  CHECK(buffer.cap <= 4 * 4095);
  ws_buffer_deinit(&buffer);
}

/* Growing would be better, but without memory moving is enough. */
TEST(test_room_in_front_when_memory_fails) {
  ws_buffer buffer;
  ws_buffer_init(&buffer, ws_memory_resize, 0);
  CHECK_INT(ws_buffer_append(&buffer, stream(0, 1024), 1024), WS_OK);
  CHECK_INT(buffer.cap, 1024);
  ws_buffer_consume(&buffer, 10);
  ws_memory_fail(1, 1);
  CHECK_INT(ws_buffer_append(&buffer, stream(1024, 10), 10), WS_OK);
  CHECK_INT(ws_buffer_append(&buffer, "x", 1), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK(holds(&buffer, 10, 1024));
  ws_buffer_deinit(&buffer);
}

/* Every maximum around the first block's size, from every length below. */
TEST(test_never_above_its_limit) {
  static const size_t limits[] = {1, 2, 255, 256, 257, 511, 512, 513, 1000};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    size_t max = limits[i];
    for (size_t len = 0; len <= max; len += max > 20 ? 17 : 1) {
      ws_buffer buffer;
      ws_buffer_init(&buffer, ws_memory_resize, max);
      CHECK_INT(ws_buffer_append(&buffer, stream(0, len), len), WS_OK);
      CHECK_INT(ws_buffer_reserve(&buffer, max - len + 1), WS_ETOOBIG);
      CHECK_INT(ws_buffer_append(&buffer, stream(0, 1200), max - len + 1),
                WS_ETOOBIG);
      CHECK(holds(&buffer, 0, len));
      CHECK_INT(ws_buffer_append(&buffer, stream(len, max), max - len),
                WS_OK);
      CHECK(holds(&buffer, 0, max));
      CHECK(buffer.cap <= max);
      CHECK_INT(ws_buffer_append(&buffer, "x", 1), WS_ETOOBIG);
      ws_buffer_consume(&buffer, 1);
      CHECK_INT(ws_buffer_append(&buffer, stream(max, 1), 1), WS_OK);
      CHECK(holds(&buffer, 1, max));
      ws_buffer_deinit(&buffer);
    }
  }
}

TEST(test_sizes_that_overflow) {
  ws_buffer buffer;
  ws_buffer_init(&buffer, ws_memory_resize, 1000);
  CHECK_INT(ws_buffer_append(&buffer, "abcdef", 6), WS_OK);
  ws_buffer_consume(&buffer, 2);
  CHECK_INT(ws_buffer_reserve(&buffer, SIZE_MAX), WS_ETOOBIG);
  CHECK_INT(ws_buffer_reserve(&buffer, SIZE_MAX - 4), WS_ETOOBIG);
  CHECK_INT(ws_buffer_reserve(&buffer, SIZE_MAX - 3), WS_ETOOBIG);
  CHECK_BYTES(buffer.data, buffer.len, "cdef");
  ws_buffer_deinit(&buffer);
}

static void *no_memory(void *block, size_t size) {
  (void)block;
  (void)size;
  return NULL;
}

TEST(test_without_memory_from_the_start) {
  ws_buffer buffer;
  ws_buffer_init(&buffer, no_memory, 0);
  CHECK_INT(ws_buffer_append(&buffer, "a", 1), WS_ENOMEM);
  CHECK_INT(ws_buffer_reserve(&buffer, SIZE_MAX), WS_ENOMEM);
  CHECK_INT(ws_buffer_reserve(&buffer, 0), WS_OK);
  CHECK_INT(buffer.len, 0);
  ws_buffer_deinit(&buffer);
}

/* Each allocation of one sequence of calls fails in turn. What was in the
 * buffer stays, and trying again succeeds. */
TEST(test_each_allocation_failing) {
  size_t live = ws_memory_live();
  unsigned failed = 0;
  for (unsigned nth = 1; nth <= 8; nth++) {
    ws_buffer buffer;
    ws_buffer_init(&buffer, ws_memory_resize, 0);
    ws_memory_fail(nth, 0);
    size_t in = 0, out = 0;
    for (size_t size = 1; size < 9000; size = size * 3 + 7) {
      int status = ws_buffer_append(&buffer, stream(in, size), size);
      if (status != WS_OK) {
        failed++;
        CHECK_INT(status, WS_ENOMEM);
        CHECK(holds(&buffer, out, in - out));
        status = ws_buffer_append(&buffer, stream(in, size), size);
      }
      CHECK_INT(status, WS_OK);
      in += size;
      ws_buffer_consume(&buffer, size / 4);
      out += size / 4;
      CHECK(holds(&buffer, out, in - out));
    }
    ws_memory_fail(0, 0);
    ws_buffer_deinit(&buffer);
    CHECK_INT(ws_memory_live(), live);
  }
  CHECK(failed >= 4);
}

TEST(test_trim) {
  ws_buffer buffer;
  ws_buffer_init(&buffer, counted_resize, 0);
  ws_buffer_trim(&buffer, 0); /* nothing to trim */
  CHECK_INT(ws_buffer_append(&buffer, stream(0, 40000), 40000), WS_OK);
  ws_buffer_consume(&buffer, 100);
  size_t before = buffer.cap;
  CHECK(before > 40000);
  resizes = 0;
  ws_buffer_trim(&buffer, before - 40000); /* no more is free than may stay */
  CHECK_INT(resizes, 0);
  ws_memory_fail(1, 0);
  ws_buffer_trim(&buffer, 0);
  CHECK_INT(ws_memory_fail(0, 0), 0);
  CHECK_INT(buffer.cap, before);
  ws_buffer_trim(&buffer, 0);
  CHECK_INT(buffer.cap, 40000);
  CHECK(holds(&buffer, 100, 39900));
  CHECK_INT(ws_buffer_append(&buffer, stream(40000, 9), 9), WS_OK);
  CHECK(holds(&buffer, 100, 39909));
  ws_buffer_deinit(&buffer);
}

/* Over the caller's memory, which ends at a guarded page: every length, and
 * every number of bytes consumed of it. */
TEST(test_fixed) {
  static const size_t size = 40;
  uint8_t *memory = check_guarded(size);
  for (size_t len = 0; len <= size; len++)
    for (size_t gone = 0; gone <= len; gone++) {
      ws_buffer buffer;
      ws_buffer_init_fixed(&buffer, memory, size);
      CHECK_INT(ws_buffer_append(&buffer, stream(0, len), len), WS_OK);
      CHECK_INT(ws_buffer_append(&buffer, stream(0, 41), size - len + 1),
                WS_ETOOBIG);
      ws_buffer_consume(&buffer, gone);
      CHECK(holds(&buffer, gone, len - gone));
      size_t room = size - (len - gone);
      CHECK_INT(ws_buffer_reserve(&buffer, room + 1), WS_ETOOBIG);
      CHECK_INT(ws_buffer_append(&buffer, stream(len, room), room), WS_OK);
      CHECK(holds(&buffer, gone, size));
      CHECK_INT(ws_buffer_append(&buffer, "x", 1), WS_ETOOBIG);
      CHECK(buffer.data == memory);
      ws_buffer_deinit(&buffer);
      CHECK_INT(buffer.len, 0);
      CHECK_INT(ws_buffer_reserve(&buffer, size), WS_OK);
    }
}

TEST(test_fixed_of_no_bytes) {
  ws_buffer buffer;
  ws_buffer_init_fixed(&buffer, NULL, 0);
  CHECK_INT(ws_buffer_append(&buffer, NULL, 0), WS_OK);
  CHECK_INT(ws_buffer_append(&buffer, "x", 1), WS_ETOOBIG);
  CHECK_INT(buffer.len, 0);
  ws_buffer_deinit(&buffer);
}

int main(void) {
  RUN(test_empty);
  RUN(test_bytes_come_out_as_they_went_in);
  RUN(test_reserve_gives_room);
  RUN(test_grows_by_doubling);
  RUN(test_a_full_queue_moves_little);
  RUN(test_room_in_front_when_memory_fails);
  RUN(test_never_above_its_limit);
  RUN(test_sizes_that_overflow);
  RUN(test_without_memory_from_the_start);
  RUN(test_each_allocation_failing);
  RUN(test_trim);
  RUN(test_fixed);
  RUN(test_fixed_of_no_bytes);
  return check_done();
}
