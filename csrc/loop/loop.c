/* SPDX-License-Identifier: MIT */
/* The turn of loop.h: who is called, and in which order. Not for reading or
 * writing anything, and not for knowing who owns what it calls. */
#include "loop/loop.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "loop/clock.h"

#include <assert.h>
#include <limits.h>

#define BATCH 1024

/* Deadlines are kept in microseconds: counted in whole milliseconds a timer
 * could fire up to one too early. */
#define TICKS 1000u

struct ws_loop {
  const ws_poller_kind *kind;
  ws_poller *poller;
  ws_timers timers;
  uint64_t now;   /* microseconds, read in this turn */
  unsigned batch; /* the number of this turn */
  bool turning;
  size_t holds;
  ws_task posted; /* heads of rings, empty when they point at themselves */
  ws_task running;
  ws_task ending;
  ws_task disposed;
  ws_ready ready[BATCH];
};

static void clear_ring(ws_task *ring) {
  ring->next = ring->previous = ring;
}

static bool is_empty(const ws_task *ring) {
  return ring->next == ring;
}

static void append(ws_task *ring, ws_task *task) {
  task->previous = ring->previous;
  task->next = ring;
  ring->previous->next = task;
  ring->previous = task;
  task->queued = true;
}

/* Needs no ring: so a task can be taken back wherever it waits. */
static void detach(ws_task *task) {
  task->previous->next = task->next;
  task->next->previous = task->previous;
  task->next = task->previous = NULL;
  task->queued = false;
}

/* Moves all of `from` into `to`, which is empty. */
static void move_ring(ws_task *from, ws_task *to) {
  if (is_empty(from)) return;
  to->next = from->next;
  to->previous = from->previous;
  to->next->previous = to->previous->next = to;
  clear_ring(from);
}

/* Runs tasks until none is left, those added meanwhile too. The task may be
 * freed by its own run. */
static int drain(ws_task *ring) {
  int served = 0;
  while (!is_empty(ring)) {
    ws_task *task = ring->next;
    detach(task);
    task->run(task->owner);
    served++;
  }
  return served;
}

static void forget(ws_task *ring) {
  while (!is_empty(ring)) detach(ring->next);
}

static uint64_t read_time(void) {
  return (uint64_t)(ws_clock_precise() * TICKS);
}

static uint64_t deadline(uint64_t ms) {
  uint64_t now = read_time();
  return ms > (UINT64_MAX - now) / TICKS ? UINT64_MAX : now + ms * TICKS;
}

/* After a hang-up reading and writing both return at once: whoever wants
 * anything is to try, and finds the error by reading. Otherwise only what is
 * still wanted counts: an earlier handler may have changed that. */
static unsigned heed(unsigned wants, unsigned events) {
  if (!(events & WS_HANGUP)) return events & wants;
  return wants == 0 ? WS_HANGUP : wants | WS_HANGUP | WS_READABLE;
}

/* An earlier handler of the batch may have unwatched the one at hand, or
 * unwatched it and watched another descriptor with it: the event is of the
 * old one then. If it holds for the new one too, the next wait says so. */
static int serve_ready(ws_loop *loop, int count) {
  int served = 0;
  for (int i = 0; i < count; i++) {
    ws_watch *watch = loop->ready[i].tag;
    if (!watch->watched || watch->batch == loop->batch) continue;
    unsigned events = heed(watch->wants, loop->ready[i].events);
    if (events == 0) continue;
    served++;
    watch->ready(watch->owner, events);
  }
  return served;
}

static int serve_timers(ws_loop *loop) {
  uint64_t due;
  if (!ws_timers_next(&loop->timers, &due)) return 0;
  loop->now = read_time();
  uint64_t before = ws_timers_order(&loop->timers);
  int served = 0;
  ws_timer *timer;
  while ((timer = ws_timers_take(&loop->timers, loop->now, before)) != NULL) {
    served++;
    timer->fire(timer->owner);
  }
  return served;
}

static int serve_tasks(ws_loop *loop) {
  move_ring(&loop->posted, &loop->running);
  return drain(&loop->running);
}

/* The shorter of two waits, where negative means for ever. */
static int shorter(int a, int b) {
  if (a < 0) return b;
  if (b < 0) return a;
  return a < b ? a : b;
}

int ws_loop_new(const ws_poller_kind *kind, ws_loop **loop) {
  ws_loop *made = ws_memory_new(sizeof *made);
  if (made == NULL) return WS_ENOMEM;
  made->kind = kind != NULL ? kind : ws_pollers[0];
  int status = made->kind->create(&made->poller);
  if (status != WS_OK) {
    ws_memory_free(made);
    return status;
  }
  ws_timers_init(&made->timers, ws_memory_resize);
  clear_ring(&made->posted);
  clear_ring(&made->running);
  clear_ring(&made->ending);
  clear_ring(&made->disposed);
  *loop = made;
  return WS_OK;
}

void ws_loop_free(ws_loop *loop) {
  if (loop == NULL) return;
  assert(!loop->turning);
  loop->now = read_time();
  loop->turning = true;
  drain(&loop->disposed);
  forget(&loop->posted);
  forget(&loop->ending);
  ws_timers_deinit(&loop->timers);
  loop->kind->free(loop->poller);
  ws_memory_free(loop);
}

int ws_loop_turn(ws_loop *loop, int ms) {
  if (loop->turning) return WS_EINVAL;
  int wait = ms == 0 ? 0 : shorter(ms, ws_loop_timeout(loop));
  loop->turning = true;
  loop->batch++;
  int count = loop->kind->wait(loop->poller, loop->ready, BATCH, wait);
  loop->now = read_time();
  int served = serve_ready(loop, count);
  served += serve_timers(loop);
  served += serve_tasks(loop);
  drain(&loop->ending);
  drain(&loop->disposed);
  loop->turning = false;
  return count < 0 ? count : served;
}

bool ws_loop_turning(const ws_loop *loop) {
  return loop->turning;
}

int ws_loop_timeout(const ws_loop *loop) {
  if (!is_empty(&loop->posted) || !is_empty(&loop->ending) ||
      !is_empty(&loop->disposed))
    return 0;
  uint64_t due;
  if (!ws_timers_next(&loop->timers, &due)) return -1;
  uint64_t now = read_time();
  if (due <= now) return 0;
  uint64_t ms = (due - now - 1) / TICKS + 1;
  return ms > INT_MAX ? INT_MAX : (int)ms;
}

ws_fd ws_loop_fd(const ws_loop *loop) {
  return loop->kind->fd(loop->poller);
}

const char *ws_loop_poller_name(const ws_loop *loop) {
  return loop->kind->name;
}

uint64_t ws_loop_now(ws_loop *loop) {
  if (!loop->turning) loop->now = read_time();
  return loop->now / TICKS;
}

int ws_loop_watch(ws_loop *loop, ws_watch *watch, ws_fd fd, unsigned wants) {
  assert(!watch->watched && watch->ready != NULL);
  int status = loop->kind->add(loop->poller, fd, wants, watch);
  if (status != WS_OK) return status;
  watch->fd = fd;
  watch->wants = wants;
  watch->batch = loop->batch;
  watch->watched = true;
  return WS_OK;
}

int ws_loop_want(ws_loop *loop, ws_watch *watch, unsigned wants) {
  assert(watch->watched);
  if (wants == watch->wants) return WS_OK;
  int status = loop->kind->set(loop->poller, watch->fd, wants, watch);
  if (status == WS_OK) watch->wants = wants;
  return status;
}

void ws_loop_unwatch(ws_loop *loop, ws_watch *watch) {
  if (!watch->watched) return;
  watch->watched = false;
  loop->kind->remove(loop->poller, watch->fd);
  watch->fd = WS_FD_NONE;
}

int ws_loop_start_timer(ws_loop *loop, ws_timer *timer, uint64_t ms) {
  assert(timer->fire != NULL);
  return ws_timers_start(&loop->timers, timer, deadline(ms));
}

void ws_loop_stop_timer(ws_loop *loop, ws_timer *timer) {
  ws_timers_stop(&loop->timers, timer);
}

void ws_loop_post(ws_loop *loop, ws_task *task) {
  if (!task->queued) append(&loop->posted, task);
}

void ws_loop_post_end(ws_loop *loop, ws_task *task) {
  if (!task->queued) append(&loop->ending, task);
}

void ws_loop_cancel(ws_loop *loop, ws_task *task) {
  (void)loop;
  if (task->queued) detach(task);
}

void ws_loop_dispose(ws_loop *loop, ws_task *task) {
  if (task->queued) detach(task);
  append(&loop->disposed, task);
}

void ws_loop_hold(ws_loop *loop) {
  loop->holds++;
}

void ws_loop_release(ws_loop *loop) {
  assert(loop->holds > 0);
  loop->holds--;
}

bool ws_loop_alive(const ws_loop *loop) {
  return loop->holds > 0;
}
