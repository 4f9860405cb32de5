/* SPDX-License-Identifier: MIT */
/* Names to addresses in other threads: answers, cancelling, and freeing the
 * resolver while threads still work. */
#include "transport/resolve.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

/* A stand-in for getaddrinfo: it answers "n<number>" with 127.0.0.<number>,
 * holds back names that begin with "wait" until the gate opens, and counts how
 * many threads ask at once. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int asking, most_asking;
static atomic_int answered;
static char last_host[300]; /* the last name asked for */
static int last_family;
static bool signals_reach_it;

static void answer(const char *host, uint16_t port, int family,
                   ws_lookup *lookup) {
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, NULL, &blocked);
  pthread_mutex_lock(&lock);
  snprintf(last_host, sizeof last_host, "%s", host);
  last_family = family;
  if (!sigismember(&blocked, SIGALRM) || !sigismember(&blocked, SIGINT))
    signals_reach_it = true;
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
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += 5;
  pthread_mutex_lock(&lock);
  while (asking < count &&
         pthread_cond_timedwait(&changed, &lock, &end) == 0)
    continue;
  CHECK_INT(asking, count);
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

/* Waits for the next answer. */
static ws_lookup *next(ws_resolver *resolver) {
  for (;;) {
    ws_lookup *lookup = ws_resolver_next(resolver);
    if (lookup) return lookup;
    struct pollfd p = {ws_resolver_fd(resolver), POLLIN, 0};
    if (poll(&p, 1, 5000) != 1) return NULL;
  }
}

/* Whether all memory is freed; threads free theirs when they end, later. */
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

/* Compares as text, because a BSD's addresses have a length in them. */
static bool holds(const ws_lookup *lookup, const struct addrinfo *info) {
  ws_address given = {.len = (uint32_t)info->ai_addrlen};
  char wanted[WS_ADDRESS_TEXT], text[WS_ADDRESS_TEXT];
  memcpy(given.sockaddr.bytes, info->ai_addr, info->ai_addrlen);
  ws_address_text(&given, wanted);
  for (size_t i = 0; i < lookup->count; i++) {
    ws_address_text(&lookup->addresses[i], text);
    if (strcmp(text, wanted) == 0) return true;
  }
  return false;
}

/* Also ::1, even if it is the host's only IPv6 address: a server may listen on
 * that. */
TEST(localhost_is_all_that_the_system_says) {
  static const char *const names[] = {"localhost", "LocalHost"};
  ws_resolver *resolver = ws_resolver_new();
  for (size_t i = 0; i < 2; i++) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    CHECK_INT(getaddrinfo(names[i], "80", &hints, &list), 0);
    ask(resolver, names[i], NULL);
    ws_lookup *lookup = next(resolver);
    CHECK(lookup && lookup->status == WS_OK);
    for (struct addrinfo *one = list; one && lookup; one = one->ai_next)
      CHECK(holds(lookup, one));
    ws_lookup_free(lookup);
    freeaddrinfo(list);
  }
  ws_resolver_free(resolver);
}

static ws_lookup *look_up(ws_resolver *resolver, const char *host,
                          int family) {
  uint64_t handle;
  CHECK_INT(ws_resolver_start(resolver, ws_slice_of(host), 8080, family, NULL,
                              &handle),
            WS_OK);
  return next(resolver);
}

TEST(literals_are_answered_too) {
  static const struct {
    const char *host;
    int family;
    bool good;
  } cases[] = {{"127.0.0.1", 0, true},  {"127.0.0.1", 4, true},
               {"127.0.0.1", 6, false}, {"::1", 0, true},
               {"::1", 6, true},        {"::1", 4, false}};
  ws_resolver *resolver = ws_resolver_new();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ws_lookup *lookup = look_up(resolver, cases[i].host, cases[i].family);
    char text[WS_ADDRESS_TEXT] = "";
    CHECK_INT(lookup->status, cases[i].good ? WS_OK : WS_ENOTFOUND);
    CHECK_INT(lookup->count, cases[i].good);
    if (lookup->count) ws_address_text(&lookup->addresses[0], text);
    CHECK(strcmp(text, cases[i].good ? cases[i].host : "") == 0);
    CHECK(cases[i].good || lookup->why != NULL);
    if (lookup->count) {
      ws_address parsed;
      CHECK(ws_address_parse(&parsed, ws_slice_of(cases[i].host), 8080));
      CHECK(ws_address_same(&lookup->addresses[0], &parsed));
    }
    ws_lookup_free(lookup);
  }
  ws_resolver_free(resolver);
}

/* RFC 6761 section 6.4: no such name exists, and no server need be asked. */
TEST(a_name_that_cannot_be) {
  ws_resolver *resolver = ws_resolver_new();
  ws_lookup *lookup = look_up(resolver, "name.invalid", 0);
  CHECK(lookup && (lookup->status == WS_ENOTFOUND ||
                   lookup->status == WS_ESYSTEM));
  CHECK(lookup && lookup->count == 0);
  CHECK(lookup && lookup->why && *lookup->why);
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
      {NULL, 0},     {"", 0},        {".", 1},
      {"a\0b", 3},   {"localhost", 10}, {longer, 254},
      {longer, 255}, {longer, sizeof longer}};
  ws_resolver *resolver = ws_resolver_new();
  uint64_t handle;
  ws_resolver_replace(answer); /* which would answer some of them */
  atomic_store(&answered, 0);
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    ws_resolver_start(resolver, hosts[i], 1, 0, NULL, &handle);
    ws_lookup *lookup = next(resolver);
    CHECK(lookup && lookup->status == WS_ENOTFOUND);
    CHECK(lookup && lookup->why && lookup->count == 0);
    ws_lookup_free(lookup);
  }
  CHECK_INT(atomic_load(&answered), 0);
  ws_resolver_replace(NULL);
  ws_resolver_free(resolver);
}

/* RFC 1035 section 2.3.4: 253 bytes as text, without the root's dot. */
TEST(the_longest_names_are_asked_for_whole) {
  static const size_t lengths[] = {1, 252, 253, 254};
  ws_resolver_replace(answer);
  ws_resolver *resolver = ws_resolver_new();
  for (size_t i = 0; i < 4; i++) {
    char name[256] = {0};
    size_t len = lengths[i];
    char *inside = (char *)check_guarded(len); /* without a NUL */
    memset(name, 'n', len);
    if (len == 254) name[253] = '.';
    memcpy(inside, name, len);
    uint64_t handle;
    CHECK_INT(ws_resolver_start(resolver, (ws_slice){inside, len}, 1, 6, NULL,
                                &handle),
              WS_OK);
    ws_lookup *lookup = next(resolver);
    CHECK(lookup && !lookup->why); /* it was asked for */
    CHECK(strcmp(last_host, name) == 0);
    CHECK_INT(last_family, 6);
    ws_lookup_free(lookup);
  }
  ws_resolver_free(resolver);
  CHECK(all_given_back());
}

static bool is_readable(ws_resolver *resolver, int ms) {
  struct pollfd p = {ws_resolver_fd(resolver), POLLIN, 0};
  return poll(&p, 1, ms) == 1;
}

/* The descriptor is readable until the last answer is taken, so a loop that
 * watches it neither misses one nor spins. */
TEST(the_descriptor_tells) {
  ws_resolver *resolver = ws_resolver_new();
  CHECK(!is_readable(resolver, 0));
  CHECK(ws_resolver_next(resolver) == NULL);
  for (int round = 0; round < 3; round++) {
    int before = atomic_load(&answered);
    for (int i = 0; i < 5; i++) ask(resolver, "n1", NULL);
    for (int i = 0; i < 5; i++) {
      CHECK(is_readable(resolver, 5000));
      ws_lookup_free(next(resolver));
    }
    CHECK_INT(atomic_load(&answered), before + 5);
    CHECK(ws_resolver_next(resolver) == NULL);
    CHECK(!is_readable(resolver, 0));
  }
  set_gate(false);
  uint64_t unwanted = ask(resolver, "wait1", NULL);
  wait_until_asking(1);
  ws_resolver_cancel(resolver, unwanted);
  set_gate(true);
  CHECK(is_readable(resolver, 5000)); /* once, without an answer */
  CHECK(ws_resolver_next(resolver) == NULL);
  CHECK(!is_readable(resolver, 0));
  ws_resolver_free(resolver);
  CHECK(all_given_back());
}

/* More wake-ups than one read takes are cleared, too. */
TEST(many_answers_before_the_first_is_taken) {
  ws_resolver *resolver = ws_resolver_new();
  int before = atomic_load(&answered);
  for (int i = 0; i < 200; i++) ask(resolver, "n1", NULL);
  for (int i = 0; i < 5000 && atomic_load(&answered) < before + 200; i++)
    poll(NULL, 0, 1);
  for (int i = 0; i < 200; i++) {
    CHECK(is_readable(resolver, 5000));
    ws_lookup_free(next(resolver));
  }
  CHECK(ws_resolver_next(resolver) == NULL);
  CHECK(!is_readable(resolver, 0));
  ws_resolver_free(resolver);
  CHECK(all_given_back());
}

/* Only the program's own threads get signals. */
TEST(signals_do_not_reach_the_threads) {
  ws_resolver *resolver = ws_resolver_new();
  sigset_t before, after;
  pthread_sigmask(SIG_SETMASK, NULL, &before);
  ask(resolver, "n1", NULL);
  ws_lookup_free(next(resolver));
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  CHECK(!signals_reach_it);
  for (int one = 1; one < 32; one++) {
    CHECK_INT(sigismember(&after, one), sigismember(&before, one));
    CHECK_INT(sigismember(&after, one), 0);
  }
  ws_resolver_free(resolver);
  CHECK(all_given_back());
}

TEST(eight_ask_at_once_more_wait) {
  ws_resolver *resolver = ws_resolver_new();
  set_gate(false);
  most_asking = 0;
  for (int i = 0; i < 30; i++) ask(resolver, "wait1", NULL);
  wait_until_asking(8);
  CHECK(ws_resolver_next(resolver) == NULL);
  set_gate(true);
  for (int i = 0; i < 30; i++) {
    ws_lookup *lookup = next(resolver);
    CHECK(lookup && lookup->status == WS_OK);
    ws_lookup_free(lookup);
  }
  CHECK_INT(most_asking, 8);
  ws_resolver_free(resolver);
  CHECK(all_given_back());
}

TEST(many_at_once_each_gets_its_own) {
  ws_resolver *resolver = ws_resolver_new();
  most_asking = 0;
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
  ws_resolver_cancel(resolver, 4711); /* no such lookup */
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

/* Of those that wait: the first, one in the middle and the last. */
TEST(cancelled_before_it_is_asked_it_never_is) {
  set_gate(false);
  ws_resolver *resolver = ws_resolver_new();
  int owner;
  for (int i = 0; i < 8; i++) ask(resolver, "wait1", NULL);
  wait_until_asking(8);
  uint64_t unwanted[3];
  unwanted[0] = ask(resolver, "n2", NULL);
  ask(resolver, "n3", NULL);
  unwanted[1] = ask(resolver, "n4", NULL);
  ask(resolver, "n5", NULL);
  unwanted[2] = ask(resolver, "n6", NULL);
  for (int i = 0; i < 3; i++) ws_resolver_cancel(resolver, unwanted[i]);
  ask(resolver, "n7", &owner); /* follows what was the last but one */
  int before = atomic_load(&answered);
  set_gate(true);
  int wanted = 0;
  for (int i = 0; i < 11; i++) {
    ws_lookup *lookup = next(resolver);
    CHECK(lookup && lookup->status == WS_OK);
    wanted += lookup->owner == &owner;
    ws_lookup_free(lookup);
  }
  CHECK_INT(wanted, 1);
  ws_resolver_free(resolver);
  CHECK(all_given_back());
  CHECK_INT(atomic_load(&answered) - before, 11);
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

/* Some names are being looked up, some wait, some have untaken answers. */
TEST(going_away_in_the_middle_of_all) {
  set_gate(false);
  ws_resolver *resolver = ws_resolver_new();
  ask(resolver, "n1", NULL);
  CHECK(is_readable(resolver, 5000));
  for (int i = 0; i < 20; i++) ask(resolver, "wait1", NULL);
  wait_until_asking(8);
  int before = atomic_load(&answered);
  ws_resolver_free(resolver);
  set_gate(true);
  CHECK(all_given_back());
  CHECK_INT(atomic_load(&answered), before + 8); /* no thread took any more */
}

/* The second of the descriptors that would be given out next, as a pair takes
 * two. */
static int second_descriptor(void) {
  int first = dup(STDERR_FILENO), second = dup(STDERR_FILENO);
  close(first);
  close(second);
  return second;
}

TEST(many_that_come_and_go) {
  int before = second_descriptor();
  set_gate(true);
  for (int i = 0; i < 100; i++) {
    ws_resolver *resolver = ws_resolver_new();
    CHECK(resolver != NULL);
    if (!resolver) break;
    ask(resolver, "n1", NULL);
    uint64_t second = ask(resolver, "n2", NULL);
    if (i % 3 == 0) ws_resolver_cancel(resolver, second);
    if (i % 2 == 0) ws_lookup_free(next(resolver));
    ws_resolver_free(resolver);
  }
  CHECK(all_given_back());
  CHECK_INT(second_descriptor(), before); /* none is left open */
}

/* An answer belongs to the one who took it. */
TEST(an_answer_outlives_its_resolver) {
  ws_resolver *resolver = ws_resolver_new();
  uint64_t handle = ask(resolver, "n7", NULL);
  ws_lookup *lookup = next(resolver);
  ws_resolver_cancel(resolver, handle); /* too late */
  ws_resolver_free(resolver);
  char text[WS_ADDRESS_TEXT];
  ws_address_text(&lookup->addresses[0], text);
  CHECK(strcmp(text, "127.0.0.7") == 0);
  ws_lookup_free(lookup);
  CHECK(all_given_back());
}

#ifdef __GLIBC__
/* Makes it impossible to start threads, by stacks that are too large. */
static void set_threads(bool possible, size_t usual) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes,
                            possible ? usual : (size_t)1 << 46);
  CHECK_INT(pthread_setattr_default_np(&attributes), 0);
  pthread_attr_destroy(&attributes);
}

TEST(without_threads) {
  size_t usual, live = ws_memory_live();
  pthread_attr_t attributes;
  pthread_getattr_default_np(&attributes);
  pthread_attr_getstacksize(&attributes, &usual);
  pthread_attr_destroy(&attributes);
  ws_resolver *resolver = ws_resolver_new();
  uint64_t handle;
  set_threads(false, usual);
  for (int i = 0; i < 2; i++)
    CHECK_INT(ws_resolver_start(resolver, ws_slice_of("n1"), 1, 0, NULL,
                                &handle),
              WS_ESYSTEM);
  ws_resolver_cancel(resolver, handle); /* it no longer exists */
  ws_resolver_free(resolver);
  set_threads(true, usual);
  CHECK_INT(ws_memory_live(), live);
  resolver = ws_resolver_new();
  set_gate(false);
  ask(resolver, "wait1", NULL);
  wait_until_asking(1);
  set_threads(false, usual);
  ask(resolver, "n1", NULL); /* the only thread gets to it later */
  set_threads(true, usual);
  set_gate(true);
  for (int i = 0; i < 2; i++) {
    ws_lookup *lookup = next(resolver);
    CHECK(lookup && lookup->status == WS_OK);
    ws_lookup_free(lookup);
  }
  CHECK(ws_resolver_next(resolver) == NULL); /* failed ones leave nothing */
  ws_resolver_free(resolver);
  CHECK(all_given_back());
  CHECK_INT(ws_memory_live(), live);
}
#endif

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
  RUN(localhost_is_all_that_the_system_says);
  RUN(literals_are_answered_too);
  RUN(a_name_that_cannot_be);
  RUN(one_family_only);
  RUN(what_cannot_be_a_name_is_not_asked_for);
  RUN(the_longest_names_are_asked_for_whole); /* the stand-in answers now */
  RUN(the_descriptor_tells);
  RUN(many_answers_before_the_first_is_taken);
  RUN(signals_do_not_reach_the_threads);
  RUN(eight_ask_at_once_more_wait);
  RUN(many_at_once_each_gets_its_own);
  RUN(a_slow_name_holds_up_no_other);
  RUN(cancelled_in_every_state);
  RUN(cancelled_before_it_is_asked_it_never_is);
  RUN(going_away_waits_for_nobody);
  RUN(going_away_in_the_middle_of_all);
  RUN(many_that_come_and_go);
  RUN(an_answer_outlives_its_resolver);
#ifdef __GLIBC__
  RUN(without_threads);
#endif
  RUN(without_memory);
  return check_done();
}
