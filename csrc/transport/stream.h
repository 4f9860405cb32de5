/* SPDX-License-Identifier: MIT */
/* A stream of bytes as a chain of filters: TCP at the bottom, TLS or a fault
 * injector above. Each filter calls only the one below, owns it, and frees
 * it. */
#pragma once
#include "bytes/fd.h"
#include "bytes/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ws_stream ws_stream;

typedef struct ws_stream_kind {
  /* Gets the stream ready for bytes: WS_OK, WS_EAGAIN (call again when the
   * descriptor is ready for what `wants` says), or a failure. Called until
   * WS_OK, then no more. */
  int (*open)(ws_stream *stream);
  /* Bytes read (> 0), WS_EOF (the peer ended it properly), WS_ETRUNCATED (it
   * ended without the peer saying so), WS_EAGAIN, or a failure. After WS_EAGAIN
   * the descriptor becomes readable when there is more: wait for that. */
  ptrdiff_t (*read)(ws_stream *stream, uint8_t *data, size_t len);
  /* Bytes taken (>= 0; they are the stream's now, even if not sent yet),
   * WS_EAGAIN (nothing taken: wait until writable) or a failure. */
  ptrdiff_t (*write)(ws_stream *stream, const ws_slice *slices, size_t count);
  /* Sends what it holds back. WS_OK (nothing is left), WS_EAGAIN, a failure. */
  int (*flush)(ws_stream *stream);
  /* Tells the peer that no more bytes will come (close_notify, FIN). WS_OK,
   * WS_EAGAIN (call again when writable) or a failure. Reading can go on. */
  int (*close)(ws_stream *stream);
  /* What the descriptor must be watched for, besides what the owner wants:
   * WS_WRITABLE while bytes are held back or the handshake needs it; until it
   * is open, also WS_READABLE. */
  unsigned (*wants)(ws_stream *stream);
  /* The descriptor at the bottom. */
  ws_fd (*fd)(ws_stream *stream);
  /* Why it failed, for people; NULL if there is nothing to say beyond the
   * status. Lives as long as the stream. */
  const char *(*why)(ws_stream *stream);
  /* Frees this filter and those below, closing the descriptor. */
  void (*free)(ws_stream *stream);
  /* After a read that gave less than was asked for: true if another would give
   * WS_EAGAIN, so that it is right to wait for the descriptor. A NULL function
   * means true at the bottom, and unknown (false) for a filter. */
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
/* True for filters: they may hold bytes, received or to be sent, of which the
 * descriptor's readiness says nothing. */
static inline bool ws_stream_may_hold(const ws_stream *s) {
  return s->below != NULL;
}
static inline void ws_stream_free(ws_stream *s) {
  if (s) s->kind->free(s);
}
