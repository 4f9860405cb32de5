/* SPDX-License-Identifier: MIT */
/* The system calls of the load generator. For load*.c only. */
#pragma once
#include "load_peer.h"

#include <sys/types.h>

#define LOAD_INPUT (1 << 20) /* bytes of load_plan.input */

/* A socket that is connecting to 127.0.0.1. */
int load_connect(int port);

/* To be called once it is writable: ends the program if it did not connect. */
void load_connected(load_peer *peer);

void load_start_tls(SSL_CTX *context, load_peer *peer);

/* Goes on with the TLS handshake: 0 when it is done, else what it waits for,
 * EPOLLIN or EPOLLOUT. */
int load_secure(load_peer *peer);

/* How many bytes; 0: none now; -1: the end, in order or not. A write that
 * fails ends the program. */
ssize_t load_read(load_peer *peer, uint8_t *into, size_t room);
ssize_t load_write(load_peer *peer, const uint8_t *data, size_t len);

void load_close(load_peer *peer);

/* Watches for input, and for room to write if `out`. */
void load_watch(int epoll, int fd, void *tag, int operation, bool out);
