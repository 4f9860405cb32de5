/* SPDX-License-Identifier: MIT */
/* errno -> ws_status, one table for all of transport/. */
#include "transport/system_error.h"

#include "bytes/status.h"

#include <errno.h>
#include <netdb.h>
#include <stddef.h>

static const struct {
  int error;
  int status;
} table[] = {
    {EAGAIN, WS_EAGAIN},           {EWOULDBLOCK, WS_EAGAIN},
    {EINPROGRESS, WS_EAGAIN},      {ENOMEM, WS_ENOMEM},
    {ECONNREFUSED, WS_ECONNREFUSED}, {ECONNRESET, WS_ECONNRESET},
    {EPIPE, WS_EPIPE},             {ENOTCONN, WS_ECONNRESET},
    {EHOSTUNREACH, WS_EHOSTUNREACH}, {EHOSTDOWN, WS_EHOSTUNREACH},
    {ENETUNREACH, WS_ENETUNREACH}, {ENETDOWN, WS_ENETUNREACH},
    {EAFNOSUPPORT, WS_ENETUNREACH}, {ETIMEDOUT, WS_ETIMEDOUT},
    {EADDRINUSE, WS_EADDRINUSE},   {EADDRNOTAVAIL, WS_EADDRNOTAVAIL},
    {EACCES, WS_EACCES},           {EPERM, WS_EACCES},
    {EMFILE, WS_EMFILE},           {ENFILE, WS_EMFILE},
    {ENOBUFS, WS_ENOBUFS},         {ECONNABORTED, WS_ECONNABORTED},
    {EPROTO, WS_ECONNABORTED},     {ENOENT, WS_ENOENT},
    {EINVAL, WS_EINVAL},
};

int ws_system_error(int error) {
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (table[i].error == error) return table[i].status;
  return WS_ESYSTEM;
}

const char *ws_system_lookup_error(int result) { return gai_strerror(result); }
