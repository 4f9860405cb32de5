/* SPDX-License-Identifier: MIT */
/* Replaces TLS where it is left out of the build: no context can be made, so
 * the other functions are never called with one. */
#include "transport/stream_tls.h"

#include "bytes/status.h"

#include <string.h>

int ws_tls_new(const ws_tls_options *options, ws_tls **tls, char *why,
               size_t why_size) {
  static const char text[] = "TLS is left out of this build";
  (void)options;
  *tls = NULL;
  if (why_size > 0) {
    strncpy(why, text, why_size - 1);
    why[why_size - 1] = '\0';
  }
  return WS_EUNSUPPORTED;
}

ws_tls *ws_tls_ref(ws_tls *tls) { return tls; }

void ws_tls_unref(ws_tls *tls) { (void)tls; }

bool ws_tls_has_cert(const ws_tls *tls) {
  (void)tls;
  return false;
}

int ws_tls_add_name(ws_tls *tls, ws_slice name, ws_tls *other) {
  (void)tls;
  (void)name;
  (void)other;
  return WS_EUNSUPPORTED;
}

int ws_stream_tls_new(ws_stream *below, ws_tls *tls, ws_slice host,
                      ws_slice servername, ws_stream **stream) {
  (void)below;
  (void)tls;
  (void)host;
  (void)servername;
  (void)stream;
  return WS_EUNSUPPORTED;
}

bool ws_stream_tls_info(ws_stream *stream, ws_tls_info *info) {
  (void)stream;
  (void)info;
  return false;
}
