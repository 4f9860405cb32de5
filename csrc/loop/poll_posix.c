/* SPDX-License-Identifier: MIT */
/* poll(2) as POSIX has it. */
#include "loop/poll_system.h"

#include "bytes/status.h"

#include <errno.h>

int ws_poll_wait(struct pollfd *entries, size_t count, int ms,
                 uint64_t *looked) {
  (void)looked;
  int found = poll(entries, (nfds_t)count, ms);
  if (found >= 0) return found;
  if (errno == EINTR) return 0;
  return errno == ENOMEM ? WS_ENOMEM : WS_ESYSTEM;
}
