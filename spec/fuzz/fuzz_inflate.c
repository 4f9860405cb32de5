/* SPDX-License-Identifier: MIT */
/* Any bytes as a compressed message: the limit holds while they expand, and
 * they expand the same however they are cut, and as in plain zlib. */
#include "fuzz.h"
#include "protocol/deflate.h"

#include <zlib.h>

enum { MOST_OUT = 1 << 17 };

static ws_inflater *inflater;
static z_stream plain;
static uint8_t theirs[MOST_OUT];

/* Feeds the bytes of a message, then its end. */
static int expand(fuzz_input in, fuzz_cuts cuts, ws_buffer *out,
                  size_t most) {
  int status = WS_OK;
  ws_inflater_reset(inflater);
  while (in.len > 0 && status == WS_OK) {
    ws_slice part = fuzz_run(&in, fuzz_cut(&cuts, in.len));
    status = ws_inflater_feed(inflater, fuzz_piece(part.data, part.len),
                              part.len, out, most);
    PROMISE(out->len <= most + 1);
  }
  if (status == WS_OK) status = ws_inflater_end(inflater, out, most);
  PROMISE(out->len <= most + 1);
  PROMISE((out->len > most) == (status == WS_ETOOBIG));
  PROMISE(status == WS_OK || status == WS_ETOOBIG || status == WS_EDEFLATE);
  return status;
}

/* Feeds zlib; false when it finds an error or the stream ends early. */
static bool plain_feed(const void *data, size_t len) {
  plain.next_in = (Bytef *)(uintptr_t)data;
  plain.avail_in = (unsigned)len;
  int result = inflate(&plain, Z_SYNC_FLUSH);
  return (result == Z_OK || result == Z_BUF_ERROR) && plain.avail_out > 0;
}

/* zlib must agree on a message that fits and has no last blocks. */
static void check_plain(fuzz_input in, const ws_buffer *out, int status) {
  (void)inflateReset(&plain);
  plain.next_out = theirs;
  plain.avail_out = sizeof theirs;
  if (in.len == 0 || !plain_feed(in.data, in.len)) return;
  bool whole = plain_feed("\0\0\xff\xff", 4) &&
               (plain.data_type & (128 | 63)) == 128;
  size_t len = sizeof theirs - plain.avail_out;
  if (!whole) return;
  PROMISE(status == WS_OK ? len == out->len : status == WS_ETOOBIG);
  if (status == WS_OK && len > 0)
    PROMISE(memcmp(theirs, out->data, len) == 0);
}

/* A whole message leaves no bits that would be taken for the next one's. */
static void check_next(ws_buffer *out) {
  static const char hello[] = "\0\5\0\xfa\xffHello\0";
  size_t before = out->len;
  PROMISE(ws_inflater_feed(inflater, hello, sizeof hello - 1, out,
                           before + 5) == WS_OK);
  PROMISE(ws_inflater_end(inflater, out, before + 5) == WS_OK);
  PROMISE(memcmp(out->data + before, "Hello", 5) == 0);
  out->len = before;
}

/* The window, to which the next message may refer, can be carried over. */
static void check_window(void) {
  static uint8_t window[WS_WINDOW], again[WS_WINDOW];
  size_t len = ws_inflater_window(inflater, window);
  PROMISE(len <= WS_WINDOW);
  ws_inflater_reset(inflater);
  PROMISE(ws_inflater_set_window(inflater, window, len) == WS_OK);
  PROMISE(ws_inflater_window(inflater, again) == len);
  PROMISE(memcmp(window, again, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  static ws_buffer whole, pieces;
  fuzz_input in = {data, len};
  size_t most = (size_t)1 << fuzz_byte(&in) % 17;
  fuzz_cuts cuts = fuzz_take_cuts(&in);
  if (!inflater) {
    inflater = ws_inflater_new(fuzz_resize);
    if (!inflater || inflateInit2(&plain, -15) != Z_OK) abort();
    ws_buffer_init(&whole, fuzz_resize, 0);
    ws_buffer_init(&pieces, fuzz_resize, 0);
  }
  ws_buffer_consume(&whole, whole.len);
  ws_buffer_consume(&pieces, pieces.len);
  int status = expand(in, fuzz_uncut, &whole, most);
  PROMISE(expand(in, cuts, &pieces, most) == status);
  if (status == WS_OK) {
    PROMISE(ws_slice_equal(fuzz_text(&whole), fuzz_text(&pieces)));
    check_next(&pieces);
    check_window();
  }
  check_plain(in, &whole, status);
  return 0;
}
