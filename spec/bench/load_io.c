/* SPDX-License-Identifier: MIT */
/* Sockets and TLS of the load generator; knows nothing of WebSocket. */
#include "load_io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void load_die(const char *what) {
  fprintf(stderr, "load: %s\n", what);
  exit(1);
}

/* Uses 127.0.0.1 to .8 in turn: when most ports of an address are taken, the
 * system searches long for a free one. */
static void choose_source(int fd) {
  static uint32_t turn;
  struct sockaddr_in from;
  int on = 1;
  memset(&from, 0, sizeof from);
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % 8);
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
    load_die("cannot bind");
}

int load_connect(int port) {
  struct sockaddr_in to;
  memset(&to, 0, sizeof to);
  to.sin_family = AF_INET;
  to.sin_port = htons((uint16_t)port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  if (fd < 0) load_die("no socket: is `ulimit -n` high enough?");
  choose_source(fd);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 &&
      errno != EINPROGRESS)
    load_die("cannot connect");
  return fd;
}

void load_connected(load_peer *peer) {
  int error = 0;
  socklen_t len = sizeof error;
  getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &len);
  if (error != 0) load_die(strerror(error));
}

void load_start_tls(SSL_CTX *context, load_peer *peer) {
  peer->ssl = SSL_new(context);
  if (!peer->ssl) load_die("out of memory");
  SSL_set_fd(peer->ssl, peer->fd);
  SSL_set_connect_state(peer->ssl);
}

int load_secure(load_peer *peer) {
  int result = SSL_do_handshake(peer->ssl);
  if (result == 1) return 0;
  int error = SSL_get_error(peer->ssl, result);
  if (error == SSL_ERROR_WANT_WRITE) return EPOLLOUT;
  if (error != SSL_ERROR_WANT_READ) load_die("TLS failed");
  return EPOLLIN;
}

static ssize_t read_secure(load_peer *peer, uint8_t *into, size_t room) {
  int got = SSL_read(peer->ssl, into, (int)room);
  if (got > 0) return got;
  return SSL_get_error(peer->ssl, got) == SSL_ERROR_WANT_READ ? 0 : -1;
}

ssize_t load_read(load_peer *peer, uint8_t *into, size_t room) {
  if (peer->ssl) return read_secure(peer, into, room);
  ssize_t got = recv(peer->fd, into, room, 0);
  if (got > 0) return got;
  return got < 0 && errno == EAGAIN ? 0 : -1;
}

static ssize_t write_secure(load_peer *peer, const uint8_t *data,
                            size_t len) {
  int sent = SSL_write(peer->ssl, data, (int)len);
  if (sent > 0) return sent;
  if (SSL_get_error(peer->ssl, sent) != SSL_ERROR_WANT_WRITE)
    load_die("a TLS connection failed");
  return 0;
}

ssize_t load_write(load_peer *peer, const uint8_t *data, size_t len) {
  if (peer->ssl) return write_secure(peer, data, len);
  ssize_t sent = send(peer->fd, data, len, MSG_NOSIGNAL);
  if (sent >= 0) return sent;
  if (errno != EAGAIN) load_die(strerror(errno));
  return 0;
}

void load_close(load_peer *peer) {
  SSL_free(peer->ssl);
  peer->ssl = NULL;
  close(peer->fd);
}

void load_watch(int epoll, int fd, void *tag, int operation, bool out) {
  struct epoll_event event = {.data = {.ptr = tag}};
  event.events = out ? EPOLLIN | EPOLLOUT : EPOLLIN;
  if (epoll_ctl(epoll, operation, fd, &event) != 0)
    load_die(strerror(errno));
}
