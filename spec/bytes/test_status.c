/* SPDX-License-Identifier: MIT */
/* The table of failures. Programs compare the names, so they are written out
 * here a second time. */
#include "bytes/status.h"

#include <limits.h>

#include "check.h"

/* In the order of the negated status. */
static const char *const names[] = {
    "OK",         "EAGAIN",     "EOF",           "ENOMEM",
    "EINVAL",     "EPROTOCOL",  "EUTF8",         "ETOOBIG",
    "EURL",       "EHANDSHAKE", "EHTTP",         "EHEADTOOBIG",
    "ETLS",       "ETRUNCATED", "ENOTFOUND",     "ECONNREFUSED",
    "ECONNRESET", "EPIPE",      "EHOSTUNREACH",  "ENETUNREACH",
    "ETIMEDOUT",  "EADDRINUSE", "EADDRNOTAVAIL", "EACCES",
    "EMFILE",     "ENOBUFS",    "ECONNABORTED",  "EBACKPRESSURE",
    "ERANDOM",    "ESYSTEM",    "ENOENT",        "EUNSUPPORTED",
    "EDEFLATE",   "EPROXY"};
#define NAMES ((int)(sizeof names / sizeof *names))

TEST(test_every_name) {
  CHECK_INT(WS_STATUS_LAST, 1 - NAMES);
  for (int i = 0; i < NAMES; i++) {
    const char *name = ws_status_name(-i);
    if (!CHECK(name && strcmp(name, names[i]) == 0))
      fprintf(stderr, "  %d is %s\n", -i, name ? name : "NULL");
  }
}

/* A few by constant, because the list above relies on the order only. */
TEST(test_names_by_constant) {
  CHECK(strcmp(ws_status_name(WS_EPROTOCOL), "EPROTOCOL") == 0);
  CHECK(strcmp(ws_status_name(WS_ETRUNCATED), "ETRUNCATED") == 0);
  CHECK(strcmp(ws_status_name(WS_ECONNREFUSED), "ECONNREFUSED") == 0);
  CHECK(strcmp(ws_status_name(WS_EACCES), "EACCES") == 0);
  CHECK(strcmp(ws_status_name(WS_EUNSUPPORTED), "EUNSUPPORTED") == 0);
}

TEST(test_every_text_is_a_sentence_of_its_own) {
  for (int i = 0; i < NAMES; i++) {
    const char *text = ws_status_text(-i);
    if (!CHECK(text && text[0] != '\0')) continue;
    CHECK(text[strlen(text) - 1] != '.');
    CHECK(strlen(text) < 100);
    CHECK(strcmp(text, ws_status_text(1)) != 0);
    for (int j = 0; j < i; j++) CHECK(strcmp(text, ws_status_text(-j)) != 0);
  }
}

/* S143, S154, S176, X19: only these failures have a close code. */
TEST(test_every_close_code) {
  for (int i = 0; i < NAMES; i++) {
    unsigned expected = 0;
    if (-i == WS_EPROTOCOL) expected = 1002;
    if (-i == WS_EUTF8 || -i == WS_EDEFLATE) expected = 1007;
    if (-i == WS_ETOOBIG) expected = 1009;
    if (-i == WS_ENOMEM || -i == WS_ERANDOM) expected = 1011;
    if (-i == WS_EBACKPRESSURE) expected = 1013;
    CHECK_INT(ws_status_close_code(-i), expected);
  }
}

TEST(test_numbers_that_are_no_status) {
  static const int strange[] = {1,       2,           33,
                                INT_MAX, -NAMES,      -NAMES - 1,
                                -10000,  INT_MIN + 1, INT_MIN};
  for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
    CHECK(strcmp(ws_status_name(strange[i]), "EUNKNOWN") == 0);
    CHECK(strcmp(ws_status_text(strange[i]), "unknown failure") == 0);
    CHECK_INT(ws_status_close_code(strange[i]), 0);
  }
}

int main(void) {
  RUN(test_every_name);
  RUN(test_names_by_constant);
  RUN(test_every_text_is_a_sentence_of_its_own);
  RUN(test_every_close_code);
  RUN(test_numbers_that_are_no_status);
  return check_done();
}
