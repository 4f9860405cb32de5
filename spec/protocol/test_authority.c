/* SPDX-License-Identifier: MIT */
/* "host[:port]" as allowed in Host (R4, A13). */
#include "check.h"

#include "protocol/authority.h"

static bool split(const char *text, ws_slice *host, long *port) {
  size_t len = strlen(text);
  char *copy = (char *)check_guarded(len);
  memcpy(copy, text, len);
  return ws_authority_split((ws_slice){copy, len}, host, port);
}

TEST(r4_good_hosts) {
  static const struct {
    const char *text, *host;
    long port;
  } rows[] = {
      {"h", "h", -1},
      {"H.example.:81", "H.example.", 81},
      {"127.0.0.1:0", "127.0.0.1", 0},
      {"h:65535", "h", 65535},
      {"h:0080", "h", 80},
      {"[::1]", "[::1]", -1},
      {"[2001:DB8::1.2.3.4]:81", "[2001:DB8::1.2.3.4]", 81},
      {"a_b-c.~!$&'()*+,;=%4a", "a_b-c.~!$&'()*+,;=%4a", -1},
      {"%99%AF%af%00", "%99%AF%af%00", -1},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    ws_slice host;
    long port;
    CHECK(split(rows[i].text, &host, &port));
    CHECK(ws_slice_equal(host, ws_slice_of(rows[i].host)));
    CHECK_INT(port, rows[i].port);
  }
}

TEST(r4_bad_hosts) {
  static const char *const rows[] = {
      "",        " ",       "a b",      ":80",     ":99999",  "h:99999",
      "h:65536", "h:",      "h:8a",     "h:-1",    "h:+1",    "h:80:80",
      "h: 80",   "[::1",    "[::1]x",   "[::1]:",  "[::1]80", "[]",
      "[:]",     "[1.2]",   "[fe80::1%25eth0]",    "[v1.a]",  "::1",
      "u@h",     "h/",      "h?",       "h#",      "h\\",     "<h>",
      "h%",      "h%4",     "h%g4",     "\xc3\xa9", "h\"",    "h]",
      "a,b c", "h%4g",  "h%zz",   "h\t",     "h:18446744073709551696"};
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    ws_slice host;
    long port;
    if (!CHECK(!split(rows[i], &host, &port)))
      fprintf(stderr, "  taken: %s\n", rows[i]);
  }
}

TEST(r4_every_byte) {
  for (int byte = 0; byte < 256; byte++) {
    char text[] = {'a', (char)byte, 'b'};
    ws_slice host;
    long port;
    bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
    bool other = byte != 0 && strchr("0123456789-._~!$&'()*+,;=", byte);
    CHECK_INT(ws_authority_split((ws_slice){text, 3}, &host, &port),
              letter || other);
  }
}

int main(void) {
  RUN(r4_good_hosts);
  RUN(r4_bad_hosts);
  RUN(r4_every_byte);
  return check_done();
}
