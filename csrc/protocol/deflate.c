/* SPDX-License-Identifier: MIT */
/* zlib, set up as RFC 7692 section 7.2 wants it. The only file that knows
 * zlib. */
#include "protocol/deflate.h"

#include "bytes/status.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

const bool ws_deflate_built_in = true;

#define MEMORY_LEVEL 8
#define STEP 16384 /* bytes of output made at a time */
#define TAIL_LENGTH 4

/* 7.2.1: every message ends with these bytes, which are not sent. */
static const uint8_t tail[TAIL_LENGTH] = {0, 0, 0xff, 0xff};

struct ws_deflater {
  z_stream z;
  ws_resize *resize;
};

struct ws_inflater {
  z_stream z;
  ws_resize *resize;
  bool ended; /* at the end of a final block (BFINAL) */
};

/* ------------------------------------------------------------- memory */

/* zlib allocates through the object's `resize`, to which `opaque` points. */
static void *allocate(void *opaque, unsigned items, unsigned size) {
  ws_resize *const *resize = opaque;
  if (size != 0 && items > SIZE_MAX / size) return NULL;
  void *block = (*resize)(NULL, (size_t)items * size);
  /* zlib's inflate looks at bytes it has not written. */
  if (block) memset(block, 0, (size_t)items * size);
  return block;
}

static void release(void *opaque, void *block) {
  ws_resize *const *resize = opaque;
  (void)(*resize)(block, 0);
}

static void use_memory(z_stream *z, ws_resize **resize) {
  z->zalloc = allocate;
  z->zfree = release;
  z->opaque = resize;
}

static unsigned at_most_uint(size_t len) {
  return len > UINT_MAX ? UINT_MAX : (unsigned)len;
}

/* Room for a step of output at the end of `out`. */
static int make_room(z_stream *z, ws_buffer *out, size_t room) {
  int status = ws_buffer_reserve(out, room);
  if (status != WS_OK) return status;
  z->next_out = out->data + out->len;
  z->avail_out = (unsigned)room;
  return WS_OK;
}

/* ---------------------------------------------------------- deflating */

ws_deflater *ws_deflater_new(ws_resize *resize, unsigned bits, int level) {
  assert(bits >= 9 && bits <= 15);
  ws_deflater *deflater = resize(NULL, sizeof *deflater);
  if (!deflater) return NULL;
  *deflater = (ws_deflater){.resize = resize};
  use_memory(&deflater->z, &deflater->resize);
  if (deflateInit2(&deflater->z, level, Z_DEFLATED, -(int)bits, MEMORY_LEVEL,
                   Z_DEFAULT_STRATEGY) == Z_OK)
    return deflater;
  (void)resize(deflater, 0);
  return NULL;
}

void ws_deflater_free(ws_deflater *deflater) {
  if (!deflater) return;
  (void)deflateEnd(&deflater->z);
  (void)deflater->resize(deflater, 0);
}

void ws_deflater_reset(ws_deflater *deflater) {
  (void)deflateReset(&deflater->z);
}

/* Runs deflate until all output is written; then the input is used up. If that
 * fills the room exactly, the next call writes the end of the message again, so
 * a short message gets more room than it can need. */
static int run_deflate(z_stream *z, int flush, ws_buffer *out) {
  size_t room = z->avail_in < STEP
                    ? (size_t)deflateBound(z, z->avail_in) + 2 * TAIL_LENGTH
                    : STEP;
  do {
    int status = make_room(z, out, room);
    if (status != WS_OK) return status;
    int result = deflate(z, flush);
    if (result != Z_OK && result != Z_BUF_ERROR) return WS_ENOMEM;
    out->len += room - z->avail_out;
  } while (z->avail_out == 0);
  return WS_OK;
}

int ws_deflater_message(ws_deflater *deflater, const void *data, size_t len,
                        ws_buffer *out) {
  z_stream *z = &deflater->z;
  const uint8_t *next = data;
  size_t before = out->len;
  do {
    unsigned part = at_most_uint(len);
    z->next_in = (z_const Bytef *)(uintptr_t)next;
    z->avail_in = part;
    len -= part;
    if (next) next += part;
    int status = run_deflate(z, len > 0 ? Z_NO_FLUSH : Z_SYNC_FLUSH, out);
    if (status != WS_OK) return status;
  } while (len > 0);
  /* 7.2.3.6: zlib writes no block for an empty message after another one. */
  if (out->len == before) return ws_buffer_append(out, tail, 1);
  out->len -= TAIL_LENGTH;
  return WS_OK;
}

/* ---------------------------------------------------------- inflating */

ws_inflater *ws_inflater_new(ws_resize *resize) {
  ws_inflater *inflater = resize(NULL, sizeof *inflater);
  if (!inflater) return NULL;
  *inflater = (ws_inflater){.resize = resize};
  use_memory(&inflater->z, &inflater->resize);
  if (inflateInit2(&inflater->z, -15) == Z_OK) return inflater;
  (void)resize(inflater, 0);
  return NULL;
}

void ws_inflater_free(ws_inflater *inflater) {
  if (!inflater) return;
  (void)inflateEnd(&inflater->z);
  (void)inflater->resize(inflater, 0);
}

void ws_inflater_reset(ws_inflater *inflater) {
  (void)inflateReset(&inflater->z);
  inflater->ended = false;
}

size_t ws_inflater_window(ws_inflater *inflater, uint8_t window[WS_WINDOW]) {
  unsigned len = 0;
  (void)inflateGetDictionary(&inflater->z, window, &len);
  return len;
}

int ws_inflater_set_window(ws_inflater *inflater, const uint8_t *window,
                           size_t len) {
  if (len == 0) return WS_OK;
  return inflateSetDictionary(&inflater->z, window, (unsigned)len) == Z_OK
             ? WS_OK
             : WS_ENOMEM;
}

static int status_of(int result) {
  if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR)
    return WS_OK;
  return result == Z_MEM_ERROR ? WS_ENOMEM : WS_EDEFLATE;
}

/* One step; there is more while input is left or the output was full. */
static int step(ws_inflater *inflater, ws_buffer *out, size_t most) {
  z_stream *z = &inflater->z;
  size_t likely = z->avail_in < STEP ? (size_t)z->avail_in * 4 + 256 : STEP;
  size_t room = most - out->len < STEP ? most - out->len + 1 : STEP;
  if (room > likely) room = likely;
  int status = make_room(z, out, room);
  if (status != WS_OK) return status;
  int result = inflate(z, Z_SYNC_FLUSH);
  out->len += room - z->avail_out;
  inflater->ended = result == Z_STREAM_END;
  /* The limit comes first: so the result is the same however bytes are cut. */
  return out->len > most ? WS_ETOOBIG : status_of(result);
}

int ws_inflater_feed(ws_inflater *inflater, const void *data, size_t len,
                     ws_buffer *out, size_t most) {
  z_stream *z = &inflater->z;
  const uint8_t *next = data;
  while (len > 0) {
    unsigned part = at_most_uint(len);
    z->next_in = (z_const Bytef *)(uintptr_t)next;
    z->avail_in = part;
    next += part;
    len -= part;
    do {
      /* 7.2.3.4: after a final block the next one begins a new stream, but the
       * window stays. It stays in place, not copied out and in again, as a peer
       * may send very many final blocks. */
      if (inflater->ended) (void)inflateResetKeep(z);
      int status = step(inflater, out, most);
      if (status != WS_OK) return status;
    } while (z->avail_in > 0 || (z->avail_out == 0 && !inflater->ended));
  }
  return WS_OK;
}

int ws_inflater_end(ws_inflater *inflater, ws_buffer *out, size_t most) {
  /* After a final block there is nothing to end, and the tail would begin a
   * block of its own. */
  if (inflater->ended) return WS_OK;
  int status = ws_inflater_feed(inflater, tail, sizeof tail, out, most);
  if (status != WS_OK) return status;
  /* True after a final block, which may be the tail itself, or between two
   * blocks, where zlib sets 128, with no bits (its lowest six) left over for
   * the next message. Anywhere else the message was cut short. */
  bool whole =
      inflater->ended || (inflater->z.data_type & (128 | 63)) == 128;
  return whole ? WS_OK : WS_EDEFLATE;
}
