/* SPDX-License-Identifier: MIT */
/* Messages go through our deflater, and back through our inflater and through
 * plain zlib; one after another, keeping the window or dropping it. */
#include "fuzz.h"
#include "protocol/deflate.h"

#include <zlib.h>

enum { MOST = 1 << 16 };

static ws_inflater *inflater;
static z_stream plain;
static ws_buffer packed, unpacked;

static ws_deflater *deflater_for(unsigned bits, int level) {
  static ws_deflater *made[7][4]; /* 9 to 15 bits, levels 0 to 9 by three */
  ws_deflater **it = &made[bits - 9][level / 3];
  if (!*it) *it = ws_deflater_new(fuzz_resize, bits, level);
  if (!*it) abort();
  ws_deflater_reset(*it);
  return *it;
}

static void unpack_ours(const uint8_t *message, size_t len, fuzz_cuts cuts) {
  fuzz_input in = {packed.data, packed.len};
  ws_buffer_consume(&unpacked, unpacked.len);
  while (in.len > 0) {
    ws_slice part = fuzz_run(&in, fuzz_cut(&cuts, in.len));
    PROMISE(ws_inflater_feed(inflater, fuzz_piece(part.data, part.len),
                             part.len, &unpacked, len) == WS_OK);
  }
  PROMISE(ws_inflater_end(inflater, &unpacked, len) == WS_OK);
  PROMISE(unpacked.len == len);
  PROMISE(len == 0 || memcmp(unpacked.data, message, len) == 0);
}

static void unpack_plain(const uint8_t *message, size_t len) {
  static uint8_t text[MOST + 64];
  plain.next_out = text;
  plain.avail_out = sizeof text;
  plain.next_in = packed.data;
  plain.avail_in = (unsigned)packed.len;
  int result = inflate(&plain, Z_SYNC_FLUSH);
  PROMISE(result == Z_OK && plain.avail_in == 0);
  static const Bytef tail[] = {0, 0, 0xff, 0xff};
  plain.next_in = (Bytef *)(uintptr_t)tail;
  plain.avail_in = sizeof tail;
  result = inflate(&plain, Z_SYNC_FLUSH);
  PROMISE((result == Z_OK || result == Z_BUF_ERROR) && plain.avail_in == 0);
  PROMISE(sizeof text - plain.avail_out == len);
  PROMISE(len == 0 || memcmp(text, message, len) == 0);
}

/* The next message: the input's bytes, or these repeated to make it long. */
static size_t take_message(fuzz_input *in, uint8_t *message) {
  uint8_t times = fuzz_byte(in);
  ws_slice part = fuzz_counted(in);
  size_t len = 0;
  do {
    if (part.len > 0) memcpy(message + len, part.data, part.len);
    len += part.len;
  } while (times-- > 0 && len + part.len <= MOST);
  return len;
}

static void start(void) {
  inflater = ws_inflater_new(fuzz_resize);
  if (!inflater || inflateInit2(&plain, -15) != Z_OK) abort();
  ws_buffer_init(&packed, fuzz_resize, 0);
  ws_buffer_init(&unpacked, fuzz_resize, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static uint8_t message[MOST + 256];
  fuzz_input in = {data, len};
  uint8_t flags = fuzz_byte(&in);
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  if (!inflater) start();
  ws_deflater *deflater =
      deflater_for(9 + (flags & 7u) % 7, (flags >> 3 & 3) * 3);
  (void)inflateReset(&plain);
  ws_inflater_reset(inflater);
  for (int i = 0; i < 8 && in.len > 0; i++) {
    size_t size = take_message(&in, message);
    if (flags & 32) ws_deflater_reset(deflater);
    ws_buffer_consume(&packed, packed.len);
    PROMISE(ws_deflater_message(deflater, message, size, &packed) == WS_OK);
    PROMISE(packed.len > 0 && packed.len <= size + size / 8 + 64);
    unpack_ours(message, size, cuts);
    unpack_plain(message, size);
  }
  return 0;
}
