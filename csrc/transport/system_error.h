/* SPDX-License-Identifier: MIT */
/* The system's failures: errno -> ws_status, read on the line after the call
 * and passed no higher; and the failures of getaddrinfo in words. */
#pragma once

/* The status of an errno; EAGAIN and EINPROGRESS are WS_EAGAIN. */
int ws_system_error(int error);

/* Why a lookup failed, static. Any thread may call this. */
const char *ws_system_lookup_error(int result);
