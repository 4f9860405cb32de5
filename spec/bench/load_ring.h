/* SPDX-License-Identifier: MIT */
/* The frames that the load generator sends, masked and laid out before the
 * run, so that sending costs a system call and no copy. For load*.c only. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum ring_kind {
  RING_BINARY,
  RING_TEXT, /* ASCII */
  RING_UTF8, /* two bytes a character */
  RING_JSON  /* ASCII, with as much repetition as records have */
} ring_kind;

/* Slot i is bytes[starts[i] .. starts[i + 1]). After slot `count - 1` comes
 * slot `again`. That is 0, except for compressed frames, because their first
 * lap begins with an empty window, and all later laps do not. */
typedef struct load_ring {
  uint8_t *bytes;
  size_t *starts;
  size_t count, again;
  uint8_t *plain; /* slot i's message is plain + i % messages * size */
  size_t messages, size;
} load_ring;

/* `size` is at least 1. Ends the program when there is no memory. */
void ring_make(load_ring *ring, ring_kind kind, size_t size, int deflate);

/* The slot after `slot`. */
size_t ring_next(const load_ring *ring, size_t slot);

/* CPU seconds that zlib alone takes to inflate these messages and to deflate
 * them again, both with context takeover, which no server can save. Each of
 * `connections` has contexts of its own, and `depth` messages per round. */
double ring_zlib_seconds(const load_ring *ring, size_t rounds,
                         size_t connections, size_t depth);
