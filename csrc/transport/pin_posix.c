/* SPDX-License-Identifier: MIT */
/* The library is opened once more, never to be closed. */
#include "transport/pin.h"

#include <dlfcn.h>
#include <stdatomic.h>

static atomic_flag pinned = ATOMIC_FLAG_INIT;

void ws_pin_library(void) {
  Dl_info info;
  if (atomic_flag_test_and_set(&pinned)) return;
  /* The address of one of our objects; that of a function may lie in the
   * program. */
  if (dladdr((const void *)&pinned, &info) != 0 && info.dli_fname)
    (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}
