/* SPDX-License-Identifier: MIT */
/* Frames for many, in counted blocks of memory. */
#include "connection/publication.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "connection/connection_open.h"

#include <string.h>

/* A longer frame has a block of its own. */
#define SHORT_FRAME ((size_t)1024)
#define RUN_SIZE ((size_t)16 * 1024)

struct ws_run {
  size_t references; /* by `newest`, by parts, and by what waits */
  size_t len, cap;
  uint8_t bytes[];
};

static void unref(void *keeper) {
  ws_run *run = keeper;
  if (run && --run->references == 0) ws_memory_free(run);
}

void ws_run_free(ws_run *run) { unref(run); }

static ws_run *run_new(size_t cap) {
  ws_run *run = ws_memory_resize(NULL, sizeof *run + cap);
  if (!run) return NULL;
  *run = (ws_run){.references = 1, .len = 0, .cap = cap};
  return run;
}

/* A run with room for a short frame, referenced once more. */
static ws_run *run_with_room(ws_run **newest, size_t len) {
  ws_run *run = *newest;
  if (run && run->references == 1) run->len = 0; /* nothing of it waits */
  if (!run || run->cap - run->len < len) {
    run = run_new(RUN_SIZE);
    if (!run) return NULL;
    unref(*newest);
    *newest = run;
  }
  run->references++;
  return run;
}

/* Adds a frame; without memory the part stays as it is. */
static void make_part(const ws_publication *p, ws_run_part *part, unsigned rsv,
                      const void *payload, size_t len) {
  uint8_t head[WS_FRAME_HEAD_MAX];
  size_t head_len = ws_sender_head(p->opcode, rsv, len, head);
  size_t whole = head_len + len;
  ws_run *run = whole > SHORT_FRAME ? run_new(whole)
                                    : run_with_room(p->newest, whole);
  if (!run) return;
  uint8_t *at = run->bytes + run->len;
  memcpy(at, head, head_len);
  if (len) memcpy(at + head_len, payload, len);
  run->len += whole;
  *part = (ws_run_part){run, at, whole};
}

static const ws_run_part *plain_part(ws_publication *p) {
  if (!p->plain.run) make_part(p, &p->plain, 0, p->data, p->len);
  return &p->plain;
}

static const ws_run_part *compressed_part(ws_publication *p,
                                          ws_deflate *deflate) {
  ws_run_part *part = &p->compressed[ws_deflate_bits(deflate)];
  const ws_buffer *made;
  if (!part->run &&
      ws_deflate_message_alone(deflate, p->data, p->len, &made) == WS_OK)
    make_part(p, part, WS_RSV1, made->data, made->len);
  if (part->run) ws_deflate_forget(deflate);
  return part;
}

void ws_publication_begin(ws_publication *publication, ws_run **newest,
                          unsigned opcode, const void *data, size_t len) {
  memset(publication, 0, sizeof *publication);
  publication->newest = newest;
  publication->opcode = opcode;
  publication->data = data;
  publication->len = len;
}

int ws_publication_send(ws_publication *publication,
                        ws_connection *connection) {
  ws_deflate *deflate = ws_connection_deflate(connection);
  const ws_run_part *part = NULL;
  if (ws_deflate_wants(deflate, publication->len))
    part = compressed_part(publication, deflate);
  if (!part || !part->run) part = plain_part(publication);
  if (!part->run) return WS_ENOMEM;
  ws_kept kept = {part->data, part->len, unref, part->run,
                  part->len <= SHORT_FRAME};
  part->run->references++;
  return ws_connection_push(connection, &kept, publication->len);
}

void ws_publication_end(ws_publication *publication) {
  unref(publication->plain.run);
  for (size_t bits = 0; bits < 16; bits++)
    unref(publication->compressed[bits].run);
}
