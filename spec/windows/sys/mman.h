/* SPDX-License-Identifier: MIT */
/* The POSIX functions with which spec/check.h guards a page, by Windows' own.
 * Only for `make windows`, not for the library. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <winsock2.h>
#include <windows.h>

/* Old macros of Windows, which tests use as names. */
#undef near
#undef far

#define PROT_NONE PAGE_NOACCESS
#define PROT_READ PAGE_READWRITE
#define PROT_WRITE PAGE_READWRITE
#define MAP_PRIVATE 0
#define MAP_ANONYMOUS 0
#define MAP_FAILED NULL
#define _SC_PAGESIZE 0

static inline long sysconf(int name) {
  SYSTEM_INFO info;
  (void)name;
  GetSystemInfo(&info);
  return (long)info.dwPageSize;
}

static inline void *mmap(void *at, size_t len, int protection, int flags,
                         int fd, long offset) {
  (void)flags, (void)fd, (void)offset;
  return VirtualAlloc(at, len, MEM_COMMIT | MEM_RESERVE, (DWORD)protection);
}

static inline int mprotect(void *at, size_t len, int protection) {
  DWORD before;
  return VirtualProtect(at, len, (DWORD)protection, &before) ? 0 : -1;
}
