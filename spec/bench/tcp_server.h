/* SPDX-License-Identifier: MIT */
/* What the bench's own servers share: an epoll loop on loopback, and an answer
 * to the load generator's handshake. It ends the program when something fails
 * that is not a connection. */
#ifndef BENCH_TCP_SERVER_H
#define BENCH_TCP_SERVER_H

#include <stdbool.h>

/* What a server does for its clients, which are pointers of its own. False
 * means that the connection is gone: then it is dropped. */
typedef struct tcp_server {
  void *(*accepted)(int fd);
  bool (*readable)(void *client);
  bool (*writable)(void *client);
  void (*drop)(void *client);
} tcp_server;

/* Answers the handshake, whose key is the one of RFC 6455 section 1.3. False
 * when the connection is gone. */
bool tcp_server_welcome(int fd);

/* Prints errno's message and ends the program. */
_Noreturn void tcp_server_die(void);

/* Listens at a free port of 127.0.0.1, prints it, and serves. */
_Noreturn void tcp_server_run(const tcp_server *server);

/* From now on it is told when it can be written to, too, or no longer. */
void tcp_server_watch_writes(int fd, void *client, bool watch);

#endif
