/* SPDX-License-Identifier: MIT */
/* Windows' sockets. Unix sockets are left out: stat(2) does not recognise them,
 * so a stale path could not be found, and they cannot be inherited safely. */
#include "transport/socket.h"

#include "bytes/status.h"
#include "transport/socket_system.h"
#include "transport/system_error.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <windows.h>

#define DEFAULT_BACKLOG 511
#define PAIR_WITHIN 5000 /* milliseconds; loopback needs none */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int winsock; /* 0, or the error of WSAStartup */

/* Never undone: sockets may be open until the program ends. */
static void start_winsock(void) {
  WSADATA data;
  winsock = WSAStartup(MAKEWORD(2, 2), &data);
}

static int last_error(void) { return ws_system_error(WSAGetLastError()); }

/* A connection that was aborted, by whichever side, counts as reset. */
static int transfer_error(void) {
  int error = WSAGetLastError();
  return error == WSAECONNABORTED ? WS_ECONNRESET : ws_system_error(error);
}

static const struct sockaddr *sockaddr_of(const ws_address *address) {
  return (const void *)address->sockaddr.bytes;
}

static int switch_on(ws_fd fd, int level, int option, bool on) {
  BOOL value = on;
  if (setsockopt(fd, level, option, (char *)&value, sizeof value) == 0)
    return WS_OK;
  return last_error();
}

/* Closes the socket. `status` was read before, as this may change the error. */
static int close_with(ws_fd *fd, int status) {
  closesocket(*fd);
  *fd = WS_FD_NONE;
  return status;
}

/* Non-blocking, not inherited. */
static int prepare(ws_fd fd) {
  u_long on = 1;
  if (ioctlsocket(fd, (long)FIONBIO, &on) != 0) return last_error();
  (void)SetHandleInformation((HANDLE)fd, HANDLE_FLAG_INHERIT, 0);
  return WS_OK;
}

static int open_socket(int family, ws_fd *fd) {
  *fd = WS_FD_NONE;
  pthread_once(&once, start_winsock);
  if (winsock != 0) return ws_system_error(winsock);
  if (family != AF_INET && family != AF_INET6) return WS_EUNSUPPORTED;
  *fd = WSASocketW(family, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED);
  if (*fd == INVALID_SOCKET) return last_error();
  int status = prepare(*fd);
  return status == WS_OK ? WS_OK : close_with(fd, status);
}

int ws_socket_connect(const ws_address *address, ws_fd *fd) {
  int status = open_socket(sockaddr_of(address)->sa_family, fd);
  if (status != WS_OK) return status;
  if (connect(*fd, sockaddr_of(address), (int)address->len) == 0) return WS_OK;
  status = last_error();
  return status == WS_EAGAIN ? status : close_with(fd, status);
}

int ws_socket_connected(ws_fd fd) {
  int error = 0;
  int len = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, (char *)&error, &len) != 0)
    return last_error();
  if (error) return ws_system_error(error);
  ws_address peer, local;
  if (!ws_socket_peer(fd, &peer)) return WS_EAGAIN;
  /* TCP can connect to itself when nobody listens on an ephemeral port. */
  if (ws_socket_local(fd, &local) && local.len == peer.len &&
      memcmp(&local, &peer, sizeof local) == 0)
    return WS_ECONNREFUSED;
  return WS_OK;
}

/* SO_REUSEADDR would let any program take over the port, and is not needed: a
 * port is free again at once without it. Several processes cannot share one. */
int ws_socket_listen(const ws_address *address,
                     const ws_listen_options *options, ws_fd *fd) {
  if (options->reuse_port) {
    *fd = WS_FD_NONE;
    return WS_EUNSUPPORTED;
  }
  int status = open_socket(sockaddr_of(address)->sa_family, fd);
  if (status != WS_OK) return status;
  status = switch_on(*fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, true);
  if (status == WS_OK && ws_address_family(address) == 6)
    status = switch_on(*fd, IPPROTO_IPV6, IPV6_V6ONLY, true);
  if (status != WS_OK) return close_with(fd, status);
  int backlog = options->backlog > 0 ? options->backlog : DEFAULT_BACKLOG;
  if (bind(*fd, sockaddr_of(address), (int)address->len) != 0 ||
      listen(*fd, backlog) != 0)
    return close_with(fd, last_error());
  return WS_OK;
}

int ws_socket_accept(ws_fd listener, ws_fd *fd, ws_address *peer) {
  memset(peer, 0, sizeof *peer);
  int len = sizeof peer->sockaddr;
  *fd = accept(listener, (void *)peer->sockaddr.bytes, &len);
  if (*fd == INVALID_SOCKET) {
    *fd = WS_FD_NONE;
    int error = WSAGetLastError();
    return error == WSAECONNRESET ? WS_ECONNABORTED : ws_system_error(error);
  }
  peer->len = (uint32_t)len;
  int status = prepare(*fd);
  return status == WS_OK ? WS_OK : close_with(fd, status);
}

ptrdiff_t ws_socket_read(ws_fd fd, void *data, size_t len) {
  int got = recv(fd, data, len > INT_MAX ? INT_MAX : (int)len, 0);
  if (got > 0) return got;
  return got == 0 ? WS_EOF : transfer_error();
}

ptrdiff_t ws_socket_write(ws_fd fd, const ws_slice *slices, size_t count) {
  WSABUF buffers[WS_SOCKET_GATHER];
  DWORD put = 0;
  if (count > WS_SOCKET_GATHER) count = WS_SOCKET_GATHER;
  size_t room = INT_MAX; /* of all together, so that the sum is a DWORD */
  for (size_t i = 0; i < count; i++) {
    size_t len = slices[i].len < room ? slices[i].len : room;
    buffers[i].buf = (char *)(uintptr_t)slices[i].data;
    buffers[i].len = (ULONG)len;
    room -= len;
  }
  if (WSASend(fd, buffers, (DWORD)count, &put, 0, NULL, NULL) != 0)
    return transfer_error();
  return (ptrdiff_t)put;
}

void ws_socket_shutdown(ws_fd fd) { shutdown(fd, SD_SEND); }

void ws_socket_close(ws_fd fd) { closesocket(fd); }

void ws_socket_reset_on_close(ws_fd fd) {
  struct linger now = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, (char *)&now, sizeof now);
}

int ws_socket_set_no_delay(ws_fd fd, bool on) {
  return switch_on(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

int ws_socket_set_keep_alive(ws_fd fd, bool on) {
  return switch_on(fd, SOL_SOCKET, SO_KEEPALIVE, on);
}

int ws_socket_set_user_timeout(ws_fd fd, uint64_t ms) {
  (void)fd, (void)ms;
  return WS_EUNSUPPORTED;
}

bool ws_socket_local(ws_fd fd, ws_address *address) {
  memset(address, 0, sizeof *address);
  int len = sizeof address->sockaddr;
  if (getsockname(fd, (void *)address->sockaddr.bytes, &len) != 0)
    return false;
  address->len = (uint32_t)len;
  return true;
}

bool ws_socket_peer(ws_fd fd, ws_address *address) {
  memset(address, 0, sizeof *address);
  int len = sizeof address->sockaddr;
  if (getpeername(fd, (void *)address->sockaddr.bytes, &len) != 0)
    return false;
  address->len = (uint32_t)len;
  return true;
}

/* Waits for the connection from `wanted`: any other program of this machine may
 * connect first. */
static int accept_from(ws_fd listener, const ws_address *wanted, ws_fd *fd) {
  for (;;) {
    ws_address peer;
    WSAPOLLFD entry = {.fd = listener, .events = POLLIN};
    int found = WSAPoll(&entry, 1, PAIR_WITHIN);
    if (found <= 0) return found < 0 ? last_error() : WS_ETIMEDOUT;
    int status = ws_socket_accept(listener, fd, &peer);
    if (status == WS_EAGAIN || status == WS_ECONNABORTED) continue;
    if (status != WS_OK) return status;
    if (peer.len == wanted->len && memcmp(&peer, wanted, sizeof peer) == 0)
      return WS_OK;
    closesocket(*fd);
  }
}

static int pair_through(ws_fd listener, ws_fd pair[2]) {
  ws_address where, from;
  if (!ws_socket_local(listener, &where)) return last_error();
  int status = ws_socket_connect(&where, &pair[0]);
  if (status != WS_OK && status != WS_EAGAIN) return status;
  if (!ws_socket_local(pair[0], &from))
    return close_with(&pair[0], last_error());
  status = accept_from(listener, &from, &pair[1]);
  if (status != WS_OK) return close_with(&pair[0], status);
  WSAPOLLFD entry = {.fd = pair[0], .events = POLLOUT};
  (void)WSAPoll(&entry, 1, PAIR_WITHIN); /* brief: it has been accepted */
  (void)ws_socket_set_no_delay(pair[0], true);
  (void)ws_socket_set_no_delay(pair[1], true);
  return WS_OK;
}

int ws_socket_pair(ws_fd pair[2]) {
  const ws_listen_options one = {.backlog = 1};
  ws_address loopback;
  ws_fd listener;
  ws_address_parse(&loopback, ws_slice_of("127.0.0.1"), 0);
  int status = ws_socket_listen(&loopback, &one, &listener);
  if (status != WS_OK) return status;
  status = pair_through(listener, pair);
  closesocket(listener);
  return status;
}

void ws_socket_unlink(const ws_address *address) { (void)address; }
