/* SPDX-License-Identifier: MIT */
/* For the tests of sessions: one side of a connection, with a log of its events
 * and its output, and two of them that talk through memory. */
#pragma once
#include "protocol/session.h"
#include "wire.h"

/* ---------------------------------------------------------------- config */

static struct {
  uint32_t state;
  bool broken;
} side_chance;

static inline int side_random(void *data, size_t len) {
  uint8_t *bytes = data;
  if (side_chance.broken)
    return WS_ERANDOM;
  for (size_t i = 0; i < len; i++) {
    side_chance.state = side_chance.state * 1664525u + 1013904223u;
    bytes[i] = (uint8_t)(side_chance.state >> 24);
  }
  return WS_OK;
}

static ws_session_config client_config = {.resize = wire_resize,
                                          .random = side_random};
static ws_session_config server_config = {.limits = {.masked = true},
                                          .max_body = 20,
                                          .resize = wire_resize,
                                          .random = side_random};

/* ------------------------------------------------------------------ side */

typedef struct side {
  ws_session session;
  ws_buffer out;
  wire log;     /* the events */
  char why[400]; /* the reason of a failure */
  bool failed;
  bool in_body; /* the last event was BODY: another one continues it */
} side;

static inline void side_free(side *it) {
  ws_session_deinit(&it->session);
  ws_buffer_deinit(&it->out);
  wire_free(&it->log);
}

static inline void side_note(side *it, const ws_event *event) {
  if (event->type == WS_EVENT_BODY && it->in_body)
    it->log.len -= 2; /* the log does not show how a body was cut */
  if (event->type == WS_EVENT_BODY) {
    if (!it->in_body)
      wire_say(&it->log, "body(");
    wire_add(&it->log, event->data, event->len);
    wire_say(&it->log, ") ");
  } else {
    wire_say_event(&it->log, event);
  }
  it->in_body = event->type == WS_EVENT_BODY;
  if (event->type == WS_EVENT_FAIL) {
    it->failed = true;
    snprintf(it->why, sizeof it->why, "%s", event->why ? event->why : "");
  }
}

/* Feeds a piece until NONE; returns how much of it was taken. */
static inline size_t side_feed(side *it, const void *data, size_t len) {
  uint8_t *piece = wire_piece(data, len);
  size_t used = 0;
  for (;;) {
    ws_event event;
    size_t took = ws_session_feed(&it->session, piece + used, len - used,
                                  &it->out, &event);
    CHECK(took <= len - used);
    used += took;
    if (event.type == WS_EVENT_NONE) {
      /* Either all was taken, or no more will be taken. */
      CHECK(used == len ||
            ws_session_feed(&it->session, piece + used, len - used, &it->out,
                            &event) == 0);
      CHECK_INT(event.type, WS_EVENT_NONE);
      return used;
    }
    side_note(it, &event);
    if (event.type == WS_EVENT_FAIL)
      return used;
  }
}

static inline void side_end(side *it) {
  ws_event event;
  ws_session_end(&it->session, &event);
  if (event.type != WS_EVENT_NONE)
    side_note(it, &event);
}

/* Whether the side's output is exactly this; clears it. */
static inline bool side_sent(side *it, const void *expected, size_t len) {
  bool same = it->out.len == len &&
              (len == 0 || memcmp(it->out.data, expected, len) == 0);
  if (!same)
    check_show("sent", it->out.data, it->out.len);
  ws_buffer_consume(&it->out, it->out.len);
  return same;
}

#define SENT(it, literal) CHECK(side_sent(it, literal, sizeof(literal) - 1))

static inline bool side_log_is(side *it, const char *expected) {
  bool same = wire_is(&it->log, expected);
  if (!same)
    fprintf(stderr, "events: %.*s\nnot:    %s\n", (int)it->log.len,
            it->log.data ? (const char *)it->log.data : "", expected);
  it->log.len = 0;
  return same;
}

#define EVENTS(it, expected) CHECK(side_log_is(it, expected))

/* --------------------------------------------------------------- opening */

static inline ws_slice text_slice(const char *text) {
  return (ws_slice){text, strlen(text)};
}

static inline ws_handshake_request side_request(const ws_slice *protocols,
                                                size_t count) {
  return (ws_handshake_request){.target = text_slice("/chat?x"),
                                .host = text_slice("h:81"),
                                .protocols = protocols,
                                .protocol_count = count};
}

static inline int client_start(side *it, const ws_slice *protocols,
                               size_t count) {
  ws_handshake_request request = side_request(protocols, count);
  *it = (side){.failed = false};
  ws_buffer_init(&it->out, wire_resize, 0);
  return ws_session_init_client(&it->session, &client_config, &request,
                                &it->out);
}

static inline void server_start(side *it) {
  *it = (side){.failed = false};
  ws_buffer_init(&it->out, wire_resize, 0);
  ws_session_init_server(&it->session, &server_config);
}

/* Feeds one side's output to the other, `step` bytes at a time. */
static inline void side_move(side *from, side *to, size_t step) {
  wire bytes = {0};
  wire_add(&bytes, from->out.data, from->out.len);
  ws_buffer_consume(&from->out, from->out.len);
  for (size_t at = 0; at < bytes.len && !to->failed;) {
    size_t n = bytes.len - at < step ? bytes.len - at : step;
    size_t used = side_feed(to, bytes.data + at, n);
    at += used;
    if (used == 0)
      break;
  }
  wire_free(&bytes);
}

/* Makes both sides OPEN, with empty logs. */
static inline void open_pair(side *client, side *server, size_t step) {
  server_start(server);
  CHECK_INT(client_start(client, NULL, 0), WS_OK);
  side_move(client, server, step);
  EVENTS(server, "request ");
  CHECK_INT(ws_session_accept(&server->session, (ws_slice){NULL, 0}, NULL, 0,
                              &server->out),
            WS_OK);
  side_move(server, client, step);
  EVENTS(client, "open ");
  CHECK_INT(ws_session_state(&client->session), WS_OPEN);
  CHECK_INT(ws_session_state(&server->session), WS_OPEN);
}

/* Moves output back and forth until both are quiet. */
static inline void talk(side *client, side *server, size_t step) {
  while (client->out.len + server->out.len > 0) {
    side_move(client, server, step);
    side_move(server, client, step);
    if ((client->failed || server->failed) && !client->out.len)
      break;
  }
}
