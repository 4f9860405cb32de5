/* SPDX-License-Identifier: MIT */
/* Slices, each of which ends at a guarded page. */
#include "bytes/slice.h"

#include "check.h"

/* A copy that ends at a guarded page; valid until the next on its side. */
static ws_slice guarded(unsigned side, const void *bytes, size_t len) {
  static char *ends[2];
  if (!ends[side]) ends[side] = (char *)check_guarded(1024) + 1024;
  if (len) memcpy(ends[side] - len, bytes, len);
  return (ws_slice){ends[side] - len, len};
}

static ws_slice text(const char *string) {
  return guarded(0, string, strlen(string));
}

static bool is(ws_slice slice, const char *expected) {
  return slice.len == strlen(expected) &&
         (slice.len == 0 || memcmp(slice.data, expected, slice.len) == 0);
}

TEST(test_of_a_string) {
  const char *string = "four";
  CHECK(ws_slice_of(string).data == string);
  CHECK_INT(ws_slice_of(string).len, 4);
  CHECK_INT(ws_slice_of("").len, 0);
  CHECK_INT(ws_slice_of(NULL).len, 0);
  CHECK(ws_slice_of(NULL).data == NULL);
}

TEST(test_equal) {
  static const ws_slice none = {NULL, 0};
  CHECK(ws_slice_equal(none, none));
  CHECK(ws_slice_equal(none, text("")));
  CHECK(ws_slice_equal_nocase(none, text("")));
  CHECK(!ws_slice_equal(none, text("a")));
  CHECK(ws_slice_equal(text("a\0b"), guarded(1, "a", 1)));
  CHECK(!ws_slice_equal(guarded(0, "a\0b", 3), guarded(1, "a\0c", 3)));
  CHECK(!ws_slice_equal(text("ab"), guarded(1, "abc", 3)));
  CHECK(!ws_slice_equal(text("abc"), guarded(1, "ab", 2)));
  CHECK(!ws_slice_equal(text("abc"), guarded(1, "abC", 3)));
}

/* Every pair of bytes: only the 26 ASCII letters have two cases. The Kelvin
 * sign and other letters of more than one byte do not count. */
TEST(test_equal_without_case_of_every_pair) {
  unsigned wrong = 0, alike = 0;
  for (unsigned a = 0; a < 256; a++)
    for (unsigned b = 0; b < 256; b++) {
      uint8_t x = (uint8_t)a, y = (uint8_t)b;
      bool letters = ((a | 32) >= 'a' && (a | 32) <= 'z');
      bool expected = a == b || (letters && (a ^ b) == 32);
      ws_slice left = guarded(0, &x, 1), right = guarded(1, &y, 1);
      wrong += ws_slice_equal_nocase(left, right) != expected;
      wrong += ws_slice_equal(left, right) != (a == b);
      alike += expected;
    }
  CHECK_INT(wrong, 0);
  CHECK_INT(alike, 256 + 52);
  CHECK(ws_slice_equal_nocase(text("Sec-WebSocket-KEY"),
                              guarded(1, "sec-websocket-key", 17)));
  CHECK(!ws_slice_equal_nocase(text("Upgrade"), guarded(1, "upgrade ", 8)));
}

/* Test vectors published by the hash's authors. */
TEST(test_hash) {
  CHECK_INT(ws_slice_hash((ws_slice){NULL, 0}), 0x811c9dc5u);
  CHECK_INT(ws_slice_hash(ws_slice_of("a")), 0xe40c292cu);
  CHECK_INT(ws_slice_hash(ws_slice_of("foobar")), 0xbf9cf968u);
}

/* S63: spaces and tabs, and nothing else. */
TEST(test_trim) {
  CHECK(is(ws_slice_trim(text("")), ""));
  CHECK(is(ws_slice_trim(text(" \t \t")), ""));
  CHECK(is(ws_slice_trim(text("a")), "a"));
  CHECK(is(ws_slice_trim(text("  \tVALUE \t")), "VALUE"));
  CHECK(is(ws_slice_trim(text("a b\tc ")), "a b\tc"));
  CHECK(is(ws_slice_trim(text("\r\n a \v\f")), "\r\n a \v\f"));
  CHECK(is(ws_slice_trim(text("\xa0" "a\xa0")), "\xa0" "a\xa0"));
  CHECK_INT(ws_slice_trim(guarded(0, " \0 ", 3)).len, 1);
  CHECK_INT(ws_slice_trim((ws_slice){NULL, 0}).len, 0);
}

/* Every byte, alone and at both ends of a text. */
TEST(test_token) {
  static const char others[] = "!#$%&'*+-.^_`|~";
  unsigned wrong = 0, good = 0;
  for (unsigned c = 0; c < 256; c++) {
    bool letter = (c | 32) >= 'a' && (c | 32) <= 'z' && c < 128;
    bool expected = letter || (c >= '0' && c <= '9') ||
                    memchr(others, (int)c, sizeof others - 1) != NULL;
    uint8_t first[3] = {(uint8_t)c, 'a', 'b'};
    uint8_t last[3] = {'a', 'b', (uint8_t)c};
    wrong += ws_slice_is_token(guarded(0, last + 2, 1)) != expected;
    wrong += ws_slice_is_token(guarded(0, first, 3)) != expected;
    wrong += ws_slice_is_token(guarded(0, last, 3)) != expected;
    good += expected;
  }
  CHECK_INT(wrong, 0);
  CHECK_INT(good, 77);
  CHECK(!ws_slice_is_token(text("")));
  CHECK(!ws_slice_is_token((ws_slice){NULL, 0}));
}

/* The list's items joined by bars, as the cases below are written. */
static const char *items(const char *list) {
  static char joined[256];
  size_t at = 0;
  ws_slice rest = text(list), item;
  while (ws_slice_next_item(&rest, &item)) {
    if (at + item.len + 2 > sizeof joined) return "too long";
    memcpy(joined + at, item.data, item.len);
    at += item.len;
    joined[at++] = '|';
  }
  joined[at] = '\0';
  return joined;
}

TEST(test_items) {
  static const char *const cases[][2] = {
      {"", "|"},
      {"a", "a|"},
      {"a,b", "a|b|"},
      {" a \t,\t b ", "a|b|"},
      {"a,,b", "a||b|"},
      {",", "||"},
      {"a,", "a||"},
      {",a", "|a|"},
      {" , ,", "|||"},
      {"a b,c", "a b|c|"},
      {"x; y=\"1,2\", z", "x; y=\"1,2\"|z|"},
      {"\"a\\\",b\",c", "\"a\\\",b\"|c|"},
      {"\"a\\\\\",b", "\"a\\\\\"|b|"},
      {"a\\,b", "a\\|b|"}, /* outside quotes, "\" has no meaning */
      {"\"open, to the end", "\"open, to the end|"},
      {"\"open, \\", "\"open, \\|"},
      {"\"open\\\"", "\"open\\\"|"},
      {"\"\",\"\"", "\"\"|\"\"|"},
      {"a\"b,c\"d,e", "a\"b,c\"d|e|"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (!CHECK(strcmp(items(cases[i][0]), cases[i][1]) == 0))
      fprintf(stderr, "  [%s] gives [%s]\n", cases[i][0],
              items(cases[i][0]));
}

TEST(test_no_list_has_no_items) {
  ws_slice list = {NULL, 0}, item = text("kept");
  CHECK(!ws_slice_next_item(&list, &item));
  CHECK(!ws_slice_next_item(&list, &item));
  list = text("one");
  CHECK(ws_slice_next_item(&list, &item));
  CHECK(!ws_slice_next_item(&list, &item));
  CHECK(!ws_slice_next_item(&list, &item));
}

/* Wherever the list is cut, reading stays inside its bytes and ends. */
TEST(test_items_at_every_cut) {
  static const char whole[] = "a;b=\"c,\\\"d\" , ,e\\, \"f";
  for (size_t cut = 0; cut < sizeof whole; cut++) {
    ws_slice rest = guarded(0, whole, cut), item;
    const char *from = rest.data, *end = rest.data + rest.len;
    unsigned count = 0;
    while (ws_slice_next_item(&rest, &item)) {
      CHECK(item.data >= from && item.data + item.len <= end);
      from = item.data + item.len;
      if (!CHECK(++count <= cut + 1)) return;
    }
  }
}

TEST(test_hexadecimal_digits) {
  static const char digits[] = "0123456789abcdefABCDEF";
  for (int c = -128; c < 256; c++) {
    const char *at = c ? strchr(digits, (char)c) : NULL;
    long value = at ? at - digits : -1;
    CHECK_INT(ws_slice_hex((char)c), value > 15 ? value - 6 : value);
  }
}

int main(void) {
  RUN(test_of_a_string);
  RUN(test_equal);
  RUN(test_equal_without_case_of_every_pair);
  RUN(test_hash);
  RUN(test_trim);
  RUN(test_token);
  RUN(test_hexadecimal_digits);
  RUN(test_items);
  RUN(test_no_list_has_no_items);
  RUN(test_items_at_every_cut);
  return check_done();
}
