/* SPDX-License-Identifier: MIT */
/* The system's clock. Other tests use a virtual one: virtual_clock.h. */
#include "check.h"
#include "loop/clock.h"

TEST(the_clock_goes_forward_and_both_agree) {
  double last = ws_clock_precise();
  bool forward = true, agree = true;
  for (int i = 0; i < 10000; i++) {
    double low = ws_clock_precise();
    uint64_t now = ws_clock_now();
    double high = ws_clock_precise();
    forward = forward && low >= last && high >= low;
    agree = agree && (double)now <= high && (double)now > low - 1.0;
    last = high;
  }
  CHECK(forward);
  CHECK(agree);
}

int main(void) {
  RUN(the_clock_goes_forward_and_both_agree);
  return check_done();
}
