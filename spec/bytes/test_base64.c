/* SPDX-License-Identifier: MIT */
/* Base64: the vectors of RFC 4648, every group, and what is refused. */
#include "bytes/base64.h"

#include "bytes/status.h"
#include "check.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Input and output each end at a guarded page. */
static ptrdiff_t decode(const char *text, size_t len, void *into) {
  static char *end;
  static uint8_t *out_end;
  if (!end) {
    end = (char *)check_guarded(1024) + 1024;
    out_end = check_guarded(1024) + 1024;
  }
  if (len) memcpy(end - len, text, len);
  uint8_t *out = out_end - len / 4 * 3;
  ptrdiff_t written = ws_base64_decode(end - len, len, out);
  if (written > 0) memcpy(into, out, (size_t)written);
  return written;
}

static void encode(const void *data, size_t len, char *into) {
  static uint8_t *end;
  static char *out_end;
  if (!end) {
    end = check_guarded(1024) + 1024;
    out_end = (char *)check_guarded(2048) + 2048;
  }
  if (len) memcpy(end - len, data, len);
  size_t size = WS_BASE64_LENGTH(len);
  ws_base64_encode(end - len, len, out_end - size);
  if (size) memcpy(into, out_end - size, size);
}

/* RFC 4648 section 10. */
TEST(test_vectors_of_the_rfc) {
  static const char *const pairs[][2] = {
      {"", ""},         {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"},  {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    const char *plain = pairs[i][0], *coded = pairs[i][1];
    size_t len = strlen(plain), size = strlen(coded);
    char text[16] = {0};
    CHECK_INT(WS_BASE64_LENGTH(len), size);
    encode(plain, len, text);
    CHECK(memcmp(text, coded, size) == 0);
    CHECK_INT(decode(coded, size, text), len);
    CHECK(memcmp(text, plain, len) == 0);
  }
}

/* RFC 6455 section 4.2.2: its key, which elsewhere has padding bits that are
 * not zero, and the answer to it. S55 */
TEST(test_keys_of_the_handshake) {
  char bytes[24];
  CHECK_INT(decode("dGhlIHNhbXBsZSBub25jZQ==", 24, bytes), 16);
  CHECK_BYTES(bytes, 16, "the sample nonce");
  CHECK_INT(decode("AQIDBAUGBwgJCgsMDQ4PEC==", 24, bytes), 16);
  CHECK_BYTES(bytes, 16, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20");
}

/* Each value in each of the four places. */
TEST(test_every_character) {
  for (unsigned value = 0; value < 64; value++)
    for (unsigned place = 0; place < 4; place++) {
      char text[4] = {'A', 'A', 'A', 'A'}, again[4];
      text[place] = alphabet[value];
      uint32_t group = value << (18 - 6 * place);
      uint8_t bytes[3];
      CHECK_INT(decode(text, 4, bytes), 3);
      CHECK_INT(bytes[0] << 16 | bytes[1] << 8 | bytes[2], group);
      encode(bytes, 3, again);
      CHECK(memcmp(text, again, 4) == 0);
    }
}

TEST(test_round_trip_of_every_length) {
  uint8_t bytes[300], read[300];
  char text[WS_BASE64_LENGTH(300)];
  for (size_t i = 0; i < 300; i++) bytes[i] = (uint8_t)(i * 101 + 200);
  for (size_t len = 0; len <= 300; len++) {
    size_t size = WS_BASE64_LENGTH(len);
    encode(bytes, len, text);
    CHECK_INT(decode(text, size, read), len);
    CHECK(memcmp(read, bytes, len) == 0);
    if (size) CHECK(memchr(text, '=', size - (3 - len % 3) % 3) == NULL);
  }
}

/* A byte outside the alphabet, in each place of each group. */
TEST(test_every_character_outside_the_alphabet) {
  uint8_t bytes[8];
  unsigned refused = 0;
  for (unsigned c = 0; c < 256; c++) {
    if (c && strchr(alphabet, (int)c)) continue;
    for (unsigned place = 0; place < 8; place++) {
      char text[8] = {'Z', 'm', '9', 'v', 'Y', 'm', 'F', 'y'};
      text[place] = (char)c;
      if (c == '=' && place == 7) continue; /* padding */
      refused += decode(text, 8, bytes) == WS_EINVAL;
    }
  }
  CHECK_INT(refused, 192 * 8 - 1);
}

TEST(test_lengths_and_padding_that_are_refused) {
  static const char *const bad[] = {
      "Z",        "Zg",       "Zg=",      "Zm9vY",    "Zm9vYg=",
      "=",        "==",       "===",      "====",     "Z===",
      "=Zg=",     "Z=g=",     "Zg=A",     "Zg==Zm9v", "Zm8=Zm9v",
      "Zm9v====", "Zm9v=",    "Zm9v==",   "Zm9vZ===", "Zg==\n",
      "Zm 9",     "Zm9v\r\n", "Zm9v Zg=", "Zg-_",     "A=====",
      "Zg======"};
  uint8_t bytes[16];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (!CHECK_INT(decode(bad[i], strlen(bad[i]), bytes), WS_EINVAL))
      fprintf(stderr, "  of \"%s\"\n", bad[i]);
}

/* As base64.h promises, unused bits in the last character are accepted. */
TEST(test_padding_bits) {
  uint8_t bytes[3];
  for (unsigned value = 0; value < 64; value++) {
    char text[4] = {'Z', alphabet[value], '=', '='};
    CHECK_INT(decode(text, 4, bytes), 1);
    CHECK_INT(bytes[0], 25 << 2 | value >> 4);
    char longer[4] = {'Z', 'm', alphabet[value], '='};
    CHECK_INT(decode(longer, 4, bytes), 2);
    CHECK_INT(bytes[1], (38 & 15) << 4 | value >> 2);
  }
}

int main(void) {
  RUN(test_vectors_of_the_rfc);
  RUN(test_keys_of_the_handshake);
  RUN(test_every_character);
  RUN(test_round_trip_of_every_length);
  RUN(test_every_character_outside_the_alphabet);
  RUN(test_lengths_and_padding_that_are_refused);
  RUN(test_padding_bits);
  return check_done();
}
