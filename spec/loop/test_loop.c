/* SPDX-License-Identifier: MIT */
/* The turn: order, limits, and what handlers may do to each other. Tested with
 * every kind of poller on real descriptors, then with a scripted one that says
 * exactly what is ready in which batch. No poller sleeps: instead, the virtual
 * clock is put forward. */
#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "loop/loop.h"
#include "loop/virtual_clock.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

static const ws_poller_kind *kind;
static ws_loop *loop;

/* The kind of poller under test. Instead of sleeping it puts the clock forward:
 * what is not ready at once never will be, as no other process takes part. */
static const ws_poller_kind *of_system;

static int wait_sleepless(ws_poller *poller, ws_ready *ready, int most,
                          int ms) {
  int count = of_system->wait(poller, ready, most, ms > 0 ? 0 : ms);
  if (count == 0 && ms > 0) virtual_clock += ms;
  return count;
}

static void choose_kind(const ws_poller_kind *chosen) {
  static ws_poller_kind sleepless;
  of_system = chosen;
  sleepless = *chosen;
  sleepless.wait = wait_sleepless;
  kind = &sleepless;
}

static size_t live_before;

/* The actors that were called, in order, one letter each. */
static char said[256];
static size_t said_len;

static void say(char letter) {
  if (said_len < sizeof said - 1) said[said_len++] = letter;
  said[said_len] = 0;
}

static void hush(void) {
  said_len = 0;
  said[0] = 0;
}

#define CHECK_SAID(literal) CHECK_BYTES(said, said_len, literal)

static void begin(void) {
  hush();
  live_before = ws_memory_live();
  CHECK_INT(ws_loop_new(kind, &loop), WS_OK);
}

static void end(void) {
  ws_loop_free(loop);
  CHECK_INT(ws_memory_live(), live_before);
}

/* Something that can be watched, timed and posted. When called, it does
 * something to another actor. */
typedef struct actor {
  char letter;
  void (*act)(struct actor *self, struct actor *other);
  struct actor *other;
  ws_watch watch;
  ws_timer timer;
  ws_task task;
  unsigned events;
  int calls;
  int fds[2];
} actor;

static void called(void *owner) {
  actor *self = owner;
  self->calls++;
  say(self->letter);
  if (self->act) self->act(self, self->other);
}

static void called_ready(void *owner, unsigned events) {
  actor *self = owner;
  self->events = events;
  called(owner);
}

static actor actor_of(char letter) {
  return (actor){.letter = letter, .fds = {-1, -1}};
}

static void cast(actor *self) {
  self->watch.ready = called_ready;
  self->timer.fire = self->task.run = called;
  self->watch.owner = self->timer.owner = self->task.owner = self;
}

static void cast_acting(actor *self,
                        void (*act)(actor *self, actor *other),
                        actor *other) {
  cast(self);
  self->act = act;
  self->other = other;
}

static void open_pair(actor *self) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, self->fds) != 0)
    abort();
}

static void close_pair(actor *self) {
  if (self->fds[0] >= 0) close(self->fds[0]);
  if (self->fds[1] >= 0) close(self->fds[1]);
  self->fds[0] = self->fds[1] = -1;
}

static void watch_pair(actor *self, unsigned wants) {
  open_pair(self);
  CHECK_INT(ws_loop_watch(loop, &self->watch, self->fds[0], wants), WS_OK);
}

static void drop_pair(actor *self) {
  ws_loop_unwatch(loop, &self->watch);
  close_pair(self);
}

static void put(actor *self) {
  if (write(self->fds[1], "x", 1) != 1) abort();
}

/* --- acts ---------------------------------------------------------------- */

static void act_unwatch(actor *self, actor *other) {
  (void)self;
  ws_loop_unwatch(loop, &other->watch);
}

static void act_unwatch_both(actor *self, actor *other) {
  ws_loop_unwatch(loop, &self->watch);
  ws_loop_unwatch(loop, &other->watch);
}

static void act_want_nothing_of(actor *self, actor *other) {
  ws_loop_want(loop, &self->watch, 0);
  ws_loop_want(loop, &other->watch, 0);
}

/* Closes the other's descriptor, and lets the same watch have a new one with
 * the same number and nothing to read. */
static void act_replace(actor *self, actor *other) {
  ws_loop_unwatch(loop, &self->watch);
  int number = other->fds[0];
  drop_pair(other);
  watch_pair(other, WS_READABLE);
  CHECK(other->fds[0] == number || other->fds[1] == number);
}

static actor newcomer;

/* The same, but another watch gets the number. */
static void act_supplant(actor *self, actor *other) {
  ws_loop_unwatch(loop, &self->watch);
  int number = other->fds[0];
  drop_pair(other);
  watch_pair(&newcomer, WS_READABLE);
  CHECK(newcomer.fds[0] == number || newcomer.fds[1] == number);
}

static void act_post(actor *self, actor *other) {
  (void)self;
  ws_loop_post(loop, &other->task);
}

static void act_post_end(actor *self, actor *other) {
  (void)self;
  ws_loop_post_end(loop, &other->task);
}

static void act_dispose(actor *self, actor *other) {
  (void)self;
  ws_loop_dispose(loop, &other->task);
}

static void act_cancel(actor *self, actor *other) {
  (void)self;
  ws_loop_cancel(loop, &other->task);
}

static void act_start_now(actor *self, actor *other) {
  (void)self;
  CHECK_INT(ws_loop_start_timer(loop, &other->timer, 0), WS_OK);
}

static void act_stop(actor *self, actor *other) {
  (void)self;
  ws_loop_stop_timer(loop, &other->timer);
}

static void act_turn(actor *self, actor *other) {
  (void)self, (void)other;
  CHECK(ws_loop_turning(loop));
  CHECK_INT(ws_loop_turn(loop, 0), WS_EINVAL);
  CHECK(ws_loop_turning(loop));
}

/* --- with every kind ----------------------------------------------------- */

TEST(a_new_loop_has_nothing) {
  begin();
  CHECK(!ws_loop_alive(loop));
  CHECK(!ws_loop_turning(loop));
  CHECK_INT(ws_loop_timeout(loop), -1);
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  CHECK(strcmp(ws_loop_poller_name(loop), kind->name) == 0);
  CHECK_INT(ws_loop_fd(loop) == WS_FD_NONE, of_system == &ws_poller_poll);
  end();
}

TEST(ready_is_called_with_what_is_wanted) {
  begin();
  actor a = actor_of('a');
  cast(&a);
  watch_pair(&a, WS_READABLE);
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  put(&a);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_INT(a.events, WS_READABLE);
  CHECK_INT(ws_loop_want(loop, &a.watch, WS_WRITABLE), WS_OK);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_INT(a.events, WS_WRITABLE);
  CHECK_INT(ws_loop_want(loop, &a.watch, 0), WS_OK);
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  CHECK_INT(ws_loop_want(loop, &a.watch, WS_READABLE), WS_OK);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_INT(a.events, WS_READABLE);
  drop_pair(&a);
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  CHECK_INT(a.calls, 3);
  ws_loop_unwatch(loop, &a.watch); /* twice is fine */
  end();
}

TEST(hangup_is_found_by_reading) {
  begin();
  actor a = actor_of('a');
  cast(&a);
  watch_pair(&a, WS_READABLE);
  close(a.fds[1]);
  a.fds[1] = -1;
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK(a.events & WS_READABLE);
  CHECK_INT(ws_loop_want(loop, &a.watch, WS_WRITABLE), WS_OK);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_INT(a.events, WS_READABLE | WS_WRITABLE | WS_HANGUP);
  CHECK_INT(ws_loop_want(loop, &a.watch, 0), WS_OK);
  a.events = 0;
  ws_loop_turn(loop, 0);
  CHECK((a.events & ~WS_HANGUP) == 0);
  drop_pair(&a);
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  end();
}

/* Both are ready in one batch; the one that is served first prevents the other
 * from being served. */
static void check_only_one(void (*act)(actor *, actor *)) {
  begin();
  actor a = actor_of('a'), b = actor_of('b');
  cast_acting(&a, act, &b);
  cast_acting(&b, act, &a);
  watch_pair(&a, WS_READABLE);
  watch_pair(&b, WS_READABLE);
  put(&a);
  put(&b);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_INT(a.calls + b.calls, 1);
  CHECK_INT(ws_loop_turn(loop, 0), act == act_unwatch ? 1 : 0);
  drop_pair(&a);
  drop_pair(&b);
  end();
}

TEST(unwatched_by_an_earlier_handler) {
  check_only_one(act_unwatch);
  check_only_one(act_unwatch_both);
}

TEST(no_longer_wanted_by_an_earlier_handler) {
  check_only_one(act_want_nothing_of);
}

TEST(replaced_by_an_earlier_handler) {
  check_only_one(act_replace);
}

TEST(supplanted_by_an_earlier_handler) {
  newcomer = actor_of('n');
  cast(&newcomer);
  begin();
  actor a = actor_of('a'), b = actor_of('b');
  cast_acting(&a, act_supplant, &b);
  cast_acting(&b, act_supplant, &a);
  watch_pair(&a, WS_READABLE);
  watch_pair(&b, WS_READABLE);
  put(&a);
  put(&b);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_INT(newcomer.calls, 0);
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  put(&newcomer);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_INT(newcomer.calls, 1);
  CHECK_INT(a.calls + b.calls, 1);
  drop_pair(&a);
  drop_pair(&b);
  drop_pair(&newcomer);
  end();
}

/* Allows `most` descriptors, if the system lets us. */
static bool allow_descriptors(rlim_t most) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  if (limit.rlim_cur >= most) return true;
  limit.rlim_cur = most;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* More are ready than fit into one batch: two batches serve all. */
TEST(more_than_a_batch) {
  begin();
  enum { COUNT = 1100 };
  static actor many[COUNT];
  CHECK(allow_descriptors(COUNT + 100));
  actor first = actor_of('.');
  open_pair(&first);
  for (int i = 0; i < COUNT; i++) {
    actor *a = &many[i];
    *a = actor_of('.');
    cast(a);
    a->fds[0] = dup(first.fds[0]);
    CHECK_INT(ws_loop_watch(loop, &a->watch, a->fds[0], WS_WRITABLE), WS_OK);
  }
  CHECK_INT(ws_loop_turn(loop, -1), 1024);
  CHECK_INT(ws_loop_turn(loop, -1), 1024);
  for (int i = 0; i < COUNT; i++) CHECK(many[i].calls >= 1);
  for (int i = 0; i < COUNT; i++) drop_pair(&many[i]);
  close_pair(&first);
  end();
}

TEST(order_in_a_turn) {
  begin();
  actor r = actor_of('r'), t = actor_of('t'), p = actor_of('p');
  actor e = actor_of('e'), d = actor_of('d');
  cast(&r), cast(&t), cast(&p), cast(&e), cast(&d);
  ws_loop_dispose(loop, &d.task);
  ws_loop_post_end(loop, &e.task);
  ws_loop_post(loop, &p.task);
  ws_loop_start_timer(loop, &t.timer, 0);
  watch_pair(&r, WS_WRITABLE);
  CHECK_INT(ws_loop_turn(loop, -1), 3);
  CHECK_SAID("rtped");
  drop_pair(&r);
  end();
}

/* What an earlier step starts for a later step still runs in this turn. */
TEST(a_step_feeds_the_next) {
  begin();
  actor r = actor_of('r'), t = actor_of('t'), p = actor_of('p');
  actor e = actor_of('e'), d = actor_of('d');
  cast_acting(&r, act_start_now, &t);
  cast_acting(&t, act_post, &p);
  cast_acting(&p, act_post_end, &e);
  cast_acting(&e, act_dispose, &d);
  cast(&d);
  watch_pair(&r, WS_WRITABLE);
  CHECK_INT(ws_loop_turn(loop, -1), 3);
  CHECK_SAID("rtped");
  drop_pair(&r);
  end();
}

TEST(a_timer_wakes_the_wait) {
  begin();
  actor t = actor_of('t');
  cast(&t);
  uint64_t start = ws_clock_now();
  ws_loop_start_timer(loop, &t.timer, 12);
  CHECK_INT(ws_loop_timeout(loop), 12);
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  CHECK_INT(ws_loop_turn(loop, 100000), 1); /* the shorter wait wins */
  CHECK_INT(ws_clock_now() - start, 12);
  CHECK_SAID("t");
  CHECK_INT(ws_loop_timeout(loop), -1);
  end();
}

TEST(a_wait_is_not_longer_than_asked) {
  begin();
  actor t = actor_of('t');
  cast(&t);
  ws_loop_start_timer(loop, &t.timer, 60000);
  uint64_t start = ws_clock_now();
  CHECK_INT(ws_loop_turn(loop, 5), 0);
  CHECK_INT(ws_clock_now() - start, 5);
  ws_loop_stop_timer(loop, &t.timer);
  CHECK_INT(ws_loop_timeout(loop), -1);
  end();
}

/* Nor are they late, wherever in a millisecond they start. */
TEST(timers_never_early) {
  begin();
  for (int eighths = 1; eighths <= 16; eighths++) {
    actor t = actor_of('t');
    cast(&t);
    virtual_clock += 0.125;
    double start = virtual_clock;
    ws_loop_start_timer(loop, &t.timer, 3);
    while (ws_loop_turn(loop, 0) == 0) virtual_clock += 0.125;
    CHECK_INT(t.calls, 1);
    CHECK(virtual_clock - start == 3);
  }
  end();
}

static volatile sig_atomic_t interrupts;

static void interrupted(int number) {
  (void)number;
  interrupts++;
}

TEST(interruption_is_a_turn_with_nothing) {
  begin();
  struct sigaction action = {.sa_handler = interrupted};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval soon = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
  interrupts = 0;
  setitimer(ITIMER_REAL, &soon, NULL);
  CHECK_INT(ws_loop_turn(loop, -1), 0);
  setitimer(ITIMER_REAL, &never, NULL);
  CHECK(interrupts > 0);
  signal(SIGALRM, SIG_IGN); /* another one may still come */
  end();
}

/* Whichever allocation fails, nothing is lost, and the same calls succeed
 * afterwards. */
TEST(no_memory_leaves_it_usable) {
  enum { COUNT = 40 };
  static actor many[COUNT];
  size_t live = ws_memory_live();
  for (uint64_t nth = 1; nth <= 3; nth++) {
    ws_memory_fail(nth, 0);
    int status = ws_loop_new(kind, &loop);
    ws_memory_fail(0, 0);
    CHECK_INT(status, nth <= 2 ? WS_ENOMEM : WS_OK);
    if (status == WS_OK) ws_loop_free(loop);
    CHECK_INT(ws_memory_live(), live);
  }
  begin();
  for (int i = 0; i < COUNT; i++) {
    actor *a = &many[i];
    *a = actor_of('.');
    cast(a);
    open_pair(a);
    ws_memory_fail((uint64_t)(i % 3 + 1), 1);
    int watched = ws_loop_watch(loop, &a->watch, a->fds[0], WS_WRITABLE);
    int timed = ws_loop_start_timer(loop, &a->timer, 0);
    ws_memory_fail(0, 0);
    if (watched != WS_OK) {
      CHECK_INT(watched, WS_ENOMEM);
      ws_loop_unwatch(loop, &a->watch);
      watched = ws_loop_watch(loop, &a->watch, a->fds[0], WS_WRITABLE);
    }
    if (timed != WS_OK) {
      CHECK_INT(timed, WS_ENOMEM);
      timed = ws_loop_start_timer(loop, &a->timer, 0);
    }
    CHECK_INT(watched, WS_OK);
    CHECK_INT(timed, WS_OK);
  }
  ws_memory_fail(1, 1); /* a turn needs no memory at all */
  CHECK_INT(ws_loop_turn(loop, -1), 2 * COUNT);
  ws_memory_fail(0, 0);
  for (int i = 0; i < COUNT; i++) CHECK_INT(many[i].calls, 2);
  for (int i = 0; i < COUNT; i++) drop_pair(&many[i]);
  end();
}

TEST(a_nested_turn_is_refused) {
  begin();
  actor r = actor_of('r'), t = actor_of('t'), p = actor_of('p');
  actor e = actor_of('e'), d = actor_of('d');
  cast_acting(&r, act_turn, NULL), cast_acting(&t, act_turn, NULL);
  cast_acting(&p, act_turn, NULL), cast_acting(&e, act_turn, NULL);
  cast_acting(&d, act_turn, NULL);
  watch_pair(&r, WS_WRITABLE);
  ws_loop_start_timer(loop, &t.timer, 0);
  ws_loop_post(loop, &p.task);
  ws_loop_post_end(loop, &e.task);
  ws_loop_dispose(loop, &d.task);
  CHECK_INT(ws_loop_turn(loop, -1), 3);
  CHECK_SAID("rtped");
  CHECK(!ws_loop_turning(loop));
  drop_pair(&r);
  end();
}

/* --- timers in turns ----------------------------------------------------- */

TEST(a_timer_stopped_by_one_due_before_it) {
  begin();
  actor a = actor_of('a'), b = actor_of('b'), c = actor_of('c');
  cast_acting(&a, act_stop, &b);
  cast(&b);
  cast(&c);
  ws_loop_start_timer(loop, &a.timer, 0);
  ws_loop_start_timer(loop, &b.timer, 0);
  ws_loop_start_timer(loop, &c.timer, 0);
  CHECK_INT(ws_loop_turn(loop, 0), 2);
  CHECK_SAID("ac");
  end();
}

TEST(a_timer_stopping_itself) {
  begin();
  actor a = actor_of('a');
  cast_acting(&a, act_stop, &a);
  ws_loop_start_timer(loop, &a.timer, 0);
  CHECK_INT(ws_loop_turn(loop, 0), 1);
  CHECK(!ws_timer_running(&a.timer));
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  end();
}

/* A timer without delay that starts itself again fires once per turn;
 * descriptors and tasks are served in between. */
TEST(a_timer_restarting_itself_starves_nobody) {
  begin();
  actor a = actor_of('a'), r = actor_of('r'), p = actor_of('p');
  cast_acting(&a, act_start_now, &a);
  cast(&r);
  cast_acting(&p, act_post, &p);
  ws_loop_start_timer(loop, &a.timer, 0);
  ws_loop_post(loop, &p.task);
  watch_pair(&r, WS_WRITABLE);
  for (int i = 0; i < 4; i++) CHECK_INT(ws_loop_turn(loop, -1), 3);
  CHECK_SAID("raprapraprap");
  ws_loop_stop_timer(loop, &a.timer);
  ws_loop_cancel(loop, &p.task);
  drop_pair(&r);
  end();
}

/* Two timers that start each other take turns. */
TEST(timers_restarting_each_other) {
  begin();
  actor a = actor_of('a'), b = actor_of('b');
  cast_acting(&a, act_start_now, &b);
  cast_acting(&b, act_start_now, &a);
  ws_loop_start_timer(loop, &a.timer, 0);
  for (int i = 0; i < 4; i++) CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_SAID("abab");
  end();
}

TEST(one_due_later_in_the_turn_moved_by_an_earlier_one) {
  begin();
  actor a = actor_of('a'), b = actor_of('b');
  cast_acting(&a, act_start_now, &b); /* so b is due in the next turn */
  cast(&b);
  ws_loop_start_timer(loop, &a.timer, 0);
  ws_loop_start_timer(loop, &b.timer, 0);
  CHECK_INT(ws_loop_turn(loop, 0), 1);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_SAID("ab");
  end();
}

TEST(free_forgets_what_waits) {
  begin();
  actor a = actor_of('a'), b = actor_of('b');
  cast(&a), cast(&b);
  ws_loop_start_timer(loop, &a.timer, 1000);
  ws_loop_post(loop, &a.task);
  ws_loop_post_end(loop, &b.task);
  end();
  CHECK(!ws_timer_running(&a.timer));
  CHECK(!ws_task_waits(&a.task) && !ws_task_waits(&b.task));
  CHECK_SAID("");
}

/* --- tasks --------------------------------------------------------------- */

TEST(tasks_in_the_order_posted_and_once) {
  begin();
  actor a = actor_of('a'), b = actor_of('b'), c = actor_of('c');
  cast(&a), cast(&b), cast(&c);
  ws_loop_post(loop, &b.task);
  ws_loop_post(loop, &a.task);
  ws_loop_post(loop, &c.task);
  ws_loop_post(loop, &b.task);
  ws_loop_post_end(loop, &b.task);
  CHECK_SAID("");
  CHECK_INT(ws_loop_timeout(loop), 0);
  CHECK_INT(ws_loop_turn(loop, -1), 3);
  CHECK_SAID("bac");
  CHECK_INT(ws_loop_timeout(loop), -1);
  CHECK_INT(ws_loop_turn(loop, 0), 0);
  end();
}

TEST(a_task_posted_by_a_task_waits) {
  begin();
  actor a = actor_of('a'), b = actor_of('b');
  cast_acting(&a, act_post, &b);
  cast_acting(&b, act_post, &a);
  ws_loop_post(loop, &a.task);
  for (int i = 0; i < 4; i++) {
    CHECK_INT(ws_loop_timeout(loop), 0);
    CHECK_INT(ws_loop_turn(loop, -1), 1);
  }
  CHECK_SAID("abab");
  ws_loop_cancel(loop, &a.task);
  CHECK_INT(ws_loop_timeout(loop), -1);
  end();
}

TEST(cancel_wherever_it_waits) {
  begin();
  actor a = actor_of('a'), b = actor_of('b'), c = actor_of('c');
  cast_acting(&a, act_cancel, &b), cast(&b), cast(&c);
  ws_loop_cancel(loop, &b.task); /* not queued */
  ws_loop_post(loop, &a.task);
  ws_loop_post(loop, &b.task);
  ws_loop_post(loop, &c.task);
  CHECK_INT(ws_loop_turn(loop, -1), 2); /* though b was in this step already */
  CHECK_SAID("ac");
  ws_loop_post_end(loop, &b.task);
  ws_loop_dispose(loop, &c.task);
  CHECK_INT(ws_loop_timeout(loop), 0);
  ws_loop_cancel(loop, &b.task);
  CHECK_INT(ws_loop_timeout(loop), 0);
  ws_loop_cancel(loop, &c.task);
  CHECK_INT(ws_loop_timeout(loop), -1);
  ws_loop_turn(loop, 0);
  CHECK_SAID("ac");
  end();
}

static void act_end_four_times(actor *self, actor *other) {
  (void)other;
  if (self->calls < 4) ws_loop_post_end(loop, &self->task);
}

TEST(end_tasks_until_none_is_left) {
  begin();
  actor e = actor_of('e'), f = actor_of('f'), d = actor_of('d');
  cast_acting(&e, act_end_four_times, NULL);
  cast_acting(&f, act_dispose, &d);
  cast(&d);
  ws_loop_post_end(loop, &e.task);
  ws_loop_post_end(loop, &f.task);
  CHECK_INT(ws_loop_turn(loop, -1), 0);
  CHECK_SAID("efeeed");
  end();
}

/* Tasks that disposals post to other steps wait for the next turn; further
 * disposals run in this one. */
TEST(disposals_are_the_last) {
  begin();
  actor c = actor_of('c'), d = actor_of('d'), p = actor_of('p');
  actor e = actor_of('e'), f = actor_of('f');
  cast_acting(&c, act_post, &p), cast_acting(&d, act_dispose, &f);
  cast_acting(&f, act_post_end, &e), cast(&p), cast(&e);
  ws_loop_dispose(loop, &c.task);
  ws_loop_dispose(loop, &d.task);
  CHECK_INT(ws_loop_turn(loop, -1), 0);
  CHECK_SAID("cdf");
  CHECK_INT(ws_loop_timeout(loop), 0);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_SAID("cdfpe");
  end();
}

TEST(dispose_takes_it_from_elsewhere) {
  begin();
  actor a = actor_of('a'), e = actor_of('e');
  cast(&a), cast(&e);
  ws_loop_post(loop, &a.task);
  ws_loop_dispose(loop, &a.task);
  ws_loop_post(loop, &a.task); /* it stays among the disposals */
  ws_loop_post_end(loop, &e.task);
  CHECK_INT(ws_loop_turn(loop, -1), 0);
  CHECK_SAID("ea");
  CHECK_INT(ws_loop_timeout(loop), -1);
  end();
}

typedef struct guest {
  ws_watch watch;
  ws_task task;
} guest;

static void guest_free(void *owner) {
  say('f');
  ws_memory_free(owner);
}

static void guest_ready(void *owner, unsigned events) {
  guest *self = owner;
  (void)events;
  ws_loop_unwatch(loop, &self->watch);
  ws_loop_dispose(loop, &self->task);
  say('r');
}

/* An owner that unwatches and disposes of itself in its handler is freed at
 * the end of that turn; if there is no other turn, with the loop. */
TEST(an_owner_frees_itself) {
  begin();
  actor r = actor_of('r');
  cast(&r);
  open_pair(&r);
  for (int i = 0; i < 2; i++) {
    guest *self = ws_memory_new(sizeof *self);
    self->watch = (ws_watch){.ready = guest_ready, .owner = self};
    self->task = (ws_task){.run = guest_free, .owner = self};
    ws_loop_watch(loop, &self->watch, r.fds[i], WS_WRITABLE);
    if (i == 1) guest_ready(self, 0);
  }
  hush();
  ws_loop_turn(loop, -1);
  CHECK_SAID("rff");
  guest *last = ws_memory_new(sizeof *last);
  last->task = (ws_task){.run = guest_free, .owner = last};
  ws_loop_dispose(loop, &last->task);
  close_pair(&r);
  end();
  CHECK_SAID("rfff");
}

TEST(free_runs_disposals_of_disposals) {
  begin();
  actor c = actor_of('c'), d = actor_of('d');
  cast_acting(&c, act_dispose, &d);
  cast_acting(&d, act_turn, NULL);
  ws_loop_dispose(loop, &c.task);
  end();
  CHECK_SAID("cd");
}

TEST(hold_and_release) {
  begin();
  ws_loop_hold(loop);
  ws_loop_hold(loop);
  CHECK(ws_loop_alive(loop));
  ws_loop_release(loop);
  CHECK(ws_loop_alive(loop));
  ws_loop_release(loop);
  CHECK(!ws_loop_alive(loop));
  end();
}

/* --- time ---------------------------------------------------------------- */

static void act_see_time_stand(actor *self, actor *other) {
  (void)self, (void)other;
  uint64_t now = ws_loop_now(loop);
  virtual_clock += 3;
  CHECK_INT(ws_loop_now(loop), now);
}

TEST(time_stands_still_in_a_turn_only) {
  begin();
  actor p = actor_of('p');
  cast_acting(&p, act_see_time_stand, NULL);
  ws_loop_post(loop, &p.task);
  uint64_t before = ws_loop_now(loop);
  virtual_clock += 2;
  CHECK_INT(ws_loop_now(loop), before + 2);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_INT(ws_loop_now(loop), before + 5);
  end();
}

static void act_take_three(actor *self, actor *other) {
  (void)self, (void)other;
  CHECK_INT(ws_loop_now(loop), ws_clock_now());
  virtual_clock += 3;
}

TEST(time_is_read_after_the_wait_and_before_the_timers) {
  begin();
  actor r = actor_of('r'), t = actor_of('t');
  cast_acting(&r, act_take_three, NULL);
  cast_acting(&t, act_take_three, NULL);
  watch_pair(&r, WS_WRITABLE);
  ws_loop_start_timer(loop, &t.timer, 4);
  virtual_clock += 4;
  CHECK_INT(ws_loop_turn(loop, -1), 2);
  CHECK_SAID("rt");
  drop_pair(&r);
  end();
}

/* In the next turn, what the timer limits is served first. */
TEST(a_timer_that_falls_due_meanwhile_waits) {
  begin();
  actor r = actor_of('r'), t = actor_of('t');
  cast_acting(&r, act_take_three, NULL);
  cast(&t);
  watch_pair(&r, WS_WRITABLE);
  ws_loop_start_timer(loop, &t.timer, 4);
  virtual_clock += 3.875;
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  CHECK_SAID("r");
  CHECK_INT(ws_loop_turn(loop, -1), 2);
  CHECK_SAID("rrt");
  drop_pair(&r);
  end();
}

TEST(timeouts_are_rounded_up_and_limited) {
  begin();
  actor t = actor_of('t');
  cast(&t);
  ws_loop_start_timer(loop, &t.timer, 1000000);
  CHECK_INT(ws_loop_timeout(loop), 1000000);
  virtual_clock += 0.875;
  CHECK_INT(ws_loop_timeout(loop), 1000000);
  virtual_clock += 0.125;
  CHECK_INT(ws_loop_timeout(loop), 999999);
  ws_loop_start_timer(loop, &t.timer, INT_MAX);
  CHECK_INT(ws_loop_timeout(loop), INT_MAX);
  static const uint64_t long_ones[] = {(uint64_t)INT_MAX + 60000,
                                       UINT32_MAX + (uint64_t)60000,
                                       UINT64_MAX / 1000, UINT64_MAX - 1,
                                       UINT64_MAX};
  for (size_t i = 0; i < 5; i++) {
    ws_loop_start_timer(loop, &t.timer, long_ones[i]);
    CHECK_INT(ws_loop_timeout(loop), INT_MAX);
    CHECK_INT(ws_loop_turn(loop, 0), 0);
  }
  ws_loop_start_timer(loop, &t.timer, 0);
  CHECK_INT(ws_loop_timeout(loop), 0);
  CHECK_INT(ws_loop_turn(loop, -1), 1);
  end();
}

TEST(a_hundred_thousand_timers) {
  begin();
  enum { COUNT = 100000 };
  actor one = actor_of('.');
  cast(&one);
  ws_timer *list = ws_memory_new(COUNT * sizeof *list);
  for (size_t i = 0; i < COUNT; i++) {
    list[i] = one.timer;
    ws_loop_start_timer(loop, &list[i], i % 7 == 0 ? 3600000 : 0);
  }
  CHECK_INT(ws_loop_turn(loop, -1), COUNT - (COUNT + 6) / 7);
  for (size_t i = 0; i < COUNT; i++) ws_loop_stop_timer(loop, &list[i]);
  CHECK_INT(ws_loop_timeout(loop), -1);
  ws_memory_free(list);
  end();
}

/* --- with a scripted poller ---------------------------------------------- */

struct ws_poller {
  int adds, sets, removes, waits;
  int ms;      /* how long the last wait was to be */
  int status;  /* what add, set and wait return, if negative */
  int count;   /* how many are ready in the next wait */
  ws_ready ready[8];
};

static struct ws_poller script;
static int script_created = WS_OK;

static int script_create(ws_poller **poller) {
  memset(&script, 0, sizeof script);
  *poller = &script;
  return script_created;
}

static void script_free(ws_poller *poller) {
  (void)poller;
}

static int script_add(ws_poller *poller, ws_fd fd, unsigned wants,
                      void *tag) {
  (void)fd, (void)wants, (void)tag;
  poller->adds++;
  return poller->status;
}

static int script_set(ws_poller *poller, ws_fd fd, unsigned wants,
                      void *tag) {
  (void)fd, (void)wants, (void)tag;
  poller->sets++;
  return poller->status;
}

static void script_remove(ws_poller *poller, ws_fd fd) {
  (void)fd;
  poller->removes++;
}

static int script_wait(ws_poller *poller, ws_ready *ready, int most, int ms) {
  poller->waits++;
  poller->ms = ms;
  if (poller->status < 0) return poller->status;
  int count = poller->count < most ? poller->count : most;
  memcpy(ready, poller->ready, (size_t)count * sizeof *ready);
  poller->count = 0;
  return count;
}

static ws_fd script_fd(ws_poller *poller) {
  (void)poller;
  return 12345;
}

static const ws_poller_kind scripted = {
    .name = "scripted", .create = script_create, .free = script_free,
    .add = script_add,  .set = script_set,       .remove = script_remove,
    .wait = script_wait, .fd = script_fd,
};

static void begin_scripted(void) {
  kind = &scripted;
  begin();
}

static void will_be_ready(actor *self, unsigned events) {
  script.ready[script.count++] = (ws_ready){&self->watch, events};
}

TEST(a_poller_that_cannot_be_made) {
  size_t live = ws_memory_live();
  script_created = WS_EMFILE;
  CHECK_INT(ws_loop_new(&scripted, &loop), WS_EMFILE);
  script_created = WS_OK;
  CHECK_INT(ws_memory_live(), live);
}

TEST(null_is_the_best_kind) {
  CHECK_INT(ws_loop_new(NULL, &loop), WS_OK);
  CHECK(ws_loop_poller_name(loop) == ws_pollers[0]->name);
  ws_loop_free(loop);
  ws_loop_free(NULL);
}

TEST(unchanged_wants_cost_no_call) {
  begin_scripted();
  CHECK_INT(ws_loop_fd(loop), 12345);
  actor a = actor_of('a');
  cast(&a);
  CHECK_INT(ws_loop_watch(loop, &a.watch, 7, WS_READABLE), WS_OK);
  CHECK_INT(script.adds, 1);
  CHECK_INT(ws_loop_want(loop, &a.watch, WS_READABLE), WS_OK);
  CHECK_INT(script.sets, 0);
  CHECK_INT(ws_loop_want(loop, &a.watch, WS_WRITABLE), WS_OK);
  CHECK_INT(ws_loop_want(loop, &a.watch, WS_WRITABLE), WS_OK);
  CHECK_INT(script.sets, 1);
  ws_loop_unwatch(loop, &a.watch);
  ws_loop_unwatch(loop, &a.watch);
  CHECK_INT(script.removes, 1);
  end();
}

TEST(failures_of_the_poller_change_nothing) {
  begin_scripted();
  actor a = actor_of('a'), e = actor_of('e');
  cast(&a), cast(&e);
  script.status = WS_ESYSTEM;
  CHECK_INT(ws_loop_watch(loop, &a.watch, 7, WS_READABLE), WS_ESYSTEM);
  CHECK(!a.watch.watched);
  ws_loop_unwatch(loop, &a.watch);
  CHECK_INT(script.removes, 0);
  script.status = WS_OK;
  CHECK_INT(ws_loop_watch(loop, &a.watch, 7, WS_READABLE), WS_OK);
  script.status = WS_ENOMEM;
  CHECK_INT(ws_loop_want(loop, &a.watch, WS_WRITABLE), WS_ENOMEM);
  CHECK_INT(ws_loop_want(loop, &a.watch, WS_WRITABLE), WS_ENOMEM);
  CHECK_INT(script.sets, 2); /* the failed change is tried again */
  ws_loop_post_end(loop, &e.task);
  CHECK_INT(ws_loop_turn(loop, 0), WS_ENOMEM);
  CHECK_SAID("e"); /* a turn that cannot wait still ends well */
  CHECK(!ws_loop_turning(loop));
  script.status = WS_OK;
  will_be_ready(&a, WS_READABLE);
  CHECK_INT(ws_loop_turn(loop, 0), 1);
  ws_loop_unwatch(loop, &a.watch);
  end();
}

TEST(how_long_the_poller_waits) {
  begin_scripted();
  actor t = actor_of('t'), p = actor_of('p');
  cast(&t), cast(&p);
  static const int plain[] = {-1, 0, 1, 250, INT_MAX};
  for (size_t i = 0; i < 5; i++) {
    ws_loop_turn(loop, plain[i]);
    CHECK_INT(script.ms, plain[i]);
  }
  ws_loop_start_timer(loop, &t.timer, 500000);
  ws_loop_turn(loop, -1);
  CHECK_INT(script.ms, 500000);
  ws_loop_turn(loop, 600000);
  CHECK_INT(script.ms, 500000);
  ws_loop_turn(loop, 20);
  CHECK_INT(script.ms, 20);
  ws_loop_start_timer(loop, &t.timer, UINT64_MAX);
  ws_loop_turn(loop, -1);
  CHECK_INT(script.ms, INT_MAX);
  CHECK_SAID("");
  ws_loop_post(loop, &p.task);
  ws_loop_turn(loop, -1);
  CHECK_INT(script.ms, 0);
  ws_loop_post_end(loop, &p.task);
  ws_loop_turn(loop, 1000);
  CHECK_INT(script.ms, 0);
  ws_loop_dispose(loop, &p.task);
  ws_loop_turn(loop, 1000);
  CHECK_INT(script.ms, 0);
  end();
}

static void act_watch_again(actor *self, actor *other) {
  (void)self;
  ws_loop_unwatch(loop, &other->watch);
  CHECK_INT(ws_loop_watch(loop, &other->watch, 9, WS_READABLE), WS_OK);
}

static void act_want_write(actor *self, actor *other) {
  (void)self;
  ws_loop_want(loop, &other->watch, WS_WRITABLE);
}

/* The poller reports a, b, c in this order; a does something to b. */
static void check_batch(void (*act)(actor *, actor *), unsigned events,
                        int served, const char *expected) {
  begin_scripted();
  actor a = actor_of('a'), b = actor_of('b'), c = actor_of('c');
  cast_acting(&a, act, &b);
  cast(&b), cast(&c);
  ws_loop_watch(loop, &a.watch, 1, WS_READABLE);
  ws_loop_watch(loop, &b.watch, 2, WS_READABLE);
  ws_loop_watch(loop, &c.watch, 3, WS_READABLE);
  will_be_ready(&a, WS_READABLE);
  will_be_ready(&b, events);
  will_be_ready(&c, WS_READABLE);
  CHECK_INT(ws_loop_turn(loop, -1), served);
  CHECK(strcmp(said, expected) == 0);
  hush();
  if (b.watch.watched) { /* in the next batch it is like any other */
    will_be_ready(&b, WS_READABLE | WS_WRITABLE);
    CHECK_INT(ws_loop_turn(loop, -1), 1);
    CHECK_SAID("b");
    CHECK_INT(b.events, b.watch.wants);
  }
  ws_loop_unwatch(loop, &a.watch);
  ws_loop_unwatch(loop, &b.watch);
  ws_loop_unwatch(loop, &c.watch);
  end();
}

TEST(stale_events_of_a_batch) {
  check_batch(act_unwatch, WS_READABLE, 2, "ac");
  check_batch(act_unwatch, WS_HANGUP, 2, "ac");
  check_batch(act_watch_again, WS_READABLE, 2, "ac");
  check_batch(act_watch_again, WS_HANGUP, 2, "ac");
  check_batch(act_want_write, WS_READABLE, 2, "ac");
  check_batch(act_want_write, WS_READABLE | WS_WRITABLE, 3, "abc");
  check_batch(act_want_write, WS_HANGUP, 3, "abc");
}

TEST(what_a_hangup_says) {
  begin_scripted();
  actor a = actor_of('a');
  cast(&a);
  ws_loop_watch(loop, &a.watch, 1, 0);
  static const unsigned expected[] = {
      WS_HANGUP, WS_HANGUP | WS_READABLE,
      WS_HANGUP | WS_READABLE | WS_WRITABLE,
      WS_HANGUP | WS_READABLE | WS_WRITABLE};
  for (unsigned wants = 0; wants < 4; wants++) {
    ws_loop_want(loop, &a.watch, wants);
    will_be_ready(&a, WS_HANGUP);
    CHECK_INT(ws_loop_turn(loop, -1), 1);
    CHECK_INT(a.events, expected[wants]);
  }
  ws_loop_unwatch(loop, &a.watch);
  end();
}

/* -------------------------------------------------------------------------- */

static void run_with_kind(const ws_poller_kind *chosen) {
  unsigned failed = check_counts.failed;
  choose_kind(chosen);
  RUN(a_new_loop_has_nothing);
  RUN(ready_is_called_with_what_is_wanted);
  RUN(hangup_is_found_by_reading);
  RUN(unwatched_by_an_earlier_handler);
  RUN(no_longer_wanted_by_an_earlier_handler);
  RUN(replaced_by_an_earlier_handler);
  RUN(supplanted_by_an_earlier_handler);
  RUN(more_than_a_batch);
  RUN(order_in_a_turn);
  RUN(a_step_feeds_the_next);
  RUN(a_timer_wakes_the_wait);
  RUN(a_wait_is_not_longer_than_asked);
  RUN(timers_never_early);
  RUN(interruption_is_a_turn_with_nothing);
  RUN(no_memory_leaves_it_usable);
  RUN(a_nested_turn_is_refused);
  RUN(a_timer_stopped_by_one_due_before_it);
  RUN(a_timer_stopping_itself);
  RUN(a_timer_restarting_itself_starves_nobody);
  RUN(timers_restarting_each_other);
  RUN(one_due_later_in_the_turn_moved_by_an_earlier_one);
  RUN(free_forgets_what_waits);
  RUN(tasks_in_the_order_posted_and_once);
  RUN(a_task_posted_by_a_task_waits);
  RUN(cancel_wherever_it_waits);
  RUN(end_tasks_until_none_is_left);
  RUN(disposals_are_the_last);
  RUN(dispose_takes_it_from_elsewhere);
  RUN(an_owner_frees_itself);
  RUN(free_runs_disposals_of_disposals);
  RUN(hold_and_release);
  RUN(time_stands_still_in_a_turn_only);
  RUN(time_is_read_after_the_wait_and_before_the_timers);
  RUN(a_timer_that_falls_due_meanwhile_waits);
  RUN(timeouts_are_rounded_up_and_limited);
  RUN(a_hundred_thousand_timers);
  if (check_counts.failed != failed)
    fprintf(stderr, "(with the poller %s)\n", kind->name);
}

int main(void) {
  for (size_t i = 0; ws_pollers[i] != NULL; i++) run_with_kind(ws_pollers[i]);
  RUN(a_poller_that_cannot_be_made);
  RUN(null_is_the_best_kind);
  RUN(unchanged_wants_cost_no_call);
  RUN(failures_of_the_poller_change_nothing);
  RUN(how_long_the_poller_waits);
  RUN(stale_events_of_a_batch);
  RUN(what_a_hangup_says);
  return check_done();
}
