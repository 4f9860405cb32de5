/* SPDX-License-Identifier: MIT */
/* The corks: which connection has which, what is in them, and that the output
 * of connections served together is written together, without long delay. */
#include "connection/cork.h"

#include "connection/raw.h"

#define CROWD (WS_CORKS + 8)

static ws_connection *nobody(int number) {
  static char places[CROWD];
  return (ws_connection *)&places[number]; /* never dereferenced */
}

TEST(as_many_as_there_are) {
  static ws_corks corks;
  ws_corks_init(&corks, ws_memory_resize);
  ws_cork *last = NULL;
  for (int i = 0; i < WS_CORKS; i++) {
    last = ws_corks_take(&corks, nobody(i));
    CHECK(last && last->of == nobody(i) && last->bytes.len == 0);
  }
  CHECK(corks.free == NULL);
  CHECK(ws_corks_take(&corks, nobody(WS_CORKS)) == NULL);
  ws_corks_give_back(&corks, last);
  CHECK(corks.free == last && last->of == NULL);
  CHECK(ws_corks_take(&corks, nobody(WS_CORKS)) == last);
  CHECK(last->of == nobody(WS_CORKS));
  ws_corks_deinit(&corks);
}

TEST(each_loses_it_in_turn) {
  static ws_corks corks;
  bool had[WS_CORKS] = {false};
  ws_corks_init(&corks, ws_memory_resize);
  for (int i = 0; i < WS_CORKS; i++) ws_corks_take(&corks, nobody(i));
  for (int i = 0; i < WS_CORKS; i++) {
    ptrdiff_t victim = (char *)ws_corks_victim(&corks) - (char *)nobody(0);
    CHECK(victim >= 0 && victim < WS_CORKS && !had[victim]);
    if (victim >= 0 && victim < WS_CORKS) had[victim] = true;
  }
  ws_corks_deinit(&corks);
}

TEST(nothing_is_left_for_the_next) {
  static ws_corks corks;
  static uint8_t block[200 * 1024];
  ws_corks_init(&corks, ws_memory_resize);
  ws_cork *cork = ws_corks_take(&corks, nobody(0));
  size_t live = ws_memory_live();
  CHECK_INT(ws_buffer_append(&cork->bytes, block, 1000), WS_OK);
  cork->payload = 990;
  ws_cork_advance(cork, 10);
  CHECK(cork->begun);
  ws_corks_give_back(&corks, cork);
  CHECK(ws_corks_take(&corks, nobody(1)) == cork);
  CHECK_INT(cork->bytes.len + cork->payload, 0);
  CHECK(!cork->begun);
  CHECK_INT(ws_buffer_append(&cork->bytes, block, sizeof block), WS_OK);
  ws_corks_give_back(&corks, cork);
  CHECK(cork->bytes.cap < sizeof block); /* a large block is not kept */
  CHECK_INT(ws_memory_live(), live);
  ws_corks_deinit(&corks);
}

/* So an answer that is not longer needs no new memory. */
TEST(a_block_that_is_not_large_stays) {
  static const size_t lens[] = {1000, 128 * 1024};
  static ws_corks corks;
  static uint8_t block[128 * 1024];
  ws_corks_init(&corks, ws_memory_resize);
  for (int i = 0; i < 2; i++) {
    ws_cork *cork = ws_corks_take(&corks, nobody(0));
    CHECK_INT(ws_buffer_append(&cork->bytes, block, lens[i]), WS_OK);
    ws_memory_fail(1, 1);
    ws_corks_give_back(&corks, cork);
    CHECK(ws_corks_take(&corks, nobody(1)) == cork);
    CHECK_INT(ws_buffer_append(&cork->bytes, block, lens[i]), WS_OK);
    ws_memory_fail(0, 0);
    ws_corks_give_back(&corks, cork);
  }
  ws_corks_deinit(&corks);
}

/* Each cork has its block from the start, and can do without one. */
TEST(memory_does_not_grow_with_the_crowd) {
  static ws_corks corks;
  ws_corks_init(&corks, ws_memory_resize);
  ws_corks_take(&corks, nobody(0));
  size_t live = ws_memory_live();
  for (int i = 1; i < WS_CORKS; i++) {
    ws_cork *cork = ws_corks_take(&corks, nobody(i));
    CHECK_INT(ws_buffer_append(&cork->bytes, "hello", 5), WS_OK);
  }
  CHECK_INT(ws_memory_live(), live);
  ws_corks_deinit(&corks);
  ws_corks_init(&corks, ws_memory_resize);
  ws_memory_fail(1, 1);
  ws_cork *cork = ws_corks_take(&corks, nobody(0));
  CHECK_INT(ws_buffer_append(&cork->bytes, "hello", 5), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK_INT(ws_buffer_append(&cork->bytes, "hello", 5), WS_OK);
  ws_corks_deinit(&corks);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(payload_that_is_not_yet_written) {
  static ws_corks corks;
  static uint8_t frames[100];
  ws_corks_init(&corks, ws_memory_resize);
  ws_cork *cork = ws_corks_take(&corks, nobody(0));
  ws_buffer_append(&cork->bytes, frames, 100);
  cork->payload = 90; /* ten bytes are headers */
  ws_cork_advance(cork, 4);
  CHECK_INT(cork->payload, 90);
  ws_cork_advance(cork, 6);
  CHECK_INT(cork->payload, 90);
  ws_cork_advance(cork, 40);
  CHECK_INT(cork->payload, 50);
  cork->payload = 1000; /* compressed */
  ws_cork_advance(cork, 20);
  CHECK_INT(cork->payload, 980);
  CHECK_INT(cork->bytes.len, 30);
  ws_corks_deinit(&corks);
}

/* ------------------------------------------------------------- together */

static raw crowd[CROWD];
static side *sides[CROWD];

static bool is_answered(const raw *r) {
  struct pollfd entry = {.fd = r->fd, .events = POLLIN};
  return poll(&entry, 1, 0) == 1;
}

static unsigned answered(void) {
  unsigned found = 0;
  for (int i = 0; i < CROWD; i++) found += is_answered(&crowd[i]);
  return found;
}

static void gather(party *p) {
  party_begin(p);
  party_listen(p);
  for (int i = 0; i < CROWD; i++) {
    crowd[i] = raw_open(p);
    sides[i] = party_other(p);
  }
}

static void dissolve(party *p) {
  for (int i = 0; i < CROWD; i++) raw_end(&crowd[i]);
  party_end(p);
}

/* All of them send something, and are served in one turn. */
static void all_ask(party *p) {
  uint8_t bytes[16];
  size_t len = raw_put(bytes, 0x82, "hello", 5);
  ws_slice slice = {(char *)bytes, len};
  for (int i = 0; i < CROWD; i++) {
    CHECK_INT(ws_socket_write(crowd[i].fd, &slice, 1), len);
    party_await_input(sides[i]);
  }
  ws_loop_turn(p->loop, 0);
}

static void all_got(party *p, const char *what) {
  for (int i = 0; i < CROWD; i++) {
    raw *r = &crowd[i];
    raw_read(p, r, strlen(what));
    CHECK_INT(r->len, strlen(what));
    CHECK(memcmp(r->data, what, strlen(what)) == 0);
    r->len = 0;
  }
}

/* How many answers had arrived when each handler of the turn ran, in order. */
static unsigned served, found_answered[CROWD];

static void look(side *s, const char *event) {
  (void)s;
  if (strcmp(event, "message") != 0) return;
  found_answered[served++] = answered();
}

static void take_half_a_millisecond(side *s, const char *event) {
  look(s, event);
  virtual_clock += 0.5;
}

static void take_a_millisecond(side *s, const char *event) {
  look(s, event);
  virtual_clock += 1;
}

static void serve_a_crowd(party *p, void (*react)(side *, const char *)) {
  gather(p);
  for (int i = 0; i < CROWD; i++) sides[i]->react = react;
  served = 0;
  all_ask(p);
  CHECK_INT(served, CROWD);
}

TEST(who_is_served_together_is_written_together) {
  party p;
  serve_a_crowd(&p, look);
  for (int i = 0; i < WS_CORKS; i++) CHECK_INT(found_answered[i], 0);
  CHECK_INT(found_answered[WS_CORKS], WS_CORKS);
  CHECK_INT(answered(), CROWD); /* in the same turn */
  all_got(&p, "\x82\x05hello");
  dissolve(&p);
}

/* After a slow handler, answers are written before other connections are
 * served. */
TEST(nobody_waits_for_slow_handlers) {
  party p;
  serve_a_crowd(&p, take_a_millisecond);
  for (unsigned i = 0; i < CROWD; i++) CHECK_INT(found_answered[i], i);
  all_got(&p, "\x82\x05hello");
  dissolve(&p);
}

TEST(nobody_waits_for_more_than_a_millisecond) {
  party p;
  serve_a_crowd(&p, take_half_a_millisecond);
  for (unsigned i = 0; i < CROWD; i++)
    CHECK_INT(found_answered[i], i - i % 2); /* two at a time */
  all_got(&p, "\x82\x05hello");
  dissolve(&p);
}

static void answer_much(side *s, const char *event) {
  static char block[40000];
  if (strcmp(event, "message") != 0) return;
  look(s, event);
  ws_connection_send(s->connection, WS_BINARY, block, sizeof block, NULL);
}

TEST(much_is_written_at_once) {
  party p;
  serve_a_crowd(&p, answer_much);
  for (unsigned i = 0; i < CROWD; i++) CHECK_INT(found_answered[i], i);
  dissolve(&p);
}

static void tell_all(side *s, const char *event) {
  (void)s;
  if (strcmp(event, "message") != 0) return;
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < CROWD; j++)
      CHECK_INT(ws_connection_send(sides[j]->connection, WS_TEXT,
                                   i ? "two" : "one", 3, NULL),
                WS_OK);
}

/* Runs `react` as the handler of one of them. */
static void serve_one(party *p, void (*react)(side *, const char *)) {
  gather(p);
  p->echo = false;
  sides[0]->react = react;
  raw_frame(p, &crowd[0], 0x82, "go");
  PARTY_UNTIL(p, sides[0]->messages, 1);
}

TEST(one_that_writes_to_more_than_there_are_corks) {
  party p;
  serve_one(&p, tell_all);
  for (int i = 0; i < CROWD; i++)
    CHECK_INT(ws_connection_buffered(sides[i]->connection), 0);
  all_got(&p, "\x81\x03one\x81\x03two");
  dissolve(&p);
}

static void tell_all_without_memory(side *s, const char *event) {
  if (strcmp(event, "message") == 0) ws_memory_fail(1, 1);
  tell_all(s, event);
  ws_memory_fail(0, 0);
}

/* When a connection loses its cork and there is no memory to keep what was in
 * it, that connection fails, and no other. */
TEST(without_memory_for_what_was_corked) {
  party p;
  serve_one(&p, tell_all_without_memory);
  party_rest(&p);
  unsigned failed = 0;
  for (int i = 0; i < CROWD; i++) {
    failed += sides[i]->errors;
    if (sides[i]->errors) CHECK_INT(sides[i]->status, WS_ENOMEM);
    else CHECK_INT(ws_connection_state(sides[i]->connection), WS_OPEN);
  }
  CHECK(failed > 0);
  dissolve(&p);
}

int main(void) {
  RUN(as_many_as_there_are);
  RUN(each_loses_it_in_turn);
  RUN(nothing_is_left_for_the_next);
  RUN(a_block_that_is_not_large_stays);
  RUN(memory_does_not_grow_with_the_crowd);
  RUN(payload_that_is_not_yet_written);
  RUN(who_is_served_together_is_written_together);
  RUN(nobody_waits_for_slow_handlers);
  RUN(nobody_waits_for_more_than_a_millisecond);
  RUN(much_is_written_at_once);
  RUN(one_that_writes_to_more_than_there_are_corks);
  RUN(without_memory_for_what_was_corked);
  return check_done();
}
