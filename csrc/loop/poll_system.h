/* SPDX-License-Identifier: MIT */
/* The system's poll(2) under one name: poll_posix.c, poll_win32.c. Only for
 * poller_poll.c. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#include <winsock2.h>
#else
#include <poll.h>
#endif

/* Fills in revents. Returns how many entries have some, 0 on time-out or
 * interruption, WS_ENOMEM or WS_ESYSTEM. The caller keeps `*looked` from call
 * to call; it is 0 at first. */
int ws_poll_wait(struct pollfd *entries, size_t count, int ms,
                 uint64_t *looked);
