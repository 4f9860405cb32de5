/* SPDX-License-Identifier: MIT */
/* Chunked bodies: body, end and length are the same however the bytes are
 * cut, and a body written as chunks is read as it was. */
#include "fuzz.h"
#include "protocol/http.h"

typedef struct outcome {
  fuzz_log body; /* byte by byte, as pieces differ with the cuts */
  size_t used;
  size_t bytes;
  bool done, failed;
} outcome;

static void feed_piece(ws_http_chunks *chunks, const char *piece, size_t len,
                       outcome *out) {
  size_t used = 0;
  while (used < len && !out->done) {
    ws_slice body;
    ptrdiff_t took = ws_http_chunks_feed(chunks, piece + used, len - used,
                                         &body, &out->done);
    if (took < 0) {
      PROMISE(took == WS_EHTTP);
      out->failed = true;
      return;
    }
    PROMISE(took > 0 && (size_t)took <= len - used);
    PROMISE(fuzz_inside(body, piece + used, (size_t)took));
    for (size_t i = 0; i < body.len; i++)
      fuzz_log_bytes(&out->body, body.data + i, 1);
    used += (size_t)took;
    out->bytes += body.len;
  }
  out->used += used;
}

static outcome feed_all(const void *data, size_t len, fuzz_cuts cuts) {
  ws_http_chunks chunks = {.state = 0};
  outcome out = {.used = 0};
  const uint8_t *bytes = data;
  size_t at = 0;
  while (at < len && !out.done && !out.failed) {
    size_t part = fuzz_cut(&cuts, len - at);
    feed_piece(&chunks, (char *)fuzz_piece(bytes + at, part), part, &out);
    at += part;
  }
  return out;
}

static void check_same(const outcome *a, const outcome *b) {
  PROMISE(a->failed == b->failed && a->done == b->done);
  PROMISE(fuzz_log_same(&a->body, &b->body));
  if (!a->failed) PROMISE(a->used == b->used);
}

/* Takes the input as a body, in chunks as long as the cuts say. */
static void check_written(fuzz_input in, fuzz_cuts cuts) {
  static char text[32768];
  size_t at = 0, len = 0;
  fuzz_log expected = {0};
  if (in.len > 2048) in.len = 2048;
  for (size_t i = 0; i < in.len; i++)
    fuzz_log_bytes(&expected, in.data + i, 1);
  while (at < in.len) {
    size_t part = fuzz_cut(&cuts, in.len - at);
    len += (size_t)snprintf(text + len, 16, "%zx;a=b\r\n", part);
    memcpy(text + len, in.data + at, part);
    memcpy(text + len + part, "\r\n", 2);
    len += part + 2;
    at += part;
  }
  memcpy(text + len, "0\r\nA: b\r\n\r\nmore", 15);
  outcome out = feed_all(text, len + 15, cuts);
  PROMISE(out.done && !out.failed && out.used == len + 11);
  PROMISE(fuzz_log_same(&out.body, &expected));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  fuzz_input in = {data, len};
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  outcome whole = feed_all(in.data, in.len, fuzz_uncut);
  outcome pieces = feed_all(in.data, in.len, cuts);
  PROMISE(whole.bytes <= in.len);
  check_same(&whole, &pieces);
  check_written(in, cuts);
  return 0;
}
