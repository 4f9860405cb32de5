/* SPDX-License-Identifier: MIT */
/* Pinning where there is nothing to pin: the program itself. That the module
 * stays loaded is seen from Lua, by spec/lua/core_spec.lua. */
#include "check.h"
#include "transport/pin.h"

#include <dlfcn.h>

TEST(a_program_can_pin_itself) {
  void *before = dlopen(NULL, RTLD_NOW);
  ws_pin_library();
  ws_pin_library();
  void *after = dlopen(NULL, RTLD_NOW);
  CHECK(before != NULL && before == after);
}

int main(void) {
  RUN(a_program_can_pin_itself);
  return check_done();
}
