/* SPDX-License-Identifier: MIT */
/* errno -> ws_status: read on the line after the call, goes no higher. */
#pragma once

/* The status of an errno; EAGAIN and EINPROGRESS are WS_EAGAIN. */
int ws_system_error(int error);
