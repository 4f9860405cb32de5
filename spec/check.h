/* SPDX-License-Identifier: MIT */
/* The C tests' harness. A test program is a list of TEST functions and a
 * main that RUNs them and returns check_done(). A TEST counts as one test; it
 * passes when every CHECK in it held and there was at least one. $CHECK_SKIP
 * names tests, separated by spaces, that are left out. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
  _Atomic unsigned passed, failed;
  _Atomic unsigned held, broken; /* CHECKs of the test, from any thread */
} check_counts;

#define TEST(name) static void name(void)

#define RUN(name) check_run(#name, name)

#define CHECK(condition) \
  check_that((condition), #condition, __FILE__, __LINE__)

/* Both sides as long long, shown when they differ. */
#define CHECK_INT(actual, expected)                                       \
  check_int((long long)(actual), (long long)(expected), #actual, __FILE__, \
            __LINE__)

/* A run of bytes against a string literal (its terminating zero left out). */
#define CHECK_BYTES(data, len, literal)                             \
  check_bytes((data), (len), (literal), sizeof(literal) - 1, #data, \
              __FILE__, __LINE__)

static inline bool check_that(bool held, const char *what, const char *file,
                              int line) {
  if (held) {
    check_counts.held++;
  } else {
    check_counts.broken++;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  }
  return held;
}

static inline bool check_int(long long actual, long long expected,
                             const char *what, const char *file, int line) {
  if (actual != expected)
    fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", file, line, what,
            actual, expected);
  return check_that(actual == expected, what, file, line);
}

static inline void check_show(const char *label, const void *data,
                              size_t len) {
  const uint8_t *bytes = data;
  fprintf(stderr, "  %s (%zu):", label, len);
  for (size_t i = 0; i < len && i < 64; i++)
    fprintf(stderr, bytes[i] >= 32 && bytes[i] < 127 ? " %c" : " %02x",
            bytes[i]);
  fputc('\n', stderr);
}

static inline bool check_bytes(const void *data, size_t len,
                               const char *expected, size_t expected_len,
                               const char *what, const char *file, int line) {
  bool same = len == expected_len &&
              (len == 0 || memcmp(data, expected, len) == 0);
  if (!check_that(same, what, file, line)) {
    check_show("actual", data, len);
    check_show("expected", expected, expected_len);
  }
  return same;
}

static inline bool check_skips(const char *name) {
  const char *list = getenv("CHECK_SKIP");
  size_t len = strlen(name);
  for (const char *at = list; at && (at = strstr(at, name)) != NULL; at += len)
    if ((at == list || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
      return true;
  return false;
}

static inline void check_run(const char *name, void (*test)(void)) {
  if (check_skips(name)) {
    printf("left out: %s\n", name);
    return;
  }
  check_counts.held = check_counts.broken = 0;
  test();
  if (check_counts.broken == 0 && check_counts.held > 0) {
    check_counts.passed++;
    return;
  }
  check_counts.failed++;
  fprintf(stderr, "FAILED %s%s\n", name,
          check_counts.held + check_counts.broken ? "" : " (checked nothing)");
}

/* Prints the closing line; the exit code of main. */
static inline int check_done(void) {
  printf("%u passed, %u failed\n", check_counts.passed, check_counts.failed);
  return check_counts.failed != 0;
}

/* `len` writable bytes right before a page that may not be touched: reading
 * or writing one byte too many ends the program. Never freed. */
static inline uint8_t *check_guarded(size_t len) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  size_t whole = (len + page - 1) / page * page;
  uint8_t *block = mmap(NULL, whole + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED || mprotect(block + whole, page, PROT_NONE) != 0) {
    perror("check_guarded");
    _exit(2);
  }
  return block + whole - len;
}
