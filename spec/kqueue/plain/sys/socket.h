/* SPDX-License-Identifier: MIT */
/* sys/socket.h as macOS has it, without Linux' shorter ways: a socket is
 * prepared by calls of its own. For csrc, not for tests. */
#pragma once
#include_next <sys/socket.h>

#undef SOCK_CLOEXEC
#undef SOCK_NONBLOCK

/* One that changes nothing here: MSG_NOSIGNAL is what keeps signals away. */
#define SO_NOSIGPIPE SO_OOBINLINE
