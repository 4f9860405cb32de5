/* SPDX-License-Identifier: MIT */
/* getaddrinfo in threads of its own. The threads touch only the desk, which is
 * reference-counted: it outlives the resolver if a thread hangs in the
 * system. */
#include "transport/resolve.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "transport/socket.h"
#include "transport/socket_system.h"
#include "transport/system_error.h"
#include "transport/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define THREADS_MOST 8
#define NAME_MOST 253 /* RFC 1035 section 2.3.4, as text, without a last dot */

typedef struct question {
  struct question *next;
  uint64_t handle;
  int family;
  uint16_t port;
  ws_lookup *lookup; /* where the answer goes */
  char host[NAME_MOST + 2]; /* with room for a last dot and NUL */
} question;

/* An answer, given or to be given, with its question's handle; 0: cancelled. */
typedef struct answer {
  ws_lookup lookup; /* first: the public part */
  uint64_t handle;
} answer;

typedef struct desk {
  pthread_mutex_t lock;
  unsigned references; /* the resolver and each thread */
  unsigned threads;
  bool abandoned;
  ws_fd wake[2]; /* [0] is watched, [1] written to */
  question *first, **last;
  ws_lookup *asking[THREADS_MOST]; /* what threads are asking now */
  ws_lookup *answered, **answered_last;
} desk;

struct ws_resolver {
  desk *desk;
  uint64_t handles;
};

static _Atomic(ws_resolve_with *) replacement;

/* For a question that has not been asked: frees the place of its answer too. */
static void free_question(question *q) {
  ws_lookup_free(q->lookup);
  ws_memory_free(q);
}

static void free_questions(desk *d) {
  while (d->first) {
    question *q = d->first;
    d->first = q->next;
    free_question(q);
  }
}

/* Called with the lock held; releases it. */
static void leave(desk *d) {
  bool last = --d->references == 0;
  pthread_mutex_unlock(&d->lock);
  if (!last) return;
  while (d->answered) {
    ws_lookup *lookup = d->answered;
    d->answered = lookup->next;
    ws_lookup_free(lookup);
  }
  ws_socket_close(d->wake[0]);
  ws_socket_close(d->wake[1]);
  pthread_mutex_destroy(&d->lock);
  ws_memory_free(d);
}

/* ---------------------------------------------------------- in threads */

/* Brings an address into the form of a parsed one, so that the two can compare
 * equal: the BSDs also fill in a length field, which parsing leaves 0. */
static bool plain_address(ws_address *address, const struct addrinfo *info) {
  ws_address given = {.len = (uint32_t)info->ai_addrlen};
  char text[WS_ADDRESS_TEXT];
  memcpy(given.sockaddr.bytes, info->ai_addr, info->ai_addrlen);
  ws_address_text(&given, text);
  return ws_address_parse(address, ws_slice_of(text), ws_address_port(&given));
}

static void keep_address(ws_lookup *lookup, const struct addrinfo *info) {
  if (lookup->count == WS_RESOLVE_MOST) return;
  if (info->ai_family != AF_INET && info->ai_family != AF_INET6) return;
  ws_address address;
  if (!plain_address(&address, info)) return;
  for (size_t i = 0; i < lookup->count; i++)
    if (ws_address_same(&lookup->addresses[i], &address)) return;
  lookup->addresses[lookup->count++] = address;
}

static int ask(const question *q, int flags, struct addrinfo **list) {
  char port[8];
  struct addrinfo hints;
  memset(&hints, 0, sizeof hints);
  hints.ai_family = q->family == 4   ? AF_INET
                    : q->family == 6 ? AF_INET6
                                     : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  snprintf(port, sizeof port, "%u", q->port);
  return getaddrinfo(q->host, port, &hints, list);
}

/* For this name ::1 is wanted even if no other IPv6 address is configured. */
static bool is_localhost(const char *host) {
  ws_slice name = ws_slice_of(host);
  if (name.len > 0 && name.data[name.len - 1] == '.') name.len--;
  return ws_slice_equal_nocase(name, ws_slice_of("localhost"));
}

static int status_of(int result) {
  if (result == EAI_MEMORY) return WS_ENOMEM;
  return result == EAI_SYSTEM ? WS_ESYSTEM : WS_ENOTFOUND;
}

static void resolve(const question *q, ws_lookup *lookup) {
  struct addrinfo *list = NULL;
  int flags = is_localhost(q->host) ? 0 : AI_ADDRCONFIG;
  int result = ask(q, flags, &list);
  /* A host with nothing but loopback has no "configured" family. */
  if (flags != 0 && result != 0 && result != EAI_AGAIN &&
      result != EAI_MEMORY)
    result = ask(q, 0, &list);
  if (result != 0) {
    lookup->status = status_of(result);
    lookup->why = ws_system_lookup_error(result);
    return;
  }
  for (struct addrinfo *info = list; info; info = info->ai_next)
    keep_address(lookup, info);
  freeaddrinfo(list);
  lookup->status = lookup->count ? WS_OK : WS_ENOTFOUND;
}

static void answer_one(question *q) {
  ws_resolve_with *with = atomic_load(&replacement);
  if (with) with(q->host, q->port, q->family, q->lookup);
  else resolve(q, q->lookup);
}

/* A socket that is full wakes the owner as well. */
static bool wake(desk *d) {
  ws_slice one = {"", 1};
  ptrdiff_t put = ws_socket_write(d->wake[1], &one, 1);
  return put > 0 || put == WS_EAGAIN;
}

/* Called with the lock held. Without a wake-up nobody would take the answer, so
 * if the system lacks memory for one, this tries until there is some. */
static void wake_surely(desk *d) {
  const struct timespec pause = {0, 10 * 1000 * 1000};
  while (!d->abandoned && !wake(d)) {
    pthread_mutex_unlock(&d->lock);
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&d->lock);
  }
}

static ws_lookup **free_place(desk *d) {
  size_t i = 0;
  while (d->asking[i]) i++; /* one for each thread, so there is one */
  return &d->asking[i];
}

/* Takes questions until there is none, then ends. */
static void *work(void *argument) {
  desk *d = argument;
  pthread_mutex_lock(&d->lock);
  while (d->first) {
    question *q = d->first;
    d->first = q->next;
    if (!d->first) d->last = &d->first;
    ws_lookup **place = free_place(d);
    *place = q->lookup;
    pthread_mutex_unlock(&d->lock);
    answer_one(q);
    pthread_mutex_lock(&d->lock);
    *place = NULL;
    q->lookup->next = NULL;
    *d->answered_last = q->lookup;
    d->answered_last = &q->lookup->next;
    ws_memory_free(q);
    wake_surely(d);
  }
  d->threads--;
  leave(d);
  return NULL;
}

/* Called with the lock held. */
static int start_thread(desk *d) {
  if (d->threads == THREADS_MOST) return WS_OK;
  d->references++;
  d->threads++;
  if (ws_thread_start(work, d) == WS_OK) return WS_OK;
  d->references--;
  d->threads--;
  return d->threads > 0 ? WS_OK : WS_ESYSTEM; /* another will get to it */
}

/* ----------------------------------------------------------- the owner */

ws_resolver *ws_resolver_new(void) {
  ws_resolver *resolver = ws_memory_new(sizeof *resolver);
  desk *d = ws_memory_new(sizeof *d);
  if (!resolver || !d || ws_socket_pair(d->wake) != WS_OK) {
    ws_memory_free(resolver);
    ws_memory_free(d);
    return NULL;
  }
  pthread_mutex_init(&d->lock, NULL);
  d->references = 1;
  d->last = &d->first;
  d->answered_last = &d->answered;
  resolver->desk = d;
  return resolver;
}

void ws_resolver_free(ws_resolver *resolver) {
  desk *d = resolver->desk;
  ws_memory_free(resolver);
  pthread_mutex_lock(&d->lock);
  d->abandoned = true;
  free_questions(d); /* and no more will come */
  leave(d);
}

ws_fd ws_resolver_fd(const ws_resolver *resolver) {
  return resolver->desk->wake[0];
}

/* A host that cannot be a name is answered without asking the system. */
static bool is_name(ws_slice host) {
  size_t len = host.len;
  if (len > 0 && host.data[len - 1] == '.') len--;
  return len > 0 && len <= NAME_MOST && !memchr(host.data, 0, host.len);
}

static question *write_question(ws_slice host, uint16_t port, int family,
                                void *owner, uint64_t handle) {
  question *q = ws_memory_new(sizeof *q);
  answer *a = ws_memory_new(sizeof *a);
  if (!q || !a) {
    ws_memory_free(q);
    ws_memory_free(a);
    return NULL;
  }
  a->handle = q->handle = handle;
  a->lookup.owner = owner;
  q->lookup = &a->lookup;
  q->port = port;
  q->family = family;
  if (is_name(host)) /* else it stays empty */
    memcpy(q->host, host.data, host.len);
  return q;
}

int ws_resolver_start(ws_resolver *resolver, ws_slice host, uint16_t port,
                      int family, void *owner, uint64_t *handle) {
  desk *d = resolver->desk;
  *handle = ++resolver->handles;
  question *q = write_question(host, port, family, owner, *handle);
  if (!q) return WS_ENOMEM;
  int status = WS_OK;
  pthread_mutex_lock(&d->lock);
  if (q->host[0] != '\0') {
    *d->last = q;
    question **place = d->last;
    d->last = &q->next;
    status = start_thread(d);
    if (status != WS_OK) { /* take it back */
      *place = NULL;
      d->last = place;
      free_question(q);
    }
  } else if (wake(d)) {
    q->lookup->status = WS_ENOTFOUND;
    q->lookup->why = "not a host name";
    *d->answered_last = q->lookup;
    d->answered_last = &q->lookup->next;
    ws_memory_free(q);
  } else {
    status = WS_ENOMEM;
    free_question(q);
  }
  pthread_mutex_unlock(&d->lock);
  return status;
}

/* A question that still waits is dropped and never asked, so that it takes no
 * thread from those whose answers are wanted. */
static void withdraw(desk *d, uint64_t handle) {
  question **place = &d->first;
  while (*place && (*place)->handle != handle) place = &(*place)->next;
  question *q = *place;
  if (!q) return;
  *place = q->next;
  if (!q->next) d->last = place;
  free_question(q);
}

/* The answer will still come, but ws_resolver_next drops it. */
static void disown(ws_lookup *lookup, uint64_t handle) {
  answer *a = (answer *)lookup;
  if (a->handle == handle) a->handle = 0;
}

void ws_resolver_cancel(ws_resolver *resolver, uint64_t handle) {
  desk *d = resolver->desk;
  pthread_mutex_lock(&d->lock);
  withdraw(d, handle);
  for (size_t i = 0; i < THREADS_MOST; i++)
    if (d->asking[i]) disown(d->asking[i], handle);
  for (ws_lookup *l = d->answered; l; l = l->next) disown(l, handle);
  pthread_mutex_unlock(&d->lock);
}

static ws_lookup *take(desk *d) {
  pthread_mutex_lock(&d->lock);
  ws_lookup *lookup = d->answered;
  if (lookup) d->answered = lookup->next;
  if (!d->answered) {
    d->answered_last = &d->answered;
    char drop[64];
    while (ws_socket_read(d->wake[0], drop, sizeof drop) > 0) continue;
  }
  pthread_mutex_unlock(&d->lock);
  return lookup;
}

ws_lookup *ws_resolver_next(ws_resolver *resolver) {
  for (;;) {
    ws_lookup *lookup = take(resolver->desk);
    if (!lookup || ((answer *)lookup)->handle != 0) return lookup;
    ws_lookup_free(lookup);
  }
}

void ws_lookup_free(ws_lookup *lookup) { ws_memory_free(lookup); }

void ws_resolver_replace(ws_resolve_with *with) {
  atomic_store(&replacement, with);
}
