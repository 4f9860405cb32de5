/* SPDX-License-Identifier: MIT */
/* Lines, each of all whose addresses have the same hash: the first of an
 * address has its turn. */
#include "connection/turns.h"

#include "bytes/memory.h"

typedef struct ws_turn_line line;

struct ws_turn {
  line *line;
  ws_turn *next, *previous;
  ws_loop *loop;
  ws_task task; /* tells that it has come */
  ws_address address;
  bool come;
};

/* The first for `address` from here on, or NULL. */
static ws_turn *find(ws_turn *turn, const ws_address *address) {
  while (turn && !ws_address_same(&turn->address, address)) turn = turn->next;
  return turn;
}

static void join(line *at, ws_turn *turn) {
  turn->line = at;
  turn->previous = at->last;
  if (at->last) at->last->next = turn;
  else at->first = turn;
  at->last = turn;
}

static void leave(ws_turn *turn) {
  line *at = turn->line;
  if (turn->previous) turn->previous->next = turn->next;
  else at->first = turn->next;
  if (turn->next) turn->next->previous = turn->previous;
  else at->last = turn->previous;
}

ws_turn *ws_turn_new(ws_turns *turns, ws_loop *loop, const ws_address *address,
                     void (*come)(void *owner), void *owner) {
  ws_turn *turn = ws_memory_new(sizeof *turn);
  if (!turn) return NULL;
  line *at = &turns->lines[ws_address_hash(address) % WS_TURNS_BUCKETS];
  turn->loop = loop;
  turn->task = (ws_task){.run = come, .owner = owner};
  turn->address = *address;
  turn->come = !find(at->first, address);
  join(at, turn);
  return turn;
}

bool ws_turn_has_come(const ws_turn *turn) { return turn->come; }

void ws_turn_free(ws_turn *turn) {
  if (!turn) return;
  ws_turn *next = turn->come ? find(turn->next, &turn->address) : NULL;
  leave(turn);
  ws_loop_cancel(turn->loop, &turn->task);
  if (next) {
    next->come = true;
    ws_loop_post(next->loop, &next->task);
  }
  ws_memory_free(turn);
}
