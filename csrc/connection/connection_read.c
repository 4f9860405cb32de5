/* SPDX-License-Identifier: MIT */
/* Reading: from the stream into the hub's buffer, through the session, to the
 * owner. Input that may not be fed yet (a pause, a request that waits for its
 * answer, a flood) is kept and fed later. */
#include "connection/connection_parts.h"

#include "bytes/memory.h"
#include "bytes/status.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Events handled in a row before others get their turn. */
#define EVENT_BUDGET 1000

/* And the most bytes of messages: a few compressed bytes can inflate to very
 * many. */
#define MESSAGE_BUDGET ((size_t)256 * 1024)

/* Reads in a row from a filter that may hold bytes back. */
#define READ_BUDGET 8

/* Input kept for a request that waits for its answer: before it is answered, no
 * more is read at once, as what comes behind the request has to be kept. */
#define WAITING_MOST ((size_t)16 * 1024)

/* A long frame's bytes are read directly to their place if at least this many
 * are missing. */
#define DIRECT_LEAST ((size_t)16 * 1024)

static bool may_feed(const ws_connection *c) {
  if (c->phase != WS_PHASE_LIVE || c->ended || c->waiting || c->read_ended)
    return false;
  return !c->paused || c->state != WS_OPEN;
}

static inline bool may_read(const ws_connection *c) {
  if (may_feed(c)) return c->pending.len == 0;
  if (c->phase == WS_PHASE_LINGERING) return !c->read_ended;
  return c->phase == WS_PHASE_LIVE && c->waiting &&
         c->pending.len < WAITING_MOST;
}

/* ------------------------------------------------------------- events */

static void on_peer_close(ws_connection *c, const ws_event *event) {
  c->code = event->code;
  if (event->len > 0) {
    c->reason = ws_memory_resize(NULL, event->len);
    if (c->reason) {
      memcpy(c->reason, event->data, event->len);
      c->reason_len = (uint8_t)event->len;
    }
  }
  c->state = WS_CLOSING; /* no limit keeps our Close from being sent */
  ws_connection_wrote(c);
  if (!c->ended) ws_connection_closed(c);
}

unsigned ws_connection_end(const ws_connection *c, ws_slice *reason) {
  *reason = (ws_slice){(const char *)c->reason, c->reason_len};
  return c->code ? c->code : 1006;
}

int ws_connection_failure(const ws_connection *c, const char **message) {
  int status = c->status == WS_OK ? WS_ECONNABORTED : c->status;
  *message = c->message ? c->message : ws_status_text(status);
  return status;
}

static void on_request(ws_connection *c) {
  const ws_http_head *head = ws_session_request(&c->session);
  const ws_handshake_verdict *verdict = ws_session_verdict(&c->session);
  c->waiting = verdict->kind == WS_REQUEST_UPGRADE;
  if (c->events && c->events->on_request)
    c->events->on_request(c->owner, head, verdict);
  else if (c->events && c->waiting)
    ws_connection_accept(c, (ws_slice){NULL, 0}, NULL, 0);
}

static void on_message(ws_connection *c, const ws_event *event) {
  if (c->state != WS_OPEN || !c->events || !c->events->on_message) return;
  c->events->on_message(c->owner, event->opcode, event->data, event->len);
}

static void on_ping(ws_connection *c, const ws_event *event) {
  ws_connection_wrote(c);
  if (c->ended || c->state != WS_OPEN) return;
  if (c->events && c->events->on_ping)
    c->events->on_ping(c->owner, event->data, event->len);
}

static void on_pong(ws_connection *c, const ws_event *event) {
  if (ws_connection_pong(c, event->data, event->len)) return;
  if (c->state != WS_OPEN || !c->events || !c->events->on_pong) return;
  c->events->on_pong(c->owner, event->data, event->len);
}

static void on_body_end(ws_connection *c) {
  c->waiting = true;
  c->stage = "beginning the answer";
  if (c->events && c->events->on_body_end) c->events->on_body_end(c->owner);
  else if (c->events)
    ws_connection_refuse(c, 426, (ws_slice){NULL, 0}, NULL, 0);
}

void ws_connection_fail_at(ws_connection *c, const char *stage, int status,
                           const char *why) {
  char message[512];
  if (!why) why = ws_status_text(status);
  snprintf(message, sizeof message, "%s%s", stage, why);
  ws_connection_fail(c, status, message);
}

/* An answer other than 101 may be a redirect that the keeper follows. */
static bool redirected(ws_connection *c) {
  const ws_http_head *head = ws_session_answer(&c->session);
  if (!head || !c->keeping || c->ended) return false;
  if (!c->keeping->answered(c->keeper, head)) return false;
  c->phase = WS_PHASE_DIALLING;
  return true;
}

static void on_fail(ws_connection *c, const ws_event *event) {
  bool opening = c->client && c->state == WS_CONNECTING;
  if (opening && redirected(c)) return;
  c->state = WS_CLOSING; /* as for the peer's Close */
  ws_connection_wrote(c);
  ws_connection_fail_at(c, opening ? "http: " : "", event->status, event->why);
}

static void dispatch(ws_connection *c, const ws_event *event) {
  switch (event->type) {
    case WS_EVENT_MESSAGE: on_message(c, event); break;
    case WS_EVENT_OPEN: ws_connection_opened(c); break;
    case WS_EVENT_REQUEST: on_request(c); break;
    case WS_EVENT_BODY:
      if (c->events && c->events->on_body)
        c->events->on_body(c->owner, event->data, event->len);
      break;
    case WS_EVENT_BODY_END: on_body_end(c); break;
    case WS_EVENT_PING: on_ping(c, event); break;
    case WS_EVENT_PONG: on_pong(c, event); break;
    case WS_EVENT_CLOSE: on_peer_close(c, event); break;
    case WS_EVENT_FAIL: on_fail(c, event); break;
    case WS_EVENT_NONE: break;
  }
}

/* A request was accepted: the owner hears of it before any frame. */
static void open_if_accepted(ws_connection *c) {
  if (c->state == WS_CONNECTING && c->has_session && !c->client &&
      ws_session_state(&c->session) == WS_OPEN)
    ws_connection_opened(c);
}

/* True when others should have their turn. */
static bool has_had_enough(const ws_feeding *f) {
  return f->events >= EVENT_BUDGET || f->told >= MESSAGE_BUDGET ||
         !ws_budget_allows(f->connection->hub->budget);
}

/* The next event of what is being fed; false when there is none for now. */
static inline bool step(ws_feeding *f) {
  ws_connection *c = f->connection;
  if (f->kept) {
    f->kept = false;
    return true;
  }
  if (f->dry || !may_feed(c)) return false;
  f->more = f->used < f->len && has_had_enough(f);
  if (f->more) return false;
  f->used += ws_session_feed(&c->session, f->data + f->used, f->len - f->used,
                             ws_connection_out(c), &f->event);
  f->dry = f->used == f->len && ws_session_dry(&c->session);
  if (f->event.type == WS_EVENT_NONE) return false;
  f->events++;
  if (f->event.type == WS_EVENT_MESSAGE) f->told += f->event.len;
  ws_budget_spend(c->hub->budget);
  return true;
}

const ws_event *ws_connection_next_message(ws_connection *c) {
  ws_feeding *f = c->hub->feeding;
  if (!f || f->connection != c || !step(f)) return NULL;
  f->kept = f->event.type != WS_EVENT_MESSAGE || c->state != WS_OPEN;
  return f->kept ? NULL : &f->event;
}

/* Feeds data[0..len); returns how much was used. `more` says that the budget
 * ran out. */
static size_t feed(ws_connection *c, uint8_t *data, size_t len, bool *more) {
  ws_hub *hub = c->hub;
  ws_feeding f = {.connection = c, .data = data, .len = len};
  assert(!hub->feeding); /* only a turn feeds, and turns do not nest */
  hub->feeding = &f;
  while (step(&f)) {
    dispatch(c, &f.event);
    open_if_accepted(c);
  }
  hub->feeding = NULL;
  if (c->phase == WS_PHASE_LIVE && !c->ended &&
      ws_session_refused(&c->session) && !redirected(c))
    ws_connection_schedule(c);
  *more = f.more;
  return f.used;
}

/* Feeds fresh input and keeps what could not be fed. */
static void take(ws_connection *c, uint8_t *data, size_t len) {
  bool more;
  size_t used = feed(c, data, len, &more);
  if (c->phase != WS_PHASE_LIVE || c->ended || used == len) return;
  if (ws_buffer_append(&c->pending, data + used, len - used) != WS_OK) {
    ws_connection_fail(c, WS_ENOMEM, NULL);
    return;
  }
  if (more) ws_connection_attend_later(c);
}

/* ------------------------------------------------------------ reading */

/* Both Closes were exchanged, and the peer has ended its side. It may still
 * read what we have yet to send: our Close, and what was sent before it. */
static void on_clean_end(ws_connection *c, int status) {
  bool good = status == WS_EOF && c->write_failed == WS_OK;
  if (good && c->finishing) c->read_ended = true;
  else ws_connection_end_clean(c);
}

/* The peer's bytes have ended, in order or not. */
static void on_end(ws_connection *c, int status) {
  if (c->phase == WS_PHASE_LINGERING) {
    c->read_ended = true;
    if (status != WS_EOF || !c->finishing) ws_connection_kill(c);
    return;
  }
  if (ws_session_clean(&c->session)) {
    on_clean_end(c, status);
    return;
  }
  /* TLS 1.3: only now does the server say whether it accepts our
   * certificate. */
  if (status == WS_ETLS && c->state == WS_CONNECTING) {
    ws_connection_fail_at(c, "tls: ", status, ws_stream_why(c->stream));
    return;
  }
  ws_event event = {.type = WS_EVENT_NONE};
  ws_session_end(&c->session, &event);
  if (event.type == WS_EVENT_FAIL && c->state == WS_CONNECTING) {
    ws_connection_fail_at(c, "http: ", event.status, event.why);
    return;
  }
  const char *why = ws_stream_why(c->stream);
  if (c->write_failed != WS_OK) status = c->write_failed;
  if (status == WS_EOF) {
    status = WS_ECONNRESET;
    why = "the connection ended without a Close frame";
  }
  ws_connection_fail(c, status, why);
}

/* Where to read to, and how much. */
static uint8_t *input(ws_connection *c, size_t *room) {
  uint8_t *into = NULL;
  if (c->phase == WS_PHASE_LIVE && c->state == WS_OPEN)
    into = ws_session_space(&c->session, DIRECT_LEAST, room);
  if (into) return into;
  bool opens = c->phase == WS_PHASE_LIVE && c->state == WS_CONNECTING;
  *room = opens ? WAITING_MOST - c->pending.len : WS_HUB_INPUT;
  return ws_hub_input(c->hub);
}

/* A lingering connection has failed already; if it stayed watched for reading,
 * the loop would spin. */
static void out_of_memory(ws_connection *c) {
  if (c->phase == WS_PHASE_LINGERING) ws_connection_kill(c);
  else ws_connection_fail(c, WS_ENOMEM, NULL);
}

static void read_some(ws_connection *c) {
  for (int reads = 0; reads < READ_BUDGET && may_read(c); reads++) {
    size_t room;
    uint8_t *into = input(c, &room);
    if (!into) {
      out_of_memory(c);
      return;
    }
    ptrdiff_t got = ws_stream_read(c->stream, into, room);
    if (got == WS_EAGAIN) return;
    if (got < 0) {
      on_end(c, (int)got);
      return;
    }
    if (c->phase == WS_PHASE_LIVE) {
      ws_connection_seen(c);
      if (c->waiting) { /* early frames, or a client that gives up */
        if (ws_buffer_append(&c->pending, into, (size_t)got) != WS_OK)
          ws_connection_fail(c, WS_ENOMEM, NULL);
      } else {
        take(c, into, (size_t)got);
      }
    }
    if (c->phase == WS_PHASE_DEAD) return;
    if ((size_t)got < room && ws_stream_drained(c->stream)) return;
  }
  if (c->stream && ws_stream_may_hold(c->stream) && may_read(c))
    ws_connection_attend_later(c);
}

void ws_connection_resume(ws_connection *c) {
  open_if_accepted(c);
  if (c->pending.len > 0 && may_feed(c)) {
    bool more;
    size_t used = feed(c, c->pending.data, c->pending.len, &more);
    if (c->phase != WS_PHASE_LIVE || c->ended) return;
    ws_buffer_consume(&c->pending, used);
    if (c->pending.len == 0) ws_buffer_deinit(&c->pending);
    else if (more) ws_connection_attend_later(c);
  }
  if (c->phase != WS_PHASE_LIVE || c->ended) return;
  if (ws_stream_may_hold(c->stream) && may_read(c)) read_some(c);
  if (c->phase == WS_PHASE_LIVE && !c->ended) ws_connection_rewatch(c);
}

/* ----------------------------------------------------------- opening */

/* What a proxy's filter gives as the reason already begins with a stage. */
static void fail_securing(ws_connection *c, int status) {
  const char *why = ws_stream_why(c->stream);
  bool staged = why && strncmp(why, "proxy: ", 7) == 0;
  ws_connection_fail_at(c, staged ? "" : "tls: ", status, why);
}

/* Strangers could ask for a thousand signatures at once, so some may have to
 * wait. Their connections are still readable in the next turn. */
static int go_on_with_handshake(ws_connection *c) {
  bool asked = !c->client && ws_stream_may_hold(c->stream);
  if (asked && !ws_hub_may_shake(c->hub)) return WS_EAGAIN;
  return ws_stream_open(c->stream);
}

void ws_connection_secure(ws_connection *c) {
  int status = go_on_with_handshake(c);
  if (status == WS_EAGAIN) {
    ws_connection_rewatch(c);
    return;
  }
  if (status != WS_OK) {
    fail_securing(c, status);
    return;
  }
  if (c->client) c->keeping->opened(c->keeper);
  else ws_connection_begin_server(c);
}

void ws_connection_ready(void *owner, unsigned events) {
  ws_connection *c = owner;
  open_if_accepted(c);
  if (c->phase == WS_PHASE_SECURING) {
    ws_connection_secure(c);
    if (c->phase != WS_PHASE_LIVE) return;
  }
  if (events & WS_WRITABLE) {
    if (!ws_connection_write_on(c)) return;
    ws_connection_tell_buffered(c);
    if (c->want_drain) ws_connection_attend_later(c);
  }
  if (events & (WS_READABLE | WS_HANGUP) && may_read(c)) read_some(c);
  else if (events & WS_HANGUP) c->hung_up = true;
  if (c->phase == WS_PHASE_DEAD) return;
  ws_connection_flush_together(c);
}

/* A hang-up is reported turn after turn: a connection that may not read now is
 * unwatched until it may. */
static int watch_for(ws_connection *c, unsigned wants) {
  ws_loop *loop = c->hub->loop;
  if (wants == 0 && c->hung_up) {
    ws_loop_unwatch(loop, &c->watch);
    return WS_OK;
  }
  if (c->watch.watched) return ws_loop_want(loop, &c->watch, wants);
  return ws_loop_watch(loop, &c->watch, ws_stream_fd(c->stream), wants);
}

void ws_connection_rewatch(ws_connection *c) {
  if (!c->stream) return;
  unsigned wants = ws_stream_wants(c->stream);
  if (c->phase != WS_PHASE_SECURING) {
    if (may_read(c)) wants |= WS_READABLE;
    if (c->blocked && c->outbox.bytes > 0) wants |= WS_WRITABLE;
  }
  if (watch_for(c, wants) != WS_OK) out_of_memory(c);
}
