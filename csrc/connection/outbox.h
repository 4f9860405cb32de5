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
  bool lent; /* for a moment: copied by ws_outbox_settle */
} ws_kept;

/* Fields are private to outbox.c, but bytes and payload may be read. */
typedef struct ws_outbox {
  struct ws_chunk *head;
  struct ws_chunk *tail;
  size_t bytes;   /* still to be written */
  size_t payload; /* bytes of messages in them, before compression */
} ws_outbox;

/* Drops and releases everything. The outbox is empty and usable. */
void ws_outbox_clear(ws_outbox *outbox);

/* Appends a copy of whole frames that carry `payload` bytes of messages: more
 * than there are bytes, when they are compressed. WS_OK or WS_ENOMEM. */
int ws_outbox_copy(ws_outbox *outbox, const void *data, size_t len,
                   size_t payload);

/* The same for a header whose payload will be kept behind it. */
int ws_outbox_copy_head(ws_outbox *outbox, const void *head, size_t len);

/* Appends kept bytes that carry `payload` bytes; they are released once
 * written or dropped. `continues`: the frame began in the chunk before. WS_OK,
 * or WS_ENOMEM (then the caller still keeps them). */
int ws_outbox_keep(ws_outbox *outbox, const ws_kept *kept, size_t payload,
                   bool continues);

/* Whole frames kept as what was appended last, and directly behind it: that
 * grows by them, and the keeper may be released. False when they are not, and
 * nothing was done. */
bool ws_outbox_extend(ws_outbox *outbox, const ws_kept *kept, size_t payload);

/* What waits will go on to wait: what was lent is copied, if there is memory.
 */
void ws_outbox_settle(ws_outbox *outbox);

/* A chunk of `size` bytes to be filled with one frame: `room` is a fixed
 * buffer over it. ws_outbox_commit appends what was written to it, which
 * carries `payload` bytes; ws_outbox_discard gives it up. NULL without
 * memory. */
struct ws_chunk *ws_outbox_room(size_t size, ws_buffer *room);
void ws_outbox_commit(ws_outbox *outbox, struct ws_chunk *chunk,
                      const ws_buffer *room, size_t payload);
void ws_outbox_discard(struct ws_chunk *chunk);

/* What waits begins in the middle of a frame: its beginning was written before
 * it came here. */
void ws_outbox_begun(ws_outbox *outbox);

/* The first unwritten bytes as at most `most` slices; how many. */
size_t ws_outbox_gather(const ws_outbox *outbox, ws_slice *slices,
                        size_t most);

/* The first `len` bytes have been written. */
void ws_outbox_advance(ws_outbox *outbox, size_t len);

/* Drops all chunks of which nothing has been written yet, but those in which a
 * frame goes on that began in a chunk that stays. */
void ws_outbox_trim(ws_outbox *outbox);
