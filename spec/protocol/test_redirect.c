/* SPDX-License-Identifier: MIT */
/* Where redirects lead (RFC 3986 section 5.4, as far as our URLs allow). */
#include "protocol/redirect.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"

static ws_http_head parse(const char *text) {
  ws_http_head head;
  CHECK_INT(ws_http_parse_response(&head, text, strlen(text)), WS_OK);
  return head;
}

/* From the URL `from`, this Location leads to `expected`; NULL: nowhere. */
static void leads_from(const char *from, const char *location,
                       const char *expected) {
  char text[300];
  ws_url base, url;
  const char *why = NULL;
  snprintf(text, sizeof text, "HTTP/1.1 302 Found\r\nLocation: %s\r\n\r\n",
           location);
  ws_http_head head = parse(text);
  CHECK_INT(ws_url_parse(&base, ws_slice_of(from), ws_memory_resize, &why),
            WS_OK);
  int status = ws_redirect_url(&head, &base, ws_memory_resize, &url, &why);
  if (expected && CHECK(status == WS_OK)) {
    bool same = url.text.len == strlen(expected) &&
                memcmp(url.text.data, expected, url.text.len) == 0;
    if (!CHECK(same)) check_show(location, url.text.data, url.text.len);
    ws_url_deinit(&url);
  }
  if (!expected) CHECK(status == WS_EURL && why != NULL);
  ws_url_deinit(&base);
  CHECK_INT(ws_memory_live(), 0);
}

static void leads(const char *location, const char *expected) {
  leads_from("wss://a.test/b/c/d?q", location, expected);
}

TEST(absolute_ones) {
  leads("wss://b.test/x", "wss://b.test/x");
  leads("https://b.test/x", "wss://b.test/x");
  leads("http://b.test", "ws://b.test/");
  leads("WSS://B.TEST:443/", "wss://b.test/");
}

TEST(relative_ones) {
  leads("/x", "wss://a.test/x");
  leads("//b.test/x", "wss://b.test/x");
  leads("x", "wss://a.test/b/c/x");
  leads("x/y", "wss://a.test/b/c/x/y");
  leads("../x", "wss://a.test/b/x");
  leads("./", "wss://a.test/b/c/");
  leads("?y", "wss://a.test/b/c/d?y");
  leads("/x?a=b:c", "wss://a.test/x?a=b:c");
  leads("/", "wss://a.test/");
}

/* RFC 3986 section 4.1: a colon ends a scheme only when what precedes it can be
 * one. */
TEST(colons_that_follow_no_scheme) {
  leads("/x:y", "wss://a.test/x:y");
  leads("./x:y", "wss://a.test/b/c/x:y");
  leads("?x:y", "wss://a.test/b/c/d?x:y");
  leads(":x:y", "wss://a.test/b/c/:x:y");
  leads("x#y:z", "wss://a.test/b/c/x");
}

/* RFC 3986 section 5.2.2, with a base without TLS and query. */
TEST(from_a_plain_url) {
  leads_from("ws://u:p@a.test:81/b/c", "x", "ws://a.test:81/b/x");
  leads_from("ws://u:p@a.test:81/b/c", "?y", "ws://a.test:81/b/c?y");
  leads_from("ws://u:p@a.test:81/b/c", "", "ws://a.test:81/b/c");
  leads_from("ws://u:p@a.test:81/b/c", "/x", "ws://a.test:81/x");
  leads_from("ws://u:p@a.test:81/b/c", "//b.test/x", "ws://b.test/x");
  leads_from("ws://a.test", "x", "ws://a.test/x");
}

TEST(fragments_are_left_out) {
  leads("/x#here", "wss://a.test/x");
  leads("?y#here", "wss://a.test/b/c/d?y");
}

/* RFC 3986 section 5.2.2: without path and query, those of the base stay. */
TEST(nothing_else_keeps_the_query) {
  leads("", "wss://a.test/b/c/d?q");
  leads("#", "wss://a.test/b/c/d?q");
  leads("#here", "wss://a.test/b/c/d?q");
}

TEST(nowhere) {
  leads("ftp://b.test/", NULL);
  leads("javascript:alert(1)", NULL);
  leads("x:y", NULL);
  leads("wss://", NULL);
  leads("//", NULL);
  leads("//b.test:99999/", NULL);
}

TEST(what_is_a_redirect) {
  static const struct {
    const char *head;
    bool is;
  } cases[] = {
      {"HTTP/1.1 301 x\r\nLocation: /\r\n\r\n", true},
      {"HTTP/1.1 302 x\r\nLocation: /\r\n\r\n", true},
      {"HTTP/1.1 303 x\r\nlocation: /\r\n\r\n", true},
      {"HTTP/1.1 307 x\r\nLocation: /\r\n\r\n", true},
      {"HTTP/1.1 308 x\r\nLocation: /\r\n\r\n", true},
      {"HTTP/1.1 300 x\r\nLocation: /\r\n\r\n", false},
      {"HTTP/1.1 304 x\r\nLocation: /\r\n\r\n", false},
      {"HTTP/1.1 201 x\r\nLocation: /\r\n\r\n", false},
      {"HTTP/1.1 302 x\r\n\r\n", false},
      {"HTTP/1.1 302 x\r\nLocation: /\r\nLocation: /b\r\n\r\n", false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ws_http_head head = parse(cases[i].head);
    CHECK_INT(ws_redirect_is(&head), cases[i].is);
  }
}

TEST(origins) {
  static const char *const others[] = {"ws://a.test:443/", "wss://a.test:444/",
                                       "wss://b.test/", "wss://x.a.test/"};
  ws_url a, b;
  const char *why;
  ws_url_parse(&a, ws_slice_of("wss://a.test/x"), ws_memory_resize, &why);
  ws_url_parse(&b, ws_slice_of("wss://u@A.test:443/y"), ws_memory_resize, &why);
  CHECK(ws_redirect_same_origin(&a, &b));
  ws_url_deinit(&b);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    ws_url_parse(&b, ws_slice_of(others[i]), ws_memory_resize, &why);
    CHECK(!ws_redirect_same_origin(&a, &b));
    ws_url_deinit(&b);
  }
  ws_url_deinit(&a);
}

/* Wherever memory runs out, there is no URL instead of a part of one. Both URLs
 * are longer than the first block of a buffer. */
TEST(without_memory) {
  char from[600], location[600], answer[700], expected[1200];
  snprintf(from, sizeof from, "ws://a.test/%0500d/", 0);
  snprintf(location, sizeof location, "%0500d", 1);
  snprintf(answer, sizeof answer, "HTTP/1.1 302 x\r\nLocation: %s\r\n\r\n",
           location);
  snprintf(expected, sizeof expected, "%s%s", from, location);
  ws_http_head head = parse(answer);
  ws_url base, url;
  const char *why;
  int status = WS_ENOMEM;
  ws_url_parse(&base, ws_slice_of(from), ws_memory_resize, &why);
  for (uint64_t n = 1; status == WS_ENOMEM && n < 20; n++) {
    ws_memory_fail(n, 0);
    status = ws_redirect_url(&head, &base, ws_memory_resize, &url, &why);
    ws_memory_fail(0, 0);
  }
  if (CHECK(status == WS_OK)) {
    CHECK(ws_slice_equal((ws_slice){(char *)url.text.data, url.text.len},
                         ws_slice_of(expected)));
    ws_url_deinit(&url);
  }
  ws_url_deinit(&base);
  CHECK_INT(ws_memory_live(), 0);
}

int main(void) {
  RUN(absolute_ones);
  RUN(relative_ones);
  RUN(colons_that_follow_no_scheme);
  RUN(from_a_plain_url);
  RUN(fragments_are_left_out);
  RUN(nothing_else_keeps_the_query);
  RUN(nowhere);
  RUN(what_is_a_redirect);
  RUN(origins);
  RUN(without_memory);
  return check_done();
}
