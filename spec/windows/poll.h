/* SPDX-License-Identifier: MIT */
/* For the tests that `make windows` builds: poll(2) for a few sockets. */
#pragma once
#include "transport/socket_system.h"

static inline int poll(struct pollfd *entries, unsigned count, int ms) {
  return WSAPoll(entries, count, ms);
}
