/* SPDX-License-Identifier: MIT */
/* From errno to status. */
#include "transport/system_error.h"

#include "bytes/status.h"
#include "check.h"

#include <errno.h>
#include <netdb.h>

TEST(waiting_is_no_failure) {
  CHECK_INT(ws_system_error(EAGAIN), WS_EAGAIN);
  CHECK_INT(ws_system_error(EWOULDBLOCK), WS_EAGAIN);
  CHECK_INT(ws_system_error(EINPROGRESS), WS_EAGAIN);
}

/* The names that programs compare are the system's. */
TEST(names_that_users_see) {
  static const struct {
    int error;
    int status;
    const char *name;
  } cases[] = {
      {ECONNREFUSED, WS_ECONNREFUSED, "ECONNREFUSED"},
      {ECONNRESET, WS_ECONNRESET, "ECONNRESET"},
      {ECONNABORTED, WS_ECONNABORTED, "ECONNABORTED"},
      {EPIPE, WS_EPIPE, "EPIPE"},
      {EHOSTUNREACH, WS_EHOSTUNREACH, "EHOSTUNREACH"},
      {ENETUNREACH, WS_ENETUNREACH, "ENETUNREACH"},
      {ETIMEDOUT, WS_ETIMEDOUT, "ETIMEDOUT"},
      {EADDRINUSE, WS_EADDRINUSE, "EADDRINUSE"},
      {EADDRNOTAVAIL, WS_EADDRNOTAVAIL, "EADDRNOTAVAIL"},
      {EACCES, WS_EACCES, "EACCES"},
      {EMFILE, WS_EMFILE, "EMFILE"},
      {ENOBUFS, WS_ENOBUFS, "ENOBUFS"},
      {ENOMEM, WS_ENOMEM, "ENOMEM"},
      {ENOENT, WS_ENOENT, "ENOENT"},
      {EINVAL, WS_EINVAL, "EINVAL"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CHECK_INT(ws_system_error(cases[i].error), cases[i].status);
    CHECK(strcmp(ws_status_name(cases[i].status), cases[i].name) == 0);
  }
}

TEST(kin_are_one) {
  CHECK_INT(ws_system_error(EPERM), ws_system_error(EACCES));
  CHECK_INT(ws_system_error(ENFILE), ws_system_error(EMFILE));
  CHECK_INT(ws_system_error(EAFNOSUPPORT), WS_ENETUNREACH);
  CHECK_INT(ws_system_error(ENOTCONN), WS_ECONNRESET);
  CHECK_INT(ws_system_error(EHOSTDOWN), WS_EHOSTUNREACH);
  CHECK_INT(ws_system_error(ENETDOWN), WS_ENETUNREACH);
  CHECK_INT(ws_system_error(EPROTO), WS_ECONNABORTED); /* from accept(2) */
}

TEST(anything_else) {
  CHECK_INT(ws_system_error(EXDEV), WS_ESYSTEM);
  CHECK_INT(ws_system_error(EBADF), WS_ESYSTEM);
  CHECK_INT(ws_system_error(0), WS_ESYSTEM); /* always a failure */
  CHECK_INT(ws_system_error(-1), WS_ESYSTEM);
  CHECK_INT(ws_system_error(1 << 20), WS_ESYSTEM);
}

/* Never a success, the end of a stream, or a number without a name. */
TEST(never_good) {
  for (int error = 1; error < 200; error++) {
    int status = ws_system_error(error);
    CHECK(status < WS_OK && status != WS_EOF);
    CHECK(strcmp(ws_status_name(status), "EUNKNOWN") != 0);
  }
}

TEST(lookups_fail_with_words_that_stay) {
  const char *none = ws_system_lookup_error(EAI_NONAME);
  const char *later = ws_system_lookup_error(EAI_AGAIN);
  CHECK(strcmp(none, later) != 0);
  CHECK(ws_system_lookup_error(EAI_FAIL)[0] != '\0');
}

int main(void) {
  RUN(waiting_is_no_failure);
  RUN(names_that_users_see);
  RUN(kin_are_one);
  RUN(anything_else);
  RUN(never_good);
  RUN(lookups_fail_with_words_that_stay);
  return check_done();
}
