/* SPDX-License-Identifier: MIT */
/* The ciphertext side of TLS: a BIO that OpenSSL reads from and writes to, over
 * the stream below. Reading copies nothing; writing copies only what the stream
 * below does not take at once. */
#pragma once
#include "bytes/buffer.h"
#include "transport/stream.h"

#include <openssl/bio.h>
#include <stdbool.h>
#include <stddef.h>

/* Fields except the statuses and `drained` are private to tls_wire.c. */
typedef struct ws_tls_wire {
  ws_stream *below;
  ws_buffer held;  /* ciphertext still to be sent */
  size_t budget;   /* bytes that may still be read, see ws_tls_wire_allow */
  bool drained;    /* the last read from below gave less than it could */
  int read_status; /* the failure that ended reading; WS_EOF: the end */
  int write_status;
} ws_tls_wire;

/* The BIO_METHOD of BIOs over wires; NULL without memory. Free it with
 * BIO_meth_free after the last of them. */
BIO_METHOD *ws_tls_wire_method(void);

void ws_tls_wire_init(ws_tls_wire *wire, ws_stream *below);
void ws_tls_wire_deinit(ws_tls_wire *wire); /* `below` is not touched */

/* A BIO over the wire, which must outlive it. NULL without memory. */
BIO *ws_tls_wire_bio(ws_tls_wire *wire, const BIO_METHOD *method);

/* Lets OpenSSL read that many bytes until the next call of this; then it is
 * made to wait, and keeps what it has of a record. Each byte of content allows
 * one more (allow_more), so a flood of records without content cannot keep one
 * call busy. */
void ws_tls_wire_allow(ws_tls_wire *wire, size_t budget);
void ws_tls_wire_allow_more(ws_tls_wire *wire, size_t content);

/* Sends what is held. WS_OK (nothing is left), WS_EAGAIN, or the failure. */
int ws_tls_wire_push(ws_tls_wire *wire);

bool ws_tls_wire_is_held(const ws_tls_wire *wire);
