/* SPDX-License-Identifier: MIT */
/* Every wait of a connection has a deadline. One timer serves them all: what it
 * means depends on the phase and state (opening, keeping alive, closing,
 * lingering). A message costs no more than storing the time. */
#include "connection/connection_parts.h"

#include "bytes/status.h"
#include "loop/clock.h"
#include "transport/socket.h"

#include <stdio.h>
#include <string.h>

/* All are milliseconds. */

/* A client waits this long for the server to end TCP after both Closes. */
#define CLOSE_GRACE 1000

/* How long the peer's bytes are dropped after our last ones. */
#define LINGER_TIME 1000

/* How long a refusal's body may take to come after its head. */
#define REFUSAL_TIME 1000

/* How long to wait for the peer's Close, if the settings do not say. */
#define CLOSE_TIMEOUT 5000

#define NEVER UINT64_MAX

static uint64_t ping_timeout(const ws_connection *c) {
  uint64_t timeout = c->config->ping_timeout;
  return timeout ? timeout : c->config->ping_interval;
}

/* When an automatic ping is due, or never. */
static uint64_t ping_due(const ws_connection *c) {
  if (c->awaiting_pong) return NEVER;
  uint64_t due = NEVER;
  if (c->config->ping_interval) due = c->ping_at + c->config->ping_interval;
  uint64_t half_way = c->last_seen + c->config->idle_timeout / 2;
  if (c->config->idle_timeout && half_way < due) due = half_way;
  return due;
}

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* When silence means that the peer is dead; never unless a pong is awaited. The
 * peer has its full time to answer, even if the loop was busy and sent the ping
 * late. While its bytes come it is not silent, as the pong may have to wait
 * behind a long frame; nor while ours leave, as the ping may have to wait
 * behind what the peer has yet to read. */
static uint64_t death_due(const ws_connection *c) {
  uint64_t due = NEVER, idle_timeout = c->config->idle_timeout;
  if (!c->awaiting_pong) return NEVER;
  if (c->config->ping_interval)
    due = later(c->last_seen, c->ping_at) + ping_timeout(c);
  uint64_t idle = later(c->last_seen + idle_timeout,
                        c->ping_at + idle_timeout / 2);
  if (idle_timeout && idle < due) due = idle;
  return due;
}

static uint64_t ms_until(const ws_connection *c, uint64_t due) {
  uint64_t now = ws_loop_now(c->hub->loop);
  return due > now ? due - now : 0;
}

/* One that lingers has failed or ended already: it does not wait without a
 * deadline. */
static void start(ws_connection *c, uint64_t ms) {
  if (ws_loop_start_timer(c->hub->loop, &c->timer, ms) == WS_OK) return;
  ws_connection_fail(c, WS_ENOMEM, NULL);
  if (c->phase == WS_PHASE_LINGERING) ws_connection_kill(c);
}

static void schedule_open(ws_connection *c) {
  uint64_t ping = ping_due(c), death = death_due(c);
  uint64_t due = ping < death ? ping : death;
  if (due == NEVER) {
    ws_loop_stop_timer(c->hub->loop, &c->timer);
    return;
  }
  start(c, ms_until(c, due));
}

/* What was sent before the Close has to leave first: whenever some of it does,
 * the wait begins again. */
static void schedule_closing(ws_connection *c) {
  if (c->client && ws_session_clean(&c->session)) {
    start(c, CLOSE_GRACE);
    return;
  }
  uint64_t timeout = c->config->close_timeout;
  start(c, timeout ? timeout : CLOSE_TIMEOUT);
}

/* The deadline of a refusal is never later than that of the whole opening. */
static void schedule_refusal(ws_connection *c) {
  if (c->hurried) return;
  c->hurried = true;
  uint64_t left = ms_until(c, c->open_until);
  bool limited = c->config->open_timeout > 0 && left < REFUSAL_TIME;
  start(c, limited ? left : REFUSAL_TIME);
}

/* From now on it only times out if nothing of the answer leaves for long. */
static void schedule_answer(ws_connection *c) {
  uint64_t timeout = c->config->idle_timeout;
  if (timeout) start(c, timeout);
  else ws_loop_stop_timer(c->hub->loop, &c->timer);
}

void ws_connection_schedule(ws_connection *c) {
  /* Is the rest of an answer still to be sent? */
  bool rests = c->answering && c->finishing && !c->ended;
  if (c->phase == WS_PHASE_LINGERING && !rests) {
    start(c, LINGER_TIME);
  } else if (c->ended) {
    return;
  } else if (c->answering) {
    schedule_answer(c);
  } else if (c->state == WS_OPEN) {
    c->last_seen = c->ping_at = ws_loop_now(c->hub->loop);
    schedule_open(c);
  } else if (c->state == WS_CLOSING) {
    schedule_closing(c);
  } else if (c->has_session && ws_session_refused(&c->session)) {
    schedule_refusal(c);
  } else if (c->state == WS_CONNECTING && c->config->open_timeout > 0) {
    start(c, ms_until(c, c->open_until));
  }
}

/* Failures do not matter: pings are the real proof of life. */
void ws_connection_tune(const ws_connection_config *config, ws_fd fd) {
  uint64_t ping = config->ping_interval;
  if (config->no_delay) ws_socket_set_no_delay(fd, true);
  if (ping == 0 && config->idle_timeout == 0)
    ws_socket_set_keep_alive(fd, true);
  if (ping > 0)
    ws_socket_set_user_timeout(
        fd, ping + (config->ping_timeout ? config->ping_timeout : ping));
}

void ws_connection_set_stage(ws_connection *c, const char *stage) {
  c->stage = stage;
}

int ws_connection_start_deadline(ws_connection *c) {
  if (c->config->open_timeout == 0) return WS_OK;
  c->open_until = ws_loop_now(c->hub->loop) + c->config->open_timeout;
  return ws_loop_start_timer(c->hub->loop, &c->timer,
                             c->config->open_timeout);
}

/* ------------------------------------------------------------ running out */

static void open_ran_out(ws_connection *c) {
  if (c->has_session && ws_session_refused(&c->session)) {
    ws_event event;
    memset(&event, 0, sizeof event);
    ws_session_end(&c->session, &event);
    ws_connection_fail_at(c, "http: ", WS_EHANDSHAKE, event.why);
    return;
  }
  if (c->answering) {
    ws_connection_fail(c, WS_ETIMEDOUT, NULL);
    return;
  }
  char message[160];
  snprintf(message, sizeof message, "%s took longer than %llu ms",
           c->stage ? c->stage : "the opening handshake",
           (unsigned long long)c->config->open_timeout);
  ws_connection_fail(c, WS_ETIMEDOUT, message);
}

static void closing_ran_out(ws_connection *c) {
  if (ws_session_clean(&c->session)) {
    ws_connection_end_clean(c);
    return;
  }
  const char *why = c->outbox.bytes > 0
                        ? "the peer did not read what was sent before the "
                          "Close frame in time"
                        : "the peer did not answer the Close frame in time";
  ws_connection_fail(c, WS_ETIMEDOUT, why);
}

static void send_ping(ws_connection *c) {
  double now = ws_clock_precise();
  c->ping_at = ws_loop_now(c->hub->loop);
  c->awaiting_pong = true;
  c->ping_before = c->ping_sent;
  c->ping_sent = now;
  ws_connection_probe(c, &now, sizeof now);
}

static void keep_alive(ws_connection *c) {
  bool looks = !c->paused && c->pending.len == 0;
  if (!looks) ws_connection_seen(c); /* we do not read: it may not be silent */
  if (ws_loop_now(c->hub->loop) >= death_due(c)) {
    char message[96];
    uint64_t silence = ws_loop_now(c->hub->loop) - c->last_seen;
    snprintf(message, sizeof message, "no sign of life for %llu ms",
             (unsigned long long)silence);
    ws_connection_fail(c, WS_ETIMEDOUT, message);
    return;
  }
  if (ws_loop_now(c->hub->loop) >= ping_due(c)) send_ping(c);
  if (!c->ended) schedule_open(c);
}

static bool has_ended(const ws_connection *c) {
  if (c->phase == WS_PHASE_LINGERING) return false;
  return c->ended || c->phase == WS_PHASE_DEAD;
}

/* A deadline is for the peer: if others kept the loop busy, first what has come
 * meanwhile is read, and what can be written is written. True if the deadline
 * no longer counts after that: it has ended, is answered, or waits for
 * something else. */
static bool was_only_late(ws_connection *c) {
  if (c->phase == WS_PHASE_DIALLING) return false;
  bool had_begun = c->answering;
  ws_connection_ready(c, WS_READABLE | WS_WRITABLE);
  if (has_ended(c) || ws_timer_running(&c->timer)) return true;
  bool begins = c->answering && !had_begun;
  if (begins) schedule_answer(c);
  return begins;
}

void ws_connection_timeout(void *owner) {
  ws_connection *c = owner;
  if (has_ended(c) || was_only_late(c)) return;
  if (c->phase == WS_PHASE_LINGERING) ws_connection_kill(c);
  else if (c->state == WS_CONNECTING) open_ran_out(c);
  else if (c->state == WS_OPEN) keep_alive(c);
  else closing_ran_out(c);
}

void ws_connection_seen(ws_connection *c) {
  c->last_seen = ws_loop_now(c->hub->loop);
  if (c->awaiting_pong && c->config->idle_timeout &&
      !c->config->ping_interval)
    c->awaiting_pong = false;
}

void ws_connection_moved(ws_connection *c) {
  ws_connection_seen(c);
  bool closing = c->state == WS_CLOSING && !c->ended;
  if (closing && c->phase == WS_PHASE_LIVE) schedule_closing(c);
}

bool ws_connection_pong(ws_connection *c, const uint8_t *data, size_t len) {
  double sent;
  if (len != sizeof sent) return false;
  memcpy(&sent, data, len);
  bool latest = sent == c->ping_sent;
  if (sent == 0 || (!latest && sent != c->ping_before)) return false;
  c->latency = ws_clock_precise() - sent;
  c->ping_before = 0;
  if (!latest) return true;
  c->awaiting_pong = false;
  c->ping_sent = 0;
  if (c->state == WS_OPEN) schedule_open(c);
  return true;
}
