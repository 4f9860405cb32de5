/* SPDX-License-Identifier: MIT */
/* errno -> status. */
#include "transport/system_error.h"

#include "bytes/status.h"
#include "check.h"

#include <errno.h>

TEST(waiting_is_no_failure) {
  CHECK_INT(ws_system_error(EAGAIN), WS_EAGAIN);
  CHECK_INT(ws_system_error(EWOULDBLOCK), WS_EAGAIN);
  CHECK_INT(ws_system_error(EINPROGRESS), WS_EAGAIN);
}

TEST(names_that_users_see) {
  CHECK_INT(ws_system_error(ECONNREFUSED), WS_ECONNREFUSED);
  CHECK_INT(ws_system_error(ECONNRESET), WS_ECONNRESET);
  CHECK_INT(ws_system_error(EHOSTUNREACH), WS_EHOSTUNREACH);
  CHECK_INT(ws_system_error(ENETUNREACH), WS_ENETUNREACH);
  CHECK_INT(ws_system_error(ETIMEDOUT), WS_ETIMEDOUT);
  CHECK_INT(ws_system_error(EADDRINUSE), WS_EADDRINUSE);
  CHECK_INT(ws_system_error(EADDRNOTAVAIL), WS_EADDRNOTAVAIL);
  CHECK_INT(ws_system_error(ENOENT), WS_ENOENT);
}

TEST(kin_are_one) {
  CHECK_INT(ws_system_error(EPERM), ws_system_error(EACCES));
  CHECK_INT(ws_system_error(ENFILE), ws_system_error(EMFILE));
  CHECK_INT(ws_system_error(EAFNOSUPPORT), WS_ENETUNREACH);
  CHECK_INT(ws_system_error(ENOTCONN), WS_ECONNRESET);
}

TEST(anything_else) {
  CHECK_INT(ws_system_error(EXDEV), WS_ESYSTEM);
  CHECK_INT(ws_system_error(-1), WS_ESYSTEM);
  CHECK_INT(ws_system_error(1 << 20), WS_ESYSTEM);
}

TEST(never_good) {
  for (int error = 1; error < 200; error++)
    CHECK(ws_system_error(error) < WS_OK);
}

int main(void) {
  RUN(waiting_is_no_failure);
  RUN(names_that_users_see);
  RUN(kin_are_one);
  RUN(anything_else);
  RUN(never_good);
  return check_done();
}
