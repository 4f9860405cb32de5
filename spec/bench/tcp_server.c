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

#define BATCH 1024 /* most events per epoll_wait */

static int epoll;

void tcp_server_die(void) {
  perror("server of the bench");
  exit(1);
}

bool tcp_server_welcome(int fd) {
  static const char answer[] =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\n"
      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  return send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL) > 0;
}

static void allow_many_descriptors(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void wait_for(int how, int fd, void *pointer, unsigned events) {
  struct epoll_event event = {.events = events, .data = {.ptr = pointer}};
  epoll_ctl(epoll, how, fd, &event);
}

void tcp_server_watch_writes(int fd, void *client, bool watch) {
  wait_for(EPOLL_CTL_MOD, fd, client, watch ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int start(void) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t len = sizeof at;
  allow_many_descriptors();
  epoll = epoll_create1(EPOLL_CLOEXEC);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (epoll < 0 || fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 ||
      listen(fd, 4096) != 0 ||
      getsockname(fd, (struct sockaddr *)&at, &len) != 0)
    tcp_server_die();
  wait_for(EPOLL_CTL_ADD, fd, NULL, EPOLLIN);
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

static void accept_all(const tcp_server *server, int listener) {
  int fd, on = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    wait_for(EPOLL_CTL_ADD, fd, server->accepted(fd), EPOLLIN);
  }
}

static bool serve(const tcp_server *server, void *client, unsigned events) {
  if ((events & EPOLLOUT) && !server->writable(client)) return false;
  return !(events & ~(unsigned)EPOLLOUT) || server->readable(client);
}

void tcp_server_run(const tcp_server *server) {
  struct epoll_event events[BATCH];
  int listener = start();
  for (;;) {
    int count = epoll_wait(epoll, events, BATCH, -1);
    for (int i = 0; i < count; i++) {
      void *client = events[i].data.ptr;
      if (!client) accept_all(server, listener);
      else if (!serve(server, client, events[i].events)) server->drop(client);
    }
  }
}
