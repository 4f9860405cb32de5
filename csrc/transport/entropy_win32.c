/* SPDX-License-Identifier: MIT */
/* Windows' random bytes, fetched in blocks in advance. Processes do not fork
 * there. */
#include "transport/entropy.h"

#include "bytes/status.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <windows.h>
#include <bcrypt.h>

#define BLOCK 4096

static atomic_int failing;

static _Thread_local struct {
  size_t left; /* unused bytes, at the end of the block */
  uint8_t bytes[BLOCK];
} ahead;

/* ULONG is 32 bits wide. */
static int draw(uint8_t *data, size_t len) {
  while (len > 0) {
    ULONG part = len > UINT32_MAX ? UINT32_MAX : (ULONG)len;
    if (BCryptGenRandom(NULL, data, part, BCRYPT_USE_SYSTEM_PREFERRED_RNG) < 0)
      return WS_ERANDOM;
    data += part;
    len -= part;
  }
  return WS_OK;
}

int ws_entropy(void *data, size_t len) {
  if (atomic_load_explicit(&failing, memory_order_relaxed)) return WS_ERANDOM;
  if (len == 0) return WS_OK;
  if (len > BLOCK / 4) return draw(data, len);
  if (ahead.left < len) {
    ahead.left = 0;
    if (draw(ahead.bytes, BLOCK) != WS_OK) return WS_ERANDOM;
    ahead.left = BLOCK;
  }
  uint8_t *from = ahead.bytes + BLOCK - ahead.left;
  memcpy(data, from, len);
  memset(from, 0, len);
  ahead.left -= len;
  return WS_OK;
}

void ws_entropy_fail(int on) { atomic_store(&failing, on); }
