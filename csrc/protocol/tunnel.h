/* SPDX-License-Identifier: MIT */
/* The exchange with a proxy before the bytes of a connection pass through it:
 * HTTP CONNECT (RFC 9110 section 9.3.6), SOCKS5 (RFC 1928, 1929), SOCKS4a. No
 * I/O. Names are always resolved by the proxy. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ws_tunnel_kind {
  WS_TUNNEL_HTTP,
  WS_TUNNEL_SOCKS5,
  WS_TUNNEL_SOCKS4
} ws_tunnel_kind;

/* Where the tunnel leads; borrowed for the call of ws_tunnel_start. */
typedef struct ws_tunnel_target {
  ws_tunnel_kind kind;
  ws_slice host; /* a name or a literal without brackets */
  uint16_t port;
  bool has_user;
  ws_slice user; /* not encoded, as is the password */
  ws_slice password;
} ws_tunnel_target;

#define WS_TUNNEL_WHY 320

/* Fields are private to tunnel.c. */
typedef struct ws_tunnel {
  uint8_t step;
  ws_buffer in;      /* an incomplete answer */
  ws_buffer request; /* SOCKS5: sent once we are authenticated */
  ws_buffer login;
  size_t scanned;
  unsigned interim; /* 1xx answers so far */
  char why[WS_TUNNEL_WHY];
} ws_tunnel;

/* Begins: appends the first bytes to `out`. WS_OK, WS_ENOMEM, or WS_EINVAL (a
 * name or password that the proxy's protocol cannot carry; ws_tunnel_why). */
int ws_tunnel_start(ws_tunnel *tunnel, const ws_tunnel_target *target,
                    ws_resize *resize, ws_buffer *out);
void ws_tunnel_deinit(ws_tunnel *tunnel);

/* Takes bytes from the proxy; returns how many were used: those after its
 * answer belong to the connection. `*status`: WS_EAGAIN (more are needed; `out`
 * may have new bytes to send), WS_OK (the tunnel is open), WS_EPROXY or
 * WS_ENOMEM. */
size_t ws_tunnel_feed(ws_tunnel *tunnel, const uint8_t *data, size_t len,
                      ws_buffer *out, int *status);

/* A sentence for people, after WS_EPROXY or WS_EINVAL; "" before, and after
 * WS_ENOMEM. Lives as long as the tunnel. */
const char *ws_tunnel_why(const ws_tunnel *tunnel);
