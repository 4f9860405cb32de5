/* SPDX-License-Identifier: MIT */
/* OpenSSL's error queue as one sentence. Which call may fail and what that
 * means is not decided here. */
#include "transport/tls_error.h"

#include "bytes/status.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <stdio.h>
#include <string.h>

#define BEGIN "-----BEGIN"

/* For bytes that are no TLS record OpenSSL says only "wrong version number".
 * System errors have no reason string: theirs is the last part of the long form
 * "error:80000002:system library::No such file". */
static const char *reason_of(unsigned long code, char *space, size_t size) {
  if (ERR_GET_LIB(code) == ERR_LIB_SSL &&
      ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER)
    return "wrong version number: no TLS, or an old one";
  const char *reason = ERR_reason_error_string(code);
  if (reason) return reason;
  ERR_error_string_n(code, space, size);
  const char *colon = strrchr(space, ':');
  return colon ? colon + 1 : space;
}

static void write_sentence(ws_tls_why why, const char *what, ws_slice about,
                           const char *sentence) {
  if (why.size == 0) return;
  if (ws_tls_error_is_pem(about)) about = ws_slice_of("given as text");
  int shown = about.len > 200 ? 200 : (int)about.len;
  if (shown == 0)
    snprintf(why.text, why.size, "%s: %s", what, sentence);
  else
    snprintf(why.text, why.size, "%s '%.*s': %s", what, shown, about.data,
             sentence);
}

int ws_tls_error_say(ws_tls_why why, const char *what, ws_slice about,
                     const char *sentence) {
  ERR_clear_error();
  write_sentence(why, what, about, sentence);
  return WS_ETLS;
}

int ws_tls_error_take(ws_tls_why why, const char *what, ws_slice about,
                      const char *otherwise) {
  char space[256];
  unsigned long code = ERR_peek_error(); /* the first is the cause */
  bool no_memory = code && ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
  write_sentence(why, what, about,
                 code ? reason_of(code, space, sizeof space) : otherwise);
  ERR_clear_error();
  return no_memory ? WS_ENOMEM : WS_ETLS;
}

bool ws_tls_error_is_pem(ws_slice slice) {
  const size_t len = sizeof BEGIN - 1;
  for (size_t i = 0; i + len <= slice.len; i++)
    if (memcmp(slice.data + i, BEGIN, len) == 0) return true;
  return false;
}
