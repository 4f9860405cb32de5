/* SPDX-License-Identifier: MIT */
/* SHA-1 against published digests, and at lengths where the padding changes
 * against digests from another implementation of FIPS 180-4. */
#include "bytes/sha1.h"

#include "bytes/base64.h"
#include "check.h"

static void check_digest(const void *data, size_t len, const char *hex) {
  uint8_t digest[WS_SHA1_SIZE];
  char text[2 * WS_SHA1_SIZE + 1];
  ws_sha1(data, len, digest);
  for (size_t i = 0; i < WS_SHA1_SIZE; i++)
    snprintf(text + 2 * i, 3, "%02x", digest[i]);
  if (!CHECK(strcmp(text, hex) == 0))
    fprintf(stderr, "  %zu bytes: %s, expected %s\n", len, text, hex);
}

/* The examples published with FIPS 180, and the empty message. */
TEST(test_published_digests) {
  static const char two[] =
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  static const char four[] =
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
      "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
  check_digest("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  check_digest(NULL, 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  check_digest("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
  check_digest(two, 56, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  check_digest(four, 112, "a49b2446a02c645bf419f995b67091253a04a259");
}

TEST(test_a_million_letters) {
  static char letters[1000000];
  memset(letters, 'a', sizeof letters);
  check_digest(letters, sizeof letters,
               "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

/* RFC 6455 section 1.3: key and GUID, SHA-1, base64. S55 */
TEST(test_accept_key_of_the_rfc) {
  static const char key[] =
      "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  uint8_t digest[WS_SHA1_SIZE];
  char accept[WS_BASE64_LENGTH(WS_SHA1_SIZE)];
  ws_sha1(key, sizeof key - 1, digest);
  ws_base64_encode(digest, sizeof digest, accept);
  CHECK_BYTES(accept, sizeof accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

/* Byte i is i * 7 + 1; they end at a guarded page. */
static const uint8_t *counted(size_t len) {
  static uint8_t *end;
  if (!end) end = check_guarded(1000) + 1000;
  for (size_t i = 0; i < len; i++) end[i - len] = (uint8_t)(i * 7 + 1);
  return end - len;
}

/* The padding needs another block when the last one has 56 bytes or more. */
TEST(test_lengths_around_a_block) {
  static const struct {
    size_t len;
    const char *hex;
  } cases[] = {
      {1, "bf8b4530d8d246dd74ac53a13471bba17941dff7"},
      {54, "bf6a9972649b933708e24592f9cc56c76e01ee27"},
      {55, "04bb34aef4880b625e6b1564a014abd25fc02bfe"},
      {56, "83b9fcb6d3e3b20f376ab989a1b6353bcc6c0f44"},
      {57, "2a1102af8a806e1fe19c618ee2b4721b38d5c797"},
      {63, "ab15090e8dbe512f3733350f9623ab11f9b5165b"},
      {64, "54305ee7e4c7bc5a96afc6d1994fc52d9bcb665f"},
      {65, "5985422a25357371ebd2a7f6ecd7eebed43db42c"},
      {118, "d13fa5b1d39a5b4faefd687a37e5c866a9ea3349"},
      {119, "6839d6c27f22ed884ac43ae6bd3bfcee9e04b938"},
      {120, "8c40517a14ab8b78fd4b8958f4e31254a34c3fb0"},
      {127, "776f9728c5649329e5db4bb60a25ea903925a112"},
      {128, "22485dc0d1e1d6e9e93e4a2a4667b8e979456379"},
      {129, "ee30885ff6af88e805c4b2f54fe0a205a09bf2cc"},
      {183, "ef1215441f7f0fef34efc65caa44ab9aecb3016c"},
      {184, "880f01cc6b025266e2bb35e369d8e3a501421ddc"},
      {1000, "f50d11c8ae2b20fe2598e99a6a2cb859e302615c"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    check_digest(counted(cases[i].len), cases[i].len, cases[i].hex);
}

/* Every length from 0 to 299: the digest of all their digests. */
TEST(test_every_length) {
  static uint8_t digests[300 * WS_SHA1_SIZE];
  for (size_t len = 0; len < 300; len++)
    ws_sha1(counted(len), len, digests + len * WS_SHA1_SIZE);
  check_digest(digests, sizeof digests,
               "6b60569190829fc0ca5f8b2961e86b7dbcb0b3af");
}

int main(void) {
  RUN(test_published_digests);
  RUN(test_a_million_letters);
  RUN(test_accept_key_of_the_rfc);
  RUN(test_lengths_around_a_block);
  RUN(test_every_length);
  return check_done();
}
