/* SPDX-License-Identifier: MIT */
/* Corks. The small frames of a connection gather in one while it is dealt with,
 * and leave in one write. A loop has several, so that connections that are
 * served one after another can also be written one after another. */
#pragma once
#include "bytes/buffer.h"

#include <stdbool.h>
#include <stddef.h>

struct ws_connection;

#define WS_CORKS 16
#define WS_CORK_FULL ((size_t)64 * 1024) /* bytes that do not wait longer */

typedef struct ws_cork {
  struct ws_connection *of; /* whose frames, or NULL: it is free */
  ws_buffer bytes;          /* not yet written */
  size_t payload;           /* how many of these are payload */
  bool begun;               /* the first of them was written in part */
  struct ws_cork *next_free;
} ws_cork;

/* Fields are private to cork.c, but the corks and `free` may be read. */
typedef struct ws_corks {
  ws_cork all[WS_CORKS];
  ws_cork *free; /* the first; NULL when all are taken */
  size_t turn;   /* whose turn it is to be taken away */
  bool filled;   /* each has a block */
} ws_corks;

void ws_corks_init(ws_corks *corks, ws_resize *resize);
void ws_corks_deinit(ws_corks *corks);

/* An empty one; NULL when all are taken. */
ws_cork *ws_corks_take(ws_corks *corks, struct ws_connection *of);

/* Drops what is in it. */
void ws_corks_give_back(ws_corks *corks, ws_cork *cork);

/* Whom to take one away from when all are taken: each in turn. */
struct ws_connection *ws_corks_victim(ws_corks *corks);

/* Removes the first `len` bytes, which have been written. As in the outbox,
 * headers count as written first, and the bytes that compression saved as
 * written last. */
void ws_cork_advance(ws_cork *cork, size_t len);
