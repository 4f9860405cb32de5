/* SPDX-License-Identifier: MIT */
/* Frames as a client gets them from its server, with and without deflate. */
#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  fuzz_input in = {data, len};
  frames_check_head(in);
  frames_check(in, false);
  return 0;
}
