/* SPDX-License-Identifier: MIT */
/* The grammar of Sec-WebSocket-Extensions (S61, S170, R15, R45,
 * R50, R51, X15; A4, A26), at guarded pages. */
#include "dear_text.h"

#include "bytes/status.h"
#include "protocol/extension.h"

/* Spells each extension as "name(param,param=value)", one after the other, and
 * "!" where the grammar is broken. */
static const char *spell(const char *value, bool lax) {
  static char out[256];
  size_t len = strlen(value), used = 0;
  char *copy = (char *)check_guarded(len);
  memcpy(copy, value, len);
  ws_extension_reader reader;
  ws_slice name;
  int more;
  ws_extension_start(&reader, (ws_slice){copy, len}, lax);
  while ((more = ws_extension_next(&reader, &name)) > 0) {
    ws_extension_param param;
    used += (size_t)sprintf(out + used, "%.*s(", (int)name.len, name.data);
    while ((more = ws_extension_next_param(&reader, &param)) > 0) {
      used += (size_t)sprintf(out + used, "%.*s", (int)param.name.len,
                              param.name.data);
      if (param.has_value)
        used += (size_t)sprintf(out + used, "=%.*s", (int)param.value.len,
                                param.value.len ? param.value.data : "");
      out[used++] = ' ';
    }
    out[used++] = ')';
    if (more < 0) break;
  }
  if (more < 0) out[used++] = '!';
  out[used] = '\0';
  return out;
}

static int verdict(const char *value, bool lax) {
  ws_extension_reader reader;
  ws_slice name;
  int more;
  ws_extension_start(&reader, ws_slice_of(value), lax);
  while ((more = ws_extension_next(&reader, &name)) > 0) continue;
  return more;
}

TEST(good_lists_read_the_same_on_both_sides) {
  static const struct {
    const char *value, *spelt;
  } rows[] = {
      {"a", "a()"},
      {"a, b", "a()b()"},
      {"a;b", "a(b )"},
      {"a;b;c=d;e=\"f\", g ; h = i ", "a(b c=d e=f )g(h=i )"},
      {"a\t;\tb\t=\t\"c\"\t,\td", "a(b=c )d()"}, /* S170 */
      {"a;b=\"\\c\\c\\c\"", "a(b=\\c\\c\\c )"},
      {"a,a", "a()a()"},
      {"!#$%&'*+-.^_`|~0Z", "!#$%&'*+-.^_`|~0Z()"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
    for (int lax = 0; lax < 2; lax++) {
      CHECK(strcmp(spell(rows[i].value, lax), rows[i].spelt) == 0);
      CHECK_INT(verdict(rows[i].value, lax), 0);
    }
}

/* X15: the server skips empty items, the client does not accept them. */
TEST(x15_empty_items) {
  static const char *const rows[] = {"", " ", ",", ",a", "a,", "a,,b", "a, ",
                                     "a,\t,b", ",,,,"};
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    CHECK_INT(verdict(rows[i], false), WS_EHTTP);
    CHECK_INT(verdict(rows[i], true), 0);
  }
  CHECK(strcmp(spell(", ,a ,\t, b;c,,", true), "a()b(c )") == 0);
}

/* S61, R51 */
TEST(broken_grammar) {
  static const char *const rows[] = {
      "a;",         "a;;",         ";",          ";a",        "a;;b",
      "a b",        "a;b c",       "a;b=",       "a;=b",      "a;b=c d",
      "a;b=\"",     "a;b=\"c",     "a;b=\"c\\",  "a;b=\"c\\\"", "a;b=\"c d\"",
      "a;b=\"c\"d", "a;b=\"\\ \"", "a;b=c\"d\"", "a=b",       "\"a\"",
      "a;\"b\"",    "a;b=c=d",     "a/b",        "a;b=,c",    "a;b=\x80",
      "a;,b",       "a;b=\"c,d\"", "(a)",        "a;b=@"};
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    CHECK_INT(verdict(rows[i], false), WS_EHTTP);
    CHECK_INT(verdict(rows[i], true), WS_EHTTP);
    const char *spelt = spell(rows[i], true);
    CHECK(spelt[strlen(spelt) - 1] == '!');
  }
}

/* R45: the offer is declined, but the handshake is not refused. */
TEST(r45_empty_quoted_value) {
  CHECK_INT(verdict("a;b=\"\"", true), 0);
  CHECK_INT(verdict("a;b=\"\"", false), WS_EHTTP);
  CHECK(strcmp(spell("a;b=\"\";c", true), "a(b= c )") == 0);
}

/* S169, R42, R50, A26 */
TEST(numbers) {
  static const struct {
    const char *value;
    int number;
  } rows[] = {
      {"8", 8},       {"15", 15},   {"0", 0},     {"9999", 9999},
      {"\"10\"", 10}, {"\"1\\0\"", 10}, {"08", -1}, {"010", -1},
      {"00", -1},     {"10000", -1}, {"+9", -1},  {"-1", -1},
      {"9.0", -1},    {"abc", -1},  {"1a", -1},   {"\"\"", -1},
      {"'10'", -1},   {"99999999999999999999", -1},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    char text[64];
    ws_extension_reader reader;
    ws_extension_param param;
    ws_slice name;
    sprintf(text, "a;b=%s", rows[i].value);
    ws_extension_start(&reader, ws_slice_of(text), true);
    CHECK_INT(ws_extension_next(&reader, &name), 1);
    CHECK_INT(ws_extension_next_param(&reader, &param), 1);
    CHECK_INT(ws_extension_number(&param), rows[i].number);
  }
  ws_extension_param bare = {{"b", 1}, {NULL, 0}, false};
  CHECK_INT(ws_extension_number(&bare), -1);
}

static void read_list(const char *text, size_t len) {
  (void)len;
  CHECK(verdict(text, true) <= 0);
}

/* A4 */
TEST(time_is_linear) {
  static const char *const pieces[] = {",", ";", "\\c", ";b", ",a", " ", "\"",
                                       "a", "a;b=\"c\","};
  for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
    dear_is_cheap((dear_text){"a", pieces[i], "", read_list});
    dear_is_cheap((dear_text){"a;b=\"", pieces[i], "", read_list});
  }
}

int main(void) {
  RUN(good_lists_read_the_same_on_both_sides);
  RUN(x15_empty_items);
  RUN(broken_grammar);
  RUN(r45_empty_quoted_value);
  RUN(numbers);
  RUN(time_is_linear);
  return check_done();
}
