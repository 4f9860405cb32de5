/* SPDX-License-Identifier: MIT */
/* The system's sockets, non-blocking and close-on-exec. Only socket_*.c call
 * socket(2) and the like. Failures are statuses; errno stays inside. No call
 * raises SIGPIPE. */
#pragma once
#include "bytes/fd.h"
#include "bytes/slice.h"
#include "transport/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Starts connecting. WS_OK (already connected), WS_EAGAIN (wait until it is
 * writable, then ws_socket_connected), or a failure with no descriptor. */
int ws_socket_connect(const ws_address *address, ws_fd *fd);

/* How connecting ended: WS_OK, a failure, or WS_EAGAIN if it has not ended. */
int ws_socket_connected(ws_fd fd);

typedef struct ws_listen_options {
  int backlog;     /* 0: 511 */
  bool reuse_port; /* several processes on one port */
} ws_listen_options;

/* Binds and listens. The path of a Unix socket is taken over if nothing answers
 * on it any more; ws_socket_unlink removes it at the end. */
int ws_socket_listen(const ws_address *address,
                     const ws_listen_options *options, ws_fd *fd);

/* WS_OK, WS_EAGAIN (nobody waits), WS_ECONNABORTED (try again), WS_EMFILE or
 * WS_ENOBUFS (pause), or another failure. */
int ws_socket_accept(ws_fd listener, ws_fd *fd, ws_address *peer);

/* Bytes read (> 0), WS_EOF, WS_EAGAIN or a failure. */
ptrdiff_t ws_socket_read(ws_fd fd, void *data, size_t len);

/* Writes up to `count` slices in one system call. Bytes written (>= 0),
 * WS_EAGAIN or a failure. At most WS_SOCKET_GATHER slices are looked at. */
#define WS_SOCKET_GATHER 64
ptrdiff_t ws_socket_write(ws_fd fd, const ws_slice *slices, size_t count);

/* Ends our direction (FIN). Failures are ignored. */
void ws_socket_shutdown(ws_fd fd);

void ws_socket_close(ws_fd fd);

/* Makes closing send RST instead of FIN and drop unsent bytes. */
void ws_socket_reset_on_close(ws_fd fd);

int ws_socket_set_no_delay(ws_fd fd, bool on);
int ws_socket_set_keep_alive(ws_fd fd, bool on);

/* How long sent bytes may stay unacknowledged before the connection fails with
 * WS_ETIMEDOUT, in milliseconds; 0: the system's default. WS_EUNSUPPORTED where
 * there is no such option. */
int ws_socket_set_user_timeout(ws_fd fd, uint64_t ms);

/* The address of either end; false when the socket has none (yet). */
bool ws_socket_local(ws_fd fd, ws_address *address);
bool ws_socket_peer(ws_fd fd, ws_address *address);

/* Two connected sockets, for specs and for waking a loop. */
int ws_socket_pair(ws_fd pair[2]);

/* Removes the file of a Unix socket, after its listener was closed. It stays if
 * somebody still answers there: a forked process that shares the listener, or a
 * server that has taken over the path since. Never blocks. */
void ws_socket_unlink(const ws_address *address);
