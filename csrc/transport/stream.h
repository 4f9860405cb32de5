/* SPDX-License-Identifier: MIT */
/* A stream of bytes as a chain of filters: TCP at the bottom, TLS or a fault
 * maker above. Each filter calls only the one below, owns it, and frees it. */
#pragma once
#include "bytes/fd.h"
#include "bytes/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ws_stream ws_stream;

typedef struct ws_stream_kind {
  /* Gets the stream ready for bytes: WS_OK, WS_EAGAIN (call again when what
   * `wants` says holds), or a failure. Called until WS_OK, then no more. */
  int (*open)(ws_stream *stream);
  /* Bytes read (> 0), WS_EOF (the peer ended it in order), WS_ETRUNCATED (it
   * ended without saying so), WS_EAGAIN, or a failure. After WS_EAGAIN the
   * descriptor is readable when there is more: waiting for it is right. */
  ptrdiff_t (*read)(ws_stream *stream, uint8_t *data, size_t len);
  /* Bytes taken (>= 0; they are the stream's now, even if not yet sent),
   * WS_EAGAIN (nothing taken, wait until writable) or a failure. */
  ptrdiff_t (*write)(ws_stream *stream, const ws_slice *slices, size_t count);
  /* Sends what it holds back. WS_OK (nothing is held), WS_EAGAIN, failure. */
  int (*flush)(ws_stream *stream);
  /* Says to the peer that no more bytes will come (close_notify, FIN). WS_OK,
   * WS_EAGAIN (call again when writable) or a failure. Reading goes on. */
  int (*close)(ws_stream *stream);
  /* What the descriptor must be watched for apart from the owner's own
   * wishes: WS_WRITABLE while bytes are held back or the handshake needs it.
   * While not open, also WS_READABLE. */
  unsigned (*wants)(ws_stream *stream);
  /* The descriptor at the bottom. */
  ws_fd (*fd)(ws_stream *stream);
  /* Why it failed, for people; NULL when there is no more than the status.
   * Lives as long as the stream. */
  const char *(*why)(ws_stream *stream);
  /* Frees this filter and those below, closing the descriptor. */
  void (*free)(ws_stream *stream);
  /* After a read that gave less than was asked for: true when another would
   * give WS_EAGAIN, so that waiting for the descriptor is right. NULL: true at
   * the bottom, unknown (false) for a filter. */
  bool (*drained)(ws_stream *stream);
} ws_stream_kind;

/* Every filter starts with this. */
struct ws_stream {
  const ws_stream_kind *kind;
  ws_stream *below; /* NULL at the bottom */
};

/* One-liners that call the kind; the only way to call a stream. */
static inline int ws_stream_open(ws_stream *s) { return s->kind->open(s); }
static inline ptrdiff_t ws_stream_read(ws_stream *s, uint8_t *data,
                                       size_t len) {
  return s->kind->read(s, data, len);
}
static inline ptrdiff_t ws_stream_write(ws_stream *s, const ws_slice *slices,
                                        size_t count) {
  return s->kind->write(s, slices, count);
}
static inline int ws_stream_flush(ws_stream *s) { return s->kind->flush(s); }
static inline int ws_stream_close(ws_stream *s) { return s->kind->close(s); }
static inline unsigned ws_stream_wants(ws_stream *s) {
  return s->kind->wants(s);
}
static inline ws_fd ws_stream_fd(ws_stream *s) { return s->kind->fd(s); }
static inline const char *ws_stream_why(ws_stream *s) {
  return s->kind->why(s);
}
static inline bool ws_stream_drained(ws_stream *s) {
  return s->kind->drained ? s->kind->drained(s) : !s->below;
}
/* A filter may: bytes that came, or are to go, and of which no descriptor
 * tells. */
static inline bool ws_stream_may_hold(const ws_stream *s) {
  return s->below != NULL;
}
static inline void ws_stream_free(ws_stream *s) {
  if (s) s->kind->free(s);
}
