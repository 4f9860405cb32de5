/* SPDX-License-Identifier: MIT */
/* TLS over any stream, by OpenSSL with BIOs of our own that call the stream
 * below (never SSL_set_fd: no SIGPIPE, one place that reads and writes
 * sockets). stream_tls_none.c replaces it where TLS is left out: ws_tls_new
 * then returns WS_EUNSUPPORTED. */
#pragma once
#include "bytes/slice.h"
#include "transport/stream.h"

#include <stdbool.h>

/* The settings of one side of TLS; borrowed for the call of ws_tls_new. `cert`,
 * `key` and `ca` are PEM text if they contain "-----BEGIN", else the name of a
 * file (`ca` also of a folder). Empty slices: not given. */
typedef struct ws_tls_options {
  bool server;
  bool no_verify;        /* client: accept any certificate */
  bool request_cert;     /* server: ask the client for a certificate */
  bool require_cert;     /* server: and refuse clients without a good one */
  ws_slice ca;           /* default: the system's store; revocation lists
                            in it are used for the peer's own certificate */
  ws_slice cert;         /* with the chain behind it */
  ws_slice key;          /* default: in cert */
  ws_slice password;     /* of the key */
  ws_slice ciphers;      /* TLS 1.2 list, or TLS 1.3 suites ("TLS_...") */
  ws_slice min_version;  /* "TLSv1.2" or "TLSv1.3"; default: "TLSv1.2", or what
                            the system's configuration demands beyond it */
  const ws_slice *pins;  /* SHA-256 of the public key (SPKI): 64 hex digits or
                            base64, optionally "sha256//" before; any matches */
  size_t pin_count;
} ws_tls_options;

/* A context: reference-counted, shared by the streams made from it. */
typedef struct ws_tls ws_tls;

/* WS_OK, WS_ENOMEM, WS_EUNSUPPORTED, or WS_ETLS with a sentence in `why` (a
 * certificate that cannot be read, a key that does not match, ...). */
int ws_tls_new(const ws_tls_options *options, ws_tls **tls, char *why,
               size_t why_size);
ws_tls *ws_tls_ref(ws_tls *tls);
void ws_tls_unref(ws_tls *tls); /* NULL is fine */

/* True if it has a certificate to show. */
bool ws_tls_has_cert(const ws_tls *tls);

/* Server: clients that ask for `name` (SNI; the "*" of "*.a.test" stands for
 * one label) get `other`, a server's context without names of its own. Takes a
 * reference; a name given again is replaced. WS_OK, WS_ENOMEM or WS_EINVAL. */
int ws_tls_add_name(ws_tls *tls, ws_slice name, ws_tls *other);

/* Makes the stream; takes ownership of `below` and a reference to `tls`.
 * Client: `host` is the name or address literal (no brackets) that the
 * certificate must be for, checked by OpenSSL, and once more by us after the
 * handshake. A trailing dot is ignored; an empty host, one with a NUL or with a
 * leading dot is WS_EINVAL. Names are sent as SNI, addresses are not.
 * `servername`, unless empty, replaces the host for both. Server: both are
 * empty. On failure `below` stays the caller's. */
int ws_stream_tls_new(ws_stream *below, ws_tls *tls, ws_slice host,
                      ws_slice servername, ws_stream **stream);

/* What was agreed, once open. Static or living as long as the stream. */
typedef struct ws_tls_info {
  const char *version; /* "TLSv1.3" */
  const char *cipher;
  const char *peer;    /* the peer certificate's subject, or NULL */
  bool verified;       /* the peer's certificate passed every check */
  bool resumed;
} ws_tls_info;

/* False when `stream` is not TLS or not open. */
bool ws_stream_tls_info(ws_stream *stream, ws_tls_info *info);
