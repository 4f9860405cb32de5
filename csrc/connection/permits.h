/* SPDX-License-Identifier: MIT */
/* Permission to open a connection to an address and port: only one connection
 * at a time has it, and others wait in line (RFC 6455 section 4.1, step 2 of
 * establishing a connection). */
#pragma once
#include "loop/loop.h"
#include "transport/address.h"

#define WS_PERMIT_LINES 64

typedef struct ws_permit ws_permit;

/* All permits of a loop, granted or waited for. Fields are private to
 * permits.c. All zero is the initial state: there are none. */
typedef struct ws_permits {
  struct ws_permit_line {
    ws_permit *first, *last;
  } lines[WS_PERMIT_LINES]; /* by a hash of the address; each in order */
} ws_permits;

/* Asks for a permit for an address, which is copied. Unless it is granted at
 * once, `granted(owner)` is called when it is: once, in a turn of the loop. The
 * loop is borrowed. NULL without memory. */
ws_permit *ws_permit_new(ws_permits *permits, ws_loop *loop,
                         const ws_address *address,
                         void (*granted)(void *owner), void *owner);

bool ws_permit_is_granted(const ws_permit *permit);

/* Gives it back, granted or not; `granted` is not called any more. NULL is
 * fine. */
void ws_permit_free(ws_permit *permit);
