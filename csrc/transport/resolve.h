/* SPDX-License-Identifier: MIT */
/* Resolves names with getaddrinfo, off the loop's thread. Results are pulled:
 * wait until ws_resolver_fd is readable, then call ws_resolver_next. */
#pragma once
#include "bytes/fd.h"
#include "bytes/slice.h"
#include "transport/address.h"

#include <stddef.h>
#include <stdint.h>

#define WS_RESOLVE_MOST 64 /* addresses kept of one answer */

/* The answer to one question. Belongs to whoever asked, until
 * ws_lookup_free. */
typedef struct ws_lookup {
  int status; /* WS_OK, WS_ENOTFOUND, WS_ENOMEM, WS_ESYSTEM */
  const char *why; /* the reason in words, static, or NULL */
  size_t count;
  ws_address addresses[WS_RESOLVE_MOST]; /* in the system's order (RFC 6724) */
  void *owner;
  struct ws_lookup *next; /* private */
} ws_lookup;

typedef struct ws_resolver ws_resolver;

/* No thread runs until the first question. NULL without memory or
 * descriptors. */
ws_resolver *ws_resolver_new(void);

/* Abandons what is pending: threads that hang in the system end by themselves
 * later, and touch nothing of the caller's. Never waits. */
void ws_resolver_free(ws_resolver *resolver);

/* Readable when an answer waits. */
ws_fd ws_resolver_fd(const ws_resolver *resolver);

/* Asks a question; family 0, 4 or 6. At most 8 are asked at once; further ones
 * wait. `*handle` is for cancelling it. WS_OK, WS_ENOMEM, WS_ESYSTEM. */
int ws_resolver_start(ws_resolver *resolver, ws_slice host, uint16_t port,
                      int family, void *owner, uint64_t *handle);

/* The owner no longer wants the answer: it will not be returned, and if the
 * question still waits it will not be asked. */
void ws_resolver_cancel(ws_resolver *resolver, uint64_t handle);

/* The next answer, or NULL. Free it with ws_lookup_free. */
ws_lookup *ws_resolver_next(ws_resolver *resolver);
void ws_lookup_free(ws_lookup *lookup);

/* For specs: sets what is called instead of getaddrinfo, in the asking thread,
 * and fills status, count and addresses. NULL: getaddrinfo again. */
typedef void ws_resolve_with(const char *host, uint16_t port, int family,
                             ws_lookup *lookup);
void ws_resolver_replace(ws_resolve_with *replacement);
