/* SPDX-License-Identifier: MIT */
/* A filter that gets itself a way through a proxy when it is opened, and then
 * stands aside. TLS goes above it: the proxy sees nothing else. */
#pragma once
#include "protocol/tunnel.h"
#include "transport/stream.h"

/* Takes `below`, a connection to the proxy; `target` is copied. WS_OK,
 * WS_ENOMEM or WS_EINVAL (see ws_tunnel_start), then `below` stays the
 * caller's. */
int ws_stream_proxy_new(ws_stream *below, const ws_tunnel_target *target,
                        ws_stream **stream);
