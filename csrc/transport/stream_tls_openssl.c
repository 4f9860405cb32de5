/* SPDX-License-Identifier: MIT */
/* TLS as a filter, by OpenSSL. Moves bytes, and says what it waits for; who the
 * peer has to be is set up in tls_context.c and checked in tls_peer.c. */
#include "transport/stream_tls.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "transport/tls_context.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#define RECORD_MOST 16384 /* RFC 8446 section 5.1 */
#define READ_ONCE ((size_t)1 << 30)
/* By how many bytes the ciphertext that one call takes in may exceed the
 * content that it returns: about a record. At worst that is 640 KeyUpdates,
 * each of which derives keys. */
#define BUDGET ((size_t)17 * 1024)
/* The same for a handshake: the longest chain of certificates that OpenSSL
 * accepts. */
#define HANDSHAKE_BUDGET ((size_t)128 * 1024)

typedef struct tls_stream {
  ws_stream stream;
  ws_tls *tls;
  ws_tls_wire wire;
  SSL *ssl;
  ws_tls_name name; /* client: whom the certificate must be for */
  ws_tls_notes notes;
  bool below_open;
  bool open;
  bool closing; /* close_notify is written, perhaps still held */
  bool unsaid;  /* a read gave bytes, then met an end: the next reports it */
  bool trimmed; /* the handshake's buffers are freed */
  bool verified;
  bool has_peer;
  char why[320];
  char peer[256];
} tls_stream;

/* The context that counts: the one chosen by SNI, else the original. */
static const ws_tls *chosen(const tls_stream *s) {
  return s->notes.chosen ? s->notes.chosen : s->tls;
}

static void add_host(tls_stream *s) {
  size_t len = strlen(s->why);
  if (s->tls->server) return;
  snprintf(s->why + len, sizeof s->why - len, " (host %s)", s->name.text);
}

/* Nothing more is read or written, but a pending alert may still be sent. */
static int fail(tls_stream *s, int status) {
  add_host(s);
  (void)ws_tls_wire_push(&s->wire);
  s->wire.read_status = status;
  s->wire.write_status = status;
  return status;
}

static int fail_by_queue(tls_stream *s) {
  ws_tls_why why = {s->why, sizeof s->why};
  ws_slice none = {0};
  unsigned long code = ERR_peek_error();
  if (!s->open && ERR_GET_LIB(code) == ERR_LIB_SSL &&
      ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
    return fail(s, ws_tls_error_say(
                       why, "certificate verify failed", none,
                       X509_verify_cert_error_string(
                           SSL_get_verify_result(s->ssl))));
  return fail(s, ws_tls_error_take(why, s->open ? "TLS" : "TLS handshake",
                                   none, "failed"));
}

static int end_of_below(tls_stream *s) {
  if (s->wire.read_status != WS_EOF) return s->wire.read_status;
  snprintf(s->why, sizeof s->why, "%s",
           s->open ? "the connection ended without close_notify"
                   : "the connection ended during the TLS handshake");
  add_host(s);
  return s->wire.read_status = WS_ETRUNCATED;
}

/* Other code in the process may leave errors in the queue. Emptying it walks
 * all of it, even when it is empty, as it mostly is: so check first. */
static void clear_errors(void) {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

/* What a result <= 0 of an SSL call means; leaves OpenSSL's queue empty. */
static int settle(tls_stream *s, int result) {
  int error = SSL_get_error(s->ssl, result);
  int status = WS_EAGAIN;
  if (s->wire.read_status != WS_OK)
    status = end_of_below(s);
  else if (error == SSL_ERROR_ZERO_RETURN)
    status = s->open ? WS_EOF : fail_by_queue(s);
  else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
    status = fail_by_queue(s);
  clear_errors();
  return status;
}

static int judge(tls_stream *s) {
  const ws_tls *tls = chosen(s);
  ws_tls_why why = {s->why, sizeof s->why};
  ws_tls_demand demand = {
      .verify = tls->verify,
      .optional = tls->optional,
      .name = tls->server ? NULL : &s->name,
      .pins = tls->pins,
      .pin_count = tls->pin_count,
  };
  int status = ws_tls_peer_judge(s->ssl, &demand, s->notes.refused,
                                 &s->verified, why);
  if (status != WS_OK) return fail(s, status);
  s->has_peer = ws_tls_peer_subject(s->ssl, s->peer, sizeof s->peer);
  /* A client's certificate that did not pass counts as none. */
  if (tls->server && !s->verified) s->has_peer = false;
  s->open = true;
  return WS_OK;
}

static int open_tls(ws_stream *stream) {
  tls_stream *s = (tls_stream *)stream;
  if (s->open) return WS_OK;
  if (!s->below_open) {
    int status = ws_stream_open(stream->below);
    if (status != WS_OK) return status;
    s->below_open = true;
  }
  if (s->wire.read_status != WS_OK) return s->wire.read_status;
  int pushed = ws_tls_wire_push(&s->wire);
  if (pushed != WS_OK && pushed != WS_EAGAIN) return pushed;
  ws_tls_wire_allow(&s->wire, HANDSHAKE_BUDGET);
  clear_errors();
  int result = SSL_do_handshake(s->ssl);
  if (result == 1) {
    clear_errors();
    return judge(s);
  }
  int status = settle(s, result);
  if (status == WS_EAGAIN && s->wire.write_status != WS_OK)
    return s->wire.write_status;
  return status;
}

static int pull(tls_stream *s, uint8_t *data, size_t len) {
  if (s->wire.read_status != WS_OK) return s->wire.read_status;
  clear_errors();
  int got = SSL_read(s->ssl, data, (int)(len < READ_ONCE ? len : READ_ONCE));
  if (got > 0) return got;
  return settle(s, got);
}

static ptrdiff_t read_tls(ws_stream *stream, uint8_t *data, size_t len) {
  tls_stream *s = (tls_stream *)stream;
  size_t total = 0;
  if (s->wire.read_status != WS_OK) return s->wire.read_status;
  if (!s->open) return WS_EAGAIN;
  ws_tls_wire_allow(&s->wire, BUDGET);
  s->unsaid = false;
  while (total < len) {
    int got = pull(s, data + total, len - total);
    if (got < 0) {
      s->unsaid = got != WS_EAGAIN;
      return total > 0 ? (ptrdiff_t)total : got;
    }
    total += (size_t)got;
    ws_tls_wire_allow_more(&s->wire, (size_t)got);
    if (s->wire.drained && !SSL_has_pending(s->ssl)) break;
  }
  /* Writing session tickets leaves a buffer of 16 KiB behind. */
  if (!s->trimmed) s->trimmed = SSL_free_buffers(s->ssl) == 1;
  return (ptrdiff_t)total;
}

static bool drained_tls(ws_stream *stream) {
  tls_stream *s = (tls_stream *)stream;
  return s->wire.drained && !s->unsaid && !SSL_has_pending(s->ssl);
}

/* A place in a run of slices. */
typedef struct cursor {
  const ws_slice *slices;
  size_t count;
  size_t at; /* bytes used of the first */
} cursor;

/* The next bytes, at most a record: in place if they are contiguous, else
 * gathered in `scratch`, so that many small frames become one record. */
static const char *gather(cursor *from, char *scratch, size_t *len) {
  *len = 0;
  while (from->count > 0 && *len < RECORD_MOST) {
    size_t left = from->slices->len - from->at;
    size_t room = RECORD_MOST - *len;
    const char *data = from->slices->data + from->at;
    size_t take = left < room ? left : room;
    if (*len == 0 && (take == RECORD_MOST || (take > 0 && from->count == 1))) {
      from->at += take;
      *len = take;
      return data;
    }
    if (take > 0) memcpy(scratch + *len, data, take);
    *len += take;
    from->at += take;
    if (from->at < from->slices->len) break;
    from->slices++;
    from->count--;
    from->at = 0;
  }
  return scratch;
}

static ptrdiff_t encrypt(tls_stream *s, cursor from) {
  char scratch[RECORD_MOST];
  size_t len, total = 0;
  while (!ws_tls_wire_is_held(&s->wire)) {
    const char *data = gather(&from, scratch, &len);
    if (len == 0) break;
    clear_errors();
    int put = SSL_write(s->ssl, data, (int)len);
    if (put <= 0) {
      int status = settle(s, put);
      return total > 0 && status == WS_EAGAIN ? (ptrdiff_t)total : status;
    }
    total += (size_t)put;
    if ((size_t)put < len) break;
  }
  if (s->wire.write_status != WS_OK) return s->wire.write_status;
  return (ptrdiff_t)total;
}

static ptrdiff_t write_tls(ws_stream *stream, const ws_slice *slices,
                           size_t count) {
  tls_stream *s = (tls_stream *)stream;
  if (s->wire.write_status != WS_OK) return s->wire.write_status;
  if (!s->open) return WS_EAGAIN;
  if (s->closing) return WS_EPIPE;
  int status = ws_tls_wire_push(&s->wire);
  if (status != WS_OK) return status;
  return encrypt(s, (cursor){slices, count, 0});
}

static int flush_tls(ws_stream *stream) {
  tls_stream *s = (tls_stream *)stream;
  int status = ws_tls_wire_push(&s->wire);
  return status == WS_OK ? ws_stream_flush(stream->below) : status;
}

static int close_tls(ws_stream *stream) {
  tls_stream *s = (tls_stream *)stream;
  if (s->open && !s->closing && s->wire.write_status == WS_OK) {
    (void)SSL_shutdown(s->ssl); /* 0: written; the peer's may still come */
    clear_errors();
    s->closing = true;
  }
  if (ws_tls_wire_push(&s->wire) == WS_EAGAIN) return WS_EAGAIN;
  return ws_stream_close(stream->below);
}

static unsigned wants_tls(ws_stream *stream) {
  tls_stream *s = (tls_stream *)stream;
  unsigned wants = ws_stream_wants(stream->below);
  if (!s->open) wants |= WS_READABLE;
  if (ws_tls_wire_is_held(&s->wire)) wants |= WS_WRITABLE;
  return wants;
}

static ws_fd fd_tls(ws_stream *stream) { return ws_stream_fd(stream->below); }

static const char *why_tls(ws_stream *stream) {
  tls_stream *s = (tls_stream *)stream;
  return s->why[0] ? s->why : ws_stream_why(stream->below);
}

/* Frees all but the stream below. */
static void discard(tls_stream *s) {
  SSL_free(s->ssl);
  ws_tls_wire_deinit(&s->wire);
  ws_tls_unref(s->notes.chosen);
  ws_tls_unref(s->tls);
  ws_memory_free(s);
}

static void free_tls(ws_stream *stream) {
  ws_stream *below = stream->below;
  discard((tls_stream *)stream);
  ws_stream_free(below);
}

static const ws_stream_kind kind = {
    open_tls,  read_tls, write_tls, flush_tls, close_tls,
    wants_tls, fd_tls,   why_tls,   free_tls,  drained_tls,
};

static int set_up(tls_stream *s) {
  s->ssl = SSL_new(s->tls->context);
  BIO *bio = s->ssl ? ws_tls_wire_bio(&s->wire, s->tls->method) : NULL;
  if (!bio) return WS_ENOMEM;
  SSL_set_bio(s->ssl, bio, bio);
  if (SSL_set_app_data(s->ssl, &s->notes) != 1) return WS_ENOMEM;
  if (s->tls->server) {
    SSL_set_accept_state(s->ssl);
    return WS_OK;
  }
  SSL_set_connect_state(s->ssl);
  return ws_tls_name_expect(&s->name, s->ssl, s->tls->verify) ? WS_OK
                                                              : WS_ENOMEM;
}

int ws_stream_tls_new(ws_stream *below, ws_tls *tls, ws_slice host,
                      ws_slice servername, ws_stream **stream) {
  ws_tls_name name = {0};
  if (!tls->server) {
    int status = ws_tls_name_init(&name, servername.len ? servername : host);
    if (status != WS_OK) return status;
  }
  tls_stream *s = ws_memory_new(sizeof *s);
  if (!s) return WS_ENOMEM;
  s->stream = (ws_stream){&kind, below};
  s->tls = ws_tls_ref(tls);
  s->name = name;
  ws_tls_wire_init(&s->wire, below);
  int status = set_up(s);
  clear_errors();
  if (status != WS_OK) {
    discard(s);
    return status;
  }
  *stream = &s->stream;
  return WS_OK;
}

bool ws_stream_tls_info(ws_stream *stream, ws_tls_info *info) {
  if (stream->kind != &kind) return false;
  tls_stream *s = (tls_stream *)stream;
  if (!s->open) return false;
  info->version = SSL_get_version(s->ssl);
  info->cipher = SSL_get_cipher_name(s->ssl);
  info->peer = s->has_peer ? s->peer : NULL;
  info->verified = s->verified;
  info->resumed = SSL_session_reused(s->ssl) == 1;
  return true;
}
