/* SPDX-License-Identifier: MIT */
/* Keeps the library this is linked into loaded until the program ends: a
 * thread of ours may outlive the Lua state that loaded it. */
#pragma once

/* Does it once; any thread. */
void ws_pin_library(void);
