/* SPDX-License-Identifier: MIT */
/* kqueue of the BSDs and macOS behind poller.h, level-triggered. One
 * descriptor ready for both reading and writing makes two entries. Not for
 * timers or signals, which kqueue could serve too. */
#include "loop/poller.h"

#include "bytes/memory.h"
#include "bytes/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
/* After sys/types.h, which it does not include by itself on every system. */
#include <sys/event.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BATCH 1024

struct ws_poller {
  int queue;
  pid_t process;
  struct kevent events[BATCH];
};

static int status_of(int error) {
  switch (error) {
    case ENOMEM:
      return WS_ENOMEM;
    case EMFILE:
    case ENFILE:
      return WS_EMFILE;
    default:
      return WS_ESYSTEM;
  }
}

/* One filter per call: without room for receipts, a change that fails, such as
 * deleting what is not there, would keep those after it from being made. If a
 * signal interrupts the call, the change has been made; repeating it is
 * harmless. */
static int change(ws_poller *poller, const struct kevent *event) {
  int result;
  do {
    result = kevent(poller->queue, event, 1, NULL, 0, NULL);
  } while (result < 0 && errno == EINTR);
  if (result >= 0) return WS_OK;
  if (errno == ENOENT && event->flags == EV_DELETE) return WS_OK;
  return status_of(errno);
}

/* The types of filters, flags and counts differ between systems: only
 * constants, and values that fit the narrowest type, convert to all of them
 * without a warning. */
static int change_reading(ws_poller *poller, ws_fd fd, bool wanted,
                          void *tag) {
  struct kevent event;
  unsigned short action = wanted ? EV_ADD : EV_DELETE;
  EV_SET(&event, (uintptr_t)fd, EVFILT_READ, action, 0, 0, tag);
  return change(poller, &event);
}

static int change_writing(ws_poller *poller, ws_fd fd, bool wanted,
                          void *tag) {
  struct kevent event;
  unsigned short action = wanted ? EV_ADD : EV_DELETE;
  EV_SET(&event, (uintptr_t)fd, EVFILT_WRITE, action, 0, 0, tag);
  return change(poller, &event);
}

/* That the peer has ended its side is no hang-up: the owner learns it by
 * reading. A hang-up is an error, or a peer that reads no more. */
static unsigned events_of(const struct kevent *event) {
  bool ended = (event->flags & EV_EOF) != 0;
  bool hangup = (event->flags & EV_ERROR) != 0 ||
                (ended && event->fflags != 0) ||
                (ended && event->filter == EVFILT_WRITE);
  unsigned events = hangup ? WS_HANGUP : 0;
  if (event->filter == EVFILT_READ) events |= WS_READABLE;
  if (event->filter == EVFILT_WRITE) events |= WS_WRITABLE;
  return events;
}

static int kqueue_kind_create(ws_poller **poller) {
  ws_poller *made = ws_memory_new(sizeof *made);
  if (made == NULL) return WS_ENOMEM;
  made->process = getpid();
  made->queue = kqueue();
  if (made->queue < 0) {
    int status = status_of(errno);
    ws_memory_free(made);
    return status;
  }
  (void)fcntl(made->queue, F_SETFD, FD_CLOEXEC);
  *poller = made;
  return WS_OK;
}

/* A forked child does not inherit the queue: there its number may be that of
 * another descriptor. */
static bool is_ours(const ws_poller *poller) {
  return getpid() == poller->process;
}

static void kqueue_kind_free(ws_poller *poller) {
  if (is_ours(poller)) close(poller->queue);
  ws_memory_free(poller);
}

static int kqueue_kind_set(ws_poller *poller, ws_fd fd, unsigned wants,
                           void *tag) {
  int status = change_reading(poller, fd, (wants & WS_READABLE) != 0, tag);
  if (status != WS_OK) return status;
  return change_writing(poller, fd, (wants & WS_WRITABLE) != 0, tag);
}

static void kqueue_kind_remove(ws_poller *poller, ws_fd fd) {
  if (!is_ours(poller)) return;
  (void)change_reading(poller, fd, false, NULL);
  (void)change_writing(poller, fd, false, NULL);
}

static int kqueue_kind_add(ws_poller *poller, ws_fd fd, unsigned wants,
                           void *tag) {
  int status = kqueue_kind_set(poller, fd, wants, tag);
  if (status != WS_OK) kqueue_kind_remove(poller, fd);
  return status;
}

static int kqueue_kind_wait(ws_poller *poller, ws_ready *ready, int most,
                            int ms) {
  struct timespec time = {.tv_sec = ms / 1000,
                          .tv_nsec = (long)(ms % 1000) * 1000000};
  unsigned short room = (unsigned short)(most < BATCH ? most : BATCH);
  int count = kevent(poller->queue, NULL, 0, poller->events, room,
                     ms < 0 ? NULL : &time);
  if (count < 0) return errno == EINTR ? 0 : status_of(errno);
  for (int i = 0; i < count; i++) {
    ready[i].tag = poller->events[i].udata;
    ready[i].events = events_of(&poller->events[i]);
  }
  return count;
}

static ws_fd kqueue_kind_fd(ws_poller *poller) {
  return poller->queue;
}

const ws_poller_kind ws_poller_kqueue = {
    .name = "kqueue",
    .create = kqueue_kind_create,
    .free = kqueue_kind_free,
    .add = kqueue_kind_add,
    .set = kqueue_kind_set,
    .remove = kqueue_kind_remove,
    .wait = kqueue_kind_wait,
    .fd = kqueue_kind_fd,
};
