/* SPDX-License-Identifier: MIT */
/* A Lua interpreter in which allocations of Lua and OpenSSL fail on demand,
 * and with failing_calls.c preloaded also system calls.
 *   faulty_lua SCRIPT ARGUMENTS...
 * Scripts control this with the global `faults`, see `functions` below. */
#include "faults/failing_calls.h"

#include <dirent.h>
#include <dlfcn.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <malloc.h>
#include <netdb.h>
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A source of memory. The `nth` allocation from now fails, and the `times - 1`
 * after it; with `each`, every other one from the nth on. Needs no lock, as
 * neither Lua nor OpenSSL allocates in the resolver's threads. */
typedef struct source {
  unsigned long made;
  unsigned long nth; /* 0: none fails */
  unsigned long times;
  int each;
  long live;
} source;

static source of_lua, of_openssl;
static size_t largest = SIZE_MAX; /* the largest block that Lua may have */
static int suspended;
static const failing_calls *calls;

static int must_fail(source *from) {
  if (suspended) return 0;
  from->made++;
  if (from->nth == 0 || from->made < from->nth) return 0;
  unsigned long since = from->made - from->nth;
  return from->each ? since % 2 == 0 : since < from->times;
}

static void arm(source *from, unsigned long nth, unsigned long times) {
  from->made = 0;
  from->nth = nth;
  from->times = times;
  from->each = 0;
}

/* -------------------------------------------------------------- memory */

/* From 5.4.5 on, Lua does not try again to make a coroutine's stack longer. So
 * growing blocks are spared where it is to collect garbage and go on. */
static int is_spared(const void *block) {
  int once = of_lua.each || of_lua.times == 1;
  return LUA_VERSION_RELEASE_NUM >= 50405 && block && once;
}

/* Lua's allocator. Making a block smaller must not fail. */
static void *lua_memory(void *unused, void *block, size_t old, size_t size) {
  (void)unused;
  if (size == 0) {
    free(block);
    return NULL;
  }
  bool grows = !block || size > old;
  if (grows && size > largest) return NULL;
  if (grows && must_fail(&of_lua) && !is_spared(block)) return NULL;
  return realloc(block, size);
}

static void *openssl_new(size_t size, const char *file, int line) {
  (void)file, (void)line;
  if (size == 0 || must_fail(&of_openssl)) return NULL;
  of_openssl.live++;
  return malloc(size);
}

static void openssl_free(void *block, const char *file, int line) {
  (void)file, (void)line;
  if (block) of_openssl.live--;
  free(block);
}

static void *openssl_resize(void *block, size_t size, const char *file,
                            int line) {
  if (!block) return openssl_new(size, file, line);
  if (size == 0) {
    openssl_free(block, file, line);
    return NULL;
  }
  return must_fail(&of_openssl) ? NULL : realloc(block, size);
}

/* ----------------------------------------------------------- functions */

static unsigned long times_of(lua_State *L, int index) {
  if (lua_isboolean(L, index) && lua_toboolean(L, index)) return ULONG_MAX;
  return (unsigned long)luaL_optinteger(L, index, 1);
}

/* failLua(k [, times, true or "each"]); k = 0 ends it. After one failure Lua
 * collects garbage and tries again; two in a row are an error. With "each",
 * every allocation from the k-th on fails once and is tried again. */
static int l_fail_lua(lua_State *L) {
  unsigned long nth = (unsigned long)luaL_checkinteger(L, 1);
  int each = lua_type(L, 2) == LUA_TSTRING;
  arm(&of_lua, nth, each ? 0 : times_of(L, 2));
  of_lua.each = each;
  return 0;
}

/* limitLua(bytes): Lua gets no larger block; without `bytes`, no limit. */
static int l_limit_lua(lua_State *L) {
  largest = (size_t)luaL_optinteger(L, 1, PTRDIFF_MAX);
  return 0;
}

static int l_fail_openssl(lua_State *L) {
  unsigned long nth = (unsigned long)luaL_checkinteger(L, 1);
  arm(&of_openssl, nth, times_of(L, 2));
  return 0;
}

/* failCall(name, nth, errno); an errno of -1 means that the call transfers
 * only one byte. failCall() ends it. */
static int l_fail_call(lua_State *L) {
  const char *name = luaL_optstring(L, 1, NULL);
  if (!calls) return luaL_error(L, "failing_calls is not preloaded");
  if (!calls->arm(name, (unsigned)luaL_optinteger(L, 2, 0),
                  (int)luaL_optinteger(L, 3, 0)))
    return luaL_error(L, "no call of the name %s", name);
  return 0;
}

/* count(name): how many allocations ("lua", "openssl") or calls of that name
 * were made since arming. */
static int l_count(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  unsigned long made = 0;
  if (strcmp(name, "lua") == 0) made = of_lua.made;
  else if (strcmp(name, "openssl") == 0) made = of_openssl.made;
  else if (calls) made = calls->count(name);
  lua_pushinteger(L, (lua_Integer)made);
  return 1;
}

static int l_met(lua_State *L) {
  lua_pushboolean(L, calls && calls->met());
  return 1;
}

static int l_live(lua_State *L) {
  lua_pushinteger(L, of_openssl.live);
  return 1;
}

static int l_bad_closes(lua_State *L) {
  lua_pushinteger(L, calls ? (lua_Integer)calls->bad_closes() : 0);
  return 1;
}

static void set_suspended(int on) {
  suspended = on;
  if (calls) calls->suspend(on);
}

/* suspended(fn, ...): calls fn with all faults and counting off. */
static int l_suspended(lua_State *L) {
  int before = suspended;
  set_suspended(1);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  set_suspended(before);
  return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* A scenario that takes so many Lua instructions is in an endless loop. */
#define PATIENCE 300000

static void lose_patience(lua_State *L, lua_Debug *where) {
  (void)where;
  set_suspended(1);
  luaL_traceback(L, L, "hangs: it has not come to an end", 0);
  lua_error(L);
}

/* attempt(fn, ...): a pcall. Things fail and are counted only inside it. */
static int l_attempt(lua_State *L) {
  lua_sethook(L, lose_patience, LUA_MASKCOUNT, PATIENCE);
  set_suspended(0);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  set_suspended(1);
  lua_sethook(L, NULL, 0, 0);
  luaL_checkstack(L, 1, NULL);
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

static int l_descriptors(lua_State *L) {
  int count = 0;
  DIR *folder = opendir("/proc/self/fd");
  while (folder && readdir(folder)) count++;
  if (folder) closedir(folder);
  lua_pushinteger(L, count);
  return 1;
}

/* bytes(): how many bytes the whole process (Lua, the core, OpenSSL) has
 * allocated and not freed. AddressSanitizer has a malloc of its own. */
static int l_bytes(lua_State *L) {
  size_t (*sanitizer)(void);
  void *found = dlsym(RTLD_DEFAULT, "__sanitizer_get_current_allocated_bytes");
  struct mallinfo2 info = mallinfo2();
  size_t bytes = info.uordblks + info.hblkhd;
  if (found) {
    memcpy(&sanitizer, &found, sizeof found);
    bytes = sanitizer();
  }
  lua_pushinteger(L, (lua_Integer)bytes);
  return 1;
}

static const luaL_Reg functions[] = {
    {"failLua", l_fail_lua},     {"failOpenssl", l_fail_openssl},
    {"failCall", l_fail_call},   {"count", l_count},
    {"met", l_met},              {"opensslLive", l_live},
    {"badCloses", l_bad_closes}, {"suspended", l_suspended},
    {"attempt", l_attempt},      {"descriptors", l_descriptors},
    {"bytes", l_bytes},          {"limitLua", l_limit_lua},
    {NULL, NULL}};

/* ---------------------------------------------------------------- main */

static void find_calls(void) {
  const failing_calls *(*control)(void);
  void *found = dlsym(RTLD_DEFAULT, "failing_calls_control");
  if (!found) return;
  memcpy(&control, &found, sizeof found);
  calls = control();
}

static void push_arguments(lua_State *L, int count, char **words) {
  lua_createtable(L, count, 1);
  for (int i = 0; i < count; i++) {
    lua_pushstring(L, words[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setglobal(L, "arg");
}

static int with_traceback(lua_State *L) {
  luaL_traceback(L, L, lua_tostring(L, 1), 1);
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  if (!CRYPTO_set_mem_functions(openssl_new, openssl_resize, openssl_free))
    return 2;
  find_calls();
  set_suspended(1);
  lua_State *L = lua_newstate(lua_memory, NULL);
  if (!L) return 2;
  luaL_openlibs(L);
  luaL_newlib(L, functions);
  lua_setglobal(L, "faults");
  push_arguments(L, argc - 1, argv + 1);
  lua_pushcfunction(L, with_traceback);
  bool good = luaL_loadfile(L, argv[1]) == LUA_OK &&
              lua_pcall(L, 0, 0, -2) == LUA_OK;
  if (!good) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  return good ? 0 : 1;
}
