/* SPDX-License-Identifier: MIT */
/* What connections share, and how all of them go at once. */
#include "connection/party.h"

TEST(input_is_made_on_first_use) {
  party p;
  party_begin(&p);
  size_t live = ws_memory_live();
  uint8_t *input = ws_hub_input(&p.hub);
  CHECK(input != NULL && ws_hub_input(&p.hub) == input);
  CHECK_INT(ws_memory_live(), live + 1);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

TEST(without_memory_for_input) {
  party p;
  party_begin(&p);
  ws_memory_fail(1, 0);
  CHECK(ws_hub_input(&p.hub) == NULL);
  CHECK(ws_hub_input(&p.hub) != NULL);
  party_end(&p);
}

static void none(void *owner, ws_lookup *lookup) {
  (void)owner;
  ws_lookup_free(lookup);
}

TEST(one_resolver_for_all) {
  party p;
  party_begin(&p);
  ws_resolver *resolver = ws_hub_resolver(&p.hub, none);
  CHECK(resolver != NULL);
  CHECK(ws_hub_resolver(&p.hub, none) == resolver);
  party_end(&p);
  CHECK_INT(ws_memory_live(), 0);
}

/* Nobody is told; every owner can still release what it has. */
TEST(everything_goes_without_a_word) {
  party p;
  party_begin(&p);
  party_listen(&p);
  side *open = party_open(&p);
  side *connecting = party_connect(&p);
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
  CHECK_INT(ws_memory_live(), 0);
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
  CHECK_INT(ws_memory_live(), 0);
}

int main(void) {
  RUN(input_is_made_on_first_use);
  RUN(without_memory_for_input);
  RUN(one_resolver_for_all);
  RUN(everything_goes_without_a_word);
  RUN(the_cork_belongs_to_one_at_a_time);
  return check_done();
}
