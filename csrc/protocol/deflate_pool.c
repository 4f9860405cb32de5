/* SPDX-License-Identifier: MIT */
/* Which connection has which deflater and inflater. */
#include "protocol/deflate_pool.h"

#include "bytes/status.h"

#include <string.h>

/* --------------------------------------------------------------- pool */

void ws_deflate_pool_init(ws_deflate_pool *pool, ws_resize *resize) {
  memset(pool, 0, sizeof *pool);
  pool->resize = resize;
  ws_buffer_init(&pool->scratch, resize, 0);
}

static void free_inflater(ws_pool_inflater *slot) {
  if (slot->owner) slot->owner->inflater = NULL;
  ws_inflater_free(slot->inflater);
  *slot = (ws_pool_inflater){0};
}

void ws_deflate_pool_deinit(ws_deflate_pool *pool) {
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
    ws_deflater_free(pool->deflaters[i].deflater);
    pool->deflaters[i] = (ws_pool_deflater){0};
    free_inflater(&pool->inflaters[i]);
  }
  ws_buffer_deinit(&pool->scratch);
}

/* ---------------------------------------------------------- deflaters */

/* The deflater that holds our history, else the one used least recently. */
static ws_pool_deflater *find_deflater(const ws_deflate *deflate) {
  ws_pool_deflater *slots = deflate->pool->deflaters;
  ws_pool_deflater *oldest = &slots[0];
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
    if (slots[i].owner == deflate) return &slots[i];
    if (slots[i].used < oldest->used) oldest = &slots[i];
  }
  return oldest;
}

/* A deflater with our bits and level that holds nobody's history, if any. */
static ws_pool_deflater *find_shared(const ws_deflate *deflate,
                                     unsigned bits) {
  ws_pool_deflater *slots = deflate->pool->deflaters;
  for (size_t i = 0; i < WS_POOL_SLOTS; i++)
    if (!slots[i].owner && slots[i].bits == bits &&
        slots[i].level == deflate->level)
      return &slots[i];
  return find_deflater(deflate);
}

static bool ours_alone(const ws_deflate *deflate) {
  const ws_deflate_agreed *agreed = &deflate->agreed;
  return deflate->server ? agreed->server_no_context
                         : agreed->client_no_context;
}

unsigned ws_deflate_bits(const ws_deflate *deflate) {
  return deflate->server ? deflate->agreed.server_bits
                         : deflate->agreed.client_bits;
}

/* The deflater to use now: the one with our history, if there still is one. */
static ws_deflater *take_deflater(ws_deflate *deflate) {
  unsigned bits = ws_deflate_bits(deflate);
  bool alone = ours_alone(deflate);
  ws_pool_deflater *slot =
      alone ? find_shared(deflate, bits) : find_deflater(deflate);
  slot->used = ++deflate->pool->clock;
  if (slot->owner == deflate) return slot->deflater;
  slot->owner = alone ? NULL : deflate;
  if (slot->deflater && slot->bits == bits && slot->level == deflate->level) {
    ws_deflater_reset(slot->deflater);
    return slot->deflater;
  }
  ws_deflater_free(slot->deflater);
  slot->bits = (uint8_t)bits;
  slot->level = (int8_t)deflate->level;
  slot->deflater =
      ws_deflater_new(deflate->pool->resize, bits, deflate->level);
  if (!slot->deflater) slot->owner = NULL;
  return slot->deflater;
}

void ws_deflate_forget(ws_deflate *deflate) {
  ws_pool_deflater *slot = find_deflater(deflate);
  if (slot->owner != deflate) return;
  slot->owner = NULL;
  slot->used = 0;
}

bool ws_deflate_wants(const ws_deflate *deflate, size_t len) {
  return deflate && len >= deflate->threshold && ws_deflate_bits(deflate) > 8;
}

int ws_deflate_message(ws_deflate *deflate, const void *data, size_t len,
                       const ws_buffer **made) {
  ws_buffer *scratch = &deflate->pool->scratch;
  /* A block for a large message is not kept for ever. */
  if (scratch->cap > (size_t)4 * WS_WINDOW) ws_buffer_deinit(scratch);
  ws_buffer_consume(scratch, scratch->len);
  ws_deflater *deflater = take_deflater(deflate);
  if (!deflater) return WS_ENOMEM;
  int status = ws_deflater_message(deflater, data, len, scratch);
  if (status != WS_OK) ws_deflate_forget(deflate);
  *made = scratch;
  return status;
}

int ws_deflate_message_alone(const ws_deflate *deflate, const void *data,
                             size_t len, const ws_buffer **made) {
  ws_deflate once = *deflate;
  once.agreed.server_no_context = once.agreed.client_no_context = true;
  return ws_deflate_message(&once, data, len, made);
}

/* ---------------------------------------------------------- inflaters */

static bool theirs_alone(const ws_deflate *deflate) {
  const ws_deflate_agreed *agreed = &deflate->agreed;
  return deflate->server ? agreed->client_no_context
                         : agreed->server_no_context;
}

/* Keeps what the peer's next message may refer to. `window` is empty before. */
static int keep_window(ws_deflate *deflate, ws_inflater *inflater) {
  if (theirs_alone(deflate)) return WS_OK;
  uint8_t *whole = deflate->pool->resize(NULL, WS_WINDOW);
  if (!whole) return WS_ENOMEM;
  size_t len = ws_inflater_window(inflater, whole);
  unsigned bits = deflate->server ? deflate->agreed.client_bits
                                  : deflate->agreed.server_bits;
  size_t reach = (size_t)1 << bits;
  size_t skip = len > reach ? len - reach : 0;
  int status = ws_buffer_append(&deflate->window, whole + skip, len - skip);
  (void)deflate->pool->resize(whole, 0);
  return status;
}

/* Nobody's window is in the slot any more: it is the next to be taken. */
static void leave(ws_pool_inflater *slot) {
  slot->owner = NULL;
  slot->used = 0;
}

/* Our inflater if we still have it, else the one used least recently of those
 * that are not in a message; NULL if all are. */
static ws_pool_inflater *find_inflater(const ws_deflate *deflate) {
  ws_pool_inflater *slots = deflate->pool->inflaters;
  ws_pool_inflater *oldest = NULL;
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
    if (slots[i].owner == deflate) return &slots[i];
    if (slots[i].owner && slots[i].owner->reading) continue;
    if (!oldest || slots[i].used < oldest->used) oldest = &slots[i];
  }
  return oldest;
}

/* Takes the slot's inflater from whoever had it. */
static int take_over(ws_deflate *deflate, ws_pool_inflater *slot) {
  int status =
      slot->owner ? keep_window(slot->owner, slot->inflater) : WS_OK;
  if (status != WS_OK) return status;
  if (slot->inflater) ws_inflater_reset(slot->inflater);
  else slot->inflater = ws_inflater_new(deflate->pool->resize);
  if (!slot->inflater) return WS_ENOMEM;
  slot->owner = deflate;
  return WS_OK;
}

/* If all are in the middle of a message, this one gets an inflater of its own
 * until it ends. */
static int begin_message(ws_deflate *deflate) {
  ws_pool_inflater *slot = find_inflater(deflate);
  bool kept = slot && slot->owner == deflate;
  if (!slot) {
    deflate->inflater = ws_inflater_new(deflate->pool->resize);
    if (!deflate->inflater) return WS_ENOMEM;
  } else {
    slot->used = ++deflate->pool->clock;
    int status = kept ? WS_OK : take_over(deflate, slot);
    if (status != WS_OK) return status;
    deflate->inflater = slot->inflater;
  }
  deflate->reading = true;
  if (kept) return WS_OK;
  int status = ws_inflater_set_window(deflate->inflater, deflate->window.data,
                                      deflate->window.len);
  ws_buffer_deinit(&deflate->window);
  return status;
}

static int end_message(ws_deflate *deflate) {
  ws_pool_inflater *slot = find_inflater(deflate);
  int status = WS_OK;
  deflate->reading = false;
  if (slot && slot->owner == deflate) {
    if (theirs_alone(deflate)) leave(slot);
  } else {
    status = keep_window(deflate, deflate->inflater);
    ws_inflater_free(deflate->inflater);
  }
  deflate->inflater = NULL;
  return status;
}

int ws_deflate_feed(ws_deflate *deflate, const void *data, size_t len) {
  if (len == 0) return WS_OK;
  int status = deflate->reading ? WS_OK : begin_message(deflate);
  if (status != WS_OK) return status;
  return ws_inflater_feed(deflate->inflater, data, len, &deflate->text,
                          deflate->most);
}

int ws_deflate_end(ws_deflate *deflate) {
  if (!deflate->reading) return WS_OK; /* not a byte has come */
  int status =
      ws_inflater_end(deflate->inflater, &deflate->text, deflate->most);
  int kept = end_message(deflate);
  return status != WS_OK ? status : kept;
}

/* --------------------------------------------------------- connection */

ws_deflate *ws_deflate_new(ws_deflate_pool *pool,
                           const ws_deflate_options *options,
                           const ws_deflate_agreed *agreed, bool server,
                           size_t most) {
  ws_deflate *deflate = pool->resize(NULL, sizeof *deflate);
  if (!deflate) return NULL;
  *deflate = (ws_deflate){.pool = pool,
                          .agreed = *agreed,
                          .server = server,
                          .level = options->level,
                          .threshold = options->threshold,
                          .most = most};
  ws_buffer_init(&deflate->window, pool->resize, 0);
  ws_buffer_init(&deflate->text, pool->resize, 0);
  return deflate;
}

void ws_deflate_free(ws_deflate *deflate) {
  if (!deflate) return;
  ws_deflate_pool *pool = deflate->pool;
  ws_deflate_forget(deflate);
  bool pooled = false;
  for (size_t i = 0; i < WS_POOL_SLOTS; i++) {
    if (pool->inflaters[i].owner != deflate) continue;
    leave(&pool->inflaters[i]);
    pooled = true;
  }
  if (!pooled) ws_inflater_free(deflate->inflater);
  ws_buffer_deinit(&deflate->window);
  ws_buffer_deinit(&deflate->text);
  (void)pool->resize(deflate, 0);
}
