/* SPDX-License-Identifier: MIT */
/* Turns a host and port into a connected socket: resolves the name, then tries
 * the addresses of both families in turn, 250 ms apart; the first to connect
 * wins (RFC 8305). Waits while another connection to the same address is being
 * opened. Has no deadline of its own: cancel it. */
#pragma once
#include "connection/hub.h"
#include "transport/address.h"

typedef struct ws_dial ws_dial;

typedef struct ws_dial_result {
  int status;          /* WS_OK, or why the first attempt to fail did */
  ws_fd fd;            /* connected; belongs to the receiver of this */
  ws_permit *permit;   /* to be freed once open or gone; may be NULL */
  const char *message; /* of a failure: names host and stage; borrowed */
} ws_dial_result;

typedef struct ws_dial_events {
  /* What it does now, "name: ..." or "tcp: ...", static: for the message of a
   * deadline. */
  void (*on_stage)(void *owner, const char *stage);
  /* Called once, from a turn of the loop; the dial is freed after it. */
  void (*on_done)(void *owner, const ws_dial_result *result);
} ws_dial_events;

/* What to dial; borrowed for the call. */
typedef struct ws_dial_target {
  ws_slice host; /* a name, or a literal without brackets */
  uint16_t port;
  int family;         /* 0, 4 or 6 */
  ws_slice unix_path; /* unless empty: a Unix socket instead */
  bool parallel;      /* do not wait for others to the same address */
} ws_dial_target;

/* WS_OK, WS_ENOMEM, or WS_EINVAL for an invalid path. */
int ws_dial_start(ws_hub *hub, const ws_dial_target *target,
                  const ws_dial_events *events, void *owner, ws_dial **dial);

/* Gives up: no callback comes any more. NULL is fine. */
void ws_dial_cancel(ws_dial *dial);
