/* SPDX-License-Identifier: MIT */
/* The "host[:port]" of a Host header, RFC 9110 section 7.2. Not for URLs, which
 * may spell a host in many more ways: see url_host.h. */
#pragma once
#include "bytes/slice.h"

#include <stdbool.h>

/* `*host` keeps the brackets of an IPv6 address; `*port` is 0 to 65535, or -1
 * when there is none. False for anything else: no host, characters that may
 * not be in one, an IPv6 address that is malformed or has a zone, a colon
 * without a port behind it. */
bool ws_authority_split(ws_slice text, ws_slice *host, long *port);
