/* SPDX-License-Identifier: MIT */
/* Topics: who gets which messages, and who leaves when. */
#include "connection/subscribing.h"

TEST(everyone_who_subscribed) {
  party p;
  side *a, *b, *c;
  party_begin(&p);
  party_listen(&p);
  side *sa = join(&p, &a), *sb = join(&p, &b);
  join(&p, &c);
  subscribe(&p, sa, "news");
  subscribe(&p, sb, "news");
  subscribe(&p, sb, "news"); /* twice is once */
  CHECK_INT(publish(&p, "news", "hello", NULL), 2);
  CHECK_INT(publish(&p, "nothing", "hello", NULL), 0);
  PARTY_UNTIL(&p, a->messages, 1);
  PARTY_UNTIL(&p, b->messages, 1);
  CHECK_BYTES(b->last, b->last_len, "hello");
  CHECK_INT(publish(&p, "news", "again", sb), 1);
  PARTY_UNTIL(&p, a->messages, 2);
  CHECK_INT(b->messages, 1);
  CHECK_INT(c->messages, 0);
  party_end(&p);
}

TEST(names_of_any_bytes) {
  party p;
  side *client;
  party_begin(&p);
  party_listen(&p);
  side *s = join(&p, &client);
  ws_slice odd = {"a\0b", 3}, even = {"a\0c", 3}, empty = {NULL, 0};
  CHECK_INT(ws_topics_subscribe(topics(&p), s->connection, odd), WS_OK);
  CHECK_INT(ws_topics_publish(topics(&p), even, WS_TEXT, "x", 1, NULL), 0);
  CHECK_INT(ws_topics_publish(topics(&p), odd, WS_TEXT, "x", 1, NULL), 1);
  CHECK_INT(ws_topics_subscribe(topics(&p), s->connection, empty), WS_OK);
  CHECK_INT(ws_topics_publish(topics(&p), empty, WS_TEXT, NULL, 0, NULL), 1);
  PARTY_UNTIL(&p, client->messages, 2);
  CHECK_INT(client->last_len, 0);
  party_end(&p);
}

/* Their hashes (FNV-1a) fill every bucket of the table, whenever it grows. */
TEST(all_names_of_one_byte) {
  party p;
  side *client;
  party_begin(&p);
  party_listen(&p);
  side *s = join(&p, &client);
  for (int i = 0; i < 256; i++) {
    char byte = (char)i;
    ws_slice name = {&byte, 1};
    CHECK_INT(ws_topics_subscribe(topics(&p), s->connection, name), WS_OK);
  }
  for (int i = 0; i < 256; i++) {
    char byte = (char)i;
    ws_slice name = {&byte, 1};
    CHECK_INT(ws_topics_publish(topics(&p), name, WS_TEXT, "x", 1, NULL), 1);
    CHECK(ws_topics_unsubscribe(topics(&p), s->connection, name));
  }
  CHECK_INT(topics(&p)->count, 0);
  party_end(&p);
}

/* Each pair of names has the same hash (FNV-1a). */
TEST(names_that_hash_alike) {
  static const char *const names[] = {"declinate", "macallums", "costarring",
                                      "liquid"};
  party p;
  side *clients[4];
  party_begin(&p);
  party_listen(&p);
  for (int i = 0; i < 4; i += 2)
    CHECK_INT(ws_slice_hash(ws_slice_of(names[i])),
              ws_slice_hash(ws_slice_of(names[i + 1])));
  for (int i = 0; i < 4; i++)
    subscribe(&p, join(&p, &clients[i]), names[i]);
  for (int i = 0; i < 4; i++)
    CHECK_INT(publish(&p, names[i], names[i], NULL), 1);
  for (int i = 0; i < 4; i++) {
    PARTY_UNTIL(&p, clients[i]->messages, 1);
    ws_slice last = {(const char *)clients[i]->last, clients[i]->last_len};
    CHECK(ws_slice_equal(last, ws_slice_of(names[i])));
  }
  party_end(&p);
}

TEST(unsubscribing) {
  party p;
  side *client;
  party_begin(&p);
  party_listen(&p);
  side *s = join(&p, &client);
  subscribe(&p, s, "one");
  subscribe(&p, s, "two");
  ws_slice name;
  CHECK(ws_topics_of(topics(&p), s->connection, 0, &name));
  CHECK(ws_topics_of(topics(&p), s->connection, 1, &name));
  CHECK(!ws_topics_of(topics(&p), s->connection, 2, &name));
  CHECK(ws_topics_unsubscribe(topics(&p), s->connection, ws_slice_of("one")));
  CHECK(
      !ws_topics_unsubscribe(topics(&p), s->connection, ws_slice_of("one")));
  CHECK(
      !ws_topics_unsubscribe(topics(&p), s->connection, ws_slice_of("six")));
  CHECK(ws_topics_of(topics(&p), s->connection, 0, &name));
  CHECK(ws_slice_equal(name, ws_slice_of("two")));
  CHECK_INT(publish(&p, "one", "x", NULL), 0);
  party_end(&p);
}

TEST(a_closed_connection_has_left) {
  party p;
  side *client;
  party_begin(&p);
  party_listen(&p);
  side *s = join(&p, &client);
  subscribe(&p, s, "news");
  ws_connection_terminate(client->connection);
  PARTY_UNTIL(&p, s->closes, 1);
  CHECK_INT(publish(&p, "news", "x", NULL), 0);
  CHECK_INT(topics(&p)->count, 0);
  party_end(&p);
}

TEST(thousands_of_topics) {
  party p;
  side *client;
  char name[32];
  party_begin(&p);
  party_listen(&p);
  side *s = join(&p, &client);
  for (int i = 0; i < 3000; i++) {
    snprintf(name, sizeof name, "topic %d", i);
    subscribe(&p, s, name);
  }
  CHECK_INT(topics(&p)->count, 3000);
  CHECK_INT(publish(&p, "topic 2999", "x", NULL), 1);
  CHECK_INT(publish(&p, "topic 3000", "x", NULL), 0);
  ws_topics_leave(topics(&p), s->connection);
  CHECK_INT(topics(&p)->count, 0);
  party_end(&p);
}

/* Whether this is the n-th topic of the side's connection. */
static bool nth_is(party *p, side *s, size_t nth, const char *expected) {
  ws_slice name;
  return ws_topics_of(topics(p), s->connection, nth, &name) &&
         ws_slice_equal(name, ws_slice_of(expected));
}

/* Topics are asked for in order, in any order, and with leaving in between. */
TEST(listing) {
  party p;
  side *a, *b;
  ws_slice none;
  party_begin(&p);
  party_listen(&p);
  side *sa = join(&p, &a), *sb = join(&p, &b);
  CHECK(!ws_topics_of(topics(&p), sa->connection, 0, &none));
  CHECK(!ws_topics_of(topics(&p), sa->connection, 1, &none));
  static const char *const names[] = {"1", "2", "3", "4"};
  for (int i = 0; i < 4; i++) subscribe(&p, sa, names[i]);
  subscribe(&p, sb, "3");
  for (size_t i = 0; i < 4; i++) CHECK(nth_is(&p, sa, i, names[i]));
  for (size_t i = 0; i < 4; i++) /* after each other one */
    for (size_t j = 0; j < 4; j++) {
      CHECK(nth_is(&p, sa, i, names[i]));
      CHECK(nth_is(&p, sa, j, names[j]));
    }
  CHECK(!ws_topics_of(topics(&p), sa->connection, 4, &none));
  CHECK(!ws_topics_of(topics(&p), sa->connection, 5, &none));
  CHECK(!ws_topics_of(topics(&p), sa->connection, 8, &none));
  CHECK(nth_is(&p, sa, 2, "3"));
  CHECK(nth_is(&p, sb, 0, "3"));
  CHECK(!ws_topics_of(topics(&p), sb->connection, 1, &none));
  CHECK(nth_is(&p, sa, 1, "2"));
  CHECK(ws_topics_unsubscribe(topics(&p), sa->connection, ws_slice_of("2")));
  CHECK(nth_is(&p, sa, 2, "4"));
  CHECK(ws_topics_unsubscribe(topics(&p), sa->connection, ws_slice_of("1")));
  CHECK(nth_is(&p, sa, 0, "3"));
  subscribe(&p, sa, "1"); /* goes to the end */
  CHECK(nth_is(&p, sa, 1, "4"));
  CHECK(nth_is(&p, sa, 2, "1"));
  CHECK(!ws_topics_of(topics(&p), sa->connection, 3, &none));
  CHECK_INT(topics(&p)->subscriptions, 4);
  ws_topics_leave(topics(&p), sa->connection);
  CHECK(!ws_topics_of(topics(&p), sa->connection, 0, &none));
  CHECK_INT(publish(&p, "3", "x", NULL), 1);
  CHECK_INT(topics(&p)->subscriptions, 1);
  party_end(&p);
}

/* Many connections subscribe to many topics: each subscription is independent,
 * whoever leaves. */
TEST(many_of_many) {
  enum { SIDES = 8, TOPICS = 300 };
  party p;
  side *client, *sides[SIDES];
  char name[32];
  party_begin(&p);
  party_listen(&p);
  for (int i = 0; i < SIDES; i++) sides[i] = join(&p, &client);
  for (int i = 0; i < SIDES; i++)
    for (int n = 0; n < TOPICS; n++) {
      snprintf(name, sizeof name, "topic %d", n);
      subscribe(&p, sides[i], name);
    }
  CHECK_INT(topics(&p)->subscriptions, SIDES * TOPICS);
  for (int i = 0; i < SIDES; i += 2)
    for (int n = 0; n < TOPICS; n += 3) {
      snprintf(name, sizeof name, "topic %d", n);
      ws_slice slice = ws_slice_of(name);
      CHECK(ws_topics_unsubscribe(topics(&p), sides[i]->connection, slice));
      CHECK(!ws_topics_unsubscribe(topics(&p), sides[i]->connection, slice));
    }
  for (int n = 0; n < TOPICS; n++) {
    snprintf(name, sizeof name, "topic %d", n);
    CHECK_INT(publish(&p, name, "x", NULL), n % 3 ? SIDES : SIDES / 2);
    for (int i = 0; i < SIDES; i++)
      CHECK_INT(ws_topics_unsubscribe(topics(&p), sides[i]->connection,
                                      ws_slice_of(name)),
                i % 2 || n % 3);
  }
  CHECK_INT(topics(&p)->count + topics(&p)->subscriptions, 0);
  party_end(&p);
}

static void join_many(ws_topics *many, ws_connection *connection,
                      size_t size) {
  char name[32];
  for (size_t i = 0; i < size; i++) {
    snprintf(name, sizeof name, "%zu", i);
    ws_topics_subscribe(many, connection, ws_slice_of(name));
  }
}

static void leave_many(ws_topics *many, ws_connection *connection) {
  ws_topics_leave(many, connection);
  ws_topics_deinit(many);
}

static void join_and_leave(void *subject, size_t size) {
  ws_topics many = {0};
  join_many(&many, subject, size);
  leave_many(&many, subject);
}

static void list(void *subject, size_t size) {
  ws_topics many = {0};
  ws_slice name;
  join_many(&many, subject, size);
  for (size_t i = 0; i < size; i++) ws_topics_of(&many, subject, i, &name);
  leave_many(&many, subject);
}

/* Joining, listing and leaving cost the same, however many topics there are. */
TEST(however_many_topics_there_are) {
  party p;
  side *client;
  party_begin(&p);
  party_listen(&p);
  ws_connection *connection = join(&p, &client)->connection;
  CHECK(check_linear(join_and_leave, connection, 2000));
  CHECK(check_linear(list, connection, 2000));
  party_end(&p);
}

/* Connections that are not open yet get nothing, but may be many. */
TEST(many_subscribers_of_one) {
  enum { MANY = 200 };
  party p;
  ws_topics own_topics = {0};
  ws_connection *all[MANY];
  party_begin(&p);
  side *nobody = party_side(&p, false);
  for (int i = 0; i < MANY; i++) {
    all[i] = ws_connection_new(&p.hub, p.server_config, &side_events, nobody);
    CHECK_INT(ws_topics_subscribe(&own_topics, all[i], ws_slice_of("t")),
              WS_OK);
  }
  CHECK_INT(own_topics.subscriptions, MANY);
  CHECK_INT(ws_topics_publish(&own_topics, ws_slice_of("t"), WS_TEXT, "x", 1,
                              NULL),
            0);
  for (int i = 0; i < MANY; i++) {
    ws_topics_leave(&own_topics, all[i]);
    CHECK_INT(own_topics.subscriptions, MANY - 1 - i);
    ws_connection_release(all[i]);
  }
  CHECK_INT(own_topics.count, 0);
  ws_topics_deinit(&own_topics);
  party_end(&p);
}

/* The frame is encoded once for all, so it takes the memory of one message. */
TEST(one_frame_for_all) {
  party p;
  party_begin(&p);
  party_listen(&p);
  static char text[20000];
  for (int i = 0; i < 10; i++) {
    side *client;
    subscribe(&p, join(&p, &client), "t");
  }
  size_t live = ws_memory_live();
  CHECK_INT(ws_topics_publish(topics(&p), ws_slice_of("t"), WS_BINARY, text,
                              sizeof text, NULL),
            10);
  CHECK(ws_memory_live() <= live + 11); /* the frame and ten places */
  for (size_t i = 0; i < p.count; i++)
    if (p.sides[i].client) PARTY_UNTIL(&p, p.sides[i].messages, 1);
  party_end(&p);
}

/* Tries with each allocation failing until subscribing succeeds, then leaves.
 * Returns how many allocations could fail. */
static int failing_to_subscribe(party *p, side *s) {
  for (int failures = 0;; failures++) {
    ws_memory_fail((uint64_t)failures + 1, 0);
    int status = ws_topics_subscribe(topics(p), s->connection,
                                     ws_slice_of("topic"));
    ws_memory_fail(0, 0);
    if (status == WS_OK) {
      ws_topics_leave(topics(p), s->connection);
      return failures;
    }
    CHECK_INT(status, WS_ENOMEM);
    CHECK_INT(topics(p)->count, 0);
  }
}

/* Whichever allocation fails, subscribing and publishing fail wholly or not at
 * all. */
TEST(without_memory) {
  party p;
  side *client;
  party_begin(&p);
  party_listen(&p);
  side *s = join(&p, &client);
  CHECK(failing_to_subscribe(&p, s) >= 2);
  /* The tables exist now, so the n-th allocation is another one. */
  CHECK_INT(failing_to_subscribe(&p, s), 3);
  subscribe(&p, s, "t");
  ws_memory_fail(1, 0);
  CHECK_INT(publish(&p, "t", "x", NULL), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK_INT(publish(&p, "t", "y", NULL), 1);
  PARTY_UNTIL(&p, client->messages, 1);
  CHECK_BYTES(client->last, client->last_len, "y");
  party_end(&p);
}

/* Compressed once for those who share parameters (RFC 7692); what each is sent
 * before and after can still be read. */
TEST(compressed_for_those_who_agreed) {
  party p;
  party_begin(&p);
  static char text[5000];
  memset(text, 'z', sizeof text);
  p.server_config->session.deflate =
      (ws_deflate_options){.enabled = true, .level = 6, .threshold = 100};
  p.server_config->session.pool = &p.hub.deflate;
  p.client_config->session.deflate = p.server_config->session.deflate;
  p.client_config->session.pool = &p.hub.deflate;
  party_listen(&p);
  side *with, *without;
  subscribe(&p, join(&p, &with), "t");
  p.client_config->session.deflate.enabled = false;
  subscribe(&p, join(&p, &without), "t");
  for (unsigned i = 0; i < 3; i++) {
    CHECK_INT(ws_connection_send(with->connection, WS_TEXT, text, 4000, NULL),
              WS_OK);
    CHECK_INT(ws_topics_publish(topics(&p), ws_slice_of("t"), WS_TEXT, text,
                                sizeof text, NULL),
              2);
    PARTY_UNTIL(&p, with->messages, 2 * i + 2);
    PARTY_UNTIL(&p, without->messages, i + 1);
  }
  CHECK_INT(without->last_len, sizeof text);
  CHECK_INT(with->bytes, 3 * (4000 + sizeof text));
  CHECK_INT(with->errors + without->errors, 0);
  party_end(&p);
}

/* ------------------------------------------------ slow and dead readers */

/* Fills the system's buffers, so that everything sent afterwards waits. */
static void stuff(side *s) {
  static char block[1 << 20];
  for (int i = 0; i < 20; i++)
    ws_connection_send(s->connection, WS_BINARY, block, sizeof block, NULL);
}

/* A subscriber that reads too slowly is left out or dropped, as the publisher
 * chose. The others get the message. */
TEST(slow_subscribers) {
  for (int drop = 0; drop <= 1; drop++) {
    party p;
    side *a, *b, *c;
    party_begin(&p);
    p.server_config->max_backpressure = (size_t)32 << 20;
    p.server_config->drop_publishes = drop == 0;
    party_listen(&p);
    raw r[3]; /* the first, the one in the middle and the last */
    side *slow[3];
    for (int i = 0; i < 3; i++) {
      r[i] = raw_open(&p);
      slow[i] = party_other(&p);
    }
    subscribe(&p, slow[0], "t");
    subscribe(&p, join(&p, &a), "t");
    subscribe(&p, slow[1], "t");
    subscribe(&p, join(&p, &b), "t");
    subscribe(&p, join(&p, &c), "t");
    subscribe(&p, slow[2], "t");
    for (int i = 0; i < 3; i++) stuff(slow[i]);
    p.server_config->max_backpressure = 1 << 20;
    CHECK_INT(publish(&p, "t", "news", NULL), drop ? 6 : 3);
    PARTY_UNTIL(&p, a->messages, 1);
    PARTY_UNTIL(&p, b->messages, 1);
    PARTY_UNTIL(&p, c->messages, 1);
    for (int i = 0; i < 3; i++) {
      CHECK_INT(slow[i]->closes, drop);
      if (drop) CHECK_INT(slow[i]->status, WS_EBACKPRESSURE);
      if (drop) CHECK_INT(slow[i]->code, 1013);
      raw_end(&r[i]);
    }
    party_end(&p);
  }
}

static ptrdiff_t sent_in_a_turn;
static void publish_much(side *s, const char *event) {
  static char text[1000];
  if (s->client || strcmp(event, "message") != 0) return;
  for (int i = 0; i < 40; i++)
    sent_in_a_turn += ws_topics_publish(topics(s->party), ws_slice_of("t"),
                                        WS_BINARY, text, sizeof text, NULL);
}

/* Nobody is slow only because a handler publishes more than may wait. */
TEST(much_in_a_turn_for_who_is_not_slow) {
  party p;
  side *client;
  party_begin(&p);
  p.echo = false;
  p.react = publish_much;
  p.server_config->max_backpressure = 8 * 1024;
  p.server_config->drop_publishes = true;
  party_listen(&p);
  subscribe(&p, join(&p, &client), "t");
  sent_in_a_turn = 0;
  party_send(client, "go");
  PARTY_UNTIL_THAT(&p, sent_in_a_turn > 0);
  CHECK_INT(sent_in_a_turn, 40);
  PARTY_UNTIL(&p, client->messages, 40);
  party_end(&p);
}

/* A slow reader takes one more block for a message, whatever its size: the
 * frame is shared. */
TEST(what_waits_is_shared) {
  static char text[100000];
  party p;
  raw r[5];
  party_begin(&p);
  party_listen(&p);
  for (int i = 0; i < 5; i++) {
    r[i] = raw_open(&p);
    subscribe(&p, party_other(&p), "t");
    stuff(party_other(&p));
  }
  ws_loop_turn(p.loop, 0);
  size_t live = ws_memory_live();
  for (int i = 0; i < 10; i++)
    CHECK_INT(ws_topics_publish(topics(&p), ws_slice_of("t"), WS_BINARY, text,
                                sizeof text, NULL),
              5);
  CHECK_INT(ws_memory_live() - live, 10 * (1 + 5));
  for (int i = 0; i < 5; i++) raw_end(&r[i]);
  for (size_t i = 0; i < p.count; i++) PARTY_UNTIL(&p, p.sides[i].closes, 1);
  CHECK_INT(topics(&p)->count, 0);
  party_end(&p);
}

/* Subscribers are lost in the middle of a publication, the first, the last or
 * all of them: no other gets the message twice. */
TEST(dying_of_a_publication) {
  for (unsigned who = 1; who < 8; who++) {
    party p;
    raw r[3];
    side *served[3];
    party_begin(&p);
    party_listen(&p);
    for (unsigned i = 0; i < 3; i++) {
      r[i] = raw_open(&p);
      served[i] = party_other(&p);
      subscribe(&p, served[i], "t");
    }
    for (unsigned i = 0; i < 3; i++) {
      if (!(who & 1u << i)) continue;
      stuff(served[i]);
      ws_socket_reset_on_close(r[i].fd);
      raw_end(&r[i]);
    }
    /* The reset is found by the writes of the publication itself. */
    p.server_config->max_backpressure = 100;
    for (int i = 0; i < 3; i++) CHECK(publish(&p, "t", "x", NULL) >= 0);
    for (unsigned i = 0; i < 3; i++) {
      if (who & 1u << i) {
        PARTY_UNTIL(&p, served[i]->closes, 1);
      } else {
        raw_read(&p, &r[i], 9);
        CHECK_BYTES(r[i].data, r[i].len, "\x81\x01x\x81\x01x\x81\x01x");
        raw_end(&r[i]);
      }
    }
    party_end(&p);
  }
}

static ws_topics own;
static void leave_own(void *keeper, ws_connection *connection) {
  (void)keeper;
  ws_topics_leave(&own, connection);
}
static const ws_keeping keeping = {.died = leave_own};

/* The same when their streams fail, and they leave at once, in the middle of
 * the publication: the topic may go with the last of them. */
TEST(leaving_in_the_middle) {
  static const ws_fault_plan good = {0},
                             bad = {.fail_write = 2, .status = WS_ESYSTEM};
  for (unsigned who = 1; who < 16; who++) {
    party p;
    raw r[3];
    side *served[3];
    size_t many = who & 8 ? 3 : 1; /* also with a single one */
    party_begin(&p);
    for (unsigned i = 0; i < many; i++) {
      served[i] = on_faulty(&p, &r[i], who & 1u << i ? &bad : &good);
      ws_connection_set_keeper(served[i]->connection, &own, &keeping);
      raw_say(&p, &r[i], RAW_REQUEST);
      PARTY_UNTIL(&p, served[i]->opens, 1);
      CHECK_INT(ws_topics_subscribe(&own, served[i]->connection,
                                    ws_slice_of("t")),
                WS_OK);
    }
    for (int round = 0; round < 2; round++)
      ws_topics_publish(&own, ws_slice_of("t"), WS_TEXT, "x", 1, NULL);
    for (unsigned i = 0; i < many; i++) {
      bool dies = who & 1u << i;
      if (dies) PARTY_UNTIL(&p, served[i]->closes, 1);
      if (dies) CHECK_INT(served[i]->status, WS_ESYSTEM);
      if (!dies) raw_read_until(&p, &r[i], "x\x81\x01x");
      if (!dies) CHECK(raw_has(&r[i], "\r\n\r\n\x81\x01x\x81\x01x"));
      raw_end(&r[i]);
    }
    party_drop(&p);
    CHECK_INT(own.count, 0);
    ws_topics_deinit(&own);
    CHECK_INT(ws_memory_live(), 0);
  }
}

static side *leaver;
static void leave_it(side *s, const char *event) {
  if (s->client || strcmp(event, "message") != 0) return;
  publish(s->party, "t", "echo", s);
  ws_topics_unsubscribe(topics(s->party), leaver->connection,
                        ws_slice_of("t"));
  publish(s->party, "t", "second", NULL);
}

/* Joining and leaving between two publications of one handler. */
TEST(leaving_inside_a_handler) {
  party p;
  side *a, *b;
  party_begin(&p);
  p.echo = false;
  p.react = leave_it;
  party_listen(&p);
  leaver = join(&p, &a);
  subscribe(&p, leaver, "t");
  subscribe(&p, join(&p, &b), "t");
  party_send(b, "go");
  PARTY_UNTIL(&p, a->messages, 1);
  PARTY_UNTIL(&p, b->messages, 1);
  CHECK_BYTES(a->last, a->last_len, "echo");
  CHECK_BYTES(b->last, b->last_len, "second");
  for (int i = 0; i < 5; i++) ws_loop_turn(p.loop, 1);
  CHECK_INT(a->messages + b->messages, 2);
  party_end(&p);
}

/* Each allocation of a publication to many fails in turn, with some readers
 * gone already: those who stay get whole messages, the others a close event,
 * and nothing is left behind. */
TEST(publishing_without_memory) {
  static char text[2000];
  unsigned failures = 0;
  for (uint64_t n = 1; n < 20; n++) {
    party p;
    side *clients[4];
    party_begin(&p);
    party_listen(&p);
    for (int i = 0; i < 4; i++) subscribe(&p, join(&p, &clients[i]), "t");
    raw r = raw_open(&p);
    subscribe(&p, party_other(&p), "t");
    stuff(party_other(&p));
    ws_socket_reset_on_close(r.fd);
    raw_end(&r);
    ws_memory_fail(n, n % 2 == 0);
    ptrdiff_t sent = ws_topics_publish(topics(&p), ws_slice_of("t"), WS_TEXT,
                                       text, sizeof text, NULL);
    ws_memory_fail(0, 0);
    CHECK((sent >= 0 && sent <= 5) || sent == WS_ENOMEM);
    if (sent < 5) failures++;
    unsigned got = 0;
    for (int i = 0; i < 5; i++) ws_loop_turn(p.loop, 1);
    for (int i = 0; i < 4; i++) {
      if (sent > 0)
        PARTY_UNTIL_THAT(&p, clients[i]->messages + clients[i]->closes > 0);
      CHECK_INT(clients[i]->last_len, clients[i]->messages * sizeof text);
      got += clients[i]->messages;
    }
    CHECK((ptrdiff_t)got <= (sent > 0 ? sent : 0));
    party_end(&p);
  }
  CHECK(failures >= 5);
}

#define MUCH ((size_t)16 * 1024 * 1024)

static side *corked[WS_CORKS];
static bool only_the_next; /* only the next to lose its cork subscribes */
static bool survives;      /* who publishes, as it need not be read from */
static ptrdiff_t went_to;

/* A poller that refuses to watch for reading. */
static int set_unless_read(ws_poller *poller, ws_fd fd, unsigned wants,
                           void *tag) {
  if (party_refusing && (wants & WS_READABLE)) return WS_ENOMEM;
  return ws_pollers[0]->set(poller, fd, wants, tag);
}

static void publish_to_the_dying(side *s, const char *event) {
  if (strcmp(event, "message") != 0) return;
  ws_corks *corks = &s->party->hub.corks;
  char *much = calloc(1, MUCH);
  ws_connection_pause(s->connection, WS_PAUSE_USER, survives);
  ws_connection_flush(s->connection); /* its own cork is free again */
  for (int i = 0; i < WS_CORKS; i++) {
    ws_connection_pause(corked[i]->connection, WS_PAUSE_USER, true);
    party_send(corked[i], "corked");
  }
  for (int i = 0; i < WS_CORKS; i++)
    if (!only_the_next || corked[i]->connection ==
                              corks->all[(corks->turn + 1) % WS_CORKS].of)
      subscribe(s->party, corked[i], "t");
  subscribe(s->party, s, "t");
  party_refusing = true;
  ws_memory_fail(3, false); /* the one after the frame and its queue entry */
  went_to = ws_topics_publish(topics(s->party), ws_slice_of("t"), WS_BINARY,
                              much, MUCH, NULL);
  ws_memory_fail(0, false);
  party_refusing = false;
  free(much);
}

/* A connection that cannot be sent all of it cannot be watched either, and is
 * dead. Another one dies with it: the first needed its cork, and there is no
 * memory for what was in that. */
static void two_leave(bool with_the_topic) {
  static raw r[WS_CORKS + 1];
  party p;
  ws_poller_kind kind = *ws_pollers[0];
  kind.set = set_unless_read;
  party_begin_on(&p, &kind);
  p.echo = false;
  only_the_next = with_the_topic;
  survives = false;
  party_listen(&p);
  for (int i = 0; i <= WS_CORKS; i++) {
    r[i] = raw_open(&p);
    if (i < WS_CORKS) corked[i] = party_other(&p);
  }
  side *dying = party_other(&p);
  dying->react = publish_to_the_dying;
  raw_frame(&p, &r[WS_CORKS], 0x81, "publish");
  PARTY_UNTIL(&p, dying->closes, 1);
  CHECK_INT(dying->status, WS_ENOMEM);
  unsigned others = 0;
  for (int i = 0; i < WS_CORKS; i++) others += corked[i]->closes;
  CHECK_INT(others, 1);
  CHECK_INT(went_to, with_the_topic ? 1 : WS_CORKS);
  CHECK_INT(topics(&p)->count, !with_the_topic);
  for (int i = 0; i <= WS_CORKS; i++) raw_end(&r[i]);
  party_end(&p);
}

TEST(two_leave_at_once) {
  two_leave(false);
  two_leave(true);
}

/* If only the other one dies, its place in the topic goes to one that has had
 * the message: that does not get it again. */
TEST(another_leaves_meanwhile) {
  static raw r[WS_CORKS + 1];
  party p;
  ws_poller_kind kind = *ws_pollers[0];
  kind.set = set_unless_read;
  for (int all = 0; all <= 1; all++) {
    party_begin_on(&p, &kind);
    p.echo = false;
    only_the_next = !all;
    survives = true;
    party_listen(&p);
    for (int i = 0; i <= WS_CORKS; i++) {
      r[i] = raw_open(&p);
      if (i < WS_CORKS) corked[i] = party_other(&p);
    }
    side *publisher = party_other(&p);
    publisher->react = publish_to_the_dying;
    raw_frame(&p, &r[WS_CORKS], 0x81, "publish");
    PARTY_UNTIL(&p, publisher->messages, 1);
    CHECK_INT(went_to, all ? WS_CORKS : 1);
    CHECK(ws_connection_buffered(publisher->connection) <= MUCH);
    CHECK_INT(publisher->closes, 0);
    for (int i = 0; i <= WS_CORKS; i++) raw_end(&r[i]);
    party_end(&p);
  }
}

int main(void) {
  RUN(everyone_who_subscribed);
  RUN(names_of_any_bytes);
  RUN(all_names_of_one_byte);
  RUN(names_that_hash_alike);
  RUN(unsubscribing);
  RUN(a_closed_connection_has_left);
  RUN(thousands_of_topics);
  RUN(listing);
  RUN(many_of_many);
  RUN(however_many_topics_there_are);
  RUN(many_subscribers_of_one);
  RUN(one_frame_for_all);
  RUN(without_memory);
  RUN(compressed_for_those_who_agreed);
  RUN(slow_subscribers);
  RUN(much_in_a_turn_for_who_is_not_slow);
  RUN(what_waits_is_shared);
  RUN(dying_of_a_publication);
  RUN(leaving_in_the_middle);
  RUN(leaving_inside_a_handler);
  RUN(publishing_without_memory);
  RUN(two_leave_at_once);
  RUN(another_leaves_meanwhile);
  return check_done();
}
