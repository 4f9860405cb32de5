/* SPDX-License-Identifier: MIT */
/* The library is pinned by an address in it. */
#include "transport/pin.h"

#include <winsock2.h>
#include <windows.h>

static const char within = 0;

void ws_pin_library(void) {
  HMODULE library;
  (void)GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN |
                               GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                           &within, &library);
}
