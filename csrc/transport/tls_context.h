/* SPDX-License-Identifier: MIT */
/* The inside of a ws_tls, for the files of transport/ that make streams from
 * it; the public side is in stream_tls.h. */
#pragma once
#include "transport/stream_tls.h"
#include "transport/tls_peer.h"
#include "transport/tls_wire.h"

#include <openssl/ssl.h>

typedef struct ws_tls_entry {
  char text[WS_TLS_NAME_MOST + 1]; /* lower case, without "*." */
  bool wildcard;
  ws_tls *tls;
} ws_tls_entry;

struct ws_tls {
  size_t refs;
  SSL_CTX *context;
  BIO_METHOD *method; /* of its streams' BIOs */
  bool server;
  bool verify;   /* the peer's certificate is checked */
  bool optional; /* and may be missing */
  ws_tls_pin *pins;
  size_t pin_count;
  ws_tls_entry *entries;
  size_t entry_count;
};

/* What OpenSSL's callbacks tell the stream; an SSL's app data points to it. */
typedef struct ws_tls_notes {
  bool refused;   /* an optional certificate did not pass */
  ws_tls *chosen; /* by SNI, a reference; NULL: the original context */
} ws_tls_notes;
