/* SPDX-License-Identifier: MIT */
/* Names to addresses by getaddrinfo, off the loop's thread. Results are
 * pulled: watch ws_resolver_fd for reading, then call ws_resolver_next. */
#pragma once
#include "bytes/fd.h"
#include "bytes/slice.h"
#include "transport/address.h"

#include <stddef.h>
#include <stdint.h>

#define WS_RESOLVE_MOST 64 /* addresses kept of one answer */

/* One question. Owned by whoever asked, until ws_lookup_free. */
typedef struct ws_lookup {
  int status; /* WS_OK, WS_ENOTFOUND, WS_ENOMEM, WS_ESYSTEM */
  const char *why; /* in words, static or NULL */
  size_t count;
  ws_address addresses[WS_RESOLVE_MOST]; /* in the system's order (RFC 6724) */
  void *owner;
  struct ws_lookup *next; /* private */
} ws_lookup;

typedef struct ws_resolver ws_resolver;

/* No thread runs until the first question. NULL without memory or
 * descriptors. */
ws_resolver *ws_resolver_new(void);

/* Abandons what is pending: threads that hang in the system end by
 * themselves later, touching nothing of the caller's. Never waits. */
void ws_resolver_free(ws_resolver *resolver);

/* Readable when an answer waits. */
ws_fd ws_resolver_fd(const ws_resolver *resolver);

/* Asks; family 0, 4 or 6. At most 8 threads ask at once, more wait. A handle
 * for cancelling comes back; WS_OK, WS_ENOMEM, WS_ESYSTEM. */
int ws_resolver_start(ws_resolver *resolver, ws_slice host, uint16_t port,
                      int family, void *owner, uint64_t *handle);

/* The owner does not want the answer any more: it will not be given out, nor
 * asked for when that has not begun. */
void ws_resolver_cancel(ws_resolver *resolver, uint64_t handle);

/* The next answer, or NULL. Free it with ws_lookup_free. */
ws_lookup *ws_resolver_next(ws_resolver *resolver);
void ws_lookup_free(ws_lookup *lookup);

/* For specs: what is called instead of getaddrinfo, in the asking thread; NULL
 * for the system again. Fills status, count and addresses. */
typedef void ws_resolve_with(const char *host, uint16_t port, int family,
                             ws_lookup *lookup);
void ws_resolver_replace(ws_resolve_with *replacement);
