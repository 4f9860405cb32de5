/* SPDX-License-Identifier: MIT */
/* Tests what poller_kqueue.c relies on, of the stand-in or of a real kqueue: on
 * a BSD or a Mac this can be built without the stand-in. */
#include <sys/types.h>
/* After sys/types.h, as on some systems it does not include that itself. */
#include <sys/event.h>

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define MOST 8

static int queue;
static int pair[2];
static struct kevent events[MOST];
static char tags[3]; /* only their addresses matter */
static const struct timespec now = {0, 0};
static const struct timespec patience = {5, 0};

static void begin(void) {
  queue = kqueue();
  CHECK(queue >= 0);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) abort();
}

static void end(void) {
  close(pair[0]);
  close(pair[1]);
  close(queue);
}

/* Begins with a TCP pair, made with a listener. */
static void begin_tcp(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t len = sizeof address;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  queue = kqueue();
  pair[0] = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, len) != 0) abort();
  if (listen(listener, 1) != 0) abort();
  getsockname(listener, (struct sockaddr *)&address, &len);
  if (connect(pair[0], (struct sockaddr *)&address, len) != 0) abort();
  pair[1] = accept(listener, NULL, NULL);
  if (pair[1] < 0) abort();
  close(listener);
}

static int change_read(int fd, unsigned short action, void *tag) {
  struct kevent change;
  EV_SET(&change, (uintptr_t)fd, EVFILT_READ, action, 0, 0, tag);
  return kevent(queue, &change, 1, NULL, 0, NULL) < 0 ? errno : 0;
}

static int change_write(int fd, unsigned short action, void *tag) {
  struct kevent change;
  EV_SET(&change, (uintptr_t)fd, EVFILT_WRITE, action, 0, 0, tag);
  return kevent(queue, &change, 1, NULL, 0, NULL) < 0 ? errno : 0;
}

static int get(unsigned short most, const struct timespec *time) {
  return kevent(queue, NULL, 0, events, most, time);
}

static void put(int fd) {
  if (write(fd, "x", 1) != 1) abort();
}

TEST(one_entry_a_filter) {
  begin();
  put(pair[1]);
  CHECK_INT(change_read(pair[0], EV_ADD, &tags[0]), 0);
  CHECK_INT(change_write(pair[0], EV_ADD, &tags[1]), 0);
  CHECK_INT(get(MOST, &patience), 2);
  CHECK(events[0].filter != events[1].filter);
  for (int i = 0; i < 2; i++) {
    CHECK_INT(events[i].ident, pair[0]);
    CHECK(events[i].udata == &tags[events[i].filter == EVFILT_READ ? 0 : 1]);
    CHECK_INT(events[i].flags & (EV_EOF | EV_ERROR), 0);
  }
  CHECK_INT(get(MOST, &patience), 2); /* again: it is level-triggered */
  end();
}

TEST(both_have_their_turn_when_one_fits) {
  begin();
  put(pair[1]);
  change_read(pair[0], EV_ADD, &tags[0]);
  change_write(pair[0], EV_ADD, &tags[1]);
  int seen[2] = {0, 0};
  for (int i = 0; i < 6; i++) {
    CHECK_INT(get(1, &patience), 1);
    seen[events[0].filter == EVFILT_READ]++;
  }
  CHECK(seen[0] > 0 && seen[1] > 0);
  end();
}

TEST(adding_again_changes_the_one_there_is) {
  begin();
  CHECK_INT(change_write(pair[0], EV_ADD, &tags[0]), 0);
  CHECK_INT(change_write(pair[0], EV_ADD, &tags[1]), 0);
  CHECK_INT(get(MOST, &patience), 1);
  CHECK(events[0].udata == &tags[1]);
  CHECK_INT(change_write(pair[0], EV_DELETE, NULL), 0);
  CHECK_INT(get(MOST, &now), 0);
  end();
}

TEST(mistakes) {
  begin();
  CHECK_INT(change_read(pair[0], EV_DELETE, NULL), ENOENT);
  CHECK_INT(change_read(-1, EV_ADD, NULL), EBADF);
  CHECK_INT(change_read(-1, EV_DELETE, NULL), EBADF);
  change_read(pair[0], EV_ADD, NULL);
  CHECK_INT(change_write(pair[0], EV_DELETE, NULL), ENOENT);
  CHECK(kevent(pair[0], NULL, 0, events, MOST, &now) < 0);
  CHECK_INT(errno, EBADF);
  end();
}

/* With room, a failure becomes an event, and later changes are made. */
TEST(a_failed_change_with_room) {
  begin();
  struct kevent changes[2];
  EV_SET(&changes[0], (uintptr_t)pair[0], EVFILT_READ, EV_DELETE, 0, 0, NULL);
  EV_SET(&changes[1], (uintptr_t)pair[0], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
  CHECK_INT(kevent(queue, changes, 2, events, MOST, &patience), 1);
  CHECK(events[0].flags & EV_ERROR);
  CHECK_INT(events[0].data, ENOENT);
  CHECK_INT(get(MOST, &patience), 1);
  CHECK(events[0].filter == EVFILT_WRITE);
  end();
}

/* Without room, later changes are not made. */
TEST(a_failed_change_without_room) {
  begin();
  struct kevent changes[2];
  EV_SET(&changes[0], (uintptr_t)pair[0], EVFILT_READ, EV_DELETE, 0, 0, NULL);
  EV_SET(&changes[1], (uintptr_t)pair[0], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
  CHECK_INT(kevent(queue, changes, 2, NULL, 0, &now), -1);
  CHECK_INT(errno, ENOENT);
  CHECK_INT(get(MOST, &now), 0);
  end();
}

TEST(no_room_for_events_is_no_wait) {
  begin();
  CHECK_INT(kevent(queue, NULL, 0, NULL, 0, NULL), 0);
  end();
}

TEST(a_closed_descriptor_takes_its_filters_along) {
  begin();
  put(pair[1]);
  change_read(pair[0], EV_ADD, &tags[0]);
  change_write(pair[0], EV_ADD, &tags[1]);
  int number = pair[0];
  close(pair[0]);
  CHECK_INT(get(MOST, &now), 0);
  pair[0] = dup(pair[1]); /* gets the same number again */
  CHECK_INT(pair[0], number);
  CHECK_INT(change_write(pair[0], EV_DELETE, NULL), ENOENT);
  CHECK_INT(change_read(pair[0], EV_ADD, &tags[2]), 0);
  CHECK_INT(get(MOST, &patience), 1); /* its peer is closed */
  CHECK(events[0].udata == &tags[2]);
  end();
}

TEST(an_end_with_data_left) {
  begin_tcp();
  put(pair[1]);
  shutdown(pair[1], SHUT_WR);
  change_read(pair[0], EV_ADD, &tags[0]);
  do CHECK_INT(get(MOST, &patience), 1); /* data may come before the end */
  while (check_counts.broken == 0 && !(events[0].flags & EV_EOF));
  CHECK(events[0].filter == EVFILT_READ);
  CHECK_INT(events[0].fflags, 0);
  char byte = 0;
  CHECK_INT(read(pair[0], &byte, 1), 1);
  change_read(pair[0], EV_DELETE, NULL);
  change_write(pair[0], EV_ADD, &tags[1]);
  CHECK_INT(get(MOST, &patience), 1); /* it can still be written to */
  CHECK_INT(events[0].flags & EV_EOF, 0);
  end();
}

TEST(a_reset_is_an_end_with_an_error) {
  begin_tcp();
  change_read(pair[0], EV_ADD, &tags[0]);
  struct linger none = {.l_onoff = 1, .l_linger = 0};
  setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(pair[1]);
  CHECK_INT(get(MOST, &patience), 1);
  CHECK(events[0].flags & EV_EOF);
  CHECK_INT(events[0].fflags, ECONNRESET);
  char byte;
  CHECK_INT(read(pair[0], &byte, 1), -1); /* the error was not cleared */
  CHECK_INT(errno, ECONNRESET);
  pair[1] = dup(pair[0]);
  end();
}

TEST(our_own_end_of_writing) {
  begin_tcp();
  change_write(pair[0], EV_ADD, &tags[0]);
  shutdown(pair[0], SHUT_WR);
  CHECK_INT(get(MOST, &patience), 1);
  CHECK(events[0].flags & EV_EOF);
  end();
}

int main(void) {
  RUN(one_entry_a_filter);
  RUN(both_have_their_turn_when_one_fits);
  RUN(adding_again_changes_the_one_there_is);
  RUN(mistakes);
  RUN(a_failed_change_with_room);
  RUN(a_failed_change_without_room);
  RUN(no_room_for_events_is_no_wait);
  RUN(a_closed_descriptor_takes_its_filters_along);
  RUN(an_end_with_data_left);
  RUN(a_reset_is_an_end_with_an_error);
  RUN(our_own_end_of_writing);
  return check_done();
}
