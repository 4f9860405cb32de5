/* SPDX-License-Identifier: MIT */
/* Listening: many connections, limits, running out of descriptors, closing
 * politely. */
#include "connection/raw.h"

#include <sys/resource.h>

TEST(many_clients) {
  party p;
  party_begin(&p);
  party_listen(&p);
  for (int i = 0; i < 20; i++) party_connect(&p);
  for (int i = 0; i < 20; i++) PARTY_UNTIL(&p, p.sides[i].opens, 1);
  CHECK_INT(ws_server_count(p.server), 20);
  size_t listed = 0;
  for (ws_connection *c = ws_server_first(p.server); c;
       c = ws_server_next(c)) {
    CHECK(ws_server_of(c) == p.server);
    listed++;
  }
  CHECK_INT(listed, 20);
  for (int i = 0; i < 20; i++) ws_connection_terminate(p.sides[i].connection);
  for (int i = 0; i < 20; i++) PARTY_UNTIL(&p, p.sides[i].closes, 1);
  for (size_t i = 20; i < p.count; i++) PARTY_UNTIL(&p, p.sides[i].closes, 1);
  CHECK_INT(ws_server_count(p.server), 0);
  party_end(&p);
}

TEST(cannot_listen_twice) {
  party p, q;
  char why[200] = "";
  party_begin(&p);
  party_listen(&p);
  party_begin(&q);
  ws_server *server = NULL;
  ws_server_options options = {.port = party_port(&p)};
  CHECK_INT(ws_server_listen(&q.hub, q.server_config, &options, &side_events,
                             &party_server_events, &q, &server, why,
                             sizeof why),
            WS_EADDRINUSE);
  CHECK(strstr(why, "in use") != NULL);
  CHECK(server == NULL);
  party_drop(&q);
  party_end(&p);
}

/* R36: 1001 to all, then nothing more. */
TEST(closes_politely) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *a = party_open(&p), *b = party_open(&p);
  uint16_t port = party_port(&p);
  ws_server_close(p.server, 1001);
  PARTY_UNTIL(&p, a->closes, 1);
  PARTY_UNTIL(&p, b->closes, 1);
  CHECK_INT(a->code, 1001);
  CHECK(a->clean && b->clean);
  PARTY_UNTIL(&p, p.server_closed, 1);
  ws_server_close(p.server, 1001); /* a second time does nothing */
  char url[64];
  snprintf(url, sizeof url, "ws://127.0.0.1:%u/", port);
  side *late = party_connect_to(&p, url);
  PARTY_UNTIL(&p, late->closes, 1);
  CHECK_INT(late->status, WS_ECONNREFUSED);
  party_end(&p);
}

/* A peer that does not answer the Close is dropped at its deadline. */
TEST(does_not_wait_for_ever) {
  party p;
  party_begin(&p);
  p.server_config->close_timeout = 50;
  party_listen(&p);
  raw r = raw_open(&p);
  ws_server_close(p.server, 1001);
  PARTY_AFTER(&p, 50, p.server_closed);
  raw_read_to_end(&p, &r);
  CHECK(r.ended);
  CHECK_BYTES(r.data, r.len < 4 ? r.len : 4, "\x88\x02\x03\xe9");
  raw_end(&r);
  party_end(&p);
}

/* A request that is still on its way is dropped. */
TEST(closing_while_a_request_comes) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_connect(party_port(&p));
  raw_say(&p, &r, "GET / HTTP/1.1\r\nHo");
  PARTY_UNTIL(&p, p.count, 1);
  ws_server_close(p.server, 1001);
  raw_read_to_end(&p, &r);
  CHECK(r.ended);
  PARTY_UNTIL(&p, p.server_closed, 1);
  raw_end(&r);
  party_end(&p);
}

static void accept_and_close(void *owner, const ws_http_head *head,
                             const ws_handshake_verdict *verdict) {
  side *s = owner;
  ws_slice none = {NULL, 0};
  (void)head, (void)verdict;
  CHECK_INT(ws_connection_accept(s->connection, none, NULL, 0), WS_OK);
  ws_server_close(s->party->server, 1001);
}

/* A connection that was accepted in the same turn gets the Close, too. */
TEST(closing_right_behind_an_answer) {
  ws_connection_events events = side_events;
  party p;
  party_begin(&p);
  events.on_request = accept_and_close;
  p.served = &events;
  party_listen(&p);
  raw r = raw_open(&p);
  raw_read_to_end(&p, &r);
  CHECK_BYTES(r.data, r.len, "\x88\x02\x03\xe9");
  raw_end(&r);
  PARTY_UNTIL(&p, p.server_closed, 1);
  CHECK_INT(p.sides[0].gones, 1);
  CHECK_INT(p.sides[0].opens + p.sides[0].closes, 0);
  party_end(&p);
}

/* While one is closed, another loses its cork and fails, as there is no memory
 * to keep what was in it. It is dead at once, as it cannot be watched either,
 * and it is the next in the server's list. */
static side *fails_meanwhile;

static void close_without_memory(side *s, const char *event) {
  if (strcmp(event, "message") != 0) return;
  ws_connection_pause(fails_meanwhile->connection, WS_PAUSE_USER, true);
  party_send(fails_meanwhile, "corked");
  party_refusing = true;
  ws_memory_fail(1, false);
  ws_server_close(s->party->server, 1001);
  ws_memory_fail(0, false);
  party_refusing = false;
}

TEST(closing_goes_on_behind_one_that_fails) {
  party p;
  party_begin_refusable(&p);
  p.echo = false;
  party_listen(&p);
  side *first = party_open(&p);
  party_open(&p);
  fails_meanwhile = party_other(&p);
  side *last = party_open(&p);
  party_other(&p)->react = close_without_memory;
  party_send(last, "close");
  closed_with(fails_meanwhile, TERMINATED, false);
  CHECK_INT(fails_meanwhile->status, WS_ENOMEM);
  closed_with(last, 1001, true);
  closed_with(first, 1001, true);
  PARTY_UNTIL(&p, p.server_closed, 1);
  party_end(&p);
}

TEST(released_while_serving) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p);
  ws_server_release(p.server);
  p.server = NULL;
  party_send(s, "still served");
  PARTY_UNTIL(&p, s->messages, 1);
  CHECK_INT(p.server_closed, 0);
  party_end(&p);
}

TEST(more_than_allowed_get_503) {
  party p;
  party_begin(&p);
  CHECK_INT(
      party_listen_with(&p, (ws_server_options){.max_connections = 2}),
      WS_OK);
  party_open(&p);
  side *second = party_open(&p);
  side *third = party_connect(&p);
  PARTY_UNTIL(&p, third->closes, 1);
  CHECK(strstr(third->why, "503") != NULL);
  ws_connection_terminate(second->connection);
  PARTY_UNTIL(&p, second->closes, 1);
  PARTY_UNTIL_THAT(&p, ws_server_count(p.server) == 1);
  side *fourth = party_connect(&p);
  PARTY_UNTIL(&p, fourth->opens, 1);
  party_end(&p);
}

static unsigned refused;
static void *refuse_all(void *owner, ws_connection *connection) {
  (void)owner, (void)connection;
  refused++;
  return NULL;
}

/* Returns the limit there was. */
static struct rlimit allow_no_more_descriptors(void) {
  ws_fd lowest_free = dup(STDERR_FILENO);
  ws_socket_close(lowest_free);
  struct rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  struct rlimit few = before;
  few.rlim_cur = (rlim_t)lowest_free;
  setrlimit(RLIMIT_NOFILE, &few);
  return before;
}

/* Without descriptors it does not spin, and clients that wait are served once
 * there are some again. */
TEST(no_descriptors_left) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_connect(party_port(&p));
  struct rlimit before = allow_no_more_descriptors();
  party_serve(&p);
  CHECK_INT(party_pass(&p, 1000), 20); /* ten pauses and as many attempts */
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK_INT(p.count, 0);
  PARTY_AFTER(&p, 100, p.count);
  raw_say(&p, &r, RAW_REQUEST);
  raw_read(&p, &r, 12);
  CHECK(raw_has(&r, "HTTP/1.1 101")); /* the one that waited */
  raw_end(&r);
  side *s = party_connect(&p);
  PARTY_UNTIL(&p, s->opens, 1);
  party_end(&p);
}

/* A descriptor that becomes free is used at once, without waiting for the end
 * of the pause. */
TEST(a_descriptor_comes_back) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *first = party_open(&p);
  raw r = raw_connect(party_port(&p));
  struct rlimit before = allow_no_more_descriptors();
  for (int i = 0; i < 3; i++) ws_loop_turn(p.loop, 5);
  CHECK_INT(p.count, 2); /* the first and its server's side */
  ws_connection_terminate(first->connection);
  for (int i = 0; i < 4; i++) ws_loop_turn(p.loop, 0);
  CHECK_INT(p.count, 3);
  setrlimit(RLIMIT_NOFILE, &before);
  raw_end(&r);
  party_end(&p);
}

/* If the listener cannot be watched again yet, that is tried again later. */
TEST(accepting_that_cannot_be_resumed) {
  party p;
  party_begin_refusable(&p);
  party_listen(&p);
  raw r = raw_connect(party_port(&p));
  struct rlimit before = allow_no_more_descriptors();
  party_serve(&p);
  setrlimit(RLIMIT_NOFILE, &before);
  party_refusing = true;
  party_pass(&p, 500);
  party_refusing = false;
  CHECK_INT(p.count, 0);
  PARTY_AFTER(&p, 100, p.count);
  raw_say(&p, &r, RAW_REQUEST);
  raw_read(&p, &r, 12);
  CHECK(raw_has(&r, "HTTP/1.1 101"));
  raw_end(&r);
  party_end(&p);
}

#define CROWD 150

/* A crowd of new clients does not keep the loop from others: at most 64 are
 * accepted in a turn. */
TEST(a_crowd_is_let_in_by_and_by) {
  static raw crowd[CROWD];
  party p;
  party_begin(&p);
  p.echo = false;
  ws_server_events events = {refuse_all, NULL};
  ws_server_options options = {.backlog = CROWD + 50};
  char why[100];
  refused = 0;
  CHECK_INT(ws_server_listen(&p.hub, p.server_config, &options, &side_events,
                             &events, &p, &p.server, why, sizeof why),
            WS_OK);
  for (int i = 0; i < CROWD; i++) crowd[i] = raw_connect(party_port(&p));
  int turns = 0;
  time_t until = real_seconds() + PATIENCE;
  while (refused < CROWD && real_seconds() < until) {
    unsigned so_far = refused;
    ws_loop_turn(p.loop, 20);
    turns++;
    CHECK(refused - so_far <= 64);
  }
  CHECK_INT(refused, CROWD);
  CHECK(turns >= 3);
  for (int i = 0; i < CROWD; i++) raw_end(&crowd[i]);
  party_end(&p);
}

static int on_arrival;
static void *meddle(void *owner, ws_connection *connection) {
  party *p = owner;
  side *s = party_on_accept(owner, connection);
  switch (on_arrival) {
    case 0: ws_connection_terminate(connection); break;
    case 1: ws_connection_close(connection, 1000, NULL, 0); break;
    case 2: ws_connection_fail(connection, WS_EPROTOCOL, "no"); break;
    case 3: ws_connection_release(connection), s->connection = NULL; break;
    case 4: ws_server_close(p->server, 1001); break;
    case 5:
      ws_connection_terminate(connection);
      s->connection = NULL;
      return NULL;
    default: ws_server_release(p->server), p->server = NULL; break;
  }
  return s;
}

/* The owner may do anything to a connection that was just accepted. */
TEST(ended_on_arrival) {
  for (on_arrival = 0; on_arrival <= 6; on_arrival++) {
    party p;
    party_begin(&p);
    ws_server_events events = {meddle, party_on_closed};
    ws_server_options options = {0};
    char why[100];
    CHECK_INT(ws_server_listen(&p.hub, p.server_config, &options,
                               &side_events, &events, &p, &p.server, why,
                               sizeof why),
              WS_OK);
    raw r = raw_connect(party_port(&p));
    raw_say(&p, &r, RAW_REQUEST);
    PARTY_UNTIL_THAT(&p, p.count == 1);
    for (int i = 0; i < 5; i++) ws_loop_turn(p.loop, 5);
    side *s = &p.sides[0];
    bool lives = on_arrival == 6; /* only the server was released */
    CHECK_INT(s->opens, lives);
    CHECK_INT(s->gones, !lives && on_arrival != 3 && on_arrival != 5);
    CHECK_INT(p.server_closed, on_arrival == 4);
    if (!lives) raw_read_to_end(&p, &r);
    if (!lives) CHECK(r.ended && r.len == 0);
    raw_end(&r);
    party_end(&p);
  }
}

/* A peer that connects and sends nothing is dropped at its deadline. */
TEST(silence_before_the_request) {
  party p;
  party_begin(&p);
  p.server_config->open_timeout = 60;
  party_listen(&p);
  raw r = raw_connect(party_port(&p));
  PARTY_UNTIL(&p, p.count, 1);
  PARTY_AFTER(&p, 60, p.sides[0].gones);
  raw_read_to_end(&p, &r);
  CHECK(r.ended);
  CHECK_INT(p.count, 1);
  CHECK_INT(p.sides[0].opens + p.sides[0].closes + p.sides[0].errors, 0);
  CHECK_INT(p.sides[0].gones, 1);
  raw_end(&r);
  party_end(&p);
}

TEST(a_request_that_is_none_is_answered) {
  static const struct {
    const char *request, *status;
  } cases[] = {
      {"BREW / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
       "HTTP/1.1 405 "}, /* R1 */
      {"GET / HTTP/9.0\r\n\r\n", "HTTP/1.1 505 "},  /* R2 */
      {"GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 "}, /* R3 */
      {"\x16\x03\x01\x02\r\n\r\n", "HTTP/1.1 400 "},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 426 "}, /* R5 */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    party p;
    party_begin(&p);
    party_listen(&p);
    raw r = raw_connect(party_port(&p));
    raw_say(&p, &r, cases[i].request);
    raw_read_to_end(&p, &r);
    if (!CHECK(strncmp(r.data, cases[i].status, 13) == 0))
      check_show("got", r.data, r.len);
    CHECK(raw_has(&r, "\r\nConnection: "));
    CHECK(r.ended);
    raw_end(&r);
    party_end(&p);
  }
}

TEST(a_path) {
  party p;
  char folder[] = "/tmp/ws-server-XXXXXX", path[64];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/s", folder);
  party_begin(&p);
  CHECK_INT(
      party_listen_with(&p, (ws_server_options){.path = ws_slice_of(path)}),
      WS_OK);
  CHECK_INT(access(path, F_OK), 0);
  ws_server_close(p.server, 1001);
  PARTY_UNTIL(&p, p.server_closed, 1);
  CHECK(access(path, F_OK) != 0); /* it was removed */
  rmdir(folder);
  party_end(&p);
}

static int add_nothing(ws_poller *poller, ws_fd fd, unsigned wants,
                       void *tag) {
  (void)poller, (void)fd, (void)wants, (void)tag;
  return WS_ESYSTEM;
}

/* Nothing is left of a listener that the poller refuses, and it says why. */
TEST(a_path_that_cannot_be_watched) {
  party p;
  char folder[] = "/tmp/ws-server-XXXXXX", path[64], why[200];
  ws_poller_kind kind = *ws_pollers[0];
  kind.add = add_nothing;
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/s", folder);
  party_begin_on(&p, &kind);
  ws_server_options options = {.path = ws_slice_of(path)};
  CHECK_INT(ws_server_listen(&p.hub, p.server_config, &options, &side_events,
                             &party_server_events, &p, &p.server, why,
                             sizeof why),
            WS_ESYSTEM);
  CHECK(strstr(why, path) != NULL);
  CHECK(strstr(why, ws_status_text(WS_ESYSTEM)) != NULL);
  CHECK(access(path, F_OK) != 0);
  rmdir(folder);
  party_end(&p);
}

static void drop_server(side *s, const char *event) {
  if (strcmp(event, "message") != 0 || s->client || !s->party->server) return;
  ws_server_close(s->party->server, 1001);
  ws_server_release(s->party->server);
  s->party->server = NULL;
}

TEST(released_inside_a_handler) {
  party p;
  party_begin(&p);
  p.react = drop_server;
  party_listen(&p);
  side *s = party_open(&p);
  party_send(s, "go");
  PARTY_UNTIL(&p, s->closes, 1);
  CHECK_INT(s->code, 1001);
  party_end(&p);
}

int main(void) {
  RUN(many_clients);
  RUN(cannot_listen_twice);
  RUN(closes_politely);
  RUN(does_not_wait_for_ever);
  RUN(closing_while_a_request_comes);
  RUN(closing_right_behind_an_answer);
  RUN(closing_goes_on_behind_one_that_fails);
  RUN(released_while_serving);
  RUN(more_than_allowed_get_503);
  RUN(no_descriptors_left);
  RUN(a_descriptor_comes_back);
  RUN(accepting_that_cannot_be_resumed);
  RUN(a_crowd_is_let_in_by_and_by);
  RUN(ended_on_arrival);
  RUN(silence_before_the_request);
  RUN(a_request_that_is_none_is_answered);
  RUN(a_path);
  RUN(a_path_that_cannot_be_watched);
  RUN(released_inside_a_handler);
  return check_done();
}
