/* SPDX-License-Identifier: MIT */
/* What waits to be written to one connection: a list of chunks, each either
 * bytes of its own or bytes borrowed from somebody who was asked to keep
 * them. Written with one gathering call, never moved as a whole. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes somebody else keeps alive until `release(keeper)`. */
typedef struct ws_kept {
  const void *data;
  size_t len;
  void (*release)(void *keeper);
  void *keeper;
} ws_kept;

/* Fields are private to outbox.c, but bytes and payload may be read. */
typedef struct ws_outbox {
  struct ws_chunk *head;
  struct ws_chunk *tail;
  size_t bytes;   /* still to be written */
  size_t payload; /* of these, how many are message payload */
} ws_outbox;

/* Drops and releases everything. The outbox is empty and usable. */
void ws_outbox_clear(ws_outbox *outbox);

/* Appends a copy of whole frames; `payload` of the bytes are payload. WS_OK
 * or WS_ENOMEM. */
int ws_outbox_copy(ws_outbox *outbox, const void *data, size_t len,
                   size_t payload);

/* Appends kept bytes, all payload but the first `overhead`; they are released
 * once written or dropped. `continues`: the frame began in the chunk before.
 * WS_OK, or WS_ENOMEM (then the caller still keeps them). */
int ws_outbox_keep(ws_outbox *outbox, const ws_kept *kept, size_t overhead,
                   bool continues);

/* A chunk of `size` bytes to be filled with one frame: `room` is a fixed
 * buffer over it. ws_outbox_commit appends what was written to it, with all
 * but `overhead` of it payload; ws_outbox_discard gives it up. NULL without
 * memory. */
struct ws_chunk *ws_outbox_room(size_t size, ws_buffer *room);
void ws_outbox_commit(ws_outbox *outbox, struct ws_chunk *chunk,
                      const ws_buffer *room, size_t overhead);
void ws_outbox_discard(struct ws_chunk *chunk);

/* The first unwritten bytes as at most `most` slices; how many. */
size_t ws_outbox_gather(const ws_outbox *outbox, ws_slice *slices,
                        size_t most);

/* The first `len` bytes have been written. */
void ws_outbox_advance(ws_outbox *outbox, size_t len);

/* Drops all frames of which nothing has been written yet. */
void ws_outbox_trim(ws_outbox *outbox);
