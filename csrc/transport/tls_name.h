/* SPDX-License-Identifier: MIT */
/* The name a certificate must be for: brought into one form, given to
 * OpenSSL, and held against the certificate once more by us. */
#pragma once
#include "bytes/slice.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#define WS_TLS_NAME_MOST 253 /* RFC 1035 section 3.1, without the last dot */

/* Fields are private to tls_name.c, but for `text`. */
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

/* Sets what a client's handshake asks for (SNI, not for addresses) and, with
 * `verify`, expects. False when OpenSSL could not; its queue says why. */
bool ws_tls_name_expect(const ws_tls_name *name, SSL *ssl, bool verify);

/* Is the certificate for this name? Anything but a clear yes is no. */
bool ws_tls_name_matches(const ws_tls_name *name, X509 *leaf);
