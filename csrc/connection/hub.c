/* SPDX-License-Identifier: MIT */
/* What all connections of a loop share, made when first needed. */
#include "connection/hub.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "connection/connection.h"
#include "connection/server.h"

#include <string.h>

/* How many TLS handshakes go on in one turn. */
#define HANDSHAKES_MOST 8

static void on_answers(void *owner, unsigned events) {
  ws_hub *hub = owner;
  (void)events;
  for (;;) {
    ws_lookup *lookup = ws_resolver_next(hub->resolver);
    if (!lookup) return;
    hub->answered(lookup->owner, lookup);
  }
}

/* ------------------------------------------------------- handshakes */

static void count_anew(void *owner) {
  ws_hub *hub = owner;
  hub->crowded = hub->handshakes > HANDSHAKES_MOST;
  hub->handshakes = 0;
}

bool ws_hub_may_shake(ws_hub *hub) {
  ws_loop_post_end(hub->loop, &hub->turn_end);
  return ++hub->handshakes <= HANDSHAKES_MOST;
}

bool ws_hub_is_crowded(ws_hub *hub) {
  if (hub->crowded) ws_loop_post_end(hub->loop, &hub->turn_end);
  return hub->crowded;
}

/* -------------------------------------------------------------- all */

void ws_hub_init(ws_hub *hub, ws_loop *loop) {
  memset(hub, 0, sizeof *hub);
  hub->turn_end.run = count_anew;
  hub->turn_end.owner = hub;
  hub->loop = loop;
  hub->budget = ws_loop_budget(loop);
  ws_corks_init(&hub->corks, ws_memory_resize);
  ws_deflate_pool_init(&hub->deflate, ws_memory_resize);
}

void ws_hub_deinit(ws_hub *hub) {
  while (hub->first) ws_connection_abandon(hub->first);
  while (hub->servers) ws_server_abandon(hub->servers);
  ws_loop_cancel(hub->loop, &hub->turn_end);
  if (hub->resolver) {
    ws_loop_unwatch(hub->loop, &hub->answers);
    ws_resolver_free(hub->resolver);
    hub->resolver = NULL;
  }
  ws_corks_deinit(&hub->corks);
  ws_deflate_pool_deinit(&hub->deflate);
  ws_memory_free(hub->input);
  hub->input = NULL;
}

uint8_t *ws_hub_input(ws_hub *hub) {
  if (hub->input) return hub->input;
  ws_memory_calm();
  hub->input = ws_memory_resize(NULL, WS_HUB_INPUT);
  return hub->input;
}

ws_resolver *ws_hub_resolver(ws_hub *hub,
                             void (*answered)(void *owner,
                                              ws_lookup *lookup)) {
  if (hub->resolver) return hub->resolver;
  ws_resolver *resolver = ws_resolver_new();
  if (!resolver) return NULL;
  hub->answers.ready = on_answers;
  hub->answers.owner = hub;
  if (ws_loop_watch(hub->loop, &hub->answers, ws_resolver_fd(resolver),
                    WS_READABLE) != WS_OK) {
    ws_resolver_free(resolver);
    return NULL;
  }
  hub->answered = answered;
  hub->resolver = resolver;
  return resolver;
}
