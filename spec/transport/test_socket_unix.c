/* SPDX-License-Identifier: MIT */
/* Sockets with a path: who may take it over, how long it may be, how it is
 * removed. All are in a folder of their own. */
#include "bytes/status.h"
#include "check.h"
#include "transport/socket.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static char folder[] = "/tmp/ws-unix-XXXXXX";
static const ws_listen_options plain;

static bool wait_for(ws_fd fd, short events) {
  struct pollfd p = {fd, events, 0};
  return poll(&p, 1, 5000) == 1;
}

static ws_address place(const char *name) {
  char path[80];
  ws_address address;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  CHECK_INT(ws_address_unix(&address, ws_slice_of(path)), WS_OK);
  return address;
}

static bool exists(const ws_address *where) {
  char path[WS_ADDRESS_TEXT];
  struct stat info;
  ws_address_text(where, path);
  return lstat(path, &info) == 0;
}

static ws_fd listen_at(const ws_address *where) {
  ws_fd fd = WS_FD_NONE;
  CHECK_INT(ws_socket_listen(where, &plain, &fd), WS_OK);
  return fd;
}

static ws_fd accept_from(ws_fd listener, ws_address *peer) {
  ws_fd fd = WS_FD_NONE;
  CHECK(wait_for(listener, POLLIN));
  CHECK_INT(ws_socket_accept(listener, &fd, peer), WS_OK);
  return fd;
}

TEST(talks_and_goes_away) {
  ws_address where = place("talk"), local, peer;
  ws_slice hello = ws_slice_of("hello");
  ws_fd listener = listen_at(&where), client;
  char data[8], text[WS_ADDRESS_TEXT], path[WS_ADDRESS_TEXT];
  CHECK_INT(ws_socket_connect(&where, &client), WS_OK);
  CHECK_INT(ws_socket_connected(client), WS_OK);
  ws_fd fd = accept_from(listener, &peer);
  ws_address_text(&peer, text);
  CHECK(text[0] == '\0'); /* it has no path */
  CHECK_INT(ws_address_family(&peer), 0);
  CHECK(ws_socket_local(listener, &local));
  ws_address_text(&local, text);
  ws_address_text(&where, path);
  CHECK(strcmp(text, path) == 0);
  CHECK_INT(ws_socket_write(client, &hello, 1), 5);
  CHECK_INT(ws_socket_read(fd, data, sizeof data), 5);
  ws_socket_close(client);
  CHECK_INT(ws_socket_read(fd, data, sizeof data), WS_EOF);
  ws_socket_close(fd);
  ws_socket_close(listener);
  CHECK(exists(&where)); /* the file outlives its socket */
  ws_socket_unlink(&where);
  CHECK(!exists(&where));
  ws_socket_unlink(&where); /* once is enough, twice is fine */
}

TEST(nobody_there) {
  ws_address where = place("nobody");
  ws_fd fd = 99;
  CHECK_INT(ws_socket_connect(&where, &fd), WS_ENOENT);
  CHECK_INT(fd, WS_FD_NONE);
  ws_socket_close(listen_at(&where));
  fd = 99;
  CHECK_INT(ws_socket_connect(&where, &fd), WS_ECONNREFUSED);
  CHECK_INT(fd, WS_FD_NONE);
  ws_socket_unlink(&where);
}

TEST(no_such_folder) {
  ws_address where = place("none/here");
  ws_fd fd = 99;
  CHECK_INT(ws_socket_listen(&where, &plain, &fd), WS_ENOENT);
  CHECK_INT(fd, WS_FD_NONE);
}

TEST(one_that_is_left_is_taken_over) {
  ws_address where = place("left"), peer;
  ws_fd fd = 99, client;
  ws_fd listener = listen_at(&where);
  CHECK_INT(ws_socket_listen(&where, &plain, &fd), WS_EADDRINUSE);
  CHECK_INT(fd, WS_FD_NONE);
  ws_socket_close(listener);
  listener = listen_at(&where);
  CHECK_INT(ws_socket_connect(&where, &client), WS_OK);
  ws_socket_close(accept_from(listener, &peer));
  ws_socket_close(client);
  ws_socket_close(listener);
  ws_socket_unlink(&where);
}

/* A busy server does not answer at once, but it exists. */
TEST(one_with_a_full_queue_is_not) {
  ws_listen_options short_queue = {.backlog = 1};
  ws_address where = place("full"), peer;
  ws_fd clients[64], listener, fd = 99;
  size_t count = 0;
  CHECK_INT(ws_socket_listen(&where, &short_queue, &listener), WS_OK);
  while (count < 64 && ws_socket_connect(&where, &clients[count]) == WS_OK)
    count++;
  CHECK(count > 0 && count < 64);
  CHECK_INT(clients[count], WS_FD_NONE);
  CHECK_INT(ws_socket_connect(&where, &fd), WS_ECONNREFUSED); /* not "again" */
  CHECK_INT(fd, WS_FD_NONE);
  CHECK_INT(ws_socket_listen(&where, &plain, &fd), WS_EADDRINUSE);
  CHECK_INT(fd, WS_FD_NONE);
  CHECK(exists(&where));
  ws_socket_close(accept_from(listener, &peer));
  CHECK_INT(ws_socket_connect(&where, &fd), WS_OK); /* still the same server */
  ws_socket_close(fd);
  for (size_t i = 0; i < count; i++) ws_socket_close(clients[i]);
  ws_socket_close(listener);
  ws_socket_unlink(&where);
}

/* Nor is one taken over when there is no descriptor to find out whether it is
 * in use. */
TEST(one_that_cannot_be_asked_is_not) {
  ws_address where = place("unasked"), peer;
  ws_fd listener = listen_at(&where), fd, client;
  struct rlimit before, few;
  ws_fd next = dup(listener), one_more = dup(listener);
  ws_socket_close(next);
  ws_socket_close(one_more);
  CHECK_INT(ws_socket_listen(&where, &plain, &fd), WS_EADDRINUSE);
  CHECK_INT(dup(listener), next);
  CHECK_INT(dup(listener), one_more); /* finding out left nothing open */
  ws_socket_close(next);
  ws_socket_close(one_more);
  getrlimit(RLIMIT_NOFILE, &before);
  few = before;
  few.rlim_cur = (rlim_t)next + 1; /* enough only for the new listener */
  setrlimit(RLIMIT_NOFILE, &few);
  CHECK_INT(ws_socket_listen(&where, &plain, &fd), WS_EADDRINUSE);
  setrlimit(RLIMIT_NOFILE, &before);
  CHECK_INT(ws_socket_connect(&where, &client), WS_OK);
  ws_socket_close(accept_from(listener, &peer));
  ws_socket_close(client);
  ws_socket_close(listener);
  ws_socket_unlink(&where);
}

/* Neither a file nor a socket of another kind is removed. */
TEST(anything_else_in_the_way_stays) {
  ws_address file = place("file"), datagram = place("datagram");
  char path[WS_ADDRESS_TEXT];
  ws_fd fd = 99;
  ws_address_text(&file, path);
  FILE *made = fopen(path, "w");
  CHECK(made != NULL);
  fclose(made);
  CHECK_INT(ws_socket_listen(&file, &plain, &fd), WS_EADDRINUSE);
  CHECK(exists(&file));
  unlink(path);
  ws_fd other = socket(AF_UNIX, SOCK_DGRAM, 0);
  CHECK_INT(bind(other, (void *)datagram.sockaddr.bytes, datagram.len), 0);
  CHECK_INT(ws_socket_listen(&datagram, &plain, &fd), WS_EADDRINUSE);
  CHECK_INT(fd, WS_FD_NONE);
  CHECK(exists(&datagram));
  close(other);
  ws_socket_unlink(&datagram);
}

/* A child that ends leaves its parent's socket in place. */
TEST(one_that_another_process_shares_stays) {
  ws_address where = place("shared");
  ws_fd listener = listen_at(&where), client;
  pid_t child = fork();
  if (child == 0) {
    ws_socket_close(listener);
    ws_socket_unlink(&where);
    _exit(0);
  }
  CHECK_INT(waitpid(child, NULL, 0), child);
  CHECK(exists(&where));
  CHECK_INT(ws_socket_connect(&where, &client), WS_OK);
  ws_socket_close(client);
  ws_socket_close(listener);
  ws_socket_unlink(&where);
  CHECK(!exists(&where));
}

TEST(one_that_another_server_has_taken_stays) {
  ws_address where = place("taken");
  char path[WS_ADDRESS_TEXT];
  ws_fd first = listen_at(&where);
  ws_address_text(&where, path);
  CHECK_INT(unlink(path), 0);
  ws_fd second = listen_at(&where);
  ws_socket_close(first);
  ws_socket_unlink(&where);
  CHECK(exists(&where));
  ws_socket_close(second);
  ws_socket_unlink(&where);
  CHECK(!exists(&where));
}

TEST(the_longest_path) {
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
  ws_address where = {0}, local;
  memset(path, 'n', sizeof path);
  memcpy(path, folder, sizeof folder - 1);
  path[sizeof folder - 1] = '/';
  path[sizeof path - 1] = '\0';
  CHECK_INT(ws_address_unix(&where, ws_slice_of(path)), WS_OK);
  ws_fd listener = listen_at(&where), client;
  CHECK(ws_socket_local(listener, &local));
  char text[WS_ADDRESS_TEXT];
  ws_address_text(&local, text);
  CHECK(strcmp(text, path) == 0);
  CHECK_INT(ws_socket_connect(&where, &client), WS_OK);
  ws_socket_close(client);
  ws_socket_close(listener);
  listener = listen_at(&where); /* taken over, whole */
  ws_socket_close(listener);
  ws_socket_unlink(&local);
  CHECK(!exists(&where));
}

/* A client may bind itself to a path that fills its field, without a NUL. */
TEST(a_peer_whose_path_has_no_nul) {
  ws_address where = place("server"), peer, again;
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  const size_t room = sizeof un.sun_path;
  memset(un.sun_path, 'p', room);
  memcpy(un.sun_path, folder, sizeof folder - 1);
  un.sun_path[sizeof folder - 1] = '/';
  ws_fd listener = listen_at(&where);
  ws_fd client = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK_INT(bind(client, (void *)&un, sizeof un), 0);
  CHECK_INT(connect(client, (void *)where.sockaddr.bytes, where.len), 0);
  ws_fd fd = accept_from(listener, &peer);
  CHECK(ws_socket_peer(fd, &again));
  char *text = (char *)check_guarded(WS_ADDRESS_TEXT);
  ws_address_text(&peer, text);
  CHECK_INT(strlen(text), room);
  CHECK(memcmp(text, un.sun_path, room) == 0);
  ws_address_text(&again, text);
  CHECK_INT(strlen(text), room);
  CHECK_INT(unlink(text), 0);
  ws_socket_close(fd);
  ws_socket_close(client);
  ws_socket_close(listener);
  ws_socket_unlink(&where);
}

/* Only a path names a file, so nothing else is unlinked. */
TEST(unlinking_what_is_no_path) {
  ws_address address = {0};
  ws_socket_unlink(&address);
  CHECK(ws_address_parse(&address, ws_slice_of("127.0.0.1"), 80));
  ws_socket_unlink(&address);
  CHECK_INT(access(folder, F_OK), 0);
}

int main(void) {
  if (!mkdtemp(folder)) return 2;
  RUN(talks_and_goes_away);
  RUN(nobody_there);
  RUN(no_such_folder);
  RUN(one_that_is_left_is_taken_over);
  RUN(one_with_a_full_queue_is_not);
  RUN(one_that_cannot_be_asked_is_not);
  RUN(anything_else_in_the_way_stays);
  RUN(one_that_another_process_shares_stays);
  RUN(one_that_another_server_has_taken_stays);
  RUN(the_longest_path);
  RUN(a_peer_whose_path_has_no_nul);
  RUN(unlinking_what_is_no_path);
  if (rmdir(folder) != 0) perror(folder);
  return check_done();
}
