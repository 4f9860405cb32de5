/* SPDX-License-Identifier: MIT */
/* A borrowed run of bytes. Not zero-terminated; valid until the next call on
 * the object that returned it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ws_slice {
  const char *data; /* may be NULL when len is 0 */
  size_t len;
} ws_slice;

/* The slice over a zero-terminated string; NULL gives the empty slice. */
ws_slice ws_slice_of(const char *string);

bool ws_slice_equal(ws_slice a, ws_slice b);

/* ASCII letters compared without regard to case. */
bool ws_slice_equal_nocase(ws_slice a, ws_slice b);

/* A hash for tables: equal for equal bytes. Attackers can predict it. */
uint32_t ws_slice_hash(ws_slice slice);

/* The slice without the spaces and tabs at both ends. */
ws_slice ws_slice_trim(ws_slice slice);

/* The value of a hexadecimal digit, or -1. */
int ws_slice_hex(char c);

/* RFC 9110 section 5.6.2: one or more token characters. */
bool ws_slice_is_token(ws_slice slice);

/* Takes the next item of a comma-separated list (RFC 9110 section 5.6.1) off
 * the front of `list` and trims it. Commas inside quoted strings do not count.
 * False at the end. Empty items are returned as empty slices. */
bool ws_slice_next_item(ws_slice *list, ws_slice *item);
