/* SPDX-License-Identifier: MIT */
/* What the fuzz targets share: promises, which end the program when broken;
 * input that is read as choices; pieces that end at a guarded page; counted
 * memory; event logs to compare. A target is a file with one fuzz_one. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/slice.h"
#include "bytes/status.h"
#include "protocol/event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define PROMISE(condition)                                               \
  ((condition) ? (void)0                                                 \
               : fuzz_broken(#condition, __FILE__, __LINE__))

static inline void fuzz_broken(const char *what, const char *file, int line) {
  fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, what);
  abort();
}

/* ---------------------------------------------------------------- input */

/* An input begins with choices; the rest are bytes for the target. */
typedef struct fuzz_input {
  const uint8_t *data;
  size_t len;
} fuzz_input;

/* The next byte; 0 at the end. */
static inline uint8_t fuzz_byte(fuzz_input *in) {
  if (in->len == 0) return 0;
  in->len--;
  return *in->data++;
}

/* Takes the next bytes, at most `most`. */
static inline ws_slice fuzz_run(fuzz_input *in, size_t most) {
  size_t len = in->len < most ? in->len : most;
  ws_slice run = {(const char *)in->data, len};
  in->data += len;
  in->len -= len;
  return run;
}

/* Takes a length byte and as many bytes. */
static inline ws_slice fuzz_counted(fuzz_input *in) {
  return fuzz_run(in, fuzz_byte(in));
}

/* ----------------------------------------------------------------- cuts */

/* Lengths of pieces, used in turn; 0 means all that is left. */
typedef struct fuzz_cuts {
  uint8_t lengths[4];
  size_t next;
} fuzz_cuts;

static inline fuzz_cuts fuzz_take_cuts(fuzz_input *in) {
  fuzz_cuts cuts = {.next = 0};
  for (size_t i = 0; i < 4; i++) cuts.lengths[i] = fuzz_byte(in);
  return cuts;
}

static const fuzz_cuts fuzz_uncut = {.next = 0};

static inline size_t fuzz_cut(fuzz_cuts *cuts, size_t left) {
  size_t len = cuts->lengths[cuts->next++ % 4];
  return len == 0 || len > left ? left : len;
}

enum { FUZZ_PIECE_MOST = 1 << 20 };

/* A copy that ends at a guarded page; valid until the next call. */
static inline uint8_t *fuzz_piece(const void *data, size_t len) {
  enum { MOST = FUZZ_PIECE_MOST, PAGE = 65536 };
  static uint8_t *end;
  if (!end) {
    uint8_t *block = mmap(NULL, MOST + PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED || mprotect(block + MOST, PAGE, PROT_NONE) != 0)
      abort();
    end = block + MOST;
  }
  PROMISE(len <= MOST);
  if (len > 0) memcpy(end - len, data, len);
  return end - len;
}

/* --------------------------------------------------------------- memory */

static struct {
  size_t held, peak, blocks;
  unsigned fail_at; /* the n-th request fails; 0: none */
} fuzz_memory;

static inline void *fuzz_resize(void *block, size_t size) {
  size_t *old = block ? (size_t *)block - 2 : NULL;
  size_t had = old ? *old : 0;
  if (size == 0) {
    fuzz_memory.held -= had;
    fuzz_memory.blocks -= old != NULL;
    free(old);
    return NULL;
  }
  if (fuzz_memory.fail_at != 0 && --fuzz_memory.fail_at == 0) return NULL;
  size_t *fresh = realloc(old, size + 2 * sizeof(size_t));
  if (!fresh) abort();
  *fresh = size;
  fuzz_memory.blocks += old == NULL;
  fuzz_memory.held += size - had;
  if (fuzz_memory.held > fuzz_memory.peak)
    fuzz_memory.peak = fuzz_memory.held;
  return fresh + 2;
}

/* At the end of a run: promises that all memory was freed. */
static inline void fuzz_memory_done(void) {
  PROMISE(fuzz_memory.blocks == 0 && fuzz_memory.held == 0);
  fuzz_memory.peak = 0;
  fuzz_memory.fail_at = 0;
}

/* --------------------------------------------------------------- random */

static uint32_t fuzz_random_state;

static inline uint32_t fuzz_random_next(void) {
  fuzz_random_state = fuzz_random_state * 1664525u + 1013904223u;
  return fuzz_random_state >> 8;
}

/* The same bytes in every run with the same state. */
static inline int fuzz_random(void *data, size_t len) {
  uint8_t *bytes = data;
  for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)fuzz_random_next();
  return WS_OK;
}

/* ----------------------------------------------------------------- logs */

/* A hash of what happened, equal for runs that must behave alike. With
 * FUZZ_SHOW in the environment, its parts are printed. */
typedef struct fuzz_log {
  uint64_t sum;
  unsigned count;
} fuzz_log;

static inline bool fuzz_shows(void) {
  static int shows = -1;
  if (shows < 0) shows = getenv("FUZZ_SHOW") != NULL;
  return shows != 0;
}

static inline uint64_t fuzz_mix(uint64_t sum, uint64_t word) {
  sum = (sum ^ word) * 0x9ddfea08eb382d69u;
  return sum ^ sum >> 32;
}

static inline void fuzz_log_bytes(fuzz_log *log, const void *data,
                                  size_t len) {
  const uint8_t *bytes = data;
  uint64_t word = 0, sum = log->sum + 0x9e3779b97f4a7c15u + len;
  for (; len >= sizeof word; bytes += sizeof word, len -= sizeof word) {
    memcpy(&word, bytes, sizeof word);
    sum = fuzz_mix(sum, word);
  }
  if (len > 0) {
    word = 0;
    memcpy(&word, bytes, len);
    sum = fuzz_mix(sum, word);
  }
  log->sum = sum ^ sum >> 29;
  log->count++;
}

static inline void fuzz_log_number(fuzz_log *log, long long number) {
  fuzz_log_bytes(log, &number, sizeof number);
}

static inline void fuzz_log_event(fuzz_log *log, const ws_event *event) {
  if (fuzz_shows())
    fprintf(stderr, "event %d opcode %d code %d %s %s len %zu\n", event->type,
            event->opcode, event->code, ws_status_name(event->status),
            event->why ? event->why : "-", event->len);
  fuzz_log_number(log, event->type);
  fuzz_log_number(log, event->opcode);
  fuzz_log_number(log, event->code);
  fuzz_log_number(log, event->status);
  if (event->why) fuzz_log_bytes(log, event->why, strlen(event->why));
  if (event->len > 0) PROMISE(event->data != NULL);
  fuzz_log_bytes(log, event->data, event->len);
}

static inline bool fuzz_log_same(const fuzz_log *a, const fuzz_log *b) {
  return a->sum == b->sum && a->count == b->count;
}

/* --------------------------------------------------------------- slices */

static inline bool fuzz_inside(ws_slice part, const void *data, size_t len) {
  uintptr_t at = (uintptr_t)part.data, begin = (uintptr_t)data;
  return part.len == 0 ||
         (at >= begin && part.len <= len && at - begin <= len - part.len);
}

static inline ws_slice fuzz_text(const ws_buffer *buffer) {
  return (ws_slice){(const char *)buffer->data, buffer->len};
}
