/* SPDX-License-Identifier: MIT */
/* URLs: parsed as by the URL Standard, rule by rule (S3 to S22), at guarded
 * pages and with failing memory. */
#include "dear_text.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "protocol/url.h"
#include "protocol/url_host.h"

/* Parses a copy that ends at a guarded page. */
static int parse(ws_url *url, const char *input, size_t len,
                 const char **why) {
  char *copy = (char *)check_guarded(len);
  memcpy(copy, input, len);
  return ws_url_parse(url, (ws_slice){copy, len}, ws_memory_resize, why);
}

static bool same(ws_slice slice, const char *text) {
  return ws_slice_equal(slice, ws_slice_of(text));
}

static ws_slice whole(const ws_url *url) {
  return (ws_slice){(const char *)url->text.data, url->text.len};
}

/* The input is normalised to the expected URL, and that one to itself. */
static void becomes(const char *input, size_t len, const char *expected) {
  ws_url url;
  const char *why = NULL;
  int status = parse(&url, input, len, &why);
  bool good = status == WS_OK && same(whole(&url), expected);
  if (!CHECK(good)) {
    fprintf(stderr, "  %s: %s\n", input, why ? why : "");
    if (status == WS_OK) check_show("got", url.text.data, url.text.len);
  }
  if (status != WS_OK) return;
  ws_url again;
  CHECK_INT(ws_url_parse(&again, whole(&url), ws_memory_resize, &why), WS_OK);
  CHECK(same(whole(&again), expected));
  CHECK(ws_slice_equal(again.target, url.target));
  ws_url_deinit(&again);
  ws_url_deinit(&url);
}

static void fails(const char *input, size_t len) {
  ws_url url;
  const char *why = NULL;
  int status = parse(&url, input, len, &why);
  if (!CHECK(status == WS_EURL && why != NULL))
    fprintf(stderr, "  accepted: %s\n", input);
  if (status == WS_OK) ws_url_deinit(&url);
}

#define BECOMES(input, expected) becomes(input, sizeof(input) - 1, expected)
#define FAILS(input) fails(input, sizeof(input) - 1)

static int failure(const char *input, const char **why) {
  ws_url url;
  int status = parse(&url, input, strlen(input), why);
  if (status == WS_OK) ws_url_deinit(&url);
  return status;
}

TEST(s3_relative_and_broken_ones_are_errors) {
  FAILS("");
  FAILS(" ");
  FAILS("test");
  FAILS("?");
  FAILS("/x");
  FAILS("//h/x");
  FAILS("#t");
  FAILS("ws");
  FAILS("ws:");
  FAILS("ws:/");
  FAILS("ws://");
  FAILS("://h/");
  FAILS("1ws://h/");
  FAILS("w s://h/");
  FAILS("ws ://h/");
  FAILS("ws://a b/");
}

TEST(s4_http_becomes_ws) {
  BECOMES("http://h/a", "ws://h/a");
  BECOMES("https://h/a", "wss://h/a");
  BECOMES("http://h:80/", "ws://h/");
  BECOMES("https://h:443/", "wss://h/");
  BECOMES("http://h:443/", "ws://h:443/");
  BECOMES("HTTPS://h", "wss://h/");
}

TEST(s5_other_schemes_are_refused) {
  FAILS("ftp://h/");
  FAILS("mailto:a@b");
  FAILS("about:blank");
  FAILS("file:///x");
  FAILS("data:,x");
  FAILS("blob:http://h/x");
  FAILS("wsss://h/");
  FAILS("w://h/");
  FAILS("ws+x://h/");
}

TEST(s6_fragments_are_refused) {
  FAILS("ws://h/#");
  FAILS("ws://h/#x");
  FAILS("ws://h#");
  FAILS("ws://h?#");
  FAILS("ws://u#@h/");
  BECOMES("ws://h/%23", "ws://h/%23");
}

TEST(s8_url_then_scheme_then_fragment) {
  const char *url_why, *scheme_why, *fragment_why, *why;
  failure("ws://a b/", &url_why);
  failure("ftp://h/", &scheme_why);
  failure("ws://h/#x", &fragment_why);
  failure("ws://a b/#x", &why);
  CHECK(why == url_why);
  failure("ftp://h/#x", &why);
  CHECK(why == scheme_why);
  CHECK(fragment_why != url_why && fragment_why != scheme_why);
  failure("ws://h:80#x", &why);
  CHECK(why == fragment_why);
  /* The characters that a scheme may have. */
  failure("azAZ09+-.:x", &why);
  CHECK(why == scheme_why);
  failure("x:y", &why);
  CHECK(why == scheme_why);
  static const char *const none[] = {":", "x", "9a:", "+a:", "a_b:", "a/b:",
                                     "a\x80:", "@a:", "[a:", "`:", "{:", "a,:"};
  for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++) {
    CHECK_INT(failure(none[i], &why), WS_EURL);
    CHECK(why != scheme_why && why != url_why);
  }
}

TEST(s10_scheme_and_host_are_lowered) {
  BECOMES("WS://EXAMPLE.com/A", "ws://example.com/A");
  BECOMES("wSs://H/", "wss://h/");
  BECOMES("ws://%45xample.com/", "ws://example.com/");
  BECOMES("ws://ex%61mple.%63om", "ws://example.com/");
  BECOMES("ws://%4F%4f%59", "ws://ooy/");
  BECOMES("ws://XN--rss835b.example/", "ws://xn--rss835b.example/");
  BECOMES("ws://a_b.c-d.~e!f$g&'()*+,;=h/", "ws://a_b.c-d.~e!f$g&'()*+,;=h/");
  BECOMES("ws://\"`{}/", "ws://\"`{}/");
  BECOMES("ws://h./", "ws://h./");
  BECOMES("ws://h../", "ws://h../");
  BECOMES("ws://.h/", "ws://.h/");
}

TEST(s10_hosts_that_are_not_ascii_are_refused) {
  FAILS("ws://\xe5\xa4\xa9\xe6\xb0\x97.example/");
  FAILS("ws://\xc3\xa9/");
  FAILS("ws://%C3%A9/");
  FAILS("ws://\xff/");
  FAILS("ws://\x80/");
  FAILS("ws://%ad/");
}

TEST(s11_default_ports_disappear) {
  BECOMES("ws://h:80/", "ws://h/");
  BECOMES("wss://h:443/", "wss://h/");
  BECOMES("ws://h:443/", "ws://h:443/");
  BECOMES("wss://h:80/", "wss://h:80/");
  BECOMES("ws://h:/", "ws://h/");
  BECOMES("ws://h:", "ws://h/");
  BECOMES("ws://h:0080/", "ws://h/");
  BECOMES("ws://h:0000000000000000000000081/", "ws://h:81/");
  BECOMES("ws://h:8\t1/", "ws://h:81/");
  BECOMES("ws://[::1]:81/", "ws://[::1]:81/");
  BECOMES("ws://h:1?x", "ws://h:1/?x");
  BECOMES("ws://h:10\\x", "ws://h:10/x");
  BECOMES("ws://h:1000/", "ws://h:1000/");
}

TEST(s12_ports_are_numbers_up_to_65535) {
  BECOMES("ws://h:65535/", "ws://h:65535/");
  BECOMES("ws://h:0/", "ws://h:0/");
  FAILS("ws://h:65536/");
  FAILS("ws://h:4294967376/");
  FAILS("ws://h:99999999999999999999999/");
  FAILS("ws://h:8a/");
  FAILS("ws://h:8080x/");
  FAILS("ws://h:+80/");
  FAILS("ws://h:-1/");
  FAILS("ws://h: 80/");
  FAILS("ws://h:80 /");
  FAILS("ws://h:80:80/");
  FAILS("ws://h:1:1/");
  FAILS("ws://h:%38/");
}

TEST(s13_slashes_after_the_scheme_do_not_count) {
  BECOMES("ws:h/x", "ws://h/x");
  BECOMES("ws:/h/x", "ws://h/x");
  BECOMES("ws:///h/x", "ws://h/x");
  BECOMES("ws:////////h/x", "ws://h/x");
  BECOMES("ws:\\\\h\\x", "ws://h/x");
  BECOMES("ws:/\\/h\\x/y", "ws://h/x/y");
  BECOMES("ws://h\\x", "ws://h/x");
  BECOMES("ws://u\\@h/", "ws://u/@h/");
}

TEST(s14_dot_segments_resolve) {
  BECOMES("ws://h", "ws://h/");
  BECOMES("ws://h?x", "ws://h/?x");
  BECOMES("ws://h/a/../b/./c", "ws://h/b/c");
  BECOMES("ws://h/a/%2e%2e/b/%2E/c", "ws://h/b/c");
  BECOMES("ws://h/a/.%2e/b/%2e./c", "ws://h/c");
  BECOMES("ws://h/..", "ws://h/");
  BECOMES("ws://h/../../x", "ws://h/x");
  BECOMES("ws://h/a/..", "ws://h/");
  BECOMES("ws://h/a/b/..", "ws://h/a/");
  BECOMES("ws://h/a/b/../", "ws://h/a/");
  BECOMES("ws://h/a/.", "ws://h/a/");
  BECOMES("ws://h/a/./", "ws://h/a/");
  BECOMES("ws://h/a//../b", "ws://h/a/b");
  BECOMES("ws://h/a\\..\\b", "ws://h/b");
  BECOMES("ws://h//x//", "ws://h//x//");
  BECOMES("ws://h/...", "ws://h/...");
  BECOMES("ws://h/.../..x/.y/%2", "ws://h/.../..x/.y/%2");
  BECOMES("ws://h/..?a/../b", "ws://h/?a/../b");
  BECOMES("ws://h/%2e%2e%2e/", "ws://h/%2e%2e%2e/");
}

TEST(s15_controls_and_spaces) {
  BECOMES(" ws://h/ ", "ws://h/");
  BECOMES("\0\1\x1f ws://h/x\r\n\0", "ws://h/x");
  BECOMES("ws://h/!", "ws://h/!");
  FAILS("!ws://h/");
  BECOMES("w\ns\t:\r//h\t/a\nb?c\rd", "ws://h/ab?cd");
  BECOMES("ws://h/?x\0y\0z", "ws://h/?x%00y%00z");
  BECOMES("ws://h/a\0b", "ws://h/a%00b");
  BECOMES("ws://h/.\t./x", "ws://h/x");
  FAILS("ws://a\0b/");
  FAILS("ws://a\x01/");
  FAILS("ws://a%00/");
  FAILS("ws://a%09b/");
  FAILS("ws://a%7f/");
  FAILS("ws://a\x7f/");
}

TEST(s16_path_and_query_are_escaped) {
  BECOMES("ws://h/ \"<>`{}^", "ws://h/%20%22%3C%3E%60%7B%7D%5E");
  BECOMES("ws://h/?a \"<>'", "ws://h/?a%20%22%3C%3E%27");
  BECOMES("ws://h/'|[]%zz%41%", "ws://h/'|[]%zz%41%");
  BECOMES("ws://h/?`{}^|[]%zz%41\\?/", "ws://h/?`{}^|[]%zz%41\\?/");
  BECOMES("ws://h/\x01\x1f\x7f", "ws://h/%01%1F%7F");
  BECOMES("ws://h/?\x01\x1f\x7f.", "ws://h/?%01%1F%7F.");
  BECOMES("ws://h/\xe5\xa4\xa9?\xc3\xa9", "ws://h/%E5%A4%A9?%C3%A9");
  BECOMES("ws://h/~!$&()*+,-.:;=@_", "ws://h/~!$&()*+,-.:;=@_");
}

TEST(s17_user_info_is_kept_and_not_in_host) {
  ws_url url;
  const char *why;
  CHECK_INT(parse(&url, "ws://u:p@h:81/x", 15, &why), WS_OK);
  CHECK(same(whole(&url), "ws://u:p@h:81/x"));
  CHECK(same(url.username, "u"));
  CHECK(same(url.password, "p"));
  CHECK(same(url.authority, "h:81"));
  ws_url_deinit(&url);
  BECOMES("ws://u@h/", "ws://u@h/");
  BECOMES("ws://u:@h/", "ws://u@h/");
  BECOMES("ws://:p@h/", "ws://:p@h/");
  BECOMES("ws://@h/", "ws://h/");
  BECOMES("ws://:@h/", "ws://h/");
  BECOMES("ws://a@b@h/", "ws://a%40b@h/");
  BECOMES("ws://a:b:c@h/", "ws://a:b%3Ac@h/");
  BECOMES("ws://a;=[]^|b:;=[]^|@h/", "ws://a%3B%3D%5B%5D%5E%7Cb:"
                                     "%3B%3D%5B%5D%5E%7C@h/");
  BECOMES("ws://\xc3\xa9 '%41@h/", "ws://%C3%A9%20'%41@h/");
  FAILS("ws://u@/h/");
}

TEST(s18_ipv4_in_all_its_spellings) {
  BECOMES("ws://127.1/", "ws://127.0.0.1/");
  BECOMES("ws://0x7f.1/", "ws://127.0.0.1/");
  BECOMES("ws://0X7F.0.0.01/", "ws://127.0.0.1/");
  BECOMES("ws://017700000001/", "ws://127.0.0.1/");
  BECOMES("ws://2130706433/", "ws://127.0.0.1/");
  BECOMES("ws://1.2.3/", "ws://1.2.0.3/");
  BECOMES("ws://1.65535/", "ws://1.0.255.255/");
  BECOMES("ws://1.16777215/", "ws://1.255.255.255/");
  BECOMES("ws://4294967295/", "ws://255.255.255.255/");
  BECOMES("ws://0/", "ws://0.0.0.0/");
  BECOMES("ws://100.10.199.9/", "ws://100.10.199.9/");
  BECOMES("ws://0x/", "ws://0.0.0.0/");
  BECOMES("ws://1.2.3.4./", "ws://1.2.3.4/");
  BECOMES("ws://%31.2.3.4/", "ws://1.2.3.4/");
  BECOMES("ws://0000000000000000000000000.1/", "ws://0.0.0.1/");
  BECOMES("ws://1.2.3.4../", "ws://1.2.3.4../");
  BECOMES("ws://1.2.3.a/", "ws://1.2.3.a/");
  BECOMES("ws://1.2.3.0xg/", "ws://1.2.3.0xg/");
  BECOMES("ws://1.2.3.4-5/", "ws://1.2.3.4-5/");
  FAILS("ws://256.256.256.256/");
  FAILS("ws://1.2.3.256/");
  FAILS("ws://1.2.65536/");
  FAILS("ws://1.16777216/");
  FAILS("ws://4294967296/");
  FAILS("ws://42949672950/");
  FAILS("ws://18446744073709551616/");
  FAILS("ws://0x1ffffffffffffffffffffff/");
  FAILS("ws://1.2.3.4.5/");
  FAILS("ws://1.2.3.4.0/");
  FAILS("ws://1.2.3.4.5.6/");
  FAILS("ws://1..2/");
  FAILS("ws://.1/");
  FAILS("ws://a.1/");
  FAILS("ws://a.0x/");
  FAILS("ws://a.08/");
  FAILS("ws://08/");
  FAILS("ws://1.2.3.09/");
  FAILS("ws://300.1/");
  FAILS("ws://256.1/");
}

TEST(s18_every_byte_of_an_ipv4_address) {
  for (unsigned i = 0; i < 256; i++) {
    char input[40], expected[40];
    size_t len = (size_t)snprintf(input, sizeof(input), "ws://0x%x.%u/", i,
                                  (255 - i) << 8);
    snprintf(expected, sizeof(expected), "ws://%u.0.%u.0/", i, 255 - i);
    becomes(input, len, expected);
  }
}

TEST(s18_ipv6_is_canonicalised) {
  BECOMES("ws://[0:0::1]/", "ws://[::1]/");
  BECOMES("ws://[::]/", "ws://[::]/");
  BECOMES("ws://[0:0:0:0:0:0:0:0]/", "ws://[::]/");
  BECOMES("ws://[1::]/", "ws://[1::]/");
  BECOMES("ws://[::1]", "ws://[::1]/");
  BECOMES("ws://[2001:DB8::ABCD]/", "ws://[2001:db8::abcd]/");
  BECOMES("ws://[0001:0020:0300:4000:5:6:7:8]/",
          "ws://[1:20:300:4000:5:6:7:8]/");
  BECOMES("ws://[1:0:0:2:0:0:0:3]/", "ws://[1:0:0:2::3]/");
  BECOMES("ws://[1:0:0:2:3:0:0:4]/", "ws://[1::2:3:0:0:4]/");
  BECOMES("ws://[1:0:2:0:3:0:4:0]/", "ws://[1:0:2:0:3:0:4:0]/");
  BECOMES("ws://[1:2:3:4:5:6:7::]/", "ws://[1:2:3:4:5:6:7:0]/");
  BECOMES("ws://[::2:3:4:5:6:7:8]/", "ws://[0:2:3:4:5:6:7:8]/");
  BECOMES("ws://[1:2:3:4:5:6:0:0]/", "ws://[1:2:3:4:5:6::]/");
  BECOMES("ws://[::ffff:1.2.3.4]/", "ws://[::ffff:102:304]/");
  BECOMES("ws://[::1.2.3.4]/", "ws://[::102:304]/");
  BECOMES("ws://[F::9.90.0.199]/", "ws://[f::95a:c7]/");
  BECOMES("ws://[1:2:3:4:5:6:255.255.0.1]/", "ws://[1:2:3:4:5:6:ffff:1]/");
  BECOMES("ws://[1::3:1.2.3.4]:99/", "ws://[1::3:102:304]:99/");
}

TEST(s18_bad_ipv6_is_an_error) {
  FAILS("ws://[::1");
  FAILS("ws://[::1/");
  FAILS("ws://[/");
  FAILS("ws://[]/");
  FAILS("ws://[:]/");
  FAILS("ws://[:1]/");
  FAILS("ws://[1:]/");
  FAILS("ws://[1]/");
  FAILS("ws://[:::]/");
  FAILS("ws://[1:::2]/");
  FAILS("ws://[1::2::3]/");
  FAILS("ws://[1:2:3:4:5:6:7]/");
  FAILS("ws://[1:2:3:4:5:6:7:8:9]/");
  FAILS("ws://[1:2:3:4:5:6:7:8::]/");
  FAILS("ws://[::1:2:3:4:5:6:7:8]/");
  FAILS("ws://[12345::]/");
  FAILS("ws://[g::]/");
  FAILS("ws://[::1.2.3]/");
  FAILS("ws://[::1.2.3.4.5]/");
  FAILS("ws://[::1.2.3.4:5]/");
  FAILS("ws://[::1.2.3.256]/");
  FAILS("ws://[::1.2.3.04]/");
  FAILS("ws://[::1..3.4]/");
  FAILS("ws://[::.1.2.3]/");
  FAILS("ws://[::1.2.3.]/");
  FAILS("ws://[1:2:3:4:5:6:7:1.2.3.4]/");
  FAILS("ws://[::2:3:4:5:6:7:1.2.3.4]/");
  FAILS("ws://[::1.2x3.4]/");
  FAILS("ws://[::1a.2.3.4]/");
  FAILS("ws://[::1.2:.3.4]/");
  FAILS("ws://[::1]x/");
  FAILS("ws://x[::1]/");
  FAILS("ws://[::1]]/");
  FAILS("ws://::1/");
  /* The URL Standard does not allow zones. */
  FAILS("ws://[fe80::1%25eth0]/");
  FAILS("ws://[fe80::1%eth0]/");
  FAILS("ws://[%3a:1]/");
}

/* Each ends at a guarded page; what `kind` was before does not matter. */
TEST(hosts_alone) {
  static const struct {
    const char *host, *written; /* NULL: an error */
    int kind;
  } rows[] = {
      {"", NULL, 0},         {"[", NULL, 0},       {"[:", NULL, 0},
      {"[]", NULL, 0},       {"a%4", NULL, 0},     {"A", "a", WS_HOST_NAME},
      {"0x", "0.0.0.0", WS_HOST_IPV4},             {"%3", NULL, 0},
      {"1.2.3.4.", "1.2.3.4", WS_HOST_IPV4},       {".", ".", WS_HOST_NAME},
      {"[::1]", "[::1]", WS_HOST_IPV6},            {"[::1", NULL, 0},
      {"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", WS_HOST_IPV6},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    size_t len = strlen(rows[i].host);
    char *copy = (char *)check_guarded(len), into[64];
    memcpy(copy, rows[i].host, len);
    for (int before = WS_HOST_NAME; before <= WS_HOST_IPV6; before++) {
      ws_host_kind kind = (ws_host_kind)before;
      const char *why = NULL;
      ptrdiff_t used =
          ws_url_host_parse((ws_slice){copy, len}, into, &kind, &why);
      if (rows[i].written == NULL) {
        CHECK(used == WS_EURL && why != NULL);
        continue;
      }
      CHECK_INT(used, strlen(rows[i].written));
      CHECK(memcmp(into, rows[i].written, strlen(rows[i].written)) == 0);
      CHECK_INT(kind, rows[i].kind);
    }
  }
}

TEST(s18_what_is_wrong_with_brackets) {
  const char *open, *malformed, *why;
  failure("ws://[::1/", &open);
  failure("ws://[1]/", &malformed);
  CHECK(open != malformed);
  failure("ws://[/", &why);
  CHECK(why == open);
  failure("ws://[]/", &why);
  CHECK(why == malformed);
}

TEST(the_bytes_of_hosts) {
  static const struct {
    const char *host;
    size_t len;
    const char *bytes;
  } rows[] = {
      {"192.0.2.1", 4, "\xc0\0\2\1"},
      {"::", 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
      {"2001:db8::a1", 16,
       "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\xa1"},
      {"1:2:3:4:5:6:7:8", 16, "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\10"},
      {"1:2:3:4:5:6:7::", 16, "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\0"},
      {"::1.2.3.4", 16, "\0\0\0\0\0\0\0\0\0\0\0\0\1\2\3\4"},
      {"0", 4, "\0\0\0\0"},
      {"0X7F.1", 4, "\177\0\0\1"},
      {"example.com", 0, ""},
      {"1.2.3.com", 0, ""},
      {"1:2:3", 0, ""},
      {"::1.2.3", 0, ""},
      {"::1.2/.3.4", 0, ""},
      {"1.2.3.4..", 0, ""},
      {"1..", 0, ""},
      {":", 0, ""},
      {"", 0, ""},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    uint8_t bytes[16];
    size_t len = strlen(rows[i].host);
    char *copy = (char *)check_guarded(len);
    memcpy(copy, rows[i].host, len);
    CHECK_INT(ws_url_host_bytes((ws_slice){copy, len}, bytes), rows[i].len);
    CHECK(memcmp(bytes, rows[i].bytes, rows[i].len) == 0);
    CHECK_INT(ws_url_host_is_ipv6((ws_slice){copy, len}), rows[i].len == 16);
  }
  CHECK_INT(ws_url_host_bytes((ws_slice){NULL, 0}, NULL), 0);
}

TEST(s19_empty_hosts_and_forbidden_characters) {
  FAILS("ws://:80/");
  FAILS("ws://u@/");
  FAILS("ws://u:p@:80/");
  FAILS("ws://?x");
  static const char forbidden[] = " %<>^|[]";
  for (size_t i = 0; i < sizeof(forbidden) - 1; i++) {
    char text[] = "ws://a?b/";
    text[6] = forbidden[i];
    fails(text, sizeof(text) - 1);
  }
  FAILS("ws://a%20b/");
  FAILS("ws://a%23b/");
  FAILS("ws://a%25b/");
  FAILS("ws://a%2fb/");
  FAILS("ws://a%3Ab/");
  FAILS("ws://a%40b/");
  FAILS("ws://a%5Cb/");
  FAILS("ws://a%zz/");
  FAILS("ws://a%4/");
}

/* URL Standard, forbidden domain code points; names are ASCII only. */
TEST(s19_every_byte_of_a_name) {
  const char *beyond, *forbidden;
  CHECK_INT(failure("ws://a%80/", &beyond), WS_EURL);
  CHECK_INT(failure("ws://a%20/", &forbidden), WS_EURL);
  CHECK(beyond != forbidden);
  for (unsigned c = 0; c < 256; c++) {
    char input[24], expected[24];
    const char *why;
    snprintf(input, sizeof(input), "ws://a%%%02xb/", c);
    if (c > ' ' && c < 0x7f && strchr("#%/:<>?@[\\]^|", (char)c) == NULL) {
      unsigned lower = c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
      snprintf(expected, sizeof(expected), "ws://a%cb/", (char)lower);
      becomes(input, strlen(input), expected);
    } else {
      CHECK_INT(failure(input, &why), WS_EURL);
      CHECK(why == (c >= 0x80 ? beyond : forbidden));
    }
  }
}

TEST(s22_target_and_host) {
  static const struct {
    const char *input, *target, *authority, *host;
    bool secure;
    int port, kind;
  } rows[] = {
      {"ws://h:81/a?b", "/a?b", "h:81", "h", false, 81, WS_HOST_NAME},
      {"ws://h", "/", "h", "h", false, 80, WS_HOST_NAME},
      {"ws://h?", "/", "h", "h", false, 80, WS_HOST_NAME},
      {"ws://h?x", "/?x", "h", "h", false, 80, WS_HOST_NAME},
      {"https://u:p@H/a b?", "/a%20b", "h", "h", true, 443, WS_HOST_NAME},
      {"ws://[0::1]:81/", "/", "[::1]:81", "[::1]", false, 81, WS_HOST_IPV6},
      {"wss://1.2/", "/", "1.0.0.2", "1.0.0.2", true, 443, WS_HOST_IPV4},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    ws_url url;
    const char *why;
    int status = parse(&url, rows[i].input, strlen(rows[i].input), &why);
    CHECK_INT(status, WS_OK);
    if (status != WS_OK) continue;
    CHECK(same(url.target, rows[i].target));
    CHECK(same(url.authority, rows[i].authority));
    CHECK(same(url.host, rows[i].host));
    CHECK_INT(url.port, rows[i].port);
    CHECK_INT(url.host_kind, rows[i].kind);
    CHECK_INT(url.secure, rows[i].secure);
    ws_url_deinit(&url);
  }
}

/* S22: a bare "?" stays in the URL. */
TEST(s22_a_bare_question_mark_stays) {
  BECOMES("ws://h/?", "ws://h/?");
  BECOMES("ws://h?", "ws://h/?");
  BECOMES("ws://h/??", "ws://h/??");
}

/* S48: user info is decoded before it goes into Authorization. */
TEST(s48_decode) {
  static const struct {
    const char *text, *bytes;
  } rows[] = {{"", ""},         {"a%40b", "a@b"}, {"%41%", "A%"},
              {"%4", "%4"},     {"%zz%4G", "%zz%4G"},
              {"%%41", "%A"},   {"%0a", "\n"},
              {"%f0", "\xf0"},   {"%C3%a9+", "\xc3\xa9+"}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    ws_buffer into;
    ws_buffer_init(&into, ws_memory_resize, 0);
    size_t len = strlen(rows[i].text);
    char *copy = (char *)check_guarded(len);
    memcpy(copy, rows[i].text, len);
    CHECK_INT(ws_url_decode((ws_slice){copy, len}, &into), WS_OK);
    CHECK(same((ws_slice){(char *)into.data, into.len}, rows[i].bytes));
    ws_buffer_deinit(&into);
  }
  ws_buffer both;
  ws_buffer_init(&both, ws_memory_resize, 0);
  ws_memory_fail(1, 0);
  CHECK_INT(ws_url_decode(ws_slice_of("a"), &both), WS_ENOMEM);
  ws_memory_fail(0, 0);
  CHECK_INT(ws_url_decode(ws_slice_of("a%3a"), &both), WS_OK);
  CHECK_INT(ws_url_decode(ws_slice_of("%62c"), &both), WS_OK);
  CHECK_BYTES(both.data, both.len, "a:bc"); /* it is appended */
  ws_buffer_deinit(&both);
  char fixed[2];
  ws_buffer into;
  ws_buffer_init_fixed(&into, fixed, sizeof(fixed));
  CHECK(ws_url_decode(ws_slice_of("abc"), &into) != WS_OK);
  CHECK_INT(into.len, 0);
}

TEST(every_cut_is_a_url_or_an_error) {
  static const char text[] =
      "\tHtTps://us%65r:pa ss@[1:0::ffff:1.2.3.4]:0444/a/%2e./b\\c?d'e";
  for (size_t len = 0; len < sizeof(text); len++) {
    ws_url url;
    const char *why = NULL;
    int status = parse(&url, text, len, &why);
    CHECK((status == WS_OK) == (why == NULL));
    if (status == WS_OK) ws_url_deinit(&url);
  }
  CHECK_INT(ws_memory_live(), 0);
  BECOMES("\tHtTps://us%65r:pa ss@[1:0::ffff:1.2.3.4]:0444/a/%2e./b\\c?d'e",
          "wss://us%65r:pa%20ss@[1::ffff:102:304]:444/b/c?d%27e");
}

TEST(every_allocation_may_fail) {
  size_t before = ws_memory_live();
  for (int forever = 0; forever < 2; forever++) {
    int status = WS_ENOMEM;
    uint64_t nth = 0;
    while (status != WS_OK && nth < 20) {
      ws_url url;
      const char *why = NULL;
      ws_memory_fail(++nth, forever);
      status = ws_url_parse(&url, ws_slice_of("ws://u@h:81/a?b"),
                            ws_memory_resize, &why);
      ws_memory_fail(0, 0);
      CHECK(status == WS_OK || status == WS_ENOMEM);
      if (status == WS_OK) ws_url_deinit(&url);
      CHECK_INT(ws_memory_live(), before);
    }
    CHECK(nth > 1 && status == WS_OK);
  }
}

static void read_url(const char *text, size_t len) {
  ws_url url;
  const char *why;
  int status =
      ws_url_parse(&url, (ws_slice){text, len}, ws_memory_resize, &why);
  CHECK(status == WS_OK || status == WS_EURL);
  if (status == WS_OK) ws_url_deinit(&url);
}

/* A27 */
TEST(long_ones_take_linear_time) {
  static const char *const pieces[] = {"a", "a/", "../", "/./", "@", ":", "%61",
                                       ".", "0.", "a/../", "%2e%2e/", "[", "#"};
  static const char *const fronts[] = {"ws://", "ws://h/", "ws://h?",
                                       "ws://[", "ws:"};
  for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++)
    for (size_t j = 0; j < sizeof(fronts) / sizeof(*fronts); j++)
      dear_is_cheap((dear_text){fronts[j], pieces[i], "", read_url});
}

/* At every length, what is written fits, however much is escaped. */
TEST(escaped_all_through) {
  char text[1007] = "ws://h/";
  memset(text + 7, '"', sizeof(text) - 7);
  for (size_t len = 7; len <= sizeof(text); len++) {
    ws_url url;
    const char *why;
    CHECK_INT(parse(&url, text, len, &why), WS_OK);
    CHECK_INT(url.target.len, 1 + 3 * (len - 7));
    ws_url_deinit(&url);
  }
}

/* Lengths beyond any memory are refused before a byte is read. */
TEST(longer_than_memory) {
  static const size_t lengths[] = {SIZE_MAX / 4 + 1, SIZE_MAX / 2, SIZE_MAX};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
    ws_url url;
    const char *why;
    CHECK_INT(ws_url_parse(&url, (ws_slice){"", lengths[i]}, ws_memory_resize,
                           &why),
              WS_ENOMEM);
  }
  CHECK_INT(ws_memory_live(), 0);
}

TEST(an_8_kib_label_is_a_name) {
  size_t len;
  char *text = dear_write(&(dear_text){"ws://", "a", "", NULL}, 8192, &len);
  ws_url url;
  const char *why;
  CHECK_INT(ws_url_parse(&url, (ws_slice){text, len}, ws_memory_resize, &why),
            WS_OK);
  CHECK_INT(url.host.len, len - 5);
  CHECK_INT(url.target.len, 1);
  ws_url_deinit(&url);
  free(text);
}

int main(void) {
  RUN(s3_relative_and_broken_ones_are_errors);
  RUN(s4_http_becomes_ws);
  RUN(s5_other_schemes_are_refused);
  RUN(s6_fragments_are_refused);
  RUN(s8_url_then_scheme_then_fragment);
  RUN(s10_scheme_and_host_are_lowered);
  RUN(s10_hosts_that_are_not_ascii_are_refused);
  RUN(s11_default_ports_disappear);
  RUN(s12_ports_are_numbers_up_to_65535);
  RUN(s13_slashes_after_the_scheme_do_not_count);
  RUN(s14_dot_segments_resolve);
  RUN(s15_controls_and_spaces);
  RUN(s16_path_and_query_are_escaped);
  RUN(s17_user_info_is_kept_and_not_in_host);
  RUN(s18_ipv4_in_all_its_spellings);
  RUN(s18_every_byte_of_an_ipv4_address);
  RUN(s18_ipv6_is_canonicalised);
  RUN(s18_bad_ipv6_is_an_error);
  RUN(hosts_alone);
  RUN(s18_what_is_wrong_with_brackets);
  RUN(the_bytes_of_hosts);
  RUN(s19_empty_hosts_and_forbidden_characters);
  RUN(s19_every_byte_of_a_name);
  RUN(s22_target_and_host);
  RUN(s22_a_bare_question_mark_stays);
  RUN(s48_decode);
  RUN(every_cut_is_a_url_or_an_error);
  RUN(every_allocation_may_fail);
  RUN(long_ones_take_linear_time);
  RUN(escaped_all_through);
  RUN(longer_than_memory);
  RUN(an_8_kib_label_is_a_name);
  return check_done();
}
