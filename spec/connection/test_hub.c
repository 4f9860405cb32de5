/* SPDX-License-Identifier: MIT */
/* What the connections of a loop share, and how all of them go at once. */
#include "connection/party.h"

TEST(input_is_made_on_first_use) {
  party p;
  party_begin(&p);
  size_t live = ws_memory_live();
  uint8_t *input = ws_hub_input(&p.hub);
  CHECK(input != NULL && ws_hub_input(&p.hub) == input);
  CHECK_INT(ws_memory_live(), live + 1);
  party_end(&p);
}

TEST(without_memory_for_input) {
  party p;
  party_begin(&p);
  ws_memory_fail(1, 0);
  CHECK(ws_hub_input(&p.hub) == NULL);
  CHECK(ws_hub_input(&p.hub) != NULL);
  party_end(&p);
}

/* ----------------------------------------------------------- resolver */

static unsigned answered;

static void note(void *owner, ws_lookup *lookup) {
  CHECK(lookup->owner == owner);
  CHECK_INT(lookup->status, WS_ENOTFOUND);
  *(bool *)owner = true;
  answered++;
  ws_lookup_free(lookup);
}

static void never(void *owner, ws_lookup *lookup) {
  (void)owner;
  CHECK(!"asked first");
  ws_lookup_free(lookup);
}

static void nobody_is_found(const char *host, uint16_t port, int family,
                            ws_lookup *lookup) {
  (void)host, (void)port, (void)family;
  lookup->status = WS_ENOTFOUND;
}

TEST(one_resolver_answers_each_who_asks) {
  party p;
  bool told[3] = {false};
  party_begin(&p);
  ws_resolver_replace(nobody_is_found);
  ws_resolver *resolver = ws_hub_resolver(&p.hub, note);
  CHECK(resolver != NULL);
  CHECK(ws_hub_resolver(&p.hub, never) == resolver);
  answered = 0;
  for (int i = 0; i < 3; i++) {
    uint64_t handle;
    CHECK_INT(ws_resolver_start(resolver, ws_slice_of("some.test"), 80, 0,
                                &told[i], &handle),
              WS_OK);
  }
  PARTY_UNTIL(&p, answered, 3);
  CHECK(told[0] && told[1] && told[2]);
  party_end(&p);
  ws_resolver_replace(NULL);
}

static int refuse(ws_poller *poller, ws_fd fd, unsigned wants, void *tag) {
  (void)poller, (void)fd, (void)wants, (void)tag;
  return WS_ENOMEM;
}

TEST(without_memory_for_a_resolver) {
  party p;
  ws_poller_kind kind = *ws_pollers[0];
  party_begin_on(&p, &kind);
  size_t live = ws_memory_live();
  ws_memory_fail(1, 0);
  CHECK(ws_hub_resolver(&p.hub, note) == NULL);
  ws_memory_fail(0, 0);
  kind.add = refuse;
  CHECK(ws_hub_resolver(&p.hub, note) == NULL);
  kind.add = ws_pollers[0]->add;
  CHECK_INT(ws_memory_live(), live);
  CHECK(ws_hub_resolver(&p.hub, note) != NULL);
  party_end(&p);
}

/* --------------------------------------------------------- handshakes */

/* Asks until the hub refuses; returns how many handshakes may go on. */
static unsigned shaken(party *p) {
  unsigned count = 0;
  while (count < 1000 && ws_hub_may_shake(&p->hub)) count++;
  return count;
}

TEST(each_turn_has_its_share_of_handshakes) {
  party p;
  party_begin(&p);
  unsigned share = shaken(&p);
  CHECK(share > 0 && share < 1000);
  CHECK(!ws_hub_may_shake(&p.hub));
  for (int i = 0; i < 3; i++) {
    ws_loop_turn(p.loop, 0);
    CHECK(ws_hub_is_crowded(&p.hub));
    CHECK_INT(shaken(&p), share);
  }
  party_end(&p);
}

/* The hub is no longer crowded after the first turn that serves them all. */
TEST(no_crowd_stays) {
  party p;
  party_begin(&p);
  unsigned share = shaken(&p);
  CHECK(!ws_hub_is_crowded(&p.hub)); /* none had to wait yet */
  ws_loop_turn(p.loop, 0);
  for (unsigned i = 0; i < share; i++) CHECK(ws_hub_may_shake(&p.hub));
  CHECK(ws_hub_is_crowded(&p.hub));
  ws_loop_turn(p.loop, 0);
  CHECK(!ws_hub_is_crowded(&p.hub));
  shaken(&p);
  ws_loop_turn(p.loop, 0);
  CHECK(ws_hub_is_crowded(&p.hub)); /* though all have gone away */
  ws_loop_turn(p.loop, 0);
  CHECK(!ws_hub_is_crowded(&p.hub));
  party_end(&p);
}

/* ---------------------------------------------------------- all at once */

/* The loop, which may live on, holds nothing of the hub, with any poller. */
TEST(the_loop_forgets_it) {
  for (int i = 0; ws_pollers[i]; i++) {
    party p;
    party_begin_on(&p, ws_pollers[i]);
    CHECK(ws_hub_resolver(&p.hub, note) != NULL);
    CHECK(ws_hub_may_shake(&p.hub));
    ws_hub_deinit(&p.hub);
    memset(&p.hub, 0xa5, sizeof p.hub);
    CHECK_INT(ws_loop_turn(p.loop, 0), 0);
    ws_hub_init(&p.hub, p.loop);
    party_end(&p);
  }
}

/* There are no events; every owner can still release what it has. */
TEST(everything_goes_without_a_word) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *open = party_open(&p);
  side *connecting = party_connect(&p);
  CHECK(ws_hub_resolver(&p.hub, note) != NULL);
  ws_hub_deinit(&p.hub);
  CHECK_INT(open->errors + open->closes, 0);
  CHECK_INT(connecting->errors + connecting->closes, 0);
  CHECK_INT(ws_connection_state(open->connection), WS_CLOSED);
  /* Calls on what is left do nothing. */
  ws_connection_close(open->connection, 1000, NULL, 0);
  ws_connection_terminate(connecting->connection);
  CHECK_INT(ws_connection_send(open->connection, WS_TEXT, "x", 1, NULL),
            WS_OK);
  party_end(&p);
}

/* Two connections that answer in the same turn do not mix their bytes. */
TEST(the_cork_belongs_to_one_at_a_time) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *a = party_open(&p), *b = party_open(&p);
  for (int i = 0; i < 100; i++) {
    party_send(a, "for a");
    party_send(b, "for b");
  }
  PARTY_UNTIL(&p, a->messages, 100);
  PARTY_UNTIL(&p, b->messages, 100);
  CHECK_BYTES(a->last, a->last_len, "for a");
  CHECK_BYTES(b->last, b->last_len, "for b");
  party_end(&p);
}

int main(void) {
  RUN(input_is_made_on_first_use);
  RUN(without_memory_for_input);
  RUN(one_resolver_answers_each_who_asks);
  RUN(without_memory_for_a_resolver);
  RUN(each_turn_has_its_share_of_handshakes);
  RUN(no_crowd_stays);
  RUN(the_loop_forgets_it);
  RUN(everything_goes_without_a_word);
  RUN(the_cork_belongs_to_one_at_a_time);
  return check_done();
}
