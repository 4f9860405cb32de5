/* SPDX-License-Identifier: MIT */
/* Frames as a server gets them from its client, with and without deflate. */
#include "frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
  fuzz_input in = {data, len};
  frames_check_head(in);
  frames_check(in, true);
  return 0;
}
