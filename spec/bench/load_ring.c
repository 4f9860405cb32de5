/* SPDX-License-Identifier: MIT */
/* Makes frames before the run. Does not send them. */
#include "load_ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#define LAP_BYTES ((size_t)4 << 20) /* most payload of a lap, about */
#define HEAD_MOST 14
#define WINDOW 15

static void *need(void *memory) {
  if (memory) return memory;
  fputs("load: out of memory\n", stderr);
  exit(1);
}

static uint32_t roll(uint32_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

/* ------------------------------------------------------------ messages */

static void write_json(char *text, size_t size, uint32_t *state) {
  static const char *const names[] = {"anna", "boris", "chloe", "dmitri"};
  size_t len = 0;
  while (len < size) {
    char record[160];
    int more = snprintf(
        record, sizeof record,
        "{\"id\":%u,\"name\":\"%s\",\"price\":%u.%02u,\"open\":%s},",
        roll(state) % 100000, names[roll(state) % 4], roll(state) % 1000,
        roll(state) % 100, roll(state) % 2 ? "true" : "false");
    size_t take = (size_t)more < size - len ? (size_t)more : size - len;
    memcpy(text + len, record, take);
    len += take;
  }
}

static void write_utf8(uint8_t *text, size_t size, uint32_t *state) {
  for (size_t i = 0; i + 1 < size; i += 2) {
    uint32_t letter = 0x430 + roll(state) % 32; /* Cyrillic */
    text[i] = (uint8_t)(0xc0 | letter >> 6);
    text[i + 1] = (uint8_t)(0x80 | (letter & 63));
  }
  if (size % 2) text[size - 1] = '.';
}

static void write_message(uint8_t *message, ring_kind kind, size_t size,
                          uint32_t *state) {
  if (kind == RING_JSON) {
    write_json((char *)message, size, state);
  } else if (kind == RING_UTF8) {
    write_utf8(message, size, state);
  } else {
    for (size_t i = 0; i < size; i++) {
      uint32_t byte = roll(state);
      message[i] = (uint8_t)(kind == RING_TEXT ? 32 + byte % 95 : byte);
    }
  }
}

/* -------------------------------------------------------------- frames */

static size_t put_head(uint8_t *head, unsigned first, size_t len) {
  size_t at = 2, wide = len < 126 ? 0 : len < 65536 ? 2 : 8;
  head[0] = (uint8_t)first;
  head[1] = (uint8_t)(0x80 | (wide == 0 ? len : wide == 2 ? 126 : 127));
  for (size_t i = 0; i < wide; i++)
    head[at++] = (uint8_t)(len >> 8 * (wide - 1 - i));
  return at;
}

/* Writes a masked frame into that slot, and so sets where the next begins. */
static void put_frame(load_ring *ring, size_t slot, unsigned first,
                      const uint8_t *payload, size_t len, uint32_t *state) {
  uint8_t *at = ring->bytes + ring->starts[slot];
  uint32_t word = roll(state);
  uint8_t key[4];
  memcpy(key, &word, 4);
  at += put_head(at, first, len);
  memcpy(at, key, 4);
  at += 4;
  for (size_t i = 0; i < len; i++) at[i] = payload[i] ^ key[i & 3];
  ring->starts[slot + 1] = (size_t)(at + len - ring->bytes);
}

static void start_deflate(z_stream *z) {
  memset(z, 0, sizeof *z);
  if (deflateInit2(z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -WINDOW, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    need(NULL);
}

/* RFC 7692 7.2.1: leaves out the four bytes of the empty block at the end. */
static size_t deflate_message(z_stream *z, const uint8_t *message, size_t len,
                              uint8_t *out, size_t room) {
  z->next_in = (Bytef *)(uintptr_t)message;
  z->avail_in = (uInt)len;
  z->next_out = out;
  z->avail_out = (uInt)room;
  deflate(z, Z_SYNC_FLUSH);
  return room - z->avail_out - 4;
}

static void fill_compressed(load_ring *ring, unsigned opcode,
                            uint32_t *state) {
  size_t room = ring->size + 1024;
  uint8_t *packed = need(malloc(room));
  z_stream z;
  start_deflate(&z);
  for (size_t i = 0; i < ring->count; i++) {
    const uint8_t *message = ring->plain + i % ring->messages * ring->size;
    size_t len = deflate_message(&z, message, ring->size, packed, room);
    put_frame(ring, i, 0xc0 | opcode, packed, len, state);
  }
  deflateEnd(&z);
  free(packed);
}

/* How many messages make a lap. A compressed lap has to be longer than the
 * window, so that every lap but the first begins with the same window. */
static size_t lap_of(size_t size, int deflate) {
  if (deflate) return ((size_t)2 << WINDOW) / size + 1;
  size_t count = LAP_BYTES / size;
  return count < 2 ? 2 : count > 64 ? 64 : count;
}

void ring_make(load_ring *ring, ring_kind kind, size_t size,
               int deflate) {
  uint32_t state = 2463534242u;
  unsigned opcode = kind == RING_BINARY ? 2 : 1;
  ring->size = size;
  ring->messages = lap_of(size, deflate);
  ring->count = ring->messages * (deflate ? 2 : 1);
  ring->again = ring->count - ring->messages;
  ring->plain = need(malloc(ring->messages * size));
  ring->starts = need(calloc(ring->count + 1, sizeof *ring->starts));
  ring->bytes = need(malloc(ring->count * (size + 1024 + HEAD_MOST)));
  for (size_t i = 0; i < ring->messages; i++)
    write_message(ring->plain + i * size, kind, size, &state);
  if (deflate) {
    fill_compressed(ring, opcode, &state);
    return;
  }
  for (size_t i = 0; i < ring->count; i++)
    put_frame(ring, i, 0x80 | opcode, ring->plain + i * size, size, &state);
}

size_t ring_next(const load_ring *ring, size_t slot) {
  return slot + 1 == ring->count ? ring->again : slot + 1;
}

/* ---------------------------------------------------------------- zlib */

static void inflate_message(z_stream *z, const uint8_t *packed, size_t len,
                            uint8_t *out, size_t room) {
  static const uint8_t tail[4] = {0, 0, 0xff, 0xff};
  z->next_out = out;
  z->avail_out = (uInt)room;
  z->next_in = (Bytef *)(uintptr_t)packed;
  z->avail_in = (uInt)len;
  inflate(z, Z_SYNC_FLUSH);
  z->next_in = (Bytef *)(uintptr_t)tail;
  z->avail_in = sizeof tail;
  inflate(z, Z_SYNC_FLUSH);
}

typedef struct zlib_pair {
  z_stream in, out;
  size_t slot;
} zlib_pair;

static zlib_pair *start_pairs(size_t count) {
  zlib_pair *pairs = need(calloc(count, sizeof *pairs));
  for (size_t i = 0; i < count; i++) {
    if (inflateInit2(&pairs[i].in, -WINDOW) != Z_OK) need(NULL);
    start_deflate(&pairs[i].out);
  }
  return pairs;
}

static void end_pairs(zlib_pair *pairs, size_t count) {
  for (size_t i = 0; i < count; i++) {
    inflateEnd(&pairs[i].in);
    deflateEnd(&pairs[i].out);
  }
  free(pairs);
}

/* What an echo of one message costs in zlib. */
static void zlib_echo(const load_ring *ring, zlib_pair *pair, uint8_t *frame,
                      uint8_t *out) {
  size_t room = ring->size + 1024;
  const uint8_t *at = ring->bytes + ring->starts[pair->slot];
  size_t head = (at[1] & 127) < 126 ? 2 : 4;
  size_t len =
      ring->starts[pair->slot + 1] - ring->starts[pair->slot] - head - 4;
  for (size_t i = 0; i < len; i++)
    frame[i] = at[head + 4 + i] ^ at[head + (i & 3)];
  inflate_message(&pair->in, frame, len, out, room);
  deflate_message(&pair->out, out, ring->size, frame, room);
  pair->slot = ring_next(ring, pair->slot);
}

double ring_zlib_seconds(const load_ring *ring, size_t rounds,
                         size_t connections, size_t depth) {
  size_t room = ring->size + 1024;
  uint8_t *frame = need(malloc(room)), *out = need(malloc(room));
  zlib_pair *pairs = start_pairs(connections);
  clock_t before = clock();
  for (size_t round = 0; round < rounds; round++)
    for (size_t i = 0; i < connections; i++)
      for (size_t j = 0; j < depth; j++)
        zlib_echo(ring, &pairs[i], frame, out);
  double seconds = (double)(clock() - before) / CLOCKS_PER_SEC;
  end_pairs(pairs, connections);
  free(frame);
  free(out);
  return seconds;
}
