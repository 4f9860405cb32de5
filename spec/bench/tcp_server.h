/* SPDX-License-Identifier: MIT */
/* What the bench's own servers share: an epoll loop on loopback, and an answer
 * to the load generator's handshake. It ends the program when something fails
 * that is not a connection. */
#ifndef BENCH_TCP_SERVER_H
#define BENCH_TCP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

/* What a server does for its clients, which are pointers of its own. False
 * means that the connection is gone: then it is dropped. */
typedef struct tcp_server {
  void *(*accepted)(int fd);
  bool (*readable)(void *client);
  bool (*writable)(void *client);
  void (*drop)(void *client);
} tcp_server;

/* The answer to the key of RFC 6455 section 1.3, which the generator sends. */
extern const char tcp_server_answer[];
extern const size_t tcp_server_answer_len;

/* Prints errno's message and ends the program. */
_Noreturn void tcp_server_die(void);

/* Listens at a free port of 127.0.0.1, prints it, and serves. */
_Noreturn void tcp_server_run(const tcp_server *server);

/* From now on it is told when it can be written to, too, or no longer. */
void tcp_server_watch_writes(int fd, void *client, bool watch);

#endif
