/* SPDX-License-Identifier: MIT */
/* Every failure: its public name, its sentence, its close code. */
#include "bytes/status.h"

#include <stddef.h>

typedef struct entry {
  const char *name;
  const char *text;
  unsigned close_code;
} entry;

/* By the negated status. */
static const entry entries[] = {
    [-WS_OK] = {"OK", "no failure", 0},
    [-WS_EAGAIN] = {"EAGAIN", "it would block", 0},
    [-WS_EOF] = {"EOF", "the peer ended the connection", 0},
    [-WS_ENOMEM] = {"ENOMEM", "out of memory", 1011},
    [-WS_EINVAL] = {"EINVAL", "invalid argument", 0},
    [-WS_EPROTOCOL] = {"EPROTOCOL", "the peer broke the WebSocket protocol",
                       1002},
    [-WS_EUTF8] = {"EUTF8", "the peer sent text that is not UTF-8", 1007},
    [-WS_ETOOBIG] = {"ETOOBIG", "the message is larger than maxPayload",
                     1009},
    [-WS_EURL] = {"EURL", "not a WebSocket URL", 0},
    [-WS_EHANDSHAKE] = {"EHANDSHAKE", "the opening handshake failed", 0},
    [-WS_EHTTP] = {"EHTTP", "the peer does not speak HTTP/1.1", 0},
    [-WS_EHEADTOOBIG] = {"EHEADTOOBIG", "the HTTP head is too large", 0},
    [-WS_ETLS] = {"ETLS", "TLS failed", 0},
    [-WS_ETRUNCATED] = {"ETRUNCATED",
                        "the TLS connection was cut off: no close_notify", 0},
    [-WS_ENOTFOUND] = {"ENOTFOUND", "the name does not resolve", 0},
    [-WS_ECONNREFUSED] = {"ECONNREFUSED", "connection refused", 0},
    [-WS_ECONNRESET] = {"ECONNRESET", "connection reset by the peer", 0},
    [-WS_EPIPE] = {"EPIPE", "the peer has closed the connection", 0},
    [-WS_EHOSTUNREACH] = {"EHOSTUNREACH", "host unreachable", 0},
    [-WS_ENETUNREACH] = {"ENETUNREACH", "network unreachable", 0},
    [-WS_ETIMEDOUT] = {"ETIMEDOUT", "timed out", 0},
    [-WS_EADDRINUSE] = {"EADDRINUSE", "address already in use", 0},
    [-WS_EADDRNOTAVAIL] = {"EADDRNOTAVAIL", "address not available", 0},
    [-WS_EACCES] = {"EACCES", "permission denied", 0},
    [-WS_EMFILE] = {"EMFILE", "too many open files", 0},
    [-WS_ENOBUFS] = {"ENOBUFS", "no memory for sockets in the system", 0},
    [-WS_ECONNABORTED] = {"ECONNABORTED", "connection aborted", 0},
    [-WS_EBACKPRESSURE] = {"EBACKPRESSURE",
                           "more waits for the peer than option "
                           "maxBackpressure allows",
                           1013},
    [-WS_ERANDOM] = {"ERANDOM", "the system provides no random bytes", 1011},
    [-WS_ESYSTEM] = {"ESYSTEM", "the system refused", 0},
    [-WS_ENOENT] = {"ENOENT", "no such file", 0},
    [-WS_EUNSUPPORTED] = {"EUNSUPPORTED", "not part of this build", 0},
    [-WS_EDEFLATE] = {"EDEFLATE",
                      "the peer sent a message that does not inflate",
                      1007},
    [-WS_EPROXY] = {"EPROXY", "the proxy did not connect", 0},
};

static const entry unknown = {"EUNKNOWN", "unknown failure", 0};

static const entry *find(int status) {
  if (status > 0 || status < WS_STATUS_LAST) return &unknown;
  return &entries[-status];
}

const char *ws_status_name(int status) { return find(status)->name; }

const char *ws_status_text(int status) { return find(status)->text; }

unsigned ws_status_close_code(int status) { return find(status)->close_code; }
