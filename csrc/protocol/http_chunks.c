/* SPDX-License-Identifier: MIT */
/* Bodies in chunks, RFC 9112 section 7.1, as the bytes come in. Sizes, their
 * extensions and trailers are checked and passed over, never kept. */
#include "bytes/status.h"
#include "protocol/http.h"

/* A peer that sends more than this besides the body is up to no good. */
#define SIZE_LINE_MAX 256
#define TRAILERS_MAX 8192

enum {
  SIZE_FIRST, /* a digit has to come */
  SIZE_MORE,
  SIZE_BLANK, /* blanks after the size: an extension has to come */
  EXTENSION,
  SIZE_END, /* LF */
  BODY,
  BODY_CR,
  BODY_LF,
  TRAILER_FIRST,
  TRAILER,
  TRAILER_END, /* LF */
  LAST_LF,
  DONE,
  FAILED
};

static bool is_text(char c) {
  return (unsigned char)c >= ' ' ? c != 0x7f : c == '\t';
}

/* The state after a byte of the size. */
static int size_state(ws_http_chunks *chunks, char c) {
  int digit = ws_slice_hex(c);
  if (digit < 0) {
    if (chunks->state == SIZE_FIRST) return FAILED;
    if (c == ';') return EXTENSION;
    if (c == ' ' || c == '\t') return SIZE_BLANK;
    return c == '\r' ? SIZE_END : FAILED;
  }
  if (chunks->left > UINT64_MAX >> 4) return FAILED;
  chunks->left = chunks->left << 4 | (unsigned)digit;
  return SIZE_MORE;
}

/* The state after a byte of the line with the size. */
static int line_state(ws_http_chunks *chunks, char c) {
  if (++chunks->line > SIZE_LINE_MAX) return FAILED;
  switch (chunks->state) {
    case SIZE_BLANK:
      if (c == ' ' || c == '\t') return SIZE_BLANK;
      return c == ';' ? EXTENSION : FAILED;
    case EXTENSION:
      if (c == '\r') return SIZE_END;
      return is_text(c) ? EXTENSION : FAILED;
    case SIZE_END:
      chunks->line = 0;
      if (c != '\n') return FAILED;
      return chunks->left > 0 ? BODY : TRAILER_FIRST;
    default:
      return size_state(chunks, c);
  }
}

/* The state after a byte of the trailers. */
static int trailer_state(ws_http_chunks *chunks, char c) {
  if (++chunks->trailers > TRAILERS_MAX) return FAILED;
  switch (chunks->state) {
    case TRAILER_FIRST:
    case TRAILER:
      if (c == '\r') return chunks->state == TRAILER ? TRAILER_END : LAST_LF;
      return is_text(c) ? TRAILER : FAILED;
    case TRAILER_END:
      return c == '\n' ? TRAILER_FIRST : FAILED;
    default:
      return c == '\n' ? DONE : FAILED;
  }
}

static int next_state(ws_http_chunks *chunks, char c) {
  if (chunks->state == BODY_CR) return c == '\r' ? BODY_LF : FAILED;
  if (chunks->state == BODY_LF) return c == '\n' ? SIZE_FIRST : FAILED;
  if (chunks->state < BODY) return line_state(chunks, c);
  return trailer_state(chunks, c);
}

ptrdiff_t ws_http_chunks_feed(ws_http_chunks *chunks, const char *data,
                              size_t len, ws_slice *body, bool *done) {
  size_t used = 0;
  *body = (ws_slice){NULL, 0};
  while (used < len && chunks->state < DONE && chunks->state != BODY)
    chunks->state = next_state(chunks, data[used++]);
  if (chunks->state == BODY && used < len) {
    size_t run = len - used;
    if (run > chunks->left) run = (size_t)chunks->left;
    *body = (ws_slice){data + used, run};
    chunks->left -= run;
    used += run;
    if (chunks->left == 0) chunks->state = BODY_CR;
  }
  *done = chunks->state == DONE;
  return chunks->state == FAILED ? WS_EHTTP : (ptrdiff_t)used;
}

uint64_t ws_http_chunks_left(const ws_http_chunks *chunks) {
  return chunks->state == BODY ? chunks->left : 0;
}
