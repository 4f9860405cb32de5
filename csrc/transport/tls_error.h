/* SPDX-License-Identifier: MIT */
/* OpenSSL's error queue as one sentence for people. The queue is read on the
 * line after the call that failed, emptied, and passed no higher. */
#pragma once
#include "bytes/slice.h"

#include <stddef.h>

/* Where a sentence goes; always terminated when size is not 0. */
typedef struct ws_tls_why {
  char *text;
  size_t size;
} ws_tls_why;

/* Writes "what 'about': sentence", without 'about' if that is empty; PEM text
 * given in place of a file name is not repeated. Empties OpenSSL's queue.
 * Always returns WS_ETLS. */
int ws_tls_error_say(ws_tls_why why, const char *what, ws_slice about,
                     const char *sentence);

/* The same with OpenSSL's own reason, or `otherwise` if it has none. WS_ETLS,
 * or WS_ENOMEM if that was the reason. */
int ws_tls_error_take(ws_tls_why why, const char *what, ws_slice about,
                      const char *otherwise);

/* True for PEM text, false for the name of a file. */
bool ws_tls_error_is_pem(ws_slice slice);
