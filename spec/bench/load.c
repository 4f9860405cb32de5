/* SPDX-License-Identifier: MIT */
/* A load generator for WebSocket servers on this machine: one thread, epoll.
 * It measures the server's CPU time, which is what a server costs; messages
 * per second would say more about the kernel and the generator itself.
 * Prints one line of name=value. */
#include "load_io.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BATCH 1024
#define OPENING_MOST 100 /* connections that open at the same time */

static const char usage[] =
    "load echo|open|idle|broadcast|zlib -p PORT [options]\n"
    "  -c N   connections (50)          -k N   messages in flight each (1)\n"
    "  -s N   bytes a message (125)     -t T   binary, text, utf8 or json\n"
    "  -d S   seconds (1)               -w S   seconds before them (0.2)\n"
    "  -n N   end after so many messages, if sooner\n"
    "  -P N   the server's process, to be measured\n"
    "  -z     permessage-deflate        -T     TLS\n"
    "  -x     replies are counted, their content is not compared\n"
    "echo: each connection keeps -k messages in flight. open: opened and\n"
    "closed again and again. idle: opened and held. broadcast: the first one\n"
    "publishes, all receive. zlib: no server, the time of zlib alone,\n"
    "with -c pairs of contexts that take turns of -k messages.\n";

typedef enum load_mode { ECHO, OPEN, IDLE, BROADCAST, ZLIB } load_mode;
static const char *const mode_names[] = {"echo", "open", "idle", "broadcast",
                                         "zlib"};

typedef struct load_options {
  load_mode mode;
  unsigned connections;
  size_t size;
  ring_kind kind;
  double seconds, warm_up;
  uint64_t messages;
  pid_t server;
  bool secure;
} load_options;

typedef struct load {
  load_options options;
  load_plan plan;
  load_peer *peers;
  unsigned started, opened;
} load;

/* ------------------------------------------------------------ measuring */

typedef struct sample {
  double time, server, own;
  uint64_t messages, ended;
} sample;

static double read_clock(clockid_t clock_id) {
  struct timespec t;
  if (clock_gettime(clock_id, &t) != 0) load_die("no such process");
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static sample take_sample(const load *l) {
  sample s = {.time = read_clock(CLOCK_MONOTONIC),
              .own = read_clock(CLOCK_PROCESS_CPUTIME_ID),
              .messages = l->plan.messages,
              .ended = l->plan.ended};
  clockid_t of_server;
  if (l->options.server > 0) {
    if (clock_getcpuclockid(l->options.server, &of_server) != 0)
      load_die("no such process");
    s.server = read_clock(of_server);
  }
  return s;
}

/* Bytes of a process's memory that are resident. */
static double read_rss(pid_t process) {
  char path[64];
  unsigned long size = 0, resident = 0;
  snprintf(path, sizeof path, "/proc/%ld/statm", (long)process);
  FILE *file = fopen(path, "r");
  if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
    load_die("no such process");
  fclose(file);
  return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void report(const load *l, const sample *a, const sample *b) {
  uint64_t done = l->options.mode == OPEN ? b->ended - a->ended
                                          : b->messages - a->messages;
  double seconds = b->time - a->time, count = done ? (double)done : 1;
  printf("messages=%llu seconds=%.3f rate=%.0f server_cpu=%.6f own_cpu=%.6f "
         "server_us=%.4f own_us=%.4f compressed=%llu\n",
         (unsigned long long)done, seconds, (double)done / seconds,
         b->server - a->server, b->own - a->own,
         (b->server - a->server) * 1e6 / count,
         (b->own - a->own) * 1e6 / count,
         (unsigned long long)l->plan.compressed);
}

/* -------------------------------------------------------------- running */

static bool still_opening(const load_peer *peer) {
  return peer->state < PEER_OPEN;
}

static void start_one(load *l) {
  load_peer *peer = &l->peers[l->started];
  peer_start(&l->plan, peer, !l->plan.publish || l->started == 0);
  l->started++;
}

/* This one has opened or closed: starts the next one, or itself again. */
static void replace(load *l, load_peer *peer) {
  if (peer->state == PEER_CLOSED) {
    peer_start(&l->plan, peer, false);
    return;
  }
  l->opened++;
  if (l->started < l->options.connections) start_one(l);
}

static void turn(load *l, int ms) {
  struct epoll_event events[BATCH];
  int count = epoll_wait(l->plan.epoll, events, BATCH, ms);
  if (count < 0 && errno != EINTR) load_die(strerror(errno));
  for (int i = 0; i < count; i++) {
    load_peer *peer = events[i].data.ptr;
    bool before = still_opening(peer);
    peer_ready(&l->plan, peer, events[i].events);
    if (before != still_opening(peer) || peer->state == PEER_CLOSED)
      replace(l, peer);
  }
}

static void open_all(load *l) {
  double until = read_clock(CLOCK_MONOTONIC) + 30;
  for (unsigned i = 0; i < OPENING_MOST && i < l->options.connections; i++)
    start_one(l);
  while (l->opened < l->options.connections) {
    turn(l, 1000);
    if (read_clock(CLOCK_MONOTONIC) > until)
      load_die("the connections do not open");
  }
}

static void run_for(load *l, double seconds, uint64_t messages) {
  double until = read_clock(CLOCK_MONOTONIC) + seconds;
  while (read_clock(CLOCK_MONOTONIC) < until && l->plan.messages < messages)
    turn(l, 100);
}

static void run_traffic(load *l) {
  const load_options *o = &l->options;
  open_all(l);
  for (unsigned i = 0; i < o->connections; i++)
    peer_go(&l->plan, &l->peers[i]);
  run_for(l, o->warm_up, UINT64_MAX);
  sample before = take_sample(l);
  uint64_t last = o->messages ? before.messages + o->messages : UINT64_MAX;
  run_for(l, o->seconds, last);
  sample after = take_sample(l);
  if (after.messages == before.messages && o->mode != OPEN)
    load_die("nothing came back");
  report(l, &before, &after);
}

static void run_idle(load *l) {
  double before = read_rss(l->options.server);
  open_all(l);
  run_for(l, l->options.warm_up, UINT64_MAX);
  double grown = read_rss(l->options.server) - before;
  printf("connections=%u rss=%.0f rss_each=%.0f\n", l->options.connections,
         grown, grown / l->options.connections);
}

static void run_zlib(load *l) {
  size_t rounds = 1, each = (size_t)l->options.connections * l->plan.depth;
  double seconds = 0;
  while (seconds < l->options.seconds) { /* only the last, longest run counts */
    rounds *= 2;
    seconds = ring_zlib_seconds(&l->plan.ring, rounds,
                                l->options.connections, l->plan.depth);
  }
  printf("messages=%zu zlib_us=%.4f\n", rounds * each,
         seconds * 1e6 / (double)(rounds * each));
}

/* -------------------------------------------------------------- options */

static ring_kind kind_of(const char *name) {
  static const char *const names[] = {"binary", "text", "utf8", "json"};
  for (int i = 0; i < 4; i++)
    if (strcmp(name, names[i]) == 0) return (ring_kind)i;
  load_die(usage);
  return RING_BINARY;
}

static load_mode mode_of(const char *name) {
  for (int i = 0; name && i <= ZLIB; i++)
    if (strcmp(name, mode_names[i]) == 0) return (load_mode)i;
  load_die(usage);
  return ECHO;
}

static void read_option(load *l, int letter, const char *value) {
  load_options *o = &l->options;
  switch (letter) {
    case 'c': o->connections = (unsigned)strtoul(value, NULL, 10); break;
    case 'k': l->plan.depth = (unsigned)strtoul(value, NULL, 10); break;
    case 's': o->size = (size_t)strtoull(value, NULL, 10); break;
    case 't': o->kind = kind_of(value); break;
    case 'd': o->seconds = strtod(value, NULL); break;
    case 'w': o->warm_up = strtod(value, NULL); break;
    case 'n': o->messages = strtoull(value, NULL, 10); break;
    case 'p': l->plan.port = (int)strtol(value, NULL, 10); break;
    case 'P': o->server = (pid_t)strtol(value, NULL, 10); break;
    case 'z': l->plan.deflate = true; break;
    case 'x': l->plan.check = false; break;
    case 'T': o->secure = true; break;
    default: load_die(usage);
  }
}

static void read_options(load *l, int argc, char **argv) {
  l->options = (load_options){.connections = 50, .size = 125, .seconds = 1,
                              .warm_up = 0.2};
  l->plan.depth = 1;
  l->plan.check = true;
  l->options.mode = mode_of(argv[1]);
  int letter;
  while ((letter = getopt(argc - 1, argv + 1, "p:c:k:s:t:d:w:n:P:zxT")) != -1)
    read_option(l, letter, optarg);
  load_mode mode = l->options.mode;
  bool server = mode == ZLIB || l->plan.port > 0;
  if (!server || l->options.size == 0 || l->options.connections == 0 ||
      (mode == IDLE && l->options.server == 0))
    load_die(usage);
  if (mode == ZLIB) l->plan.deflate = true;
  if (mode == OPEN || mode == IDLE) l->plan.depth = 0;
  l->plan.close_opened = mode == OPEN;
  l->plan.publish = mode == BROADCAST;
  if (l->plan.deflate) l->plan.check = false;
}

static void raise_limit(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static SSL_CTX *make_tls(void) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!context) load_die("no TLS");
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

int main(int argc, char **argv) {
  static load l;
  read_options(&l, argc, argv);
  raise_limit();
  ring_make(&l.plan.ring, l.options.kind, l.options.size, l.plan.deflate);
  if (l.options.mode == ZLIB) {
    run_zlib(&l);
    return 0;
  }
  l.plan.epoll = epoll_create1(EPOLL_CLOEXEC);
  l.plan.input = malloc(LOAD_INPUT);
  l.peers = calloc(l.options.connections, sizeof *l.peers);
  if (!l.plan.input || !l.peers || l.plan.epoll < 0) load_die("no memory");
  if (l.options.secure) l.plan.tls = make_tls();
  if (l.options.mode == IDLE) run_idle(&l);
  else run_traffic(&l);
  return 0;
}
