/* SPDX-License-Identifier: MIT */
/* TLS left out: everything says so. The file is included here, as the build
 * under test has the other one. */
#include "../../csrc/transport/stream_tls_none.c"

#include "check.h"

TEST(everything_says_so) {
  ws_tls_options options = {0};
  ws_tls *tls = (ws_tls *)&options;
  ws_slice none = {0};
  ws_stream stream = {0}, *made = &stream;
  ws_tls_info info;
  char why[64];
  CHECK_INT(ws_tls_new(&options, &tls, why, sizeof why), WS_EUNSUPPORTED);
  CHECK(tls == NULL && strstr(why, "left out"));
  for (size_t size = 0; size < 10; size++) {
    char *room = (char *)check_guarded(size);
    CHECK_INT(ws_tls_new(&options, &tls, room, size), WS_EUNSUPPORTED);
    if (size > 0) CHECK_INT(strlen(room), size - 1);
  }
  CHECK(ws_tls_ref(NULL) == NULL);
  ws_tls_unref(NULL);
  CHECK(!ws_tls_has_cert(NULL));
  CHECK_INT(ws_tls_add_name(NULL, none, NULL), WS_EUNSUPPORTED);
  CHECK_INT(ws_stream_tls_new(made, NULL, none, none, &made),
            WS_EUNSUPPORTED);
  CHECK(made == &stream);
  CHECK(!ws_stream_tls_info(&stream, &info));
}

int main(void) {
  RUN(everything_says_so);
  return check_done();
}
