/* SPDX-License-Identifier: MIT */
/* zlib left out: nothing can be made, and everything fails without touching its
 * arguments. The file is included here, as the build under test has the other
 * one. */
#include "../../csrc/protocol/deflate_none.c"

#include "check.h"
#include "wire.h"

TEST(is_not_built_in) { CHECK(!ws_deflate_built_in); }

TEST(nothing_is_made) {
  CHECK(ws_deflater_new(wire_resize, 15, 6) == NULL);
  CHECK(ws_inflater_new(wire_resize) == NULL);
  CHECK_INT(wire_memory.blocks, 0);
  ws_deflater_free(NULL);
  ws_inflater_free(NULL);
}

TEST(everything_refuses) {
  static uint8_t window[WS_WINDOW];
  ws_buffer out;
  ws_buffer_init(&out, wire_resize, 0);
  CHECK_INT(ws_buffer_append(&out, "<", 1), WS_OK);
  ws_deflater_reset(NULL);
  CHECK_INT(ws_deflater_message(NULL, "Hello", 5, &out), WS_EUNSUPPORTED);
  ws_inflater_reset(NULL);
  CHECK_INT(ws_inflater_feed(NULL, "\xf2\x48", 2, &out, 100),
            WS_EUNSUPPORTED);
  CHECK_INT(ws_inflater_end(NULL, &out, 100), WS_EUNSUPPORTED);
  CHECK_INT(ws_inflater_window(NULL, window), 0);
  CHECK_INT(ws_inflater_set_window(NULL, window, 1), WS_EUNSUPPORTED);
  CHECK_BYTES(out.data, out.len, "<");
  ws_buffer_deinit(&out);
}

int main(void) {
  RUN(is_not_built_in);
  RUN(nothing_is_made);
  RUN(everything_refuses);
  return check_done();
}
