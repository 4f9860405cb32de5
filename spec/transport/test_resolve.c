/* SPDX-License-Identifier: MIT */
/* Names to addresses off this thread: answers, cancelling, going away while
 * threads are still at it. */
#include "transport/resolve.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A name server of our own: it answers "n<number>" with 127.0.0.<number>,
 * holds back names that begin with "wait" until the gate opens, and counts how
 * many ask at once. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int asking, most_asking;
static atomic_int answered;

static void answer(const char *host, uint16_t port, int family,
                   ws_lookup *lookup) {
  (void)family;
  pthread_mutex_lock(&lock);
  if (++asking > most_asking) most_asking = asking;
  pthread_cond_broadcast(&changed);
  while (strncmp(host, "wait", 4) == 0 && !gate_open)
    pthread_cond_wait(&changed, &lock);
  asking--;
  pthread_mutex_unlock(&lock);
  char text[32];
  const char *digits = host + strcspn(host, "0123456789");
  snprintf(text, sizeof text, "127.0.0.%.3s", digits);
  bool good = ws_address_parse(&lookup->addresses[0], ws_slice_of(text), port);
  lookup->count = good;
  lookup->status = good ? WS_OK : WS_ENOTFOUND;
  atomic_fetch_add(&answered, 1);
}

static void set_gate(bool open) {
  pthread_mutex_lock(&lock);
  gate_open = open;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static void wait_until_asking(int count) {
  pthread_mutex_lock(&lock);
  while (asking < count) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
}

static uint64_t ask(ws_resolver *resolver, const char *host, void *owner) {
  uint64_t handle = 0;
  CHECK_INT(ws_resolver_start(resolver, ws_slice_of(host), 80, 0, owner,
                              &handle),
            WS_OK);
  CHECK(handle != 0);
  return handle;
}

/* The next answer, waited for. */
static ws_lookup *next(ws_resolver *resolver) {
  for (;;) {
    ws_lookup *lookup = ws_resolver_next(resolver);
    if (lookup) return lookup;
    struct pollfd p = {ws_resolver_fd(resolver), POLLIN, 0};
    if (poll(&p, 1, 5000) != 1) return NULL;
  }
}

/* Threads end on their own: their memory is theirs until then. */
static bool all_given_back(void) {
  for (int i = 0; i < 5000 && ws_memory_live() > 0; i++) poll(NULL, 0, 1);
  return ws_memory_live() == 0;
}

TEST(the_system_knows_localhost) {
  ws_resolver *resolver = ws_resolver_new();
  int owner;
  ask(resolver, "localhost", &owner);
  ws_lookup *lookup = next(resolver);
  CHECK(lookup != NULL);
  CHECK_INT(lookup->status, WS_OK);
  CHECK(lookup->owner == &owner);
  CHECK(lookup->count > 0);
  char text[WS_ADDRESS_TEXT];
  ws_address_text(&lookup->addresses[0], text);
  CHECK(strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0);
  CHECK_INT(ws_address_port(&lookup->addresses[0]), 80);
  ws_lookup_free(lookup);
  ws_resolver_free(resolver);
}

TEST(one_family_only) {
  ws_resolver *resolver = ws_resolver_new();
  uint64_t handle;
  ws_resolver_start(resolver, ws_slice_of("localhost"), 1, 4, NULL, &handle);
  ws_lookup *lookup = next(resolver);
  CHECK(lookup && lookup->status == WS_OK);
  for (size_t i = 0; lookup && i < lookup->count; i++)
    CHECK_INT(ws_address_family(&lookup->addresses[i]), 4);
  ws_lookup_free(lookup);
  ws_resolver_free(resolver);
}

TEST(what_cannot_be_a_name_is_not_asked_for) {
  char longer[260];
  memset(longer, 'a', sizeof longer);
  const ws_slice hosts[] = {
      {"", 0}, {".", 1}, {"a\0b", 3}, {longer, sizeof longer}};
  ws_resolver *resolver = ws_resolver_new();
  uint64_t handle;
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    ws_resolver_start(resolver, hosts[i], 1, 0, NULL, &handle);
    ws_lookup *lookup = next(resolver);
    CHECK(lookup && lookup->status == WS_ENOTFOUND);
    ws_lookup_free(lookup);
  }
  ws_resolver_free(resolver);
}

TEST(many_at_once_each_gets_its_own) {
  ws_resolver_replace(answer);
  ws_resolver *resolver = ws_resolver_new();
  static int owners[200];
  char name[16];
  for (int i = 0; i < 200; i++) {
    snprintf(name, sizeof name, "n%d", i);
    ask(resolver, name, &owners[i]);
  }
  bool seen[200] = {false};
  for (int i = 0; i < 200; i++) {
    ws_lookup *lookup = next(resolver);
    CHECK(lookup != NULL);
    if (!lookup) break;
    long which = (int *)lookup->owner - owners;
    CHECK(!seen[which]);
    seen[which] = true;
    char text[WS_ADDRESS_TEXT];
    ws_address_text(&lookup->addresses[0], text);
    CHECK_INT(atoi(text + strlen("127.0.0.")), which);
    ws_lookup_free(lookup);
  }
  CHECK(ws_resolver_next(resolver) == NULL);
  CHECK(most_asking <= 8);
  ws_resolver_free(resolver);
  CHECK(all_given_back());
}

TEST(a_slow_name_holds_up_no_other) {
  set_gate(false);
  ws_resolver *resolver = ws_resolver_new();
  int slow, quick;
  ask(resolver, "wait1", &slow);
  wait_until_asking(1);
  ask(resolver, "n2", &quick);
  ws_lookup *lookup = next(resolver);
  CHECK(lookup && lookup->owner == &quick);
  ws_lookup_free(lookup);
  set_gate(true);
  lookup = next(resolver);
  CHECK(lookup && lookup->owner == &slow);
  ws_lookup_free(lookup);
  ws_resolver_free(resolver);
  CHECK(all_given_back());
}

TEST(cancelled_in_every_state) {
  set_gate(false);
  ws_resolver *resolver = ws_resolver_new();
  int owner, last;
  uint64_t running = ask(resolver, "wait1", &owner);
  wait_until_asking(1);
  for (int i = 0; i < 7; i++) ask(resolver, "wait2", &last);
  wait_until_asking(8); /* all threads are busy */
  uint64_t queued = ask(resolver, "n3", &owner);
  ws_resolver_cancel(resolver, running);
  ws_resolver_cancel(resolver, queued);
  ws_resolver_cancel(resolver, 4711); /* nobody's */
  set_gate(true);
  for (int i = 0; i < 7; i++) {
    ws_lookup *lookup = next(resolver);
    CHECK(lookup && lookup->owner == &last);
    ws_lookup_free(lookup);
  }
  uint64_t done = ask(resolver, "n4", &owner);
  struct pollfd p = {ws_resolver_fd(resolver), POLLIN, 0};
  CHECK_INT(poll(&p, 1, 5000), 1);
  ws_resolver_cancel(resolver, done);
  ask(resolver, "n5", &last);
  ws_lookup *lookup = next(resolver);
  CHECK(lookup && lookup->owner == &last);
  ws_lookup_free(lookup);
  ws_resolver_free(resolver);
  CHECK(all_given_back());
}

TEST(going_away_waits_for_nobody) {
  set_gate(false);
  int before = atomic_load(&answered);
  ws_resolver *resolver = ws_resolver_new();
  int owner;
  ask(resolver, "wait1", &owner);
  wait_until_asking(1);
  ws_resolver_free(resolver); /* would hang here if it waited */
  CHECK_INT(atomic_load(&answered), before);
  set_gate(true);
  CHECK(all_given_back());
}

TEST(without_memory) {
  size_t live = ws_memory_live();
  for (uint64_t n = 1; n <= 2; n++) {
    ws_memory_fail(n, 0);
    CHECK(ws_resolver_new() == NULL);
  }
  ws_resolver *resolver = ws_resolver_new();
  uint64_t handle;
  for (uint64_t n = 1; n <= 2; n++) {
    ws_memory_fail(n, 0);
    CHECK_INT(ws_resolver_start(resolver, ws_slice_of("n1"), 1, 0, NULL,
                                &handle),
              WS_ENOMEM);
  }
  ws_memory_fail(0, 0);
  ws_resolver_free(resolver);
  CHECK_INT(ws_memory_live(), live);
}

int main(void) {
  RUN(the_system_knows_localhost);
  RUN(one_family_only);
  RUN(what_cannot_be_a_name_is_not_asked_for);
  RUN(many_at_once_each_gets_its_own);
  RUN(a_slow_name_holds_up_no_other);
  RUN(cancelled_in_every_state);
  RUN(going_away_waits_for_nobody);
  RUN(without_memory);
  return check_done();
}
