/* SPDX-License-Identifier: MIT */
/* The kinds of poller built in on Linux, best first. Not for
 * choosing one: that is up to the caller of ws_loop_new. */
#include "loop/poller.h"

const ws_poller_kind *const ws_pollers[] = {&ws_poller_epoll, &ws_poller_poll,
                                            NULL};
