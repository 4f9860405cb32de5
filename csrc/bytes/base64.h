/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648 section 4), with padding. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* How many characters encode `len` bytes, without a terminating zero. */
#define WS_BASE64_LENGTH(len) (((len) + 2) / 3 * 4)

/* Writes WS_BASE64_LENGTH(len) characters and no terminating zero. */
void ws_base64_encode(const void *data, size_t len, char *into);

/* Strict: whole groups of four, padding at the end only. Non-zero padding
 * bits are accepted (the RFC 6455 example key has them). Returns the bytes
 * written (at most len / 4 * 3), or WS_EINVAL. */
ptrdiff_t ws_base64_decode(const char *text, size_t len, void *into);
