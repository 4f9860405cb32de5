/* SPDX-License-Identifier: MIT */
/* Writing together: the short output of connections that are served one after
 * another is written one after another. */
#include "connection/connection_parts.h"

#include "loop/clock.h"

/* More is written at once, while it is in the CPU's caches. */
#define SHORT_MOST ((size_t)32 * 1024)

/* Milliseconds that output waits for that of others. */
#define WAIT_MOST 1.0

static void flush_now(ws_connection *c) {
  ws_loop_cancel(c->hub->loop, &c->flush);
  ws_connection_flush_task(c);
}

static void flush_corked(ws_hub *hub) {
  hub->together = 0;
  for (size_t i = 0; i < WS_CORKS; i++)
    if (hub->corks.all[i].of) flush_now(hub->corks.all[i].of);
}

/* True once nobody else is served in this turn, or those served before have
 * waited long enough. */
static bool is_time_to_write(ws_hub *hub) {
  if (!ws_loop_has_ready(hub->loop) || hub->corks.taken == WS_CORKS)
    return true;
  double now = ws_clock_precise();
  if (hub->together++ == 0) hub->together_since = now;
  return now - hub->together_since >= WAIT_MOST;
}

void ws_connection_flush_together(ws_connection *c) {
  size_t len = c->cork ? c->cork->bytes.len : 0;
  if (len == 0 || len > SHORT_MOST || c->outbox.bytes > 0) {
    flush_now(c);
    return;
  }
  ws_loop_post_end(c->hub->loop, &c->flush);
  if (is_time_to_write(c->hub)) flush_corked(c->hub);
}
