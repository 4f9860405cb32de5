/* SPDX-License-Identifier: MIT */
/* From a name to a connected socket: both families (RFC 8305), every failure
 * and its message, giving up at any time. */
#include "connection/dial.h"

#include "connection/party.h"

typedef struct call {
  unsigned done;
  int status;
  ws_fd fd;
  char message[200];
  char stage[64];
} call;

static void on_stage(void *owner, const char *stage) {
  snprintf(((call *)owner)->stage, sizeof ((call *)owner)->stage, "%s", stage);
}

static void on_done(void *owner, const ws_dial_result *result) {
  call *c = owner;
  c->done++;
  c->status = result->status;
  c->fd = result->fd;
  ws_permit_free(result->permit); /* as if its handshake were done at once */
  if (result->message)
    snprintf(c->message, sizeof c->message, "%s", result->message);
}

static const ws_dial_events events = {on_stage, on_done};

static void on_no_permit(void *owner) {
  (void)owner;
  CHECK(!"the turn of one that has it");
}

static ws_dial *start(party *p, call *c, const char *host, uint16_t port) {
  ws_dial_target target = {.host = ws_slice_of(host), .port = port};
  ws_dial *dial = NULL;
  *c = (call){.fd = WS_FD_NONE};
  CHECK_INT(ws_dial_start(&p->hub, &target, &events, c, &dial), WS_OK);
  CHECK_INT(c->done, 0); /* not before the next turn */
  return dial;
}

static int try_to_listen(const char *host, uint16_t port, ws_fd *fd) {
  ws_address where;
  ws_listen_options options = {0};
  CHECK(ws_address_parse(&where, ws_slice_of(host), port));
  return ws_socket_listen(&where, &options, fd);
}

static uint16_t port_of(ws_fd fd) {
  ws_address where;
  CHECK(ws_socket_local(fd, &where));
  return ws_address_port(&where);
}

static ws_fd listen_on(const char *host, uint16_t port, uint16_t *got) {
  ws_fd fd = WS_FD_NONE;
  CHECK_INT(try_to_listen(host, port, &fd), WS_OK);
  *got = port_of(fd);
  return fd;
}

/* A port that is free on both addresses: one that the system gives for the
 * first may be in use on the other. */
static uint16_t port_at_both(const char *one, const char *other) {
  uint16_t port = 0;
  int status = WS_EADDRINUSE;
  for (int tries = 0; status != WS_OK && tries < 100; tries++) {
    ws_fd first = listen_on(one, 0, &port), second = WS_FD_NONE;
    status = try_to_listen(other, port, &second);
    ws_socket_close(first);
    if (status == WS_OK) ws_socket_close(second);
  }
  CHECK_INT(status, WS_OK);
  return port;
}

/* The addresses with which the replaced resolver answers every name. */
static const char *answers[8];
static void resolve(const char *host, uint16_t port, int family,
                    ws_lookup *lookup) {
  (void)host, (void)family;
  for (; lookup->count < 8 && answers[lookup->count]; lookup->count++)
    CHECK(ws_address_parse(&lookup->addresses[lookup->count],
                           ws_slice_of(answers[lookup->count]), port));
  lookup->status = lookup->count ? WS_OK : WS_ENOTFOUND;
}

static void answer_with(const char *a, const char *b, const char *c) {
  answers[0] = a;
  answers[1] = b;
  answers[2] = c;
  answers[3] = NULL;
  ws_resolver_replace(resolve);
}

TEST(a_literal_needs_no_name) {
  party p;
  call c;
  uint16_t port;
  party_begin(&p);
  ws_fd listener = listen_on("::1", 0, &port);
  start(&p, &c, "::1", port);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_OK);
  ws_socket_close(c.fd);
  ws_socket_close(listener);
  party_end(&p);
}

TEST(refused_says_where) {
  party p;
  call c;
  uint16_t port;
  party_begin(&p);
  ws_socket_close(listen_on("127.0.0.1", 0, &port));
  start(&p, &c, "127.0.0.1", port);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_ECONNREFUSED);
  CHECK(strncmp(c.message, "tcp: ", 5) == 0);
  CHECK(strstr(c.message, "127.0.0.1") != NULL);
  party_end(&p);
}

TEST(an_unknown_name_says_so) {
  party p;
  call c;
  party_begin(&p);
  answer_with(NULL, NULL, NULL);
  start(&p, &c, "nobody.test", 80);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_ENOTFOUND);
  CHECK(strncmp(c.message, "name: ", 6) == 0);
  CHECK(strstr(c.message, "nobody.test") != NULL);
  party_end(&p);
}

/* The first address refuses at once: the next is tried without delay. */
TEST(the_next_address_after_a_refusal) {
  party p;
  call c;
  uint16_t port;
  party_begin(&p);
  ws_fd listener = listen_on("127.0.0.1", 0, &port);
  answer_with("::1", "127.0.0.1", NULL);
  start(&p, &c, "both.test", port);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_OK);
  ws_address peer;
  CHECK(ws_socket_peer(c.fd, &peer));
  CHECK_INT(ws_address_family(&peer), 4);
  ws_socket_close(c.fd);
  ws_socket_close(listener);
  party_end(&p);
}

/* A listener with a full queue, which does not answer, like a dead route.
 * *port: the one wanted, or 0 for any. */
static ws_fd silent_listener(const char *host, uint16_t *port,
                             ws_fd fillers[4]) {
  ws_address where;
  ws_listen_options options = {.backlog = 1};
  ws_fd fd = WS_FD_NONE;
  CHECK(ws_address_parse(&where, ws_slice_of(host), *port));
  CHECK_INT(ws_socket_listen(&where, &options, &fd), WS_OK);
  CHECK(ws_socket_local(fd, &where));
  *port = ws_address_port(&where);
  for (int i = 0; i < 4; i++) ws_socket_connect(&where, &fillers[i]);
  return fd;
}

/* The descriptor that the system would give out next; it shows how many are
 * in use. */
static int next_descriptor(void) {
  int fd = dup(0);
  close(fd);
  return fd;
}

/* RFC 8305 section 5: after 250 ms the other family gets its chance. */
TEST(a_dead_first_family) {
  party p;
  call c;
  uint16_t port = port_at_both("::1", "127.0.0.1"), same;
  ws_fd fillers[4];
  party_begin(&p);
  ws_fd silent = silent_listener("::1", &port, fillers);
  ws_fd listener = listen_on("127.0.0.1", port, &same);
  answer_with("::1", "127.0.0.1", NULL);
  start(&p, &c, "both.test", port);
  PARTY_UNTIL_THAT(&p, strcmp(c.stage, "tcp: connecting") == 0);
  int loser = next_descriptor() - 1;
  party_pass(&p, 249);
  CHECK_INT(next_descriptor() - 1, loser); /* the only attempt so far */
  CHECK_INT(c.done, 0);
  party_pass(&p, 1);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_OK);
  CHECK_INT(next_descriptor(), loser); /* the other attempt is closed */
  ws_address peer;
  CHECK(ws_socket_peer(c.fd, &peer));
  CHECK_INT(ws_address_family(&peer), 4);
  ws_socket_close(c.fd);
  for (int i = 0; i < 4; i++) ws_socket_close(fillers[i]);
  ws_socket_close(silent);
  ws_socket_close(listener);
  party_end(&p);
}

TEST(all_refuse_the_first_says_why) {
  party p;
  call c;
  uint16_t port;
  party_begin(&p);
  ws_socket_close(listen_on("127.0.0.1", 0, &port));
  answer_with("::1", "127.0.0.1", "127.0.0.2");
  start(&p, &c, "both.test", port);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_ECONNREFUSED);
  CHECK_INT(c.done, 1);
  CHECK(strstr(c.message, "both.test (::1) port ") != NULL);
  party_end(&p);
}

/* RFC 8305 section 4: families take turns, the system's first choice first. */
TEST(families_take_turns) {
  static const char *const orders[][3] = {
      {"127.0.0.2", "127.0.0.1", "::1"}, /* .2 refuses, ::1 is next */
      {"127.0.0.1", "::1", "127.0.0.2"},
      {"::1", "127.0.0.1", "127.0.0.2"}};
  static const int families[] = {6, 4, 6};
  uint16_t port = port_at_both("::1", "127.0.0.1"), same;
  ws_fd six = listen_on("::1", port, &same);
  ws_fd four = listen_on("127.0.0.1", port, &same);
  for (size_t i = 0; i < 3; i++) {
    party p;
    call c;
    ws_address peer;
    party_begin(&p);
    answer_with(orders[i][0], orders[i][1], orders[i][2]);
    start(&p, &c, "both.test", port);
    PARTY_UNTIL(&p, c.done, 1);
    CHECK_INT(c.status, WS_OK);
    CHECK(ws_socket_peer(c.fd, &peer));
    CHECK_INT(ws_address_family(&peer), families[i]);
    ws_socket_close(c.fd);
    party_end(&p);
  }
  ws_socket_close(six);
  ws_socket_close(four);
}

/* With two attempts under way and a third to come, giving up ends them all. */
TEST(given_up_between_attempts) {
  party p;
  call c;
  uint16_t port = port_at_both("127.0.0.1", "127.0.0.2");
  ws_fd fillers[8];
  party_begin(&p);
  ws_fd silent = silent_listener("127.0.0.1", &port, fillers);
  ws_fd other = silent_listener("127.0.0.2", &port, fillers + 4);
  answer_with("127.0.0.1", "127.0.0.2", "127.0.0.3");
  ws_dial *dial = start(&p, &c, "slow.test", port);
  int before = -1;
  PARTY_UNTIL_THAT(&p, strcmp(c.stage, "tcp: connecting") == 0);
  before = next_descriptor(); /* one attempt holds one */
  party_pass(&p, 249);
  CHECK_INT(next_descriptor(), before);
  party_pass(&p, 1);
  CHECK_INT(next_descriptor(), before + 1);
  ws_dial_cancel(dial);
  CHECK(next_descriptor() < before);
  party_pass(&p, 1000);
  CHECK_INT(c.done, 0);
  CHECK(next_descriptor() < before); /* nor did another begin */
  for (int i = 0; i < 8; i++) ws_socket_close(fillers[i]);
  ws_socket_close(silent);
  ws_socket_close(other);
  party_end(&p);
}

/* While another connection to an address opens, the dial waits for it, even if
 * there is a next address. */
TEST(an_address_at_which_another_opens) {
  party p;
  call c;
  uint16_t port = port_at_both("127.0.0.1", "127.0.0.2"), same;
  ws_address where;
  party_begin(&p);
  ws_fd first = listen_on("127.0.0.1", port, &same);
  ws_fd second = listen_on("127.0.0.2", port, &same);
  CHECK(ws_address_parse(&where, ws_slice_of("127.0.0.1"), port));
  ws_permit *other =
      ws_permit_new(&p.hub.permits, p.loop, &where, on_no_permit, NULL);
  answer_with("127.0.0.1", "127.0.0.1", "127.0.0.2");
  start(&p, &c, "busy.test", port);
  PARTY_UNTIL_THAT(&p, strncmp(c.stage, "tcp: waiting", 12) == 0);
  party_pass(&p, 60000);
  CHECK_INT(c.done, 0);
  ws_permit_free(other);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_OK);
  CHECK(strcmp(c.stage, "tcp: connecting") == 0);
  CHECK(ws_socket_peer(c.fd, &where));
  CHECK_INT(ws_address_port(&where), port);
  ws_socket_close(c.fd);
  ws_socket_close(first);
  ws_socket_close(second);
  party_end(&p);
}

/* The stage stays that of the first address, which is still connecting, though
 * the second waits for its permit. */
TEST(connecting_while_the_next_address_is_waited_for) {
  party p;
  call c;
  uint16_t port = 0;
  ws_address where;
  ws_fd fillers[8];
  party_begin(&p);
  ws_fd silent = silent_listener("127.0.0.1", &port, fillers);
  ws_fd busy = silent_listener("127.0.0.2", &port, fillers + 4);
  CHECK(ws_address_parse(&where, ws_slice_of("127.0.0.2"), port));
  ws_permit *other =
      ws_permit_new(&p.hub.permits, p.loop, &where, on_no_permit, NULL);
  answer_with("127.0.0.1", "127.0.0.2", "127.0.0.2");
  ws_dial *dial = start(&p, &c, "slow.test", port);
  PARTY_UNTIL_THAT(&p, strcmp(c.stage, "tcp: connecting") == 0);
  int before = next_descriptor();
  party_pass(&p, 60000);
  CHECK(strcmp(c.stage, "tcp: connecting") == 0);
  ws_permit_free(other);
  PARTY_UNTIL_THAT(&p, next_descriptor() > before); /* it did wait */
  ws_dial_cancel(dial);
  for (int i = 0; i < 8; i++) ws_socket_close(fillers[i]);
  ws_socket_close(silent);
  ws_socket_close(busy);
  party_end(&p);
}

/* Waiting can be given up, and with `parallel` there is none. */
TEST(not_waiting_any_longer) {
  party p;
  call c, in_parallel;
  uint16_t port;
  ws_address where;
  party_begin(&p);
  ws_fd listener = listen_on("127.0.0.1", 0, &port);
  CHECK(ws_address_parse(&where, ws_slice_of("127.0.0.1"), port));
  ws_permit *other =
      ws_permit_new(&p.hub.permits, p.loop, &where, on_no_permit, NULL);
  ws_dial *dial = start(&p, &c, "127.0.0.1", port);
  ws_dial_target target = {.host = ws_slice_of("127.0.0.1"), .port = port,
                           .parallel = true};
  ws_dial *second;
  in_parallel = (call){.fd = WS_FD_NONE};
  CHECK_INT(ws_dial_start(&p.hub, &target, &events, &in_parallel, &second),
            WS_OK);
  PARTY_UNTIL(&p, in_parallel.done, 1);
  CHECK_INT(in_parallel.status, WS_OK);
  ws_dial_cancel(dial);
  ws_permit_free(other);
  ws_loop_turn(p.loop, 0);
  CHECK_INT(c.done, 0);
  ws_socket_close(in_parallel.fd);
  ws_socket_close(listener);
  party_end(&p);
}

TEST(only_the_family_asked_for) {
  party p;
  call c;
  uint16_t port;
  party_begin(&p);
  ws_fd listener = listen_on("127.0.0.1", 0, &port);
  ws_dial_target target = {
      .host = ws_slice_of("127.0.0.1"), .port = port, .family = 6};
  ws_dial *dial;
  c = (call){.fd = WS_FD_NONE};
  CHECK_INT(ws_dial_start(&p.hub, &target, &events, &c, &dial), WS_OK);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_ENOTFOUND);
  ws_socket_close(listener);
  party_end(&p);
}

TEST(a_path) {
  party p;
  call c = {.fd = WS_FD_NONE};
  char folder[] = "/tmp/ws-dial-XXXXXX", path[64];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/s", folder);
  party_begin(&p);
  ws_dial_target target = {.unix_path = ws_slice_of(path)};
  ws_dial *dial;
  CHECK_INT(ws_dial_start(&p.hub, &target, &events, &c, &dial), WS_OK);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_ENOENT);
  CHECK(strstr(c.message, path) != NULL);
  CHECK(strstr(c.message, "port") == NULL);
  ws_address where;
  ws_listen_options options = {0};
  ws_fd listener;
  ws_address_unix(&where, ws_slice_of(path));
  CHECK_INT(ws_socket_listen(&where, &options, &listener), WS_OK);
  c = (call){.fd = WS_FD_NONE};
  CHECK_INT(ws_dial_start(&p.hub, &target, &events, &c, &dial), WS_OK);
  PARTY_UNTIL(&p, c.done, 1);
  CHECK_INT(c.status, WS_OK);
  ws_socket_close(c.fd);
  ws_socket_close(listener);
  ws_socket_unlink(&where);
  rmdir(folder);
  target.unix_path = (ws_slice){"a\0b", 3};
  CHECK_INT(ws_dial_start(&p.hub, &target, &events, &c, &dial), WS_EINVAL);
  party_end(&p);
}

/* Before the first turn, while the name is looked up, while TCP connects. */
TEST(given_up_at_any_time) {
  party p;
  call c;
  uint16_t port = 0;
  ws_fd fillers[4];
  party_begin(&p);
  ws_fd silent = silent_listener("127.0.0.1", &port, fillers);
  answer_with("127.0.0.1", NULL, NULL);
  for (int turns = 0; turns < 6; turns++) {
    ws_dial *dial = start(&p, &c, "slow.test", port);
    for (int i = 0; i < turns; i++) ws_loop_turn(p.loop, 10);
    CHECK_INT(c.done, 0);
    ws_dial_cancel(dial);
  }
  ws_dial_cancel(NULL);
  for (int i = 0; i < 5; i++) ws_loop_turn(p.loop, 1);
  CHECK_INT(c.done, 0);
  for (int i = 0; i < 4; i++) ws_socket_close(fillers[i]);
  ws_socket_close(silent);
  party_end(&p);
}

TEST(without_memory) {
  party p;
  call c;
  uint16_t port;
  int failures = 0;
  ws_fd listener = listen_on("127.0.0.1", 0, &port);
  answer_with("127.0.0.1", NULL, NULL);
  for (uint64_t n = 1; n < 60; n++) {
    ws_dial_target target = {.host = ws_slice_of("some.test"), .port = port};
    ws_dial *dial = NULL;
    party_begin(&p);
    c = (call){.fd = WS_FD_NONE};
    ws_memory_fail(n, 0);
    int status = ws_dial_start(&p.hub, &target, &events, &c, &dial);
    if (status == WS_OK) PARTY_UNTIL(&p, c.done, 1);
    ws_memory_fail(0, 0);
    CHECK(status == WS_OK || status == WS_ENOMEM);
    CHECK_INT(c.done, status == WS_OK);
    if (status == WS_ENOMEM || c.status != WS_OK) failures++;
    ws_socket_close(c.fd);
    party_end(&p);
  }
  CHECK(failures >= 3);
  ws_socket_close(listener);
}

int main(void) {
  RUN(a_literal_needs_no_name);
  RUN(refused_says_where);
  RUN(an_unknown_name_says_so);
  RUN(the_next_address_after_a_refusal);
  RUN(a_dead_first_family);
  RUN(all_refuse_the_first_says_why);
  RUN(families_take_turns);
  RUN(given_up_between_attempts);
  RUN(an_address_at_which_another_opens);
  RUN(connecting_while_the_next_address_is_waited_for);
  RUN(not_waiting_any_longer);
  RUN(only_the_family_asked_for);
  RUN(a_path);
  RUN(given_up_at_any_time);
  RUN(without_memory);
  return check_done();
}
