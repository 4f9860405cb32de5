/* SPDX-License-Identifier: MIT */
/* The only malloc of the core. Pure floors do not include this: they are lent
 * ws_memory_resize as a ws_resize (buffer.h). */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Gives `size` bytes, zeroed, or NULL. Free with ws_memory_free. */
void *ws_memory_new(size_t size);

/* Like realloc, but size 0 frees and gives NULL. On NULL with size > 0 the
 * old block is untouched. */
void *ws_memory_resize(void *block, size_t size);

/* NULL is fine. */
void ws_memory_free(void *block);

/* glibc returns the top of its heap when 128 KiB of it are free, and has it
 * faulted in again: with long messages, whose strings Lua frees together, at
 * each collection. After this call it keeps up to 2 MiB. */
void ws_memory_calm(void);

/* Blocks alive now: the specs' proof that nothing leaked. */
size_t ws_memory_live(void);

/* From now on the `nth` allocation (1 = the next) fails: that one only, or
 * with `forever` all later ones too. 0 ends it. Gives how many were still to
 * come of those counted before, the failing one among them. For specs. */
uint64_t ws_memory_fail(uint64_t nth, int forever);
