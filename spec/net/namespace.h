/* SPDX-License-Identifier: MIT */
/* A network namespace of our own with one device, whose other end is a
 * descriptor. It lasts as long as a process is in it or holds `space`. */
#pragma once

#define NEAR "10.97.0.1"
#define FAR "10.97.0.2"

typedef struct namespace {
  int space;  /* for setns(2); children inherit it */
  int device; /* reads and writes whole packets; non-blocking */
} namespace;

/* A process that is not root enters a user namespace of its own. When the
 * system does not permit it, prints why and returns a negative number;
 * namespace_open too. */
int namespace_prepare(void);

/* Makes a namespace with a device that has the address `mine`, and as its peer
 * `other`. From then on, the calling thread is in it. */
int namespace_open(namespace *n, const char *mine, const char *other);
