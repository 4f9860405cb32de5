/* SPDX-License-Identifier: MIT */
/* The opening handshake: what is written, byte for byte, and how what comes is
 * judged (S41 to S65, R1 to R26; A4, A6 to A9, A13 to A16, A21, A25). */
#include "dear_text.h"

#include "bytes/memory.h"
#include "bytes/status.h"
#include "protocol/handshake.h"

static const ws_http_head get = {.method = {"GET", 3}};
static const ws_http_head head_only = {.method = {"HEAD", 4}};

#define S(text) {text, sizeof(text) - 1}

static ws_http_head head;
static ws_handshake_verdict verdict;

static bool same(ws_slice slice, const char *text) {
  return ws_slice_equal(slice, ws_slice_of(text));
}

static char *guarded(const char *text) {
  size_t len = strlen(text);
  char *copy = (char *)check_guarded(len);
  memcpy(copy, text, len);
  return copy;
}

/* ---------------------------------------------------------------- shared */

/* S55, R23: the RFC's own example, and one more. */
TEST(r23_accept) {
  char accept[WS_ACCEPT_LENGTH];
  ws_handshake_accept(ws_slice_of("dGhlIHNhbXBsZSBub25jZQ=="), accept);
  CHECK_BYTES(accept, sizeof(accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  ws_handshake_accept(ws_slice_of("x3JJHMbDL1EzLkh9GBhXDw=="), accept);
  CHECK_BYTES(accept, sizeof(accept), "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

/* S26, S27 */
TEST(s26_protocol_lists) {
  const char *why = NULL;
  const ws_slice good[] = {S("a"), S("A"), S("!#$%&'*+-.^_`|~9")};
  CHECK_INT(ws_handshake_check_protocols(good, 3, &why), WS_OK);
  CHECK_INT(ws_handshake_check_protocols(NULL, 0, &why), WS_OK);
  CHECK(why == NULL);
  const ws_slice twice[] = {S("a"), S("b"), S("a")};
  CHECK_INT(ws_handshake_check_protocols(twice, 2, &why), WS_OK);
  CHECK_INT(ws_handshake_check_protocols(twice, 3, &why), WS_EINVAL);
  CHECK(why != NULL);
  const ws_slice bad[] = {S(""),     S("a b"),  S("a,b"),    S("/a"),
                          S("a\0"),  S("a\177"), S("\xc3\xa9"), S("a\r\nb"),
                          S("\"a\""), S("a=b")};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
    CHECK_INT(ws_handshake_check_protocols(&bad[i], 1, &why), WS_EINVAL);
}

TEST(headers_the_handshake_owns) {
  static const char *const owned[] = {
      "host", "UPGRADE", "Connection", "content-length", "Transfer-Encoding",
      "Sec-WebSocket-Key", "sec-websocket-", "Sec-WebSocket-Anything"};
  static const char *const free_ones[] = {"Origin", "Cookie", "Hosts", "",
                                          "Sec-WebSocket", "X-Host",
                                          "Authorization", "Sec-Fetch-Mode"};
  for (size_t i = 0; i < 8; i++) {
    CHECK(ws_handshake_owns(ws_slice_of(owned[i])));
    CHECK(!ws_handshake_owns(ws_slice_of(free_ones[i])));
  }
  /* A name ends with its slice, whatever follows in memory. */
  CHECK(!ws_handshake_owns((ws_slice){"Sec-WebSocket-Key", 13}));
}

/* ------------------------------------------------------- client's request */

static const uint8_t nonce[] = "the sample nonce"; /* the RFC's example */

static const ws_slice two[] = {S("chat"), S("superchat")};

static const ws_handshake_request plain_request = {
    S("/a?b"), S("h:81"), {NULL, 0}, {NULL, 0}, {NULL, 0}, NULL, 0, NULL, 0};

static int write_request(ws_buffer *into, const ws_handshake_request *request) {
  char accept[WS_ACCEPT_LENGTH];
  ws_buffer_init(into, ws_memory_resize, 0);
  return ws_handshake_write_request(into, request, nonce, accept);
}

static void request_fails(const ws_handshake_request *request) {
  ws_buffer into;
  CHECK_INT(write_request(&into, request), WS_EINVAL);
  CHECK_INT(into.len, 0);
  ws_buffer_deinit(&into);
}

/* S41, S42, S44, S46, S47 */
TEST(s42_the_least_request) {
  ws_buffer into;
  char accept[WS_ACCEPT_LENGTH];
  ws_buffer_init(&into, ws_memory_resize, 0);
  CHECK_INT(ws_handshake_write_request(&into, &plain_request, nonce, accept),
            WS_OK);
  CHECK_BYTES(into.data, into.len,
              "GET /a?b HTTP/1.1\r\nHost: h:81\r\nUpgrade: websocket\r\n"
              "Connection: Upgrade\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
              "Sec-WebSocket-Version: 13\r\n\r\n");
  CHECK_BYTES(accept, sizeof(accept), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  ws_buffer_deinit(&into);
}

/* S28, S46 to S48 */
TEST(s46_the_whole_request) {
  const ws_header users[] = {{S("X-A"), S("b")}, {S("X-Empty"), S("")}};
  ws_handshake_request request = plain_request;
  request.origin = ws_slice_of("http://h");
  request.authorization = ws_slice_of("Basic dTpw");
  request.extensions = ws_slice_of("permessage-deflate");
  request.protocols = two;
  request.protocol_count = 2;
  request.headers = users;
  request.header_count = 2;
  ws_buffer into;
  CHECK_INT(write_request(&into, &request), WS_OK);
  CHECK_BYTES(into.data, into.len,
              "GET /a?b HTTP/1.1\r\nHost: h:81\r\nUpgrade: websocket\r\n"
              "Connection: Upgrade\r\n"
              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
              "Sec-WebSocket-Version: 13\r\n"
              "Sec-WebSocket-Extensions: permessage-deflate\r\n"
              "Origin: http://h\r\nAuthorization: Basic dTpw\r\n"
              "Sec-WebSocket-Protocol: chat, superchat\r\n"
              "X-A: b\r\nX-Empty: \r\n\r\n");
  CHECK_INT(ws_http_parse_request(&head, (char *)into.data, into.len), WS_OK);
  ws_handshake_judge_request(&head, &verdict);
  CHECK_INT(verdict.kind, WS_REQUEST_UPGRADE);
  ws_buffer_deinit(&into);
}

TEST(a_users_origin_and_authorization_replace_ours) {
  const ws_header users[] = {{S("origin"), S("http://x")},
                             {S("AUTHORIZATION"), S("Bearer y")}};
  ws_handshake_request request = plain_request;
  request.origin = ws_slice_of("http://h");
  request.authorization = ws_slice_of("Basic dTpw");
  request.headers = users;
  request.header_count = 2;
  ws_buffer into;
  CHECK_INT(write_request(&into, &request), WS_OK);
  CHECK_INT(ws_http_parse_request(&head, (char *)into.data, into.len), WS_OK);
  CHECK_INT(ws_http_count(&head, "Origin"), 1);
  CHECK_INT(ws_http_count(&head, "Authorization"), 1);
  CHECK(same(ws_http_find(&head, "Origin")->value, "http://x"));
  ws_buffer_deinit(&into);
}

/* S47, R26, A15, A28: nothing that would split the head is written. */
TEST(s47_what_may_not_stand_there) {
  const ws_header bad[] = {
      {S("Host"), S("x")},        {S("Sec-WebSocket-Foo"), S("x")},
      {S("a b"), S("x")},         {S(""), S("x")},
      {S("a"), S("x\r\nb: c")},   {S("a"), S("x\n")},
      {S("a"), S("x\0")},         {S("a:"), S("x")},
      {S("a\r\nb"), S("x")},      {S("a"), S("\x7f")}};
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    ws_handshake_request request = plain_request;
    request.headers = &bad[i];
    request.header_count = 1;
    request_fails(&request);
  }
  const ws_slice targets[] = {S(""),      S("a"),         S("/ "),
                              S("/\r\n"), S("/\0"),       S("/\xc3\xa9"),
                              S("/\x7f"), S("http://h/")};
  for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
    ws_handshake_request request = plain_request;
    request.target = targets[i];
    request_fails(&request);
  }
  const ws_slice values[] = {S("a\r\nb"), S("a\nb"), S("a\0b"), S("a\x7f")};
  for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
    ws_handshake_request request = plain_request;
    request.host = values[i];
    request_fails(&request);
    request = plain_request;
    request.origin = values[i];
    request_fails(&request);
    request = plain_request;
    request.authorization = values[i];
    request_fails(&request);
    request = plain_request;
    request.extensions = values[i];
    request_fails(&request);
    request = plain_request;
    request.protocols = &values[i];
    request.protocol_count = 1;
    request_fails(&request);
  }
  ws_handshake_request request = plain_request;
  request.host.len = 0;
  request_fails(&request);
}

/* If the room is too small, by however little, nothing is left behind. */
TEST(a_request_is_written_whole_or_not_at_all) {
  ws_handshake_request request = plain_request;
  char memory[2048], accept[WS_ACCEPT_LENGTH], path[400];
  memset(path, 'x', sizeof path);
  path[0] = '/';
  /* Each part is longer than what follows it. */
  const ws_slice protocols[] = {{path + 1, 200}, S("chat")};
  request.target = (ws_slice){path, sizeof path};
  request.protocols = protocols;
  request.protocol_count = 2;
  ws_buffer into;
  ws_buffer_init_fixed(&into, memory, sizeof memory);
  CHECK_INT(ws_handshake_write_request(&into, &request, nonce, accept), WS_OK);
  size_t whole = into.len;
  for (size_t size = 0; size <= whole; size++) {
    ws_buffer_init_fixed(&into, memory, size);
    int status = ws_handshake_write_request(&into, &request, nonce, accept);
    CHECK_INT(status == WS_OK, size == whole);
    CHECK_INT(into.len, size == whole ? whole : 0);
  }
}

/* ------------------------------------------------------ server's response */

#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define PROOF "Sec-WebSocket-Accept: " ACCEPT "\r\n"
#define GOOD UPGRADE CONNECTION PROOF

typedef struct response_row {
  const char *lines; /* after the status line */
  bool good;
} response_row;

static ws_handshake_answer answer;

static int judge(const char *first, const char *lines, size_t protocols,
                 bool extensions) {
  char text[1024];
  const char *why = NULL;
  snprintf(text, sizeof(text), "%s\r\n%s\r\n", first, lines);
  int status = ws_http_parse_response(&head, guarded(text), strlen(text));
  if (!CHECK_INT(status, WS_OK)) fprintf(stderr, "  %s", text);
  status = ws_handshake_judge_response(&head, ACCEPT, two, protocols,
                                       extensions, &answer, &why);
  CHECK((status == WS_OK) == (why == NULL));
  return status;
}

static void judge_all(const response_row *rows, size_t count, size_t protocols,
                      bool extensions) {
  for (size_t i = 0; i < count; i++) {
    int status =
        judge("HTTP/1.1 101 x", rows[i].lines, protocols, extensions);
    if (!CHECK_INT(status, rows[i].good ? WS_OK : WS_EHANDSHAKE))
      fprintf(stderr, "%s\n", rows[i].lines);
  }
}

#define JUDGE(rows, protocols, extensions) \
  judge_all(rows, sizeof(rows) / sizeof(*rows), protocols, extensions)

/* S52, X9 */
TEST(s52_version_and_reason) {
  CHECK_INT(judge("HTTP/1.1 101 Whatever:", GOOD, 0, false), WS_OK);
  CHECK_INT(judge("HTTP/1.1 101", GOOD, 0, false), WS_OK);
  CHECK_INT(judge("HTTP/1.2 101 x", GOOD, 0, false), WS_OK);
  CHECK_INT(judge("HTTP/1.0 101 x", GOOD, 0, false), WS_EHANDSHAKE);
  CHECK_INT(judge("HTTP/1.1 200 x", GOOD, 0, false), WS_EHANDSHAKE);
  CHECK_INT(answer.protocol.len, 0);
}

/* S53 to S55, S63, S65, A7 and A21 */
TEST(s53_upgrade_connection_accept) {
  static const response_row rows[] = {
      {GOOD, true},
      {"upgrade: WebSocket\r\nCONNECTION:upgrade\r\nsec-websocket-ACCEPT:"
       "  \t" ACCEPT " \t\r\nX: y\r\n", true},
      {GOOD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", true},
      {CONNECTION PROOF, false},
      {"Upgrade: websocket, foo\r\n" CONNECTION PROOF, false},
      {"Upgrade: websocket/13\r\n" CONNECTION PROOF, false},
      {"Upgrade:\r\n" CONNECTION PROOF, false},
      {UPGRADE UPGRADE CONNECTION PROOF, false},
      {UPGRADE PROOF, false},
      {UPGRADE "Connection: keep-alive, upgrade\r\n" PROOF, true},
      {UPGRADE "Connection: close\r\nConnection: UPGRADE\r\n" PROOF, true},
      {UPGRADE "Connection: notupgrade\r\n" PROOF, false},
      {UPGRADE CONNECTION, false},
      {UPGRADE CONNECTION PROOF PROOF, false},
      {UPGRADE CONNECTION "Sec-WebSocket-Accept:\r\n", false},
      {UPGRADE CONNECTION "Sec-WebSocket-Accept: " ACCEPT "x\r\n", false},
      {UPGRADE CONNECTION
       "Sec-WebSocket-Accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n", false},
      {UPGRADE CONNECTION
       "Sec-WebSocket-Accept: HSmrc0sMlYUkAGmm5OPpG2HaGWk=\r\n", false},
      {UPGRADE CONNECTION "Sec-WebSocket-Accept: s3pPLMBi\r\n", false},
  };
  JUDGE(rows, 0, false);
}

#define PROTOCOL "Sec-WebSocket-Protocol: "

/* S56 to S59, A25 */
TEST(s56_subprotocol) {
  static const response_row asked[] = {
      {GOOD PROTOCOL "superchat\r\n", true},
      {GOOD PROTOCOL "\tchat \r\n", true},
      {GOOD, false}, /* S57 */
      {GOOD PROTOCOL "\r\n", false},
      {GOOD PROTOCOL "Chat\r\n", false},
      {GOOD PROTOCOL "chat2\r\n", false},
      {GOOD PROTOCOL "chat, superchat\r\n", false},
      {GOOD PROTOCOL "chat,\r\n", false},
      {GOOD PROTOCOL "\"chat\"\r\n", false},
      {GOOD PROTOCOL "chat\r\n" PROTOCOL "chat\r\n", false},
  };
  static const response_row not_asked[] = {
      {GOOD, true},
      {GOOD PROTOCOL "chat\r\n", false},
      {GOOD PROTOCOL "\r\n", false},
  };
  JUDGE(asked, 2, false);
  JUDGE(not_asked, 0, false);
  CHECK_INT(judge("HTTP/1.1 101 x", GOOD PROTOCOL "superchat\r\n", 1, false),
            WS_EHANDSHAKE);
  CHECK_INT(judge("HTTP/1.1 101 x", GOOD PROTOCOL " superchat\r\n", 2, false),
            WS_OK);
  CHECK(same(answer.protocol, "superchat"));
  CHECK_INT(answer.extensions.len, 0);
}

#define EXTENSIONS "Sec-WebSocket-Extensions: "

/* S60 to S62, X15 */
TEST(s60_extensions) {
  static const response_row offered[] = {
      {GOOD, true},
      {GOOD EXTENSIONS "permessage-deflate\r\n", true},
      {GOOD EXTENSIONS "permessage-deflate; a=\"1\" ; b\r\n", true},
      {GOOD EXTENSIONS "permessage-deflate, foo\r\n", true},
      {GOOD EXTENSIONS "\r\n", false},
      {GOOD EXTENSIONS "permessage-deflate;\r\n", false},
      {GOOD EXTENSIONS "permessage-deflate,\r\n", false},
      {GOOD EXTENSIONS ",permessage-deflate\r\n", false},
      {GOOD EXTENSIONS "permessage-deflate;a=\r\n", false},
      {GOOD EXTENSIONS "permessage-deflate, permessage-deflate\r\n", false},
      {GOOD EXTENSIONS "permessage-deflate\r\n" EXTENSIONS "foo\r\n", false},
  };
  static const response_row not_offered[] = {
      {GOOD EXTENSIONS "foo\r\n", false},
      {GOOD EXTENSIONS "permessage-deflate\r\n", false},
      {GOOD EXTENSIONS "\r\n", false},
  };
  JUDGE(offered, 0, true);
  JUDGE(not_offered, 0, false);
  CHECK_INT(judge("HTTP/1.1 101 x", GOOD EXTENSIONS " a; b=1\r\n", 0, true),
            WS_OK);
  CHECK(same(answer.extensions, "a; b=1"));
}

/* -------------------------------------------------------- server's verdict */

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define HOST "Host: h:81\r\n"
#define ASK UPGRADE CONNECTION
#define ALL HOST ASK KEY VERSION
#define GET "GET / HTTP/1.1\r\n"

typedef struct request_row {
  const char *text; /* without the empty line */
  int kind;
  unsigned status;
} request_row;

static void judge_request(const char *text) {
  char whole[8192];
  snprintf(whole, sizeof(whole), "%s\r\n", text);
  int status = ws_http_parse_request(&head, guarded(whole), strlen(whole));
  if (!CHECK_INT(status, WS_OK)) fprintf(stderr, "  %s", text);
  ws_handshake_judge_request(&head, &verdict);
}

static void expect_rows(const request_row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    judge_request(rows[i].text);
    bool right = (int)verdict.kind == rows[i].kind;
    if (verdict.kind == WS_REQUEST_REFUSED)
      right = right && verdict.status == rows[i].status && verdict.why != NULL;
    if (!CHECK(right))
      fprintf(stderr, "  kind %d status %u for %s\n", (int)verdict.kind,
              verdict.status, rows[i].text);
  }
}

#define EXPECT(rows) expect_rows(rows, sizeof(rows) / sizeof(*rows))
#define YES WS_REQUEST_UPGRADE, 0
#define PLAIN WS_REQUEST_PLAIN, 0
#define NO(status) WS_REQUEST_REFUSED, status

TEST(a_good_request) {
  judge_request(GET ALL);
  CHECK_INT(verdict.kind, WS_REQUEST_UPGRADE);
  CHECK_BYTES(verdict.accept, WS_ACCEPT_LENGTH, ACCEPT);
  /* R23: blanks around the key are not part of it. */
  judge_request(GET HOST ASK VERSION
                "Sec-WebSocket-Key:\t x3JJHMbDL1EzLkh9GBhXDw== \r\n");
  CHECK_INT(verdict.kind, WS_REQUEST_UPGRADE);
  CHECK_BYTES(verdict.accept, WS_ACCEPT_LENGTH,
              "HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
}

/* R1, R2 */
TEST(r1_method_and_version) {
  static const request_row rows[] = {
      {"POST / HTTP/1.1\r\n" ALL, NO(405)},
      {"get / HTTP/1.1\r\n" ALL, NO(405)},
      {"OPTIONS * HTTP/1.1\r\n" ALL, NO(405)},
      {"GET / HTTP/1.0\r\n" ALL, NO(400)},
      {"GET / HTTP/1.2\r\n" ALL, YES},
  };
  EXPECT(rows);
}

/* R3, A12 */
TEST(r3_targets) {
  static const request_row rows[] = {
      {"GET /chat?x=/../%00 HTTP/1.1\r\n" ALL, YES},
      {"GET //h HTTP/1.1\r\n" ALL, YES},
      {"GET http://h/x HTTP/1.1\r\n" ALL, YES},
      {"GET HTTPS://h HTTP/1.1\r\n" ALL, YES},
      {"GET * HTTP/1.1\r\n" ALL, NO(400)},
      {"GET x HTTP/1.1\r\n" ALL, NO(400)},
      {"GET ftp://h/ HTTP/1.1\r\n" ALL, NO(400)},
      {"GET http:// HTTP/1.1\r\n" ALL, NO(400)},
      {"GET http:///x HTTP/1.1\r\n" ALL, NO(400)},
      {"GET http://:80/ HTTP/1.1\r\n" ALL, NO(400)},
      {"GET http://u@h/ HTTP/1.1\r\n" ALL, NO(400)},
      {"GET http://h:65536/ HTTP/1.1\r\n" ALL, NO(400)},
      {"GET https://?x HTTP/1.1\r\n" ALL, NO(400)},
      {"GET http://[::1]:81?x HTTP/1.1\r\n" ALL, YES},
      {"GET /#x HTTP/1.1\r\n" ALL, NO(400)},
      {"OPTIONS * HTTP/1.1\r\n" HOST, PLAIN},
      {"GET * HTTP/1.1\r\n" HOST, NO(400)},
      {"CONNECT h:80 HTTP/1.1\r\n" HOST, NO(400)},
  };
  EXPECT(rows);
}

/* R4, A13, both for upgrades and for plain HTTP */
TEST(r4_host) {
  static const request_row rows[] = {
      {GET ASK KEY VERSION, NO(400)},
      {GET HOST ALL, NO(400)},
      {GET "Host:\r\n" ASK KEY VERSION, NO(400)},
      {GET "Host: a b\r\n" ASK KEY VERSION, NO(400)},
      {GET "Host: [::1\r\n" ASK KEY VERSION, NO(400)},
      {GET "Host: :99999\r\n" ASK KEY VERSION, NO(400)},
      {GET "Host: h:99999\r\n" ASK KEY VERSION, NO(400)},
      {GET "Host: [::1]:81\r\n" ASK KEY VERSION, YES},
      {GET "X: y\r\n", NO(400)},
      {GET HOST HOST, NO(400)},
      {GET "Host: a b\r\n", NO(400)},
      {"GET / HTTP/1.0\r\nX: y\r\n", PLAIN},
      {"GET / HTTP/1.0\r\n" HOST HOST, NO(400)},
  };
  EXPECT(rows);
}

/* R5, R6, A7 */
TEST(r5_upgrade_and_connection) {
  static const request_row rows[] = {
      {GET HOST "Upgrade: h2c, WebSocket\r\n" CONNECTION KEY VERSION, YES},
      {GET HOST "Upgrade: h2c\r\n" UPGRADE CONNECTION KEY VERSION, YES},
      {GET HOST UPGRADE "Connection: keep-alive, Upgrade\r\n" KEY VERSION,
       YES},
      {GET HOST UPGRADE "Connection: keep-alive\r\n" CONNECTION KEY VERSION,
       YES},
      {GET HOST CONNECTION KEY VERSION, NO(400)},
      {GET HOST "Upgrade: websockets\r\n" CONNECTION KEY VERSION, NO(400)},
      {GET HOST UPGRADE KEY VERSION, NO(400)},
      {GET HOST UPGRADE "Connection: notupgrade\r\n" KEY VERSION, NO(400)},
      {GET HOST UPGRADE, NO(400)},
      {GET HOST CONNECTION VERSION, PLAIN},
      {GET HOST "Upgrade: h2c\r\n" CONNECTION, PLAIN},
      {GET HOST, PLAIN},
  };
  EXPECT(rows);
}

#define KEYED(value) GET HOST ASK VERSION "Sec-WebSocket-Key: " value "\r\n"

/* R7, A6 */
TEST(r7_key) {
  static const request_row rows[] = {
      {GET HOST ASK VERSION, NO(400)},
      {GET ALL KEY, NO(400)},
      {KEYED(""), NO(400)},
      {KEYED("dGhlIHNhbXBsZSBub25jZQ="), NO(400)},
      {KEYED("dGhlIHNhbXBsZSBub25jZQ==="), NO(400)},
      {KEYED("dGhlIHNhbXBsZSBub25jZQAA"), NO(400)}, /* 18 bytes */
      {KEYED("dGhlIHNhbXBsZSBub25jZQA="), NO(400)}, /* 17 */
      {KEYED("dGhlIHNhbXBsZSBub25j"), NO(400)},     /* 15 */
      {KEYED("dGhlIHNhbXBsZSBub25j===="), NO(400)},
      {KEYED("dGhlIHNhbXBsZSBub25jZ*=="), NO(400)},
      {KEYED("dGhlIHNhbXBsZSBub2 jZQ=="), NO(400)},
      {KEYED("dGhlIHNhbXBsZS=ub25jZQ=="), NO(400)},
      {KEYED("AQIDBAUGBwgJCgsMDQ4PEC=="), YES}, /* padding bits as in RFC */
  };
  EXPECT(rows);
}

#define VERSIONED(value) \
  GET HOST ASK KEY "Sec-WebSocket-Version: " value "\r\n"

/* R8, R9, A8 */
TEST(r8_version) {
  static const request_row rows[] = {
      {VERSIONED("8"), NO(426)},        {VERSIONED("13, 8"), NO(426)},
      {VERSIONED("013"), NO(426)},      {VERSIONED("12"), NO(426)},
      {VERSIONED(""), NO(426)},         {VERSIONED(" 13\t"), YES},
      {GET HOST ASK KEY, NO(400)},      {GET ALL VERSION, NO(400)},
      {GET HOST ASK "Sec-WebSocket-Version: 8\r\n", NO(426)},
  };
  EXPECT(rows);
}

/* R13: all lines form one list; X15: empty items are skipped. */
TEST(r13_protocols) {
  static const request_row rows[] = {
      {GET ALL PROTOCOL "a, B\r\n" PROTOCOL "b,A\r\n", YES},
      {GET ALL PROTOCOL ",a,, b ,\r\n", YES},
      {GET ALL PROTOCOL "\r\n" PROTOCOL "a\r\n", YES},
      {GET ALL PROTOCOL "\r\n", NO(400)},
      {GET ALL PROTOCOL ", ,\r\n", NO(400)},
      {GET ALL PROTOCOL "a b\r\n", NO(400)},
      {GET ALL PROTOCOL "a, b/c\r\n", NO(400)},
      {GET ALL PROTOCOL "\"a\"\r\n", NO(400)},
      {GET ALL PROTOCOL "a, b, a\r\n", NO(400)},
      {GET ALL PROTOCOL "a\r\n" PROTOCOL "a\r\n", NO(400)},
  };
  EXPECT(rows);
}

TEST(r13_not_too_many_protocols) {
  for (int count = 63; count <= 66; count++) {
    char text[4096];
    size_t len = (size_t)sprintf(text, GET ALL PROTOCOL);
    for (int i = 0; i < count; i++)
      len += (size_t)sprintf(text + len, "p%d,", i);
    sprintf(text + len, "\r\n");
    judge_request(text);
    CHECK_INT(verdict.kind,
              count <= WS_PROTOCOLS_MAX ? WS_REQUEST_UPGRADE
                                        : WS_REQUEST_REFUSED);
  }
}

/* R15, R45, R51, X15 */
TEST(r15_extensions) {
  static const request_row rows[] = {
      {GET ALL EXTENSIONS "permessage-deflate; client_max_window_bits\r\n",
       YES},
      {GET ALL EXTENSIONS "x-foo, a; b=\"1\"\r\n" EXTENSIONS "c\r\n", YES},
      {GET ALL EXTENSIONS ",a,,b,\r\n", YES},
      {GET ALL EXTENSIONS ",\r\n" EXTENSIONS "a\r\n", YES},
      {GET ALL EXTENSIONS "a; server_no_context_takeover=\"\"\r\n", YES},
      {GET ALL EXTENSIONS "\r\n", NO(400)},
      {GET ALL EXTENSIONS ",\r\n", NO(400)},
      {GET ALL EXTENSIONS "permessage-deflate;\r\n", NO(400)},
      {GET ALL EXTENSIONS "permessage-deflate;;\r\n", NO(400)},
      {GET ALL EXTENSIONS "permessage-deflate; a b\r\n", NO(400)},
      {GET ALL EXTENSIONS "a; b=\"\r\n", NO(400)},
      {GET ALL EXTENSIONS "a\r\n" EXTENSIONS "b;\r\n", NO(400)},
  };
  EXPECT(rows);
}

/* R17, A9 and A10 */
TEST(r17_bodies) {
  static const request_row rows[] = {
      {GET ALL "Content-Length: 0\r\n", YES},
      {GET ALL "Content-Length: 1\r\n", NO(400)},
      {GET ALL "Transfer-Encoding: chunked\r\n", NO(400)},
      {GET ALL "Content-Length: -1\r\n", NO(400)},
      {GET ALL "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", NO(400)},
      {"POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n", NO(400)},
      {"POST / HTTP/1.1\r\n" HOST
       "Content-Length: 5\r\nContent-Length: 6\r\n", NO(400)},
      {"POST / HTTP/1.1\r\n" HOST
       "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", NO(400)},
      {"BREW / HTTP/1.1\r\n" HOST, PLAIN},
  };
  EXPECT(rows);
  judge_request("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n");
  CHECK_INT(verdict.kind, WS_REQUEST_PLAIN);
  CHECK_INT(verdict.body, WS_BODY_LENGTH);
  CHECK_INT(verdict.body_length, 5);
  judge_request("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n");
  CHECK_INT(verdict.kind, WS_REQUEST_PLAIN);
  CHECK_INT(verdict.body, WS_BODY_CHUNKED);
}

/* R14, R24, A16 */
TEST(r24_what_was_offered) {
  ws_slice got;
  judge_request(GET ALL PROTOCOL "a,, b\r\nX: c\r\n" PROTOCOL "\r\n" PROTOCOL
                    " C ,\r\n");
  ws_offer_walk walk = {.head = &head};
  CHECK(ws_handshake_next_offer(&walk, &got) && same(got, "a"));
  CHECK(ws_handshake_next_offer(&walk, &got) && same(got, "b"));
  CHECK(ws_handshake_next_offer(&walk, &got) && same(got, "C"));
  CHECK(!ws_handshake_next_offer(&walk, &got));
  CHECK(!ws_handshake_next_offer(&walk, &got));
  CHECK(ws_handshake_offers(&head, ws_slice_of("a")));
  CHECK(ws_handshake_offers(&head, ws_slice_of("C")));
  CHECK(!ws_handshake_offers(&head, ws_slice_of("c")));
  CHECK(!ws_handshake_offers(&head, ws_slice_of("")));
  judge_request(GET ALL);
  walk = (ws_offer_walk){.head = &head};
  CHECK(!ws_handshake_next_offer(&walk, &got));
  CHECK(!ws_handshake_offers(&head, ws_slice_of("a")));
}

static void read_offers(const char *text, size_t len) {
  ws_offer_walk walk = {.head = &head};
  ws_slice got;
  size_t count = 0;
  CHECK_INT(ws_http_parse_request(&head, text, len), WS_OK);
  ws_handshake_judge_request(&head, &verdict);
  while (ws_handshake_next_offer(&walk, &got)) count++;
  CHECK(count < len);
}

/* A4 */
TEST(time_is_linear) {
  static const char *const pieces[] = {",", ";", " ", "\"", "a,", ",\"",
                                       ";b=\"\\c\"", ";b", "\\c"};
  static const char *const fronts[] = {
      GET ALL PROTOCOL "b", GET ALL EXTENSIONS "a; b=\"",
      GET ALL EXTENSIONS "a", GET HOST KEY VERSION UPGRADE "Connection: "};
  for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++)
    for (size_t j = 0; j < sizeof(fronts) / sizeof(*fronts); j++)
      dear_is_cheap(
          (dear_text){fronts[j], pieces[i], "x\r\n\r\n", read_offers});
}

/* ------------------------------------------------------- server's answers */

static const char accept_value[] = ACCEPT;
static const ws_slice none = {NULL, 0};

/* R22, R24, R25 */
TEST(r22_the_101) {
  ws_buffer into;
  ws_buffer_init(&into, ws_memory_resize, 0);
  CHECK_INT(ws_handshake_write_accept(&into, accept_value, none, none, NULL,
                                      0),
            WS_OK);
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
              "Connection: Upgrade\r\n" PROOF "\r\n");
  into.len = 0;
  const ws_header users[] = {{S("Set-Cookie"), S("a=b")}};
  CHECK_INT(ws_handshake_write_accept(&into, accept_value,
                                      ws_slice_of("chat"), ws_slice_of("x; y"),
                                      users, 1),
            WS_OK);
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
              "Connection: Upgrade\r\n" PROOF PROTOCOL "chat\r\n" EXTENSIONS
              "x; y\r\nSet-Cookie: a=b\r\n\r\n");
  CHECK_INT(ws_http_parse_response(&head, (char *)into.data, into.len), WS_OK);
  const char *why;
  CHECK_INT(ws_handshake_judge_response(&head, accept_value, two, 2, true,
                                        &answer, &why),
            WS_OK);
  CHECK(same(answer.protocol, "chat"));
  ws_buffer_deinit(&into);
}

/* R26, A15: fails before any byte is written. */
TEST(r26_no_splitting) {
  const ws_header bad[] = {{S("Content-Length"), S("0")},
                           {S("Connection"), S("close")},
                           {S("Sec-WebSocket-Protocol"), S("x")},
                           {S("a"), S("b\r\nc: d")},
                           {S("a\n"), S("b")},
                           {S("a"), S("b\0")}};
  const ws_slice values[] = {S("a\r\nb"), S("a\n"), S("a\0"), S("\x7f")};
  ws_buffer into;
  ws_buffer_init(&into, ws_memory_resize, 0);
  CHECK_INT(ws_buffer_append(&into, "kept", 4), WS_OK);
  for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    CHECK_INT(ws_handshake_write_accept(&into, accept_value, none, none,
                                        &bad[i], 1),
              WS_EINVAL);
    CHECK_INT(ws_handshake_write_refusal(&into, &get, 403, none, &bad[i], 1),
              WS_EINVAL);
  }
  for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
    CHECK_INT(ws_handshake_write_accept(&into, accept_value, values[i], none,
                                        NULL, 0),
              WS_EINVAL);
    CHECK_INT(ws_handshake_write_accept(&into, accept_value, none, values[i],
                                        NULL, 0),
              WS_EINVAL);
  }
  CHECK_INT(ws_handshake_write_accept(&into, accept_value,
                                      ws_slice_of("a, b"), none, NULL, 0),
            WS_EINVAL);
  CHECK_BYTES(into.data, into.len, "kept");
  ws_buffer_deinit(&into);
}

static void refusal(ws_buffer *into, unsigned status, const char *body,
                    const ws_header *headers, size_t count) {
  into->len = 0;
  CHECK_INT(ws_handshake_write_refusal(into, &get, status, ws_slice_of(body),
                                       headers, count),
            WS_OK);
}

/* A refusal is complete, has a length, and ends the connection. */
TEST(refusals) {
  ws_buffer into;
  ws_buffer_init(&into, ws_memory_resize, 0);
  refusal(&into, 403, "no\n", NULL, 0);
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"
              "Content-Type: text/plain; charset=utf-8\r\n"
              "Content-Length: 3\r\n\r\nno\n");
  refusal(&into, 400, "", NULL, 0); /* R9 */
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
              "Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n");
  refusal(&into, 405, "", NULL, 0); /* R1 */
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n"
              "Allow: GET\r\nContent-Length: 0\r\n\r\n");
  refusal(&into, 426, "", NULL, 0); /* R5, R8 */
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 426 Upgrade Required\r\nConnection: close, Upgrade\r\n"
              "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
              "Content-Length: 0\r\n\r\n");
  const ws_header users[] = {{S("content-type"), S("text/html")},
                             {S("ALLOW"), S("GET, POST")},
                             {S("Location"), S("/x")}};
  refusal(&into, 405, "<p>", users, 3);
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n"
              "Content-Length: 3\r\ncontent-type: text/html\r\n"
              "ALLOW: GET, POST\r\nLocation: /x\r\n\r\n<p>");
  refusal(&into, 204, "x", NULL, 0);
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  refusal(&into, 499, "", NULL, 0);
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 499 \r\nConnection: close\r\n"
              "Content-Length: 0\r\n\r\n");
  refusal(&into, 200, "x", NULL, 0);
  refusal(&into, 999, "", NULL, 0);
  CHECK_BYTES(into.data, 13, "HTTP/1.1 999 ");
  into.len = 0;
  static const unsigned wrong[] = {0, 101, 199, 1000};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK_INT(ws_handshake_write_refusal(&into, &get, wrong[i], none, NULL, 0),
              WS_EINVAL);
  CHECK_INT(into.len, 0);
  ws_buffer_deinit(&into);
}

/* RFC 9110 section 9.3.2: the same head, and nothing after it. */
TEST(what_answers_head_has_no_body) {
  ws_buffer into;
  ws_buffer_init(&into, ws_memory_resize, 0);
  CHECK_INT(ws_handshake_write_refusal(&into, &head_only, 403,
                                       ws_slice_of("no\n"), NULL, 0),
            WS_OK);
  CHECK_BYTES(into.data, into.len,
              "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"
              "Content-Type: text/plain; charset=utf-8\r\n"
              "Content-Length: 3\r\n\r\n");
  ws_buffer_deinit(&into);
}

TEST(answers_are_written_whole_or_not_at_all) {
  char memory[512];
  const ws_header users[] = {{S("X"), S("y")}};
  for (int which = 0; which < 2; which++) {
    size_t size = 0;
    for (int status = WS_ETOOBIG; status != WS_OK && size < 512; size++) {
      ws_buffer into;
      ws_buffer_init_fixed(&into, memory, size);
      status = which == 0
                   ? ws_handshake_write_accept(&into, accept_value, two[0],
                                               none, users, 1)
                   : ws_handshake_write_refusal(&into, &get, 403, two[0], users,
                                                1);
      CHECK_INT(into.len, status == WS_OK ? size : 0);
    }
    CHECK(size > 64 && size < 512);
  }
}

/* ----------------------------------------------------------------- origin */

/* R10, A14 */
TEST(r10_same_origin) {
  static const struct {
    const char *host, *origin;
    bool same;
  } rows[] = {
      {"h", "http://h", true},
      {"h", "https://h", true},
      {"H.example", "HTTP://h.EXAMPLE", true},
      {"h:81", "http://h:81", true},
      {"h:80", "http://h", true},
      {"h", "http://h:80", true},
      {"h:443", "https://h", true},
      {"h", "ws://h", true},
      {"[::1]:81", "http://[::1]:81", true},
      {"h:81", "http://h", false},
      {"h", "http://h:81", false},
      {"h:443", "http://h", false},
      {"h", "http://x", false},
      {"good.test", "https://good.test.evil", false},
      {"good.test", "https://evil-good.test", false},
      {"good.test", "https://good.test@evil", false},
      {"h", "null", false},
      {"h", "", false},
      {"h", "h", false},
      {"h", "http:h", false},
      {"h", "http://", false},
      {"h", "http:/", false},
      {"h", "http:abh", false},
      {"h", "http://h:0", false},
      {"h:0", "http://h", false},
      {"h", "://h", false},
      {"h", "http://h/", false},
      {"h", "http://h:", false},
      {"h", "http://h http://x", false},
      {"h", "http://h, http://x", false},
      {"h", "app://h", false},
      {"h", "http://h\r\nOrigin: http://h", false},
      {"h\r\nX: y", "file://", false},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    char text[256];
    snprintf(text, sizeof(text), GET "Host: %s\r\nOrigin: %s\r\n",
             rows[i].host, rows[i].origin);
    judge_request(text);
    if (!CHECK_INT(ws_handshake_same_origin(&head), rows[i].same))
      fprintf(stderr, "  %s %s\n", rows[i].host, rows[i].origin);
  }
  judge_request(GET HOST);
  CHECK(ws_handshake_same_origin(&head));
  judge_request("GET / HTTP/1.0\r\nOrigin: http://h\r\n");
  CHECK(!ws_handshake_same_origin(&head));
}

static int authorize(const char *text, ws_buffer *into) {
  ws_url url;
  const char *why;
  CHECK_INT(ws_url_parse(&url, ws_slice_of(text), ws_memory_resize, &why),
            WS_OK);
  ws_buffer_init(into, ws_memory_resize, 0);
  int status = ws_handshake_authorization(&url, ws_memory_resize, into);
  ws_url_deinit(&url);
  return status;
}

TEST(s48_user_and_password) {
  static const struct {
    const char *url, *value;
  } rows[] = {
      {"ws://h/", ""},
      {"ws://:@h/", ""},
      {"ws://u@h/", "Basic dTo="},
      {"ws://:p@h/", "Basic OnA="},
      {"ws://%75:%40%00@h/", "Basic dTpAAA=="},
  };
  ws_buffer into;
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
    CHECK_INT(authorize(rows[i].url, &into), WS_OK);
    CHECK(same((ws_slice){(char *)into.data, into.len}, rows[i].value));
    ws_buffer_deinit(&into);
  }
  /* The first two allocations are the URL's. */
  for (uint64_t n = 3; n < 5; n++) {
    ws_memory_fail(n, 0);
    CHECK_INT(authorize("ws://user:password@h/", &into), WS_ENOMEM);
    ws_memory_fail(0, 0);
    CHECK_INT(into.len, 0);
    ws_buffer_deinit(&into);
  }
  CHECK_INT(ws_memory_live(), 0);
}

int main(void) {
  RUN(r23_accept);
  RUN(s26_protocol_lists);
  RUN(headers_the_handshake_owns);
  RUN(s42_the_least_request);
  RUN(s46_the_whole_request);
  RUN(a_users_origin_and_authorization_replace_ours);
  RUN(s47_what_may_not_stand_there);
  RUN(s48_user_and_password);
  RUN(a_request_is_written_whole_or_not_at_all);
  RUN(s52_version_and_reason);
  RUN(s53_upgrade_connection_accept);
  RUN(s56_subprotocol);
  RUN(s60_extensions);
  RUN(a_good_request);
  RUN(r1_method_and_version);
  RUN(r3_targets);
  RUN(r4_host);
  RUN(r5_upgrade_and_connection);
  RUN(r7_key);
  RUN(r8_version);
  RUN(r13_protocols);
  RUN(r13_not_too_many_protocols);
  RUN(r15_extensions);
  RUN(r17_bodies);
  RUN(r24_what_was_offered);
  RUN(time_is_linear);
  RUN(r22_the_101);
  RUN(r26_no_splitting);
  RUN(refusals);
  RUN(what_answers_head_has_no_body);
  RUN(answers_are_written_whole_or_not_at_all);
  RUN(r10_same_origin);
  return check_done();
}
