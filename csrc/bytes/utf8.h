/* SPDX-License-Identifier: MIT */
/* Validates UTF-8 (RFC 3629), at once or as the bytes come in. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fields are private to utf8.c. All zero is the initial state. */
typedef struct ws_utf8 {
  uint32_t state; /* 0 between characters */
} ws_utf8;

/* True when data[0..len) is well-formed and ends with a whole character. */
bool ws_utf8_valid(const uint8_t *data, size_t len);

/* Takes the next bytes; false as soon as no continuation could make the text
 * well-formed (the first bad byte). After false it stays false. */
bool ws_utf8_feed(ws_utf8 *utf8, const uint8_t *data, size_t len);

/* True when no character is unfinished. */
bool ws_utf8_complete(const ws_utf8 *utf8);
