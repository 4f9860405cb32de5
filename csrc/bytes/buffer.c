/* SPDX-License-Identifier: MIT */
/* A run of bytes that grows at its end and is consumed at its front. */
#include "bytes/buffer.h"

#include "bytes/status.h"

#include <stdbool.h>
#include <string.h>

#define SMALLEST ((size_t)256)

static void move_to_front(ws_buffer *buffer) {
  if (buffer->len) memmove(buffer->base, buffer->data, buffer->len);
  buffer->data = buffer->base;
}

/* The present size, doubled until `needed` fits, but at most max. Larger than
 * the present size even if `needed` already fits. */
static size_t next_size(const ws_buffer *buffer, size_t needed) {
  size_t size = buffer->cap < SMALLEST ? SMALLEST : buffer->cap;
  if (needed <= buffer->cap) needed = buffer->cap + 1;
  while (size < needed) size = size > SIZE_MAX / 2 ? needed : size * 2;
  return buffer->max && size > buffer->max ? buffer->max : size;
}

/* Grows the block to at least `needed` bytes. Without memory for that, moving
 * the live bytes to the front may have made enough room. */
static int grow(ws_buffer *buffer, size_t needed) {
  size_t size = next_size(buffer, needed);
  if (buffer->base) move_to_front(buffer);
  uint8_t *base = buffer->resize(buffer->base, size);
  if (!base) return needed <= buffer->cap ? WS_OK : WS_ENOMEM;
  buffer->data = buffer->base = base;
  buffer->cap = size;
  return WS_OK;
}

void ws_buffer_init(ws_buffer *buffer, ws_resize *resize, size_t max) {
  memset(buffer, 0, sizeof *buffer);
  buffer->resize = resize;
  buffer->max = max;
}

void ws_buffer_init_fixed(ws_buffer *buffer, void *memory, size_t size) {
  memset(buffer, 0, sizeof *buffer);
  buffer->data = buffer->base = memory;
  buffer->cap = buffer->max = size;
}

void ws_buffer_deinit(ws_buffer *buffer) {
  if (!buffer->resize) {
    buffer->data = buffer->base;
    buffer->len = 0;
    return;
  }
  if (buffer->base) buffer->resize(buffer->base, 0);
  buffer->data = buffer->base = NULL;
  buffer->len = buffer->cap = 0;
}

int ws_buffer_make_room(ws_buffer *buffer, size_t extra) {
  if (extra > SIZE_MAX - buffer->len) return WS_ETOOBIG;
  size_t needed = buffer->len + extra;
  if (buffer->max && needed > buffer->max) return WS_ETOOBIG;
  /* Moving pays if no more bytes are moved than were consumed. In a block that
   * may not grow it is the only way. */
  size_t front = (size_t)(buffer->data - buffer->base);
  bool may_grow = buffer->resize && (!buffer->max || buffer->cap < buffer->max);
  if (needed <= buffer->cap && (front >= buffer->len || !may_grow)) {
    move_to_front(buffer);
    return WS_OK;
  }
  if (!may_grow) return WS_ETOOBIG;
  return grow(buffer, needed);
}

int ws_buffer_append(ws_buffer *buffer, const void *bytes, size_t len) {
  if (len == 0) return WS_OK;
  int status = ws_buffer_reserve(buffer, len);
  if (status != WS_OK) return status;
  memcpy(buffer->data + buffer->len, bytes, len);
  buffer->len += len;
  return WS_OK;
}

void ws_buffer_trim(ws_buffer *buffer, size_t spare) {
  size_t end = buffer->cap - ws_buffer_room(buffer);
  if (!buffer->resize || end == 0 || buffer->cap - end <= spare) return;
  size_t front = (size_t)(buffer->data - buffer->base);
  uint8_t *base = buffer->resize(buffer->base, end);
  if (!base) return;
  buffer->base = base;
  buffer->data = base + front;
  buffer->cap = end;
}

void ws_buffer_consume(ws_buffer *buffer, size_t len) {
  if (len == 0) return; /* there may be no block */
  buffer->data += len;
  buffer->len -= len;
  if (buffer->len == 0) buffer->data = buffer->base;
}
