/* SPDX-License-Identifier: MIT */
/* OpenSSL's error queue as one sentence for people. The queue is read on the
 * line after the call that failed, left empty, and goes no higher. */
#pragma once
#include "bytes/slice.h"

#include <stddef.h>

/* Where a sentence goes; always terminated when size is not 0. */
typedef struct ws_tls_why {
  char *text;
  size_t size;
} ws_tls_why;

/* "what 'about': sentence", or without 'about' when that is empty; PEM text
 * given in place of a file name is not repeated. Empties OpenSSL's queue.
 * Always WS_ETLS. */
int ws_tls_error_say(ws_tls_why why, const char *what, ws_slice about,
                     const char *sentence);

/* The same with OpenSSL's own reason, or `otherwise` when it has none.
 * WS_ETLS, or WS_ENOMEM when that was the reason. */
int ws_tls_error_take(ws_tls_why why, const char *what, ws_slice about,
                      const char *otherwise);

/* Is it PEM text and not a file's name? */
bool ws_tls_error_is_pem(ws_slice slice);
