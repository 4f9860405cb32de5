/* SPDX-License-Identifier: MIT */
/* Several Lua states at the same time, each with its own thread and loop: they
 * share only the library's statics. For `make tsan`. */
#include "check.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>

#define STATES 2
#define ROUNDS 3

typedef struct one_state {
  pthread_t thread;
  long long echoes, expected;
  char failure[400];
} one_state;

static void run_once(one_state *s) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (luaL_dofile(L, "spec/lua/two_states.lua") != LUA_OK) {
    snprintf(s->failure, sizeof s->failure, "%s", lua_tostring(L, -1));
  } else {
    s->echoes += lua_tointeger(L, -2);
    s->expected += lua_tointeger(L, -1);
  }
  lua_close(L);
}

static void *run(void *state) {
  for (int i = 0; i < ROUNDS; i++) run_once(state);
  return NULL;
}

TEST(states_in_threads) {
  one_state states[STATES];
  memset(states, 0, sizeof states);
  for (int i = 0; i < STATES; i++)
    CHECK(pthread_create(&states[i].thread, NULL, run, &states[i]) == 0);
  for (int i = 0; i < STATES; i++) {
    pthread_join(states[i].thread, NULL);
    if (!CHECK(states[i].failure[0] == '\0'))
      fprintf(stderr, "  %s\n", states[i].failure);
    CHECK(states[i].echoes > 0);
    CHECK_INT(states[i].echoes, states[i].expected);
  }
}

int main(void) {
  RUN(states_in_threads);
  return check_done();
}
