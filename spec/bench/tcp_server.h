/* SPDX-License-Identifier: MIT */
/* What the bench's own servers share: listening on loopback, and an answer to
 * the load generator's handshake. They end the program when that fails. */
#ifndef BENCH_TCP_SERVER_H
#define BENCH_TCP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#define TCP_SERVER_BATCH 1024 /* events that are asked for at once */

/* The answer to the key of RFC 6455 section 1.3, which the generator sends. */
extern const char tcp_server_answer[];
extern const size_t tcp_server_answer_len;

/* Prints errno's message and ends the program. */
_Noreturn void tcp_server_die(void);

/* Listens at a free port of 127.0.0.1, prints it, and has `epoll` wait for
 * connections, with NULL as the event's pointer. Returns the listener. */
int tcp_server_listen(int epoll);

/* The next connection, or -1 when no more wait. */
int tcp_server_accept(int listener);

/* Adds a descriptor to `epoll`, or changes what it waits for. */
void tcp_server_watch(int epoll, int fd, void *pointer);
void tcp_server_rewatch(int epoll, int fd, void *pointer, bool writable);

#endif
