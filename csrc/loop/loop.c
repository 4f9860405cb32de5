/* SPDX-License-Identifier: MIT */
/* The turn of loop.h: what is called, and in which order. Does no I/O of its
 * own, and does not know what its owners are. */
#include "loop/loop.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "loop/clock.h"

#include <assert.h>
#include <limits.h>

#define BATCH 1024

/* Deadlines are kept in microseconds: in whole milliseconds a timer could fire
 * up to one millisecond early. */
#define TICKS 1000u

struct ws_loop {
  const ws_poller_kind *kind;
  ws_poller *poller;
  ws_timers timers;
  uint64_t now;   /* microseconds, read in this turn */
  bool turning;
  ws_budget budget;
  int first; /* the kind of work the next turn begins with */
  int ready_next, ready_count; /* of `ready`, those still to be served */
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
}

/* Works without knowing the ring, so a task can be cancelled wherever it
 * waits. */
static void detach(ws_task *task) {
  /* clang's analyzer does not see that a ring's tasks are linked both ways. */
  task->previous->next = task->next; /* NOLINT(clang-analyzer-core.*) */
  task->next->previous = task->previous;
  task->next = task->previous = NULL;
}

/* Moves all tasks of `from` to the end of `to`. */
static void move_ring(ws_task *from, ws_task *to) {
  if (is_empty(from)) return;
  from->next->previous = to->previous;
  to->previous->next = from->next;
  from->previous->next = to;
  to->previous = from->previous;
  clear_ring(from);
}

/* `run` may free the task itself. */
static void run_first(ws_task *ring) {
  ws_task *task = ring->next;
  detach(task);
  task->run(task->owner);
}

/* Runs tasks until none is left, including those added meanwhile. */
static void drain(ws_task *ring) {
  while (!is_empty(ring)) run_first(ring);
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

/* After a hang-up both reading and writing return at once: an owner that wants
 * either has to try, and learns of the error by reading. Otherwise only events
 * that are still wanted count: an earlier handler may have changed that. */
static unsigned heed(unsigned wants, unsigned events) {
  if (!(events & WS_HANGUP)) return events & wants;
  return wants == 0 ? WS_HANGUP : wants | WS_HANGUP | WS_READABLE;
}

/* ---------------------------------------------------- kinds of work */

/* Everything that is served counts as an event, even if nothing comes of it. */
static bool begin(ws_loop *loop) {
  if (loop->budget.left == 0) return false;
  loop->budget.left--;
  loop->budget.prepaid = true;
  return true;
}

/* An earlier handler of the batch may have unwatched this watch, which clears
 * its tag here, and even reused it for another descriptor: events of that one
 * are reported by the next wait. */
static void serve_ready(ws_loop *loop) {
  while (loop->ready_next < loop->ready_count) {
    const ws_ready *ready = &loop->ready[loop->ready_next];
    ws_watch *watch = ready->tag;
    unsigned events = watch ? heed(watch->wants, ready->events) : 0;
    if (events != 0 && !begin(loop)) return;
    loop->ready_next++;
    if (events != 0) watch->ready(watch->owner, events);
  }
}

static void forget_ready(ws_loop *loop, const ws_watch *watch) {
  for (int i = loop->ready_next; i < loop->ready_count; i++)
    if (loop->ready[i].tag == watch) loop->ready[i].tag = NULL;
}

/* Serves the timers that were due at the end of the wait. One that became due
 * while a handler took long is left to the next turn: what it is the deadline
 * for may have arrived as well, and is served first there. */
static void serve_timers(ws_loop *loop) {
  uint64_t due;
  if (!ws_timers_next(&loop->timers, &due)) return;
  uint64_t waited_until = loop->now;
  loop->now = read_time();
  uint64_t before = ws_timers_order(&loop->timers);
  while (loop->budget.left > 0) {
    ws_timer *timer = ws_timers_take(&loop->timers, waited_until, before);
    if (!timer) return;
    begin(loop);
    timer->fire(timer->owner);
  }
}

/* Tasks that these tasks post wait for the next turn. */
static void serve_tasks(ws_loop *loop) {
  move_ring(&loop->posted, &loop->running);
  while (!is_empty(&loop->running) && begin(loop)) run_first(&loop->running);
}

typedef void serve_kind(ws_loop *loop);

static serve_kind *const kinds[] = {serve_ready, serve_timers, serve_tasks};
#define KINDS ((int)(sizeof kinds / sizeof *kinds))

/* The kind that uses up the budget comes last in the next turn. */
static int serve(ws_loop *loop, int most) {
  int first = loop->first;
  loop->first = 0;
  loop->budget.left = most;
  for (int i = 0; i < KINDS && loop->budget.left > 0; i++) {
    int kind = (first + i) % KINDS;
    kinds[kind](loop);
    if (loop->budget.left == 0) loop->first = (kind + 1) % KINDS;
  }
  int served = most - loop->budget.left;
  loop->budget = (ws_budget){.left = INT_MAX};
  return served;
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
  made->budget.left = INT_MAX;
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
  forget(&loop->running);
  forget(&loop->ending);
  ws_timers_deinit(&loop->timers);
  loop->kind->free(loop->poller);
  ws_memory_free(loop);
}

/* Asks the poller again only when everything that was ready has been served, so
 * that each descriptor is served, whatever order the poller reports them in. */
static int find_ready(ws_loop *loop, int ms) {
  if (loop->ready_next < loop->ready_count) return WS_OK;
  int wait = ms == 0 ? 0 : shorter(ms, ws_loop_timeout(loop));
  int count = loop->kind->wait(loop->poller, loop->ready, BATCH, wait);
  loop->ready_next = 0;
  loop->ready_count = count > 0 ? count : 0;
  return count < 0 ? count : WS_OK;
}

int ws_loop_turn_some(ws_loop *loop, int ms, int most) {
  assert(most > 0);
  if (loop->turning) return WS_EINVAL;
  loop->turning = true;
  int status = find_ready(loop, ms);
  loop->now = read_time();
  int served = serve(loop, most);
  drain(&loop->ending);
  drain(&loop->disposed);
  loop->turning = false;
  return status < 0 ? status : served;
}

int ws_loop_turn(ws_loop *loop, int ms) {
  return ws_loop_turn_some(loop, ms, INT_MAX);
}

ws_budget *ws_loop_budget(ws_loop *loop) {
  return &loop->budget;
}

bool ws_loop_turning(const ws_loop *loop) {
  return loop->turning;
}

bool ws_loop_has_ready(const ws_loop *loop) {
  return loop->ready_next < loop->ready_count;
}

int ws_loop_timeout(const ws_loop *loop) {
  if (!is_empty(&loop->posted) || !is_empty(&loop->running) ||
      !is_empty(&loop->ending) || !is_empty(&loop->disposed) ||
      ws_loop_has_ready(loop))
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

double ws_loop_now_precise(const ws_loop *loop) {
  return (double)loop->now / TICKS;
}

int ws_loop_watch(ws_loop *loop, ws_watch *watch, ws_fd fd, unsigned wants) {
  assert(!watch->watched && watch->ready != NULL);
  int status = loop->kind->add(loop->poller, fd, wants, watch);
  if (status != WS_OK) return status;
  watch->fd = fd;
  watch->wants = wants;
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
  forget_ready(loop, watch);
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
  if (!ws_task_waits(task)) append(&loop->posted, task);
}

void ws_loop_post_end(ws_loop *loop, ws_task *task) {
  if (!ws_task_waits(task)) append(&loop->ending, task);
}

void ws_loop_cancel(ws_loop *loop, ws_task *task) {
  (void)loop;
  if (ws_task_waits(task)) detach(task);
}

void ws_loop_dispose(ws_loop *loop, ws_task *task) {
  if (ws_task_waits(task)) detach(task);
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
