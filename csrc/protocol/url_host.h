/* SPDX-License-Identifier: MIT */
/* Parses the host of a URL as the URL Standard does for our schemes: a name, an
 * IPv4 address in any of its spellings, an IPv6 address. url.c finds where the
 * host begins and ends. */
#pragma once
#include "bytes/slice.h"
#include "protocol/url.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_URL_ADDRESS_MAX 41 /* an IPv6 address and its brackets */

/* Replaces each %XX by its byte and leaves other % alone. Writes at most
 * text.len bytes; returns how many. */
size_t ws_url_percent_decode(ws_slice text, char *into);

/* Writes the normalised host to `into`, which must have room for the larger of
 * host.len and WS_URL_ADDRESS_MAX bytes, and must not overlap `host`. Returns
 * the length, or WS_EURL with `*why` (static storage). */
ptrdiff_t ws_url_host_parse(ws_slice host, char *into, ws_host_kind *kind,
                            const char **why);

/* True for an IPv6 address without brackets and without a zone. */
bool ws_url_host_is_ipv6(ws_slice text);

/* The bytes of an address literal without brackets, the most significant
 * first: 4 or 16. 0 for a name. */
size_t ws_url_host_bytes(ws_slice host, uint8_t bytes[16]);
