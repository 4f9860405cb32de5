/* SPDX-License-Identifier: MIT */
/* A4 and A27: long texts that may be costly to parse: a beginning, as many
 * copies of a piece as there is room for, and an end. */
#pragma once
#include "check.h"

#include <stdlib.h>

enum { DEAR_SIZE = 16384 };

typedef struct dear_text {
  const char *front, *piece, *tail;
  void (*read)(const char *text, size_t len);
} dear_text;

/* About `size` bytes and a NUL; the caller frees them. */
static inline char *dear_write(const dear_text *dear, size_t size,
                               size_t *len) {
  size_t front = strlen(dear->front), piece = strlen(dear->piece);
  char *text = malloc(front + size + strlen(dear->tail) + 1);
  if (!text) abort();
  memcpy(text, dear->front, front);
  for (*len = front; *len + piece < size; *len += piece)
    memcpy(text + *len, dear->piece, piece);
  strcpy(text + *len, dear->tail);
  *len += strlen(dear->tail);
  return text;
}

static inline void dear_read(void *subject, size_t size) {
  const dear_text *dear = subject;
  size_t len;
  char *text = dear_write(dear, size, &len);
  dear->read(text, len);
  free(text);
}

static inline void dear_is_cheap(dear_text dear) {
  if (!CHECK(check_linear(dear_read, &dear, DEAR_SIZE)))
    fprintf(stderr, "  of: %s%s...%s\n", dear.front, dear.piece, dear.tail);
}
