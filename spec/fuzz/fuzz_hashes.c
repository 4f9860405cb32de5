/* SPDX-License-Identifier: MIT */
/* Base64, both ways, against a loop over bits; SHA-1 against OpenSSL's. */
#include "fuzz.h"
#include "bytes/base64.h"
#include "bytes/sha1.h"

#include <openssl/evp.h>

#define MOST 512

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static unsigned bit(const uint8_t *data, size_t len, size_t at) {
  return at / 8 < len ? data[at / 8] >> (7 - at % 8) & 1u : 0;
}

static void encode(const uint8_t *data, size_t len, char *text) {
  for (size_t i = 0; i < WS_BASE64_LENGTH(len); i++) {
    unsigned value = 0;
    for (size_t j = 0; j < 6; j++)
      value = value << 1 | bit(data, len, 6 * i + j);
    text[i] = 6 * i < 8 * len ? digits[value] : '=';
  }
}

/* How many bytes, or -1. */
static ptrdiff_t decode(const char *text, size_t len, uint8_t *into) {
  size_t bits = 0, pads = 0;
  if (len % 4 != 0) return -1;
  memset(into, 0, MOST);
  while (pads < 2 && pads < len && text[len - 1 - pads] == '=') pads++;
  for (size_t i = 0; i < len - pads; i++) {
    const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
    if (!digit) return -1;
    for (int j = 5; j >= 0; j--, bits++)
      if ((digit - digits) >> j & 1)
        into[bits / 8] |= (uint8_t)(128u >> bits % 8);
  }
  return (ptrdiff_t)(len / 4 * 3 - pads);
}

static void check_encode(const uint8_t *data, size_t len) {
  static char text[WS_BASE64_LENGTH(MOST)];
  static uint8_t back[MOST + 3];
  size_t size = WS_BASE64_LENGTH(len);
  char *ours = (char *)fuzz_piece(text, size);
  encode(data, len, text);
  ws_base64_encode(data, len, ours);
  PROMISE(memcmp(ours, text, size) == 0);
  PROMISE(ws_base64_decode(text, size, back) == (ptrdiff_t)len);
  PROMISE(len == 0 || memcmp(back, data, len) == 0);
}

static void check_decode(const uint8_t *data, size_t len) {
  static uint8_t theirs[MOST], ours[MOST];
  const char *text = (char *)fuzz_piece(data, len);
  ptrdiff_t expected = decode(text, len, theirs);
  ptrdiff_t found = ws_base64_decode(text, len, ours);
  PROMISE(expected < 0 ? found == WS_EINVAL : found == expected);
  if (expected > 0)
    PROMISE(memcmp(ours, theirs, (size_t)expected) == 0);
}

static void check_sha1(const uint8_t *data, size_t len) {
  static EVP_MD_CTX *context;
  uint8_t ours[WS_SHA1_SIZE], theirs[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!context) context = EVP_MD_CTX_new();
  PROMISE(EVP_DigestInit_ex(context, EVP_sha1(), NULL) == 1);
  PROMISE(EVP_DigestUpdate(context, data, len) == 1);
  PROMISE(EVP_DigestFinal_ex(context, theirs, &size) == 1);
  ws_sha1(fuzz_piece(data, len), len, ours);
  PROMISE(size == sizeof ours && memcmp(ours, theirs, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  if (len > MOST) len = MOST;
  check_encode(data, len);
  check_decode(data, len);
  check_sha1(data, len);
  return 0;
}
