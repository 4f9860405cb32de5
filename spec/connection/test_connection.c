/* SPDX-License-Identifier: MIT */
/* One connection's life: messages, closing from either end, failing, and what
 * handlers may do. Reading, writing and waiting have files of their own. */
#include "connection/raw.h"

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
}

/* ------------------------------------------------ handlers do as they like */

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
    case 4: ws_connection_fail(s->connection, WS_EPROTOCOL, "test"); break;
    case 5: ws_connection_pause(s->connection, WS_PAUSE_USER, true); break;
    default: ws_server_close(s->party->server, 1001); break;
  }
}

/* Every action in every event, on both sides; then a fresh client is served,
 * and nothing is left behind. */
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
    }
  }
}

static const char *farewell;

static void end_in_a_task(side *s, const char *event) {
  if (!s->client || !s->connection) return;
  if (strcmp(event, "drain") == 0)
    ws_connection_fail(s->connection, WS_ECONNRESET, NULL);
  if (strcmp(event, farewell) == 0) {
    ws_connection_release(s->connection);
    s->connection = NULL;
  }
}

/* It dies at the end of one turn, and has its last events in the next, when
 * only the owner still holds it: releasing it there is allowed. */
TEST(released_in_its_last_events) {
  static const char *const last[] = {"error", "close"};
  for (size_t i = 0; i < 2; i++) {
    party p;
    farewell = last[i];
    party_begin(&p);
    p.client_config->high_water = 1;
    p.client_config->low_water = 1;
    p.react = end_in_a_task;
    party_listen(&p);
    side *s = party_open(&p);
    party_send(s, "hello");
    CHECK(!ws_connection_writable(s->connection));
    PARTY_UNTIL(&p, s->errors, 1);
    PARTY_UNTIL(&p, party_other(&p)->closes, 1);
    CHECK_INT(s->errors, 1);
    CHECK_INT(s->closes, i); /* if released in on_error, no more events */
    CHECK(s->connection == NULL);
    party_end(&p);
  }
}

static char order[8][8];
static size_t order_len;

static void write_down(side *s, const char *event) {
  if (!s->client || order_len == 8) return;
  CHECK_INT(ws_connection_state(s->connection),
            strcmp(event, "open") == 0 || strcmp(event, "message") == 0
                ? WS_OPEN
                : WS_CLOSED);
  snprintf(order[order_len++], sizeof order[0], "%s", event);
}

/* S70, S71: open, message, error, close; the last two in state 3. */
TEST(the_order_of_events) {
  party p;
  order_len = 0;
  party_begin(&p);
  p.client_config->session.limits.max_payload = 5;
  p.react = write_down;
  party_listen(&p);
  side *s = party_open(&p);
  party_send(s, "short");
  party_send(s, "too long");
  party_send(s, "never seen");
  PARTY_UNTIL(&p, s->closes, 1);
  CHECK_INT(s->status, WS_ETOOBIG);
  PARTY_UNTIL(&p, party_other(&p)->closes, 1);
  CHECK_INT(party_other(&p)->code, 1009);
  CHECK_INT(order_len, 4);
  CHECK(strcmp(order[0], "open") == 0 && strcmp(order[1], "message") == 0);
  CHECK(strcmp(order[2], "error") == 0 && strcmp(order[3], "close") == 0);
  party_end(&p);
}

/* A whole conversation: connecting, a message each way, closing. */
static void talk(party *p, side *s) {
  static char block[100000];
  bool sent = false;
  for (int i = 0; i < 60 && s->closes == 0; i++) {
    ws_loop_turn(p->loop, 2);
    if (s->opens && !sent) {
      ws_connection_send(s->connection, WS_TEXT, "short", 5, NULL);
      ws_connection_send(s->connection, WS_BINARY, block, sizeof block, NULL);
      sent = true;
    }
    if (s->messages == 2)
      ws_connection_close(s->connection, 3000, "bye", 3);
  }
}

/* So many failures in a row without effect mean that no allocation is left to
 * fail: the corks can do without their blocks. */
#define UNTOUCHED (WS_CORKS + 5)

/* The n-th allocation of a conversation fails, only that one or all from there
 * on, for every n until none is left to fail. */
static void talk_without_memory(int forever) {
  unsigned untouched = 0, failures = 0;
  uint64_t n = 1;
  for (; untouched < UNTOUCHED && n < 300; n++) {
    party p;
    party_begin(&p);
    party_listen(&p);
    side *s = party_connect(&p);
    ws_memory_fail(n, forever);
    talk(&p, s);
    ws_memory_fail(0, 0);
    for (size_t i = 0; i < p.count; i++)
      PARTY_UNTIL_THAT(&p, p.sides[i].closes + p.sides[i].gones == 1);
    CHECK_INT(s->closes, 1);
    for (size_t i = 0; i < p.count; i++) {
      side *any = &p.sides[i];
      CHECK(any->errors <= 1);
      CHECK(any->closes == 0 || any->clean == (any->errors == 0));
    }
    bool whole = p.count == 2 && s->clean && s->code == 3000 &&
                 s->messages == 2 && p.sides[1].clean;
    untouched = whole ? untouched + 1 : 0;
    failures += !whole;
    party_end(&p);
  }
  CHECK(failures > 10);
  CHECK_INT(untouched, UNTOUCHED);
}

TEST(without_memory_once) { talk_without_memory(0); }
TEST(without_memory_ever_after) { talk_without_memory(1); }

static void pause_then_terminate(side *s, const char *event) {
  if (s->client || strcmp(event, "message") != 0) return;
  if (s->messages == 1)
    ws_connection_pause(s->connection, WS_PAUSE_USER, true);
  else
    ws_connection_terminate(s->connection);
}

/* A server's side that dies in a task, so that its last events come only in the
 * next turn. */
static side *dead_but_not_told(party *p, side **client) {
  p->react = pause_then_terminate;
  party_listen(p);
  *client = party_open(p);
  side *other = party_other(p);
  party_send(*client, "one");
  party_send(*client, "two");
  PARTY_UNTIL(p, other->messages, 1);
  ws_loop_turn(p->loop, 5);
  ws_connection_pause(other->connection, WS_PAUSE_USER, false);
  PARTY_UNTIL(p, other->messages, 2);
  CHECK_INT(other->closes, 0);
  return other;
}

TEST(the_hub_ends_between_its_death_and_its_end) {
  party p;
  side *client;
  party_begin(&p);
  side *other = dead_but_not_told(&p, &client);
  ws_hub_deinit(&p.hub);
  CHECK_INT(ws_connection_state(other->connection), WS_CLOSED);
  party_end(&p);
  CHECK_INT(other->closes, 0);
}

/* Its waiting events go with it, and it no longer keeps the loop alive. */
TEST(released_between_its_death_and_its_end) {
  party p;
  side *s;
  party_begin(&p);
  side *other = dead_but_not_told(&p, &s);
  ws_connection_release(other->connection);
  ws_connection_release(s->connection);
  s->connection = other->connection = NULL;
  ws_server_close(p.server, 1001);
  PARTY_UNTIL(&p, p.server_closed, 1);
  PARTY_UNTIL_THAT(&p, !ws_loop_alive(p.loop));
  party_end(&p);
}

int main(void) {
  RUN(echoes_of_all_lengths);
  RUN(the_client_closes);
  RUN(the_server_closes);
  RUN(both_close_at_once);
  RUN(the_server_ends_tcp_first);
  RUN(tcp_ends_without_a_close);
  RUN(broken_bytes_end_that_connection_only);
  RUN(terminating);
  RUN(handlers_do_anything);
  RUN(released_in_its_last_events);
  RUN(the_order_of_events);
  RUN(without_memory_once);
  RUN(without_memory_ever_after);
  RUN(the_hub_ends_between_its_death_and_its_end);
  RUN(released_between_its_death_and_its_end);
  return check_done();
}
