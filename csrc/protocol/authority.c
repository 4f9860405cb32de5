/* SPDX-License-Identifier: MIT */
/* "host[:port]" of Host and Origin, checked against RFC 3986. Unlike url.c this
 * normalises nothing: hosts are compared as they were sent. */
#include "protocol/authority.h"

#include "protocol/url_host.h"

#include <string.h>

/* -1 if `text` is not a port. */
static long parse_port(ws_slice text) {
  long port = 0;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    if (c < '0' || c > '9') return -1;
    port = port * 10 + (c - '0');
    if (port > 65535) return -1;
  }
  return text.len > 0 ? port : -1;
}

/* RFC 3986 section 3.2.2, reg-name; an IPv4 address is one too. */
static bool is_reg_name(ws_slice text) {
  for (size_t i = 0; i < text.len; i++) {
    char c = text.data[i];
    bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == '%') {
      if (text.len - i < 3 || ws_slice_hex(text.data[i + 1]) < 0 ||
          ws_slice_hex(text.data[i + 2]) < 0)
        return false;
    } else if (!alpha && (c < '0' || c > '9') &&
               (c == '\0' || strchr("-._~!$&'()*+,;=", c) == NULL)) {
      return false;
    }
  }
  return text.len > 0;
}

bool ws_authority_split(ws_slice text, ws_slice *host, long *port) {
  bool bracket = text.len > 0 && text.data[0] == '[';
  const char *close = bracket ? memchr(text.data, ']', text.len) : NULL;
  size_t len = 0;
  if (bracket && close == NULL) return false;
  if (bracket) {
    len = (size_t)(close - text.data) + 1;
    if (!ws_url_host_is_ipv6((ws_slice){text.data + 1, len - 2})) return false;
  } else {
    while (len < text.len && text.data[len] != ':') len++;
    if (!is_reg_name((ws_slice){text.data, len})) return false;
  }
  *host = (ws_slice){text.data, len};
  *port = -1;
  if (len == text.len) return true;
  *port = parse_port((ws_slice){text.data + len + 1, text.len - len - 1});
  return text.data[len] == ':' && *port >= 0;
}
