/* SPDX-License-Identifier: MIT */
/* The bottom filter: a connected (or connecting) socket. */
#pragma once
#include "transport/stream.h"

/* Takes the descriptor: it is closed with the stream. `connecting` when the
 * connect is still under way: open() then waits for it. NULL without memory
 * (the descriptor stays the caller's). */
ws_stream *ws_stream_tcp_new(ws_fd fd, int connecting);
