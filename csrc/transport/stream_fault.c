/* SPDX-License-Identifier: MIT */
/* A filter that cuts, delays or fails by plan; for specs. */
#include "transport/stream_fault.h"

#include "bytes/memory.h"
#include "bytes/status.h"

#include <stdbool.h>

typedef struct stream_fault {
  ws_stream stream;
  ws_fault_plan plan;
  size_t calls, reads, writes;
} stream_fault;

static bool says_again(stream_fault *fault) {
  fault->calls++;
  return fault->plan.again_every &&
         fault->calls % fault->plan.again_every == 0;
}

static int fault_open(ws_stream *stream) {
  return ws_stream_open(stream->below);
}

static ptrdiff_t fault_read(ws_stream *stream, uint8_t *data, size_t len) {
  stream_fault *fault = (stream_fault *)stream;
  if (says_again(fault)) return WS_EAGAIN;
  if (++fault->reads == fault->plan.fail_read) return fault->plan.status;
  size_t most = fault->plan.read_most;
  return ws_stream_read(stream->below, data, most && most < len ? most : len);
}

static ptrdiff_t fault_write(ws_stream *stream, const ws_slice *slices,
                             size_t count) {
  stream_fault *fault = (stream_fault *)stream;
  if (says_again(fault)) return WS_EAGAIN;
  if (++fault->writes == fault->plan.fail_write) return fault->plan.status;
  size_t most = fault->plan.write_most;
  if (!most || count == 0) return ws_stream_write(stream->below, slices, count);
  for (; count > 1 && slices->len == 0; count--) slices++;
  ws_slice first = slices[0];
  if (first.len > most) first.len = most;
  return ws_stream_write(stream->below, &first, 1);
}

static int fault_flush(ws_stream *stream) {
  return ws_stream_flush(stream->below);
}

static int fault_close(ws_stream *stream) {
  return ws_stream_close(stream->below);
}

static unsigned fault_wants(ws_stream *stream) {
  return ws_stream_wants(stream->below);
}

static ws_fd fault_fd(ws_stream *stream) {
  return ws_stream_fd(stream->below);
}

static const char *fault_why(ws_stream *stream) {
  return ws_stream_why(stream->below);
}

static void fault_free(ws_stream *stream) {
  ws_stream_free(stream->below);
  ws_memory_free(stream);
}

static const ws_stream_kind fault_kind = {
    fault_open,  fault_read, fault_write, fault_flush, fault_close,
    fault_wants, fault_fd,   fault_why,   fault_free,  NULL,
};

ws_stream *ws_stream_fault_new(ws_stream *below, const ws_fault_plan *plan) {
  stream_fault *fault = ws_memory_new(sizeof *fault);
  if (!fault) return NULL;
  fault->stream.kind = &fault_kind;
  fault->stream.below = below;
  fault->plan = *plan;
  return &fault->stream;
}
