/* SPDX-License-Identifier: MIT */
/* What waits to be written. Short frames are copied into shared chunks; long
 * payloads are not copied, and kept until they were written. Writes nothing
 * itself. */
#include "connection/outbox.h"

#include "bytes/memory.h"
#include "bytes/status.h"

#include <string.h>

/* Copied frames go into chunks of at least this size, so that many short ones
 * share one. */
#define CHUNK_SIZE ((size_t)4000)

typedef struct ws_chunk {
  struct ws_chunk *next;
  const uint8_t *data; /* the first unwritten byte */
  size_t len;
  size_t overhead;     /* of these, how many are no payload */
  size_t extra;        /* payload beyond `len`: it was compressed */
  size_t room;         /* free bytes after them, in `own` */
  bool begun;          /* some of it has been written */
  bool continues;      /* its frame began in the chunk before */
  bool lent;           /* see ws_kept */
  void (*release)(void *keeper);
  void *keeper;
  uint8_t own[];
} ws_chunk;

static ws_chunk *chunk_new(size_t size) {
  ws_chunk *chunk = ws_memory_resize(NULL, sizeof *chunk + size);
  if (!chunk) return NULL;
  memset(chunk, 0, sizeof *chunk);
  chunk->data = chunk->own;
  chunk->room = size;
  return chunk;
}

static void chunk_free(ws_chunk *chunk) {
  if (chunk->release) chunk->release(chunk->keeper);
  ws_memory_free(chunk);
}

/* Headers count as written first, and the bytes that compression saved as
 * written last. */
static size_t chunk_payload(const ws_chunk *chunk) {
  if (chunk->len == 0) return 0;
  size_t plain =
      chunk->len > chunk->overhead ? chunk->len - chunk->overhead : 0;
  return plain + chunk->extra;
}

/* `len` more bytes of the chunk carry `payload`. */
static void account(ws_chunk *chunk, size_t len, size_t payload) {
  if (payload > len) chunk->extra += payload - len;
  else chunk->overhead += len - payload;
}

static void append(ws_outbox *outbox, ws_chunk *chunk) {
  if (outbox->tail) outbox->tail->next = chunk;
  else outbox->head = chunk;
  outbox->tail = chunk;
  outbox->bytes += chunk->len;
  outbox->payload += chunk_payload(chunk);
}

static void drop_head(ws_outbox *outbox) {
  ws_chunk *chunk = outbox->head;
  outbox->head = chunk->next;
  if (!outbox->head) outbox->tail = NULL;
  outbox->bytes -= chunk->len;
  outbox->payload -= chunk_payload(chunk);
  chunk_free(chunk);
}

void ws_outbox_clear(ws_outbox *outbox) {
  while (outbox->head) drop_head(outbox);
}

/* Makes the last chunk longer by `len` bytes, which carry `payload`. */
static void grow_tail(ws_outbox *outbox, size_t len, size_t payload) {
  ws_chunk *chunk = outbox->tail;
  outbox->payload -= chunk_payload(chunk);
  chunk->len += len;
  account(chunk, len, payload);
  outbox->bytes += len;
  outbox->payload += chunk_payload(chunk);
}

/* Into the last chunk, or a new one of at least `size` bytes. */
static int copy(ws_outbox *outbox, const void *data, size_t len,
                size_t payload, size_t size) {
  if (len == 0) return WS_OK;
  ws_chunk *chunk = outbox->tail;
  if (!chunk || chunk->release || chunk->room < len) {
    chunk = chunk_new(len > size ? len : size);
    if (!chunk) return WS_ENOMEM;
    append(outbox, chunk);
  }
  uint8_t *end = chunk->own + (chunk->data - chunk->own) + chunk->len;
  memcpy(end, data, len);
  chunk->room -= len;
  grow_tail(outbox, len, payload);
  return WS_OK;
}

int ws_outbox_keep(ws_outbox *outbox, const ws_kept *kept, size_t payload,
                   bool continues) {
  ws_chunk *chunk = chunk_new(0);
  if (!chunk) return WS_ENOMEM;
  chunk->data = kept->data;
  chunk->len = kept->len;
  account(chunk, kept->len, payload);
  chunk->continues = continues;
  chunk->lent = kept->lent;
  chunk->release = kept->release;
  chunk->keeper = kept->keeper;
  append(outbox, chunk);
  return WS_OK;
}

int ws_outbox_copy(ws_outbox *outbox, const void *data, size_t len,
                   size_t payload) {
  return copy(outbox, data, len, payload, CHUNK_SIZE);
}

int ws_outbox_copy_head(ws_outbox *outbox, const void *head, size_t len) {
  return copy(outbox, head, len, 0, len);
}

bool ws_outbox_extend(ws_outbox *outbox, const ws_kept *kept, size_t payload) {
  const ws_chunk *last = outbox->tail;
  if (!last || last->release != kept->release ||
      last->keeper != kept->keeper || last->data + last->len != kept->data)
    return false;
  grow_tail(outbox, kept->len, payload);
  return true;
}

/* Only the first chunk can have lent bytes: while something waits, nothing is
 * lent. */
void ws_outbox_settle(ws_outbox *outbox) {
  ws_chunk *lent = outbox->head;
  if (!lent || !lent->lent) return;
  ws_chunk *own = chunk_new(lent->len);
  if (!own) return;
  memcpy(own->own, lent->data, lent->len);
  own->next = lent->next;
  own->len = lent->len;
  own->overhead = lent->overhead;
  own->extra = lent->extra;
  own->room = 0;
  own->begun = lent->begun;
  outbox->head = own;
  if (outbox->tail == lent) outbox->tail = own;
  chunk_free(lent);
}

ws_chunk *ws_outbox_room(size_t size, ws_buffer *room) {
  ws_chunk *chunk = chunk_new(size);
  if (chunk) ws_buffer_init_fixed(room, chunk->own, size);
  return chunk;
}

void ws_outbox_commit(ws_outbox *outbox, ws_chunk *chunk,
                      const ws_buffer *room, size_t payload) {
  chunk->len = room->len;
  chunk->room -= room->len;
  account(chunk, room->len, payload);
  append(outbox, chunk);
}

void ws_outbox_discard(ws_chunk *chunk) {
  chunk_free(chunk);
}

void ws_outbox_begun(ws_outbox *outbox) {
  if (outbox->head) outbox->head->begun = true;
}

size_t ws_outbox_gather(const ws_outbox *outbox, ws_slice *slices,
                        size_t most) {
  size_t count = 0;
  const ws_chunk *chunk = outbox->head;
  for (; chunk && count < most; chunk = chunk->next) {
    slices[count].data = (const char *)chunk->data;
    slices[count].len = chunk->len;
    count++;
  }
  return count;
}

void ws_outbox_advance(ws_outbox *outbox, size_t len) {
  while (len > 0 && outbox->head) {
    ws_chunk *chunk = outbox->head;
    if (len >= chunk->len) {
      len -= chunk->len;
      drop_head(outbox);
      continue;
    }
    outbox->payload -= chunk_payload(chunk);
    chunk->data += len;
    chunk->len -= len;
    chunk->overhead -= len < chunk->overhead ? len : chunk->overhead;
    chunk->begun = true;
    outbox->bytes -= len;
    outbox->payload += chunk_payload(chunk);
    return;
  }
}

void ws_outbox_trim(ws_outbox *outbox) {
  ws_chunk *last = outbox->head;
  if (!last) return;
  if (!last->begun && !last->continues) {
    ws_outbox_clear(outbox);
    return;
  }
  while (last->next && last->next->continues) last = last->next;
  ws_chunk *rest = last->next;
  last->next = NULL;
  outbox->tail = last;
  while (rest) {
    ws_chunk *next = rest->next;
    outbox->bytes -= rest->len;
    outbox->payload -= chunk_payload(rest);
    chunk_free(rest);
    rest = next;
  }
}
