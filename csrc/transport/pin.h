/* SPDX-License-Identifier: MIT */
/* Keeps the library that this is linked into loaded until the program ends: a
 * thread of ours may outlive the Lua state that loaded it. */
#pragma once

/* Only the first call does anything; any thread may call it. */
void ws_pin_library(void);
