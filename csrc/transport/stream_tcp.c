/* SPDX-License-Identifier: MIT */
/* The bottom filter: one socket, nothing held back. */
#include "transport/stream_tcp.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "transport/socket.h"

typedef struct stream_tcp {
  ws_stream stream;
  ws_fd fd;
} stream_tcp;

static int tcp_open(ws_stream *stream) {
  (void)stream;
  return WS_OK;
}

static ptrdiff_t tcp_read(ws_stream *stream, uint8_t *data, size_t len) {
  return ws_socket_read(((stream_tcp *)stream)->fd, data, len);
}

static ptrdiff_t tcp_write(ws_stream *stream, const ws_slice *slices,
                           size_t count) {
  return ws_socket_write(((stream_tcp *)stream)->fd, slices, count);
}

static int tcp_flush(ws_stream *stream) {
  (void)stream;
  return WS_OK;
}

static int tcp_close(ws_stream *stream) {
  ws_socket_shutdown(((stream_tcp *)stream)->fd);
  return WS_OK;
}

static unsigned tcp_wants(ws_stream *stream) {
  (void)stream;
  return 0;
}

static ws_fd tcp_fd(ws_stream *stream) { return ((stream_tcp *)stream)->fd; }

static const char *tcp_why(ws_stream *stream) {
  (void)stream;
  return NULL;
}

static void tcp_free(ws_stream *stream) {
  ws_socket_close(((stream_tcp *)stream)->fd);
  ws_memory_free(stream);
}

static const ws_stream_kind tcp_kind = {
    tcp_open,  tcp_read, tcp_write, tcp_flush, tcp_close,
    tcp_wants, tcp_fd,   tcp_why,   tcp_free,  NULL,
};

ws_stream *ws_stream_tcp_new(ws_fd fd) {
  stream_tcp *tcp = ws_memory_new(sizeof *tcp);
  if (!tcp) return NULL;
  tcp->stream.kind = &tcp_kind;
  tcp->fd = fd;
  return &tcp->stream;
}
