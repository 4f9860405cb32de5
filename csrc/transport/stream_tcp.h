/* SPDX-License-Identifier: MIT */
/* The bottom filter: a connected socket. */
#pragma once
#include "transport/stream.h"

/* Takes the descriptor: it is closed with the stream. NULL without memory (the
 * descriptor stays the caller's). */
ws_stream *ws_stream_tcp_new(ws_fd fd);
