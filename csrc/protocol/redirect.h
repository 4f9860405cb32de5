/* SPDX-License-Identifier: MIT */
/* Where a redirect leads, RFC 9110 section 15.4 and RFC 3986 section 5. */
#pragma once
#include "protocol/http.h"
#include "protocol/url.h"

/* True for a response that is a redirect and says where to. */
bool ws_redirect_is(const ws_http_head *head);

/* The URL that such a redirect from `base` leads to, as ws_url_parse would
 * return it, without its fragment. WS_OK, WS_ENOMEM, or WS_EURL with `*why`. */
int ws_redirect_url(const ws_http_head *head, const ws_url *base,
                    ws_resize *resize, ws_url *url, const char **why);

/* True if both have the same scheme, host and port: what was meant for one may
 * be sent to the other. */
bool ws_redirect_same_origin(const ws_url *a, const ws_url *b);
