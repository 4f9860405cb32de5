/* SPDX-License-Identifier: MIT */
/* A message for many connections: its frame is encoded once, and they share the
 * bytes. Short frames that are published one after the other are placed one
 * after the other in memory, in a run. So when a frame follows the last one
 * that waits for a connection, that chunk just gets longer, which costs neither
 * memory nor a copy. */
#pragma once
#include "connection/connection.h"

#include <stddef.h>

/* The newest run, to which short frames are added; NULL before the first. */
typedef struct ws_run ws_run;

void ws_run_free(ws_run *run); /* NULL is fine */

/* The bytes of a frame in a run; if `run` is NULL, not made yet. */
typedef struct ws_run_part {
  ws_run *run;
  const uint8_t *data;
  size_t len;
} ws_run_part;

/* Fields are private to publication.c. */
typedef struct ws_publication {
  ws_run **newest;
  unsigned opcode;
  const void *data; /* borrowed */
  size_t len;
  ws_run_part plain;
  ws_run_part compressed[16]; /* by the bits of the window */
} ws_publication;

/* `newest` is kept by the caller from one publication to the next. */
void ws_publication_begin(ws_publication *publication, ws_run **newest,
                          unsigned opcode, const void *data, size_t len);

/* Sends it to one more connection: WS_OK (also if that is not open), WS_ENOMEM,
 * or WS_EBACKPRESSURE if that was skipped (drop_publishes). */
int ws_publication_send(ws_publication *publication,
                        ws_connection *connection);

void ws_publication_end(ws_publication *publication);
