/* SPDX-License-Identifier: MIT */
/* Opening a connection as a client: name, TCP (RFC 8305), a proxy if there is
 * to be one, TLS, HTTP upgrade, or one clear failure that says at which of
 * these it stopped. */
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
  bool block_ports;    /* those of ws_port_is_blocked are refused, as refused
                          by the host, before anything is looked up */
  bool parallel;       /* do not wait while another connection to the same
                          address is being opened. Proxies are not waited
                          for: whose address it is only they know */
  unsigned redirects;  /* how many to follow; never from wss to ws. To another
                          origin no headers, credentials or servername go, nor
                          does one follow to another's wss with a certificate.
                          With `tls` also a ws URL may lead to wss */
} ws_client_options;

/* The connection, CONNECTING; it starts with the loop's next turn. Failures
 * of the network come as events. WS_OK, WS_ENOMEM, or WS_EINVAL (a header
 * that may not stand there, wss without tls). */
int ws_client_connect(ws_hub *hub, ws_connection_config *config,
                      const ws_client_options *options,
                      const ws_connection_events *events, void *owner,
                      ws_connection **connection);
