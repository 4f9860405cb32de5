/* SPDX-License-Identifier: MIT */
/* A78: bytes from a peer cannot break a log. */
#include "protocol/excerpt.h"

#include "wire.h"

static ws_buffer text;
static char shown[400];

static void excerpt(const void *bytes, size_t len) {
  ws_buffer_init_fixed(&text, shown, sizeof shown);
  ws_excerpt_append(&text, wire_piece(bytes, len), len);
}

TEST(test_plain_text_stays) {
  excerpt("no such page", 12);
  CHECK_BYTES(text.data, text.len, "no such page");
  excerpt("", 0);
  CHECK_INT(text.len, 0);
}

TEST(test_escapes) {
  excerpt("a\r\nb\t\\\0\x1b[2J\x7f\xc2\x9b", 14);
  CHECK_BYTES(text.data, text.len,
              "a\\r\\nb\\t\\\\\\x00\\x1b[2J\\x7f\\xc2\\x9b");
}

/* Every byte becomes printable ASCII, and different bytes stay different. */
TEST(test_every_byte) {
  char seen[256][5] = {{0}};
  for (unsigned i = 0; i < 256; i++) {
    uint8_t byte = (uint8_t)i;
    excerpt(&byte, 1);
    CHECK(text.len >= 1 && text.len <= 4);
    memcpy(seen[i], text.data, text.len);
    for (size_t n = 0; n < text.len; n++)
      CHECK(text.data[n] >= ' ' && text.data[n] < 127);
    for (unsigned other = 0; other < i; other++)
      if (strcmp(seen[i], seen[other]) == 0)
        CHECK_INT(i, other);
  }
}

TEST(test_is_cut) {
  uint8_t many[500];
  for (unsigned byte = 0; byte < 256; byte++)
    for (size_t len = 100; len < 140; len += 1) {
      memset(many, (int)byte, sizeof many);
      excerpt(many, len);
      CHECK(text.len <= WS_EXCERPT_MAX);
    }
  memset(many, 'x', sizeof many);
  excerpt(many, 125);
  CHECK(text.len == 125 && text.data[124] == 'x');
  excerpt(many, 126);
  CHECK_BYTES(text.data + 124, text.len - 124, "x...");
}

TEST(test_text_without_room) {
  ws_buffer_init_fixed(&text, shown, 3);
  ws_excerpt_append(&text, "abcdef", 6);
  CHECK_BYTES(text.data, text.len, "abc");
}

int main(void) {
  RUN(test_plain_text_stays);
  RUN(test_escapes);
  RUN(test_every_byte);
  RUN(test_is_cut);
  RUN(test_text_without_room);
  return check_done();
}
