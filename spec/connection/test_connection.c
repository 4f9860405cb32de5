/* SPDX-License-Identifier: MIT */
/* One connection's life: messages, closing from both ends, deadlines, what
 * handlers may do. Covers connection.c and its parts _read, _write, _time. */
#include "connection/raw.h"

#define TERMINATED 1006

static void closed_with(side *s, unsigned code, bool clean) {
  PARTY_UNTIL(s->party, s->closes, 1);
  CHECK_INT(s->closes, 1);
  CHECK_INT(s->code, code);
  CHECK_INT(s->clean, clean);
}

/* ----------------------------------------------------------- messages */

TEST(echoes_of_all_lengths) {
  static const size_t lengths[] = {0,     1,     125,    126,    65535,
                                   65536, 70000, 300000, 5000000};
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p);
  char *data = malloc(5000000);
  for (size_t i = 0; i < 5000000; i++) data[i] = (char)(i * 7 + i / 251);
  for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    CHECK_INT(ws_connection_send(s->connection, WS_BINARY, data, lengths[i],
                                 NULL),
              WS_OK);
    PARTY_UNTIL(&p, s->messages, i + 1);
    CHECK_INT(s->last_len, lengths[i]);
    CHECK(memcmp(s->last, data, lengths[i]) == 0);
    CHECK_INT(s->opcode, WS_BINARY);
  }
  free(data);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

/* S159: byte by byte gives what one read gives. */
TEST(one_byte_at_a_time) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  uint8_t bytes[100];
  size_t len = raw_put(bytes, 0x01, "Hel", 3);
  len += raw_put(bytes + len, 0x89, "ping", 4);
  len += raw_put(bytes + len, 0x80, "lo", 2);
  for (size_t i = 0; i < len; i++) CHECK(raw_write(&p, &r, &bytes[i], 1));
  raw_read(&p, &r, 13);
  CHECK_BYTES(r.data, r.len, "\x8a\x04ping\x81\x05Hello");
  raw_end(&r);
  party_end(&p);
}

TEST(many_in_one_read) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  uint8_t bytes[20000];
  size_t len = 0;
  for (int i = 0; i < 2000; i++) len += raw_put(bytes + len, 0x82, "abc", 3);
  CHECK(raw_write(&p, &r, bytes, len));
  raw_read(&p, &r, 2000 * 5);
  CHECK_INT(r.len, 2000 * 5);
  CHECK_INT(party_other(&p)->messages, 2000);
  raw_end(&r);
  party_end(&p);
}

/* ------------------------------------------------------------ closing */

TEST(the_client_closes) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  ws_connection_close(s->connection, 3000, "bye", 3);
  CHECK_INT(ws_connection_state(s->connection), WS_CLOSING);
  CHECK_INT(s->closes, 0);
  closed_with(s, 3000, true);
  closed_with(other, 3000, true);
  CHECK(strcmp(other->reason, "bye") == 0);
  CHECK_INT(s->errors + other->errors, 0);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(the_server_closes) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  ws_connection_close(other->connection, 0, NULL, 0);
  closed_with(s, 1005, true);
  closed_with(other, 1005, true);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(both_close_at_once) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  ws_connection_close(s->connection, 3001, NULL, 0);
  ws_connection_close(other->connection, 3002, NULL, 0);
  closed_with(s, 3002, true);
  closed_with(other, 3001, true);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

/* R31: a client's Close is answered, and the server ends TCP. */
TEST(the_server_ends_tcp_first) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  raw_frame(&p, &r, 0x88, "\x0b\xb8" "bye");
  raw_read_to_end(&p, &r);
  CHECK_BYTES(r.data, r.len, "\x88\x05\x0b\xb8" "bye");
  CHECK(r.ended);
  closed_with(party_other(&p), 3000, true);
  raw_end(&r);
  party_end(&p);
}

/* R35: TCP ends without a Close. */
TEST(tcp_ends_without_a_close) {
  party p;
  party_begin(&p);
  party_listen(&p);
  raw r = raw_open(&p);
  raw_end(&r);
  side *s = party_other(&p);
  closed_with(s, TERMINATED, false);
  CHECK_INT(s->errors, 1);
  CHECK_INT(s->status, WS_ECONNRESET);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

/* R28, R30: each fault has its code, one error and one close. */
TEST(broken_bytes_end_that_connection_only) {
  static const struct {
    const char *bytes;
    size_t len;
    int status;
    const char *close;
  } cases[] = {
      {"\x81\x01x", 3, WS_EPROTOCOL, "\x88\x02\x03\xea"},
      {"\xc1\x80\0\0\0\0", 6, WS_EPROTOCOL, "\x88\x02\x03\xea"},
      {"\x81\x81\0\0\0\0\xff", 7, WS_EUTF8, "\x88\x02\x03\xef"},
      {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14, WS_ETOOBIG,
       "\x88\x02\x03\xf1"},
      {"\x88\x81\0\0\0\0\x03", 7, WS_EPROTOCOL, "\x88\x02\x03\xea"},
  };
  party p;
  party_begin(&p);
  party_listen(&p);
  side *good = party_open(&p);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    raw r = raw_open(&p);
    side *s = party_other(&p);
    CHECK(raw_write(&p, &r, cases[i].bytes, cases[i].len));
    raw_read_to_end(&p, &r);
    CHECK(r.len == 4 && memcmp(r.data, cases[i].close, 4) == 0);
    CHECK(r.ended);
    closed_with(s, TERMINATED, false);
    CHECK_INT(s->errors, 1);
    CHECK_INT(s->status, cases[i].status);
    raw_end(&r);
  }
  party_send(good, "still here");
  PARTY_UNTIL(&p, good->messages, 1);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(a_peer_that_never_answers_the_close) {
  party p;
  party_begin(&p);
  p.server_config->close_timeout = 50;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  ws_connection_close(s->connection, 1000, NULL, 0);
  closed_with(s, TERMINATED, false);
  raw_end(&r);
  party_end(&p);
}

TEST(terminating) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  ws_connection_terminate(s->connection);
  CHECK_INT(s->closes, 0); /* not inside the call */
  closed_with(s, TERMINATED, false);
  CHECK_INT(s->errors, 0);
  closed_with(other, TERMINATED, false);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

/* ------------------------------------------------------ sending, buffers */

TEST(what_is_buffered) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  CHECK_INT(ws_connection_send(s->connection, WS_TEXT, "hello", 5, NULL),
            WS_OK);
  CHECK_INT(ws_connection_buffered(s->connection), 5); /* S98 */
  PARTY_UNTIL(&p, s->messages, 1);
  CHECK_INT(ws_connection_buffered(s->connection), 0);
  ws_connection_close(s->connection, 0, NULL, 0);
  ws_connection_send(s->connection, WS_TEXT, "late", 4, NULL);
  CHECK_INT(ws_connection_buffered(s->connection), 4); /* S103 */
  closed_with(s, 1005, true);
  ws_connection_send(s->connection, WS_TEXT, "later", 5, NULL);
  CHECK_INT(ws_connection_buffered(s->connection), 9); /* never falls */
  CHECK_INT(other->messages, 1);
  party_end(&p);
}

TEST(drain_comes_when_it_was_asked_for) {
  party p;
  party_begin(&p);
  party_listen(&p);
  p.echo = false;
  side *s = party_open(&p);
  char *block = calloc(1, 1 << 20);
  CHECK(ws_connection_writable(s->connection));
  ws_connection_send(s->connection, WS_BINARY, block, 1 << 20, NULL);
  CHECK(!ws_connection_writable(s->connection));
  PARTY_UNTIL(&p, s->drains, 1);
  CHECK(ws_connection_buffered(s->connection) <= p.client_config->low_water);
  PARTY_UNTIL(&p, party_other(&p)->messages, 1);
  CHECK_INT(s->drains, 1);
  free(block);
  party_end(&p);
}

/* A peer that does not read: its own connection goes, with 1013. */
TEST(too_slow_a_reader) {
  party p;
  party_begin(&p);
  p.server_config->max_backpressure = 1 << 20;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  char *block = calloc(1, 1 << 18);
  for (int i = 0; i < 400 && s->closes == 0; i++) {
    ws_connection_send(s->connection, WS_BINARY, block, 1 << 18, NULL);
    CHECK(ws_connection_buffered(s->connection) < (4u << 20) || i > 4);
    ws_loop_turn(p.loop, 0);
  }
  PARTY_UNTIL(&p, s->closes, 1);
  CHECK_INT(s->status, WS_EBACKPRESSURE);
  CHECK_INT(s->code, 1013);
  free(block);
  raw_end(&r);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(pausing_holds_the_peer_back) {
  party p;
  party_begin(&p);
  party_listen(&p);
  p.echo = false;
  side *s = party_open(&p), *other = party_other(&p);
  ws_connection_pause(other->connection, WS_PAUSE_USER, true);
  ws_connection_pause(other->connection, WS_PAUSE_QUEUE, true);
  party_send(s, "one");
  for (int i = 0; i < 20; i++) ws_loop_turn(p.loop, 1);
  CHECK_INT(other->messages, 0);
  ws_connection_pause(other->connection, WS_PAUSE_USER, false);
  for (int i = 0; i < 20; i++) ws_loop_turn(p.loop, 1);
  CHECK_INT(other->messages, 0); /* the other reason holds */
  ws_connection_pause(other->connection, WS_PAUSE_QUEUE, false);
  PARTY_UNTIL(&p, other->messages, 1);
  party_end(&p);
}

static void pause_at_third(side *s, const char *event) {
  if (!s->client && strcmp(event, "message") == 0 && s->messages == 3)
    ws_connection_pause(s->connection, WS_PAUSE_USER, true);
}

/* Messages of one read that come after a pause wait, and none is lost. */
TEST(pausing_in_the_middle_of_a_read) {
  party p;
  party_begin(&p);
  p.react = pause_at_third;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  uint8_t bytes[200];
  size_t len = 0;
  for (int i = 0; i < 9; i++) len += raw_put(bytes + len, 0x81, "m", 1);
  CHECK(raw_write(&p, &r, bytes, len));
  for (int i = 0; i < 20; i++) ws_loop_turn(p.loop, 1);
  CHECK_INT(s->messages, 3);
  ws_connection_pause(s->connection, WS_PAUSE_USER, false);
  PARTY_UNTIL(&p, s->messages, 9);
  raw_end(&r);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

/* ------------------------------------------------------ pings and time */

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

TEST(a_dead_peer_is_noticed) {
  party p;
  party_begin(&p);
  p.server_config->ping_interval = 30;
  p.server_config->ping_timeout = 30;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  closed_with(s, TERMINATED, false);
  CHECK_INT(s->status, WS_ETIMEDOUT);
  raw_read(&p, &r, 2);
  CHECK(r.len >= 2 && (uint8_t)r.data[0] == 0x89); /* it was asked */
  raw_end(&r);
  party_end(&p);
}

TEST(a_living_peer_is_kept) {
  party p;
  party_begin(&p);
  p.server_config->ping_interval = 20;
  p.server_config->ping_timeout = 2000;
  party_listen(&p);
  side *s = party_open(&p), *other = party_other(&p);
  PARTY_UNTIL(&p, s->pings, 3);
  CHECK_INT(other->errors, 0);
  CHECK(ws_connection_latency(other->connection) >= 0);
  CHECK(ws_connection_latency(s->connection) < 0);
  party_end(&p);
}

TEST(idleness) {
  party p;
  party_begin(&p);
  p.server_config->idle_timeout = 80;
  party_listen(&p);
  raw r = raw_open(&p);
  side *s = party_other(&p);
  closed_with(s, TERMINATED, false);
  CHECK_INT(s->status, WS_ETIMEDOUT);
  raw_read(&p, &r, 2);
  CHECK((uint8_t)r.data[0] == 0x89); /* a ping half-way */
  raw_end(&r);
  party_end(&p);
}

/* ---------------------------------------------------- handlers do as they like */

static const char *when;
static int action;

static void act(side *s, const char *event) {
  if (strcmp(event, when) != 0 || !s->connection) return;
  switch (action) {
    case 0: ws_connection_close(s->connection, 1000, NULL, 0); break;
    case 1: ws_connection_terminate(s->connection); break;
    case 2:
      ws_connection_release(s->connection);
      s->connection = NULL;
      break;
    case 3: ws_connection_send(s->connection, WS_TEXT, "more", 4, NULL); break;
    case 4: ws_connection_fail(s->connection, WS_EPOLICY, "test"); break;
    case 5: ws_connection_pause(s->connection, WS_PAUSE_USER, true); break;
    default: ws_server_close(s->party->server, 1001); break;
  }
}

/* Every event x every action, on both sides; then a fresh client is served,
 * and nothing is left. */
TEST(handlers_do_anything) {
  static const char *const events[] = {"open",  "message", "ping", "pong",
                                       "drain", "error",   "close"};
  for (size_t e = 0; e < sizeof events / sizeof *events; e++) {
    for (action = 0; action <= 6; action++) {
      party p;
      when = events[e];
      party_begin(&p);
      p.client_config->high_water = p.server_config->high_water = 1;
      p.client_config->low_water = p.server_config->low_water = 1;
      p.react = act;
      party_listen(&p);
      side *s = party_connect(&p);
      for (int i = 0; i < 40; i++) {
        ws_loop_turn(p.loop, 1);
        if (!s->connection || s->opens == 0 || s->closes > 0) continue;
        ws_connection_send(s->connection, WS_TEXT, "hello", 5, NULL);
        ws_connection_ping(s->connection, WS_PING, "", 0);
        ws_connection_writable(s->connection);
        if (i == 30) ws_connection_close(s->connection, 1000, NULL, 0);
      }
      for (size_t i = 0; i < p.count; i++) CHECK(p.sides[i].closes <= 1);
      party_end(&p);
      CHECK_INT(ws_memory_live(), 0);
    }
  }
}

/* Failing at the n-th allocation of a whole conversation. */
TEST(without_memory) {
  for (uint64_t n = 1; n < 120; n++) {
    party p;
    party_begin(&p);
    party_listen(&p);
    side *s = party_connect(&p);
    ws_memory_fail(n, 0);
    bool sent = false;
    for (int i = 0; i < 60 && s->closes == 0; i++) {
      ws_loop_turn(p.loop, 2);
      if (s->opens && !sent) {
        static char block[40000];
        ws_connection_send(s->connection, WS_BINARY, block, sizeof block,
                           NULL);
        sent = true;
      }
      if (s->messages) ws_connection_close(s->connection, 1000, NULL, 0);
    }
    ws_memory_fail(0, 0);
    PARTY_UNTIL(&p, s->closes, 1);
    CHECK(s->errors <= 1);
    party_end(&p);
    CHECK_INT(ws_memory_live(), 0);
  }
}

int main(void) {
  RUN(echoes_of_all_lengths);
  RUN(one_byte_at_a_time);
  RUN(many_in_one_read);
  RUN(the_client_closes);
  RUN(the_server_closes);
  RUN(both_close_at_once);
  RUN(the_server_ends_tcp_first);
  RUN(tcp_ends_without_a_close);
  RUN(broken_bytes_end_that_connection_only);
  RUN(a_peer_that_never_answers_the_close);
  RUN(terminating);
  RUN(what_is_buffered);
  RUN(drain_comes_when_it_was_asked_for);
  RUN(too_slow_a_reader);
  RUN(pausing_holds_the_peer_back);
  RUN(pausing_in_the_middle_of_a_read);
  RUN(pings_are_answered);
  RUN(a_dead_peer_is_noticed);
  RUN(a_living_peer_is_kept);
  RUN(idleness);
  RUN(handlers_do_anything);
  RUN(without_memory);
  return check_done();
}
