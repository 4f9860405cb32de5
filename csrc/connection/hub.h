/* SPDX-License-Identifier: MIT */
/* What all connections of one loop share: the buffer they read into, the corks
 * that gather small frames, the deflaters and inflaters, the resolver, and the
 * list of connections. */
#pragma once
#include "connection/cork.h"
#include "connection/permits.h"
#include "loop/loop.h"
#include "protocol/deflate_pool.h"
#include "transport/resolve.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ws_connection;
struct ws_feeding;
struct ws_server;

#define WS_HUB_INPUT ((size_t)256 * 1024) /* the most bytes of one read */

/* What a hub with little to do has in buffers: the input and a cork. */
#define WS_HUB_BUFFERS (WS_HUB_INPUT + WS_CORK_FULL)

/* Fields are private to connection/. */
typedef struct ws_hub {
  ws_loop *loop;
  ws_budget *budget;            /* the loop's */
  uint8_t *input;               /* WS_HUB_INPUT bytes, made on first use */
  ws_corks corks;
  double written_at;            /* when all were last emptied within a turn */
  unsigned handshakes;          /* TLS: how many asked to go on this turn */
  bool crowded;                 /* in the turn before, some had to wait */
  ws_task turn_end;             /* counts anew */
  struct ws_feeding *feeding;   /* the input being delivered, or NULL */
  struct ws_connection *first;  /* those alive or whose end was not told yet */
  struct ws_server *servers;    /* all that are not yet freed */
  ws_deflate_pool deflate;      /* for all that compress */
  ws_permits permits;           /* for those that connect */
  ws_resolver *resolver;        /* made on first use */
  ws_watch answers;             /* on the resolver's descriptor */
  void (*answered)(void *owner, ws_lookup *lookup);
} ws_hub;

/* The loop is borrowed. */
void ws_hub_init(ws_hub *hub, ws_loop *loop);

/* Drops every connection and server without telling its owner, who still has to
 * release it; then frees what is shared. */
void ws_hub_deinit(ws_hub *hub);

/* Asked by a server before it goes on with a client's TLS handshake, whose
 * signature costs it a millisecond or more: false once this turn had its share.
 * The others go on in later turns, in the order of arrival; until then servers
 * with TLS accept no connections (ws_hub_is_crowded). */
bool ws_hub_may_shake(ws_hub *hub);
bool ws_hub_is_crowded(ws_hub *hub);

/* The shared input buffer, or NULL without memory. */
uint8_t *ws_hub_input(ws_hub *hub);

/* The resolver. Each answer is passed to `answered(lookup->owner, lookup)`,
 * which owns the lookup from then on; the function of the first call is used
 * for all. NULL without memory or descriptors. */
ws_resolver *ws_hub_resolver(ws_hub *hub,
                             void (*answered)(void *owner,
                                              ws_lookup *lookup));
