/* SPDX-License-Identifier: MIT */
/* Every kind of poller that is built in, used only through its table, on real
 * descriptors. */
#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "loop/clock.h"
#include "loop/poller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#define BOTH (WS_READABLE | WS_WRITABLE)
#define MOST 64

static const ws_poller_kind *kind;
static ws_poller *poller;
static ws_ready ready[MOST];
static char tags[300]; /* only their addresses matter */

static void begin(void) {
  CHECK_INT(kind->create(&poller), WS_OK);
}

static void end(void) {
  kind->free(poller);
}

static void open_pair(int pair[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0) abort();
}

static void close_pair(const int pair[2]) {
  close(pair[0]);
  close(pair[1]);
}

static void put(int fd) {
  if (write(fd, "x", 1) != 1) abort();
}

static void get(int fd) {
  char byte;
  if (read(fd, &byte, 1) != 1) abort();
}

/* All events of a tag from one wait; kqueue may report them in two entries. */
static unsigned events_for(const void *tag, int ms) {
  unsigned events = 0;
  int count = kind->wait(poller, ready, MOST, ms);
  for (int i = 0; i < count; i++)
    if (ready[i].tag == tag) events |= ready[i].events;
  return events;
}

/* Two ends of a TCP connection on loopback. */
static void open_tcp(int pair[2]) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  pair[0] = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, len) != 0) abort();
  if (listen(listener, 1) != 0) abort();
  getsockname(listener, (struct sockaddr *)&address, &len);
  if (connect(pair[0], (struct sockaddr *)&address, len) != 0) abort();
  pair[1] = accept(listener, NULL, NULL);
  if (pair[1] < 0) abort();
  close(listener);
}

TEST(free_gives_its_descriptor_back) {
  int before = dup(STDERR_FILENO);
  close(before);
  begin();
  end();
  int after = dup(STDERR_FILENO);
  close(after);
  CHECK_INT(after, before);
}

TEST(nothing_watched_times_out) {
  begin();
  CHECK_INT(kind->wait(poller, ready, MOST, 0), 0);
  double start = ws_clock_precise();
  CHECK_INT(kind->wait(poller, ready, MOST, 5), 0);
  CHECK(ws_clock_precise() - start >= 5);
  end();
}

TEST(readable_as_long_as_there_is_something) {
  begin();
  int pair[2];
  open_pair(pair);
  CHECK_INT(kind->add(poller, pair[0], WS_READABLE, &tags[1]), WS_OK);
  CHECK_INT(events_for(&tags[1], 0), 0);
  put(pair[1]);
  CHECK_INT(events_for(&tags[1], -1), WS_READABLE);
  CHECK_INT(events_for(&tags[1], -1), WS_READABLE);
  get(pair[0]);
  CHECK_INT(events_for(&tags[1], 0), 0);
  kind->remove(poller, pair[0]);
  close_pair(pair);
  end();
}

TEST(only_what_is_wanted) {
  begin();
  int pair[2];
  open_pair(pair);
  put(pair[1]);
  CHECK_INT(kind->add(poller, pair[0], WS_WRITABLE, &tags[0]), WS_OK);
  CHECK_INT(events_for(&tags[0], -1), WS_WRITABLE);
  CHECK_INT(kind->set(poller, pair[0], BOTH, &tags[0]), WS_OK);
  CHECK_INT(events_for(&tags[0], -1), BOTH);
  CHECK_INT(kind->set(poller, pair[0], WS_READABLE, &tags[0]), WS_OK);
  CHECK_INT(events_for(&tags[0], -1), WS_READABLE);
  CHECK_INT(kind->set(poller, pair[0], 0, &tags[0]), WS_OK);
  CHECK_INT(kind->wait(poller, ready, MOST, 0), 0);
  CHECK_INT(kind->set(poller, pair[0], WS_READABLE, &tags[0]), WS_OK);
  CHECK_INT(events_for(&tags[0], -1), WS_READABLE);
  kind->remove(poller, pair[0]);
  CHECK_INT(kind->wait(poller, ready, MOST, 0), 0);
  close_pair(pair);
  end();
}

TEST(set_changes_the_tag) {
  begin();
  int pair[2];
  open_pair(pair);
  kind->add(poller, pair[0], WS_WRITABLE, &tags[0]);
  CHECK_INT(kind->set(poller, pair[0], WS_WRITABLE, &tags[1]), WS_OK);
  CHECK_INT(kind->wait(poller, ready, MOST, -1), 1);
  CHECK(ready[0].tag == &tags[1]);
  kind->remove(poller, pair[0]);
  close_pair(pair);
  end();
}

TEST(hangup_comes_whatever_is_wanted) {
  begin();
  int pair[2];
  open_pair(pair);
  kind->add(poller, pair[0], WS_READABLE, &tags[0]);
  close(pair[1]);
  CHECK(events_for(&tags[0], -1) & WS_READABLE);
  kind->set(poller, pair[0], 0, &tags[0]);
  unsigned events = events_for(&tags[0], 0);
  CHECK(events == 0 || events == WS_HANGUP);
  if (strcmp(kind->name, "kqueue") != 0) CHECK_INT(events, WS_HANGUP);
  kind->set(poller, pair[0], WS_WRITABLE, &tags[0]);
  CHECK(events_for(&tags[0], -1) & WS_HANGUP);
  kind->remove(poller, pair[0]);
  CHECK_INT(kind->wait(poller, ready, MOST, 0), 0);
  close(pair[0]);
  end();
}

/* That the peer has ended writing is no hang-up: it still reads. */
TEST(half_close_is_readable) {
  begin();
  int pair[2];
  open_tcp(pair);
  kind->add(poller, pair[0], WS_READABLE, &tags[0]);
  shutdown(pair[1], SHUT_WR);
  CHECK_INT(events_for(&tags[0], -1), WS_READABLE);
  kind->remove(poller, pair[0]);
  close_pair(pair);
  end();
}

TEST(reset_is_a_hangup) {
  begin();
  int pair[2];
  open_tcp(pair);
  kind->add(poller, pair[0], WS_READABLE, &tags[0]);
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(pair[1]);
  unsigned events = events_for(&tags[0], -1);
  CHECK(events & WS_HANGUP);
  CHECK(events & WS_READABLE);
  kind->remove(poller, pair[0]);
  close(pair[0]);
  end();
}

TEST(many_and_holes) {
  begin();
  enum { PAIRS = 100 };
  int pairs[PAIRS][2];
  for (int i = 0; i < PAIRS; i++) {
    open_pair(pairs[i]);
    CHECK_INT(kind->add(poller, pairs[i][0], WS_READABLE, &tags[i]), WS_OK);
  }
  for (int i = 0; i < PAIRS; i += 2) kind->remove(poller, pairs[i][0]);
  for (int i = 0; i < PAIRS; i++) put(pairs[i][1]);
  bool seen[PAIRS] = {false};
  int count = kind->wait(poller, ready, MOST, -1);
  CHECK_INT(count, PAIRS / 2);
  for (int i = 0; i < count; i++)
    seen[(char *)ready[i].tag - tags] = ready[i].events == WS_READABLE;
  for (int i = 0; i < PAIRS; i++) CHECK_INT(seen[i], i % 2 == 1);
  for (int i = 1; i < PAIRS; i += 2) kind->remove(poller, pairs[i][0]);
  CHECK_INT(kind->wait(poller, ready, MOST, 0), 0);
  for (int i = 0; i < PAIRS; i++) close_pair(pairs[i]);
  end();
}

TEST(the_idle_are_not_reported) {
  begin();
  enum { PAIRS = 20 };
  int pairs[PAIRS][2];
  for (int i = 0; i < PAIRS; i++) {
    open_pair(pairs[i]);
    kind->add(poller, pairs[i][0], WS_READABLE, &tags[i]);
  }
  put(pairs[13][1]);
  for (int turn = 0; turn < 3; turn++) {
    CHECK_INT(kind->wait(poller, ready, MOST, -1), 1);
    CHECK(ready[0].tag == &tags[13]);
  }
  for (int i = 0; i < PAIRS; i++) kind->remove(poller, pairs[i][0]);
  for (int i = 0; i < PAIRS; i++) close_pair(pairs[i]);
  end();
}

TEST(nobody_starves_when_few_fit) {
  begin();
  enum { PAIRS = 5 };
  int pairs[PAIRS][2];
  for (int i = 0; i < PAIRS; i++) {
    open_pair(pairs[i]);
    put(pairs[i][1]);
    kind->add(poller, pairs[i][0], WS_READABLE, &tags[i]);
  }
  int seen[PAIRS] = {0};
  for (int turn = 0; turn < 10; turn++) {
    int count = kind->wait(poller, ready, 2, -1);
    CHECK(count >= 1 && count <= 2);
    for (int i = 0; i < count; i++) seen[(char *)ready[i].tag - tags]++;
  }
  for (int i = 0; i < PAIRS; i++) CHECK(seen[i] >= 2);
  for (int i = 0; i < PAIRS; i++) {
    kind->remove(poller, pairs[i][0]);
    close_pair(pairs[i]);
  }
  end();
}

TEST(a_number_used_again_is_a_new_descriptor) {
  begin();
  int pair[2], again[2];
  open_pair(pair);
  kind->add(poller, pair[0], WS_READABLE, &tags[0]);
  put(pair[1]);
  kind->remove(poller, pair[0]);
  close_pair(pair);
  open_pair(again);
  CHECK_INT(again[0], pair[0]);
  CHECK_INT(kind->add(poller, again[0], WS_READABLE, &tags[1]), WS_OK);
  CHECK_INT(kind->wait(poller, ready, MOST, 0), 0);
  put(again[1]);
  CHECK_INT(kind->wait(poller, ready, MOST, -1), 1);
  CHECK(ready[0].tag == &tags[1]);
  kind->remove(poller, again[0]);
  close_pair(again);
  end();
}

TEST(mistakes_are_answered) {
  begin();
  int pair[2];
  open_pair(pair);
  CHECK_INT(kind->add(poller, -1, WS_READABLE, &tags[0]), WS_ESYSTEM);
  if (strcmp(kind->name, "kqueue") != 0) {
    CHECK_INT(kind->set(poller, pair[0], WS_READABLE, &tags[0]), WS_ESYSTEM);
    CHECK_INT(kind->add(poller, pair[0], WS_READABLE, &tags[0]), WS_OK);
    CHECK_INT(kind->add(poller, pair[0], WS_READABLE, &tags[0]), WS_ESYSTEM);
  }
  kind->remove(poller, pair[1]); /* never added */
  kind->remove(poller, pair[0]);
  kind->remove(poller, pair[0]);
  kind->remove(poller, -1);
  CHECK_INT(kind->wait(poller, ready, MOST, 0), 0);
  close_pair(pair);
  end();
}

static volatile sig_atomic_t interrupts;

static void interrupted(int number) {
  (void)number;
  interrupts++;
}

/* The wait has no time limit: only the signal ends it. The timer repeats, as
 * its first signal may come before the wait. */
TEST(interruption_is_no_event) {
  begin();
  struct sigaction action = {.sa_handler = interrupted};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval soon = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
  interrupts = 0;
  setitimer(ITIMER_REAL, &soon, NULL);
  CHECK_INT(kind->wait(poller, ready, MOST, -1), 0);
  setitimer(ITIMER_REAL, &never, NULL);
  CHECK(interrupts > 0);
  signal(SIGALRM, SIG_IGN); /* another one may still come */
  end();
}

TEST(descriptor_tells_of_readiness) {
  begin();
  int pair[2];
  open_pair(pair);
  kind->add(poller, pair[0], WS_READABLE, &tags[0]);
  ws_fd fd = kind->fd(poller);
  if (kind == &ws_poller_poll) {
    CHECK_INT(fd, WS_FD_NONE);
  } else {
    ws_poller *outer;
    CHECK_INT(ws_poller_poll.create(&outer), WS_OK);
    CHECK_INT(ws_poller_poll.add(outer, fd, WS_READABLE, &tags[9]), WS_OK);
    CHECK_INT(ws_poller_poll.wait(outer, ready, MOST, 0), 0);
    put(pair[1]);
    CHECK_INT(ws_poller_poll.wait(outer, ready, MOST, -1), 1);
    CHECK_INT(ready[0].events, WS_READABLE);
    get(pair[0]);
    CHECK_INT(ws_poller_poll.wait(outer, ready, MOST, 0), 0);
    ws_poller_poll.free(outer);
  }
  kind->remove(poller, pair[0]);
  close_pair(pair);
  end();
}

TEST(no_memory_leaves_it_usable) {
  size_t live = ws_memory_live();
  ws_memory_fail(1, 0);
  CHECK_INT(kind->create(&poller), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK_INT(ws_memory_live(), live);
  enum { PAIRS = 60 };
  int pairs[PAIRS][2];
  unsigned refused = 0;
  for (uint64_t nth = 1; nth <= 4; nth++) {
    begin();
    for (int i = 0; i < PAIRS; i++) {
      open_pair(pairs[i]);
      ws_memory_fail(nth, 1);
      int status = kind->add(poller, pairs[i][0], WS_WRITABLE, &tags[i]);
      ws_memory_fail(0, 0);
      if (status == WS_OK) continue;
      refused++;
      CHECK_INT(status, WS_ENOMEM);
      kind->remove(poller, pairs[i][0]); /* does no harm */
      CHECK_INT(kind->add(poller, pairs[i][0], WS_WRITABLE, &tags[i]), WS_OK);
    }
    CHECK_INT(kind->wait(poller, ready, MOST, -1), PAIRS);
    for (int i = 0; i < PAIRS; i++) kind->remove(poller, pairs[i][0]);
    for (int i = 0; i < PAIRS; i++) close_pair(pairs[i]);
    end();
    CHECK_INT(ws_memory_live(), live);
  }
  if (kind == &ws_poller_poll) CHECK(refused >= 3);
}

/* Without descriptors, a kind that needs one fails and leaks nothing. */
TEST(no_descriptors) {
  size_t live = ws_memory_live();
  struct rlimit old, none;
  getrlimit(RLIMIT_NOFILE, &old);
  none = old;
  none.rlim_cur = 3;
  setrlimit(RLIMIT_NOFILE, &none);
  int status = kind->create(&poller);
  setrlimit(RLIMIT_NOFILE, &old);
  CHECK_INT(status, kind == &ws_poller_poll ? WS_OK : WS_EMFILE);
  if (status == WS_OK) end();
  CHECK_INT(ws_memory_live(), live);
}

/* A child that frees its copies must not disturb its parent, nor close what it
 * has opened itself: a child has no kqueue, so its number may be used again. */
TEST(fork_and_clean_up_in_the_child) {
  begin();
  int pair[2];
  open_pair(pair);
  kind->add(poller, pair[0], WS_READABLE, &tags[0]);
  pid_t child = fork();
  if (child == 0) {
    int own = dup(STDERR_FILENO);
    kind->remove(poller, pair[0]);
    close_pair(pair);
    kind->free(poller);
    _exit(close(own) == 0 ? 0 : 1);
  }
  int result = -1;
  CHECK(waitpid(child, &result, 0) == child);
  CHECK_INT(result, 0);
  put(pair[1]);
  CHECK_INT(kind->wait(poller, ready, MOST, 1000), 1);
  kind->remove(poller, pair[0]);
  close_pair(pair);
  end();
}

static void run_all(void) {
  unsigned failed = check_counts.failed;
  RUN(free_gives_its_descriptor_back);
  RUN(nothing_watched_times_out);
  RUN(readable_as_long_as_there_is_something);
  RUN(only_what_is_wanted);
  RUN(set_changes_the_tag);
  RUN(hangup_comes_whatever_is_wanted);
  RUN(half_close_is_readable);
  RUN(reset_is_a_hangup);
  RUN(many_and_holes);
  RUN(the_idle_are_not_reported);
  RUN(nobody_starves_when_few_fit);
  RUN(a_number_used_again_is_a_new_descriptor);
  RUN(mistakes_are_answered);
  RUN(interruption_is_no_event);
  RUN(descriptor_tells_of_readiness);
  RUN(no_memory_leaves_it_usable);
  RUN(no_descriptors);
  RUN(fork_and_clean_up_in_the_child);
  if (check_counts.failed != failed)
    fprintf(stderr, "(with the poller %s)\n", kind->name);
}

int main(void) {
  for (size_t i = 0; ws_pollers[i] != NULL; i++) {
    kind = ws_pollers[i];
    run_all();
  }
  return check_done();
}
