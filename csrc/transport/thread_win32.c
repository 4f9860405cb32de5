/* SPDX-License-Identifier: MIT */
/* Threads where there are no signals: mingw-w64's pthreads. */
#include "transport/thread.h"

#include "bytes/status.h"
#include "transport/pin.h"

#include <pthread.h>

int ws_thread_start(void *(*work)(void *argument), void *argument) {
  pthread_t thread;
  ws_pin_library();
  if (pthread_create(&thread, NULL, work, argument) != 0) return WS_ESYSTEM;
  pthread_detach(thread);
  return WS_OK;
}
