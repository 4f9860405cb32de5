/* SPDX-License-Identifier: MIT */
/* What the bench's own servers share: an epoll loop on loopback, and an answer
 * to the load generator's handshake. When anything but a connection fails, the
 * program ends. */
#ifndef BENCH_TCP_SERVER_H
#define BENCH_TCP_SERVER_H

#include <stdbool.h>

/* What a server does for its clients, which are pointers of its own choice.
 * A function returns false when the connection is gone; then the client is
 * dropped. */
typedef struct tcp_server {
  void *(*accepted)(int fd);
  bool (*readable)(void *client);
  bool (*writable)(void *client);
  void (*drop)(void *client);
} tcp_server;

/* Answers the handshake, assuming the key of RFC 6455 section 1.3. False when
 * the connection is gone. */
bool tcp_server_welcome(int fd);

/* Prints errno's message and ends the program. */
_Noreturn void tcp_server_die(void);

/* Listens on a free port of 127.0.0.1, prints it, and serves. */
_Noreturn void tcp_server_run(const tcp_server *server);

/* Starts, or stops, also telling it when the client can be written to. */
void tcp_server_watch_writes(int fd, void *client, bool watch);

#endif
