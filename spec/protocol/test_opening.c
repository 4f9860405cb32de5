/* SPDX-License-Identifier: MIT */
/* The opening, through a session: requests and answers at every cut, and the
 * events of either side. */
#include "protocol/opening.h"

#include "session_side.h"

/* --------------------------------------------------------------- client */

#define GOOD_LINES "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define GOOD "HTTP/1.1 101 Switching Protocols\r\n" GOOD_LINES "%\r\n"
/* `%` stands for the right accept line. */

typedef struct answer {
  const char *rule;
  const char *text;
  const char *events;
  const char *why;      /* its beginning; NULL: any */
  const char *protocol; /* the requested one; NULL: none */
} answer;

static void accept_line(const side *client, char line[64]) {
  const char *request = (const char *)client->out.data;
  const char *key = strstr(request, "Sec-WebSocket-Key: ");
  char accept[WS_ACCEPT_LENGTH];
  CHECK(key != NULL);
  ws_handshake_accept((ws_slice){key + 19, WS_KEY_LENGTH}, accept);
  snprintf(line, 64, "Sec-WebSocket-Accept: %.28s\r\n", accept);
}

static void write_answer(wire *to, const side *client, const char *text) {
  char line[64];
  accept_line(client, line);
  for (; *text; text++)
    if (*text == '%')
      wire_say(to, line);
    else
      wire_add(to, text, 1);
}

static void start_asking(side *client, const char *protocol) {
  ws_slice asked = text_slice(protocol ? protocol : "");
  CHECK_INT(client_start(client, &asked, protocol ? 1 : 0), WS_OK);
  wire_memory_reset();
  CHECK_INT(ws_buffer_append(&client->out, "", 1), WS_OK);
}

static void feed_in_way(side *it, const wire *bytes, size_t way) {
  for (size_t at = 0; at < bytes->len && !it->failed;) {
    size_t to = wire_cut(way, at, bytes->len);
    size_t used = side_feed(it, bytes->data + at, to - at);
    at += used;
    if (used == 0)
      break;
  }
  if (!it->failed)
    side_end(it);
}

static void run_answer(const answer *it) {
  wire bytes = {0};
  for (size_t way = 0; way < 2 || way < wire_ways(bytes.len); way++) {
    side client;
    side_chance.state = 1;
    start_asking(&client, it->protocol);
    bytes.len = 0;
    write_answer(&bytes, &client, it->text);
    feed_in_way(&client, &bytes, way);
    if (!side_log_is(&client, it->events) ||
        (it->why && strncmp(client.why, it->why, strlen(it->why)) != 0)) {
      fprintf(stderr, "%s, way %zu: %s\n", it->rule, way, client.why);
      CHECK(it == NULL);
    }
    CHECK(client.failed == (ws_session_state(&client.session) == WS_CLOSED));
    side_free(&client);
  }
  CHECK_INT(wire_memory.blocks, 0);
  wire_free(&bytes);
}

static void run_answers(const answer *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    run_answer(&list[i]);
}

#define RUN_ANSWERS(list) run_answers(list, sizeof list / sizeof *list)

TEST(test_good_answers) {
  static const answer list[] = {
      {"S53", GOOD, "open ", NULL, NULL},
      {"S52", "HTTP/1.1 101\r\n" GOOD_LINES "%\r\n", "open ", NULL, NULL},
      {"S64", GOOD "\x81\x04PASS\x88\x06\x03\xe9gone",
       "open text(PASS) close1001(gone) ", NULL, NULL},
      {"S65",
       "HTTP/1.1 101 x\r\nContent-Length: 3\r\n" GOOD_LINES "%\r\n\x81\x01x",
       "open text(x) ", NULL, NULL},
      {"S51, X8",
       "HTTP/1.1 100 Continue\r\n\r\n"
       "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" GOOD "\x81\x01x",
       "open text(x) ", NULL, NULL},
      {"S59",
       "HTTP/1.1 101 x\r\n" GOOD_LINES "%Sec-WebSocket-Protocol: b\r\n\r\n",
       "open ", NULL, "b"},
  };
  RUN_ANSWERS(list);
}

TEST(test_answers_that_are_no_switch) {
  static const answer list[] = {
      {"S49",
       "HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\n\r\nno such page\r\n",
       "fail EHANDSHAKE ", "the server answered 404 Not Found: no such page",
       NULL},
      {"S49", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
       "fail EHANDSHAKE ", "the server answered 404 Not Found", NULL},
      {"S49", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
       "fail EHANDSHAKE ", "the server answered 302 Found: /", NULL},
      {"S49: where to, rather than the words",
       "HTTP/1.1 301 Moved\r\nLocation: https://a.b/c\r\n"
       "Content-Length: 4\r\n\r\nhere",
       "fail EHANDSHAKE ", "the server answered 301 Moved: https://a.b/c",
       NULL},
      {"S49", "HTTP/1.1 200 OK\r\n" GOOD_LINES "%\r\n",
       "fail EHANDSHAKE ", "the server answered 200 OK", NULL},
      {"22: no body", "HTTP/1.1 204 No Content\r\n\r\n",
       "fail EHANDSHAKE ", "the server answered 204 No Content", NULL},
      {"22: chunked",
       "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3\r\ntry\r\n6\r\n later\r\n0\r\n\r\n",
       "fail EHANDSHAKE ", "the server answered 503 Busy: try later", NULL},
      {"22: bad chunks",
       "HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3\r\ntry\r\nzzz\r\n",
       "fail EHANDSHAKE ", "the server answered 503 Busy: try", NULL},
      {"22: until the end", "HTTP/1.1 500 Oh\r\n\r\nbroken",
       "fail EHANDSHAKE ", "the server answered 500 Oh: broken", NULL},
      {"22: cut short", "HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\nbro",
       "fail EHANDSHAKE ", "the server answered 500 Oh: bro", NULL},
      {"22: what follows is not of it",
       "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbroken",
       "fail EHANDSHAKE ", "the server answered 500 Oh: bro", NULL},
      {"22: two lengths",
       "HTTP/1.1 500 Oh\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
       "fail EHANDSHAKE ", "the server answered 500 Oh", NULL},
      {"78: escaped",
       "HTTP/1.1 500 \xe2\x82\xac\r\nContent-Length: 9\r\n\r\n\x1b[2J\nroot",
       "fail EHANDSHAKE ",
       "the server answered 500 \\xe2\\x82\\xac: \\x1b[2J\\nroot", NULL},
  };
  RUN_ANSWERS(list);
}

TEST(test_answers_that_are_no_handshake) {
  static const answer list[] = {
      {"S50", "FOO BAR BAZ\r\n\r\n", "fail EHANDSHAKE ",
       "the server's answer is not HTTP: F", NULL},
      {"S50", "HTTQ", "fail EHANDSHAKE ",
       "the server's answer is not HTTP: HTTQ", NULL},
      {"S50, 19", "\x15\x03\x01\x00\x02", "fail EHANDSHAKE ",
       "the server's answer is not HTTP: \\x15", NULL},
      {"S50", "HTTP/1.1 1x1 ok\r\n\r\n", "fail EHANDSHAKE ",
       "the server's answer is not HTTP: HTTP/1.1 1x1 ok", NULL},
      {"S50: the end inside the head", "HTTP/1.1 101 Switch",
       "fail EHANDSHAKE ", "the server ended the connection within", NULL},
      {"S50: nothing at all", "", "fail EHANDSHAKE ",
       "the server ended the connection without", NULL},
      {"S50: an end after an interim answer", "HTTP/1.1 100 Go\r\n\r\n",
       "fail EHANDSHAKE ", "the server ended the connection without", NULL},
      {"S52, X9", "HTTP/1.0 101 x\r\n" GOOD_LINES "%\r\n",
       "fail EHANDSHAKE ", NULL, NULL},
      {"S53", "HTTP/1.1 101 x\r\nConnection: Upgrade\r\n%\r\n",
       "fail EHANDSHAKE ", NULL, NULL},
      {"S55",
       "HTTP/1.1 101 x\r\n" GOOD_LINES
       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
       "fail EHANDSHAKE ", NULL, NULL},
      {"S56",
       "HTTP/1.1 101 x\r\n" GOOD_LINES "%Sec-WebSocket-Protocol: b\r\n\r\n",
       "fail EHANDSHAKE ", NULL, NULL},
      {"S57, X18", GOOD, "fail EHANDSHAKE ", NULL, "b"},
      {"S59",
       "HTTP/1.1 101 x\r\n" GOOD_LINES "%Sec-WebSocket-Protocol: B\r\n\r\n",
       "fail EHANDSHAKE ", NULL, "b"},
      {"S60",
       "HTTP/1.1 101 x\r\n" GOOD_LINES
       "%Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
       "fail EHANDSHAKE ", NULL, NULL},
  };
  RUN_ANSWERS(list);
}

/* A24: ten interim answers are accepted, eleven are not. */
TEST(test_interim_answers_are_counted) {
  for (int count = 10; count <= 11; count++) {
    side client;
    wire bytes = {0};
    start_asking(&client, NULL);
    for (int i = 0; i < count; i++)
      wire_say(&bytes, "HTTP/1.1 100 Continue\r\n\r\n");
    write_answer(&bytes, &client, GOOD);
    feed_in_way(&client, &bytes, 0);
    EVENTS(&client, count == 10 ? "open " : "fail EHANDSHAKE ");
    CHECK(!client.failed ||
          strcmp(client.why, "the server sent too many interim answers") == 0);
    side_free(&client);
    wire_free(&bytes);
  }
}

/* A29: the limit is for the whole head, to the byte. */
TEST(test_size_of_the_answer) {
  for (size_t over = 0; over < 2; over++)
    for (size_t way = 0; way < 2; way++) {
      side client;
      wire bytes = {0};
      start_asking(&client, NULL);
      write_answer(&bytes, &client,
                   "HTTP/1.1 101 x\r\n" GOOD_LINES "%Filler: ");
      while (bytes.len < 16384 - 4 + over)
        wire_say(&bytes, "x");
      wire_say(&bytes, "\r\n\r\n");
      feed_in_way(&client, &bytes, way);
      EVENTS(&client, over == 0 ? "open " : "fail EHEADTOOBIG ");
      CHECK(wire_memory.peak < 16384 + 8192 + client.out.cap);
      side_free(&client);
      wire_free(&bytes);
    }
}

/* A22: of an endless body, only 512 bytes are read. */
TEST(test_endless_refusal) {
  side client;
  start_asking(&client, NULL);
  CHECK(!ws_session_answer(&client.session));
  side_feed(&client, "HTTP/1.1 500 x\r\n\r\n", 18);
  CHECK(ws_session_refused(&client.session));
  CHECK_INT(ws_session_answer(&client.session)->status, 500);
  for (size_t sent = 0; sent < 512; sent++) {
    CHECK(!client.failed);
    side_feed(&client, "y", 1);
  }
  CHECK(client.failed);
  CHECK(!ws_session_refused(&client.session));
  CHECK_INT(ws_session_answer(&client.session)->status, 500);
  /* A78 */
  CHECK_INT(strlen(client.why), strlen("the server answered 500 x: ") + 128);
  CHECK(strcmp(client.why + strlen(client.why) - 4, "y...") == 0);
  CHECK_INT(side_feed(&client, "y", 1), 0);
  side_free(&client);
}

/* A22: what comes after a body is not read. */
TEST(test_refusal_without_a_body) {
  side client;
  wire bytes = {0};
  start_asking(&client, NULL);
  wire_say(&bytes, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
  size_t whole = bytes.len;
  while (bytes.len < whole + 600)
    wire_say(&bytes, "y");
  CHECK_INT(side_feed(&client, bytes.data, bytes.len), whole);
  CHECK(strcmp(client.why, "the server answered 404 No") == 0);
  side_free(&client);
  wire_free(&bytes);
}

/* A22: it fails as soon as the body is complete, or when there is none. Blanks
 * at the body's end are not shown. */
TEST(test_refusal_is_told_at_once) {
  static const struct {
    const char *text, *why;
  } list[] = {
      {"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\na\t\r\n",
       "the server answered 404 No: a"},
      {"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n"
       "1\r\na\r\n0\r\n\r\n",
       "the server answered 404 No: a"},
      {"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\nx",
       "the server answered 404 No"},
      {"HTTP/1.1 599\r\nContent-Length: 1\r\n\r\n\n",
       "the server answered 599"},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    size_t len = strlen(list[i].text);
    side client;
    start_asking(&client, NULL);
    side_feed(&client, list[i].text, len - 1);
    CHECK(!client.failed && ws_session_refused(&client.session));
    side_feed(&client, list[i].text + len - 1, 1);
    CHECK(client.failed);
    CHECK(strcmp(client.why, list[i].why) == 0);
    side_free(&client);
  }
}

/* A78: the longest message that is possible. */
TEST(test_longest_message) {
  static const char *const lines[] = {"HTTP/1.1 500 ", "\x01HTTP/1.1 "};
  for (int i = 0; i < 2; i++) {
    side client;
    wire bytes = {0};
    start_asking(&client, NULL);
    wire_say(&bytes, lines[i]);
    for (int n = 0; n < 300; n++)
      wire_say(&bytes, "\xff");
    wire_say(&bytes, "\r\n\r\n");
    for (int n = 0; n < 600; n++)
      wire_say(&bytes, "\x7f");
    feed_in_way(&client, &bytes, 0);
    CHECK(client.failed);
    CHECK(strlen(client.why) < WS_OPENING_WHY);
    CHECK(strlen(client.why) > 128);
    side_free(&client);
    wire_free(&bytes);
  }
}

TEST(test_agreed_protocol) {
  side client;
  wire bytes = {0};
  char asked[] = "chat";
  start_asking(&client, asked);
  asked[0] = 'X'; /* the session has its own copy */
  write_answer(&bytes, &client,
               "HTTP/1.1 101 x\r\n" GOOD_LINES
               "%Sec-WebSocket-Protocol: \tchat \r\n\r\n");
  CHECK_INT(ws_session_protocol(&client.session).len, 0);
  feed_in_way(&client, &bytes, 0);
  EVENTS(&client, "open ");
  memset(bytes.data, 'x', bytes.len);
  ws_slice protocol = ws_session_protocol(&client.session);
  CHECK_BYTES(protocol.data, protocol.len, "chat");
  CHECK_INT(ws_session_extensions(&client.session).len, 0);
  side_free(&client);
  wire_free(&bytes);
}

/* S44: 16 new random bytes; S41: one request and nothing after it. */
TEST(test_request) {
  side first, second;
  CHECK_INT(client_start(&first, NULL, 0), WS_OK);
  CHECK_INT(client_start(&second, NULL, 0), WS_OK);
  CHECK_BYTES(first.out.data, 22, "GET /chat?x HTTP/1.1\r\n");
  CHECK_BYTES(first.out.data + first.out.len - 4, 4, "\r\n\r\n");
  CHECK(first.out.len == second.out.len &&
        memcmp(first.out.data, second.out.data, first.out.len) != 0);
  CHECK_INT(ws_session_state(&first.session), WS_CONNECTING);
  side_free(&first);
  side_free(&second);
}

/* A client that cannot start leaves nothing behind. */
TEST(test_client_that_cannot_start) {
  side client;
  side_chance.broken = true;
  CHECK_INT(client_start(&client, NULL, 0), WS_ERANDOM);
  side_chance.broken = false;
  CHECK_INT(client.out.len, 0);
  side_free(&client);
  ws_handshake_request request = side_request(NULL, 0);
  ws_header bad = {text_slice("X-A"), text_slice("a\r\nb")};
  request.headers = &bad;
  request.header_count = 1;
  client = (side){.failed = false};
  ws_buffer_init(&client.out, wire_resize, 0);
  CHECK_INT(ws_session_init_client(&client.session, &client_config, &request,
                                   &client.out),
            WS_EINVAL);
  CHECK_INT(client.out.len, 0);
  side_free(&client);
  CHECK_INT(wire_memory.blocks, 0);
}

/* S121: close() while connecting ends it, and nothing is written. */
TEST(test_client_closed_while_connecting) {
  side client;
  wire bytes = {0};
  start_asking(&client, NULL);
  write_answer(&bytes, &client, GOOD);
  ws_buffer_consume(&client.out, client.out.len);
  side_feed(&client, bytes.data, 20);
  CHECK_INT(ws_session_close(&client.session, 1000, "x", 1, &client.out),
            WS_OK);
  SENT(&client, "");
  CHECK_INT(ws_session_state(&client.session), WS_CLOSING);
  CHECK_INT(side_feed(&client, bytes.data + 20, bytes.len - 20), 0);
  side_end(&client);
  EVENTS(&client, "");
  CHECK(ws_session_over(&client.session));
  CHECK(!ws_session_clean(&client.session));
  side_free(&client);
  wire_free(&bytes);
}

/* --------------------------------------------------------------- server */

#define ASK \
  "GET /chat HTTP/1.1\r\nHost: h\r\n" GOOD_LINES \
  "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define REQUEST ASK KEY "\r\n"

/* Feeds a whole request, cut in this way (see wire_cut). */
static void ask(side *server, const void *text, size_t len, size_t way) {
  wire bytes = {0};
  server_start(server);
  wire_add(&bytes, text, len);
  feed_in_way(server, &bytes, way);
  wire_free(&bytes);
}

/* R22, R23, R27 */
TEST(test_good_request) {
  for (size_t way = 0; way < wire_ways(sizeof REQUEST - 1); way++) {
    side server;
    ask(&server, REQUEST, sizeof REQUEST - 1, way);
    EVENTS(&server, "request ");
    const ws_http_head *head = ws_session_request(&server.session);
    CHECK(head != NULL);
    CHECK_BYTES(head->target.data, head->target.len, "/chat");
    CHECK_INT(ws_session_verdict(&server.session)->kind, WS_REQUEST_UPGRADE);
    CHECK_INT(ws_session_state(&server.session), WS_CONNECTING);
    SENT(&server, "");
    CHECK_INT(ws_session_accept(&server.session, (ws_slice){NULL, 0}, NULL, 0,
                                &server.out),
              WS_OK);
    CHECK_BYTES(server.out.data, 13, "HTTP/1.1 101 ");
    ws_buffer_append(&server.out, "", 1);
    CHECK(strstr((char *)server.out.data, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    CHECK_INT(ws_session_state(&server.session), WS_OPEN);
    CHECK(!ws_session_request(&server.session));
    CHECK(!ws_session_verdict(&server.session));
    side_free(&server);
  }
  CHECK_INT(wire_memory.blocks, 0);
}

/* RFC 9112 section 2.2: an empty line before a request is not part of it. */
TEST(test_empty_line_before_a_request) {
  static const char late[] = "\r\n" REQUEST;
  for (size_t way = 0; way < wire_ways(sizeof late - 1); way++) {
    side server;
    ask(&server, late, sizeof late - 1, way);
    EVENTS(&server, "request ");
    const ws_http_head *head = ws_session_request(&server.session);
    CHECK_BYTES(head->method.data, head->method.len, "GET");
    CHECK_INT(ws_session_verdict(&server.session)->kind, WS_REQUEST_UPGRADE);
    side_free(&server);
  }
  CHECK_INT(wire_memory.blocks, 0);
}

/* R18: it counts towards the 16 KiB, but not as the request line. */
TEST(test_size_with_an_empty_line) {
  for (size_t over = 0; over < 2; over++)
    for (size_t way = 0; way < 2; way++) {
      side server;
      wire bytes = {0};
      wire_say(&bytes, "\r\n" ASK KEY "Filler: ");
      while (bytes.len < 16384 - 4 + over) wire_say(&bytes, "x");
      wire_say(&bytes, "\r\n\r\n");
      ask(&server, bytes.data, bytes.len, way);
      EVENTS(&server, over == 0 ? "request " : "fail EHEADTOOBIG ");
      side_free(&server);
      bytes.len = 0;
      wire_say(&bytes, "\r\nGET /");
      while (bytes.len < 16384) wire_say(&bytes, "x");
      ask(&server, bytes.data, bytes.len, way);
      EVENTS(&server, "fail EHEADTOOBIG ");
      CHECK_BYTES(server.out.data, 13, "HTTP/1.1 414 ");
      side_free(&server);
      wire_free(&bytes);
    }
}

/* R21, A10: bytes after the head are not taken; the caller keeps them. */
TEST(test_early_frames) {
  static const char early[] = REQUEST "\x81\x82\0\0\0\0hi";
  side server;
  server_start(&server);
  size_t head = sizeof REQUEST - 1;
  CHECK_INT(side_feed(&server, early, sizeof early - 1), head);
  CHECK_INT(side_feed(&server, early + head, 8), 0);
  EVENTS(&server, "request ");
  CHECK_INT(ws_session_accept(&server.session, (ws_slice){NULL, 0}, NULL, 0,
                              &server.out),
            WS_OK);
  CHECK_INT(side_feed(&server, early + head, 8), 8);
  EVENTS(&server, "text(hi) ");
  side_free(&server);
}

typedef struct refused {
  const char *rule;
  const char *text;
  const char *status;
  const char *events;
} refused;

/* Whole, byte by byte and at every cut: it is answered, reported, and over. */
static void run_refused(const refused *it) {
  size_t len = strlen(it->text);
  for (size_t way = 0; way < wire_ways(len); way++) {
    side server;
    char line[40];
    ask(&server, it->text, len, way);
    size_t n = (size_t)snprintf(line, sizeof line, "HTTP/1.1 %s ", it->status);
    CHECK(server.out.len > n && memcmp(server.out.data, line, n) == 0);
    if (!side_log_is(&server, it->events)) {
      fprintf(stderr, "%s, way %zu: %s\n", it->rule, way, server.why);
      CHECK(it == NULL);
    }
    CHECK(server.why[0] != '\0');
    CHECK(ws_session_over(&server.session));
    CHECK(!ws_session_request(&server.session));
    CHECK_INT(ws_session_state(&server.session), WS_CLOSED);
    size_t sent = server.out.len;
    /* A9: what follows is not read. */
    CHECK_INT(side_feed(&server, REQUEST, sizeof REQUEST - 1), 0);
    CHECK_INT(server.out.len, sent);
    side_free(&server);
  }
  CHECK_INT(wire_memory.blocks, 0);
}

TEST(test_refused_requests) {
  static const refused list[] = {
      {"R1",
       "POST /chat HTTP/1.1\r\nHost: h\r\n" GOOD_LINES
       "Sec-WebSocket-Version: 13\r\n" KEY "\r\n",
       "405", "fail EHANDSHAKE "},
      {"R2", "GET / HTTP/1.0\r\nHost: h\r\n" GOOD_LINES KEY "\r\n", "400",
       "fail EHANDSHAKE "},
      {"R2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505", "fail EHTTP "},
      {"R2", "GET /\r\n\r\n", "400", "fail EHTTP "},
      {"R4", "GET / HTTP/1.1\r\n" GOOD_LINES KEY "\r\n", "400",
       "fail EHANDSHAKE "},
      {"R7", ASK "\r\n", "400", "fail EHANDSHAKE "},
      {"R8",
       "GET / HTTP/1.1\r\nHost: h\r\n" GOOD_LINES KEY
       "Sec-WebSocket-Version: 8\r\n\r\n",
       "426", "fail EHANDSHAKE "},
      {"R17", ASK KEY "Content-Length: 5\r\n\r\n", "400",
       "fail EHANDSHAKE "},
      {"R19", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", "400", "fail EHTTP "},
      {"R19", "GET / HTTP/1.1\r\nHost: h\r\n folded\r\n\r\n", "400",
       "fail EHTTP "},
      {"11: bare LF", "GET / HTTP/1.1\nHost: h\n\n", "400", "fail EHTTP "},
      {"two empty lines", "\r\n\r\n" REQUEST, "400", "fail EHTTP "},
      {"11: an empty line of a bare LF", "\n" REQUEST, "400", "fail EHTTP "},
      {"11: bare CR", "\r" REQUEST, "400", "fail EHTTP "},
      {"R19", "\r\n folded\r\n\r\n", "400", "fail EHTTP "},
      {"19: TLS to a plain port", "\x16\x03\x01", "400", "fail EHTTP "},
      {"9: body above the limit",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 21\r\n\r\n", "413",
       "fail ETOOBIG "},
      {"9: length and encoding",
       "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"
       "Transfer-Encoding: chunked\r\n\r\n",
       "400", "fail EHANDSHAKE "},
      {"9: malformed chunks",
       "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
       "2\r\nab\r\nx",
       "400", "request body(ab) fail EHTTP "},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++)
    run_refused(&list[i]);
}

/* A chunked body is refused at the size of the chunk that exceeds the limit,
 * however it is cut. */
TEST(test_chunked_body_above_the_limit) {
#define CHUNKED \
  "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
  static const struct {
    const char *text, *events;
  } list[] = {
      {CHUNKED "ffffffffffffffff\r\n012345678901234567890",
       "request fail ETOOBIG "},
      {CHUNKED "15\r\n0", "request fail ETOOBIG "},
      {CHUNKED "15\r\n", "request fail ETOOBIG "},
      {CHUNKED "1\r\na\r\n14\r\nb", "request body(a) fail ETOOBIG "},
      {CHUNKED "1\r\na\r\n13\r\n", "request body(a) "},
  };
#undef CHUNKED
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    size_t len = strlen(list[i].text);
    for (size_t way = 0; way < wire_ways(len); way++) {
      side server;
      ask(&server, list[i].text, len, way);
      EVENTS(&server, list[i].events);
      if (server.failed) CHECK_BYTES(server.out.data, 13, "HTTP/1.1 413 ");
      side_free(&server);
    }
  }
}

/* R18, A2, A3: 16 KiB and a hundred headers, exactly. */
TEST(test_size_of_the_request) {
  for (size_t over = 0; over < 2; over++)
    for (size_t way = 0; way < 2; way++) {
      side server;
      wire bytes = {0};
      wire_say(&bytes, ASK KEY "Filler: ");
      while (bytes.len < 16384 - 4 + over)
        wire_say(&bytes, "x");
      wire_say(&bytes, "\r\n\r\n");
      wire_memory_reset();
      ask(&server, bytes.data, bytes.len, way);
      EVENTS(&server, over == 0 ? "request " : "fail EHEADTOOBIG ");
      CHECK(over == 0 || memcmp(server.out.data, "HTTP/1.1 431 ", 13) == 0);
      CHECK(wire_memory.peak < 16384 + 8192);
      side_free(&server);
      bytes.len = 0;
      wire_say(&bytes, ASK KEY);
      for (size_t i = 0; i < 95 + over; i++)
        wire_say(&bytes, "a: b\r\n");
      wire_say(&bytes, "\r\n");
      ask(&server, bytes.data, bytes.len, way);
      EVENTS(&server, over == 0 ? "request " : "fail EHEADTOOBIG ");
      side_free(&server);
      wire_free(&bytes);
    }
}

/* Plain HTTP and its bodies, at every cut; what follows is not taken. */
TEST(test_plain_requests) {
  static const refused list[] = {
      {"R5", "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", "", "request end "},
      {"", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "",
       "request end "},
      {"", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n"
           "0123456789abcdefghij", "",
       "request body(0123456789abcdefghij) end "},
      {"", "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
           "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nT: x\r\n\r\n", "",
       "request body(abcd) end "},
      {"RFC 9112 6.3",
       "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /",
       "", "request body(abc) end "},
      {"cut short", "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"
                    "abc", "",
       "request body(abc) "},
  };
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
    size_t len = strlen(list[i].text);
    for (size_t way = 0; way < wire_ways(len); way++) {
      side server;
      ask(&server, list[i].text, len, way);
      bool whole = server.log.len > 4 &&
                   memcmp(server.log.data + server.log.len - 4, "end ", 4) == 0;
      EVENTS(&server, list[i].events);
      CHECK_INT(ws_session_verdict(&server.session)->kind, WS_REQUEST_PLAIN);
      CHECK(!whole || side_feed(&server, REQUEST, 10) == 0);
      EVENTS(&server, "");
      CHECK_INT(ws_session_accept(&server.session, (ws_slice){NULL, 0}, NULL,
                                  0, &server.out),
                WS_EINVAL);
      CHECK_INT(ws_session_refuse(&server.session, 200, text_slice("hello"),
                                  NULL, 0, &server.out),
                WS_OK);
      CHECK_BYTES(server.out.data, 13, "HTTP/1.1 200 ");
      CHECK_BYTES(server.out.data + server.out.len - 9, 9, "\r\n\r\nhello");
      CHECK(ws_session_over(&server.session));
      CHECK(!ws_session_request(&server.session));
      CHECK_INT(side_feed(&server, REQUEST, 10), 0);
      side_free(&server);
    }
  }
  CHECK_INT(wire_memory.blocks, 0);
}

TEST(test_finish) {
  side server;
  ask(&server, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 28, 0);
  ws_session_finish(&server.session);
  SENT(&server, "");
  CHECK(ws_session_over(&server.session));
  CHECK_INT(ws_session_refuse(&server.session, 200, text_slice(""), NULL, 0,
                              &server.out),
            WS_EINVAL);
  ws_session_finish(&server.session);
  SENT(&server, "");
  side_free(&server);
  CHECK_INT(wire_memory.blocks, 0);
}

/* While the head is read, the request may be refused: the head stays valid. */
TEST(test_head_outlives_refusal) {
  side server;
  ask(&server, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 28, 0);
  const ws_http_head *head = ws_session_request(&server.session);
  int blocks = (int)wire_memory.blocks;
  CHECK_INT(ws_session_refuse(&server.session, 503, text_slice(""), NULL, 0,
                              &server.out),
            WS_OK);
  CHECK(!ws_session_request(&server.session));
  ws_buffer_deinit(&server.out);
  CHECK_INT(wire_memory.blocks, blocks);
  CHECK_BYTES(head->method.data, head->method.len, "GET");
  CHECK_BYTES(head->target.data, head->target.len, "/x");
  CHECK_INT(head->header_count, 1);
  side_free(&server);
  CHECK_INT(wire_memory.blocks, 0);
}

/* R24, R26, A15, A16: a bad answer is not sent, and the request goes on
 * waiting. */
TEST(test_accepting) {
  static const char text[] = ASK KEY
      "Sec-WebSocket-Protocol: a, b\r\n\r\n";
  static const ws_slice none = {NULL, 0};
  side server;
  ask(&server, text, sizeof text - 1, 0);
  ws_header bad = {text_slice("X-A"), text_slice("a\nb")};
  ws_header good = {text_slice("X-A"), text_slice("yes")};
  ws_session *session = &server.session;
  CHECK_INT(ws_session_accept(session, text_slice("c"), NULL, 0, &server.out),
            WS_EINVAL);
  CHECK_INT(ws_session_accept(session, text_slice("B"), NULL, 0, &server.out),
            WS_EINVAL);
  CHECK_INT(ws_session_accept(session, text_slice("b"), &bad, 1, &server.out),
            WS_EINVAL);
  CHECK_INT(ws_session_refuse(session, 403, none, &bad, 1, &server.out),
            WS_EINVAL);
  CHECK_INT(ws_session_protocol(session).len, 0);
  CHECK_INT(ws_session_state(session), WS_CONNECTING);
  SENT(&server, "");
  /* The choice may point into the head, which is freed with the answer. */
  ws_offer_walk walk = {.head = ws_session_request(session)};
  ws_slice offered;
  CHECK(ws_handshake_next_offer(&walk, &offered));
  CHECK(ws_handshake_next_offer(&walk, &offered));
  CHECK_INT(ws_session_accept(session, offered, &good, 1, &server.out), WS_OK);
  ws_buffer_append(&server.out, "", 1);
  CHECK(strstr((char *)server.out.data, "\r\nSec-WebSocket-Protocol: b\r\n"));
  CHECK(strstr((char *)server.out.data, "\r\nX-A: yes\r\n"));
  CHECK(!strstr((char *)server.out.data, "Sec-WebSocket-Extensions"));
  ws_slice protocol = ws_session_protocol(session);
  CHECK_BYTES(protocol.data, protocol.len, "b");
  CHECK_INT(ws_session_accept(session, none, NULL, 0, &server.out), WS_EINVAL);
  CHECK_INT(ws_session_refuse(session, 403, none, NULL, 0, &server.out),
            WS_EINVAL);
  side_free(&server);
  CHECK_INT(wire_memory.blocks, 0);
}

TEST(test_refusing) {
  side server;
  ask(&server, REQUEST, sizeof REQUEST - 1, 0);
  CHECK_INT(ws_session_refuse(&server.session, 401, text_slice("who?"), NULL,
                              0, &server.out),
            WS_OK);
  CHECK_BYTES(server.out.data, 13, "HTTP/1.1 401 ");
  CHECK(ws_session_over(&server.session));
  CHECK_INT(ws_session_state(&server.session), WS_CLOSED);
  CHECK_INT(ws_session_close(&server.session, 1000, NULL, 0, &server.out),
            WS_OK);
  side_free(&server);
  CHECK_INT(wire_memory.blocks, 0);
}

/* Before there is a request, nothing can be answered. */
TEST(test_nothing_to_answer) {
  side server;
  server_start(&server);
  CHECK(!ws_session_request(&server.session));
  CHECK_INT(ws_session_accept(&server.session, (ws_slice){NULL, 0}, NULL, 0,
                              &server.out),
            WS_EINVAL);
  ws_session_finish(&server.session);
  CHECK(!ws_session_over(&server.session));
  side_feed(&server, REQUEST, 30);
  CHECK(!ws_session_verdict(&server.session));
  CHECK_INT(ws_session_close(&server.session, 1000, NULL, 0, &server.out),
            WS_OK);
  CHECK_INT(side_feed(&server, &REQUEST[30], 10), 0);
  SENT(&server, "");
  side_free(&server);
  CHECK_INT(wire_memory.blocks, 0);
}

/* A17, A18: the client goes at any byte, or while its request waits. */
TEST(test_end_at_every_byte) {
  for (size_t len = 0; len < sizeof REQUEST; len++) {
    side server;
    ask(&server, REQUEST, len, 0);
    EVENTS(&server, len == sizeof REQUEST - 1 ? "request " : "");
    SENT(&server, "");
    side_free(&server);
    CHECK_INT(wire_memory.blocks, 0);
  }
}

/* A96: each request for memory fails in turn: this is reported, and nothing is
 * lost or half written. */
static int open_without_memory(size_t nth) {
  side client, server;
  ws_slice asked = {"b", 1};
  int status;
  server_start(&server);
  wire_memory_reset();
  wire_memory.fail_at = nth;
  status = client_start(&client, &asked, 1);
  CHECK(status == WS_OK || client.out.len == 0);
  if (status == WS_OK)
    side_move(&client, &server, 50);
  if (status == WS_OK && !server.failed) {
    status = ws_session_accept(&server.session, asked, NULL, 0, &server.out);
    CHECK(status == WS_OK ||
          (server.out.len == 0 &&
           ws_session_state(&server.session) == WS_CONNECTING));
    side_move(&server, &client, 50);
  }
  if (client.failed)
    EVENTS(&client, "fail ENOMEM ");
  if (server.failed || client.failed)
    status = WS_ENOMEM;
  wire_memory.fail_at = 0;
  side_free(&client);
  side_free(&server);
  CHECK_INT(wire_memory.blocks, 0);
  return status;
}

TEST(test_without_memory) {
  size_t nth = 1;
  while (open_without_memory(nth) == WS_ENOMEM)
    nth++;
  CHECK_INT(open_without_memory(nth), WS_OK);
  CHECK(nth > 6);
}

int main(void) {
  RUN(test_good_answers);
  RUN(test_answers_that_are_no_switch);
  RUN(test_answers_that_are_no_handshake);
  RUN(test_interim_answers_are_counted);
  RUN(test_size_of_the_answer);
  RUN(test_endless_refusal);
  RUN(test_refusal_without_a_body);
  RUN(test_refusal_is_told_at_once);
  RUN(test_longest_message);
  RUN(test_agreed_protocol);
  RUN(test_request);
  RUN(test_client_that_cannot_start);
  RUN(test_client_closed_while_connecting);
  RUN(test_good_request);
  RUN(test_early_frames);
  RUN(test_refused_requests);
  RUN(test_chunked_body_above_the_limit);
  RUN(test_empty_line_before_a_request);
  RUN(test_size_with_an_empty_line);
  RUN(test_size_of_the_request);
  RUN(test_plain_requests);
  RUN(test_finish);
  RUN(test_head_outlives_refusal);
  RUN(test_accepting);
  RUN(test_refusing);
  RUN(test_nothing_to_answer);
  RUN(test_end_at_every_byte);
  RUN(test_without_memory);
  return check_done();
}
