/* SPDX-License-Identifier: MIT */
/* The event loop. Each turn: ready descriptors, timers, tasks, then the end,
 * where what was closed is freed. Knows descriptors and deadlines, not
 * connections. Single-threaded. */
#pragma once
#include "bytes/fd.h"
#include "loop/budget.h"
#include "loop/poller.h"
#include "loop/timers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ws_loop ws_loop;

/* A descriptor and what it is watched for. Embedded in its owner, which must
 * live until the end of the turn in which it was unwatched
 * (ws_loop_dispose). */
typedef struct ws_watch {
  void (*ready)(void *owner, unsigned events);
  void *owner;
  ws_fd fd;       /* private from here on */
  unsigned wants;
  bool watched;
} ws_watch;

/* Something to be done once. Embedded in its owner. */
typedef struct ws_task {
  void (*run)(void *owner);
  void *owner;
  struct ws_task *next; /* private from here on; NULL: it is in no queue */
  struct ws_task *previous;
} ws_task;

/* `kind` NULL: the system's best. WS_OK, WS_ENOMEM, WS_EMFILE, WS_ESYSTEM. */
int ws_loop_new(const ws_poller_kind *kind, ws_loop **loop);

/* Runs pending disposals and frees the loop; tasks and timers that still wait
 * are forgotten. Nothing may be watched any more. Not inside a turn. */
void ws_loop_free(ws_loop *loop);

/* One turn, which waits at most `ms` (-1: until something happens). The order:
 * wait, ready descriptors, timers that were due at the end of the wait, tasks
 * posted so far, tasks for the end, disposals. Returns the number of events
 * served (descriptors, timers, posted tasks, and what owners spent of the
 * budget besides), or a failure of the poller; WS_EINVAL when called inside a
 * turn. */
int ws_loop_turn(ws_loop *loop, int ms);

/* The same, serving at most `most` events (1 or more). The rest waits, in
 * order, for the next turn. The kind that used up the budget comes last there,
 * so descriptors, timers and tasks cannot starve each other. */
int ws_loop_turn_some(ws_loop *loop, int ms, int most);

/* What this turn may still serve. The pointer is valid as long as the loop. */
ws_budget *ws_loop_budget(ws_loop *loop);

/* True inside ws_loop_turn. */
bool ws_loop_turning(const ws_loop *loop);

/* Inside a turn: true while more ready descriptors wait to be served. */
bool ws_loop_has_ready(const ws_loop *loop);

/* Milliseconds until a turn has something to do even if no descriptor becomes
 * ready: 0 if tasks or the rest of a turn wait, else the time to the next
 * timer; -1 without timers. */
int ws_loop_timeout(const ws_loop *loop);

/* See ws_poller_kind.fd. */
ws_fd ws_loop_fd(const ws_loop *loop);

const char *ws_loop_poller_name(const ws_loop *loop);

/* The time in milliseconds, as read after a turn's wait and again before its
 * timers. Outside a turn each call reads the clock. */
uint64_t ws_loop_now(ws_loop *loop);

/* The same with fractions; only inside a turn. */
double ws_loop_now_precise(const ws_loop *loop);

/* Watch a descriptor, change what it is watched for, and stop watching it.
 * WS_OK, WS_ENOMEM or WS_ESYSTEM. `ready` and `owner` of `watch` must be set.
 * Setting unchanged `wants` costs no system call. `ready` is called with those
 * events that are still wanted. After a hang-up these are WS_HANGUP,
 * WS_READABLE and all that is wanted; if nothing is wanted, WS_HANGUP alone,
 * turn after turn until it is unwatched. Unwatch before the descriptor is
 * closed. */
int ws_loop_watch(ws_loop *loop, ws_watch *watch, ws_fd fd, unsigned wants);
int ws_loop_want(ws_loop *loop, ws_watch *watch, unsigned wants);
void ws_loop_unwatch(ws_loop *loop, ws_watch *watch);

/* Starts or moves a timer `ms` from now. WS_OK or WS_ENOMEM. */
int ws_loop_start_timer(ws_loop *loop, ws_timer *timer, uint64_t ms);
void ws_loop_stop_timer(ws_loop *loop, ws_timer *timer);

/* The task runs at the task step of a turn, never inside this call; tasks
 * posted by a task wait for the next turn. A queued task is not queued
 * twice. */
void ws_loop_post(ws_loop *loop, ws_task *task);

/* The task runs at the end of this turn (of the next one, when called outside a
 * turn). Tasks that such a task posts for the end still run in the same turn.
 * For flushing what was corked. */
void ws_loop_post_end(ws_loop *loop, ws_task *task);

/* True while the task waits in a queue. */
static inline bool ws_task_waits(const ws_task *task) {
  return task->next != NULL;
}

/* Removes a task from its queue. */
void ws_loop_cancel(ws_loop *loop, ws_task *task);

/* Like ws_loop_post_end, but runs after all of those, to free the owner. */
void ws_loop_dispose(ws_loop *loop, ws_task *task);

/* The loop is alive, and ws.run goes on, while more holds than releases were
 * made: one hold for each connection, server or timer. */
void ws_loop_hold(ws_loop *loop);
void ws_loop_release(ws_loop *loop);
bool ws_loop_alive(const ws_loop *loop);
