/* SPDX-License-Identifier: MIT */
/* poll(2) on Windows: WSAPoll, with three faults made good here. It does not
 * wait when there are no descriptors. Before Windows 10 version 2004 it never
 * reports that connecting has failed. And it reports a peer that has ended its
 * side as a hang-up, even on a socket that only wants to write. */
#include "loop/poll_system.h"

#include "bytes/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

/* How often sockets that may be connecting are checked, milliseconds. */
#define LOOK_EVERY 250

/* How long to sleep when only such hang-ups are reported, milliseconds. */
#define NAP 10

/* select reports a failed connection, as an exception. */
static bool has_failed(SOCKET fd) {
  fd_set failed;
  TIMEVAL at_once = {0, 0};
  FD_ZERO(&failed);
  failed.fd_array[failed.fd_count++] = fd;
  return select(0, NULL, NULL, &failed, &at_once) == 1;
}

static int count_failed(struct pollfd *entries, size_t count) {
  int found = 0;
  for (size_t i = 0; i < count; i++) {
    if (!(entries[i].events & POLLOUT) || entries[i].revents != 0) continue;
    if (!has_failed(entries[i].fd)) continue;
    entries[i].revents = POLLERR;
    found++;
  }
  return found;
}

/* POLLHUP alone: a connection that is lost has POLLERR as well. */
static int drop_ended(struct pollfd *entries, size_t count) {
  int dropped = 0;
  for (size_t i = 0; i < count; i++) {
    if (entries[i].events != POLLOUT || entries[i].revents != POLLHUP) continue;
    entries[i].revents = 0;
    dropped++;
  }
  return dropped;
}

static bool any_writer(const struct pollfd *entries, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (entries[i].events & POLLOUT) return true;
  return false;
}

static int poll_once(struct pollfd *entries, size_t count, int ms) {
  int found = WSAPoll(entries, (ULONG)count, ms);
  if (found >= 0) return found;
  int error = WSAGetLastError();
  if (error == WSAEINTR) return 0;
  return error == WSAENOBUFS ? WS_ENOMEM : WS_ESYSTEM;
}

/* Every LOOK_EVERY even if other sockets are ready turn after turn. */
static bool is_due(uint64_t *looked, int found) {
  ULONGLONG now = GetTickCount64();
  if (found != 0 && now - *looked < LOOK_EVERY) return false;
  *looked = now;
  return true;
}

/* A connecting socket wants to write, as does one with unsent output. They
 * cannot be told apart here, so both are checked. */
static int poll_looking(struct pollfd *entries, size_t count, int ms,
                        uint64_t *looked) {
  ULONGLONG from = GetTickCount64();
  for (;;) {
    ULONGLONG gone = GetTickCount64() - from;
    if (ms >= 0 && gone > (ULONGLONG)ms) gone = (ULONGLONG)ms;
    int left = ms < 0 ? LOOK_EVERY : ms - (int)gone;
    bool last = ms >= 0 && left <= LOOK_EVERY;
    int found = poll_once(entries, count, last ? left : LOOK_EVERY);
    if (found < 0) return found;
    int ended = found > 0 ? drop_ended(entries, count) : 0;
    found -= ended;
    if (is_due(looked, found)) found += count_failed(entries, count);
    if (found != 0 || left == 0 || (last && ended == 0)) return found;
    if (ended > 0) Sleep((DWORD)(left < NAP ? left : NAP));
  }
}

int ws_poll_wait(struct pollfd *entries, size_t count, int ms,
                 uint64_t *looked) {
  if (count == 0) {
    Sleep(ms < 0 ? INFINITE : (DWORD)ms);
    return 0;
  }
  return any_writer(entries, count) ? poll_looking(entries, count, ms, looked)
                                    : poll_once(entries, count, ms);
}
