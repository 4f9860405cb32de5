/* SPDX-License-Identifier: MIT */
/* Validates UTF-8: keeps the state across calls, and chooses one of the
 * implementations, which are in utf8_scalar, utf8_vectors and utf8_avx2. */
#include "bytes/utf8.h"

#include "bytes/utf8_parts.h"

#include <string.h>

/* The lengths from which vectors can be used, from which the wider ones pay,
 * and from which they skip ASCII by several blocks at once, so that is_ascii is
 * not needed. */
#define SHORTEST ((size_t)16)
#define LONG ((size_t)64)
#define LONGER ((size_t)160)

/* True for ASCII only. Reads words, the last of which may overlap the one
 * before. */
static bool is_ascii(const uint8_t *data, size_t len) {
  uint64_t any = 0, word = 0;
  if (len >= 8) {
    memcpy(&any, data + len - 8, 8);
    for (size_t at = 0; at + 8 < len; at += 8) {
      memcpy(&word, data + at, 8);
      any |= word;
    }
  } else if (len >= 4) {
    memcpy(&any, data, 4);
    memcpy(&word, data + len - 4, 4);
    any |= word;
  } else {
    for (size_t i = 0; i < len; i++) any |= data[i];
  }
  return (any & 0x8080808080808080u) == 0;
}

/* As ws_utf8_walk, for any `len`. */
static size_t walk(const uint8_t *data, size_t len) {
  if (len < LONGER && is_ascii(data, len)) return len;
  if (len < SHORTEST) return 0;
  ws_utf8_walk *by = len < LONG ? NULL : ws_utf8_avx2();
  if (!by) by = ws_utf8_vectors();
  return by ? by(data, len) : 0;
}

static uint32_t state_after(uint32_t state, const uint8_t *data, size_t len) {
  size_t at = 0;
  while (state != 0 && state != WS_UTF8_BROKEN && at < len)
    state = ws_utf8_scalar(state, data + at++, 1);
  if (state == 0 && at < len) at += walk(data + at, len - at);
  return at < len ? ws_utf8_scalar(state, data + at, len - at) : state;
}

bool ws_utf8_feed(ws_utf8 *utf8, const uint8_t *data, size_t len) {
  utf8->state = state_after(utf8->state, data, len);
  return utf8->state != WS_UTF8_BROKEN;
}

bool ws_utf8_complete(const ws_utf8 *utf8) { return utf8->state == 0; }

bool ws_utf8_valid(const uint8_t *data, size_t len) {
  return state_after(0, data, len) == 0;
}
