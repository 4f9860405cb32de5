/* SPDX-License-Identifier: MIT */
/* Quotes bytes of the peer in a message for people. Such messages end up in
 * logs, so quotes are escaped and short. */
#pragma once
#include "bytes/buffer.h"

#include <stddef.h>

#define WS_EXCERPT_MAX 128

/* Appends at most WS_EXCERPT_MAX bytes: printable ASCII unchanged, everything
 * else as \n, \r, \t, \\ or \xNN, and "..." where it was cut. What does not
 * fit into `text` is left out. */
void ws_excerpt_append(ws_buffer *text, const void *bytes, size_t len);
