/* SPDX-License-Identifier: MIT */
/* A filter that opens a tunnel through a proxy when it is opened, and
 * afterwards only passes bytes on. TLS goes above it, so that the proxy sees
 * only that. */
#pragma once
#include "protocol/tunnel.h"
#include "transport/stream.h"

/* Takes ownership of `below`, a connection to the proxy; `target` is copied.
 * WS_OK, or WS_ENOMEM or WS_EINVAL (see ws_tunnel_start): then `below` stays
 * the caller's. */
int ws_stream_proxy_new(ws_stream *below, const ws_tunnel_target *target,
                        ws_stream **stream);
