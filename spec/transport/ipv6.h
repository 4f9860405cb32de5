/* SPDX-License-Identifier: MIT */
/* Many containers have no IPv6, not even ::1: RUN_IF(has_ipv6(), test). In CI
 * ($CI is set) such a test fails instead. */
#pragma once
#include "bytes/status.h"
#include "transport/socket.h"

#include <stdbool.h>
#include <stdlib.h>

static inline bool has_ipv6(void) {
  if (getenv("CI")) return true;
  ws_address address;
  ws_listen_options options = {0};
  ws_fd fd;
  if (!ws_address_parse(&address, ws_slice_of("::1"), 0)) return false;
  if (ws_socket_listen(&address, &options, &fd) != WS_OK) return false;
  ws_socket_close(fd);
  return true;
}
