/* SPDX-License-Identifier: MIT */
/* What waits to be written to one connection: a list of chunks, each of which
 * has bytes of its own or borrows bytes that somebody else keeps alive. Written
 * by gathering many in one call, and never moved as a whole. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that somebody else keeps alive until `release(keeper)`. */
typedef struct ws_kept {
  const void *data;
  size_t len;
  void (*release)(void *keeper);
  void *keeper;
  bool lent; /* only for a moment: ws_outbox_settle copies them */
} ws_kept;

/* Fields are private to outbox.c, but bytes and payload may be read. */
typedef struct ws_outbox {
  struct ws_chunk *head;
  struct ws_chunk *tail;
  size_t bytes;   /* still to be written */
  size_t payload; /* bytes of messages in them, before compression */
} ws_outbox;

/* Drops and releases everything. The outbox is empty then, and can be used. */
void ws_outbox_clear(ws_outbox *outbox);

/* Appends a copy of whole frames that carry `payload` bytes of messages (which
 * may be more than `len`, when they are compressed). WS_OK or WS_ENOMEM. */
int ws_outbox_copy(ws_outbox *outbox, const void *data, size_t len,
                   size_t payload);

/* The same for a header; its payload will follow with ws_outbox_keep. */
int ws_outbox_copy_head(ws_outbox *outbox, const void *head, size_t len);

/* Appends kept bytes that carry `payload` bytes of messages; they are released
 * once written or dropped. `continues`: the frame began in the chunk before.
 * WS_OK, or WS_ENOMEM (then the caller still has to release them). */
int ws_outbox_keep(ws_outbox *outbox, const ws_kept *kept, size_t payload,
                   bool continues);

/* If the whole frames in `kept` come directly after the kept bytes that were
 * appended last, and have the same keeper, makes that chunk longer by them: the
 * caller then releases `kept`. Else returns false and does nothing. */
bool ws_outbox_extend(ws_outbox *outbox, const ws_kept *kept, size_t payload);

/* To be called when the chunks are going to wait longer: copies lent bytes, if
 * there is memory. */
void ws_outbox_settle(ws_outbox *outbox);

/* A chunk of `size` bytes for one frame: `room` is a fixed buffer over it.
 * ws_outbox_commit appends what was written to it, which carries `payload`
 * bytes of messages; ws_outbox_discard frees it instead. NULL without
 * memory. */
struct ws_chunk *ws_outbox_room(size_t size, ws_buffer *room);
void ws_outbox_commit(ws_outbox *outbox, struct ws_chunk *chunk,
                      const ws_buffer *room, size_t payload);
void ws_outbox_discard(struct ws_chunk *chunk);

/* Notes that the first chunk begins in the middle of a frame: the beginning was
 * written before the rest got here. */
void ws_outbox_begun(ws_outbox *outbox);

/* The first unwritten bytes as at most `most` slices; returns how many. */
size_t ws_outbox_gather(const ws_outbox *outbox, ws_slice *slices,
                        size_t most);

/* Removes the first `len` bytes, which have been written. */
void ws_outbox_advance(ws_outbox *outbox, size_t len);

/* Drops all chunks of which nothing has been written yet, except those that
 * continue a frame whose beginning stays. */
void ws_outbox_trim(ws_outbox *outbox);
