/* SPDX-License-Identifier: MIT */
/* Threads that nobody joins. */
#pragma once

/* Runs work(argument) in a thread of its own, which ends by itself. From then
 * on the library stays loaded. The program's signals do not reach the thread.
 * WS_OK or WS_ESYSTEM. */
int ws_thread_start(void *(*work)(void *argument), void *argument);
