/* SPDX-License-Identifier: MIT */
/* One connection at a time per address, in order; none that waits is
 * forgotten. */
#include "connection/permits.h"

#include "connection/party.h"

enum { MANY = 200 };

typedef struct guest {
  ws_permit *permit;
  unsigned called;
} guest;

static void come(void *owner) { ((guest *)owner)->called++; }

static void arrive(party *p, guest *g, const char *host, uint16_t port) {
  ws_address address;
  CHECK(ws_address_parse(&address, ws_slice_of(host), port));
  *g = (guest){0};
  g->permit = ws_permit_new(&p->hub.permits, p->loop, &address, come, g);
  CHECK(g->permit != NULL);
}

static void go(guest *g) {
  ws_permit_free(g->permit);
  g->permit = NULL;
}

TEST(the_first_goes_at_once_and_is_not_called) {
  party p;
  guest g;
  party_begin(&p);
  arrive(&p, &g, "127.0.0.1", 80);
  CHECK(ws_permit_is_granted(g.permit));
  ws_loop_turn(p.loop, 0);
  CHECK_INT(g.called, 0);
  go(&g);
  go(&g); /* nothing */
  party_end(&p);
}

TEST(the_others_come_in_order_each_once) {
  party p;
  guest g[3];
  party_begin(&p);
  for (int i = 0; i < 3; i++) arrive(&p, &g[i], "127.0.0.1", 80);
  CHECK(!ws_permit_is_granted(g[1].permit));
  CHECK(!ws_permit_is_granted(g[2].permit));
  go(&g[0]);
  CHECK_INT(g[1].called, 0); /* in a turn of the loop */
  PARTY_UNTIL(&p, g[1].called, 1);
  CHECK(ws_permit_is_granted(g[1].permit));
  CHECK_INT(g[2].called, 0);
  go(&g[1]);
  PARTY_UNTIL(&p, g[2].called, 1);
  go(&g[2]);
  arrive(&p, &g[0], "127.0.0.1", 80);
  CHECK(ws_permit_is_granted(g[0].permit));
  go(&g[0]);
  party_end(&p);
}

TEST(other_addresses_and_ports_do_not_wait) {
  party p;
  guest g[4];
  party_begin(&p);
  arrive(&p, &g[0], "127.0.0.1", 80);
  arrive(&p, &g[1], "127.0.0.1", 81);
  arrive(&p, &g[2], "127.0.0.2", 80);
  arrive(&p, &g[3], "::1", 80);
  for (int i = 0; i < 4; i++) CHECK(ws_permit_is_granted(g[i].permit));
  for (int i = 0; i < 4; i++) go(&g[i]);
  party_end(&p);
}

TEST(one_that_leaves_the_line_is_never_called) {
  party p;
  guest g[4];
  party_begin(&p);
  for (int i = 0; i < 4; i++) arrive(&p, &g[i], "127.0.0.1", 80);
  go(&g[1]); /* while it waits */
  CHECK(!ws_permit_is_granted(g[2].permit));
  go(&g[0]);
  go(&g[2]); /* granted, but not called yet */
  PARTY_UNTIL(&p, g[3].called, 1);
  CHECK_INT(g[1].called, 0);
  CHECK_INT(g[2].called, 0);
  go(&g[3]);
  party_end(&p);
}

/* There are more addresses than waiting lines, so some share one. */
TEST(the_last_of_a_line_may_leave) {
  party p;
  guest g[3];
  party_begin(&p);
  for (int i = 0; i < 2; i++) arrive(&p, &g[i], "127.0.0.1", 80);
  go(&g[1]);
  arrive(&p, &g[2], "127.0.0.1", 80);
  go(&g[0]);
  PARTY_UNTIL(&p, g[2].called, 1);
  go(&g[2]);
  party_end(&p);
}

TEST(addresses_of_a_line_do_not_mix) {
  party p;
  static guest first[MANY], second[MANY];
  party_begin(&p);
  for (uint16_t i = 0; i < MANY; i++) {
    arrive(&p, &first[i], "127.0.0.1", (uint16_t)(i + 1));
    CHECK(ws_permit_is_granted(first[i].permit));
  }
  for (uint16_t i = 0; i < MANY; i++) {
    arrive(&p, &second[i], "127.0.0.1", (uint16_t)(i + 1));
    CHECK(!ws_permit_is_granted(second[i].permit));
  }
  for (int i = 0; i < MANY; i += 2) go(&first[i]);
  PARTY_UNTIL(&p, second[MANY - 2].called, 1);
  for (int i = 0; i < MANY; i++) CHECK_INT(second[i].called, i % 2 ? 0 : 1);
  for (int i = 1; i < MANY; i += 2) go(&first[i]);
  PARTY_UNTIL(&p, second[MANY - 1].called, 1);
  for (int i = 0; i < MANY; i++) go(&second[i]);
  party_end(&p);
}

TEST(without_memory_there_is_none) {
  party p;
  guest g = {0};
  ws_address address;
  party_begin(&p);
  CHECK(ws_address_parse(&address, ws_slice_of("127.0.0.1"), 80));
  ws_memory_fail(1, 0);
  CHECK(!ws_permit_new(&p.hub.permits, p.loop, &address, come, &g));
  ws_memory_fail(0, 0);
  arrive(&p, &g, "127.0.0.1", 80); /* and none is taken by it */
  CHECK(ws_permit_is_granted(g.permit));
  go(&g);
  party_end(&p);
}

int main(void) {
  RUN(the_first_goes_at_once_and_is_not_called);
  RUN(the_others_come_in_order_each_once);
  RUN(other_addresses_and_ports_do_not_wait);
  RUN(one_that_leaves_the_line_is_never_called);
  RUN(the_last_of_a_line_may_leave);
  RUN(addresses_of_a_line_do_not_mix);
  RUN(without_memory_there_is_none);
  return check_done();
}
