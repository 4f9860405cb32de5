/* SPDX-License-Identifier: MIT */
/* A connection's life: how it begins, closes, fails and ends, and when its
 * owner is told. Opening, answering, reading, writing and time-outs are in the
 * files beside this one (connection_parts.h). */
#include "connection/connection.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "connection/connection_parts.h"

#include <string.h>

/* ------------------------------------------------------------- config */

ws_connection_config *ws_connection_config_new(void) {
  ws_connection_config *config = ws_memory_new(sizeof *config);
  if (config) config->references = 1;
  return config;
}

void ws_connection_config_unref(ws_connection_config *config) {
  if (config && --config->references == 0) ws_memory_free(config);
}

/* ---------------------------------------------------------------- end */

static void tell_keeper(ws_connection *c) {
  const ws_keeping *keeping = c->keeping;
  c->keeping = NULL;
  if (keeping) keeping->died(c->keeper, c);
}

static void free_all(ws_connection *c) {
  ws_memory_free(c->message);
  ws_memory_free(c->reason);
  ws_memory_free(c->agreed);
  ws_connection_config_unref(c->config);
  ws_memory_free(c);
}

/* Frees the session; what it agreed on can still be asked for. */
static void end_session(ws_connection *c) {
  ws_slice protocol = ws_session_protocol(&c->session);
  ws_slice extensions = ws_session_extensions(&c->session);
  if (protocol.len + extensions.len > 0)
    c->agreed = ws_memory_new(protocol.len + extensions.len);
  if (c->agreed) {
    if (protocol.len) memcpy(c->agreed, protocol.data, protocol.len);
    if (extensions.len)
      memcpy(c->agreed + protocol.len, extensions.data, extensions.len);
    c->protocol_len = (uint32_t)protocol.len;
    c->extensions_len = (uint32_t)extensions.len;
  }
  ws_session_deinit(&c->session);
}

/* The session is kept until the turn has ended: one of its events may still be
 * in use. */
static void bury(void *owner) {
  ws_connection *c = owner;
  if (c->has_session && !c->buried) end_session(c);
  ws_buffer_deinit(&c->pending);
  c->buried = true;
  if (!c->events) free_all(c);
}

/* Takes it off the hub's list once it is dead and its owner was told; until
 * then the end of the hub has to end it too. */
static void leave_hub(ws_connection *c) {
  if (c->phase != WS_PHASE_DEAD || !c->told) return;
  if (c->previous) c->previous->next = c->next;
  else c->hub->first = c->next;
  if (c->next) c->next->previous = c->previous;
  c->next = c->previous = NULL;
}

void ws_connection_kill(ws_connection *c) {
  if (c->phase == WS_PHASE_DEAD) return;
  /* Only an answer that is cut short was not settled before. */
  ws_connection_settle(c, WS_ECONNABORTED, NULL, 1006, false);
  ws_connection_mark_cut(c);
  c->phase = WS_PHASE_DEAD;
  ws_loop *loop = c->hub->loop;
  ws_connection_drop_output(c);
  ws_loop_unwatch(loop, &c->watch);
  ws_loop_stop_timer(loop, &c->timer);
  ws_loop_cancel(loop, &c->flush);
  ws_stream_free(c->stream);
  c->stream = NULL;
  leave_hub(c);
  tell_keeper(c);
  ws_loop_dispose(loop, &c->burial);
}

void ws_connection_linger(ws_connection *c) {
  if (c->phase >= WS_PHASE_LINGERING) return;
  /* A peer that is not there yet, or has gone, gets nothing. */
  bool early = !c->stream || c->phase == WS_PHASE_SECURING;
  if (early || c->write_failed != WS_OK) {
    ws_connection_kill(c);
    return;
  }
  c->phase = WS_PHASE_LINGERING;
  c->finishing = true;
  ws_connection_flush(c); /* first: without memory for a timer it dies */
  ws_connection_schedule(c);
}

void ws_connection_closed(ws_connection *c) {
  if (c->ended) return;
  c->state = WS_CLOSING;
  if (c->client) {
    ws_connection_schedule(c); /* the server ends TCP first, section 7.1.1 */
    return;
  }
  c->finishing = true; /* connection_write.c ends TCP after the last byte */
  ws_connection_schedule(c);
  ws_connection_flush(c);
}

void ws_connection_settle(ws_connection *c, int status, const char *message,
                          unsigned code, bool clean) {
  if (c->ended) return;
  c->ended = true;
  c->status = status;
  c->code = (uint16_t)code;
  c->clean = clean;
  if (message) {
    size_t size = strlen(message) + 1;
    c->message = ws_memory_resize(NULL, size);
    if (c->message) memcpy(c->message, message, size);
  }
  ws_connection_attend_later(c);
}

void ws_connection_fail(ws_connection *c, int status, const char *message) {
  if (c->ended) return;
  unsigned code = status == WS_EBACKPRESSURE ? 1013 : 1006;
  ws_connection_settle(c, status, message, code, false);
  if (c->state < WS_CLOSING) c->state = WS_CLOSING;
  /* A client that rejects the answer sends nothing more. */
  bool refusal = status == WS_EHANDSHAKE || status == WS_EHTTP ||
                 status == WS_EHEADTOOBIG;
  bool answers = (refusal && !c->client) || ws_status_close_code(status) != 0;
  /* An answer to plain HTTP has no Close frame: it is cut, and must look so. */
  if (answers && c->phase == WS_PHASE_LIVE && !c->answering)
    ws_connection_linger(c);
  else ws_connection_kill(c);
}

void ws_connection_end_clean(ws_connection *c) {
  ws_stream_close(c->stream);
  ws_connection_settle(c, WS_OK, NULL, c->code, true);
  ws_connection_kill(c);
}

/* The owner's last events. Afterwards the owner may release it at any time. */
static void tell_end(ws_connection *c) {
  c->told = c->telling = true;
  c->state = WS_CLOSED;
  ws_loop_release(c->hub->loop);
  leave_hub(c);
  const ws_connection_events *events = c->events;
  if (events && !c->upgraded) {
    if (events->on_gone) events->on_gone(c->owner);
  } else if (events) {
    const char *text = c->message ? c->message : ws_status_text(c->status);
    if (c->status != WS_OK && events->on_error)
      events->on_error(c->owner, c->status, text);
    if (c->events)
      events->on_close(c->owner, c->code, c->reason, c->reason_len, c->clean);
  }
  tell_keeper(c);
  c->telling = false;
  if (!c->events && c->buried) free_all(c); /* released meanwhile */
}

static void attend(void *owner) {
  ws_connection *c = owner;
  if (c->ended && !c->told) {
    tell_end(c);
    return;
  }
  ws_connection_tell_buffered(c);
  bool writes = !c->ended && c->phase < WS_PHASE_LINGERING;
  if (c->want_drain && c->visible <= c->config->low_water && writes) {
    c->want_drain = false;
    ws_budget_spend(c->hub->budget);
    if (c->events && c->events->on_drain) c->events->on_drain(c->owner);
  }
  ws_connection_resume(c);
}

void ws_connection_attend_later(ws_connection *c) {
  if (c->told) return;
  ws_loop_post(c->hub->loop, &c->attend);
}

void ws_connection_opened(ws_connection *c) {
  if (c->ended || c->state != WS_CONNECTING) return;
  c->state = WS_OPEN;
  if (c->client) tell_keeper(c);
  c->upgraded = true;
  c->waiting = false;
  ws_connection_schedule(c);
  if (c->events && c->events->on_open) c->events->on_open(c->owner);
}

/* --------------------------------------------------------------- life */

ws_connection *ws_connection_new(ws_hub *hub, ws_connection_config *config,
                                 const ws_connection_events *events,
                                 void *owner) {
  ws_connection *c = ws_memory_new(sizeof *c);
  if (!c) return NULL;
  c->hub = hub;
  c->config = config;
  config->references++;
  c->events = events;
  c->owner = owner;
  c->latency = -1;
  c->watch.ready = ws_connection_ready;
  c->timer.fire = ws_connection_timeout;
  c->flush.run = ws_connection_flush_task;
  c->attend.run = attend;
  c->burial.run = bury;
  c->watch.owner = c->timer.owner = c;
  c->flush.owner = c->attend.owner = c->burial.owner = c;
  ws_buffer_init(&c->pending, ws_memory_resize, 0);
  c->next = hub->first;
  if (c->next) c->next->previous = c;
  hub->first = c;
  ws_loop_hold(hub->loop);
  return c;
}

ws_connection *ws_connection_new_client(ws_hub *hub,
                                        ws_connection_config *config,
                                        const ws_connection_events *events,
                                        void *owner) {
  ws_connection *c = ws_connection_new(hub, config, events, owner);
  if (c) c->client = c->upgraded = true; /* its end is told in any case */
  return c;
}

void ws_connection_set_owner(ws_connection *c, void *owner) {
  c->owner = owner;
}

/* Ends it without telling its owner or the peer. */
static void drop(ws_connection *c) {
  ws_loop_cancel(c->hub->loop, &c->attend);
  if (!c->told) {
    c->ended = c->told = true;
    c->state = WS_CLOSED;
    ws_loop_release(c->hub->loop);
    leave_hub(c);
  }
  ws_connection_kill(c);
}

void ws_connection_release(ws_connection *c) {
  c->events = NULL;
  if (!c->told) drop(c); /* it may be buried, and its end not told yet */
  if (c->buried && !c->telling) free_all(c);
}

void ws_connection_abandon(ws_connection *c) {
  ws_loop *loop = c->hub->loop;
  drop(c);
  ws_loop_cancel(loop, &c->burial);
  c->hub = NULL;
  bury(c);
}

ws_connection *ws_connection_next(const ws_connection *c) { return c->next; }

/* ------------------------------------------------------ owner's calls */

/* Input that was read already: the descriptor will not become readable for
 * it. */
static void attend_to_held(ws_connection *c) {
  if (!c->stream) return; /* it could not be watched, and is dead */
  if (c->pending.len > 0 || ws_stream_may_hold(c->stream))
    ws_connection_attend_later(c);
}

void ws_connection_close(ws_connection *c, unsigned code, const void *reason,
                         size_t len) {
  if (c->ended || c->state >= WS_CLOSING) return;
  if (c->state == WS_CONNECTING) {
    c->state = WS_CLOSING;
    ws_connection_fail(c, WS_ECONNABORTED,
                       "closed before the connection was established");
    return;
  }
  c->state = WS_CLOSING;
  int status = ws_session_close(&c->session, code, reason, len,
                                ws_connection_out(c));
  if (status != WS_OK) {
    ws_connection_fail(c, status, NULL);
    return;
  }
  ws_connection_wrote(c);
  if (c->ended) return;
  ws_connection_schedule(c);
  ws_connection_rewatch(c); /* a pause ends here: the peer's Close is due */
  attend_to_held(c);
}

/* Terminating is a failure only before the connection is open; else NULL. */
static const char *terminated(const ws_connection *c) {
  if (c->state != WS_CONNECTING) return NULL;
  return c->answering ? "terminated before the answer was complete"
                      : "terminated before the connection was established";
}

void ws_connection_terminate(ws_connection *c) {
  if (c->ended) {
    ws_connection_kill(c);
    return;
  }
  const char *message = terminated(c);
  int status = message ? WS_ECONNABORTED : WS_OK;
  c->state = WS_CLOSING;
  ws_connection_settle(c, status, message, 1006, false);
  ws_connection_kill(c);
}

void ws_connection_pause(ws_connection *c, unsigned reason, bool on) {
  bool was = c->paused != 0;
  c->paused = (uint8_t)(on ? c->paused | reason : c->paused & ~reason);
  if (c->phase != WS_PHASE_LIVE) return;
  if (was && !c->paused) ws_connection_seen(c);
  ws_connection_rewatch(c);
  if (!c->paused) attend_to_held(c);
}

ws_deflate *ws_connection_deflate(const ws_connection *c) {
  bool open = c->state == WS_OPEN && c->has_session;
  return open ? ws_session_deflate(&c->session) : NULL;
}

void *ws_connection_owner(const ws_connection *c) { return c->owner; }

ws_state ws_connection_state(const ws_connection *c) {
  return (ws_state)c->state;
}

ws_slice ws_connection_protocol(const ws_connection *c) {
  if (c->buried) return (ws_slice){c->agreed, c->protocol_len};
  if (!c->has_session) return (ws_slice){NULL, 0};
  return ws_session_protocol(&c->session);
}

ws_slice ws_connection_extensions(const ws_connection *c) {
  if (c->buried && c->agreed)
    return (ws_slice){c->agreed + c->protocol_len, c->extensions_len};
  if (c->buried || !c->has_session) return (ws_slice){NULL, 0};
  return ws_session_extensions(&c->session);
}

double ws_connection_latency(const ws_connection *c) { return c->latency; }

ws_stream *ws_connection_stream(const ws_connection *c) { return c->stream; }
