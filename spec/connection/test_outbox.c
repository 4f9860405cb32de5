/* SPDX-License-Identifier: MIT */
/* The outbox: order, gathering, partial writes, counting payload, releasing
 * what was kept. */
#include "connection/outbox.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"

#include <stdlib.h>

static int released;
static void release(void *keeper) {
  (void)keeper;
  released++;
}

/* All bytes that wait, put together. */
static size_t collect(const ws_outbox *outbox, char *into, size_t most) {
  ws_slice slices[64];
  size_t len = 0, count = ws_outbox_gather(outbox, slices, 64);
  for (size_t i = 0; i < count && len + slices[i].len <= most; i++) {
    memcpy(into + len, slices[i].data, slices[i].len);
    len += slices[i].len;
  }
  return len;
}

TEST(keeps_the_order) {
  ws_outbox outbox = {0};
  char all[64];
  ws_kept kept = {"KEPT", 4, release, NULL, false};
  released = 0;
  CHECK_INT(ws_outbox_copy(&outbox, "ab", 2, 1), WS_OK);
  CHECK_INT(ws_outbox_keep(&outbox, &kept, 4, false), WS_OK);
  CHECK_INT(ws_outbox_copy(&outbox, "cd", 2, 1), WS_OK);
  CHECK_INT(outbox.bytes, 8);
  CHECK_INT(outbox.payload, 6);
  CHECK_BYTES(all, collect(&outbox, all, sizeof all), "abKEPTcd");
  ws_outbox_advance(&outbox, 8);
  CHECK_INT(outbox.bytes, 0);
  CHECK_INT(released, 1);
  CHECK_INT(ws_memory_live(), 0);
}

/* Wherever it is cut into two writes, nothing is lost or repeated. */
TEST(every_partial_write) {
  for (size_t cut = 0; cut <= 10; cut++) {
    ws_outbox outbox = {0};
    char all[64];
    ws_kept kept = {"KEPT", 4, release, NULL, false};
    ws_outbox_copy(&outbox, "abc", 3, 1);
    ws_outbox_keep(&outbox, &kept, 4, true);
    ws_outbox_copy(&outbox, "def", 3, 3);
    ws_outbox_advance(&outbox, cut);
    size_t len = collect(&outbox, all, sizeof all);
    CHECK_INT(len, 10 - cut);
    CHECK_INT(outbox.bytes, 10 - cut);
    CHECK(memcmp(all, &"abcKEPTdef"[cut], len) == 0);
    /* More after a partial write goes to the end. */
    ws_outbox_copy(&outbox, "!", 1, 0);
    len = collect(&outbox, all, sizeof all);
    CHECK(all[len - 1] == '!');
    ws_outbox_clear(&outbox);
    CHECK_INT(outbox.bytes + outbox.payload, 0);
  }
  CHECK_INT(ws_memory_live(), 0);
}

TEST(payload_is_what_is_not_yet_written) {
  ws_outbox outbox = {0};
  char data[100] = {0};
  ws_outbox_copy(&outbox, data, 100, 90); /* ten bytes of headers */
  ws_outbox_advance(&outbox, 10);
  CHECK_INT(outbox.payload, 90);
  ws_outbox_advance(&outbox, 40);
  CHECK_INT(outbox.payload, 50);
  ws_outbox_advance(&outbox, 50);
  CHECK_INT(outbox.payload, 0);
}

/* Compressed bytes stand for a longer payload, until the last is out. */
TEST(payload_above_the_bytes) {
  ws_outbox outbox = {0};
  char data[100] = {0};
  ws_outbox_copy(&outbox, data, 100, 1000);
  CHECK_INT(outbox.payload, 1000);
  size_t before = outbox.payload;
  for (int i = 0; i < 99; i++) {
    ws_outbox_advance(&outbox, 1);
    CHECK(outbox.payload <= before && outbox.payload > 0);
    before = outbox.payload;
  }
  ws_outbox_advance(&outbox, 1);
  CHECK_INT(outbox.payload, 0);
}

TEST(many_short_frames_share_memory) {
  ws_outbox outbox = {0};
  for (int i = 0; i < 10000; i++)
    CHECK_INT(ws_outbox_copy(&outbox, "0123456789", 10, 8), WS_OK);
  CHECK_INT(outbox.bytes, 100000);
  CHECK_INT(outbox.payload, 80000);
  CHECK(ws_memory_live() <= 26);
  ws_outbox_clear(&outbox);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(room_for_one_frame) {
  ws_outbox outbox = {0};
  ws_buffer room;
  char all[16];
  struct ws_chunk *chunk = ws_outbox_room(8, &room);
  CHECK(chunk != NULL);
  CHECK_INT(ws_buffer_append(&room, "h", 1), WS_OK);
  CHECK_INT(ws_buffer_append(&room, "payload", 7), WS_OK);
  CHECK_INT(ws_buffer_append(&room, "!", 1), WS_ETOOBIG);
  ws_outbox_commit(&outbox, chunk, &room, 7);
  CHECK_BYTES(all, collect(&outbox, all, sizeof all), "hpayload");
  CHECK_INT(outbox.payload, 7);
  ws_outbox_clear(&outbox);
  ws_outbox_discard(ws_outbox_room(100, &room));
  CHECK_INT(ws_memory_live(), 0);
}

/* A frame that has begun to leave must leave whole; the others are dropped. */
TEST(trimming_keeps_what_has_begun) {
  ws_outbox outbox = {0};
  char all[64];
  ws_kept kept = {"BODY", 4, release, NULL, false};
  released = 0;
  ws_outbox_trim(&outbox); /* of nothing */
  ws_outbox_copy(&outbox, "h:", 2, 0);
  ws_outbox_keep(&outbox, &kept, 4, true);
  ws_outbox_keep(&outbox, &kept, 4, false);
  ws_outbox_advance(&outbox, 1);
  ws_outbox_trim(&outbox);
  CHECK_BYTES(all, collect(&outbox, all, sizeof all), ":BODY");
  CHECK_INT(released, 1);
  ws_outbox_copy(&outbox, "z", 1, 1); /* still usable */
  CHECK_BYTES(all, collect(&outbox, all, sizeof all), ":BODYz");
  ws_outbox_clear(&outbox);
  CHECK_INT(released, 2);
  ws_outbox_copy(&outbox, "not begun", 9, 9);
  ws_outbox_trim(&outbox);
  CHECK_INT(outbox.bytes, 0);
}

/* So must the rest of a frame that has begun elsewhere. */
TEST(trimming_keeps_the_rest_of_a_frame) {
  ws_outbox outbox = {0};
  char all[64];
  ws_kept kept = {"BODY", 4, release, NULL, false};
  ws_outbox_begun(&outbox); /* nothing waits: nothing to mark */
  ws_outbox_copy(&outbox, "st of a frame", 13, 13);
  ws_outbox_begun(&outbox);
  ws_outbox_keep(&outbox, &kept, 4, false);
  ws_outbox_trim(&outbox);
  CHECK_BYTES(all, collect(&outbox, all, sizeof all), "st of a frame");
  ws_outbox_clear(&outbox);
  CHECK_INT(ws_memory_live(), 0);
}

/* Bytes that follow the last chunk's in memory extend that chunk. */
TEST(what_follows_extends) {
  static const char run[] = "abcdefghijklmnop";
  static int keeper, other;
  ws_outbox outbox = {0};
  char all[64];
  ws_slice slices[8];
  released = 0;
  ws_kept first = {run, 4, release, &keeper, true};
  ws_kept next = {run + 4, 4, release, &keeper, true};
  ws_kept apart = {run + 9, 4, release, &keeper, true};
  ws_kept foreign = {run + 8, 4, release, &other, true};
  CHECK(!ws_outbox_extend(&outbox, &next, 2));
  CHECK_INT(ws_outbox_keep(&outbox, &first, 3, false), WS_OK);
  CHECK(!ws_outbox_extend(&outbox, &apart, 2));
  ws_outbox_advance(&outbox, 3);
  CHECK(ws_outbox_extend(&outbox, &next, 2));
  CHECK(!ws_outbox_extend(&outbox, &next, 2));
  CHECK(!ws_outbox_extend(&outbox, &foreign, 2));
  CHECK_INT(ws_outbox_gather(&outbox, slices, 8), 1);
  CHECK_INT(outbox.bytes, 5);
  CHECK_INT(outbox.payload, 3);
  ws_outbox_copy(&outbox, "xy", 2, 2);
  CHECK(!ws_outbox_extend(&outbox, &foreign, 2));
  CHECK_BYTES(all, collect(&outbox, all, sizeof all), "defghxy");
  CHECK_INT(released, 0);
  ws_outbox_clear(&outbox);
  CHECK_INT(released, 1);
  CHECK_INT(ws_memory_live(), 0);
}

/* Bytes that were lent are copied, and nothing else changes. */
TEST(settling_copies_what_was_lent) {
  for (int lent = 0; lent <= 1; lent++) {
    ws_outbox outbox = {0};
    char all[64];
    released = 0;
    ws_kept kept = {"KEPT", 4, release, NULL, lent};
    ws_outbox_settle(&outbox);
    ws_outbox_keep(&outbox, &kept, 3, false);
    ws_outbox_copy(&outbox, "ab", 2, 2);
    ws_outbox_advance(&outbox, 2);
    ws_memory_fail(1, 1);
    ws_outbox_settle(&outbox);
    ws_memory_fail(0, 0);
    CHECK_INT(released, 0);
    ws_outbox_settle(&outbox);
    CHECK_INT(released, lent);
    ws_outbox_copy(&outbox, "cd", 2, 2);
    CHECK_INT(outbox.bytes, 6);
    CHECK_INT(outbox.payload, 6);
    CHECK_BYTES(all, collect(&outbox, all, sizeof all), "PTabcd");
    ws_outbox_trim(&outbox); /* it has begun */
    CHECK_BYTES(all, collect(&outbox, all, sizeof all), "PT");
    ws_outbox_clear(&outbox);
    CHECK_INT(released, 1);
    CHECK_INT(ws_memory_live(), 0);
  }
}

TEST(what_was_lent_alone_is_followed) {
  ws_outbox outbox = {0};
  char all[64];
  ws_kept kept = {"KEPT", 4, release, NULL, true};
  ws_outbox_keep(&outbox, &kept, 9, false);
  ws_outbox_settle(&outbox);
  CHECK_INT(outbox.payload, 9);
  ws_outbox_copy(&outbox, "ab", 2, 2);
  CHECK_BYTES(all, collect(&outbox, all, sizeof all), "KEPTab");
  ws_outbox_advance(&outbox, 4);
  CHECK_INT(outbox.payload, 2);
  ws_outbox_clear(&outbox);
  CHECK_INT(outbox.payload, 0);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(without_memory_nothing_changes) {
  ws_outbox outbox = {0};
  ws_buffer room;
  ws_kept kept = {"KEPT", 4, release, NULL, false};
  released = 0;
  ws_memory_fail(1, 1);
  CHECK_INT(ws_outbox_copy(&outbox, "ab", 2, 1), WS_ENOMEM);
  CHECK_INT(ws_outbox_keep(&outbox, &kept, 4, false), WS_ENOMEM);
  CHECK(ws_outbox_room(10, &room) == NULL);
  ws_memory_fail(0, 0);
  CHECK_INT(outbox.bytes + outbox.payload, 0);
  CHECK_INT(released, 0);
}

int main(void) {
  RUN(keeps_the_order);
  RUN(every_partial_write);
  RUN(payload_is_what_is_not_yet_written);
  RUN(payload_above_the_bytes);
  RUN(many_short_frames_share_memory);
  RUN(room_for_one_frame);
  RUN(trimming_keeps_what_has_begun);
  RUN(trimming_keeps_the_rest_of_a_frame);
  RUN(what_follows_extends);
  RUN(settling_copies_what_was_lent);
  RUN(what_was_lent_alone_is_followed);
  RUN(without_memory_nothing_changes);
  return check_done();
}
