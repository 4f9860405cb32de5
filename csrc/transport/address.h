/* SPDX-License-Identifier: MIT */
/* A place to connect to or listen on: IPv4, IPv6 or a Unix socket's path. */
#pragma once
#include "bytes/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_ADDRESS_TEXT 112

/* Fields are private to transport/: a struct sockaddr and its length. */
typedef struct ws_address {
  union {
    uint64_t align;
    uint8_t bytes[128];
  } sockaddr;
  uint32_t len; /* 0: none */
} ws_address;

/* Parses an IPv4 or IPv6 literal (no brackets; a zone "%eth0" or "%2" is
 * allowed). False when it is no literal. */
bool ws_address_parse(ws_address *address, ws_slice text, uint16_t port);

/* WS_OK, or WS_EINVAL when the path is empty, holds a NUL or is too long. */
int ws_address_unix(ws_address *address, ws_slice path);

/* 4, 6, or 0 for a Unix socket. */
int ws_address_family(const ws_address *address);

/* True for the same family, address and port: all `len` bytes in use are the
 * same. Bytes after them do not count. */
bool ws_address_same(const ws_address *a, const ws_address *b);

/* A hash for tables: equal for equal addresses. */
uint32_t ws_address_hash(const ws_address *address);

/* 0 for a Unix socket. */
uint16_t ws_address_port(const ws_address *address);

/* "127.0.0.1", "::1", or the path; always terminated. */
void ws_address_text(const ws_address *address, char text[WS_ADDRESS_TEXT]);
