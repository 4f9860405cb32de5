/* SPDX-License-Identifier: MIT */
/* sys/socket.h as on macOS, without Linux' flags and calls that create and
 * prepare a socket in one step. For csrc, not for tests. */
#pragma once
#include_next <sys/socket.h>

#undef SOCK_CLOEXEC
#undef SOCK_NONBLOCK

/* Stands for an option that changes nothing: on Linux, MSG_NOSIGNAL is what
 * prevents signals. */
#define SO_NOSIGPIPE SO_OOBINLINE
