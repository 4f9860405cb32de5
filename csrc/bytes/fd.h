/* SPDX-License-Identifier: MIT */
/* The system's type for a socket, and what to wait for on one: shared by
 * transport/ and loop/, which do not know each other. */
#pragma once

#ifdef _WIN32
#include <stdint.h>
typedef uintptr_t ws_fd;
#define WS_FD_NONE ((ws_fd)-1)
#else
typedef int ws_fd;
#define WS_FD_NONE (-1)
#endif

#define WS_READABLE 1u
#define WS_WRITABLE 2u
#define WS_HANGUP 4u /* error or hang-up; reported whether asked for or not */
