/* SPDX-License-Identifier: MIT */
/* Short frames that are published to many in one turn share a run of bytes, and
 * arrive in order, whatever else is sent between them. */
#include "connection/subscribing.h"

enum { READERS = 5 };

/* A client that keeps all messages it gets, as one text. */
typedef struct reader {
  side *client, *served;
  char all[200000];
  size_t len;
} reader;

static reader readers[READERS];

static void on_event(side *s, const char *event) {
  if (strcmp(event, "message") != 0) return;
  for (int i = 0; i < READERS; i++) {
    reader *r = &readers[i];
    if (r->client != s || r->len + s->last_len > sizeof r->all) continue;
    memcpy(r->all + r->len, s->last, s->last_len);
    r->len += s->last_len;
  }
}

/* What the server does within one turn. */
static void (*script)(party *p);

static void on_go(side *s, const char *event) {
  if (strcmp(event, "message") == 0) script(s->party);
}

static void begin(party *p) {
  party_begin(p);
  party_listen(p);
  memset(readers, 0, sizeof readers);
  for (int i = 0; i < READERS; i++) {
    readers[i].served = join(p, &readers[i].client);
    readers[i].client->react = on_event;
    subscribe(p, readers[i].served, "t");
  }
}

static void play(party *p, void (*what)(party *)) {
  side *client;
  script = what;
  join(p, &client)->react = on_go;
  ws_connection_send(client->connection, WS_TEXT, "go", 2, NULL);
}

static void end(party *p) {
  party_end(p);
}

/* ------------------------------------------------------------- one run */

static size_t live_within;
static char long_text[1000];

static void publish_many(party *p) {
  char text[8];
  size_t live = ws_memory_live();
  for (int i = 0; i < 100; i++) {
    snprintf(text, sizeof text, "%03d ", i);
    CHECK_INT(publish(p, "t", text, NULL), READERS);
  }
  live_within = ws_memory_live() - live;
}

TEST(many_in_a_turn_take_a_chunk_each_reader) {
  party p;
  begin(&p);
  for (unsigned turn = 1; turn <= 3; turn++) {
    play(&p, publish_many);
    for (int i = 0; i < READERS; i++) {
      PARTY_UNTIL(&p, readers[i].client->messages, turn * 100);
      CHECK_INT(readers[i].len, turn * 400);
      CHECK_BYTES(readers[i].all, 12, "000 001 002 ");
      CHECK(memcmp(readers[i].all + (turn - 1) * 400, readers[0].all, 400) ==
            0);
    }
    /* The first turn makes the run, the others use it. */
    CHECK_INT(live_within, READERS + (turn == 1));
  }
  end(&p);
}

/* A run in which nothing waits any more is used again. */
TEST(who_is_not_slow_needs_one_run) {
  enum { MANY = 40 };
  party p;
  side *client;
  party_begin(&p);
  party_listen(&p);
  subscribe(&p, join(&p, &client), "t");
  memset(long_text, 'x', sizeof long_text - 1);
  publish(&p, "t", long_text, NULL); /* makes the run */
  ws_memory_fail(1000, 0);
  for (int i = 0; i < MANY; i++)
    CHECK_INT(publish(&p, "t", long_text, NULL), 1);
  CHECK_INT(1000 - ws_memory_fail(0, 0), MANY); /* a chunk for each */
  PARTY_UNTIL(&p, client->messages, MANY + 1);
  end(&p);
}

static void publish_more_than_a_run(party *p) {
  for (int i = 0; i < 100; i++) {
    memset(long_text, 'a' + i % 26, sizeof long_text - 1);
    CHECK_INT(publish(p, "t", long_text, NULL), READERS);
  }
}

TEST(more_than_a_run_holds) {
  party p;
  begin(&p);
  play(&p, publish_more_than_a_run);
  for (int i = 0; i < READERS; i++) {
    PARTY_UNTIL(&p, readers[i].client->messages, 100);
    CHECK_INT(readers[i].len, 99900);
    for (size_t at = 0; at < 99900; at += 111)
      CHECK_INT(readers[i].all[at], 'a' + (char)(at / 999 % 26));
  }
  end(&p);
}

/* ------------------------------------------------------ with other things */

static void send_text(side *s, const char *text) {
  ws_connection_send(s->connection, WS_TEXT, text, strlen(text), NULL);
}

static void publish_among_others(party *p) {
  static char block[1500]; /* long: a block of its own */
  memset(block, 'L', sizeof block - 1);
  publish(p, "t", "1", NULL);
  publish(p, "t", "2", NULL);
  send_text(readers[0].served, "own");
  publish(p, "t", "3", readers[1].served);
  publish(p, "t", "4", NULL);
  publish(p, "t", block, NULL);
  publish(p, "t", "5", NULL);
  ws_topics_unsubscribe(topics(p), readers[2].served->connection,
                        ws_slice_of("t"));
  publish(p, "t", "6", NULL);
  send_text(readers[0].served, "end");
}

TEST(order_among_other_frames) {
  party p;
  begin(&p);
  play(&p, publish_among_others);
  PARTY_UNTIL(&p, readers[0].client->messages, 9);
  PARTY_UNTIL(&p, readers[1].client->messages, 6);
  PARTY_UNTIL(&p, readers[2].client->messages, 6);
  PARTY_UNTIL(&p, readers[3].client->messages, 7);
  CHECK_BYTES(readers[0].all, 7, "12own34");
  CHECK_BYTES(readers[0].all + 7 + 1499, readers[0].len - 7 - 1499, "56end");
  CHECK_BYTES(readers[1].all, 3, "124");
  CHECK_BYTES(readers[1].all + 3 + 1499, readers[1].len - 3 - 1499, "56");
  CHECK_BYTES(readers[2].all, 4, "1234");
  CHECK_BYTES(readers[2].all + 4 + 1499, readers[2].len - 4 - 1499, "5");
  end(&p);
}

static void publish_in_turns(party *p) {
  for (int i = 0; i < 20; i++) {
    publish(p, "t", "t", NULL);
    publish(p, "u", "u", NULL);
  }
}

TEST(topics_in_turns) {
  party p;
  begin(&p);
  subscribe(&p, readers[0].served, "u");
  subscribe(&p, readers[1].served, "u");
  ws_topics_unsubscribe(topics(&p), readers[1].served->connection,
                        ws_slice_of("t"));
  play(&p, publish_in_turns);
  PARTY_UNTIL(&p, readers[0].client->messages, 40);
  PARTY_UNTIL(&p, readers[1].client->messages, 20);
  PARTY_UNTIL(&p, readers[2].client->messages, 20);
  CHECK_BYTES(readers[0].all, 8, "tutututu");
  CHECK_BYTES(readers[1].all, 8, "uuuuuuuu");
  CHECK_BYTES(readers[2].all, 8, "tttttttt");
  end(&p);
}

/* ---------------------------------------------------------- compression */

static void begin_compressing(party *p) {
  party_begin(p);
  p->server_config->session.deflate =
      (ws_deflate_options){.enabled = true, .level = 6, .threshold = 100};
  p->server_config->session.pool = &p->hub.deflate;
  p->client_config->session.deflate = p->server_config->session.deflate;
  p->client_config->session.pool = &p->hub.deflate;
  party_listen(p);
}

static raw raw_subscriber(party *p, const char *extensions) {
  raw r = raw_connect(party_port(p));
  char request[1000];
  snprintf(request, sizeof request, "%.*s%s\r\n",
           (int)strlen(RAW_REQUEST) - 2, RAW_REQUEST, extensions);
  raw_say(p, &r, request);
  raw_read_until(p, &r, "\r\n\r\n");
  CHECK(raw_has(&r, "HTTP/1.1 101 "));
  subscribe(p, party_other(p), "t");
  r.len = 0;
  return r;
}

/* Letters without repetition. */
static void noise(char *text, size_t len, uint32_t seed) {
  for (size_t i = 0; i < len; i++) {
    seed = seed * 1664525 + 1013904223;
    text[i] = (char)('a' + (seed >> 16) % 26);
  }
  text[len] = 0;
}

/* RFC 7692, section 7: compressed, if long enough, for those who agreed on it,
 * and alike for all who have the same window. */
TEST(compressed_alike_for_those_who_agreed) {
  static const char *const offers[] = {
      "Sec-WebSocket-Extensions: permessage-deflate\r\n",
      "Sec-WebSocket-Extensions: permessage-deflate\r\n", "",
      "Sec-WebSocket-Extensions: permessage-deflate; "
      "server_max_window_bits=9\r\n"};
  enum { USUAL, SAME, PLAIN, SMALL, ALL };
  party p;
  static raw r[ALL];
  begin_compressing(&p);
  for (int i = 0; i < ALL; i++) r[i] = raw_subscriber(&p, offers[i]);
  noise(long_text, 400, 1);
  noise(long_text + 400, 400, 1); /* too far away for 512 bytes of window */
  CHECK_INT(publish(&p, "t", long_text, NULL), ALL);
  CHECK_INT(publish(&p, "t", "short", NULL), ALL);
  for (int i = 0; i < ALL; i++) raw_read_until(&p, &r[i], "\x81\x05short");
  CHECK_BYTES(r[PLAIN].data, 4, "\x81\x7e\x03\x20");
  CHECK_INT(r[PLAIN].len, 4 + 800 + 7);
  for (int i = 0; i < ALL; i++)
    if (i != PLAIN) CHECK_INT((uint8_t)r[i].data[0], 0xc1); /* RSV1 */
  CHECK(r[USUAL].len < 400 && r[SMALL].len > r[USUAL].len + 100);
  CHECK_INT(r[SAME].len, r[USUAL].len);
  CHECK(memcmp(r[SAME].data, r[USUAL].data, r[SAME].len) == 0);
  for (int i = 0; i < ALL; i++) raw_end(&r[i]);
  end(&p);
}

/* RFC 7692, section 7.2.3.2: a message may refer to what the reader got before,
 * which includes publications that its own deflater has not made. */
TEST(what_is_sent_before_and_after_it_can_be_read) {
  char own[501], everyones[501];
  party p;
  side *clients[3], *served[3];
  begin_compressing(&p);
  for (int i = 0; i < 3; i++) {
    served[i] = join(&p, &clients[i]);
    subscribe(&p, served[i], "t");
  }
  noise(own, 500, 1);
  noise(everyones, 500, 2);
  for (unsigned round = 1; round <= 3; round++) {
    for (int i = 0; i < 3; i++) party_send(served[i], own);
    for (int i = 0; i < 3; i++) {
      PARTY_UNTIL(&p, clients[i]->messages, 2 * round - 1);
      CHECK_INT(clients[i]->last_len, 500);
      CHECK(memcmp(clients[i]->last, own, 500) == 0);
    }
    CHECK_INT(publish(&p, "t", everyones, NULL), 3);
    for (int i = 0; i < 3; i++) {
      PARTY_UNTIL(&p, clients[i]->messages, 2 * round);
      CHECK_INT(clients[i]->last_len, 500);
      CHECK(memcmp(clients[i]->last, everyones, 500) == 0);
    }
  }
  end(&p);
}

/* Where memory runs out for one reader, only that one is lost; ENOMEM says that
 * nobody is, as there was none for the message itself. */
TEST(compressed_without_memory) {
  unsigned lost = 0;
  memset(long_text, 'x', sizeof long_text - 1);
  for (uint64_t n = 1; n < 20; n++) {
    party p;
    side *clients[3], *served[3];
    begin_compressing(&p);
    for (int i = 0; i < 3; i++) {
      served[i] = join(&p, &clients[i]);
      subscribe(&p, served[i], "t");
    }
    ws_memory_fail(n, 0);
    ptrdiff_t sent = publish(&p, "t", long_text, NULL);
    ws_memory_fail(0, 0);
    ptrdiff_t good = 0;
    for (int i = 0; i < 3; i++)
      good += ws_connection_state(served[i]->connection) == WS_OPEN;
    if (good < 3) lost++;
    CHECK_INT(sent, good < 3 ? good : sent == WS_ENOMEM ? WS_ENOMEM : 3);
    end(&p);
  }
  CHECK(lost > 0);
}

/* ---------------------------------------------------------- slow readers */

/* A peer that does not read keeps copies of its own and no run, so that one run
 * is enough for all that is published. */
TEST(slow_readers_hold_no_run) {
  party p;
  begin(&p);
  raw r = raw_open(&p);
  side *slow = party_other(&p);
  subscribe(&p, slow, "t");
  memset(long_text, 'x', sizeof long_text - 1);
  unsigned sent = 0;
  while (ws_connection_buffered(slow->connection) < 100000 && sent < 100000) {
    publish(&p, "t", long_text, NULL);
    ws_loop_turn(p.loop, 0);
    sent++;
  }
  CHECK(ws_connection_buffered(slow->connection) >= 100000);
  for (int i = 0; i < READERS; i++)
    PARTY_UNTIL(&p, readers[i].client->messages, sent);
  size_t live = ws_memory_live();
  ws_topics_leave(topics(&p), slow->connection);
  raw_end(&r);
  PARTY_UNTIL(&p, slow->closes, 1);
  /* A chunk for each four frames, and not a run for each sixteen as well. */
  CHECK(live - ws_memory_live() <= 100000 / 3000 + 10);
  end(&p);
}

int main(void) {
  RUN(many_in_a_turn_take_a_chunk_each_reader);
  RUN(who_is_not_slow_needs_one_run);
  RUN(more_than_a_run_holds);
  RUN(order_among_other_frames);
  RUN(topics_in_turns);
  RUN(compressed_alike_for_those_who_agreed);
  RUN(what_is_sent_before_and_after_it_can_be_read);
  RUN(compressed_without_memory);
  RUN(slow_readers_hold_no_run);
  return check_done();
}
