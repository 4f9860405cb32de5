/* SPDX-License-Identifier: MIT */
/* A run of bytes that grows at its end and is consumed at its front. It grows
 * only if its owner gave it a ws_resize; without one its size is fixed. */
#pragma once
#include "bytes/status.h"

#include <stddef.h>
#include <stdint.h>

/* As ws_memory_resize: size 0 frees, NULL means no memory. */
typedef void *ws_resize(void *block, size_t size);

/* Fields except `data` and `len` are private to buffer.c. */
typedef struct ws_buffer {
  uint8_t *data;     /* the first live byte */
  size_t len;        /* live bytes */
  uint8_t *base;     /* the block, or NULL */
  size_t cap;        /* bytes in the block */
  size_t max;        /* limit on live bytes; 0: none */
  ws_resize *resize; /* NULL: fixed */
} ws_buffer;

/* Empty and without a block; `max` 0 means no limit. */
void ws_buffer_init(ws_buffer *buffer, ws_resize *resize, size_t max);

/* A buffer of fixed size over the caller's memory. */
void ws_buffer_init_fixed(ws_buffer *buffer, void *memory, size_t size);

/* Frees the block; the buffer is empty and can be used again. */
void ws_buffer_deinit(ws_buffer *buffer);

/* Bytes free behind the live ones. */
static inline size_t ws_buffer_room(const ws_buffer *buffer) {
  if (!buffer->base) return 0;
  return buffer->cap - (size_t)(buffer->data - buffer->base) - buffer->len;
}

/* The rest of ws_buffer_reserve, which alone calls it: there is no room yet. */
int ws_buffer_make_room(ws_buffer *buffer, size_t extra);

/* Makes room for `extra` more bytes at data + len: WS_OK, WS_ENOMEM, or
 * WS_ETOOBIG when that would exceed max. The live bytes are moved to the front
 * if that makes enough room and either as many bytes were consumed or the block
 * may not grow. Otherwise the block grows, by doubling, to max at most. */
static inline int ws_buffer_reserve(ws_buffer *buffer, size_t extra) {
  return extra <= ws_buffer_room(buffer) ? WS_OK
                                         : ws_buffer_make_room(buffer, extra);
}

/* Appends a copy. WS_OK, WS_ENOMEM or WS_ETOOBIG; on failure unchanged.
 * `bytes` may be NULL when len is 0. */
int ws_buffer_append(ws_buffer *buffer, const void *bytes, size_t len);

/* Gives back the free bytes at the end when they are more than `spare`. If the
 * block cannot be shrunk it stays as it is. */
void ws_buffer_trim(ws_buffer *buffer, size_t spare);

/* Drops `len` bytes from the front; len <= buffer->len. An empty buffer keeps
 * its block, until ws_buffer_deinit. */
void ws_buffer_consume(ws_buffer *buffer, size_t len);
