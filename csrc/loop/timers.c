/* SPDX-License-Identifier: MIT */
/* The heap behind timers.h, with four children per node, because a shallow heap
 * touches fewer timers. Fires none: that is for whoever takes a timer. */
#include "loop/timers.h"

#include "bytes/status.h"

#include <assert.h>

#define CHILDREN 4
#define FIRST_CAP 16

static bool earlier(const ws_timer *a, const ws_timer *b) {
  return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void place(ws_timers *timers, ws_timer *timer, size_t at) {
  timers->heap[at] = timer;
  timer->index = at + 1;
}

/* Puts the timer into its place, which is `at` or above. */
static void rise(ws_timers *timers, ws_timer *timer, size_t at) {
  while (at > 0) {
    size_t parent = (at - 1) / CHILDREN;
    if (!earlier(timer, timers->heap[parent])) break;
    place(timers, timers->heap[parent], at);
    at = parent;
  }
  place(timers, timer, at);
}

static size_t earliest_child(const ws_timers *timers, size_t at) {
  size_t first = at * CHILDREN + 1;
  size_t end = first + CHILDREN;
  if (end > timers->count) end = timers->count;
  size_t best = first;
  for (size_t child = first + 1; child < end; child++)
    if (earlier(timers->heap[child], timers->heap[best])) best = child;
  return best;
}

/* Puts the timer into its place, which is `at` or below. */
static void sink(ws_timers *timers, ws_timer *timer, size_t at) {
  for (;;) {
    size_t child = earliest_child(timers, at);
    if (child >= timers->count) break;
    if (!earlier(timers->heap[child], timer)) break;
    place(timers, timers->heap[child], at);
    at = child;
  }
  place(timers, timer, at);
}

static void settle(ws_timers *timers, ws_timer *timer, size_t at) {
  rise(timers, timer, at);
  sink(timers, timer, timer->index - 1);
}

static int grow(ws_timers *timers) {
  size_t cap = timers->cap ? timers->cap * 2 : FIRST_CAP;
  if (cap > SIZE_MAX / sizeof *timers->heap) return WS_ENOMEM;
  ws_timer **heap = timers->resize(timers->heap, cap * sizeof *heap);
  if (heap == NULL) return WS_ENOMEM;
  timers->heap = heap;
  timers->cap = cap;
  return WS_OK;
}

/* The earliest timer at `at` or below it that is due and was started before
 * order number `before`. Below a timer that is not due, none is due; below one
 * that qualifies, all are later. */
static ws_timer *find_due(const ws_timers *timers, size_t at, uint64_t now,
                          uint64_t before) {
  if (at >= timers->count || timers->heap[at]->due > now) return NULL;
  if (timers->heap[at]->order < before) return timers->heap[at];
  ws_timer *best = NULL;
  for (size_t i = 1; i <= CHILDREN; i++) {
    ws_timer *found = find_due(timers, at * CHILDREN + i, now, before);
    if (found && (best == NULL || earlier(found, best))) best = found;
  }
  return best;
}

void ws_timers_init(ws_timers *timers, ws_resize *resize) {
  *timers = (ws_timers){.resize = resize};
}

void ws_timers_deinit(ws_timers *timers) {
  for (size_t i = 0; i < timers->count; i++) timers->heap[i]->index = 0;
  timers->resize(timers->heap, 0);
  ws_timers_init(timers, timers->resize);
}

int ws_timers_start(ws_timers *timers, ws_timer *timer, uint64_t due) {
  if (!ws_timer_running(timer)) {
    if (timers->count == timers->cap && grow(timers) != WS_OK)
      return WS_ENOMEM;
    place(timers, timer, timers->count++);
  }
  timer->due = due;
  timer->order = timers->started++;
  settle(timers, timer, timer->index - 1);
  return WS_OK;
}

void ws_timers_stop(ws_timers *timers, ws_timer *timer) {
  if (!ws_timer_running(timer)) return;
  size_t at = timer->index - 1;
  assert(at < timers->count && timers->heap[at] == timer);
  timer->index = 0;
  ws_timer *last = timers->heap[--timers->count];
  if (last != timer) settle(timers, last, at);
}

bool ws_timers_next(const ws_timers *timers, uint64_t *due) {
  if (timers->count == 0) return false;
  *due = timers->heap[0]->due;
  return true;
}

ws_timer *ws_timers_take(ws_timers *timers, uint64_t now, uint64_t before) {
  ws_timer *timer = find_due(timers, 0, now, before);
  if (timer != NULL) ws_timers_stop(timers, timer);
  return timer;
}

uint64_t ws_timers_order(const ws_timers *timers) {
  return timers->started;
}
