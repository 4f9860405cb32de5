/* SPDX-License-Identifier: MIT */
/* Negotiation of permessage-deflate, RFC 7692 section 7.1: writes and judges
 * offers and answers. Compression itself is in deflate.h. */
#pragma once
#include "bytes/slice.h"
#include "protocol/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WS_DEFLATE_TEXT 160 /* bytes of the longest offer or answer */

/* What a side wants. Bits are those of the LZ77 window: 8 to 15; 0: no
 * preference (15). */
typedef struct ws_deflate_options {
  bool enabled;
  bool server_no_context; /* each message of that side is compressed alone */
  bool client_no_context;
  uint8_t server_bits;
  uint8_t client_bits;
  int level;        /* zlib's, 0 to 9 */
  size_t threshold; /* shorter messages are sent uncompressed */
} ws_deflate_options;

/* What was agreed for a connection. */
typedef struct ws_deflate_agreed {
  bool on;
  bool server_no_context;
  bool client_no_context;
  uint8_t server_bits; /* 8 to 15 */
  uint8_t client_bits;
} ws_deflate_agreed;

/* Client: writes the offer into `text`; returns its length. */
size_t ws_deflate_offer(const ws_deflate_options *options,
                        char text[WS_DEFLATE_TEXT]);

/* Client: judges the Sec-WebSocket-Extensions of the answer to that offer
 * (S161-S170). Returns NULL when it is good and sets `agreed` (`on` is false
 * for an empty value); else a static sentence: the handshake has failed. */
const char *ws_deflate_judge(const ws_deflate_options *options,
                             ws_slice answer, ws_deflate_agreed *agreed);

/* Server: accepts the first offer of the request that it can fulfil (R37-R54),
 * writes the answer into `text` and returns its length; 0 if none is good. */
size_t ws_deflate_choose(const ws_deflate_options *options,
                         const ws_http_head *head, ws_deflate_agreed *agreed,
                         char text[WS_DEFLATE_TEXT]);
