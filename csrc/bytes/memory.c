/* SPDX-License-Identifier: MIT */
/* The only malloc, counted, and able to fail on demand. */
#include "bytes/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

static atomic_size_t live;
static atomic_ullong countdown; /* 0: nothing is to fail */
static atomic_int failing;

static int must_fail(void) {
  if (atomic_load_explicit(&countdown, memory_order_relaxed) == 0) return 0;
  unsigned long long left = atomic_fetch_sub(&countdown, 1);
  if (left != 1) return 0;
  if (atomic_load(&failing)) atomic_store(&countdown, 1);
  return 1;
}

void *ws_memory_new(size_t size) {
  if (must_fail()) return NULL;
  void *block = calloc(1, size);
  if (block) atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
  return block;
}

void *ws_memory_resize(void *block, size_t size) {
  if (size == 0) {
    ws_memory_free(block);
    return NULL;
  }
  if (must_fail()) return NULL;
  void *resized = realloc(block, size);
  if (resized && !block)
    atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
  return resized;
}

void ws_memory_free(void *block) {
  if (!block) return;
  atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
  free(block);
}

/* Freeing a mapped block raises glibc's thresholds to its size: mallopt(3),
 * M_MMAP_THRESHOLD. */
void ws_memory_calm(void) {
  void *volatile block = malloc(WS_MEMORY_LONG); /* not optimized away */
  free(block);
}

size_t ws_memory_live(void) { return atomic_load(&live); }

uint64_t ws_memory_fail(uint64_t nth, int forever) {
  atomic_store(&failing, forever);
  return atomic_exchange(&countdown, nth);
}
