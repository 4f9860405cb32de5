/* SPDX-License-Identifier: MIT */
/* A "party", for the tests of connection/: a loop with one server and some
 * clients, whose events it records. Its clock is virtual and stands still
 * until the test lets time pass, so no deadline comes too early, however long
 * the system takes to deliver what was sent. */
#pragma once
#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"
#include "connection/client.h"
#include "connection/connection_open.h"
#include "connection/server.h"
#include "loop/virtual_clock.h"
#include "transport/entropy.h"
#include "transport/socket.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define PARTY_SIDES 64

/* One connection as its owner sees it. */
typedef struct side {
  ws_connection *connection; /* NULL once released */
  struct party *party;
  bool client;
  unsigned opens, errors, closes, gones, drains, pings, pongs, messages;
  unsigned after_close; /* events that came too late */
  int status;           /* the error's */
  char why[200];
  unsigned code;
  char reason[128];
  bool clean;
  unsigned opcode;
  uint8_t *last; /* the last message */
  size_t last_len;
  uint64_t bytes; /* in all messages */
  void (*react)(struct side *side, const char *event);
} side;

typedef struct party {
  ws_loop *loop;
  ws_hub hub;
  ws_server *server;
  ws_connection_config *server_config, *client_config;
  side sides[PARTY_SIDES]; /* clients and the server's, in order of arrival */
  size_t count;
  unsigned server_closed;
  bool echo;
  void (*react)(side *side, const char *event); /* what new sides get */
  const ws_connection_events *served; /* the server's; NULL: all events */
  unsigned redirects; /* how many redirects clients follow */
} party;

/* ------------------------------------------------------------- events */

static inline void side_note(side *s, const char *event) {
  if (s->closes + s->gones > 0 && strcmp(event, "close") != 0)
    s->after_close++;
  if (s->react) s->react(s, event);
}

static inline void side_on_open(void *owner) {
  side *s = owner;
  s->opens++;
  side_note(s, "open");
}

static inline void side_on_message(void *owner, unsigned opcode,
                                   const uint8_t *data, size_t len) {
  side *s = owner;
  s->messages++;
  s->opcode = opcode;
  s->bytes += len;
  free(s->last);
  s->last = malloc(len + 1);
  if (len) memcpy(s->last, data, len);
  s->last_len = len;
  if (!s->client && s->party->echo)
    ws_connection_send(s->connection, opcode, data, len, NULL);
  side_note(s, "message");
}

static inline void side_on_ping(void *owner, const uint8_t *data,
                                size_t len) {
  (void)data, (void)len;
  ((side *)owner)->pings++;
  side_note(owner, "ping");
}

static inline void side_on_pong(void *owner, const uint8_t *data,
                                size_t len) {
  (void)data, (void)len;
  ((side *)owner)->pongs++;
  side_note(owner, "pong");
}

static inline void side_on_drain(void *owner) {
  ((side *)owner)->drains++;
  side_note(owner, "drain");
}

static inline void side_on_error(void *owner, int status,
                                 const char *message) {
  side *s = owner;
  s->errors++;
  s->status = status;
  snprintf(s->why, sizeof s->why, "%s", message);
  side_note(s, "error");
}

static inline void side_on_close(void *owner, unsigned code,
                                 const uint8_t *reason, size_t len,
                                 bool clean) {
  side *s = owner;
  s->closes++;
  s->code = code;
  snprintf(s->reason, sizeof s->reason, "%.*s", (int)len,
           (const char *)reason);
  s->clean = clean;
  side_note(s, "close");
}

static inline void side_on_gone(void *owner) {
  side *s = owner;
  s->gones++;
  if (s->react) s->react(s, "gone");
}

static const ws_connection_events side_events = {
    .on_open = side_on_open,
    .on_message = side_on_message,
    .on_ping = side_on_ping,
    .on_pong = side_on_pong,
    .on_drain = side_on_drain,
    .on_error = side_on_error,
    .on_close = side_on_close,
    .on_gone = side_on_gone,
};

/* -------------------------------------------------------------- setup */

static inline side *party_side(party *p, bool client) {
  side *s = &p->sides[p->count++];
  CHECK(p->count <= PARTY_SIDES);
  s->party = p;
  s->client = client;
  s->react = p->react;
  return s;
}

static inline void *party_on_accept(void *owner, ws_connection *connection) {
  side *s = party_side(owner, false);
  s->connection = connection;
  return s;
}

static inline void party_on_closed(void *owner) {
  ((party *)owner)->server_closed++;
}

static const ws_server_events party_server_events = {party_on_accept,
                                                     party_on_closed};

static inline ws_connection_config *party_config(bool server) {
  ws_connection_config *config = ws_connection_config_new();
  if (!config) return NULL;
  config->session.resize = ws_memory_resize;
  config->session.random = ws_entropy;
  config->session.limits.masked = server;
  config->session.limits.max_payload = 16 * 1024 * 1024;
  config->open_timeout = 5000;
  config->high_water = 65536;
  config->low_water = 32768;
  config->no_delay = true;
  return config;
}

/* Makes the loop, with that poller, and the settings; nothing else yet. */
static inline void party_begin_on(party *p, const ws_poller_kind *kind) {
  memset(p, 0, sizeof *p);
  memset(&p->hub, 0xa5, sizeof p->hub); /* it need not be zeroed */
  CHECK_INT(ws_loop_new(kind, &p->loop), WS_OK);
  ws_hub_init(&p->hub, p->loop);
  p->server_config = party_config(true);
  p->client_config = party_config(false);
  p->echo = true;
}

static inline void party_begin(party *p) { party_begin_on(p, NULL); }

/* While it is set, the poller refuses to watch a descriptor for anything else
 * than it does already. */
static bool party_refusing;

static inline int party_set_or_not(ws_poller *poller, ws_fd fd,
                                   unsigned wants, void *tag) {
  if (party_refusing) return WS_ENOMEM;
  return ws_pollers[0]->set(poller, fd, wants, tag);
}

static inline void party_begin_refusable(party *p) {
  static ws_poller_kind kind;
  kind = *ws_pollers[0];
  kind.set = party_set_or_not;
  party_refusing = false;
  party_begin_on(p, &kind);
}

static inline int party_listen_with(party *p, ws_server_options options) {
  char why[200];
  return ws_server_listen(&p->hub, p->server_config, &options,
                          p->served ? p->served : &side_events,
                          &party_server_events, p, &p->server, why,
                          sizeof why);
}

static inline void party_listen(party *p) {
  CHECK_INT(party_listen_with(p, (ws_server_options){0}), WS_OK);
}

static inline uint16_t party_port(const party *p) {
  return ws_address_port(ws_server_address(p->server));
}

static inline side *party_connect_to(party *p, const char *text) {
  ws_url url;
  const char *why;
  side *s = party_side(p, true);
  CHECK_INT(ws_url_parse(&url, ws_slice_of(text), ws_memory_resize, &why),
            WS_OK);
  ws_client_options options = {.url = &url, .redirects = p->redirects};
  CHECK_INT(ws_client_connect(&p->hub, p->client_config, &options,
                              &side_events, s, &s->connection),
            WS_OK);
  ws_url_deinit(&url);
  return s;
}

static inline side *party_connect(party *p) {
  char url[64];
  snprintf(url, sizeof url, "ws://127.0.0.1:%u/", party_port(p));
  return party_connect_to(p, url);
}

/* What has not come after so many real seconds never will. */
#define PATIENCE 10

static inline time_t real_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

/* Waits until the resolver's threads have freed the memory they still hold. */
static inline void party_memory_returns(void) {
  time_t until = real_seconds() + PATIENCE;
  while (ws_memory_live() > 0 && real_seconds() < until) usleep(1000);
  CHECK_INT(ws_memory_live(), 0);
}

/* Drops everything; no event may have come after a close. */
static inline void party_drop(party *p) {
  for (size_t i = 0; i < p->count; i++) {
    if (p->sides[i].connection)
      ws_connection_release(p->sides[i].connection);
    CHECK_INT(p->sides[i].after_close, 0);
    free(p->sides[i].last);
  }
  if (p->server) ws_server_release(p->server);
  ws_connection_config_unref(p->server_config);
  ws_connection_config_unref(p->client_config);
  ws_hub_deinit(&p->hub);
  ws_loop_free(p->loop);
}

/* The same, and no memory may be left. */
static inline void party_end(party *p) {
  party_drop(p);
  party_memory_returns();
}

/* ------------------------------------------------------------- waiting */

/* Turns the loop until the condition holds. */
#define PARTY_UNTIL_THAT(p, condition)              \
  do {                                              \
    time_t until_ = real_seconds() + PATIENCE;      \
    while (!(condition) && real_seconds() < until_) \
      ws_loop_turn((p)->loop, 5);                   \
    CHECK(condition);                               \
  } while (0)

#define PARTY_UNTIL(p, counter, least) \
  PARTY_UNTIL_THAT(p, (counter) >= (least))

/* Turns the loop until something has come and was served. */
static inline void party_serve(party *p) {
  time_t until = real_seconds() + PATIENCE;
  int served = 0;
  while (served == 0 && real_seconds() < until)
    served = ws_loop_turn(p->loop, 5);
  CHECK(served > 0);
}

/* Waits, without a turn, until there is something for this side to read. */
static inline void party_await_input(const side *s) {
  ws_fd fd = ws_stream_fd(ws_connection_stream(s->connection));
  struct pollfd entry = {.fd = fd, .events = POLLIN};
  CHECK_INT(poll(&entry, 1, PATIENCE * 1000), 1);
}

/* More turns in a row than anything needs: the loop is spinning. */
#define PARTY_RESTLESS 1000

/* Turns the loop until nothing is left to do; returns how many turns had
 * something to do. */
static inline unsigned party_rest(party *p) {
  unsigned turns = 0;
  while (turns < PARTY_RESTLESS && ws_loop_turn(p->loop, 0) > 0) turns++;
  CHECK(turns < PARTY_RESTLESS);
  return turns;
}

/* Lets time pass, from deadline to deadline, with a party_rest at each.
 * Returns how many turns had something to do. */
static inline unsigned party_pass(party *p, uint64_t ms) {
  double end = virtual_clock + (double)ms;
  unsigned turns = party_rest(p);
  while (virtual_clock < end) {
    int next = ws_loop_timeout(p->loop);
    bool waits = next > 0 && virtual_clock + next < end;
    virtual_clock = waits ? virtual_clock + next : end;
    turns += party_rest(p);
  }
  return turns;
}

/* Checks that `counter` goes up by one when `ms` have passed, and not a
 * millisecond earlier. */
#define PARTY_AFTER(p, ms, counter)    \
  do {                                 \
    size_t before_ = (counter);        \
    party_pass((p), (ms) - 1);         \
    CHECK_INT((counter), before_);     \
    party_pass((p), 1);                \
    CHECK_INT((counter), before_ + 1); \
  } while (0)

static inline side *party_open(party *p) {
  side *s = party_connect(p);
  PARTY_UNTIL(p, s->opens, 1);
  return s;
}

/* The server's side of the client that connected last. */
static inline side *party_other(party *p) {
  return &p->sides[p->count - 1];
}

static inline void party_send(side *s, const char *text) {
  CHECK_INT(ws_connection_send(s->connection, WS_TEXT, text, strlen(text),
                               NULL),
            WS_OK);
}

#define TERMINATED 1006

/* Waits for its only close event, which must have this code and kind. */
static inline void closed_with(side *s, unsigned code, bool clean) {
  PARTY_UNTIL(s->party, s->closes, 1);
  CHECK_INT(s->closes, 1);
  CHECK_INT(s->code, code);
  CHECK_INT(s->clean, clean);
}
