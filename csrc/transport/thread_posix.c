/* SPDX-License-Identifier: MIT */
/* Threads where there are signals. */
#include "transport/thread.h"

#include "bytes/status.h"
#include "transport/pin.h"

#include <pthread.h>
#include <signal.h>

int ws_thread_start(void *(*work)(void *argument), void *argument) {
  pthread_t thread;
  sigset_t all, before;
  ws_pin_library();
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the thread */
  int error = pthread_create(&thread, NULL, work, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0) return WS_ESYSTEM;
  pthread_detach(thread);
  return WS_OK;
}
