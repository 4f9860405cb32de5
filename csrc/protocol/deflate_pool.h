/* SPDX-License-Identifier: MIT */
/* A few deflaters and inflaters for all connections of a loop. The one used
 * least recently is taken away: a deflater's history is then forgotten (a
 * sender may always do that), an inflater's window, 32 KiB at most, is kept
 * with its connection. None is taken away in the midst of a message: with all
 * in use another is made, for that message alone. */
#pragma once
#include "bytes/buffer.h"
#include "protocol/deflate.h"
#include "protocol/deflate_offer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_POOL_SLOTS 16 /* of each kind */

typedef struct ws_deflate ws_deflate;

typedef struct ws_pool_deflater {
  ws_deflater *deflater;
  ws_deflate *owner; /* whose history it has, or NULL */
  uint64_t used;
  uint8_t bits;
  int8_t level;
} ws_pool_deflater;

typedef struct ws_pool_inflater {
  ws_inflater *inflater;
  ws_deflate *owner;
  uint64_t used;
} ws_pool_inflater;

/* Fields are private to deflate_pool.c. */
typedef struct ws_deflate_pool {
  ws_resize *resize;
  uint64_t clock;
  ws_buffer scratch; /* a message being compressed */
  ws_pool_deflater deflaters[WS_POOL_SLOTS];
  ws_pool_inflater inflaters[WS_POOL_SLOTS];
} ws_deflate_pool;

void ws_deflate_pool_init(ws_deflate_pool *pool, ws_resize *resize);

/* Frees what it holds. Connections that are left may only be freed, while the
 * pool itself is still there. */
void ws_deflate_pool_deinit(ws_deflate_pool *pool);

/* The compression of one connection. Fields but `text` are private to
 * deflate_pool.c. */
struct ws_deflate {
  ws_deflate_pool *pool;
  ws_deflate_agreed agreed;
  bool server;
  bool reading;          /* in a message */
  int level;
  size_t threshold;
  size_t most;           /* bytes of a message, inflated */
  ws_inflater *inflater; /* while reading: not to be taken away */
  ws_buffer window;      /* what the inflater left when it was taken away */
  ws_buffer text;        /* the message, as far as it is inflated */
};

/* For a connection that agreed. NULL without memory. The pool and its resize
 * are borrowed for its life. */
ws_deflate *ws_deflate_new(ws_deflate_pool *pool,
                           const ws_deflate_options *options,
                           const ws_deflate_agreed *agreed, bool server,
                           size_t most);
void ws_deflate_free(ws_deflate *deflate); /* NULL is fine */

/* Bits of the window that messages to be sent are made with, 8 to 15. */
unsigned ws_deflate_bits(const ws_deflate *deflate);

/* True for messages to be sent compressed: not below the threshold, and with a
 * window that zlib can do (S180). NULL, no compression, wants none. */
bool ws_deflate_wants(const ws_deflate *deflate, size_t len);

/* Compresses a message; `*made` is good until the next call on any connection
 * of the pool. WS_OK, WS_ENOMEM or WS_ETOOBIG. */
int ws_deflate_message(ws_deflate *deflate, const void *data, size_t len,
                       const ws_buffer **made);

/* The same for everyone whose messages go out with the same bits and level:
 * refers to nothing before it, and is not remembered. */
int ws_deflate_message_alone(const ws_deflate *deflate, const void *data,
                             size_t len, const ws_buffer **made);

/* A message of someone else's making goes to this connection: ours cannot
 * refer to what came before. */
void ws_deflate_forget(ws_deflate *deflate);

/* Some of a compressed message, onto the end of deflate->text. As
 * ws_inflater_feed and _end; afterwards text is the caller's to empty. */
int ws_deflate_feed(ws_deflate *deflate, const void *data, size_t len);
int ws_deflate_end(ws_deflate *deflate);
