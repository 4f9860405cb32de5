/* SPDX-License-Identifier: MIT */
/* The bottom filter: a connected socket. */
#pragma once
#include "transport/stream.h"

/* Takes ownership of the descriptor, which is closed with the stream. NULL
 * without memory (then it stays the caller's). */
ws_stream *ws_stream_tcp_new(ws_fd fd);
