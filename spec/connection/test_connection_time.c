/* SPDX-License-Identifier: MIT */
/* Every wait of a connection ends at its deadline and not before: opening,
 * keeping alive, closing, lingering. Nothing spins while it waits. */
#include "connection/raw.h"
#include "transport/socket_system.h"

#include <limits.h>

/* ----------------------------------------------------------- opening */

static unsigned requests;

static void never_answer(void *owner, const ws_http_head *head,
                         const ws_handshake_verdict *verdict) {
  (void)owner, (void)head, (void)verdict;
  requests++;
}

/* The one deadline for opening also covers a request that nobody answers. */
TEST(a_request_nobody_answers) {
  ws_connection_events events = side_events;
  party p;
  party_begin(&p);
  events.on_request = never_answer;
  p.served = &events;
  p.server_config->open_timeout = 60;
  party_listen(&p);
  raw r = raw_connect(party_port(&p));
  requests = 0;
  raw_say(&p, &r, RAW_REQUEST);
  PARTY_UNTIL(&p, requests, 1);
  PARTY_AFTER(&p, 60, p.sides[0].gones);
  raw_read_to_end(&p, &r);
  CHECK(r.ended);
  CHECK_INT(p.sides[0].errors + p.sides[0].closes, 0);
  raw_end(&r);
  party_end(&p);
}

static void begin_answer(void *owner) {
  ws_connection_write(((side *)owner)->connection, "ab", 2);
}

static raw ask_for_pieces(party *p, ws_connection_events *events) {
  party_begin(p);
  *events = side_events;
  events->on_body_end = begin_answer;
  p->served = events;
  p->server_config->open_timeout = 300;
  p->server_config->idle_timeout = 500;
  party_listen(p);
  raw r = raw_connect(party_port(p));
  raw_say(p, &r, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  raw_read(p, &r, 2);
  return r;
}

/* Plain HTTP: once an answer has begun, it may take longer, piece by piece. */
TEST(an_answer_in_pieces) {
  party p;
  ws_connection_events events;
  raw r = ask_for_pieces(&p, &events);
  for (int i = 0; i < 6; i++) {
    party_pass(&p, 499);
    CHECK_INT(ws_connection_write(p.sides[0].connection, "c", 1), WS_OK);
  }
  ws_connection_finish(p.sides[0].connection, NULL, 0);
  raw_read_to_end(&p, &r);
  CHECK_BYTES(r.data, r.len, "abcccccc");
  raw_end(&r);
  party_end(&p);
}

/* But an answer of which nothing leaves any more is ended. */
TEST(an_answer_that_stops) {
  party p;
  ws_connection_events events;
  raw r = ask_for_pieces(&p, &events);
  PARTY_AFTER(&p, 500, p.sides[0].gones);
  raw_read_to_end(&p, &r);
  CHECK_BYTES(r.data, r.len, "ab");
  raw_end(&r);
  party_end(&p);
}

/* A refusal's body gets no more time than is left. */
TEST(a_refusal_whose_body_does_not_come) {
  party p;
  acceptor a = accept_here(0);
  party_begin(&p);
  p.client_config->open_timeout = 600;
  side *s = connect_to_port(&p, a.port);
  raw r = raw_take(&p, &a);
  raw_read(&p, &r, 100);
  party_pass(&p, 200);
  raw_heard(&p, &r, "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nno");
  PARTY_AFTER(&p, 400, s->closes);
  CHECK_INT(s->status, WS_EHANDSHAKE);
  CHECK(strstr(s->why, "403 Forbidden: no") != NULL);
  raw_end(&r);
  ws_socket_close(a.listener);
  party_end(&p);
}

/* A redirected client gets no more time either. */
TEST(a_redirect_gets_no_more_time) {
  party p;
  acceptor a = accept_here(0);
  party_begin(&p);
  p.redirects = 1;
  p.client_config->open_timeout = 600;
  side *s = connect_to_port(&p, a.port);
  raw r = raw_take(&p, &a);
  raw_read(&p, &r, 100);
  party_pass(&p, 200);
  raw_say(&p, &r, "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"
                  "Content-Length: 0\r\n\r\n");
  raw q = raw_take(&p, &a);
  raw_read(&p, &q, 100);
  CHECK(raw_has(&q, "GET /elsewhere "));
  PARTY_AFTER(&p, 400, s->closes);
  CHECK_INT(s->status, WS_ETIMEDOUT);
  raw_end(&r);
  raw_end(&q);
  ws_socket_close(a.listener);
  party_end(&p);
}

/* ------------------------------------------------------ keeping alive */

TEST(pings_are_answered) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  CHECK_INT(ws_connection_ping(s->connection, WS_PING, "data", 4), WS_OK);
  PARTY_UNTIL(&p, s->pongs, 1);
  CHECK_INT(other->pings, 1);
  char long_data[126] = {0};
  CHECK_INT(ws_connection_ping(s->connection, WS_PING, long_data, 126),
            WS_EINVAL);
  party_end(&p);
}

/* Waits for the ping that is due in `ms`; it must not come sooner. */
static void pinged_after(party *p, raw *r, uint64_t ms) {
  double due = virtual_clock + (double)ms, sent;
  party_pass(p, ms);
  r->len = 0;
  raw_read(p, r, 10);
  CHECK(r->len == 10 && (uint8_t)r->data[0] == 0x89);
  memcpy(&sent, r->data + 2, sizeof sent);
  CHECK(sent == due);
}

#define PONG_LEN 14

/* A raw client's pong, for the ping that it has read. */
static void put_pong(uint8_t *into, const raw *r) {
  CHECK_INT(raw_put(into, 0x8a, r->data + 2, 8), PONG_LEN);
}

static void raw_pong(raw *r) {
  uint8_t pong[PONG_LEN];
  put_pong(pong, r);
  ws_slice slice = {(const char *)pong, sizeof pong};
  CHECK_INT(ws_socket_write(r->fd, &slice, 1), sizeof pong);
}

/* Lets the peer's pong come `ms` after the ping. */
static void ponged_after(party *p, raw *r, uint64_t ms) {
  const ws_connection *c = party_other(p)->connection;
  party_pass(p, ms);
  CHECK(ws_connection_latency(c) != (double)ms);
  raw_pong(r);
  PARTY_UNTIL_THAT(p, ws_connection_latency(c) == (double)ms);
}

TEST(a_dead_peer_is_noticed) {
  party p;
  party_begin(&p);
  p.server_config->ping_interval = 30;
  p.server_config->ping_timeout = 40;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  pinged_after(&p, &r, 30);
  PARTY_AFTER(&p, 40, s->closes);
  closed_with(s, TERMINATED, false);
  CHECK_INT(s->status, WS_ETIMEDOUT);
  CHECK(strcmp(s->why, "no sign of life for 70 ms") == 0);
  raw_end(&r);
  party_end(&p);
}

/* It is also pinged again in time, even if pings have a long time-out. */
TEST(a_living_peer_is_kept) {
  for (uint64_t timeout = 15; timeout <= 50; timeout += 35) {
    party p;
    party_begin(&p);
    p.server_config->ping_interval = 20;
    p.server_config->ping_timeout = timeout;
    party_listen(&p);
    raw r = raw_open(&p);
    side *s = party_other(&p);
    pinged_after(&p, &r, 20);
    for (uint64_t late = 14; late > 10; late--) {
      ponged_after(&p, &r, late);
      pinged_after(&p, &r, 20 - late);
    }
    CHECK_INT(s->errors + s->closes, 0);
    raw_end(&r);
    party_end(&p);
  }
}

TEST(idleness) {
  party p;
  party_begin(&p);
  p.server_config->idle_timeout = 80;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  pinged_after(&p, &r, 40); /* half-way */
  PARTY_AFTER(&p, 40, s->closes);
  closed_with(s, TERMINATED, false);
  CHECK_INT(s->status, WS_ETIMEDOUT);
  raw_end(&r);
  party_end(&p);
}

/* However long the handshake has taken. */
TEST(idleness_begins_when_it_opens) {
  ws_connection_events events = side_events;
  ws_slice none = {NULL, 0};
  party p;
  party_begin(&p);
  events.on_request = never_answer;
  p.served = &events;
  p.server_config->idle_timeout = 80;
  party_listen(&p);
  raw r = raw_connect(party_port(&p));
  requests = 0;
  raw_say(&p, &r, RAW_REQUEST);
  PARTY_UNTIL(&p, requests, 1);
  party_pass(&p, 1000);
  CHECK_INT(ws_connection_accept(p.sides[0].connection, none, NULL, 0), WS_OK);
  raw_read_until(&p, &r, "\r\n\r\n");
  pinged_after(&p, &r, 40);
  CHECK_INT(p.sides[0].closes, 0);
  raw_end(&r);
  party_end(&p);
}

/* It was accepted in time, even if the deadline passes before the next turn, in
 * which the owner hears of it. */
TEST(accepted_just_in_time) {
  ws_connection_events events = side_events;
  ws_slice none = {NULL, 0};
  party p;
  party_begin(&p);
  events.on_request = never_answer;
  p.served = &events;
  party_listen(&p);
  raw r = raw_connect(party_port(&p));
  requests = 0;
  raw_say(&p, &r, RAW_REQUEST);
  PARTY_UNTIL(&p, requests, 1);
  CHECK_INT(ws_connection_accept(p.sides[0].connection, none, NULL, 0), WS_OK);
  virtual_clock += 5001;
  party_rest(&p);
  CHECK_INT(p.sides[0].opens, 1);
  CHECK_INT(p.sides[0].closes + p.sides[0].gones, 0);
  raw_end(&r);
  party_end(&p);
}

/* While paused, a connection does not see pongs: the peer does not count as
 * dead, and nothing spins. */
TEST(paused_is_not_dead) {
  party p;
  party_begin(&p);
  p.server_config->ping_interval = 20;
  p.server_config->ping_timeout = 20;
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  ws_connection_pause(other->connection, WS_PAUSE_USER, true);
  CHECK(party_pass(&p, 200) < 20);
  CHECK_INT(other->errors + other->closes, 0);
  PARTY_UNTIL(&p, s->pings, 1); /* its pong waits */
  ws_connection_pause(other->connection, WS_PAUSE_USER, false);
  PARTY_UNTIL_THAT(&p, ws_connection_latency(other->connection) == 180);
  party_pass(&p, 20);
  PARTY_UNTIL(&p, s->pings, 2);
  CHECK_INT(other->errors + other->closes, 0);
  party_end(&p);
}

static void pause_at_a_message(side *s, const char *event) {
  if (strcmp(event, "message") == 0)
    ws_connection_pause(s->connection, WS_PAUSE_USER, true);
}

/* The same with messages that were read before the pause and still wait. */
TEST(paused_with_input_at_hand) {
  party p;
  party_begin(&p);
  p.server_config->idle_timeout = 40;
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  other->react = pause_at_a_message;
  party_send(s, "one");
  party_send(s, "two");
  PARTY_UNTIL(&p, other->messages, 1);
  CHECK(party_pass(&p, 200) < 20);
  CHECK_INT(other->messages, 1);
  ws_connection_pause(other->connection, WS_PAUSE_USER, false);
  PARTY_UNTIL(&p, other->messages, 2);
  CHECK_INT(other->errors, 0);
  party_end(&p);
}

/* After a pause, the time begins again. */
TEST(silence_after_a_pause) {
  party p;
  party_begin(&p);
  p.server_config->idle_timeout = 80;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  ws_connection_pause(s->connection, WS_PAUSE_USER, true);
  party_pass(&p, 79);
  ws_connection_pause(s->connection, WS_PAUSE_USER, false);
  pinged_after(&p, &r, 40);
  PARTY_AFTER(&p, 40, s->closes);
  raw_end(&r);
  party_end(&p);
}

/* A long frame delays its sender's pong, so any bytes that come are a sign of
 * life. */
TEST(a_long_message_is_no_silence) {
  party p;
  party_begin(&p);
  p.server_config->ping_interval = 20;
  p.server_config->ping_timeout = 80;
  p.echo = false;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  CHECK(raw_write(&p, &r, "\x82\x84\0\0\0\0", 6));
  pinged_after(&p, &r, 20);
  for (int i = 0; i < 4; i++) {
    party_pass(&p, 79);
    raw_heard(&p, &r, "x");
  }
  PARTY_UNTIL(&p, s->messages, 1);
  CHECK_INT(s->errors, 0);
  CHECK_INT(s->last_len, 4);
  PARTY_AFTER(&p, 80, s->closes); /* then it is silent */
  CHECK_INT(s->status, WS_ETIMEDOUT);
  raw_end(&r);
  party_end(&p);
}

/* A pong that comes after another sign of life and another ping. */
TEST(a_late_pong_is_no_event) {
  party p;
  party_begin(&p);
  p.server_config->idle_timeout = 300;
  p.echo = false;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  pinged_after(&p, &r, 150);
  raw late = r;
  raw_frame(&p, &r, 0x81, "alive");
  PARTY_UNTIL(&p, s->messages, 1);
  pinged_after(&p, &r, 150);
  party_pass(&p, 30);
  raw_pong(&late);
  raw_frame(&p, &r, 0x81, "alive");
  PARTY_UNTIL(&p, s->messages, 2);
  CHECK_INT(s->pongs, 0);
  CHECK(ws_connection_latency(s->connection) == 180);
  raw_pong(&r);
  raw_pong(&r); /* unsolicited: its ping was answered already */
  PARTY_UNTIL(&p, s->pongs, 1);
  raw_frame(&p, &r, 0x81, "alive");
  PARTY_UNTIL(&p, s->messages, 3);
  CHECK_INT(s->pongs, 1);
  raw_end(&r);
  party_end(&p);
}

static struct {
  raw *by;
  const void *bytes;
  size_t len;
} meanwhile;

/* Blocks the loop; meanwhile the bytes of the first side's peer arrive, or if
 * it has none to send, it reads. */
static void hold_up(side *s, const char *event) {
  static char some[65536];
  if (strcmp(event, "message") != 0) return;
  ws_slice said = {meanwhile.bytes, meanwhile.len};
  if (said.len > 0) {
    CHECK_INT(ws_socket_write(meanwhile.by->fd, &said, 1), said.len);
    party_await_input(&s->party->sides[0]);
  } else {
    while (ws_socket_read(meanwhile.by->fd, some, sizeof some) > 0) continue;
  }
  virtual_clock += 600;
}

/* A handler of the second side blocks the loop for 600 ms, while the first
 * side's peer sends these bytes. A turn serves `most` events. */
static void held_up(party *p, int most, raw *busy, raw *by, const void *bytes,
                    size_t len) {
  meanwhile.by = by;
  meanwhile.bytes = bytes;
  meanwhile.len = len;
  p->sides[1].react = hold_up;
  uint8_t frame[20];
  ws_slice slice = {(const char *)frame, raw_put(frame, 0x82, "hold it", 7)};
  CHECK_INT(ws_socket_write(busy->fd, &slice, 1), slice.len);
  while (p->sides[1].messages == 0)
    CHECK(ws_loop_turn_some(p->loop, PATIENCE * 1000, most) > 0);
}

/* A handler blocks the loop for longer than a pong may take. What has come
 * meanwhile is read before a peer is considered dead, also when the next turn
 * begins with the timers. */
static void nobody_dies_where_turns_serve(int most) {
  party p;
  party_begin(&p);
  p.server_config->ping_interval = 50;
  p.server_config->ping_timeout = 400;
  p.echo = false;
  party_listen(&p);
  raw quiet = raw_open(&p), busy = raw_open(&p);
  uint8_t pong[PONG_LEN];
  pinged_after(&p, &quiet, 50);
  put_pong(pong, &quiet);
  held_up(&p, most, &busy, &quiet, pong, sizeof pong);
  pinged_after(&p, &quiet, 0); /* the next one */
  CHECK_INT(p.sides[0].errors + p.sides[0].closes, 0);
  PARTY_AFTER(&p, 400, p.sides[0].closes); /* then it is silent */
  CHECK_INT(p.sides[0].status, WS_ETIMEDOUT);
  raw_end(&quiet);
  raw_end(&busy);
  party_end(&p);
}

TEST(nobody_dies_of_a_loop_that_was_held_up) {
  nobody_dies_where_turns_serve(INT_MAX);
  nobody_dies_where_turns_serve(1);
}

static void a_request_where_turns_serve(int most) {
  party p;
  party_begin(&p);
  p.server_config->open_timeout = 400;
  p.echo = false;
  party_listen(&p);
  raw quiet = raw_connect(party_port(&p));
  PARTY_UNTIL(&p, p.count, 1);
  raw busy = raw_open(&p);
  held_up(&p, most, &busy, &quiet, RAW_REQUEST, strlen(RAW_REQUEST));
  raw_read_until(&p, &quiet, "\r\n\r\n");
  CHECK(raw_has(&quiet, "HTTP/1.1 101 "));
  CHECK_INT(p.sides[0].opens, 1);
  raw_end(&quiet);
  raw_end(&busy);
  party_end(&p);
}

TEST(a_request_while_the_loop_was_held_up) {
  a_request_where_turns_serve(INT_MAX);
  a_request_where_turns_serve(1);
}

/* Plain HTTP: an answer that begins then may take its time. */
static void an_answer_where_turns_serve(int most, unsigned idle_timeout) {
  static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  party p;
  ws_connection_events events = side_events;
  events.on_body_end = begin_answer;
  party_begin(&p);
  p.served = &events;
  p.server_config->open_timeout = 400;
  p.server_config->idle_timeout = idle_timeout;
  p.echo = false;
  party_listen(&p);
  raw quiet = raw_connect(party_port(&p));
  PARTY_UNTIL(&p, p.count, 1);
  raw busy = raw_open(&p);
  held_up(&p, most, &busy, &quiet, request, strlen(request));
  raw_read(&p, &quiet, 2);
  party_pass(&p, 499);
  CHECK_INT(p.sides[0].gones, 0);
  ws_connection_finish(p.sides[0].connection, "c", 1);
  raw_read_to_end(&p, &quiet);
  CHECK_BYTES(quiet.data, quiet.len, "abc");
  raw_end(&quiet);
  raw_end(&busy);
  party_end(&p);
}

TEST(an_answer_while_the_loop_was_held_up) {
  an_answer_where_turns_serve(INT_MAX, 0);
  an_answer_where_turns_serve(1, 0);
  an_answer_where_turns_serve(INT_MAX, 500);
  an_answer_where_turns_serve(1, 500);
}

static void a_close_where_turns_serve(int most) {
  static const uint8_t close_frame[] = {0x88, 0x82, 0, 0, 0, 0, 3, 0xe8};
  party p;
  party_begin(&p);
  p.server_config->close_timeout = 400;
  p.echo = false;
  party_listen(&p);
  raw quiet = raw_open(&p), busy = raw_open(&p);
  ws_connection_close(p.sides[0].connection, 1000, NULL, 0);
  held_up(&p, most, &busy, &quiet, close_frame, sizeof close_frame);
  closed_with(&p.sides[0], 1000, true);
  raw_end(&quiet);
  raw_end(&busy);
  party_end(&p);
}

TEST(a_close_while_the_loop_was_held_up) {
  a_close_where_turns_serve(INT_MAX);
  a_close_where_turns_serve(1);
}

#define LONG_MESSAGE ((size_t)4 * 1024 * 1024)

/* Makes a socket's buffer small, so that little waits in the system and what
 * the peer reads is noticed soon. */
static void small_buffer(ws_fd fd, int which) {
  int size = 65536;
  CHECK_INT(setsockopt(fd, SOL_SOCKET, which, (void *)&size, sizeof size), 0);
}

static ws_fd fd_of(const side *s) {
  return ws_stream_fd(ws_connection_stream(s->connection));
}

static void send_at_length(side *s) {
  char *data = calloc(1, LONG_MESSAGE);
  small_buffer(fd_of(s), SO_SNDBUF);
  ws_connection_send(s->connection, WS_BINARY, data, LONG_MESSAGE, NULL);
  free(data);
}

/* More than the system holds, so that some comes from the sender's outbox. */
#define GULP ((size_t)1024 * 1024)

static size_t read_some(party *p, raw *r, size_t least) {
  size_t total = 0;
  do {
    r->len = 0;
    raw_read(p, r, 1);
    total += r->len;
  } while (total < least && r->len > 0);
  return total;
}

/* Reads `least` bytes or to the end, with a pause of `ms` after each gulp.
 * Returns how many there were. */
static size_t read_slowly(party *p, raw *r, size_t least, uint64_t ms) {
  size_t total = 0, some;
  small_buffer(r->fd, SO_RCVBUF);
  do {
    size_t left = least - total;
    some = read_some(p, r, left < GULP ? left : GULP);
    total += some;
    party_pass(p, ms);
  } while (some > 0 && total < least);
  return total;
}

/* Our ping waits behind what we have sent: a peer that reads this is alive. */
TEST(a_peer_that_reads_is_not_silent) {
  for (int way = 0; way < 2; way++) {
    party p;
    party_begin(&p);
    if (way == 0) p.server_config->idle_timeout = 400;
    if (way == 1) p.server_config->ping_interval = 400;
    party_listen(&p);
    raw r = raw_open(&p);
    side *s = party_other(&p);
    send_at_length(s);
    CHECK(read_slowly(&p, &r, 2 * GULP, 399) >= 2 * GULP);
    CHECK_INT(s->errors + s->closes, 0);
    party_pass(&p, 3 * 400); /* from now on it does not read */
    closed_with(s, TERMINATED, false);
    CHECK_INT(s->status, WS_ETIMEDOUT);
    raw_end(&r);
    party_end(&p);
  }
}

/* idle_timeout: a peer that answers the ping at half the time is not idle. */
TEST(an_answered_ping_is_no_idleness) {
  party p;
  party_begin(&p);
  p.server_config->idle_timeout = 200;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  for (uint64_t late = 99; late > 95; late--) {
    pinged_after(&p, &r, 100);
    ponged_after(&p, &r, late);
  }
  CHECK_INT(s->errors + s->closes, 0);
  raw_end(&r);
  party_end(&p);
}

/* After the loop was blocked for all of idle_timeout, the peer is pinged first,
 * and has the usual time to answer. */
TEST(nobody_is_idle_unasked) {
  party p;
  party_begin(&p);
  p.server_config->idle_timeout = 200;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  virtual_clock += 500;
  pinged_after(&p, &r, 0);
  ponged_after(&p, &r, 99);
  virtual_clock += 190;
  pinged_after(&p, &r, 0);
  PARTY_AFTER(&p, 100, s->closes);
  CHECK_INT(s->status, WS_ETIMEDOUT);
  raw_end(&r);
  party_end(&p);
}

TEST(without_time_outs_no_pings) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  CHECK_INT(party_pass(&p, 86400000), 0);
  CHECK_INT(s->pings + other->pings, 0);
  party_end(&p);
}

/* ------------------------------------------------------------- closing */

TEST(a_peer_that_never_answers_the_close) {
  for (uint64_t set = 0; set <= 50; set += 50) {
    party p;
    party_begin(&p);
    p.server_config->close_timeout = set;
    party_listen(&p);
    raw r = raw_open(&p);
    side *s = party_other(&p);
    ws_connection_close(s->connection, 1000, NULL, 0);
    PARTY_AFTER(&p, set ? set : 5000, s->closes);
    closed_with(s, TERMINATED, false);
    raw_end(&r);
    party_end(&p);
  }
}

/* A Close behind a long message: while the peer reads this, its answer is not
 * late. */
TEST(a_close_behind_a_long_message) {
  party p;
  party_begin(&p);
  p.server_config->close_timeout = 400;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  send_at_length(s);
  ws_connection_close(s->connection, 1000, NULL, 0);
  size_t all = LONG_MESSAGE + 10 + 4;
  CHECK_INT(read_slowly(&p, &r, all, 399), all);
  party_pass(&p, 400);
  closed_with(s, TERMINATED, false);
  CHECK(strcmp(s->why, "the peer did not answer the Close frame in time") == 0);
  raw_end(&r);
  party_end(&p);
}

/* But a peer that reads nothing of it is not waited for. */
TEST(a_close_that_never_leaves) {
  party p;
  party_begin(&p);
  p.server_config->close_timeout = 50;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  send_at_length(s);
  ws_connection_close(s->connection, 1000, NULL, 0);
  party_pass(&p, 49);
  CHECK_INT(s->closes, 0);
  party_pass(&p, 2 * 50); /* the system may yet have taken some more */
  closed_with(s, TERMINATED, false);
  CHECK_INT(s->status, WS_ETIMEDOUT);
  CHECK(strstr(s->why, "did not read") != NULL);
  raw_end(&r);
  party_end(&p);
}

/* S127: more messages are no answer to a Close. */
TEST(a_peer_that_talks_on) {
  party p;
  party_begin(&p);
  p.server_config->close_timeout = 80;
  p.server_config->idle_timeout = 60000;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  ws_connection_close(s->connection, 1000, NULL, 0);
  for (int i = 0; i < 7; i++) {
    party_pass(&p, 10);
    raw_frame(&p, &r, 0x81, "x");
  }
  PARTY_AFTER(&p, 10, s->closes);
  CHECK_INT(s->errors, 1);
  CHECK_INT(s->status, WS_ETIMEDOUT);
  CHECK_INT(s->code, 1006);
  CHECK_INT(s->messages, 0); /* S91 */
  raw_end(&r);
  party_end(&p);
}

/* A pause does not delay the closing handshake. */
TEST(closing_while_paused) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  ws_connection_pause(s->connection, WS_PAUSE_USER, true);
  ws_connection_close(s->connection, 1000, NULL, 0);
  PARTY_UNTIL(&p, s->closes, 1);
  CHECK(s->clean);
  PARTY_UNTIL(&p, other->closes, 1);
  party_end(&p);
}

static void raw_answer(party *p, raw *r) {
  static const char answer[] =
      "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: %.28s\r\n\r\n";
  char text[200], accept[WS_ACCEPT_LENGTH];
  raw_read_until(p, r, "\r\n\r\n");
  const char *key = memmem(r->data, r->len, "Sec-WebSocket-Key: ", 19);
  if (!CHECK(key != NULL)) return;
  ws_handshake_accept((ws_slice){key + 19, WS_KEY_LENGTH}, accept);
  snprintf(text, sizeof text, answer, accept);
  raw_say(p, r, text);
}

/* S126: a server that does not end TCP is waited for only for a short time, and
 * the close is clean; nor does an endless refusal last longer. */
TEST(a_server_that_does_not_end_tcp) {
  party p;
  acceptor a = accept_here(0);
  party_begin(&p);
  p.client_config->open_timeout = 60000;
  side *s = connect_to_port(&p, a.port);
  raw r = raw_take(&p, &a);
  raw_answer(&p, &r);
  PARTY_UNTIL(&p, s->opens, 1);
  side *refused = connect_to_port(&p, a.port);
  raw q = raw_take(&p, &a);
  raw_read(&p, &q, 100);
  CHECK(raw_write(&p, &r, "\x88\x04\x03\xe9go", 6));
  r.len = 0;
  raw_read(&p, &r, 8);
  party_pass(&p, 10);
  raw_heard(&p, &q, "HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n");
  party_pass(&p, 490);
  raw_heard(&p, &q, "sorry");
  PARTY_AFTER(&p, 500, s->closes);
  CHECK_INT(s->code, 1001);
  CHECK(s->clean);
  CHECK_INT(s->errors, 0);
  PARTY_AFTER(&p, 10, refused->closes);
  CHECK_INT(refused->status, WS_EHANDSHAKE);
  CHECK(strcmp(refused->why, "http: the server answered 503 Busy: sorry") == 0);
  raw_end(&r);
  raw_end(&q);
  ws_socket_close(a.listener);
  party_end(&p);
}

/* ----------------------------------------------------------- lingering */

static void answer_at_length(void *owner) {
  side *s = owner;
  char *body = calloc(1, LONG_MESSAGE);
  small_buffer(fd_of(s), SO_SNDBUF);
  ws_connection_write(s->connection, body, LONG_MESSAGE);
  ws_connection_finish(s->connection, NULL, 0);
  free(body);
}

/* Begins a party that answers plain HTTP with `answer`, and a peer that has
 * asked. */
static void ask(party *p, raw *r, ws_connection_events *events,
                void (*answer)(void *owner)) {
  *events = side_events;
  events->on_request = never_answer;
  events->on_body_end = answer;
  party_begin(p);
  p->served = events;
  party_listen(p);
  *r = raw_connect(party_port(p));
  raw_say(p, r, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

/* Plain HTTP: a long answer arrives whole at a slow peer, even if that has
 * half-closed after its request. */
TEST(a_slow_download) {
  for (int half = 0; half < 2; half++) {
    ws_connection_events events;
    party p;
    raw r;
    ask(&p, &r, &events, answer_at_length);
    if (half) ws_socket_shutdown(r.fd);
    CHECK_INT(read_slowly(&p, &r, SIZE_MAX, 60000), LONG_MESSAGE);
    PARTY_UNTIL(&p, p.sides[0].gones, 1);
    if (half) PARTY_UNTIL_THAT(&p, p.hub.first == NULL);
    raw_end(&r);
    party_end(&p);
  }
}

/* How TCP ends for the client; r keeps what came before. */
static ptrdiff_t end_of(party *p, raw *r) {
  ptrdiff_t got = WS_EAGAIN;
  time_t until = real_seconds() + PATIENCE;
  while ((got > 0 || got == WS_EAGAIN) && real_seconds() < until) {
    if (r->len == sizeof r->data) r->len = 0;
    ws_loop_turn(p->loop, 1);
    got = ws_socket_read(r->fd, r->data + r->len, sizeof r->data - r->len);
    if (got > 0) r->len += (size_t)got;
  }
  return got;
}

static void write_without_memory(ws_connection *c) {
  static const char much[LONG_MESSAGE];
  ws_memory_fail(1, 1);
  CHECK_INT(ws_connection_write(c, much, sizeof much), WS_ENOMEM);
  ws_memory_fail(0, 0);
}

/* When only the end of TCP marks an answer's end, one that is cut short (by the
 * owner, a time-out or lack of memory) ends with a reset; others end as usual.
 */
TEST(an_answer_cut_short) {
  for (int way = 0; way < 8; way++) {
    bool open_ended = way % 2 == 1;
    party p;
    ws_connection_events events;
    raw r = ask_for_pieces(&p, &events);
    ws_connection *answering = p.sides[0].connection;
    if (open_ended) ws_connection_open_ended(answering);
    if (way / 2 == 0) ws_connection_terminate(answering);
    if (way / 2 == 1) ws_connection_finish(answering, NULL, 0);
    if (way / 2 == 2) party_pass(&p, 500);
    if (way / 2 == 3) write_without_memory(answering);
    bool cut = open_ended && way / 2 != 1;
    CHECK_INT(end_of(&p, &r), cut ? WS_ECONNRESET : WS_EOF);
    CHECK_BYTES(r.data, r.len, "ab");
    CHECK_INT(p.sides[0].gones, 1);
    raw_end(&r);
    party_end(&p);
  }
}

/* A peer that asks for a long answer and does not read it. A peer that takes
 * nothing for 300 ms is dropped. */
static raw take_nothing(party *p, ws_connection_events *events,
                        void (*answer)(void *owner), const char *request) {
  party_begin(p);
  p->server_config->idle_timeout = 300;
  *events = side_events;
  events->on_body_end = answer;
  p->served = events;
  party_listen(p);
  raw r = raw_connect(party_port(p));
  raw_say(p, &r, request);
  PARTY_UNTIL(p, p->count, 1);
  return r;
}

static void answer_with_open_end(void *owner) {
  ws_connection_open_ended(((side *)owner)->connection);
  answer_at_length(owner);
}

/* The same when it is finished, but the client does not take all of it. */
TEST(an_answer_not_taken) {
  ws_connection_events events;
  party p;
  raw r = take_nothing(&p, &events, answer_with_open_end,
                       "GET / HTTP/1.0\r\n\r\n");
  party_pass(&p, 3 * 300); /* the system may yet have taken some more */
  CHECK_INT(p.sides[0].gones, 1);
  CHECK_INT(end_of(&p, &r), WS_ECONNRESET);
  raw_end(&r);
  party_end(&p);
}

static raw *downloader;

static void answer_who_resets(void *owner) {
  ws_socket_reset_on_close(downloader->fd);
  raw_end(downloader);
  answer_at_length(owner);
}

/* Already the first write fails, so nothing is waited for, even without a
 * time-out. */
TEST(a_download_that_is_given_up) {
  ws_connection_events events;
  party p;
  raw r;
  downloader = &r;
  ask(&p, &r, &events, answer_who_resets);
  PARTY_UNTIL_THAT(&p, p.count == 1 && p.sides[0].gones == 1);
  CHECK(p.hub.first == NULL);
  party_end(&p);
}

/* The same when the client sends more after its request than is kept: then
 * nothing is read, and only writing shows that it has gone. */
TEST(a_stream_to_who_has_gone) {
  static char noise[20000];
  ws_connection_events events;
  party p;
  raw r;
  ask(&p, &r, &events, begin_answer);
  CHECK(raw_write(&p, &r, noise, sizeof noise));
  raw_read(&p, &r, 1);
  for (int i = 0; i < 5; i++) ws_loop_turn(p.loop, 1);
  ws_socket_reset_on_close(r.fd);
  raw_end(&r);
  for (int i = 0; i < 5; i++) ws_loop_turn(p.loop, 1);
  ws_connection_write(p.sides[0].connection, "b", 1);
  PARTY_UNTIL(&p, p.sides[0].gones, 1);
  CHECK(p.hub.first == NULL);
  party_end(&p);
}

/* A peer that reads while the loop is held up has not stopped taking, also when
 * the next turn begins with the timers. */
static void a_download_where_turns_serve(int most) {
  ws_connection_events events;
  party p;
  raw r = take_nothing(&p, &events, answer_at_length,
                       "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  raw busy = raw_open(&p);
  held_up(&p, most, &busy, &r, NULL, 0);
  for (int i = 0; i < 5; i++) ws_loop_turn(p.loop, 1);
  CHECK_INT(p.sides[0].gones, 0);
  party_pass(&p, 3 * 300); /* now it takes nothing more */
  CHECK_INT(p.sides[0].gones, 1);
  raw_end(&r);
  raw_end(&busy);
  party_end(&p);
}

TEST(a_download_while_the_loop_was_held_up) {
  a_download_where_turns_serve(INT_MAX);
  a_download_where_turns_serve(1);
}

/* But a peer that takes nothing is not waited for longer than a silent one. One
 * that has broken the protocol and does not hang up fails at once, and is soon
 * dropped. */
TEST(lingering_has_an_end) {
  ws_connection_events events;
  party p;
  raw r = take_nothing(&p, &events, answer_at_length,
                       "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  party_pass(&p, 299);
  CHECK_INT(p.sides[0].gones, 0);
  party_pass(&p, 2 * 300); /* the system may yet have taken some more */
  CHECK_INT(p.sides[0].gones, 1);
  raw q = raw_open(&p);
  CHECK(raw_write(&p, &q, "\xff\xff", 2));
  raw_read_to_end(&p, &q);
  CHECK_BYTES(q.data, q.len, "\x88\x02\x03\xea");
  PARTY_UNTIL(&p, party_other(&p)->closes, 1);
  party_pass(&p, 999);
  CHECK(p.hub.first != NULL && ws_connection_next(p.hub.first) == NULL);
  party_pass(&p, 1);
  CHECK(p.hub.first == NULL);
  raw_end(&r);
  raw_end(&q);
  party_end(&p);
}

/* ------------------------------------------------------- without timers */

static void never_fires(void *owner) { (void)owner; }

/* Uses up the room for timers: no further one can be started while there is no
 * memory. */
static void use_up_timers(party *p) {
  static ws_timer many[1000];
  size_t i = 0;
  memset(many, 0, sizeof many);
  ws_memory_fail(1, true);
  do many[i].fire = never_fires;
  while (ws_loop_start_timer(p->loop, &many[i++], 1000000) == WS_OK);
  ws_memory_fail(0, false);
}

static void begin_answer_without_timers(void *owner) {
  begin_answer(owner);
  use_up_timers(((side *)owner)->party);
  ws_memory_fail(1, true);
}

/* Plain HTTP: an answer of which only the deadline cannot be kept is ended. */
TEST(an_answer_without_a_timer) {
  party p;
  ws_connection_events events = side_events;
  party_begin(&p);
  events.on_body_end = begin_answer_without_timers;
  p.served = &events;
  p.server_config->open_timeout = 0;
  p.server_config->idle_timeout = 500;
  party_listen(&p);
  raw r = raw_connect(party_port(&p));
  raw_say(&p, &r, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  PARTY_UNTIL(&p, p.sides[0].gones, 1);
  ws_memory_fail(0, false);
  raw_read_to_end(&p, &r);
  CHECK_BYTES(r.data, r.len, "ab");
  raw_end(&r);
  party_end(&p);
}

/* A peer that has broken the protocol and does not hang up is not waited for
 * without a deadline. It still gets the Close that says why. */
TEST(lingering_without_a_timer) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  use_up_timers(&p);
  ws_memory_fail(1, true);
  raw_heard(&p, &r, "\xff\xff");
  PARTY_UNTIL(&p, s->closes, 1);
  ws_memory_fail(0, false);
  CHECK_INT(s->status, WS_EPROTOCOL);
  CHECK(p.hub.first == NULL);
  raw_read_to_end(&p, &r);
  CHECK_BYTES(r.data, r.len, "\x88\x02\x03\xea");
  raw_end(&r);
  party_end(&p);
}

int main(void) {
  RUN(a_request_nobody_answers);
  RUN(an_answer_in_pieces);
  RUN(an_answer_that_stops);
  RUN(a_refusal_whose_body_does_not_come);
  RUN(a_redirect_gets_no_more_time);
  RUN(pings_are_answered);
  RUN(a_dead_peer_is_noticed);
  RUN(a_living_peer_is_kept);
  RUN(idleness);
  RUN(idleness_begins_when_it_opens);
  RUN(accepted_just_in_time);
  RUN(paused_is_not_dead);
  RUN(paused_with_input_at_hand);
  RUN(silence_after_a_pause);
  RUN(a_long_message_is_no_silence);
  RUN(a_late_pong_is_no_event);
  RUN(nobody_dies_of_a_loop_that_was_held_up);
  RUN(a_request_while_the_loop_was_held_up);
  RUN(an_answer_while_the_loop_was_held_up);
  RUN(a_close_while_the_loop_was_held_up);
  RUN(a_peer_that_reads_is_not_silent);
  RUN(an_answered_ping_is_no_idleness);
  RUN(nobody_is_idle_unasked);
  RUN(without_time_outs_no_pings);
  RUN(a_peer_that_never_answers_the_close);
  RUN(a_close_behind_a_long_message);
  RUN(a_close_that_never_leaves);
  RUN(a_peer_that_talks_on);
  RUN(closing_while_paused);
  RUN(a_server_that_does_not_end_tcp);
  RUN(a_slow_download);
  RUN(an_answer_cut_short);
  RUN(an_answer_not_taken);
  RUN(a_download_that_is_given_up);
  RUN(a_stream_to_who_has_gone);
  RUN(a_download_while_the_loop_was_held_up);
  RUN(lingering_has_an_end);
  RUN(an_answer_without_a_timer);
  RUN(lingering_without_a_timer);
  return check_done();
}
