/* SPDX-License-Identifier: MIT */
/* Socket addresses: literals, zones, paths, and back to text. */
#include "transport/address.h"

#include "bytes/status.h"
#include "check.h"

static bool parses(const char *text, const char *expected, int family) {
  ws_address address;
  char shown[WS_ADDRESS_TEXT];
  if (!ws_address_parse(&address, ws_slice_of(text), 4711)) return false;
  ws_address_text(&address, shown);
  return strcmp(shown, expected) == 0 &&
         ws_address_family(&address) == family &&
         ws_address_port(&address) == 4711;
}

TEST(literals) {
  CHECK(parses("127.0.0.1", "127.0.0.1", 4));
  CHECK(parses("255.255.255.255", "255.255.255.255", 4));
  CHECK(parses("::1", "::1", 6));
  CHECK(parses("0:0:0:0:0:0:0:1", "::1", 6));
  CHECK(parses("2001:DB8::a", "2001:db8::a", 6));
  CHECK(parses("::ffff:192.0.2.1", "::ffff:192.0.2.1", 6));
}

TEST(zones) {
  CHECK(parses("fe80::1%1", "fe80::1%1", 6));
  CHECK(parses("fe80::1%lo", "fe80::1%1", 6));
  CHECK(parses("fe80::1%4000000000", "fe80::1%4000000000", 6));
}

TEST(no_literals) {
  static const char *const texts[] = {
      "",         "localhost", "127.0.0",     "127.0.0.1.", "256.1.1.1",
      "[::1]",    ":::",       "fe80::1%",    "fe80::1%no-such-zone",
      "1::2::3",  "fe80::1%99999999999999999999",
      "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:00001"};
  ws_address address;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    CHECK(!ws_address_parse(&address, ws_slice_of(texts[i]), 1));
  CHECK(!ws_address_parse(&address, (ws_slice){"127.0.0.1\0x", 11}, 1));
}

TEST(text_ends_at_its_slice) {
  ws_address address;
  CHECK(ws_address_parse(&address, (ws_slice){"1.2.3.45", 7}, 1));
  char shown[WS_ADDRESS_TEXT];
  ws_address_text(&address, shown);
  CHECK(strcmp(shown, "1.2.3.4") == 0);
}

TEST(paths) {
  ws_address address;
  char shown[WS_ADDRESS_TEXT];
  CHECK_INT(ws_address_unix(&address, ws_slice_of("/run/x.sock")), WS_OK);
  ws_address_text(&address, shown);
  CHECK(strcmp(shown, "/run/x.sock") == 0);
  CHECK_INT(ws_address_family(&address), 0);
  CHECK_INT(ws_address_port(&address), 0);
}

TEST(paths_that_cannot_be) {
  ws_address address;
  char path[200];
  memset(path, 'p', sizeof path);
  CHECK_INT(ws_address_unix(&address, ws_slice_of("")), WS_EINVAL);
  CHECK_INT(ws_address_unix(&address, (ws_slice){"a\0b", 3}), WS_EINVAL);
  CHECK_INT(ws_address_unix(&address, (ws_slice){path, 108}), WS_EINVAL);
  CHECK_INT(ws_address_unix(&address, (ws_slice){path, 200}), WS_EINVAL);
  CHECK_INT(ws_address_unix(&address, (ws_slice){path, 107}), WS_OK);
  char shown[WS_ADDRESS_TEXT];
  ws_address_text(&address, shown);
  CHECK_INT(strlen(shown), 107);
}

TEST(none) {
  ws_address address = {0};
  char shown[WS_ADDRESS_TEXT] = "before";
  ws_address_text(&address, shown);
  CHECK(shown[0] == '\0');
  CHECK_INT(ws_address_family(&address), 0);
}

int main(void) {
  RUN(literals);
  RUN(zones);
  RUN(no_literals);
  RUN(text_ends_at_its_slice);
  RUN(paths);
  RUN(paths_that_cannot_be);
  RUN(none);
  return check_done();
}
