/* SPDX-License-Identifier: MIT */
/* Permits wait in lines, one for all addresses with the same hash; the first
 * permit of each address is the granted one. */
#include "connection/permits.h"

#include "bytes/memory.h"

typedef struct ws_permit_line line;

struct ws_permit {
  line *line;
  ws_permit *next, *previous;
  ws_loop *loop;
  ws_task task; /* tells that it is granted */
  ws_address address;
  bool is_granted;
};

/* The first for `address` from `permit` on, or NULL. */
static ws_permit *find(ws_permit *permit, const ws_address *address) {
  while (permit && !ws_address_same(&permit->address, address))
    permit = permit->next;
  return permit;
}

static void join(line *at, ws_permit *permit) {
  permit->line = at;
  permit->previous = at->last;
  if (at->last) at->last->next = permit;
  else at->first = permit;
  at->last = permit;
}

static void leave(ws_permit *permit) {
  line *at = permit->line;
  if (permit->previous) permit->previous->next = permit->next;
  else at->first = permit->next;
  if (permit->next) permit->next->previous = permit->previous;
  else at->last = permit->previous;
}

ws_permit *ws_permit_new(ws_permits *permits, ws_loop *loop,
                         const ws_address *address,
                         void (*granted)(void *owner), void *owner) {
  ws_permit *permit = ws_memory_new(sizeof *permit);
  if (!permit) return NULL;
  line *at = &permits->lines[ws_address_hash(address) % WS_PERMIT_LINES];
  permit->loop = loop;
  permit->task = (ws_task){.run = granted, .owner = owner};
  permit->address = *address;
  permit->is_granted = !find(at->first, address);
  join(at, permit);
  return permit;
}

bool ws_permit_is_granted(const ws_permit *permit) {
  return permit->is_granted;
}

void ws_permit_free(ws_permit *permit) {
  if (!permit) return;
  ws_permit *next =
      permit->is_granted ? find(permit->next, &permit->address) : NULL;
  leave(permit);
  ws_loop_cancel(permit->loop, &permit->task);
  if (next) {
    next->is_granted = true;
    ws_loop_post(next->loop, &next->task);
  }
  ws_memory_free(permit);
}
