/* SPDX-License-Identifier: MIT */
/* Linux's epoll behind poller.h, level-triggered. What an event means is for
 * the loop to decide. */
#include "loop/poller.h"

#include "bytes/memory.h"
#include "bytes/status.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>
#include <unistd.h>

#define BATCH 1024

struct ws_poller {
  int epoll;
  pid_t process;
  struct epoll_event events[BATCH];
};

static int status_of(int error) {
  switch (error) {
    case ENOMEM:
    case ENOSPC: /* the user's share of watches is used up */
      return WS_ENOMEM;
    case EMFILE:
    case ENFILE:
      return WS_EMFILE;
    default:
      return WS_ESYSTEM;
  }
}

static int change(ws_poller *poller, int operation, ws_fd fd, unsigned wants,
                  void *tag) {
  struct epoll_event event = {.events = 0, .data = {.ptr = tag}};
  if (wants & WS_READABLE) event.events |= EPOLLIN;
  if (wants & WS_WRITABLE) event.events |= EPOLLOUT;
  if (epoll_ctl(poller->epoll, operation, fd, &event) != 0)
    return status_of(errno);
  return WS_OK;
}

static unsigned events_of(uint32_t system) {
  unsigned events = 0;
  if (system & EPOLLIN) events |= WS_READABLE;
  if (system & EPOLLOUT) events |= WS_WRITABLE;
  if (system & (EPOLLHUP | EPOLLERR)) events |= WS_HANGUP;
  return events;
}

static int epoll_kind_create(ws_poller **poller) {
  ws_poller *made = ws_memory_new(sizeof *made);
  if (made == NULL) return WS_ENOMEM;
  made->process = getpid();
  made->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (made->epoll < 0) {
    int status = status_of(errno);
    ws_memory_free(made);
    return status;
  }
  *poller = made;
  return WS_OK;
}

static void epoll_kind_free(ws_poller *poller) {
  close(poller->epoll);
  ws_memory_free(poller);
}

static int epoll_kind_add(ws_poller *poller, ws_fd fd, unsigned wants,
                          void *tag) {
  return change(poller, EPOLL_CTL_ADD, fd, wants, tag);
}

static int epoll_kind_set(ws_poller *poller, ws_fd fd, unsigned wants,
                          void *tag) {
  return change(poller, EPOLL_CTL_MOD, fd, wants, tag);
}

/* A forked child shares the epoll instance with its parent: when it cleans
 * up, the parent's descriptors must stay in it. */
static void epoll_kind_remove(ws_poller *poller, ws_fd fd) {
  if (getpid() == poller->process)
    (void)change(poller, EPOLL_CTL_DEL, fd, 0, NULL);
}

static int epoll_kind_wait(ws_poller *poller, ws_ready *ready, int most,
                           int ms) {
  if (most > BATCH) most = BATCH;
  int count = epoll_wait(poller->epoll, poller->events, most, ms);
  if (count < 0) return errno == EINTR ? 0 : status_of(errno);
  for (int i = 0; i < count; i++) {
    ready[i].tag = poller->events[i].data.ptr;
    ready[i].events = events_of(poller->events[i].events);
  }
  return count;
}

static ws_fd epoll_kind_fd(ws_poller *poller) {
  return poller->epoll;
}

const ws_poller_kind ws_poller_epoll = {
    .name = "epoll",
    .create = epoll_kind_create,
    .free = epoll_kind_free,
    .add = epoll_kind_add,
    .set = epoll_kind_set,
    .remove = epoll_kind_remove,
    .wait = epoll_kind_wait,
    .fd = epoll_kind_fd,
};
