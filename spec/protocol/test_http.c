/* SPDX-License-Identifier: MIT */
/* Heads and chunked bodies of HTTP/1.1, good ones and all kinds of bad ones, at
 * every cut and before guarded pages (R2, R17 to R19, S50, S52, S63; A2 to A5,
 * A9, A11, A12, A15). */
#include "dear_text.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "protocol/http.h"

static ws_http_head head;

static bool same(ws_slice slice, const char *text) {
  return ws_slice_equal(slice, ws_slice_of(text));
}

static char *guarded(const char *text, size_t len) {
  char *copy = (char *)check_guarded(len);
  memcpy(copy, text, len);
  return copy;
}

static int request(const char *text, size_t len) {
  return ws_http_parse_request(&head, guarded(text, len), len);
}

static int response(const char *text, size_t len) {
  return ws_http_parse_response(&head, guarded(text, len), len);
}

#define REQUEST(text) request(text, sizeof(text) - 1)
#define RESPONSE(text) response(text, sizeof(text) - 1)
#define HEADER(text) REQUEST("GET / HTTP/1.1\r\n" text "\r\n\r\n")

/* ------------------------------------------------------- finding the end */

static const char sample[] =
    "GET /chat?a=1 HTTP/1.1\r\nHost: h:81\r\nX:\t a\t b \t\r\n"
    "Empty:\r\nx: c\r\n\r\n";
#define SAMPLE_LENGTH (sizeof(sample) - 1)

/* A5: `scanned` never goes back, so no byte is searched twice. */
TEST(end_is_found_at_every_cut) {
  for (size_t cut = 0; cut <= SAMPLE_LENGTH; cut++) {
    size_t scanned = 0;
    size_t end = ws_http_find_end(guarded(sample, cut), cut, &scanned);
    CHECK_INT(end, cut == SAMPLE_LENGTH ? SAMPLE_LENGTH : 0);
    CHECK_INT(scanned, cut);
    end = ws_http_find_end(sample, SAMPLE_LENGTH, &scanned);
    CHECK_INT(cut == SAMPLE_LENGTH ? 0 : end,
              cut == SAMPLE_LENGTH ? 0 : SAMPLE_LENGTH);
  }
}

TEST(end_is_found_byte_by_byte) {
  size_t scanned = 0;
  for (size_t len = 1; len < SAMPLE_LENGTH; len++) {
    CHECK_INT(ws_http_find_end(guarded(sample, len), len, &scanned), 0);
    CHECK_INT(scanned, len);
  }
  CHECK_INT(ws_http_find_end(sample, SAMPLE_LENGTH, &scanned), SAMPLE_LENGTH);
}

/* S64, R21: what follows the empty line is not part of the head. */
TEST(end_leaves_what_follows) {
  static const struct {
    const char *text;
    size_t end;
  } rows[] = {
      {"a\r\n\r\n\r\n\r\n", 5}, {"a\n\nb", 3},      {"a\r\n\nb", 4},
      {"a\n\r\nb", 4},          {"a\r\n\r\n\x81", 5}, {"a\r\r\n", 0},
      {"a\r\n\r", 0},           {"\r\n", 0},        {"\n", 0},
      {"\r\n\r\n", 4},          {"\n\n", 2},        {"", 0},
      {"\n\r\n", 3},           {"a\r\nb\r\n\r\n", 8},    {"a\r\nb\n", 0},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    size_t len = strlen(rows[i].text);
    for (size_t cut = 0; cut <= len; cut++) {
      size_t scanned = 0;
      char *text = guarded(rows[i].text, len);
      size_t end = ws_http_find_end(text, cut, &scanned);
      if (end == 0) end = ws_http_find_end(text, len, &scanned);
      CHECK_INT(end, rows[i].end);
    }
  }
}

/* --------------------------------------------------------------- requests */

TEST(a_request_is_cut_into_slices) {
  CHECK_INT(request(sample, SAMPLE_LENGTH), WS_OK);
  CHECK(same(head.method, "GET"));
  CHECK(same(head.target, "/chat?a=1"));
  CHECK_INT(head.major, 1);
  CHECK_INT(head.minor, 1);
  CHECK_INT(head.header_count, 4);
  CHECK(same(head.headers[0].name, "Host"));
  CHECK(same(head.headers[0].value, "h:81"));
  CHECK(same(head.headers[1].value, "a\t b"));
  CHECK_INT(head.headers[2].value.len, 0);
  CHECK(same(ws_http_find(&head, "x")->value, "a\t b"));
  CHECK(ws_http_find(&head, "y") == NULL);
  CHECK_INT(ws_http_count(&head, "X"), 2);
  CHECK_INT(ws_http_count(&head, "HOST"), 1);
  CHECK_INT(ws_http_count(&head, "Hos"), 0);
}

/* S63: a head that is cut short is always an error. */
TEST(a_cut_request_is_an_error) {
  for (size_t cut = 0; cut < SAMPLE_LENGTH; cut++) {
    CHECK_INT(request(sample, cut), WS_EHTTP);
    CHECK_INT(response(sample, cut), WS_EHTTP);
  }
}

/* R2 */
TEST(r2_request_lines) {
  CHECK_INT(REQUEST("GET / HTTP/1.1\r\n\r\n"), WS_OK);
  CHECK_INT(head.header_count, 0);
  CHECK_INT(REQUEST("GET / HTTP/1.0\r\n\r\n"), WS_OK);
  CHECK_INT(head.minor, 0);
  CHECK_INT(REQUEST("M-SEARCH * HTTP/1.9\r\n\r\n"), WS_OK);
  CHECK_INT(REQUEST("\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET /\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET  / HTTP/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET /  HTTP/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/1.1 \r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST(" GET / HTTP/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET\t/ HTTP/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("G(T / HTTP/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / http/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/1.10\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/11\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/1.x\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/1-1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/x.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/0.9\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / FOO/1.1\r\n\r\n"), WS_EHTTP);
}

/* RFC 9112 section 2.2 */
TEST(an_empty_line_before_a_request_is_skipped) {
  static const struct {
    const char *bytes, *left;
  } rows[] = {
      {"", ""},           {"\r", ""},          {"\r\n", ""},
      {"\r\nGET", "GET"}, {"\r\n\r\n", "\r\n"}, {"GET", "GET"},
      {"G", "G"},         {"\n", "\n"},        {"\n\r\n", "\n\r\n"},
      {"\rG", "\rG"},     {"\r\r\n", "\r\r\n"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    ws_buffer bytes = {.len = strlen(rows[i].bytes)};
    bytes.data = (uint8_t *)guarded(rows[i].bytes, bytes.len);
    CHECK(same(ws_http_skip_empty_line(&bytes), rows[i].left));
  }
}

/* R2: a major version above 1 can be distinguished, for a 505. */
TEST(r2_unknown_major_version) {
  CHECK_INT(REQUEST("PRI * HTTP/2.0\r\n\r\n"), WS_EHTTP);
  CHECK_INT(head.major, 2);
  CHECK_INT(REQUEST("GET / HTTP/1.x\r\n\r\n"), WS_EHTTP);
  CHECK(head.major <= 1);
}

/* A12: targets are taken as they are, or refused. */
TEST(targets_are_raw_visible_ascii) {
  CHECK_INT(REQUEST("GET /%00/../a//b?\"<> HTTP/1.1\r\n\r\n"), WS_OK);
  CHECK(same(head.target, "/%00/../a//b?\"<>"));
  CHECK_INT(REQUEST("GET /\x7f HTTP/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET /\xc3\xa9 HTTP/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET /\0 HTTP/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET http://h/~!x HTTP/1.1\r\n\r\n"), WS_OK);
  CHECK(same(head.target, "http://h/~!x"));
}

/* R19, A11 */
TEST(r19_bad_lines_are_errors) {
  CHECK_INT(REQUEST("GET / HTTP/1.1\nHost: h\r\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/1.1\r\nHost: h\n\r\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/1.1\r\nHost: h\r\n\n"), WS_EHTTP);
  CHECK_INT(REQUEST("GET / HTTP/1.1\r\r\nHost: h\r\n\r\n"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\rc: d"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\r"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\0c"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\x01"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\x7f"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\x0b"), WS_EHTTP);
  CHECK_INT(HEADER("a\0: b"), WS_EHTTP);
  CHECK_INT(HEADER("a : b"), WS_EHTTP);
  CHECK_INT(HEADER("a\t: b"), WS_EHTTP);
  CHECK_INT(HEADER(" a: b"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\r\n c"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\r\n\tc"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\r\n "), WS_EHTTP);
  CHECK_INT(HEADER(": b"), WS_EHTTP);
  CHECK_INT(HEADER("a"), WS_EHTTP);
  CHECK_INT(HEADER("a b: c"), WS_EHTTP);
  CHECK_INT(HEADER("a\xc3\xa9: c"), WS_EHTTP);
  CHECK_INT(HEADER("a: b\r\n\r\nc: d"), WS_EHTTP);
  CHECK_INT(HEADER("a: \xc3\xa9\tb:c"), WS_OK);
  CHECK(same(head.headers[0].value, "\xc3\xa9\tb:c"));
  CHECK_INT(HEADER("!#$%&'*+-.^_`|~09azAZ:"), WS_OK);
}

/* Every other byte in every place of a head: nothing is read beyond the page,
 * and what is accepted has no control bytes. */
TEST(every_byte_in_every_place) {
  char *copy = guarded(sample, SAMPLE_LENGTH);
  for (size_t at = 0; at < SAMPLE_LENGTH; at++) {
    for (int byte = 0; byte < 256; byte++) {
      copy[at] = (char)byte;
      int status = ws_http_parse_request(&head, copy, SAMPLE_LENGTH);
      bool good = status == WS_EHTTP || status == WS_OK;
      for (size_t i = 0; status == WS_OK && i < head.header_count; i++)
        good = good && ws_http_value_ok(head.headers[i].value) &&
               ws_slice_is_token(head.headers[i].name);
      if (byte == '\n' && sample[at] != '\n') good = good && status == WS_EHTTP;
      CHECK(good);
    }
    copy[at] = sample[at];
  }
}

/* R18, A3 */
TEST(r18_one_hundred_headers) {
  char text[8192];
  for (size_t count = 99; count <= 102; count++) {
    size_t len = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
    for (size_t i = 0; i < count; i++)
      len += (size_t)sprintf(text + len, "h%zu: %zu\r\n", i, i);
    len += (size_t)sprintf(text + len, "\r\n");
    CHECK_INT(request(text, len), count <= 100 ? WS_OK : WS_EHEADTOOBIG);
    if (count <= 100) {
      CHECK_INT(head.header_count, count);
      CHECK(same(ws_http_find(&head, "H98")->value, "98"));
    }
  }
}

/* -------------------------------------------------------------- responses */

/* S52: the reason is irrelevant. */
TEST(s52_status_lines) {
  CHECK_INT(RESPONSE("HTTP/1.1 101 Switching Protocols:\r\na: b\r\n\r\n"),
            WS_OK);
  CHECK_INT(head.status, 101);
  CHECK(same(head.reason, "Switching Protocols:"));
  CHECK(same(head.headers[0].value, "b"));
  CHECK_INT(RESPONSE("HTTP/1.1 101\r\n\r\n"), WS_OK);
  CHECK_INT(head.reason.len, 0);
  CHECK_INT(RESPONSE("HTTP/1.1 404 \r\n\r\n"), WS_OK);
  CHECK_INT(head.status, 404);
  CHECK_INT(RESPONSE("HTTP/1.1 999 \xc3\xa9\t x\r\n\r\n"), WS_OK);
  CHECK_INT(RESPONSE("HTTP/1.0 101 x\r\n\r\n"), WS_OK);
  CHECK_INT(head.minor, 0);
}

/* S50 */
TEST(s50_what_is_no_response) {
  CHECK_INT(RESPONSE("FOO BAR BAZ\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 \r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 10\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 1010\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 099 x\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 1o1 x\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1  101 x\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 101x\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 101 a\rb\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 101 a\0b\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/2.0 101 x\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("http/1.1 101 x\r\n\r\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 101 x\n\n"), WS_EHTTP);
  CHECK_INT(RESPONSE("HTTP/1.1 101 x\r\n a: b\r\n\r\n"), WS_EHTTP);
}

/* ------------------------------------------------------ tokens and bodies */

/* S54, R6: in any place of any line. */
TEST(tokens_are_found_in_lists) {
  CHECK_INT(HEADER("a: keep-alive, Upgrade\r\nb: x\r\nA:\tfoo ,bar"), WS_OK);
  CHECK(ws_http_has_token(&head, "A", "upgrade"));
  CHECK(ws_http_has_token(&head, "a", "KEEP-ALIVE"));
  CHECK(ws_http_has_token(&head, "a", "foo"));
  CHECK(ws_http_has_token(&head, "a", "bar"));
  CHECK(!ws_http_has_token(&head, "a", "grade"));
  CHECK(!ws_http_has_token(&head, "a", "foo ,bar"));
  CHECK(!ws_http_has_token(&head, "a", "x"));
  CHECK(!ws_http_has_token(&head, "c", "x"));
  CHECK_INT(HEADER("a: notupgrade, upgrades, \"upgrade\""), WS_OK);
  CHECK(!ws_http_has_token(&head, "a", "upgrade"));
}

#define BODY_BAD 100

static int body_of(const char *headers, bool is_response, unsigned status,
                   uint64_t *length) {
  char text[512];
  ws_http_body_kind kind;
  int len = is_response
                ? snprintf(text, sizeof(text), "HTTP/1.1 %u\r\n%s\r\n",
                           status, headers)
                : snprintf(text, sizeof(text), "POST / HTTP/1.1\r\n%s\r\n",
                           headers);
  int parsed = is_response ? response(text, (size_t)len)
                           : request(text, (size_t)len);
  CHECK_INT(parsed, WS_OK);
  int result = ws_http_body(&head, is_response, &kind, length);
  CHECK(result == WS_OK || result == WS_EHTTP);
  return result == WS_OK ? (int)kind : BODY_BAD;
}

/* R17, A9, RFC 9112 section 6.3 */
TEST(r17_how_a_body_is_delimited) {
  static const struct {
    const char *headers;
    int request, response;
    uint64_t length;
  } rows[] = {
      {"", WS_BODY_NONE, WS_BODY_UNTIL_END, 0},
      {"Content-Length: 0\r\n", WS_BODY_NONE, WS_BODY_NONE, 0},
      {"Content-Length: 0017\r\n", WS_BODY_LENGTH, WS_BODY_LENGTH, 17},
      {"content-length: 5\r\nX: y\r\nContent-Length: 05\r\n", WS_BODY_LENGTH,
       WS_BODY_LENGTH, 5},
      {"Content-Length: 18446744073709551615\r\n", WS_BODY_LENGTH,
       WS_BODY_LENGTH, UINT64_MAX},
      {"Content-Length: 18446744073709551616\r\n", BODY_BAD, BODY_BAD, 0},
      {"Content-Length: 99999999999999999999\r\n", BODY_BAD, BODY_BAD, 0},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", BODY_BAD, BODY_BAD, 0},
      {"Content-Length: 5, 6\r\n", BODY_BAD, BODY_BAD, 0},
      {"Content-Length: -1\r\n", BODY_BAD, BODY_BAD, 0},
      {"Content-Length: +5\r\n", BODY_BAD, BODY_BAD, 0},
      {"Content-Length: 0x5\r\n", BODY_BAD, BODY_BAD, 0},
      {"Content-Length: 5 5\r\n", BODY_BAD, BODY_BAD, 0},
      {"Content-Length:\r\n", BODY_BAD, BODY_BAD, 0},
      {"Transfer-Encoding: Chunked\r\n", WS_BODY_CHUNKED, WS_BODY_CHUNKED, 0},
      {"Transfer-Encoding: gzip, chunked\r\n", BODY_BAD, BODY_BAD, 0},
      {"Transfer-Encoding: identity\r\n", BODY_BAD, BODY_BAD, 0},
      {"Transfer-Encoding: chunked, chunked\r\n", BODY_BAD, BODY_BAD, 0},
      {"Transfer-Encoding: xchunked\r\n", BODY_BAD, BODY_BAD, 0},
      {"Transfer-Encoding:\r\n", BODY_BAD, BODY_BAD, 0},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
       BODY_BAD, BODY_BAD, 0},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", BODY_BAD,
       BODY_BAD, 0},
      {"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", BODY_BAD,
       BODY_BAD, 0},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    uint64_t length;
    CHECK_INT(body_of(rows[i].headers, false, 0, &length), rows[i].request);
    if (rows[i].request != BODY_BAD) CHECK_INT(length, rows[i].length);
    CHECK_INT(body_of(rows[i].headers, true, 200, &length), rows[i].response);
    if (rows[i].response != BODY_BAD) CHECK_INT(length, rows[i].length);
    /* S65 */
    CHECK_INT(body_of(rows[i].headers, true, 101, &length), WS_BODY_NONE);
    CHECK_INT(body_of(rows[i].headers, true, 204, &length), WS_BODY_NONE);
    CHECK_INT(body_of(rows[i].headers, true, 304, &length), WS_BODY_NONE);
  }
}

/* RFC 9112 section 6.1 */
TEST(http_1_0_has_no_chunks) {
  ws_http_body_kind kind;
  uint64_t length;
  CHECK_INT(REQUEST("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            WS_OK);
  CHECK_INT(ws_http_body(&head, false, &kind, &length), WS_EHTTP);
}

/* ----------------------------------------------------------------- chunks */

typedef struct unchunked {
  char body[256];
  size_t len;
  size_t used;
  int status; /* WS_OK: done, WS_EAGAIN: needs more */
} unchunked;

/* Feeds text[0..len) in pieces of `first` and then `step` bytes. */
static unchunked unchunk(const char *text, size_t len, size_t first,
                         size_t step) {
  ws_http_chunks chunks = {0};
  unchunked result = {{0}, 0, 0, WS_EAGAIN};
  size_t end = first;
  while (result.status == WS_EAGAIN) {
    if (end > len) end = len;
    ws_slice body;
    bool done;
    size_t piece = end - result.used;
    ptrdiff_t used = ws_http_chunks_feed(
        &chunks, guarded(text + result.used, piece), piece, &body, &done);
    if (used < 0) {
      result.status = (int)used;
      CHECK_INT(ws_http_chunks_feed(&chunks, text, len, &body, &done),
                WS_EHTTP);
      break;
    }
    memcpy(result.body + result.len, body.data ? body.data : "", body.len);
    result.len += body.len;
    result.used += (size_t)used;
    if (done) {
      result.status = WS_OK;
      CHECK_INT(ws_http_chunks_feed(&chunks, text, len, &body, &done), 0);
      CHECK(done && body.len == 0);
    } else if (result.used == end) {
      if (end == len) break;
      end += step;
    }
  }
  return result;
}

TEST(chunks_at_every_cut) {
  static const char text[] =
      "5\r\nhello\r\n00A;x=\"y\" ; z\r\n, chunked!\r\n1 \t;a\r\n!\r\n"
      "000;last\r\nTrailer: x\r\nb\r\n\r\nGET";
  size_t len = sizeof(text) - 1;
  for (size_t cut = 0; cut <= len; cut++) {
    unchunked got = unchunk(text, len, cut, len);
    CHECK_INT(got.status, WS_OK);
    CHECK_INT(got.used, len - 3);
    CHECK_BYTES(got.body, got.len, "hello, chunked!!");
  }
  unchunked slow = unchunk(text, len, 1, 1);
  CHECK_INT(slow.status, WS_OK);
  CHECK_BYTES(slow.body, slow.len, "hello, chunked!!");
  for (size_t short_len = 0; short_len < len - 3; short_len++)
    CHECK_INT(unchunk(text, short_len, 7, 7).status, WS_EAGAIN);
}

/* A9 */
TEST(bad_chunks_are_errors) {
  static const char *const rows[] = {
      "\r\n",          "x\r\n",      " 5\r\nhello",   "5\nhello",
      "5\r\nhello\n",  "5\r\nhelloX", "5\r\nhello\rX", "+5\r\n",
      "0x5\r\n",       "5 \r\n",     "5 x\r\n",       "5\rX",
      "5;a\n",         "5;a\x01",    "5;\x7f",        "0\r\n\n",
      "0\r\na\n",      "0\r\na\rb",  "0\r\n\rX",      "0\r\na\x01",
      "-1\r\n",        ";\r\n",      "5\r\nhello\r\n\r\n",
      "10000000000000000\r\n",       "fffffffffffffffff\r\n",
      "10000000000000000", /* fails without waiting for the line's end */
      "5  5\r\n",      "5\t\t5\r\n",  "5  \r\n",       "5x\n"};
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    size_t len = strlen(rows[i]);
    CHECK_INT(unchunk(rows[i], len, len, 1).status, WS_EHTTP);
    CHECK_INT(unchunk(rows[i], len, 1, 1).status, WS_EHTTP);
  }
}

/* RFC 9112 section 7.1.1: BWS, blanks of both kinds, before an extension. */
TEST(blanks_before_an_extension) {
  static const char *const blanks[] = {"",   " ",    "\t",   "  ",
                                       " \t", "\t ", "\t\t", " \t \t"};
  for (size_t i = 0; i < sizeof(blanks) / sizeof(*blanks); i++) {
    char text[64];
    size_t len = (size_t)snprintf(text, sizeof(text),
                                  "5%s;a\r\nhello\r\n0\r\n\r\n", blanks[i]);
    unchunked got = unchunk(text, len, len, 1);
    CHECK_INT(got.status, WS_OK);
    CHECK_BYTES(got.body, got.len, "hello");
  }
}

/* RFC 9112 section 7.1: quoted strings and field values may have blanks,
 * visible characters and obs-text; CR ends the line. */
TEST(every_byte_in_extensions_and_trailers) {
  for (unsigned c = 0; c < 256; c++) {
    bool allowed = c == '\t' || c == '\r' || (c >= 0x20 && c != 0x7f);
    char extension[] = "5;a=\"x", trailer[] = "0\r\na:x";
    extension[sizeof(extension) - 2] = (char)c;
    trailer[sizeof(trailer) - 2] = (char)c;
    CHECK_INT(unchunk(extension, sizeof(extension) - 1, 1, 1).status,
              allowed ? WS_EAGAIN : WS_EHTTP);
    CHECK_INT(unchunk(trailer, sizeof(trailer) - 1, 1, 1).status,
              allowed ? WS_EAGAIN : WS_EHTTP);
  }
}

TEST(a_chunk_of_2_64_minus_1_bytes) {
  ws_http_chunks chunks = {0};
  ws_slice body;
  bool done;
  CHECK_INT(ws_http_chunks_feed(&chunks, "ffffffffffffffff\r\nab", 20, &body,
                                &done),
            20);
  CHECK_BYTES(body.data, body.len, "ab");
  CHECK(chunks.left == UINT64_MAX - 2 && !done);
}

/* Known only once the chunk's size was read to the end of its line. */
TEST(what_is_left_of_a_chunk) {
  static const char text[] = "12\r\n0123456789abcdefgh\r\n0\r\na:b\r\n\r\n";
  ws_http_chunks chunks = {0};
  CHECK_INT(ws_http_chunks_left(&chunks), 0);
  for (size_t i = 0; i < sizeof(text) - 1; i++) {
    ws_slice body;
    bool done;
    CHECK_INT(ws_http_chunks_feed(&chunks, text + i, 1, &body, &done), 1);
    CHECK_INT(ws_http_chunks_left(&chunks), i >= 3 && i < 22 ? 21 - i : 0);
  }
}

TEST(sizes_in_either_case) {
  static const char lower[] = "a\r\n0123456789\r\nf\r\n0123456789abcde\r\n";
  static const char upper[] = "A\r\n0123456789\r\nF\r\n0123456789abcde\r\n";
  unchunked got = unchunk(lower, sizeof(lower) - 1, 1, 1);
  CHECK_BYTES(got.body, got.len, "01234567890123456789abcde");
  got = unchunk(upper, sizeof(upper) - 1, 3, 3);
  CHECK_BYTES(got.body, got.len, "01234567890123456789abcde");
  CHECK_INT(unchunk("g\r\n", 3, 3, 1).status, WS_EHTTP);
  CHECK_INT(unchunk("@\r\n", 3, 3, 1).status, WS_EHTTP);
  CHECK_INT(unchunk("`\r\n", 3, 3, 1).status, WS_EHTTP);
}

/* The longest that are allowed, and one byte more. */
TEST(longest_size_line_and_trailers) {
  static char text[10000];
  for (size_t extra = 0; extra < 2; extra++) {
    size_t len = (size_t)sprintf(text, "1;");
    while (len < 254 + extra) text[len++] = 'x';
    len += (size_t)sprintf(text + len, "\r\nb\r\n0\r\n\r\n");
    CHECK_INT(unchunk(text, len, len, 1).status, extra ? WS_EHTTP : WS_OK);
    len = (size_t)sprintf(text, "1\r\nb\r\n1;"); /* each line by itself */
    while (len < 6 + 254 + extra) text[len++] = 'x';
    len += (size_t)sprintf(text + len, "\r\nb\r\n0\r\n\r\n");
    CHECK_INT(unchunk(text, len, len, 1).status, extra ? WS_EHTTP : WS_OK);
    len = (size_t)sprintf(text, "0\r\n");
    while (len < 3 + 8188 + extra) text[len++] = 'x';
    len += (size_t)sprintf(text + len, "\r\n\r\n");
    CHECK_INT(unchunk(text, len, len, 1).status, extra ? WS_EHTTP : WS_OK);
  }
}

/* What is not part of the body is limited, too. */
TEST(endless_extensions_and_trailers) {
  static const char *const starts[] = {"5;", "0\r\na", "0000", "5 "};
  static const char fills[] = {'x', 'x', '0', ' '};
  for (size_t i = 0; i < 4; i++) {
    ws_http_chunks chunks = {0};
    ws_slice body;
    bool done;
    ptrdiff_t used = ws_http_chunks_feed(&chunks, starts[i],
                                         strlen(starts[i]), &body, &done);
    size_t count = 0;
    for (; used >= 0 && count < 100000; count++)
      used = ws_http_chunks_feed(&chunks, &fills[i], 1, &body, &done);
    CHECK_INT(used, WS_EHTTP);
    CHECK(count < 10000);
  }
}

/* ---------------------------------------------------------------- writing */

TEST(reasons) {
  CHECK(strcmp(ws_http_reason(101), "Switching Protocols") == 0);
  CHECK(strcmp(ws_http_reason(404), "Not Found") == 0);
  CHECK(strcmp(ws_http_reason(426), "Upgrade Required") == 0);
  CHECK(strcmp(ws_http_reason(431), "Request Header Fields Too Large") == 0);
  CHECK(strcmp(ws_http_reason(299), "") == 0);
}

/* R26, A15 */
TEST(r26_headers_are_written_or_refused) {
  ws_buffer into;
  ws_buffer_init(&into, ws_memory_resize, 0);
  CHECK_INT(ws_http_write_header(&into, ws_slice_of("A"), ws_slice_of("b c")),
            WS_OK);
  CHECK_INT(ws_http_write_header(&into, ws_slice_of("D"), ws_slice_of("")),
            WS_OK);
  CHECK_BYTES(into.data, into.len, "A: b c\r\nD: \r\n");
  for (int byte = 0; byte < 256; byte++) {
    char text[] = {'x', (char)byte, 'y'};
    ws_slice slice = {text, 3};
    bool value_good = (byte >= 0x20 || byte == '\t') && byte != 0x7f;
    CHECK_INT(ws_http_value_ok(slice), value_good);
    size_t before = into.len;
    CHECK_INT(ws_http_write_header(&into, ws_slice_of("A"), slice),
              value_good ? WS_OK : WS_EINVAL);
    CHECK((into.len > before) == value_good);
    before = into.len;
    bool name_good = ws_slice_is_token(slice);
    CHECK_INT(ws_http_write_header(&into, slice, ws_slice_of("v")),
              name_good ? WS_OK : WS_EINVAL);
    CHECK((into.len > before) == name_good);
  }
  ws_buffer_deinit(&into);
}

TEST(a_header_is_written_whole_or_not_at_all) {
  char memory[16];
  for (size_t size = 0; size <= 9; size++) {
    ws_buffer into;
    ws_buffer_init_fixed(&into, memory, size);
    int status =
        ws_http_write_header(&into, ws_slice_of("Abc"), ws_slice_of("de"));
    CHECK((status == WS_OK) == (size >= 9));
    CHECK_INT(into.len, status == WS_OK ? 9 : 0);
  }
}

static void read_head(const char *text, size_t len) {
  size_t scanned = 0;
  for (size_t cut = 0; cut <= len; cut += 64)
    if (ws_http_find_end(text, cut, &scanned) > 0) break;
  int status = ws_http_parse_request(&head, text, len);
  CHECK(status != WS_OK || !ws_http_has_token(&head, "A", "b"));
}

/* A2 and A4 */
TEST(time_is_linear) {
  static const char *const pieces[] = {",", "a,", " ", "\"", "\\", ":",
                                       "a:\r\n", "\n", "\r\n", "\r",
                                       "\",\""};
  for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++)
    dear_is_cheap((dear_text){"GET / HTTP/1.1\r\nA: ", pieces[i],
                              "\r\n\r\n", read_head});
}

int main(void) {
  RUN(end_is_found_at_every_cut);
  RUN(end_is_found_byte_by_byte);
  RUN(end_leaves_what_follows);
  RUN(a_request_is_cut_into_slices);
  RUN(a_cut_request_is_an_error);
  RUN(r2_request_lines);
  RUN(an_empty_line_before_a_request_is_skipped);
  RUN(r2_unknown_major_version);
  RUN(targets_are_raw_visible_ascii);
  RUN(r19_bad_lines_are_errors);
  RUN(every_byte_in_every_place);
  RUN(r18_one_hundred_headers);
  RUN(s52_status_lines);
  RUN(s50_what_is_no_response);
  RUN(tokens_are_found_in_lists);
  RUN(r17_how_a_body_is_delimited);
  RUN(http_1_0_has_no_chunks);
  RUN(chunks_at_every_cut);
  RUN(bad_chunks_are_errors);
  RUN(blanks_before_an_extension);
  RUN(every_byte_in_extensions_and_trailers);
  RUN(a_chunk_of_2_64_minus_1_bytes);
  RUN(what_is_left_of_a_chunk);
  RUN(sizes_in_either_case);
  RUN(longest_size_line_and_trailers);
  RUN(endless_extensions_and_trailers);
  RUN(reasons);
  RUN(r26_headers_are_written_or_refused);
  RUN(a_header_is_written_whole_or_not_at_all);
  RUN(time_is_linear);
  return check_done();
}
