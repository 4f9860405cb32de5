/* SPDX-License-Identifier: MIT */
/* A turn with a budget: no more than that is served, nothing is lost, and no
 * kind of work and no descriptor makes another wait for ever. */
#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "loop/loop.h"

#include <sys/socket.h>
#include <unistd.h>

#define COUNT 5

static ws_loop *loop;
static size_t live_before;

/* Something that is always ready: a descriptor, a timer or a task. */
typedef struct source {
  ws_watch watch;
  ws_timer timer;
  ws_task task;
  int fds[2];
  int served;
  int tells; /* how many events it counts as, each time it is served */
  int told;
} source;

static source sources[COUNT];

static void tell(source *s) {
  s->served++;
  for (int i = 0; i < s->tells; i++) {
    if (!ws_budget_allows(ws_loop_budget(loop))) return;
    ws_budget_spend(ws_loop_budget(loop));
    s->told++;
  }
}

static void on_ready(void *owner, unsigned events) {
  (void)events;
  tell(owner);
}

static void on_timer(void *owner) {
  source *s = owner;
  tell(s);
  ws_loop_start_timer(loop, &s->timer, 0);
}

static void on_task(void *owner) {
  source *s = owner;
  tell(s);
  ws_loop_post(loop, &s->task);
}

static void begin(void) {
  live_before = ws_memory_live();
  CHECK_INT(ws_loop_new(NULL, &loop), WS_OK);
  memset(sources, 0, sizeof sources);
  for (int i = 0; i < COUNT; i++) {
    source *s = &sources[i];
    s->tells = 1;
    s->watch.ready = on_ready;
    s->timer.fire = on_timer;
    s->task.run = on_task;
    s->watch.owner = s->timer.owner = s->task.owner = s;
  }
}

static void be_readable(source *s) {
  CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, s->fds), 0);
  CHECK_INT(write(s->fds[1], "x", 1), 1);
  CHECK_INT(ws_loop_watch(loop, &s->watch, s->fds[0], WS_READABLE), WS_OK);
}

static void end(void) {
  for (int i = 0; i < COUNT; i++) {
    source *s = &sources[i];
    ws_loop_unwatch(loop, &s->watch);
    ws_loop_stop_timer(loop, &s->timer);
    ws_loop_cancel(loop, &s->task);
    if (s->fds[0]) close(s->fds[0]);
    if (s->fds[1]) close(s->fds[1]);
  }
  ws_loop_free(loop);
  CHECK_INT(ws_memory_live(), live_before);
}

static void check_equally_served(int times) {
  for (int i = 0; i < COUNT; i++) CHECK_INT(sources[i].served, times);
}

static void descriptors_take_turns(void) {
  begin();
  for (int i = 0; i < COUNT; i++) be_readable(&sources[i]);
  for (int i = 0; i < 3 * COUNT; i++)
    CHECK_INT(ws_loop_turn_some(loop, 0, 1), 1);
  check_equally_served(3);
  CHECK_INT(ws_loop_turn_some(loop, 0, 3), 3);
  CHECK_INT(ws_loop_timeout(loop), 0);
  CHECK_INT(ws_loop_turn(loop, 0), 2);
  check_equally_served(4);
  CHECK_INT(ws_loop_timeout(loop), -1);
  end();
}

static void tasks_take_turns(void) {
  begin();
  for (int i = 0; i < COUNT; i++) ws_loop_post(loop, &sources[i].task);
  for (int i = 0; i < 3 * COUNT; i++) {
    CHECK_INT(ws_loop_turn_some(loop, 0, 1), 1);
    CHECK_INT(ws_loop_timeout(loop), 0);
  }
  check_equally_served(3);
  end();
}

static void timers_take_turns(void) {
  begin();
  for (int i = 0; i < COUNT; i++)
    ws_loop_start_timer(loop, &sources[i].timer, 0);
  for (int i = 0; i < 3 * COUNT; i++)
    CHECK_INT(ws_loop_turn_some(loop, 10, 1), 1);
  check_equally_served(3);
  end();
}

static void all_kinds_take_turns(void) {
  begin();
  be_readable(&sources[0]);
  ws_loop_start_timer(loop, &sources[1].timer, 0);
  ws_loop_post(loop, &sources[2].task);
  for (int i = 0; i < 30; i++) CHECK_INT(ws_loop_turn_some(loop, 0, 1), 1);
  for (int i = 0; i < 3; i++) CHECK(sources[i].served >= 9);
  end();
}

/* The rest of its events follows when it is served again. */
static void several_events_from_one_source(void) {
  begin();
  sources[0].tells = 10;
  ws_loop_post(loop, &sources[0].task);
  CHECK_INT(ws_loop_turn_some(loop, 0, 4), 4);
  CHECK_INT(sources[0].told, 4);
  CHECK_INT(ws_loop_turn_some(loop, 0, 1), 1);
  CHECK_INT(sources[0].told, 5);
  CHECK_INT(ws_loop_turn(loop, 0), 10);
  CHECK_INT(sources[0].told, 15);
  end();
}

/* One that was ready may be gone before it is served. */
static void unwatched_while_it_waits(void) {
  begin();
  for (int i = 0; i < COUNT; i++) be_readable(&sources[i]);
  CHECK_INT(ws_loop_turn_some(loop, 0, 1), 1);
  for (int i = 0; i < COUNT; i++) {
    ws_loop_unwatch(loop, &sources[i].watch);
    memset(&sources[i].watch, 0xff, sizeof sources[i].watch);
  }
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  for (int i = 0; i < COUNT; i++) sources[i].watch.watched = false;
  end();
}

static void tasks_that_wait_are_taken_back_and_forgotten(void) {
  begin();
  for (int i = 0; i < COUNT; i++) ws_loop_post(loop, &sources[i].task);
  CHECK_INT(ws_loop_turn_some(loop, 0, 1), 1);
  ws_loop_cancel(loop, &sources[1].task);
  CHECK_INT(ws_loop_turn_some(loop, 0, 1), 1);
  CHECK_INT(sources[1].served, 0);
  CHECK_INT(sources[2].served, 1);
  ws_loop_free(loop);
  CHECK(!ws_task_waits(&sources[3].task));
  CHECK_INT(ws_loop_new(NULL, &loop), WS_OK);
  end();
}

int main(void) {
  RUN(descriptors_take_turns);
  RUN(tasks_take_turns);
  RUN(timers_take_turns);
  RUN(all_kinds_take_turns);
  RUN(several_events_from_one_source);
  RUN(unwatched_while_it_waits);
  RUN(tasks_that_wait_are_taken_back_and_forgotten);
  return check_done();
}
