/* SPDX-License-Identifier: MIT */
/* For the targets that feed a receiver. Promises: the events are the same
 * however the bytes are cut, and also when bytes are read into place, and
 * memory stays in proportion to the bytes. */
#pragma once
#include "fuzz.h"
#include "protocol/receiver.h"

/* The pool is emptied after each run, so that runs are independent. */
typedef struct frames_run {
  ws_receiver receiver;
  ws_deflate_pool pool;
  ws_deflate *deflate;
  ws_receiver_limits limits;
  fuzz_log log;
  size_t used;
  bool failed;
} frames_run;

static inline void frames_begin(frames_run *run, bool masked,
                                uint64_t max_payload, bool deflate) {
  static const ws_deflate_options options = {.enabled = true, .level = 1};
  static const ws_deflate_agreed agreed = {
      .on = true, .server_bits = 15, .client_bits = 15};
  *run = (frames_run){
      .limits = {.max_payload = max_payload, .masked = masked}};
  ws_receiver_init(&run->receiver, &run->limits, fuzz_resize);
  if (!deflate) return;
  ws_deflate_pool_init(&run->pool, fuzz_resize);
  run->deflate = ws_deflate_new(&run->pool, &options, &agreed, masked,
                                (size_t)max_payload);
  PROMISE(run->deflate != NULL);
  ws_receiver_use_deflate(&run->receiver, run->deflate);
}

static inline void frames_end(frames_run *run) {
  ws_receiver_deinit(&run->receiver);
  ws_deflate_free(run->deflate);
  if (run->deflate) ws_deflate_pool_deinit(&run->pool);
}

static inline void frames_note(frames_run *run, const ws_event *event) {
  PROMISE(event->type >= WS_EVENT_MESSAGE);
  PROMISE(event->type == WS_EVENT_FAIL || event->data != NULL);
  if (event->type == WS_EVENT_MESSAGE)
    PROMISE(event->len <= run->limits.max_payload);
  else
    PROMISE(event->len <= WS_CONTROL_MAX);
  fuzz_log_event(&run->log, event);
}

/* Feeds a piece, which the receiver may change. */
static inline void frames_feed(frames_run *run, uint8_t *piece, size_t len) {
  size_t used = 0;
  while (!run->failed) {
    ws_event event;
    size_t took = ws_receiver_feed(&run->receiver, piece + used, len - used,
                                   &event);
    PROMISE(took <= len - used);
    used += took;
    run->used += took;
    run->failed = event.type == WS_EVENT_FAIL;
    if (event.type == WS_EVENT_NONE) {
      PROMISE(used == len);
      return;
    }
    frames_note(run, &event);
  }
}

/* Reads to where the receiver wants the bytes, as a connection does. */
static inline size_t frames_feed_placed(frames_run *run, const uint8_t *data,
                                        size_t len, size_t least) {
  size_t room;
  uint8_t *space = ws_receiver_space(&run->receiver, least, &room);
  if (!space) return 0;
  PROMISE(room >= least);
  if (room > len) room = len;
  memcpy(space, data, room);
  frames_feed(run, space, room);
  return room;
}

static inline void frames_feed_all(frames_run *run, fuzz_input in,
                                   fuzz_cuts cuts, size_t least) {
  while (in.len > 0 && !run->failed) {
    size_t placed =
        least ? frames_feed_placed(run, in.data, in.len, least) : 0;
    (void)fuzz_run(&in, placed);
    if (run->failed || in.len == 0) return;
    ws_slice part = fuzz_run(&in, fuzz_cut(&cuts, in.len));
    frames_feed(run, fuzz_piece(part.data, part.len), part.len);
  }
}

/* Memory follows the bytes that have come, not a declared length; a control
 * frame has a block of its own. */
static inline void frames_check_memory(const frames_run *run, size_t before,
                                       size_t len, size_t least) {
  size_t most = 2 * len > 4096 ? 2 * len : 4096;
  if (!run->deflate)
    PROMISE(fuzz_memory.peak - before <= most + WS_CONTROL_MAX + least);
}

static inline void frames_check(fuzz_input in, bool masked) {
  static frames_run whole, pieces;
  uint8_t flags = fuzz_byte(&in);
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  bool deflate = flags & 1;
  uint64_t most = flags & 2 ? 65536 : 100;
  size_t least = flags & 4 ? (size_t)(flags >> 3) + 1 : 0;
  frames_begin(&whole, masked, most, deflate);
  frames_feed_all(&whole, in, fuzz_uncut, 0);
  frames_check_memory(&whole, 0, in.len, 0);
  frames_end(&whole);
  fuzz_memory_done();
  frames_begin(&pieces, masked, most, deflate);
  frames_feed_all(&pieces, in, cuts, least);
  frames_check_memory(&pieces, 0, in.len, least);
  frames_end(&pieces);
  fuzz_memory_done();
  PROMISE(whole.failed == pieces.failed);
  PROMISE(fuzz_log_same(&whole.log, &pieces.log));
}

/* A header that was read is written as the same bytes again. */
static inline void frames_check_head(fuzz_input in) {
  ws_frame frame, again;
  uint8_t head[WS_FRAME_HEAD_MAX];
  ptrdiff_t len = ws_frame_decode(&frame, in.data, in.len);
  PROMISE(len >= 0 || len == WS_EPROTOCOL);
  if (len <= 0) return;
  PROMISE((size_t)len <= in.len && len <= WS_FRAME_HEAD_MAX);
  PROMISE(ws_frame_encode(head, &frame) == (size_t)len);
  PROMISE(memcmp(head, in.data, (size_t)len) == 0);
  for (ptrdiff_t i = 0; i < len; i++)
    PROMISE(ws_frame_decode(&again, head, (size_t)i) == 0);
}
