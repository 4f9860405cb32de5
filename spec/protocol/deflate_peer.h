/* SPDX-License-Identifier: MIT */
/* For the tests of permessage-deflate: a peer that is plain zlib, with a
 * history for each direction, and messages to send it. */
#pragma once
#include "wire.h"

#include <zlib.h>

/* -------------------------------------------------------------- messages */

static struct { uint32_t state; } peer_chance = {1};

static inline uint32_t peer_random(void) {
  peer_chance.state = peer_chance.state * 1664525u + 1013904223u;
  return peer_chance.state >> 8;
}

/* Text of a few words, which compresses and refers to earlier messages. */
static inline void peer_words(wire *to, size_t len) {
  static const char *const words[] = {"window ",  "message ", "deflate ",
                                      "history ", "a ",       "of the ",
                                      "{\"id\":", "},\n"};
  to->len = 0;
  while (to->len < len) {
    const char *word = words[peer_random() % 8];
    wire_add(to, word, strlen(word));
    char number[12];
    if (peer_random() % 8 == 0)
      wire_add(to, number,
               (size_t)snprintf(number, sizeof number, "%u ",
                                (unsigned)(peer_random() % 10000)));
  }
  to->len = len;
}

/* Bytes that do not compress. */
static inline void peer_noise(wire *to, size_t len) {
  to->len = 0;
  while (to->len < len) {
    uint8_t byte = (uint8_t)(peer_random() >> 7);
    wire_add(to, &byte, 1);
  }
}

/* ------------------------------------------------------------------ peer */

typedef struct peer {
  z_stream in, out;
  bool in_alone, out_alone; /* no context takeover in this direction */
} peer;

static inline void peer_start(peer *it, int in_bits, int out_bits,
                              int level) {
  *it = (peer){.in_alone = false};
  if (inflateInit2(&it->in, -in_bits) != Z_OK ||
      deflateInit2(&it->out, level, Z_DEFLATED, -out_bits, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    _exit(2);
}

static inline void peer_stop(peer *it) {
  (void)inflateEnd(&it->in);
  (void)deflateEnd(&it->out);
}

/* Compresses a message; `to` gets the payload to be sent. */
static inline void peer_pack(peer *it, const void *data, size_t len,
                             wire *to) {
  z_stream *z = &it->out;
  uint8_t block[4096];
  to->len = 0;
  z->next_in = (Bytef *)(uintptr_t)data;
  z->avail_in = (unsigned)len;
  do {
    z->next_out = block;
    z->avail_out = sizeof block;
    (void)deflate(z, Z_SYNC_FLUSH);
    wire_add(to, block, sizeof block - z->avail_out);
  } while (z->avail_out == 0);
  if (to->len < 4)
    wire_add(to, "\0\0\0\xff\xff", 5); /* zlib had nothing new to flush */
  to->len -= 4;
  if (it->out_alone)
    (void)deflateReset(z);
}

static inline bool peer_inflate(peer *it, const void *data, size_t len,
                                wire *to) {
  z_stream *z = &it->in;
  /* In small steps, so that zlib notices distances beyond the window. */
  uint8_t block[64];
  z->next_in = (Bytef *)(uintptr_t)data;
  z->avail_in = (unsigned)len;
  do {
    z->next_out = block;
    z->avail_out = sizeof block;
    int result = inflate(z, Z_SYNC_FLUSH);
    if (result != Z_OK && result != Z_BUF_ERROR)
      return false;
    wire_add(to, block, sizeof block - z->avail_out);
  } while (z->avail_in > 0 || z->avail_out == 0);
  return true;
}

/* Expands a message; false when that fails. */
static inline bool peer_unpack(peer *it, const void *data, size_t len,
                               wire *to) {
  to->len = 0;
  bool good = peer_inflate(it, data, len, to) &&
              peer_inflate(it, "\0\0\xff\xff", 4, to);
  if (it->in_alone)
    (void)inflateReset(&it->in);
  return good;
}

static inline bool wire_same(const wire *a, const void *data, size_t len) {
  return a->len == len && (len == 0 || memcmp(a->data, data, len) == 0);
}
