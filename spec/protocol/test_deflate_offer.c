/* SPDX-License-Identifier: MIT */
/* Offering permessage-deflate, answering the offer and judging the answer
 * (R37-R54 for the server, S161-S170 for the client). */
#include "protocol/deflate_offer.h"

#include "check.h"

#include "protocol/handshake.h"

/* What was agreed, in short: "sc15/10" means no takeover by server and client,
 * and windows of 15 bits for the server and 10 for the client; "-": nothing. */
static const char *spell(const ws_deflate_agreed *agreed) {
  static char out[32];
  if (!agreed->on) return "-";
  snprintf(out, sizeof out, "%s%s%d/%d", agreed->server_no_context ? "s" : "",
           agreed->client_no_context ? "c" : "", agreed->server_bits,
           agreed->client_bits);
  return out;
}

static bool same(const char *rule, const char *input, const char *actual,
                 const char *expected) {
  if (strcmp(actual, expected) == 0) return true;
  fprintf(stderr, "%s: %s\n  is:  %s\n  not: %s\n", rule, input, actual,
          expected);
  return false;
}

/* ------------------------------------------------------------- server */

static ws_deflate_options plain(void) {
  return (ws_deflate_options){.enabled = true, .level = 6};
}

/* A request with those header lines, each "Name: value\r\n". */
static void parse(ws_http_head *head, const char *lines) {
  static char text[2048];
  int len = snprintf(text, sizeof text,
                     "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
                     lines);
  char *guarded = (char *)check_guarded((size_t)len);
  memcpy(guarded, text, (size_t)len);
  CHECK_INT(ws_http_parse_request(head, guarded, (size_t)len), 0);
}

static void parse_offer(ws_http_head *head, const char *offer) {
  char line[1024];
  snprintf(line, sizeof line, "Sec-WebSocket-Extensions: %s\r\n", offer);
  parse(head, line);
}

/* The server's answer; "": none. */
static const char *choose(const ws_deflate_options *options,
                          const ws_http_head *head,
                          ws_deflate_agreed *agreed) {
  static char text[WS_DEFLATE_TEXT + 1];
  memset(text, '#', sizeof text);
  memset(agreed, 0xff, sizeof *agreed);
  size_t len = ws_deflate_choose(options, head, agreed, text);
  CHECK(len <= WS_DEFLATE_TEXT);
  CHECK(text[len] == '#');
  CHECK_INT(agreed->on, len > 0);
  text[len] = '\0';
  return text;
}

typedef struct offer_row {
  const char *rule, *offer, *answer, *agreed;
} offer_row;

static void run_offers(const ws_deflate_options *options,
                       const offer_row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const offer_row *row = &rows[i];
    ws_http_head head;
    ws_handshake_verdict verdict;
    ws_deflate_agreed agreed;
    parse_offer(&head, row->offer);
    ws_handshake_judge_request(&head, &verdict);
    CHECK_INT(verdict.kind, WS_REQUEST_UPGRADE);
    CHECK(same(row->rule, row->offer, choose(options, &head, &agreed),
               row->answer));
    CHECK(same(row->rule, row->offer, spell(&agreed), row->agreed));
  }
}

#define RUN_OFFERS(options, rows) \
  run_offers(options, rows, sizeof rows / sizeof *rows)

#define PMD "permessage-deflate"

TEST(a_server_without_wishes) {
  static const offer_row rows[] = {
      {"R37", PMD, PMD, "15/15"},
      {"R38", PMD "; client_max_window_bits", PMD, "15/15"},
      {"R39", PMD "; client_max_window_bits=8",
       PMD "; client_max_window_bits=8", "15/8"},
      {"R39", PMD "; client_max_window_bits=9",
       PMD "; client_max_window_bits=9", "15/9"},
      {"R39", PMD "; client_max_window_bits=14",
       PMD "; client_max_window_bits=14", "15/14"},
      {"R39", PMD "; client_max_window_bits=15", PMD, "15/15"},
      {"R40", PMD "; server_max_window_bits=9",
       PMD "; server_max_window_bits=9", "9/15"},
      {"R40", PMD "; server_max_window_bits=10",
       PMD "; server_max_window_bits=10", "10/15"},
      {"R40", PMD "; server_max_window_bits=15",
       PMD "; server_max_window_bits=15", "15/15"},
      {"R43", PMD "; server_no_context_takeover",
       PMD "; server_no_context_takeover", "s15/15"},
      {"R44", PMD "; client_no_context_takeover",
       PMD "; client_no_context_takeover", "c15/15"},
      {"R50", PMD "; server_max_window_bits=\"10\"",
       PMD "; server_max_window_bits=10", "10/15"},
      {"R50", PMD "; client_max_window_bits=\"1\\2\"",
       PMD "; client_max_window_bits=12", "15/12"},
      {"R52", PMD "; server_max_window_bits=8",
       PMD "; server_max_window_bits=8", "8/15"},
      {"R37-R44 together",
       PMD ";client_max_window_bits=11;server_max_window_bits=12;"
           "client_no_context_takeover;server_no_context_takeover",
       PMD "; server_no_context_takeover; client_no_context_takeover"
           "; server_max_window_bits=12; client_max_window_bits=11",
       "sc12/11"},
  };
  ws_deflate_options options = plain();
  RUN_OFFERS(&options, rows);
}

TEST(offers_that_are_declined) {
  static const offer_row rows[] = {
      {"R41", PMD "; server_max_window_bits", "", "-"},
      {"R42", PMD "; server_max_window_bits=7", "", "-"},
      {"R42", PMD "; server_max_window_bits=16", "", "-"},
      {"R42", PMD "; server_max_window_bits=08", "", "-"},
      {"R42", PMD "; server_max_window_bits=010", "", "-"},
      {"R42", PMD "; server_max_window_bits=+9", "", "-"},
      {"R42", PMD "; server_max_window_bits=9.0", "", "-"},
      {"R42", PMD "; server_max_window_bits=abc", "", "-"},
      {"R42", PMD "; server_max_window_bits=0", "", "-"},
      {"R42", PMD "; server_max_window_bits=264", "", "-"},
      {"R42", PMD "; server_max_window_bits=65546", "", "-"},
      {"R42", PMD "; client_max_window_bits=7", "", "-"},
      {"R42", PMD "; client_max_window_bits=16", "", "-"},
      {"R42", PMD "; client_max_window_bits=08", "", "-"},
      {"R42", PMD "; client_max_window_bits=+9", "", "-"},
      {"R42", PMD "; client_max_window_bits=9.0", "", "-"},
      {"R42", PMD "; client_max_window_bits=abc", "", "-"},
      {"R42", PMD "; client_max_window_bits=\"\"", "", "-"},
      {"R42", PMD "; server_max_window_bits=\"\"", "", "-"},
      {"R45", PMD "; server_no_context_takeover=1", "", "-"},
      {"R45", PMD "; server_no_context_takeover=\"\"", "", "-"},
      {"R45", PMD "; client_no_context_takeover=1", "", "-"},
      {"R45", PMD "; client_no_context_takeover=\"\"", "", "-"},
      {"R45", PMD "; client_no_context_takeover=true", "", "-"},
      {"R46", PMD "; server_no_context_takeover; server_no_context_takeover",
       "", "-"},
      {"R46", PMD "; client_no_context_takeover; client_no_context_takeover",
       "", "-"},
      {"R46", PMD "; server_max_window_bits=10; server_max_window_bits=10", "",
       "-"},
      {"R46", PMD "; client_max_window_bits; client_max_window_bits", "", "-"},
      {"R46", PMD "; client_max_window_bits; client_max_window_bits=9", "",
       "-"},
      {"R46", PMD "; client_max_window_bits=9; client_max_window_bits", "",
       "-"},
      {"R46", PMD "; unknown", "", "-"},
      {"R46", PMD "; unknown=10", "", "-"},
      {"R46", PMD "; server_max_window_bit=10", "", "-"},
      {"R46", PMD "; server_no_context_takeover; mode=x", "", "-"},
      {"R46", PMD "; mode=x; server_no_context_takeover", "", "-"},
      /* S62: names are compared as browsers do. */
      {"S62", "Permessage-Deflate", "", "-"},
      {"S62", PMD "; Server_no_context_takeover", "", "-"},
      {"S62", PMD "; client_Max_window_bits", "", "-"},
      {"R53", PMD "-frame", "", "-"},
      {"R53", "permessage", "", "-"},
      {"R53", "x-foo; " PMD, "", "-"},
      {"R53", PMD "; x, " PMD "; server_max_window_bits=7", "", "-"},
  };
  ws_deflate_options options = plain();
  RUN_OFFERS(&options, rows);
}

TEST(the_first_offer_that_can_be_taken) {
  static const offer_row rows[] = {
      {"R47", "x-foo, " PMD, PMD, "15/15"},
      {"R47", "x-foo; server_max_window_bits=9, " PMD, PMD, "15/15"},
      {"R47", PMD ", x-foo", PMD, "15/15"},
      {"R48", PMD "; server_max_window_bits=7, " PMD, PMD, "15/15"},
      {"R48", PMD "; bad; bad=2, " PMD "; server_max_window_bits=9",
       PMD "; server_max_window_bits=9", "9/15"},
      /* The answer contains nothing of a declined offer. */
      {"R48",
       PMD "; server_no_context_takeover; client_max_window_bits=9; x, " PMD,
       PMD, "15/15"},
      {"R49", PMD "; server_max_window_bits=10, " PMD,
       PMD "; server_max_window_bits=10", "10/15"},
      {"R49", PMD ", " PMD "; server_max_window_bits=10", PMD, "15/15"},
      {"R49", PMD ", " PMD ", " PMD, PMD, "15/15"},
      {"R54", "x-webkit-deflate-frame, " PMD, PMD, "15/15"},
      {"R54", PMD ", x-webkit-deflate-frame", PMD, "15/15"},
      {"R47", ", ,\t" PMD " ,", PMD, "15/15"},
  };
  ws_deflate_options options = plain();
  RUN_OFFERS(&options, rows);
}

/* A server may always add parameters for itself; the client's window only when
 * the client has offered that. */
TEST(a_server_with_wishes) {
  static const offer_row rows[] = {
      {"R37", PMD,
       PMD "; server_no_context_takeover; client_no_context_takeover"
           "; server_max_window_bits=12",
       "sc12/15"},
      {"R38", PMD "; client_max_window_bits",
       PMD "; server_no_context_takeover; client_no_context_takeover"
           "; server_max_window_bits=12; client_max_window_bits=11",
       "sc12/11"},
      /* R39, X13: never more than the client offered. */
      {"R39", PMD "; client_max_window_bits=9",
       PMD "; server_no_context_takeover; client_no_context_takeover"
           "; server_max_window_bits=12; client_max_window_bits=9",
       "sc12/9"},
      {"R39", PMD "; client_max_window_bits=13",
       PMD "; server_no_context_takeover; client_no_context_takeover"
           "; server_max_window_bits=12; client_max_window_bits=11",
       "sc12/11"},
      {"R40", PMD "; server_max_window_bits=10",
       PMD "; server_no_context_takeover; client_no_context_takeover"
           "; server_max_window_bits=10",
       "sc10/15"},
      {"R40", PMD "; server_max_window_bits=15",
       PMD "; server_no_context_takeover; client_no_context_takeover"
           "; server_max_window_bits=12",
       "sc12/15"},
  };
  ws_deflate_options options = plain();
  options.server_no_context = options.client_no_context = true;
  options.server_bits = 12;
  options.client_bits = 11;
  RUN_OFFERS(&options, rows);
}

/* R39, R40: every offered window against every configured one. */
TEST(every_pair_of_windows) {
  for (unsigned offered = 8; offered <= 15; offered++)
    for (unsigned wish = 7; wish <= 15; wish++) {
      char offer[100], expected[32];
      ws_http_head head;
      ws_deflate_agreed agreed;
      ws_deflate_options options = plain();
      unsigned most = wish == 7 ? 15 : wish; /* 7 stands for no wish */
      unsigned least = offered < most ? offered : most;
      options.server_bits = options.client_bits =
          (uint8_t)(wish == 7 ? 0 : wish);
      snprintf(offer, sizeof offer,
               PMD "; server_max_window_bits=%u; client_max_window_bits=%u",
               offered, offered);
      snprintf(expected, sizeof expected, "%u/%u", least, least);
      parse_offer(&head, offer);
      (void)choose(&options, &head, &agreed);
      CHECK(same("R39", offer, spell(&agreed), expected));
    }
}

TEST(grammar_errors_are_refused) { /* R51 */
  static const char *const offers[] = {
      PMD ";", PMD ";;", PMD "; ;server_no_context_takeover", PMD "=1",
      PMD "; server_max_window_bits=", PMD "; =10", PMD " x", "\"" PMD "\"",
      PMD "; server_max_window_bits=\"10", PMD "; a=\"x y\"", "x-foo;, " PMD,
      PMD ", x-foo=", ""};
  for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
    ws_http_head head;
    ws_handshake_verdict verdict;
    parse_offer(&head, offers[i]);
    ws_handshake_judge_request(&head, &verdict);
    CHECK_INT(verdict.kind, WS_REQUEST_REFUSED);
    CHECK_INT(verdict.status, 400);
  }
}

/* 9.1: a list may be cut over several lines of the header. */
TEST(offers_over_several_lines) {
  ws_deflate_options options = plain();
  ws_deflate_agreed agreed;
  ws_http_head head;
  parse(&head,
        "Sec-WebSocket-Extensions: x-foo\r\n"
        "sec-websocket-extensions: " PMD "; server_max_window_bits=7\r\n"
        "X-Other: " PMD "\r\n"
        "SEC-WEBSOCKET-EXTENSIONS: " PMD "; server_max_window_bits=11\r\n"
        "Sec-WebSocket-Extensions: " PMD "\r\n");
  CHECK(same("R48", "lines", choose(&options, &head, &agreed),
             PMD "; server_max_window_bits=11"));
  CHECK(same("R48", "lines", spell(&agreed), "11/15"));
}

/* The offer may be in any header of the head, the first and the last
 * included. */
TEST(offers_at_either_end_of_the_headers) {
  static const char text[] =
      "GET / HTTP/1.1\r\nSec-WebSocket-Extensions: x-foo, " PMD "\r\n"
      "Host: h\r\n"
      "Sec-WebSocket-Extensions: " PMD "; server_max_window_bits=9\r\n\r\n";
  ws_deflate_options options = plain();
  ws_deflate_agreed agreed;
  ws_http_head head;
  CHECK_INT(ws_http_parse_request(&head, text, sizeof text - 1), 0);
  CHECK(same("R47", "first", choose(&options, &head, &agreed), PMD));
  head.headers[0] = head.headers[1];
  CHECK(same("R40", "last", choose(&options, &head, &agreed),
             PMD "; server_max_window_bits=9"));
  head.header_count--; /* what follows the head's headers does not count */
  CHECK(same("R53", "none", choose(&options, &head, &agreed), ""));
}

TEST(a_server_that_does_not_compress) { /* R53 */
  ws_deflate_options options = {.enabled = false, .server_bits = 10};
  ws_deflate_agreed agreed;
  ws_http_head head;
  parse_offer(&head, PMD);
  CHECK(same("R53", PMD, choose(&options, &head, &agreed), ""));
  parse(&head, "X-Other: " PMD "\r\n");
  options.enabled = true;
  CHECK(same("R53", "no offer", choose(&options, &head, &agreed), ""));
}

/* ------------------------------------------------------------- client */

static const char *offer_of(const ws_deflate_options *options) {
  static char text[WS_DEFLATE_TEXT + 1];
  memset(text, '#', sizeof text);
  size_t len = ws_deflate_offer(options, text);
  CHECK(len <= WS_DEFLATE_TEXT);
  CHECK(text[len] == '#');
  text[len] = '\0';
  return text;
}

TEST(what_a_client_offers) { /* S161 */
  ws_deflate_options options = plain();
  CHECK(same("S161", "none", offer_of(&options),
             PMD "; client_max_window_bits"));
  options.client_bits = 8;
  CHECK(same("S161", "client_bits", offer_of(&options),
             PMD "; client_max_window_bits=8"));
  options.server_bits = 10;
  options.client_bits = 9;
  CHECK(same("S161", "both bits", offer_of(&options),
             PMD "; server_max_window_bits=10; client_max_window_bits=9"));
  options.server_bits = options.client_bits = 15;
  options.server_no_context = options.client_no_context = true;
  CHECK(same("S161", "all", offer_of(&options),
             PMD "; server_no_context_takeover; client_no_context_takeover"
                 "; server_max_window_bits=15; client_max_window_bits=15"));
}

typedef struct answer_row {
  const char *rule;
  ws_deflate_options options;
  const char *answer;
  const char *agreed; /* NULL: the handshake fails */
} answer_row;

static const char *judge(const ws_deflate_options *options,
                         const char *answer, ws_deflate_agreed *agreed) {
  size_t len = strlen(answer);
  char *guarded = (char *)check_guarded(len);
  memcpy(guarded, answer, len);
  memset(agreed, 0xff, sizeof *agreed);
  return ws_deflate_judge(options, (ws_slice){guarded, len}, agreed);
}

static void run_answers(const answer_row *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const answer_row *row = &rows[i];
    ws_deflate_agreed agreed;
    const char *why = judge(&row->options, row->answer, &agreed);
    const char *is = why ? "fails" : spell(&agreed);
    CHECK(same(row->rule, row->answer, is,
               row->agreed ? row->agreed : "fails"));
    CHECK(!why || (strlen(why) > 10 && !agreed.on));
  }
}

#define RUN_ANSWERS(rows) run_answers(rows, sizeof rows / sizeof *rows)
#define ON .enabled = true

TEST(answers_that_are_good) {
  static const answer_row rows[] = {
      {"S163", {ON}, "", "-"},
      {"S163", {ON, .server_bits = 9, .server_no_context = true}, "", "-"},
      {"S163", {.enabled = false}, "", "-"},
      {"S164", {ON}, PMD, "15/15"},
      {"S165", {ON}, PMD "; server_no_context_takeover", "s15/15"},
      {"S165", {ON, .server_no_context = true},
       PMD "; server_no_context_takeover", "s15/15"},
      {"S166", {ON}, PMD "; client_no_context_takeover", "c15/15"},
      /* Not echoed: the client may use takeover, but still does not. */
      {"S166", {ON, .client_no_context = true}, PMD, "c15/15"},
      {"S166", {ON, .client_no_context = true},
       PMD "; client_no_context_takeover", "c15/15"},
      {"S167", {ON}, PMD "; server_max_window_bits=8", "8/15"},
      {"S167", {ON}, PMD "; server_max_window_bits=15", "15/15"},
      {"S167", {ON, .server_bits = 12}, PMD "; server_max_window_bits=12",
       "12/15"},
      {"S167", {ON, .server_bits = 12}, PMD "; server_max_window_bits=9",
       "9/15"},
      {"S168", {ON}, PMD "; client_max_window_bits=8", "15/8"},
      {"S168", {ON}, PMD "; client_max_window_bits=15", "15/15"},
      {"S168", {ON, .client_bits = 10}, PMD "; client_max_window_bits=10",
       "15/10"},
      {"S168", {ON, .client_bits = 10}, PMD "; client_max_window_bits=9",
       "15/9"},
      {"S168", {ON, .client_bits = 10}, PMD, "15/10"},
      /* X13: accepted, and our window stays as small as offered. */
      {"X13", {ON, .client_bits = 10}, PMD "; client_max_window_bits=12",
       "15/10"},
      {"S170", {ON}, PMD "; server_max_window_bits=\"10\"", "10/15"},
      {"S170", {ON}, PMD "\t; server_max_window_bits = 10 ;\t"
                         "server_no_context_takeover",
       "s10/15"},
      {"S164-S168", {ON, .server_bits = 13, .client_bits = 11},
       PMD ";client_max_window_bits=11;server_max_window_bits=12;"
           "client_no_context_takeover;server_no_context_takeover",
       "sc12/11"},
  };
  RUN_ANSWERS(rows);
}

TEST(answers_that_fail) {
  static const answer_row rows[] = {
      {"S164", {.enabled = false}, PMD, NULL},
      {"S164", {ON}, "x-foo", NULL},
      {"S164", {ON}, PMD "-frame", NULL},
      {"S164", {ON}, PMD "; unknown", NULL},
      {"S164", {ON}, PMD "; unknown=1", NULL},
      {"S164", {ON}, PMD ", " PMD, NULL},
      {"S164", {ON}, PMD ", x-foo", NULL},
      {"S164", {ON}, "x-foo, " PMD, NULL},
      {"S61", {ON}, PMD ";", NULL},
      {"S61", {ON}, PMD ",", NULL},
      {"S61", {ON}, PMD " x", NULL},
      {"S61", {ON}, PMD "=1", NULL},
      {"S61", {ON}, PMD "; server_max_window_bits=", NULL},
      {"S62", {ON}, "Permessage-Deflate", NULL},
      {"S62", {ON}, PMD "; Server_no_context_takeover", NULL},
      {"S62", {ON}, PMD "; client_max_window_BITS=10", NULL},
      {"S164", {ON},
       PMD "; server_no_context_takeover; server_no_context_takeover", NULL},
      {"S164", {ON},
       PMD "; client_no_context_takeover; client_no_context_takeover", NULL},
      {"S164", {ON}, PMD "; server_max_window_bits=9; server_max_window_bits=9",
       NULL},
      {"S164", {ON}, PMD "; client_max_window_bits=9; client_max_window_bits=9",
       NULL},
      {"S165", {ON}, PMD "; server_no_context_takeover=1", NULL},
      {"S165", {ON}, PMD "; server_no_context_takeover=true", NULL},
      {"S165", {ON, .server_no_context = true}, PMD, NULL},
      {"S166", {ON}, PMD "; client_no_context_takeover=1", NULL},
      {"S167", {ON}, PMD "; server_max_window_bits", NULL},
      {"S167", {ON, .server_bits = 12}, PMD, NULL},
      {"S167", {ON, .server_bits = 12}, PMD "; server_max_window_bits=13",
       NULL},
      {"S167", {ON, .server_bits = 15}, PMD, NULL},
      {"S168", {ON}, PMD "; client_max_window_bits", NULL},
      {"S168", {ON, .client_bits = 10}, PMD "; client_max_window_bits", NULL},
      {"S169", {ON}, PMD "; server_max_window_bits=7", NULL},
      {"S169", {ON}, PMD "; server_max_window_bits=16", NULL},
      {"S169", {ON}, PMD "; server_max_window_bits=08", NULL},
      {"S169", {ON}, PMD "; server_max_window_bits=010", NULL},
      {"S169", {ON}, PMD "; server_max_window_bits='10'", NULL},
      {"S169", {ON}, PMD "; server_max_window_bits=\"\"", NULL},
      {"S169", {ON}, PMD "; server_max_window_bits=\"08\"", NULL},
      {"S169", {ON}, PMD "; client_max_window_bits=7", NULL},
      {"S169", {ON}, PMD "; client_max_window_bits=16", NULL},
      {"S169", {ON}, PMD "; client_max_window_bits=08", NULL},
      {"S169", {ON}, PMD "; client_max_window_bits=10x", NULL},
  };
  RUN_ANSWERS(rows);
}

/* S62, S164: only one extension was offered, so any other fails as not
 * offered. */
TEST(another_extension_was_not_offered) {
  static const char *const answers[] = {PMD ", x-foo", "x-foo, " PMD, "x-foo"};
  ws_deflate_options options = plain();
  ws_deflate_agreed agreed;
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
    CHECK(same("S164", answers[i], judge(&options, answers[i], &agreed),
               "the server chose an extension that was not offered"));
}

/* S161: whatever our client offers, it accepts our server's answer, and both
 * agree on the same. */
TEST(offer_and_answer_meet) {
  for (unsigned i = 0; i < 2 * 2 * 2 * 2 * 9 * 9; i++) {
    ws_deflate_options client = plain(), server = plain();
    client.server_no_context = i & 1;
    client.client_no_context = i & 2;
    server.server_no_context = server.client_no_context = i / 4 % 2 != 0;
    client.server_bits = (uint8_t)(i / 8 % 2 == 0 ? 0 : 11);
    client.client_bits = (uint8_t)(i / 16 % 9 == 0 ? 0 : 7 + i / 16 % 9);
    server.client_bits = (uint8_t)(i / 144 % 9 == 0 ? 0 : 7 + i / 144 % 9);
    server.server_bits = server.client_bits;
    ws_http_head head;
    ws_deflate_agreed theirs, ours;
    parse_offer(&head, offer_of(&client));
    const char *answer = choose(&server, &head, &theirs);
    CHECK(theirs.on);
    CHECK(judge(&client, answer, &ours) == NULL);
    CHECK_INT(ours.client_bits, theirs.client_bits);
    CHECK_INT(ours.server_bits, theirs.server_bits);
    CHECK_INT(ours.client_no_context, theirs.client_no_context);
    CHECK_INT(ours.server_no_context, theirs.server_no_context);
  }
}

int main(void) {
  RUN(a_server_without_wishes);
  RUN(offers_that_are_declined);
  RUN(the_first_offer_that_can_be_taken);
  RUN(a_server_with_wishes);
  RUN(every_pair_of_windows);
  RUN(grammar_errors_are_refused);
  RUN(offers_over_several_lines);
  RUN(offers_at_either_end_of_the_headers);
  RUN(a_server_that_does_not_compress);
  RUN(what_a_client_offers);
  RUN(answers_that_are_good);
  RUN(answers_that_fail);
  RUN(another_extension_was_not_offered);
  RUN(offer_and_answer_meet);
  return check_done();
}
