/* SPDX-License-Identifier: MIT */
/* The system's own names for sockets, addresses and lookups. Only for those
 * files of transport/ that are the same on POSIX and Windows. */
#pragma once

#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>
#include <afunix.h>
#include <netioapi.h>
#define EAI_SYSTEM (-1) /* never returned there */
#else
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#endif
