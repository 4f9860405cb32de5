/* SPDX-License-Identifier: MIT */
/* Runs a tunnel (protocol/tunnel.h) over the stream below. Bytes of the peer
 * that came right after the proxy's answer are kept for the first read. */
#include "connection/proxy.h"

#include "bytes/memory.h"
#include "bytes/status.h"

#include <string.h>

typedef struct proxy_stream {
  ws_stream stream;
  ws_tunnel tunnel;
  ws_buffer out; /* not yet sent to the proxy */
  ws_buffer early;
  bool below_open;
  bool open;
  int failed;
  char why[96]; /* of why_status */
} proxy_stream;

static int say(proxy_stream *p) {
  while (p->out.len > 0) {
    ws_slice slice = {(const char *)p->out.data, p->out.len};
    ptrdiff_t wrote = ws_stream_write(p->stream.below, &slice, 1);
    if (wrote < 0) return (int)wrote;
    ws_buffer_consume(&p->out, (size_t)wrote);
  }
  return WS_OK;
}

/* Reads some of the answer. WS_EAGAIN: more has to arrive; 1: there may be more
 * to say or to read now. */
static int listen_once(proxy_stream *p) {
  uint8_t data[2048];
  int status;
  ptrdiff_t got = ws_stream_read(p->stream.below, data, sizeof data);
  if (got == WS_EOF || got == WS_ETRUNCATED) return WS_EPROXY;
  if (got < 0) return (int)got;
  size_t used =
      ws_tunnel_feed(&p->tunnel, data, (size_t)got, &p->out, &status);
  if (status != WS_OK) return status == WS_EAGAIN ? 1 : status;
  return ws_buffer_append(&p->early, data + used, (size_t)got - used);
}

static int open_proxy(ws_stream *stream) {
  proxy_stream *p = (proxy_stream *)stream;
  if (p->open) return WS_OK;
  if (p->failed) return p->failed;
  int status = p->below_open ? WS_OK : ws_stream_open(stream->below);
  if (status == WS_OK) p->below_open = true;
  else return status;
  do {
    status = say(p);
    if (status == WS_OK) status = listen_once(p);
  } while (status > 0);
  if (status == WS_OK) {
    p->open = true;
    ws_tunnel_deinit(&p->tunnel);
    ws_buffer_deinit(&p->out);
  } else if (status != WS_EAGAIN) {
    p->failed = status;
  }
  return status;
}

static ptrdiff_t read_proxy(ws_stream *stream, uint8_t *data, size_t len) {
  proxy_stream *p = (proxy_stream *)stream;
  if (p->early.len == 0) return ws_stream_read(stream->below, data, len);
  size_t take = p->early.len < len ? p->early.len : len;
  memcpy(data, p->early.data, take);
  ws_buffer_consume(&p->early, take);
  if (p->early.len == 0) ws_buffer_deinit(&p->early);
  return (ptrdiff_t)take;
}

static ptrdiff_t write_proxy(ws_stream *stream, const ws_slice *slices,
                             size_t count) {
  return ws_stream_write(stream->below, slices, count);
}

static int flush_proxy(ws_stream *stream) {
  return ws_stream_flush(stream->below);
}

static int close_proxy(ws_stream *stream) {
  return ws_stream_close(stream->below);
}

static unsigned wants_proxy(ws_stream *stream) {
  proxy_stream *p = (proxy_stream *)stream;
  unsigned wants = ws_stream_wants(stream->below);
  if (p->open) return wants;
  if (p->out.len > 0) wants |= WS_WRITABLE;
  return wants | WS_READABLE;
}

static ws_fd fd_proxy(ws_stream *stream) { return ws_stream_fd(stream->below); }

/* The status's text, with the stage before it. */
static const char *why_status(proxy_stream *p) {
  const char *words = ws_status_text(p->failed);
  ws_buffer text;
  ws_buffer_init_fixed(&text, p->why, sizeof p->why - 1);
  (void)ws_buffer_append(&text, "proxy: ", 7);
  (void)ws_buffer_append(&text, words, strlen(words));
  p->why[text.len] = '\0';
  return p->why;
}

/* Only a refusal by the proxy has a reason of this filter's own. */
static const char *why_proxy(ws_stream *stream) {
  proxy_stream *p = (proxy_stream *)stream;
  const char *below = ws_stream_why(stream->below);
  if (!p->failed) return below;
  if (p->failed != WS_EPROXY) return below ? below : why_status(p);
  const char *why = ws_tunnel_why(&p->tunnel);
  return why[0] ? why : "proxy: it ended the connection";
}

static void free_proxy(ws_stream *stream) {
  proxy_stream *p = (proxy_stream *)stream;
  ws_stream_free(stream->below);
  ws_tunnel_deinit(&p->tunnel);
  ws_buffer_deinit(&p->out);
  ws_buffer_deinit(&p->early);
  ws_memory_free(p);
}

static const ws_stream_kind proxy_kind = {
    open_proxy,  read_proxy, write_proxy, flush_proxy, close_proxy,
    wants_proxy, fd_proxy,   why_proxy,   free_proxy,  NULL,
};

int ws_stream_proxy_new(ws_stream *below, const ws_tunnel_target *target,
                        ws_stream **stream) {
  proxy_stream *p = ws_memory_new(sizeof *p);
  if (!p) return WS_ENOMEM;
  p->stream.kind = &proxy_kind;
  p->stream.below = below;
  ws_buffer_init(&p->out, ws_memory_resize, 0);
  ws_buffer_init(&p->early, ws_memory_resize, 0);
  int status = ws_tunnel_start(&p->tunnel, target, ws_memory_resize, &p->out);
  if (status != WS_OK) {
    p->stream.below = NULL;
    free_proxy(&p->stream);
    return status;
  }
  *stream = &p->stream;
  return WS_OK;
}
