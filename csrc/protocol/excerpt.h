/* SPDX-License-Identifier: MIT */
/* The peer's own words in a message for people: they end up in logs, so they
 * are escaped and short. */
#pragma once
#include "bytes/buffer.h"

#include <stddef.h>

#define WS_EXCERPT_MAX 128

/* Appends at most WS_EXCERPT_MAX bytes: printable ASCII as it is, everything
 * else as \n, \r, \t, \\ or \xNN, "..." at the end of what was cut. What does
 * not fit into `text` is left out. */
void ws_excerpt_append(ws_buffer *text, const void *bytes, size_t len);
