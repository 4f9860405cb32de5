/* SPDX-License-Identifier: MIT */
/* The part of the BSDs' <sys/event.h> that poller_kqueue.c uses, implemented
 * by kqueue_on_epoll.c. Types and numbers differ between the BSDs: these are
 * the narrow ones of FreeBSD, OpenBSD and macOS, or with WS_KEVENT_WIDE the
 * unsigned ones of NetBSD. Not for programs. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef WS_KEVENT_WIDE

#define EVFILT_READ 0u
#define EVFILT_WRITE 1u
#define WS_FLAG(bits) bits##u

typedef uint32_t ws_kevent_filter;
typedef uint32_t ws_kevent_flags;
typedef size_t ws_kevent_count;

#else

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define WS_FLAG(bits) bits

typedef short ws_kevent_filter;
typedef unsigned short ws_kevent_flags;
typedef int ws_kevent_count;

#endif

#define EV_ADD WS_FLAG(0x0001)
#define EV_DELETE WS_FLAG(0x0002)
#define EV_EOF WS_FLAG(0x8000)
#define EV_ERROR WS_FLAG(0x4000)

struct kevent {
  uintptr_t ident;
  ws_kevent_filter filter;
  ws_kevent_flags flags;
  uint32_t fflags;
  int64_t data;
  void *udata;
};

#define EV_SET(event, id, what, how, more, number, mine) \
  do {                                                   \
    struct kevent *ws_set = (event);                     \
    ws_set->ident = (id);                                \
    ws_set->filter = (what);                             \
    ws_set->flags = (how);                               \
    ws_set->fflags = (more);                             \
    ws_set->data = (number);                             \
    ws_set->udata = (mine);                              \
  } while (0)

int kqueue(void);
int kevent(int queue, const struct kevent *changes, ws_kevent_count nchanges,
           struct kevent *events, ws_kevent_count nevents,
           const struct timespec *timeout);
