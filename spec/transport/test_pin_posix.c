/* SPDX-License-Identifier: MIT */
/* A small library that is made from pin_posix.c alone. When closed, it is
 * unloaded; closed after pinning, it stays, and its code can still be called.
 * To be run from the top of the tree. */
#include "transport/pin.h"

#include "check.h"

#include <dlfcn.h>
#include <stdlib.h>

static char folder[] = "/tmp/ws-pin-XXXXXX";

/* Each test has its own library, because one that was pinned stays. */
static bool build(const char *name, char *path, size_t room) {
  char command[500];
  snprintf(path, room, "%s/%s.so", folder, name);
  snprintf(command, sizeof command,
           "${CC:-cc} -std=c11 -D_GNU_SOURCE -Icsrc -shared -fPIC -o %s "
           "csrc/transport/pin_posix.c", path);
  return system(command) == 0;
}

static bool is_loaded(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
  if (library) dlclose(library);
  return library != NULL;
}

typedef void pin_function(void);

static pin_function *pin_of(void *library) {
  pin_function *pin = NULL;
  void *symbol = library ? dlsym(library, "ws_pin_library") : NULL;
  memcpy(&pin, &symbol, sizeof pin); /* C has no cast for it */
  return pin;
}

/* Without this, the next test would prove nothing. */
TEST(without_it_a_library_goes) {
  char path[64];
  CHECK(build("unpinned", path, sizeof path));
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  CHECK(library != NULL && is_loaded(path));
  CHECK_INT(dlclose(library), 0);
  CHECK(!is_loaded(path));
  unlink(path);
}

TEST(with_it_a_library_stays) {
  char path[64];
  CHECK(build("pinned", path, sizeof path));
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  pin_function *pin = pin_of(library);
  if (!CHECK(pin != NULL)) return;
  pin();
  pin(); /* once is enough, twice is fine */
  CHECK_INT(dlclose(library), 0);
  if (CHECK(is_loaded(path))) pin(); /* its code is still there */
  unlink(path);
}

/* The name by which it was loaded may no longer lead to it. */
TEST(by_a_name_of_another_folder) {
  char path[64], before[400];
  CHECK(build("elsewhere", path, sizeof path));
  CHECK(getcwd(before, sizeof before) != NULL);
  CHECK_INT(chdir(folder), 0);
  void *library = dlopen("./elsewhere.so", RTLD_NOW | RTLD_LOCAL);
  CHECK_INT(chdir(before), 0);
  pin_function *pin = pin_of(library);
  if (!CHECK(pin != NULL)) return;
  pin();
  CHECK_INT(dlclose(library), 0);
  CHECK(is_loaded(path));
  unlink(path);
}

/* When it is linked into a program, there is nothing to pin. */
TEST(a_program_can_pin_itself) {
  void *before = dlopen(NULL, RTLD_NOW);
  ws_pin_library();
  ws_pin_library();
  void *after = dlopen(NULL, RTLD_NOW);
  CHECK(before != NULL && before == after);
}

int main(void) {
  if (!mkdtemp(folder)) return 2;
  RUN(without_it_a_library_goes);
  RUN(with_it_a_library_stays);
  RUN(by_a_name_of_another_folder);
  RUN(a_program_can_pin_itself);
  if (rmdir(folder) != 0) perror(folder);
  return check_done();
}
