/* SPDX-License-Identifier: MIT */
/* Socket addresses: literals, zones, paths, and back to text. */
#include "transport/address.h"

#include "bytes/status.h"
#include "check.h"

#include <net/if.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

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
  CHECK(parses("fe80::1%4000000000", "fe80::1%4000000000", 6));
  CHECK(parses("fe80::1%4294967295", "fe80::1%4294967295", 6));
  CHECK(parses("fe80::1%0", "fe80::1", 6)); /* RFC 4007 section 11.2: none */
}

/* The interfaces of this machine, by name. */
TEST(zones_by_name) {
  struct if_nameindex *all = if_nameindex();
  CHECK(all && all->if_index != 0);
  for (struct if_nameindex *one = all; one && one->if_index; one++) {
    char text[80], expected[80];
    snprintf(text, sizeof text, "fe80::1%%%s", one->if_name);
    snprintf(expected, sizeof expected, "fe80::1%%%u", one->if_index);
    CHECK(parses(text, expected, 6));
  }
  if_freenameindex(all);
}

TEST(no_zones) {
  static const char *const texts[] = {
      "fe80::1% 1",  "fe80::1%+1",  "fe80::1%-1",        "fe80::1%1x",
      "fe80::1%1 ",  "fe80::1%%1",  "fe80::1%4294967296", "127.0.0.1%1",
      "fe80::1%-18446744073709551615", "%1",             "fe80::1%1%1"};
  ws_address address;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (!CHECK(!ws_address_parse(&address, ws_slice_of(texts[i]), 1)))
      fprintf(stderr, "  %s\n", texts[i]);
}

TEST(no_literals) {
  static const char *const texts[] = {
      "",         "localhost", "127.0.0",     "127.0.0.1.", "256.1.1.1",
      "[::1]",    ":::",       "fe80::1%",    "fe80::1%no-such-zone",
      "1::2::3",  "fe80::1%99999999999999999999",
      "127.1",    "0x7f.0.0.1", "2130706433", " 127.0.0.1", "127.0.0.1 ",
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
  const size_t room = sizeof ((struct sockaddr_un *)0)->sun_path;
  CHECK_INT(ws_address_unix(&address, (ws_slice){NULL, 0}), WS_EINVAL);
  CHECK_INT(ws_address_unix(&address, (ws_slice){"\0name", 5}), WS_EINVAL);
  CHECK_INT(ws_address_unix(&address, (ws_slice){path, room}), WS_EINVAL);
  CHECK_INT(ws_address_unix(&address, (ws_slice){path, 200}), WS_EINVAL);
  CHECK_INT(ws_address_unix(&address, (ws_slice){path, room - 1}), WS_OK);
  char shown[WS_ADDRESS_TEXT];
  ws_address_text(&address, shown);
  CHECK_INT(strlen(shown), room - 1);
}

/* A peer's path may fill its field without a NUL; Linux then reports a length
 * of one byte more than the struct has. */
TEST(a_path_without_a_nul) {
  ws_address address = {0};
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  const size_t room = sizeof un.sun_path;
  memset(un.sun_path, 'p', room);
  memcpy(address.sockaddr.bytes, &un, sizeof un);
  address.len = sizeof un + 1;
  char *shown = (char *)check_guarded(WS_ADDRESS_TEXT);
  ws_address_text(&address, shown);
  CHECK_INT(strlen(shown), room);
  CHECK_INT(strspn(shown, "p"), room);
}

/* A peer that is bound to no path, or to an abstract name (Linux). */
TEST(a_unix_socket_without_a_path) {
  ws_address address = {0};
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  char shown[WS_ADDRESS_TEXT] = "before";
  memcpy(address.sockaddr.bytes, &un, sizeof un);
  address.len = offsetof(struct sockaddr_un, sun_path);
  ws_address_text(&address, shown);
  CHECK(shown[0] == '\0');
  memcpy(un.sun_path, "\0name", 5);
  memcpy(address.sockaddr.bytes, &un, sizeof un);
  address.len += 5;
  ws_address_text(&address, shown);
  CHECK(shown[0] == '\0');
}

TEST(the_longest_text_fits) {
  char *shown = (char *)check_guarded(WS_ADDRESS_TEXT);
  ws_address address;
  CHECK(ws_address_parse(
      &address, ws_slice_of("1111:2222:3333:4444:5555:6666:7777:8888"
                            "%4294967295"), 65535));
  ws_address_text(&address, shown);
  CHECK(strcmp(shown, "1111:2222:3333:4444:5555:6666:7777:8888"
                      "%4294967295") == 0);
  CHECK_INT(ws_address_port(&address), 65535);
}

TEST(none) {
  ws_address address = {0};
  char shown[WS_ADDRESS_TEXT] = "before";
  ws_address_text(&address, shown);
  CHECK(shown[0] == '\0');
  CHECK_INT(ws_address_family(&address), 0);
  CHECK_INT(ws_address_port(&address), 0);
}

/* An address that was copied field by field has other bytes in its padding. */
TEST(same) {
  ws_address a, b;
  memset(&a, 0, sizeof a);
  memset(&b, 0xff, sizeof b);
  CHECK(ws_address_parse(&a, ws_slice_of("127.0.0.1"), 80));
  b.sockaddr = a.sockaddr;
  b.len = a.len;
  CHECK(ws_address_same(&a, &b));
  CHECK(ws_address_parse(&b, ws_slice_of("127.0.0.1"), 81));
  CHECK(!ws_address_same(&a, &b));
  CHECK(ws_address_parse(&b, ws_slice_of("127.0.0.2"), 80));
  CHECK(!ws_address_same(&a, &b));
  CHECK(ws_address_parse(&b, ws_slice_of("::1"), 80));
  CHECK(!ws_address_same(&a, &b));
}

int main(void) {
  RUN(literals);
  RUN(zones);
  RUN(zones_by_name);
  RUN(no_zones);
  RUN(no_literals);
  RUN(text_ends_at_its_slice);
  RUN(paths);
  RUN(paths_that_cannot_be);
  RUN(a_path_without_a_nul);
  RUN(a_unix_socket_without_a_path);
  RUN(the_longest_text_fits);
  RUN(none);
  RUN(same);
  return check_done();
}
