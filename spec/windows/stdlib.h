/* SPDX-License-Identifier: MIT */
/* For the tests that `make windows` builds: stdlib.h with POSIX' mkdtemp. */
#pragma once
#include_next <stdlib.h>

#include <direct.h>
#include <io.h>

static inline char *mkdtemp(char *name) {
  return _mktemp(name) != NULL && _mkdir(name) == 0 ? name : NULL;
}
