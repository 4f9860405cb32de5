/* SPDX-License-Identifier: MIT */
/* The only malloc of the core. Pure floors do not include this: they are given
 * ws_memory_resize as a ws_resize (buffer.h). */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Returns `size` zeroed bytes, or NULL. Free with ws_memory_free. */
void *ws_memory_new(size_t size);

/* Like realloc, but size 0 frees and returns NULL. If it returns NULL with
 * size > 0, the old block is untouched. */
void *ws_memory_resize(void *block, size_t size);

/* NULL is fine. */
void ws_memory_free(void *block);

/* By default glibc maps each block of 128 KiB or more by itself, and returns
 * the top of its heap to the system when 128 KiB of it are free. Either way the
 * pages are faulted in again for every long message and after every garbage
 * collection. After this call blocks of up to WS_MEMORY_LONG bytes come from
 * the heap, which keeps up to twice WS_MEMORY_LONG of free memory. */
#define WS_MEMORY_LONG ((size_t)4 * 1024 * 1024)
void ws_memory_calm(void);

/* How many blocks are allocated now: the specs check that nothing leaks. */
size_t ws_memory_live(void);

/* For specs: makes the `nth` allocation from now on (1 = the next) fail: only
 * that one, or with `forever` all later ones too. 0 cancels this. Returns what
 * was left to count of the previous call's `nth`, the failing one included. */
uint64_t ws_memory_fail(uint64_t nth, int forever);
