/* SPDX-License-Identifier: MIT */
/* Namespaces by unshare(2), devices by TUN; side.sh does the rest. */
#include "namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int failed(const char *what) {
  fprintf(stderr, "link: %s: %s\n", what, strerror(errno));
  return -1;
}

static int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return failed(path);
  ssize_t done = write(fd, text, strlen(text));
  close(fd);
  return done < 0 ? failed(path) : 0;
}

int namespace_prepare(void) {
  char users[64], groups[64];
  if (geteuid() == 0) return 0;
  snprintf(users, sizeof users, "0 %u 1", (unsigned)geteuid());
  snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getegid());
  if (unshare(CLONE_NEWUSER) != 0) return failed("no user namespace");
  if (write_file("/proc/self/setgroups", "deny") < 0 ||
      write_file("/proc/self/uid_map", users) < 0)
    return -1;
  return write_file("/proc/self/gid_map", groups);
}

static int open_device(void) {
  struct ifreq wish = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return failed("/dev/net/tun");
  strcpy(wish.ifr_name, "link0");
  if (ioctl(fd, TUNSETIFF, &wish) == 0) return fd;
  close(fd);
  return failed("no TUN device");
}

static int configure(const char *mine, const char *other) {
  char command[80];
  snprintf(command, sizeof command, "sh spec/net/side.sh %s %s", mine, other);
  if (system(command) == 0) return 0;
  fprintf(stderr, "link: spec/net/side.sh has failed\n");
  return -1;
}

int namespace_open(namespace *n, const char *mine, const char *other) {
  if (unshare(CLONE_NEWNET) != 0) return failed("no network namespace");
  n->space = open("/proc/self/ns/net", O_RDONLY);
  if (n->space < 0) return failed("/proc/self/ns/net");
  n->device = open_device();
  return n->device < 0 ? -1 : configure(mine, other);
}
