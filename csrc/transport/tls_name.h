/* SPDX-License-Identifier: MIT */
/* The name that a certificate must be for: normalised, given to OpenSSL, and
 * compared with the certificate once more by us. */
#pragma once
#include "bytes/slice.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#define WS_TLS_NAME_MOST 253 /* RFC 1035 section 3.1, without the last dot */

/* Fields except `text` are private to tls_*.c. */
typedef struct ws_tls_name {
  char text[WS_TLS_NAME_MOST + 1]; /* lower case, no dot at the end */
  size_t len;
  unsigned char ip[16];
  size_t ip_len; /* 4 or 16 for an address literal, else 0 */
} ws_tls_name;

/* WS_OK, or WS_EINVAL for a host that no certificate can be for: empty, a
 * leading dot, an empty label, characters outside letters, digits, "-_.", or
 * a last label that is a number without the whole being an IPv4 address. */
int ws_tls_name_init(ws_tls_name *name, ws_slice host);

/* Sets the name that a client's handshake asks for (SNI, not for addresses)
 * and, with `verify`, expects. False if OpenSSL failed; its queue says why. */
bool ws_tls_name_expect(const ws_tls_name *name, SSL *ssl, bool verify);

/* True only if the certificate is clearly for this name. */
bool ws_tls_name_matches(const ws_tls_name *name, X509 *leaf);
