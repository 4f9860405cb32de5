/* SPDX-License-Identifier: MIT */
/* SHA-1 (FIPS 180-4), for the accept key of the handshake and nothing else.
 * There it gives no security, only proof that the peer speaks WebSocket. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define WS_SHA1_SIZE 20

void ws_sha1(const void *data, size_t len, uint8_t digest[WS_SHA1_SIZE]);
