/* SPDX-License-Identifier: MIT */
/* A few deflaters and inflaters for all connections of a loop. When another
 * connection needs one, the least recently used is taken away. A deflater's
 * history is then forgotten, which a sender may always do; an inflater's
 * window, 32 KiB at most, stays with its connection. None is taken away in the
 * middle of a message: when all are in use another is made for just one
 * message. */
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
  ws_deflate *owner; /* whose history it holds, or NULL */
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

/* Frees what it holds. Connections that are left may then only be freed, and
 * only while the pool itself still exists. */
void ws_deflate_pool_deinit(ws_deflate_pool *pool);

/* The compression of one connection. Fields except `text` are private to
 * deflate_pool.c. */
struct ws_deflate {
  ws_deflate_pool *pool;
  ws_deflate_agreed agreed;
  bool server;
  bool reading;          /* in the middle of a message */
  int level;
  size_t threshold;
  size_t most;           /* limit of a message, inflated */
  ws_inflater *inflater; /* while reading: not to be taken away */
  ws_buffer window;      /* what the inflater left when it was taken away */
  ws_buffer text;        /* the message, as far as it is inflated */
};

/* For a connection that agreed on compression. NULL without memory. The pool
 * and its resize are borrowed for as long as this lives. */
ws_deflate *ws_deflate_new(ws_deflate_pool *pool,
                           const ws_deflate_options *options,
                           const ws_deflate_agreed *agreed, bool server,
                           size_t most);
void ws_deflate_free(ws_deflate *deflate); /* NULL is fine */

/* The window bits that messages to be sent are compressed with, 8 to 15. */
unsigned ws_deflate_bits(const ws_deflate *deflate);

/* True if a message of that length is to be sent compressed: not below the
 * threshold, and the window is one that zlib can do (S180). False for NULL,
 * which means no compression. */
bool ws_deflate_wants(const ws_deflate *deflate, size_t len);

/* Compresses a message; `*made` is valid until the next call for any connection
 * of the pool. WS_OK, WS_ENOMEM or WS_ETOOBIG. */
int ws_deflate_message(ws_deflate *deflate, const void *data, size_t len,
                       const ws_buffer **made);

/* The same, but the result can be sent on all connections that compress with
 * the same bits and level: it refers to no earlier message, and no later one
 * will refer to it. */
int ws_deflate_message_alone(const ws_deflate *deflate, const void *data,
                             size_t len, const ws_buffer **made);

/* To be called when a message compressed elsewhere is sent on this connection:
 * later ones must not refer to what came before it. */
void ws_deflate_forget(ws_deflate *deflate);

/* Inflate part of a compressed message, appending to deflate->text. As
 * ws_inflater_feed and _end; the caller empties text afterwards. */
int ws_deflate_feed(ws_deflate *deflate, const void *data, size_t len);
int ws_deflate_end(ws_deflate *deflate);
