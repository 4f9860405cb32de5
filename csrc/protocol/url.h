/* SPDX-License-Identifier: MIT */
/* Parses ws: and wss: URLs as the URL Standard does (http: and https: count as
 * ws: and wss:). Absolute URLs only: there is no base. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/slice.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ws_host_kind {
  WS_HOST_NAME,
  WS_HOST_IPV4,
  WS_HOST_IPV6
} ws_host_kind;

/* All slices point into `text`. The parts are those of the normalised URL. */
typedef struct ws_url {
  ws_buffer text;     /* the normalised URL */
  bool secure;        /* wss */
  ws_host_kind host_kind;
  ws_slice host;      /* lower case; an IPv6 address keeps its brackets */
  uint16_t port;      /* the default one filled in */
  ws_slice username;  /* percent-encoded, as in the URL; may be empty */
  ws_slice password;
  ws_slice authority; /* host[:port], port only if not the default: Host */
  ws_slice target;    /* path[?query] for the request line: at least "/"; a
                       * "?" with nothing behind it is left out here */
} ws_url;

/* Parses `input`. WS_OK, WS_ENOMEM, or WS_EURL with `*why` (static storage),
 * which says in a few words what is wrong. `resize` grows url->text; after
 * WS_OK the caller frees it with ws_url_deinit, after a failure there is
 * nothing to free. A fragment, even an empty one, is an error (RFC 6455 section
 * 3). */
int ws_url_parse(ws_url *url, ws_slice input, ws_resize *resize,
                 const char **why);

void ws_url_deinit(ws_url *url);

/* Percent-decodes `text` and appends it. WS_OK or WS_ENOMEM. */
int ws_url_decode(ws_slice text, ws_buffer *into);
