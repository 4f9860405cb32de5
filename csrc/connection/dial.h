/* SPDX-License-Identifier: MIT */
/* A host and port to a connected socket: resolves, then tries the addresses
 * of both families in turn, 250 ms apart, first come first served
 * (RFC 8305). An address at which another connection is being opened is
 * waited for. No deadline of its own: cancel it. */
#pragma once
#include "connection/hub.h"
#include "transport/address.h"

typedef struct ws_dial ws_dial;

typedef struct ws_dial_result {
  int status;          /* WS_OK or the first address's failure */
  ws_fd fd;            /* connected; the receiver's */
  ws_permit *permit;   /* to be freed when it is open or gone; may be NULL */
  const char *message; /* failure: names host and stage; lives for the call */
} ws_dial_result;

typedef struct ws_dial_events {
  /* What it does now, "name: ..." or "tcp: ...", static: for a deadline's
   * message. */
  void (*on_stage)(void *owner, const char *stage);
  /* Once, from a turn of the loop; the dial is gone after it. */
  void (*on_done)(void *owner, const ws_dial_result *result);
} ws_dial_events;

/* What to dial; borrowed for the call. */
typedef struct ws_dial_target {
  ws_slice host; /* a name, or a literal without brackets */
  uint16_t port;
  int family;         /* 0, 4 or 6 */
  ws_slice unix_path; /* not empty: this instead */
  bool parallel;      /* do not wait for others to the same address */
} ws_dial_target;

/* WS_OK, WS_ENOMEM, or WS_EINVAL for a path that is none. */
int ws_dial_start(ws_hub *hub, const ws_dial_target *target,
                  const ws_dial_events *events, void *owner, ws_dial **dial);

/* Gives up; nothing more will be called. NULL is fine. */
void ws_dial_cancel(ws_dial *dial);
