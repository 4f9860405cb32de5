/* SPDX-License-Identifier: MIT */
/* Permission to open a connection to an address: one at a time has that of an
 * address and port, others wait in line (RFC 6455 section 4.1, step 2 of how
 * to establish a connection). */
#pragma once
#include "loop/loop.h"
#include "transport/address.h"

#define WS_PERMIT_LINES 64

typedef struct ws_permit ws_permit;

/* All permits of a loop, had or waited for. Fields are private to permits.c;
 * all zero is none. */
typedef struct ws_permits {
  struct ws_permit_line {
    ws_permit *first, *last;
  } lines[WS_PERMIT_LINES]; /* by a hash of the address; each in order */
} ws_permits;

/* Asks for one for an address, which is copied. Unless it is granted at once,
 * `granted(owner)` is called when it is: once, in a turn of the loop, which is
 * borrowed. NULL without memory. */
ws_permit *ws_permit_new(ws_permits *permits, ws_loop *loop,
                         const ws_address *address,
                         void (*granted)(void *owner), void *owner);

bool ws_permit_is_granted(const ws_permit *permit);

/* Gives it back, granted or not; nothing will be called. NULL is fine. */
void ws_permit_free(ws_permit *permit);
