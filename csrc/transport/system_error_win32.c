/* SPDX-License-Identifier: MIT */
/* Winsock's error -> ws_status: what WSAGetLastError and SO_ERROR say. */
#include "transport/system_error.h"

#include "bytes/status.h"

#include <stddef.h>
#include <winsock2.h>
#include <ws2tcpip.h>

static const struct {
  int error;
  int status;
} table[] = {
    {WSAEWOULDBLOCK, WS_EAGAIN},           {WSAEINPROGRESS, WS_EAGAIN},
    {WSA_NOT_ENOUGH_MEMORY, WS_ENOMEM},    {WSAECONNREFUSED, WS_ECONNREFUSED},
    {WSAECONNRESET, WS_ECONNRESET},        {WSAENETRESET, WS_ECONNRESET},
    {WSAENOTCONN, WS_ECONNRESET},          {WSAESHUTDOWN, WS_EPIPE},
    {WSAEHOSTUNREACH, WS_EHOSTUNREACH},    {WSAEHOSTDOWN, WS_EHOSTUNREACH},
    {WSAENETUNREACH, WS_ENETUNREACH},      {WSAENETDOWN, WS_ENETUNREACH},
    {WSAEAFNOSUPPORT, WS_ENETUNREACH},     {WSAETIMEDOUT, WS_ETIMEDOUT},
    {WSAEADDRINUSE, WS_EADDRINUSE},        {WSAEACCES, WS_EACCES},
    {WSAEADDRNOTAVAIL, WS_EADDRNOTAVAIL},  {WSAEMFILE, WS_EMFILE},
    {WSAENOBUFS, WS_ENOBUFS},              {WSAECONNABORTED, WS_ECONNABORTED},
    {WSAEINVAL, WS_EINVAL},
};

int ws_system_error(int error) {
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (table[i].error == error) return table[i].status;
  return WS_ESYSTEM;
}

/* Not gai_strerror: on Windows all threads share its buffer. */
const char *ws_system_lookup_error(int result) {
  if (result == EAI_NONAME) return "no such host is known";
  if (result == EAI_AGAIN) return "no answer from the name server for now";
  if (result == EAI_FAIL) return "the name server cannot answer";
  return "the lookup failed";
}
