/* SPDX-License-Identifier: MIT */
/* Topics: who gets what, and who leaves when. */
#include "connection/party.h"

static ws_topics *topics(party *p) { return ws_server_topics(p->server); }

static void subscribe(party *p, side *s, const char *name) {
  CHECK_INT(ws_topics_subscribe(topics(p), s->connection, ws_slice_of(name)),
            WS_OK);
}

static ptrdiff_t publish(party *p, const char *name, const char *text,
                         const side *except) {
  return ws_topics_publish(topics(p), ws_slice_of(name), WS_TEXT, text,
                           strlen(text), except ? except->connection : NULL);
}

/* A client and its server's side, open. */
static side *join(party *p, side **client) {
  *client = party_open(p);
  return party_other(p);
}

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
  CHECK_INT(ws_memory_live(), 0);
}

TEST(names_of_any_bytes) {
  party p;
  side *client;
  party_begin(&p);
  party_listen(&p);
  side *s = join(&p, &client);
  ws_slice odd = {"a\0b", 3}, even = {"a\0c", 3}, empty = {"", 0};
  CHECK_INT(ws_topics_subscribe(topics(&p), s->connection, odd), WS_OK);
  CHECK_INT(ws_topics_publish(topics(&p), even, WS_TEXT, "x", 1, NULL), 0);
  CHECK_INT(ws_topics_publish(topics(&p), odd, WS_TEXT, "x", 1, NULL), 1);
  CHECK_INT(ws_topics_subscribe(topics(&p), s->connection, empty), WS_OK);
  CHECK_INT(ws_topics_publish(topics(&p), empty, WS_TEXT, "", 0, NULL), 1);
  PARTY_UNTIL(&p, client->messages, 2);
  CHECK_INT(client->last_len, 0);
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
  CHECK(ws_topics_of(s->connection, 0, &name));
  CHECK(ws_topics_of(s->connection, 1, &name));
  CHECK(!ws_topics_of(s->connection, 2, &name));
  CHECK(ws_topics_unsubscribe(topics(&p), s->connection, ws_slice_of("one")));
  CHECK(
      !ws_topics_unsubscribe(topics(&p), s->connection, ws_slice_of("one")));
  CHECK(
      !ws_topics_unsubscribe(topics(&p), s->connection, ws_slice_of("six")));
  CHECK(ws_topics_of(s->connection, 0, &name));
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
  CHECK_INT(ws_memory_live(), 0);
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
  CHECK_INT(ws_memory_live(), 0);
}

/* One encoding for all: the memory is that of one message. */
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
  CHECK_INT(ws_memory_live(), 0);
}

/* At each allocation: subscribing and publishing fail whole or not at all. */
TEST(without_memory) {
  party p;
  side *client;
  party_begin(&p);
  party_listen(&p);
  side *s = join(&p, &client);
  int failures = 0;
  for (uint64_t n = 1; n < 10; n++) {
    ws_memory_fail(n, 0);
    int status = ws_topics_subscribe(topics(&p), s->connection,
                                     ws_slice_of("topic"));
    ws_memory_fail(0, 0);
    if (status == WS_OK) {
      ws_topics_leave(topics(&p), s->connection);
      break;
    }
    CHECK_INT(status, WS_ENOMEM);
    failures++;
    CHECK_INT(topics(&p)->count, 0);
  }
  CHECK(failures >= 2);
  subscribe(&p, s, "t");
  ws_memory_fail(1, 0);
  CHECK_INT(publish(&p, "t", "x", NULL), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK_INT(publish(&p, "t", "y", NULL), 1);
  PARTY_UNTIL(&p, client->messages, 1);
  CHECK_BYTES(client->last, client->last_len, "y");
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

/* Compressed once for those who share the parameters (RFC 7692), and what
 * each sent before and after still makes sense. */
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
  CHECK_INT(ws_memory_live(), 0);
}

int main(void) {
  RUN(everyone_who_subscribed);
  RUN(names_of_any_bytes);
  RUN(unsubscribing);
  RUN(a_closed_connection_has_left);
  RUN(thousands_of_topics);
  RUN(one_frame_for_all);
  RUN(without_memory);
  RUN(compressed_for_those_who_agreed);
  return check_done();
}
