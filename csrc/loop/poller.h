/* SPDX-License-Identifier: MIT */
/* Tells which descriptors are ready. One file per system call, all behind this
 * table. */
#pragma once
#include "bytes/fd.h"

#include <stddef.h>

typedef struct ws_poller ws_poller;

typedef struct ws_ready {
  void *tag;       /* as given to add */
  unsigned events; /* WS_READABLE | WS_WRITABLE | WS_HANGUP */
} ws_ready;

typedef struct ws_poller_kind {
  const char *name;
  /* WS_OK, WS_ENOMEM, WS_EMFILE or WS_ESYSTEM. */
  int (*create)(ws_poller **poller);
  void (*free)(ws_poller *poller);
  /* Level-triggered. WS_OK, WS_ENOMEM, WS_ESYSTEM. `wants` may be 0: then at
   * most WS_HANGUP is reported, on systems that always report it. */
  int (*add)(ws_poller *poller, ws_fd fd, unsigned wants, void *tag);
  int (*set)(ws_poller *poller, ws_fd fd, unsigned wants, void *tag);
  void (*remove)(ws_poller *poller, ws_fd fd);
  /* Waits at most `ms` (-1: for ever). Returns the number of entries filled, 0
   * on time-out or interruption, or a failure. */
  int (*wait)(ws_poller *poller, ws_ready *ready, int most, int ms);
  /* A descriptor that is readable while something is ready, or WS_FD_NONE. */
  ws_fd (*fd)(ws_poller *poller);
} ws_poller_kind;

extern const ws_poller_kind ws_poller_epoll;  /* Linux */
extern const ws_poller_kind ws_poller_kqueue; /* BSD, macOS */
extern const ws_poller_kind ws_poller_poll;   /* poll(2), WSAPoll */

/* The kinds that are built in, best first, then NULL: pollers_<system>.c. */
extern const ws_poller_kind *const ws_pollers[];
