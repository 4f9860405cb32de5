/* SPDX-License-Identifier: MIT */
/* For tests that make windows builds: poll(2) of one socket or a few. */
#pragma once
#include "transport/socket_system.h"

static inline int poll(struct pollfd *entries, unsigned count, int ms) {
  return WSAPoll(entries, count, ms);
}
