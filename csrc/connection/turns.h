/* SPDX-License-Identifier: MIT */
/* Whose turn it is: of the connections to one address and port only one is
 * being opened at a time, the others wait in line (RFC 6455 section 4.1,
 * second step 2). */
#pragma once
#include "loop/loop.h"
#include "transport/address.h"

#define WS_TURNS_BUCKETS 64

/* Fields are private to turns.c; all zero is empty. */
typedef struct ws_turns {
  struct ws_turn_line {
    struct ws_turn *first, *last;
  } lines[WS_TURNS_BUCKETS]; /* by a hash of the address, as they came */
} ws_turns;

typedef struct ws_turn ws_turn;

/* Gets in line for an address, which is copied. Unless its turn has come
 * already, `come(owner)` is called once when it does, in a turn of the loop
 * (borrowed). NULL without memory. */
ws_turn *ws_turn_new(ws_turns *turns, ws_loop *loop, const ws_address *address,
                     void (*come)(void *owner), void *owner);

bool ws_turn_has_come(const ws_turn *turn);

/* Leaves the line, whether its turn had come or not, and frees it; nothing
 * will be called. NULL is fine. */
void ws_turn_free(ws_turn *turn);
