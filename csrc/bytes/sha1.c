/* SPDX-License-Identifier: MIT */
/* SHA-1, FIPS 180-4 section 6.1, for the accept key only. */
#include "bytes/sha1.h"

#include <string.h>

static uint32_t rotate(uint32_t x, unsigned n) {
  return x << n | x >> (32 - n);
}

static uint32_t choose(unsigned round, uint32_t b, uint32_t c, uint32_t d) {
  if (round < 20) return (b & c) | (~b & d);
  if (round >= 40 && round < 60) return (b & c) | (b & d) | (c & d);
  return b ^ c ^ d;
}

static void block(uint32_t h[5], const uint8_t *data) {
  static const uint32_t k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc,
                                0xca62c1d6};
  uint32_t w[80];
  for (unsigned i = 0; i < 16; i++)
    w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 |
           (uint32_t)data[4 * i + 2] << 8 | data[4 * i + 3];
  for (unsigned i = 16; i < 80; i++)
    w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
  uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
  for (unsigned i = 0; i < 80; i++) {
    uint32_t t = rotate(a, 5) + choose(i, b, c, d) + e + w[i] + k[i / 20];
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = t;
  }
  h[0] += a;
  h[1] += b;
  h[2] += c;
  h[3] += d;
  h[4] += e;
}

void ws_sha1(const void *data, size_t len, uint8_t digest[WS_SHA1_SIZE]) {
  uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
                   0xc3d2e1f0};
  const uint8_t *bytes = data;
  size_t left = len;
  for (; left >= 64; left -= 64, bytes += 64) block(h, bytes);
  uint8_t tail[128] = {0};
  if (left) memcpy(tail, bytes, left);
  tail[left] = 0x80;
  size_t size = left < 56 ? 64 : 128;
  uint64_t bits = (uint64_t)len * 8;
  for (unsigned i = 0; i < 8; i++)
    tail[size - 1 - i] = (uint8_t)(bits >> (8 * i));
  for (size_t at = 0; at < size; at += 64) block(h, tail + at);
  for (unsigned i = 0; i < WS_SHA1_SIZE; i++)
    digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}
