/* SPDX-License-Identifier: MIT */
/* Every way a call can fail: one enum for all floors, each with a public name,
 * a sentence and the close code it puts on the wire. errno does not get here:
 * transport/ and loop/ translate it. */
#pragma once

/* 0 is good, negative is bad, so one signed result can be a count or a
 * failure. */
typedef enum ws_status {
  WS_OK = 0,
  WS_EAGAIN = -1,        /* would block: try again when ready */
  WS_EOF = -2,           /* the peer ended the stream properly */
  WS_ENOMEM = -3,        /* out of memory */
  WS_EINVAL = -4,        /* a mistake of the caller */
  WS_EPROTOCOL = -5,     /* the peer broke RFC 6455: close code 1002 */
  WS_EUTF8 = -6,         /* text that is not UTF-8: 1007 */
  WS_ETOOBIG = -7,       /* a message above maxPayload: 1009 */
  WS_EURL = -8,          /* not a WebSocket URL */
  WS_EHANDSHAKE = -9,    /* not what RFC 6455 section 4 demands, or a refusal */
  WS_EHTTP = -10,        /* bytes that are not HTTP/1.1 */
  WS_EHEADTOOBIG = -11,  /* a request or response head above its limit: 431 */
  WS_ETLS = -12,         /* TLS failed: handshake, certificate, record */
  WS_ETRUNCATED = -13,   /* TCP ended without TLS's close_notify */
  WS_ENOTFOUND = -14,    /* the name does not resolve */
  WS_ECONNREFUSED = -15,
  WS_ECONNRESET = -16,
  WS_EPIPE = -17,        /* write to a connection the peer has closed */
  WS_EHOSTUNREACH = -18,
  WS_ENETUNREACH = -19,
  WS_ETIMEDOUT = -20,
  WS_EADDRINUSE = -21,
  WS_EADDRNOTAVAIL = -22,
  WS_EACCES = -23,
  WS_EMFILE = -24,       /* no descriptors left, in the process or system */
  WS_ENOBUFS = -25,      /* the system has no memory for sockets */
  WS_ECONNABORTED = -26, /* dropped by our own side */
  WS_EBACKPRESSURE = -27, /* the peer reads too slowly: 1013 */
  WS_ERANDOM = -28,      /* the system gave no random bytes */
  WS_ESYSTEM = -29,      /* any other failure of the system */
  WS_ENOENT = -30,       /* no such file: a Unix socket's path */
  WS_EUNSUPPORTED = -31, /* left out of this build */
  WS_EDEFLATE = -32,     /* a message that does not inflate: 1007 */
  WS_EPROXY = -33,       /* the proxy refuses, or speaks another protocol */
  WS_STATUS_LAST = -33
} ws_status;

/* "ECONNREFUSED", "EPROTOCOL", ...; "OK" for 0, "EUNKNOWN" for anything else.
 * Stable: programs compare it. Static storage. */
const char *ws_status_name(int status);

/* A sentence for people, without a full stop. Static storage. */
const char *ws_status_text(int status);

/* The close code to send for a failure after the opening handshake (RFC 6455
 * section 7.4.1), or 0 when no Close frame is to be sent. */
unsigned ws_status_close_code(int status);
