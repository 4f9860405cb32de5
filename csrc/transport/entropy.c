/* SPDX-License-Identifier: MIT */
/* The system's random bytes, fetched in blocks in advance. */
#include "transport/entropy.h"

#include "bytes/status.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/random.h>
#endif

#define BLOCK 4096

/* A forked child must not repeat its parent's bytes. */
static atomic_uint generation = 1;
static atomic_int failing;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static _Thread_local struct {
  unsigned generation; /* 0: never filled */
  size_t used;
  uint8_t bytes[BLOCK];
} ahead;

static void on_fork(void) { atomic_fetch_add(&generation, 1); }

static void watch_forks(void) { pthread_atfork(NULL, NULL, on_fork); }

static int draw_from_file(uint8_t *data, size_t len) {
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return WS_ERANDOM;
  while (len > 0) {
    ssize_t got = read(fd, data, len);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    data += got;
    len -= (size_t)got;
  }
  close(fd);
  return len == 0 ? WS_OK : WS_ERANDOM;
}

static int draw(uint8_t *data, size_t len) {
#ifdef __linux__
  while (len > 0) {
    ssize_t got = getrandom(data, len, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == ENOSYS) return draw_from_file(data, len);
    if (got <= 0) return WS_ERANDOM;
    data += got;
    len -= (size_t)got;
  }
  return WS_OK;
#else
  return draw_from_file(data, len);
#endif
}

static int refill(unsigned now) {
  pthread_once(&once, watch_forks);
  ahead.generation = 0;
  if (draw(ahead.bytes, BLOCK) != WS_OK) return WS_ERANDOM;
  ahead.generation = now;
  ahead.used = 0;
  return WS_OK;
}

int ws_entropy(void *data, size_t len) {
  if (atomic_load_explicit(&failing, memory_order_relaxed)) return WS_ERANDOM;
  if (len == 0) return WS_OK;
  if (len > BLOCK / 4) return draw(data, len);
  unsigned now = atomic_load_explicit(&generation, memory_order_relaxed);
  if (ahead.generation != now || ahead.used + len > BLOCK) {
    int status = refill(now);
    if (status != WS_OK) return status;
  }
  memcpy(data, ahead.bytes + ahead.used, len);
  memset(ahead.bytes + ahead.used, 0, len);
  ahead.used += len;
  return WS_OK;
}

void ws_entropy_fail(int on) { atomic_store(&failing, on); }
