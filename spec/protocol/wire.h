/* SPDX-License-Identifier: MIT */
/* For the tests of receivers and sessions: frames written by hand, input that
 * comes in pieces before a guarded page, events as text, and memory that is
 * counted. */
#pragma once
#include "bytes/buffer.h"
#include "bytes/status.h"
#include "check.h"
#include "protocol/event.h"

#include <stdlib.h>

/* ------------------------------------------------------- counted memory */

static struct {
  size_t held, peak, calls, blocks;
  size_t fail_at; /* the n-th request for memory fails; 0: none */
} wire_memory;

static inline void *wire_resize(void *block, size_t size) {
  size_t *old = block ? (size_t *)block - 2 : NULL;
  size_t had = old ? *old : 0;
  if (size == 0) {
    wire_memory.held -= had;
    wire_memory.blocks -= old != NULL;
    free(old);
    return NULL;
  }
  wire_memory.calls++;
  if (wire_memory.fail_at != 0 && --wire_memory.fail_at == 0)
    return NULL;
  size_t *fresh = realloc(old, size + 2 * sizeof(size_t));
  if (!fresh)
    return NULL;
  if (size > had) /* new memory is never zero */
    memset((uint8_t *)(fresh + 2) + had, 0xdb, size - had);
  *fresh = size;
  wire_memory.blocks += old == NULL;
  wire_memory.held += size - had;
  if (wire_memory.held > wire_memory.peak)
    wire_memory.peak = wire_memory.held;
  return fresh + 2;
}

static inline void wire_memory_reset(void) {
  wire_memory.peak = wire_memory.held;
  wire_memory.calls = wire_memory.fail_at = 0;
}

/* --------------------------------------------------------------- frames */

/* A growing run of bytes, independent of the code under test. */
typedef struct wire {
  uint8_t *data;
  size_t len, cap;
} wire;

static inline void wire_add(wire *to, const void *bytes, size_t len) {
  if (to->len + len > to->cap) {
    to->cap = 2 * (to->len + len) + 64;
    to->data = realloc(to->data, to->cap);
    if (!to->data)
      _exit(2);
  }
  if (len > 0)
    memcpy(to->data + to->len, bytes, len);
  to->len += len;
}

static inline void wire_free(wire *it) {
  free(it->data);
  *it = (wire){0};
}

static const uint8_t wire_key[4] = {0xa5, 0x00, 0xff, 0x3c};

/* A frame with any first byte, its length in the shortest form. */
static inline void wire_frame(wire *to, unsigned first, const void *payload,
                              size_t len, bool masked) {
  const uint8_t *bytes = payload;
  uint8_t head[14] = {(uint8_t)first};
  size_t n = 2;
  unsigned extra = len < 126 ? 0 : len < 65536 ? 2 : 8;
  head[1] = (uint8_t)((masked ? 128u : 0u) |
                      (extra == 0   ? (unsigned)len
                       : extra == 2 ? 126u
                                    : 127u));
  for (unsigned i = 0; i < extra; i++)
    head[n++] = (uint8_t)((uint64_t)len >> 8 * (extra - 1 - i));
  if (masked)
    memcpy(head + n, wire_key, 4);
  wire_add(to, head, masked ? n + 4 : n);
  size_t start = to->len;
  wire_add(to, payload, len);
  for (size_t i = 0; masked && i < len; i++)
    to->data[start + i] = (uint8_t)(bytes[i] ^ wire_key[i % 4]);
}

/* --------------------------------------------------------------- events */

static inline void wire_say(wire *log, const char *words) {
  wire_add(log, words, strlen(words));
}

static inline void wire_say_number(wire *log, unsigned long long number) {
  char digits[24];
  wire_add(log, digits,
           (size_t)snprintf(digits, sizeof digits, "%llu", number));
}

/* Logs a short payload as it is, with \0 for a zero byte, or the length and sum
 * of a long one. */
static inline void wire_say_bytes(wire *log, const uint8_t *data, size_t len) {
  unsigned long long sum = 5381;
  wire_say(log, "(");
  for (size_t i = 0; i < len; i++)
    sum = sum * 33 + data[i];
  for (size_t i = 0; len <= 64 && i < len; i++)
    wire_add(log, data[i] ? (const void *)&data[i] : "\\0", data[i] ? 1 : 2);
  if (len > 64) {
    wire_say_number(log, len);
    wire_say(log, "#");
    wire_say_number(log, sum);
  }
  wire_say(log, ") ");
}

/* "text(hello) ping() close1000(bye) fail EPROTOCOL " */
static inline void wire_say_event(wire *log, const ws_event *event) {
  static const char *const names[] = {
      "none", "request", "body", "end", "open", "message",
      "ping", "pong",    "close", "fail"};
  if (event->type == WS_EVENT_MESSAGE) {
    wire_say(log, event->opcode == 1 ? "text" : "binary");
  } else {
    wire_say(log, names[event->type]);
  }
  if (event->type == WS_EVENT_CLOSE)
    wire_say_number(log, event->code);
  if (event->type == WS_EVENT_FAIL) {
    wire_say(log, " ");
    wire_say(log, ws_status_name(event->status));
    wire_say(log, " ");
  } else if (event->type == WS_EVENT_REQUEST || event->type == WS_EVENT_OPEN ||
             event->type == WS_EVENT_BODY_END) {
    wire_say(log, " ");
  } else {
    wire_say_bytes(log, event->data, event->len);
  }
}

static inline bool wire_is(const wire *log, const char *expected) {
  return log->len == strlen(expected) &&
         (log->len == 0 || memcmp(log->data, expected, log->len) == 0);
}

/* ---------------------------------------------------------------- pieces */

/* Copies a piece so that it ends at a guarded page. */
static inline uint8_t *wire_piece(const uint8_t *data, size_t len) {
  static uint8_t *end;
  enum { MOST = 1 << 21 };
  if (!end)
    end = check_guarded(MOST) + MOST;
  if (len > MOST)
    _exit(2);
  if (len > 0)
    memcpy(end - len, data, len);
  return end - len;
}

/* Ways to cut a stream of `len` bytes: 0: whole, 1: byte by byte, then one cut
 * at every place. Returns the end of the piece that begins at `at`. */
static inline size_t wire_cut(size_t way, size_t at, size_t len) {
  if (way == 1)
    return at + 1;
  if (way >= 2 && at < way - 1)
    return way - 1;
  return len;
}

static inline size_t wire_ways(size_t len) { return len + 1; }
