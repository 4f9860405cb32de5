/* SPDX-License-Identifier: MIT */
/* Threads that nobody waits for. */
#pragma once

/* Runs work(argument) in a thread of its own that ends by itself. The library
 * stays loaded from then on, the program's signals do not reach the thread.
 * WS_OK or WS_ESYSTEM. */
int ws_thread_start(void *(*work)(void *argument), void *argument);
