/* SPDX-License-Identifier: MIT */
/* A second check of the peer, after the handshake. OpenSSL has verified the
 * chain and the name by then, but its name check is lost when an allocation
 * fails at the wrong moment, and is not made for resumed sessions. */
#pragma once
#include "bytes/slice.h"
#include "transport/tls_error.h"
#include "transport/tls_name.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The SHA-256 of a public key (DER of the certificate's SPKI). */
typedef struct ws_tls_pin {
  uint8_t digest[32];
} ws_tls_pin;

/* 64 hex digits or base64, optionally with "sha256//" before it. */
bool ws_tls_pin_parse(ws_tls_pin *pin, ws_slice text);

/* What is required of the peer of one connection. */
typedef struct ws_tls_demand {
  bool verify;             /* its certificate must have passed */
  bool optional;           /* but it may do without one */
  const ws_tls_name *name; /* NULL: no name is required (a server's peer) */
  const ws_tls_pin *pins;
  size_t pin_count; /* 0: any key */
} ws_tls_demand;

/* `refused`: the chain check failed and was overruled, because the certificate
 * is optional. WS_OK, with `verified` saying whether it is good; or WS_ETLS. */
int ws_tls_peer_judge(SSL *ssl, const ws_tls_demand *demand, bool refused,
                      bool *verified, ws_tls_why why);

/* The subject, as "CN=ws.test,O=Example" (RFC 2253), cut to the size. False if
 * there is no certificate. */
bool ws_tls_peer_subject(SSL *ssl, char *text, size_t size);
