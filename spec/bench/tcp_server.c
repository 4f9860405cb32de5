/* SPDX-License-Identifier: MIT */
#include "tcp_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

const char tcp_server_answer[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const size_t tcp_server_answer_len = sizeof tcp_server_answer - 1;

void tcp_server_die(void) {
  perror("server of the bench");
  exit(1);
}

static void allow_many_descriptors(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int tcp_server_listen(int epoll) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof at;
  allow_many_descriptors();
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 ||
      listen(fd, 4096) != 0 ||
      getsockname(fd, (struct sockaddr *)&at, &len) != 0)
    tcp_server_die();
  tcp_server_watch(epoll, fd, NULL);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

int tcp_server_accept(int listener) {
  int on = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void tcp_server_watch(int epoll, int fd, void *pointer) {
  struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = pointer}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

void tcp_server_rewatch(int epoll, int fd, void *pointer, bool writable) {
  struct epoll_event event = {.data = {.ptr = pointer}};
  event.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN;
  epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}
