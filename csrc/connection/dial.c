/* SPDX-License-Identifier: MIT */
/* Turns a host and port into a connected socket. Addresses are tried in an
 * order that alternates families, a new one every 250 ms or as soon as one has
 * failed; the first to connect wins (RFC 8305 sections 4 and 5). Each attempt
 * first waits for the permit of its address. */
#include "connection/dial.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "transport/socket.h"

#include <stdio.h>
#include <string.h>

#define ATTEMPT_DELAY 250 /* milliseconds, RFC 8305 section 8 */

typedef struct attempt {
  ws_watch watch;
  ws_dial *dial;
  ws_fd fd; /* WS_FD_NONE while it waits and once over */
  ws_permit *permit;
  bool open; /* waits for its permit, or connects */
  ws_address address;
} attempt;

struct ws_dial {
  ws_hub *hub;
  const ws_dial_events *events;
  void *owner;
  ws_timer timer; /* the next attempt */
  ws_task begin;
  ws_task burial;
  uint64_t lookup; /* handle while resolving */
  bool resolving;
  bool over;
  int status; /* the first failure */
  char failed[WS_ADDRESS_TEXT]; /* the address it happened at */
  uint16_t port;
  int family;
  bool parallel;
  attempt *attempts; /* one per address; NULL until those are known */
  size_t count;      /* of all attempts */
  size_t tried;      /* of these, how many have begun */
  size_t open;       /* and are not over */
  size_t host_len;
  char host[];
};

static void free_dial(void *owner) {
  ws_dial *dial = owner;
  ws_memory_free(dial->attempts);
  ws_memory_free(dial);
}

static void end_attempt(attempt *a) {
  if (!a->open) return;
  ws_permit_free(a->permit);
  a->permit = NULL;
  ws_loop_unwatch(a->dial->hub->loop, &a->watch);
  if (a->fd != WS_FD_NONE) ws_socket_close(a->fd);
  a->fd = WS_FD_NONE;
  a->open = false;
  a->dial->open--;
}

static void stop(ws_dial *dial) {
  ws_loop *loop = dial->hub->loop;
  dial->over = true;
  if (dial->resolving && dial->hub->resolver)
    ws_resolver_cancel(dial->hub->resolver, dial->lookup);
  ws_loop_stop_timer(loop, &dial->timer);
  ws_loop_cancel(loop, &dial->begin);
  for (size_t i = 0; i < dial->tried; i++) end_attempt(&dial->attempts[i]);
  ws_loop_dispose(loop, &dial->burial);
}

static void succeed(attempt *a) {
  ws_dial *dial = a->dial;
  ws_dial_result result = {WS_OK, a->fd, a->permit, NULL};
  a->fd = WS_FD_NONE;
  a->permit = NULL;
  stop(dial);
  dial->events->on_done(dial->owner, &result);
}

static void give_up(ws_dial *dial, int status, const char *message) {
  ws_dial_result result = {status, WS_FD_NONE, NULL, message};
  stop(dial);
  dial->events->on_done(dial->owner, &result);
}

static void all_failed(ws_dial *dial) {
  char message[400], port[16] = "";
  const char *text = ws_status_text(dial->status);
  if (ws_address_family(&dial->attempts[0].address) != 0) /* no path */
    snprintf(port, sizeof port, " port %u", dial->port);
  if (dial->host_len == strlen(dial->failed) &&
      memcmp(dial->host, dial->failed, dial->host_len) == 0)
    snprintf(message, sizeof message, "tcp: %s%s: %s", dial->failed, port,
             text);
  else
    snprintf(message, sizeof message, "tcp: %.200s (%s)%s: %s", dial->host,
             dial->failed, port, text);
  give_up(dial, dial->status, message);
}

/* ----------------------------------------------------------- attempts */

static void attempt_lost(attempt *a, int status) {
  ws_dial *dial = a->dial;
  end_attempt(a);
  if (dial->status != WS_OK) return;
  dial->status = status;
  ws_address_text(&a->address, dial->failed);
}

static void attempt_next(void *owner);

static void attempt_ready(void *owner, unsigned events) {
  attempt *a = owner;
  (void)events;
  if (!a->open) return;
  int status = ws_socket_connected(a->fd);
  if (status == WS_EAGAIN) return;
  if (status == WS_OK) {
    succeed(a);
    return;
  }
  attempt_lost(a, status);
  attempt_next(a->dial);
}

static int watch_attempt(attempt *a) {
  a->watch.ready = attempt_ready;
  a->watch.owner = a;
  return ws_loop_watch(a->dial->hub->loop, &a->watch, a->fd, WS_WRITABLE);
}

/* False when it failed at once. */
static bool attempt_connect(attempt *a) {
  ws_dial *dial = a->dial;
  int status = ws_socket_connect(&a->address, &a->fd);
  if (status == WS_OK) {
    succeed(a);
    return true;
  }
  if (status == WS_EAGAIN) status = watch_attempt(a);
  if (status == WS_OK && dial->tried < dial->count)
    status = ws_loop_start_timer(dial->hub->loop, &dial->timer, ATTEMPT_DELAY);
  if (status == WS_OK) return true;
  attempt_lost(a, status);
  return false;
}

static void permit_granted(void *owner) {
  attempt *a = owner;
  a->dial->events->on_stage(a->dial->owner, "tcp: connecting");
  if (!attempt_connect(a)) attempt_next(a->dial);
}

/* An address may be listed twice: its second attempt would wait for the
 * first. */
static bool is_repeated(const attempt *a) {
  for (const attempt *b = a->dial->attempts; b < a; b++)
    if (ws_address_same(&b->address, &a->address)) return true;
  return false;
}

/* If any attempt connects, that is the stage for a deadline to name. */
static void tell_if_all_wait(ws_dial *dial) {
  for (size_t i = 0; i < dial->tried; i++)
    if (dial->attempts[i].fd != WS_FD_NONE) return;
  dial->events->on_stage(dial->owner,
                         "tcp: waiting for another connection to the same "
                         "address to open (option parallel)");
}

/* While it waits for its permit the next address is not tried: another
 * connection is opening to this one, so it is not known to be dead. */
static bool attempt_begin(attempt *a) {
  ws_dial *dial = a->dial;
  if (is_repeated(a)) return false;
  a->open = true;
  dial->open++;
  if (dial->parallel || ws_address_family(&a->address) == 0)
    return attempt_connect(a);
  a->permit = ws_permit_new(&dial->hub->permits, dial->hub->loop, &a->address,
                            permit_granted, a);
  if (!a->permit) {
    attempt_lost(a, WS_ENOMEM);
    return false;
  }
  if (ws_permit_is_granted(a->permit)) return attempt_connect(a);
  tell_if_all_wait(dial);
  return true;
}

/* Starts the next attempt. If it fails at once, the one after it is started in
 * a loop, not by recursion. */
static void attempt_next(void *owner) {
  ws_dial *dial = owner;
  while (dial->tried < dial->count)
    if (attempt_begin(&dial->attempts[dial->tried++])) return;
  if (dial->open == 0) all_failed(dial);
  else tell_if_all_wait(dial);
}

/* Alternates families, starting with the one that the system put first. */
static void interleave(attempt *attempts, const ws_address *addresses,
                       size_t count) {
  int first = ws_address_family(&addresses[0]);
  size_t next[2] = {0, 0}; /* the index to look at next, per family */
  for (size_t filled = 0, which = 0; filled < count; which ^= 1) {
    size_t i = next[which];
    while (i < count &&
           (ws_address_family(&addresses[i]) == first) != (which == 0))
      i++;
    if (i < count) attempts[filled++].address = addresses[i++];
    next[which] = i;
  }
}

static int make_attempts(ws_dial *dial, const ws_address *addresses,
                         size_t count) {
  dial->attempts = ws_memory_new(count * sizeof *dial->attempts);
  if (!dial->attempts) return WS_ENOMEM;
  interleave(dial->attempts, addresses, count);
  for (size_t i = 0; i < count; i++) {
    dial->attempts[i].dial = dial;
    dial->attempts[i].fd = WS_FD_NONE;
  }
  dial->count = count;
  return WS_OK;
}

/* -------------------------------------------------------------- names */

static void begin_found(ws_dial *dial, const ws_lookup *lookup) {
  int status = make_attempts(dial, lookup->addresses, lookup->count);
  if (status != WS_OK) {
    give_up(dial, status, NULL);
    return;
  }
  dial->events->on_stage(dial->owner, "tcp: connecting");
  attempt_next(dial);
}

static void answered(void *owner, ws_lookup *lookup) {
  ws_dial *dial = owner;
  dial->resolving = false;
  if (lookup->status == WS_OK && lookup->count > 0) {
    begin_found(dial, lookup);
  } else {
    char message[400];
    int status = lookup->status == WS_OK ? WS_ENOTFOUND : lookup->status;
    snprintf(message, sizeof message, "name: cannot resolve '%.253s': %s",
             dial->host, lookup->why ? lookup->why : ws_status_text(status));
    give_up(dial, status, message);
  }
  ws_lookup_free(lookup);
}

/* A literal or a path: ws_dial_start has made the attempt. */
static void begin_known(ws_dial *dial) {
  int family = ws_address_family(&dial->attempts[0].address);
  if (family == 0 || dial->family == 0 || dial->family == family) {
    attempt_next(dial);
    return;
  }
  char message[400];
  snprintf(message, sizeof message, "name: '%.253s' is not an IPv%d address",
           dial->host, dial->family);
  give_up(dial, WS_ENOTFOUND, message);
}

/* The first step that runs in a turn of the loop. */
static void begin(void *owner) {
  ws_dial *dial = owner;
  if (dial->attempts) {
    begin_known(dial);
    return;
  }
  ws_resolver *resolver = ws_hub_resolver(dial->hub, answered);
  ws_slice host = {dial->host, dial->host_len};
  int status = WS_ENOMEM;
  if (resolver)
    status = ws_resolver_start(resolver, host, dial->port,
                               dial->family, dial, &dial->lookup);
  dial->resolving = status == WS_OK;
  if (status != WS_OK) give_up(dial, status, "name: cannot ask the resolver");
}

/* Makes the attempt at once if no resolver is needed. */
static int find_address(ws_dial *dial, const ws_dial_target *target) {
  ws_address address;
  if (target->unix_path.len > 0) {
    int status = ws_address_unix(&address, target->unix_path);
    return status == WS_OK ? make_attempts(dial, &address, 1) : status;
  }
  if (ws_address_parse(&address, target->host, target->port))
    return make_attempts(dial, &address, 1);
  dial->events->on_stage(dial->owner, "name: resolving the host");
  return WS_OK;
}

int ws_dial_start(ws_hub *hub, const ws_dial_target *target,
                  const ws_dial_events *events, void *owner,
                  ws_dial **result) {
  ws_slice name = target->unix_path.len ? target->unix_path : target->host;
  ws_dial *dial = ws_memory_new(sizeof *dial + name.len + 1);
  if (!dial) return WS_ENOMEM;
  dial->hub = hub;
  dial->events = events;
  dial->owner = owner;
  dial->port = target->port;
  dial->family = target->family;
  dial->parallel = target->parallel;
  memcpy(dial->host, name.data, name.len);
  dial->host_len = name.len;
  dial->timer.fire = attempt_next;
  dial->begin.run = begin;
  dial->burial.run = free_dial;
  dial->timer.owner = dial->begin.owner = dial->burial.owner = dial;
  int status = find_address(dial, target);
  if (status != WS_OK) {
    free_dial(dial);
    return status;
  }
  ws_loop_post(hub->loop, &dial->begin);
  *result = dial;
  return WS_OK;
}

void ws_dial_cancel(ws_dial *dial) {
  if (dial && !dial->over) stop(dial);
}
