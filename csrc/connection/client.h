/* SPDX-License-Identifier: MIT */
/* Opens a connection as a client: name, TCP (RFC 8305), a proxy if there is
 * one, TLS, HTTP upgrade; or one clear failure that says which of these stages
 * failed. */
#pragma once
#include "connection/connection.h"
#include "protocol/tunnel.h"
#include "protocol/url.h"
#include "transport/stream_tls.h"

/* A proxy to go through. */
typedef struct ws_client_proxy {
  ws_tunnel_kind kind;
  ws_slice host; /* empty: no proxy; a literal without brackets */
  uint16_t port;
  bool has_user;
  ws_slice user;
  ws_slice password;
} ws_client_proxy;

/* All borrowed for the call. */
typedef struct ws_client_options {
  const ws_url *url;
  const ws_slice *protocols;
  size_t protocol_count;
  const ws_header *headers;
  size_t header_count;
  ws_slice origin;
  ws_tls *tls;         /* for wss; referenced */
  ws_slice servername; /* empty: the URL's host */
  ws_slice unix_path;  /* empty: TCP */
  ws_client_proxy proxy;
  int family;          /* 0, 4 or 6 */
  bool block_ports;    /* ports of ws_port_is_blocked fail as if the host
                          refused, before any name is looked up */
  bool parallel;       /* do not wait while another connection to the same
                          address opens. Through a proxy there is no waiting:
                          only the proxy knows the address */
  unsigned redirects;  /* how many to follow; never from wss to ws, nor, with
                          a client certificate, to another origin's wss.
                          Another origin gets no headers, credentials or
                          servername. With `tls`, a ws URL may lead to wss */
} ws_client_options;

/* Makes a connection, which is CONNECTING and starts in the loop's next turn.
 * Failures of the network come as events. WS_OK, WS_ENOMEM, or WS_EINVAL (wss
 * without tls, a header that the caller may not set, a path that is too long
 * for a Unix socket). */
int ws_client_connect(ws_hub *hub, ws_connection_config *config,
                      const ws_client_options *options,
                      const ws_connection_events *events, void *owner,
                      ws_connection **connection);
