/* SPDX-License-Identifier: MIT */
/* Sockets as POSIX has them. */
#include "transport/socket.h"

#include "bytes/status.h"
#include "transport/system_error.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* there SO_NOSIGPIPE is set instead */
#endif

#define DEFAULT_BACKLOG 511

static const struct sockaddr *sockaddr_of(const ws_address *address) {
  return (const void *)address->sockaddr.bytes;
}

static int switch_on(ws_fd fd, int level, int option, bool on) {
  int value = on;
  if (setsockopt(fd, level, option, &value, sizeof value) == 0) return WS_OK;
  return ws_system_error(errno);
}

#ifndef SOCK_CLOEXEC
/* Non-blocking, closed on exec, no SIGPIPE. */
static int prepare(ws_fd fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
    return ws_system_error(errno);
#ifdef SO_NOSIGPIPE
  return switch_on(fd, SOL_SOCKET, SO_NOSIGPIPE, true);
#else
  return WS_OK;
#endif
}
#endif

static int open_socket(int family, ws_fd *fd) {
#ifdef SOCK_CLOEXEC
  *fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  return *fd < 0 ? ws_system_error(errno) : WS_OK;
#else
  *fd = socket(family, SOCK_STREAM, 0);
  if (*fd < 0) return ws_system_error(errno);
  int status = prepare(*fd);
  if (status != WS_OK) close(*fd);
  return status;
#endif
}

static int close_with(ws_fd *fd, int status) {
  close(*fd);
  *fd = WS_FD_NONE;
  return status;
}

int ws_socket_connect(const ws_address *address, ws_fd *fd) {
  int status = open_socket(sockaddr_of(address)->sa_family, fd);
  if (status != WS_OK) {
    *fd = WS_FD_NONE;
    return status;
  }
  if (connect(*fd, sockaddr_of(address), address->len) == 0) return WS_OK;
  int error = errno;
  if (error == EINPROGRESS || error == EINTR) return WS_EAGAIN;
  /* A Unix socket whose queue is full says EAGAIN, and does not connect. */
  if (error == EAGAIN) return close_with(fd, WS_ECONNREFUSED);
  return close_with(fd, ws_system_error(error));
}

int ws_socket_connected(ws_fd fd) {
  int error = 0;
  socklen_t len = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) error = errno;
  if (error) return ws_system_error(error);
  ws_address peer, local;
  if (!ws_socket_peer(fd, &peer)) return WS_EAGAIN;
  /* TCP can connect to itself when nobody listens on an ephemeral port. */
  if (ws_address_family(&peer) != 0 && ws_socket_local(fd, &local) &&
      ws_address_same(&local, &peer))
    return WS_ECONNREFUSED;
  return WS_OK;
}

/* A path on which nobody answers any more may be taken over. Only "refused"
 * shows that: a server whose queue is full answers EAGAIN. */
static bool is_stale(const ws_address *address) {
  char path[WS_ADDRESS_TEXT];
  struct stat info;
  ws_fd fd;
  ws_address_text(address, path);
  if (stat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  if (open_socket(AF_UNIX, &fd) != WS_OK) return false;
  bool refused = connect(fd, sockaddr_of(address), address->len) != 0 &&
                 errno == ECONNREFUSED;
  close(fd);
  return refused;
}

static void remove_path(const ws_address *address) {
  char path[WS_ADDRESS_TEXT];
  ws_address_text(address, path);
  unlink(path);
}

static int bind_to(ws_fd fd, const ws_address *address) {
  if (bind(fd, sockaddr_of(address), address->len) == 0) return WS_OK;
  int status = ws_system_error(errno);
  bool path = ws_address_family(address) == 0;
  if (status != WS_EADDRINUSE || !path || !is_stale(address)) return status;
  remove_path(address);
  if (bind(fd, sockaddr_of(address), address->len) == 0) return WS_OK;
  return ws_system_error(errno);
}

int ws_socket_listen(const ws_address *address,
                     const ws_listen_options *options, ws_fd *fd) {
  int status = open_socket(sockaddr_of(address)->sa_family, fd);
  if (status != WS_OK) {
    *fd = WS_FD_NONE;
    return status;
  }
  int family = ws_address_family(address);
  if (family != 0) status = switch_on(*fd, SOL_SOCKET, SO_REUSEADDR, true);
#ifdef SO_REUSEPORT
  if (status == WS_OK && family != 0 && options->reuse_port)
    status = switch_on(*fd, SOL_SOCKET, SO_REUSEPORT, true);
#endif
  if (status == WS_OK && family == 6)
    status = switch_on(*fd, IPPROTO_IPV6, IPV6_V6ONLY, true);
  if (status == WS_OK) status = bind_to(*fd, address);
  if (status != WS_OK) return close_with(fd, status);
  int backlog = options->backlog > 0 ? options->backlog : DEFAULT_BACKLOG;
  if (listen(*fd, backlog) < 0) return close_with(fd, ws_system_error(errno));
  return WS_OK;
}

int ws_socket_accept(ws_fd listener, ws_fd *fd, ws_address *peer) {
  memset(peer, 0, sizeof *peer);
  socklen_t len = sizeof peer->sockaddr;
  do {
#ifdef SOCK_CLOEXEC
    *fd = accept4(listener, (void *)peer->sockaddr.bytes, &len,
                  SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    *fd = accept(listener, (void *)peer->sockaddr.bytes, &len);
#endif
  } while (*fd < 0 && errno == EINTR);
  if (*fd < 0) {
    *fd = WS_FD_NONE;
    return ws_system_error(errno);
  }
  peer->len = len;
#ifndef SOCK_CLOEXEC
  /* macOS sets no option on a socket whose peer is gone already. */
  if (prepare(*fd) != WS_OK) return close_with(fd, WS_ECONNABORTED);
#endif
  return WS_OK;
}

ptrdiff_t ws_socket_read(ws_fd fd, void *data, size_t len) {
  ssize_t got;
  do got = recv(fd, data, len, 0);
  while (got < 0 && errno == EINTR);
  if (got > 0) return got;
  return got == 0 ? WS_EOF : ws_system_error(errno);
}

static ssize_t send_many(ws_fd fd, const ws_slice *slices, size_t count) {
  struct iovec vectors[WS_SOCKET_GATHER];
  if (count > WS_SOCKET_GATHER) count = WS_SOCKET_GATHER;
  for (size_t i = 0; i < count; i++) {
    vectors[i].iov_base = (void *)(uintptr_t)slices[i].data;
    vectors[i].iov_len = slices[i].len;
  }
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = vectors;
  message.msg_iovlen = (unsigned short)count; /* size_t here, int elsewhere */
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

ptrdiff_t ws_socket_write(ws_fd fd, const ws_slice *slices, size_t count) {
  ssize_t put;
  do {
    if (count == 1) put = send(fd, slices->data, slices->len, MSG_NOSIGNAL);
    else put = send_many(fd, slices, count);
  } while (put < 0 && errno == EINTR);
  return put >= 0 ? put : ws_system_error(errno);
}

void ws_socket_shutdown(ws_fd fd) { shutdown(fd, SHUT_WR); }

void ws_socket_close(ws_fd fd) { close(fd); }

void ws_socket_reset_on_close(ws_fd fd) {
  struct linger now = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

int ws_socket_set_no_delay(ws_fd fd, bool on) {
  return switch_on(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

int ws_socket_set_keep_alive(ws_fd fd, bool on) {
  return switch_on(fd, SOL_SOCKET, SO_KEEPALIVE, on);
}

int ws_socket_set_user_timeout(ws_fd fd, uint64_t ms) {
#ifdef TCP_USER_TIMEOUT
  unsigned value = ms > UINT32_MAX / 2 ? UINT32_MAX / 2 : (unsigned)ms;
  if (setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value) != 0)
    return ws_system_error(errno);
  return WS_OK;
#else
  (void)fd, (void)ms;
  return WS_EUNSUPPORTED;
#endif
}

bool ws_socket_local(ws_fd fd, ws_address *address) {
  memset(address, 0, sizeof *address);
  socklen_t len = sizeof address->sockaddr;
  if (getsockname(fd, (void *)address->sockaddr.bytes, &len) != 0)
    return false;
  address->len = len;
  return true;
}

bool ws_socket_peer(ws_fd fd, ws_address *address) {
  memset(address, 0, sizeof *address);
  socklen_t len = sizeof address->sockaddr;
  if (getpeername(fd, (void *)address->sockaddr.bytes, &len) != 0)
    return false;
  address->len = len;
  return true;
}

int ws_socket_pair(ws_fd pair[2]) {
#ifdef SOCK_CLOEXEC
  const int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (socketpair(AF_UNIX, type, 0, pair) == 0) return WS_OK;
  return ws_system_error(errno);
#else
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
    return ws_system_error(errno);
  int status = prepare(pair[0]);
  if (status == WS_OK) status = prepare(pair[1]);
  if (status == WS_OK) return WS_OK;
  close(pair[0]);
  close(pair[1]);
  return status;
#endif
}

void ws_socket_unlink(const ws_address *address) {
  if (address->len == 0 || ws_address_family(address) != 0) return;
  if (is_stale(address)) remove_path(address);
}
