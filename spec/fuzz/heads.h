/* SPDX-License-Identifier: MIT */
/* What the targets for request and response heads share. */
#pragma once
#include "fuzz.h"
#include "protocol/http.h"

static inline void heads_add(ws_buffer *text, ws_slice part) {
  PROMISE(ws_buffer_append(text, part.data, part.len) == WS_OK);
}

/* The end is where an empty line is, however the bytes come in. */
static inline size_t heads_find_end(const char *bytes, size_t len,
                                    fuzz_cuts *cuts) {
  size_t scanned = 0, seen = 0, end = 0;
  size_t whole = ws_http_find_end(bytes, len, &scanned);
  PROMISE(whole <= len && scanned <= len);
  scanned = 0;
  while (end == 0 && seen < len) {
    seen += fuzz_cut(cuts, len - seen);
    end = ws_http_find_end(bytes, seen, &scanned);
    PROMISE(scanned <= seen);
  }
  PROMISE(end == whole);
  if (end > 0) PROMISE(bytes[end - 1] == '\n');
  return end;
}

static inline void heads_check_lines(const ws_http_head *head,
                                     const char *bytes, size_t len) {
  PROMISE(head->header_count <= WS_HTTP_HEADERS_MAX);
  for (size_t i = 0; i < head->header_count; i++) {
    const ws_http_header *line = &head->headers[i];
    PROMISE(fuzz_inside(line->name, bytes, len));
    PROMISE(fuzz_inside(line->value, bytes, len));
    PROMISE(ws_slice_is_token(line->name) && ws_http_value_ok(line->value));
  }
}

/* A body's length is given in one way or not at all, never in both ways. */
static inline void heads_check_body(const ws_http_head *head, bool response) {
  ws_http_body_kind kind;
  uint64_t length;
  if (ws_http_body(head, response, &kind, &length) != WS_OK) return;
  PROMISE((kind == WS_BODY_LENGTH) == (length > 0));
  if (kind == WS_BODY_CHUNKED)
    PROMISE(ws_http_count(head, "Content-Length") == 0);
  if (!response) PROMISE(kind != WS_BODY_UNTIL_END);
}

/* Writes the header lines and the empty line. */
static inline void heads_write_lines(ws_buffer *text,
                                     const ws_http_head *head) {
  for (size_t i = 0; i < head->header_count; i++)
    PROMISE(ws_http_write_header(text, head->headers[i].name,
                                 head->headers[i].value) == WS_OK);
  heads_add(text, (ws_slice){"\r\n", 2});
}

static inline void heads_same_lines(const ws_http_head *a,
                                    const ws_http_head *b) {
  PROMISE(a->header_count == b->header_count);
  for (size_t i = 0; i < a->header_count; i++) {
    PROMISE(ws_slice_equal(a->headers[i].name, b->headers[i].name));
    PROMISE(ws_slice_equal(a->headers[i].value, b->headers[i].value));
  }
}
