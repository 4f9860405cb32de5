/* SPDX-License-Identifier: MIT */
/* Raw deflate of whole messages, RFC 7692 section 7.2, by zlib. deflate_pool.h
 * decides which connection has which of these objects, and for how long. */
#pragma once
#include "bytes/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False when zlib is left out of the build (deflate_none.c): then compression
 * must not be enabled. */
extern const bool ws_deflate_built_in;

#define WS_WINDOW 32768 /* the largest window, bytes */

/* Compresses the messages of one direction; about 260 KiB with a window of 15
 * bits. */
typedef struct ws_deflater ws_deflater;

/* `bits` 9 to 15 (zlib cannot do 8), `level` 0 to 9. NULL without memory. */
ws_deflater *ws_deflater_new(ws_resize *resize, unsigned bits, int level);
void ws_deflater_free(ws_deflater *deflater); /* NULL is fine */

/* Forgets what was compressed before. */
void ws_deflater_reset(ws_deflater *deflater);

/* Appends a whole message, compressed, without its last four bytes (7.2.1).
 * WS_OK, WS_ENOMEM or WS_ETOOBIG (the buffer's limit); after a failure only
 * reset and free are allowed. */
int ws_deflater_message(ws_deflater *deflater, const void *data, size_t len,
                        ws_buffer *out);

/* Inflates the messages of one direction, whatever window they were compressed
 * with; about 8 KiB and the window. */
typedef struct ws_inflater ws_inflater;

/* NULL without memory. */
ws_inflater *ws_inflater_new(ws_resize *resize);
void ws_inflater_free(ws_inflater *inflater); /* NULL is fine */
void ws_inflater_reset(ws_inflater *inflater);

/* Inflates part of a message and appends it to `out`, in steps. Stops with
 * WS_ETOOBIG when `out` is one byte longer than `most`. WS_OK, WS_ENOMEM, or
 * WS_EDEFLATE for bytes that are not deflate. After a failure only reset and
 * free are allowed. */
int ws_inflater_feed(ws_inflater *inflater, const void *data, size_t len,
                     ws_buffer *out, size_t most);

/* Ends a message of which a byte has come; returns as feed. Also WS_EDEFLATE if
 * it was cut short. */
int ws_inflater_end(ws_inflater *inflater, ws_buffer *out, size_t most);

/* Between messages: copies the bytes that the next one may refer to, at most
 * WS_WINDOW, and returns how many. */
size_t ws_inflater_window(ws_inflater *inflater, uint8_t window[WS_WINDOW]);

/* After reset: sets the window of another inflater. WS_OK or WS_ENOMEM. */
int ws_inflater_set_window(ws_inflater *inflater, const uint8_t *window,
                           size_t len);
