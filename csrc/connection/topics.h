/* SPDX-License-Identifier: MIT */
/* Topics, their subscribers, and publishing to these. */
#pragma once
#include "bytes/slice.h"
#include "connection/publication.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields are private to topics.c. All zero is the initial state. */
typedef struct ws_topics {
  struct ws_topic **buckets;
  size_t bucket_count; /* a power of two */
  size_t count;
  struct ws_subscription **places; /* by connection and topic */
  size_t place_count;              /* a power of two */
  size_t subscriptions;
  const struct ws_subscription *listed; /* what ws_topics_of found last */
  size_t listed_nth;
  uint64_t publications; /* how many there were */
  ws_run *newest;        /* of published frames */
} ws_topics;

/* No subscriber may be left. */
void ws_topics_deinit(ws_topics *topics);

/* WS_OK (also when it already was) or WS_ENOMEM. */
int ws_topics_subscribe(ws_topics *topics, ws_connection *connection,
                        ws_slice name);

/* True if it was subscribed. */
bool ws_topics_unsubscribe(ws_topics *topics, ws_connection *connection,
                           ws_slice name);

/* Drops all of a connection's subscriptions. */
void ws_topics_leave(ws_topics *topics, ws_connection *connection);

/* The n-th topic of a connection, in the order subscribed; false after the
 * last. Constant time per topic when called for one after the other. */
bool ws_topics_of(ws_topics *topics, ws_connection *connection, size_t nth,
                  ws_slice *name);

/* Sends to every subscriber except `except` (may be NULL). Returns how many it
 * was sent to, or WS_ENOMEM. */
ptrdiff_t ws_topics_publish(ws_topics *topics, ws_slice name, unsigned opcode,
                            const void *data, size_t len,
                            const ws_connection *except);
