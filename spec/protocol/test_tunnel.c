/* SPDX-License-Identifier: MIT */
/* What is sent to proxies, and how their answers are judged, at every cut. */
#include "protocol/tunnel.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "check.h"

static ws_tunnel_target target_of(ws_tunnel_kind kind, const char *host) {
  return (ws_tunnel_target){
      .kind = kind, .host = ws_slice_of(host), .port = 443};
}

static void log_in(ws_tunnel_target *target, const char *user,
                   const char *password) {
  target->has_user = true;
  target->user = ws_slice_of(user);
  target->password = ws_slice_of(password);
}

/* A line of a conversation: what we send, and the proxy's answer to it. */
typedef struct line {
  const char *ours;
  size_t ours_len;
  const char *theirs;
  size_t theirs_len;
} line;

#define LINE(ours, theirs) \
  { ours, sizeof(ours) - 1, theirs, sizeof(theirs) - 1 }

/* Runs a conversation in which the proxy's bytes come `step` at a time; returns
 * the status at its end. */
static int converse(const ws_tunnel_target *target, const line *lines,
                    size_t count, size_t step, char *why, size_t *left) {
  ws_tunnel tunnel;
  ws_buffer out;
  ws_buffer_init(&out, ws_memory_resize, 0);
  int status = ws_tunnel_start(&tunnel, target, ws_memory_resize, &out);
  *left = 0;
  if (status == WS_OK) status = WS_EAGAIN;
  for (size_t i = 0; i < count && status == WS_EAGAIN; i++) {
    CHECK(out.len == lines[i].ours_len &&
          memcmp(out.data, lines[i].ours, out.len) == 0);
    ws_buffer_consume(&out, out.len);
    size_t at = 0;
    while (at < lines[i].theirs_len && status == WS_EAGAIN) {
      size_t take = lines[i].theirs_len - at;
      if (take > step) take = step;
      uint8_t *bytes = check_guarded(take);
      memcpy(bytes, lines[i].theirs + at, take);
      size_t used = ws_tunnel_feed(&tunnel, bytes, take, &out, &status);
      at += used;
      CHECK(used == take || status != WS_EAGAIN);
    }
    *left = lines[i].theirs_len - at;
  }
  strcpy(why, ws_tunnel_why(&tunnel));
  ws_tunnel_deinit(&tunnel);
  ws_buffer_deinit(&out);
  return status;
}

/* Checks that it ends so with every size of step. */
static void ends(ws_tunnel_target target, const line *lines, size_t count,
                 int status, const char *words) {
  for (size_t step = 1; step < 40; step++) {
    char why[WS_TUNNEL_WHY];
    size_t left;
    CHECK_INT(converse(&target, lines, count, step, why, &left), status);
    if (!strstr(why, words)) {
      fprintf(stderr, "  it said: %s\n", why);
      CHECK(strstr(why, words) != NULL);
    }
  }
  CHECK_INT(ws_memory_live(), 0);
}

#define CONNECT \
  "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"

TEST(http_opens) {
  const line lines[] = {LINE(CONNECT, "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n")};
  ends(target_of(WS_TUNNEL_HTTP, "example.com"), lines, 1, WS_OK, "");
  const line old[] = {LINE(CONNECT, "HTTP/1.0 299\r\n\r\n")};
  ends(target_of(WS_TUNNEL_HTTP, "example.com"), old, 1, WS_OK, "");
}

TEST(http_waits_for_the_real_answer) {
  const line lines[] = {
      LINE(CONNECT, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")};
  ends(target_of(WS_TUNNEL_HTTP, "example.com"), lines, 1, WS_OK, "");
}

/* An endless stream of interim answers must not keep us reading. */
TEST(http_waits_for_ten_at_most) {
  char text[400] = "";
  for (int i = 0; i < 10; i++) strcat(text, "HTTP/1.1 102 Wait\r\n\r\n");
  size_t ten = strlen(text);
  strcpy(text + ten, "HTTP/1.1 200 OK\r\n\r\n");
  const line good[] = {{CONNECT, sizeof CONNECT - 1, text, strlen(text)}};
  ends(target_of(WS_TUNNEL_HTTP, "example.com"), good, 1, WS_OK, "");
  strcpy(text + ten, "HTTP/1.1 103 Hints\r\n\r\n");
  const line bad[] = {{CONNECT, sizeof CONNECT - 1, text, strlen(text)}};
  ends(target_of(WS_TUNNEL_HTTP, "example.com"), bad, 1, WS_EPROXY,
       "too many interim answers");
}

TEST(http_refuses) {
  const line lines[] = {
      LINE(CONNECT, "HTTP/1.1 407 Proxy Authentication Required\r\n"
                    "Content-Length: 3\r\n\r\nno!")};
  ends(target_of(WS_TUNNEL_HTTP, "example.com"), lines, 1, WS_EPROXY,
       "407 Proxy Authentication Required");
}

/* Fails at the first byte that shows it, as such a peer may send nothing
 * more. */
TEST(http_does_not_wait_for_what_is_not_http) {
  const line odd[] = {
      LINE(CONNECT, "S"), LINE(CONNECT, "HTTQ"), LINE(CONNECT, "\r"),
      LINE(CONNECT, "HTTP/1.1 102 Wait\r\n\r\nHTTp"),
      LINE(CONNECT, "HTTP/1.1 2 OK\r\n\r\n")};
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
    ends(target_of(WS_TUNNEL_HTTP, "example.com"), &odd[i], 1, WS_EPROXY,
         "not HTTP");
}

/* Checks the message for an answer with this status line and so many
 * headers. */
static void told(const char *first, int headers, const char *expected) {
  char text[2048], why[WS_TUNNEL_WHY];
  size_t left, len = (size_t)sprintf(text, "%s\r\n", first);
  for (int i = 0; i < headers; i++)
    len += (size_t)sprintf(text + len, "a: b\r\n");
  len += (size_t)sprintf(text + len, "\r\n");
  const line lines[] = {{CONNECT, sizeof CONNECT - 1, text, len}};
  ws_tunnel_target target = target_of(WS_TUNNEL_HTTP, "example.com");
  CHECK_INT(converse(&target, lines, 1, 100, why, &left), WS_EPROXY);
  if (!CHECK(strcmp(why, expected) == 0))
    fprintf(stderr, "  it said: %s\n", why);
}

/* RFC 9112 section 4: the phrase may be missing. */
TEST(http_refuses_in_few_words) {
  told("HTTP/1.1 403", 0, "proxy: it answered 403 Forbidden");
  told("HTTP/1.1 403 ", 0, "proxy: it answered 403 Forbidden");
  told("HTTP/1.1 403 No", 0, "proxy: it answered 403 No");
  told("HTTP/1.1 599", 0, "proxy: it answered 599");
}

TEST(http_with_too_many_headers_is_http) {
  told("HTTP/1.1 200 OK", 101, "proxy: its answer has too many headers");
  told("HTTP/1.1 403 No", 100, "proxy: it answered 403 No");
}

TEST(http_logs_in) {
  ws_tunnel_target target = target_of(WS_TUNNEL_HTTP, "example.com");
  log_in(&target, "Aladdin", "open sesame"); /* RFC 7617 section 2 */
  const line lines[] = {
      LINE("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"
           "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n",
           "HTTP/1.1 200 OK\r\n\r\n")};
  ends(target, lines, 1, WS_OK, "");
}

TEST(http_and_ipv6) {
  ws_tunnel_target target = target_of(WS_TUNNEL_HTTP, "::1");
  target.port = 8;
  const line lines[] = {
      LINE("CONNECT [::1]:8 HTTP/1.1\r\nHost: [::1]:8\r\n\r\n",
           "HTTP/1.1 200 OK\r\n\r\n")};
  ends(target, lines, 1, WS_OK, "");
}

/* What follows the answer comes from the target, and is not taken. */
TEST(nothing_behind_the_answer_is_taken) {
  const line lines[] = {LINE(CONNECT, "HTTP/1.1 200 OK\r\n\r\nPEER")};
  char why[WS_TUNNEL_WHY];
  size_t left;
  ws_tunnel_target target = target_of(WS_TUNNEL_HTTP, "example.com");
  CHECK_INT(converse(&target, lines, 1, 100, why, &left), WS_OK);
  CHECK_INT(left, 4);
}

TEST(an_endless_answer) {
  ws_tunnel tunnel;
  ws_buffer out;
  int status = WS_EAGAIN;
  ws_tunnel_target target = target_of(WS_TUNNEL_HTTP, "example.com");
  ws_buffer_init(&out, ws_memory_resize, 0);
  CHECK_INT(ws_tunnel_start(&tunnel, &target, ws_memory_resize, &out), WS_OK);
  size_t taken = 0;
  while (status == WS_EAGAIN && taken < 100000)
    taken += ws_tunnel_feed(&tunnel, (const uint8_t *)"HTTP/1.1 ", 9, &out,
                            &status);
  CHECK_INT(status, WS_EPROXY);
  CHECK(taken < 20000);
  ws_tunnel_deinit(&tunnel);
  ws_buffer_deinit(&out);
}

/* RFC 1928. */
TEST(socks5_opens) {
  const line lines[] = {
      LINE("\5\1\0", "\5\0"),
      LINE("\5\1\0\3\13example.com\1\273", "\5\0\0\1\1\2\3\4\0\1")};
  ends(target_of(WS_TUNNEL_SOCKS5, "example.com"), lines, 2, WS_OK, "");
  const line v6[] = {LINE("\5\1\0", "\5\0"),
                     LINE("\5\1\0\3\13example.com\1\273",
                          "\5\0\0\4\1\2\3\4\5\6\7\0\1\2\3\4\5\6\7\0\0\1")};
  ends(target_of(WS_TUNNEL_SOCKS5, "example.com"), v6, 2, WS_OK, "");
  const line name[] = {LINE("\5\1\0", "\5\0"),
                       LINE("\5\1\0\3\13example.com\1\273",
                            "\5\0\0\3\4here\0\1")};
  ends(target_of(WS_TUNNEL_SOCKS5, "example.com"), name, 2, WS_OK, "");
}

TEST(socks5_and_addresses) {
  const line v4[] = {LINE("\5\1\0", "\5\0"),
                     LINE("\5\1\0\1\300\0\2\1\1\273",
                          "\5\0\0\1\0\0\0\0\0\0")};
  ends(target_of(WS_TUNNEL_SOCKS5, "192.0.2.1"), v4, 2, WS_OK, "");
  const line v6[] = {
      LINE("\5\1\0", "\5\0"),
      LINE("\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x0a\1\273",
           "\5\0\0\1\0\0\0\0\0\0")};
  ends(target_of(WS_TUNNEL_SOCKS5, "2001:db8::a"), v6, 2, WS_OK, "");
  const line one[] = {LINE("\5\1\0", "\5\0"),
                      LINE("\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\1\273",
                           "\5\0\0\1\0\0\0\0\0\0")};
  ends(target_of(WS_TUNNEL_SOCKS5, "::1"), one, 2, WS_OK, "");
  const line full[] = {
      LINE("\5\1\0", "\5\0"),
      LINE("\5\1\0\4\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\x08\1\273",
           "\5\0\0\1\0\0\0\0\0\0")};
  ends(target_of(WS_TUNNEL_SOCKS5, "1:2:3:4:5:6:7:8"), full, 2, WS_OK, "");
}

/* RFC 1929. */
TEST(socks5_logs_in) {
  ws_tunnel_target target = target_of(WS_TUNNEL_SOCKS5, "example.com");
  log_in(&target, "joe", "secret");
  const line lines[] = {
      LINE("\5\2\0\2", "\5\2"), LINE("\1\3joe\6secret", "\1\0"),
      LINE("\5\1\0\3\13example.com\1\273", "\5\0\0\1\0\0\0\0\0\0")};
  ends(target, lines, 3, WS_OK, "");
  const line not_asked[] = {
      LINE("\5\2\0\2", "\5\0"),
      LINE("\5\1\0\3\13example.com\1\273", "\5\0\0\1\0\0\0\0\0\0")};
  ends(target, not_asked, 2, WS_OK, "");
  const line wrong[] = {LINE("\5\2\0\2", "\5\2"),
                        LINE("\1\3joe\6secret", "\1\1")};
  ends(target, wrong, 2, WS_EPROXY, "wrong user or password");
  const line neither[] = {LINE("\5\2\0\2", "\5\377")};
  ends(target, neither, 1, WS_EPROXY, "neither");
}

TEST(socks5_refuses) {
  ws_tunnel_target target = target_of(WS_TUNNEL_SOCKS5, "example.com");
  const line wants[] = {LINE("\5\1\0", "\5\377")};
  ends(target, wants, 1, WS_EPROXY, "requires a user");
  const line asks_unasked[] = {LINE("\5\1\0", "\5\2")};
  ends(target, asks_unasked, 1, WS_EPROXY, "requires a user");
  const line http[] = {LINE("\5\1\0", "HTTP/1.1 400 Bad Request\r\n\r\n")};
  ends(target, http, 1, WS_EPROXY, "not SOCKS5");
  const line refused[] = {
      LINE("\5\1\0", "\5\0"),
      LINE("\5\1\0\3\13example.com\1\273", "\5\5\0\1\0\0\0\0\0\0")};
  ends(target, refused, 2, WS_EPROXY, "connection refused");
  const line unknown[] = {
      LINE("\5\1\0", "\5\0"),
      LINE("\5\1\0\3\13example.com\1\273", "\5\252\0\1\0\0\0\0\0\0")};
  ends(target, unknown, 2, WS_EPROXY, "cannot reach");
  const line changed[] = {
      LINE("\5\1\0", "\5\0"),
      LINE("\5\1\0\3\13example.com\1\273", "\4\0\0\1\0\0\0\0\0\0")};
  ends(target, changed, 2, WS_EPROXY, "not SOCKS5");
}

TEST(socks4a) {
  ws_tunnel_target target = target_of(WS_TUNNEL_SOCKS4, "example.com");
  const line lines[] = {LINE("\4\1\1\273\0\0\0\1\0example.com\0",
                             "\0\132\0\0\0\0\0\0")};
  ends(target, lines, 1, WS_OK, "");
  const line refused[] = {LINE("\4\1\1\273\0\0\0\1\0example.com\0",
                               "\0\133\0\0\0\0\0\0")};
  ends(target, refused, 1, WS_EPROXY, "refused");
  const line http[] = {LINE("\4\1\1\273\0\0\0\1\0example.com\0",
                            "HTTP/1.1 400 Bad Request\r\n\r\n")};
  ends(target, http, 1, WS_EPROXY, "not SOCKS4");
  log_in(&target, "joe", "");
  const line user[] = {LINE("\4\1\1\273\0\0\0\1joe\0example.com\0",
                            "\0\132\0\0\0\0\0\0")};
  ends(target, user, 1, WS_OK, "");
}

TEST(what_cannot_be_said) {
  char longer[300];
  memset(longer, 'a', sizeof longer);
  ws_tunnel_target target = target_of(WS_TUNNEL_SOCKS5, "example.com");
  log_in(&target, "joe", "secret");
  target.user = (ws_slice){longer, sizeof longer};
  ends(target, NULL, 0, WS_EINVAL, "too long or has a zero byte");
  target.user = (ws_slice){"a\0b", 3};
  ends(target, NULL, 0, WS_EINVAL, "too long or has a zero byte");
  target = target_of(WS_TUNNEL_HTTP, "example.com");
  log_in(&target, "a:b", "c");
  ends(target, NULL, 0, WS_EINVAL, "colon");
}

/* Starts while the n-th request for memory fails; *said: bytes sent first. */
static int start_failing(ws_tunnel_kind kind, uint64_t n, size_t *said) {
  ws_tunnel tunnel;
  ws_buffer out;
  char host[200];
  memset(host, 'h', sizeof host);
  ws_tunnel_target target = target_of(kind, "");
  target.host = (ws_slice){host, sizeof host};
  log_in(&target, "joe", "secret");
  ws_buffer_init(&out, ws_memory_resize, 0);
  ws_memory_fail(n, 0);
  int status = ws_tunnel_start(&tunnel, &target, ws_memory_resize, &out);
  ws_memory_fail(0, 0);
  *said = out.len;
  CHECK(ws_tunnel_why(&tunnel)[0] == '\0');
  ws_tunnel_deinit(&tunnel);
  ws_buffer_deinit(&out);
  CHECK_INT(ws_memory_live(), 0);
  return status;
}

TEST(without_memory) {
  static const ws_tunnel_kind kinds[] = {WS_TUNNEL_HTTP, WS_TUNNEL_SOCKS5,
                                         WS_TUNNEL_SOCKS4};
  for (size_t i = 0; i < 3; i++) {
    size_t whole, said;
    uint64_t n = 1;
    CHECK_INT(start_failing(kinds[i], 0, &whole), WS_OK);
    int status;
    while ((status = start_failing(kinds[i], n, &said)) == WS_ENOMEM) n++;
    CHECK_INT(status, WS_OK);
    CHECK_INT(said, whole);
    CHECK(n > 1);
  }
}

int main(void) {
  RUN(http_opens);
  RUN(http_waits_for_the_real_answer);
  RUN(http_waits_for_ten_at_most);
  RUN(http_refuses);
  RUN(http_does_not_wait_for_what_is_not_http);
  RUN(http_refuses_in_few_words);
  RUN(http_with_too_many_headers_is_http);
  RUN(http_logs_in);
  RUN(http_and_ipv6);
  RUN(nothing_behind_the_answer_is_taken);
  RUN(an_endless_answer);
  RUN(socks5_opens);
  RUN(socks5_and_addresses);
  RUN(socks5_logs_in);
  RUN(socks5_refuses);
  RUN(socks4a);
  RUN(what_cannot_be_said);
  RUN(without_memory);
  return check_done();
}
