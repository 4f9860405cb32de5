/* SPDX-License-Identifier: MIT */
/* The grammar of Sec-WebSocket-Extensions, RFC 6455 section 9.1: names and
 * parameters one after the other. What they mean is for deflate_offer.h. */
#pragma once
#include "bytes/slice.h"

#include <stdbool.h>

/* One header's value being read. Fields are private to extension.c. */
typedef struct ws_extension_reader {
  ws_slice rest;
  bool lax;
  bool due; /* an extension has to follow */
} ws_extension_reader;

/* One parameter; slices of the header. */
typedef struct ws_extension_param {
  ws_slice name;
  ws_slice value; /* without quotes; backslashes are left in */
  bool has_value;
} ws_extension_param;

/* With `lax`, for a server: empty list items are skipped (RFC 9110 section
 * 5.6.1), a list may consist of nothing else, and a quoted value may be empty
 * (R45). Otherwise these are errors. */
void ws_extension_start(ws_extension_reader *reader, ws_slice value, bool lax);

/* The next extension's name: 1, 0 at the end, or WS_EHTTP (the grammar is
 * violated). Unread parameters of the extension before are checked and
 * skipped. */
int ws_extension_next(ws_extension_reader *reader, ws_slice *name);

/* The next parameter of the current extension: 1, 0 if it has no more, or
 * WS_EHTTP. */
int ws_extension_next_param(ws_extension_reader *reader,
                            ws_extension_param *param);

/* The value as a decimal number without sign or leading zeros, quoted or not,
 * 0 to 9999; -1 for anything else. */
int ws_extension_number(const ws_extension_param *param);
