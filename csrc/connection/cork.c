/* SPDX-License-Identifier: MIT */
/* The corks of a loop. The one given back last is taken first: its bytes are
 * still in the caches. */
#include "connection/cork.h"

#include <assert.h>

/* What a cork has from the start, and the largest block it keeps. */
#define SMALL_BLOCK ((size_t)2 * 1024)
#define KEPT_MOST ((size_t)128 * 1024)

void ws_corks_init(ws_corks *corks, ws_resize *resize) {
  *corks = (ws_corks){.free = corks->all};
  for (size_t i = 0; i < WS_CORKS; i++) {
    ws_cork *cork = &corks->all[i];
    ws_buffer_init(&cork->bytes, resize, 0);
    cork->next_free = i + 1 < WS_CORKS ? cork + 1 : NULL;
  }
}

void ws_corks_deinit(ws_corks *corks) {
  for (size_t i = 0; i < WS_CORKS; i++)
    ws_buffer_deinit(&corks->all[i].bytes);
}

/* Gives each cork a block on first use, so that memory does not grow when more
 * are needed later. A cork that gets none here gets it with its first frame. */
static void fill(ws_corks *corks) {
  corks->filled = true;
  for (size_t i = 0; i < WS_CORKS; i++)
    (void)ws_buffer_reserve(&corks->all[i].bytes, SMALL_BLOCK);
}

ws_cork *ws_corks_take(ws_corks *corks, struct ws_connection *of) {
  ws_cork *cork = corks->free;
  if (!cork) return NULL;
  if (!corks->filled) fill(corks);
  corks->free = cork->next_free;
  cork->of = of;
  return cork;
}

static void empty(ws_buffer *bytes) {
  ws_buffer_consume(bytes, bytes->len);
  if (bytes->cap <= KEPT_MOST) return;
  ws_buffer_deinit(bytes);
  (void)ws_buffer_reserve(bytes, SMALL_BLOCK);
}

void ws_corks_give_back(ws_corks *corks, ws_cork *cork) {
  assert(cork->of);
  empty(&cork->bytes);
  cork->payload = 0;
  cork->begun = false;
  cork->of = NULL;
  cork->next_free = corks->free;
  corks->free = cork;
}

struct ws_connection *ws_corks_victim(ws_corks *corks) {
  corks->turn = (corks->turn + 1) % WS_CORKS;
  return corks->all[corks->turn].of;
}

void ws_cork_advance(ws_cork *cork, size_t len) {
  size_t before = cork->bytes.len;
  size_t saved = cork->payload > before ? cork->payload - before : 0;
  ws_buffer_consume(&cork->bytes, len);
  cork->begun = true;
  if (cork->payload > cork->bytes.len) cork->payload = cork->bytes.len;
  cork->payload += saved;
}
