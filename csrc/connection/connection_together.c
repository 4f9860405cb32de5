/* SPDX-License-Identifier: MIT */
/* Writing together: the short output of connections that are served one after
 * another is written one after another. */
#include "connection/connection_parts.h"

#include "loop/clock.h"

/* More is written at once, while it is in the CPU's caches. */
#define SHORT_MOST ((size_t)32 * 1024)

/* Milliseconds after which output no longer waits for that of others. */
#define WAIT_MOST 1.0

static void flush_now(ws_connection *c) {
  ws_loop_cancel(c->hub->loop, &c->flush);
  ws_connection_flush_task(c);
}

static void flush_corked(ws_hub *hub) {
  for (size_t i = 0; i < WS_CORKS; i++)
    if (hub->corks.all[i].of) flush_now(hub->corks.all[i].of);
  if (ws_loop_has_ready(hub->loop)) hub->written_at = ws_clock_precise();
}

/* All that is corked now was corked after this time. */
static double last_written(const ws_hub *hub) {
  double turn = ws_loop_now_precise(hub->loop);
  return hub->written_at > turn ? hub->written_at : turn;
}

/* True if nobody else is served in this turn, there is no room for more, or
 * handlers take their time. */
static bool is_time_to_write(const ws_hub *hub) {
  return !ws_loop_has_ready(hub->loop) || !hub->corks.free ||
         ws_clock_precise() - last_written(hub) >= WAIT_MOST;
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
