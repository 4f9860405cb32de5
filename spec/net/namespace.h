/* SPDX-License-Identifier: MIT */
/* A network namespace of our own with one device in it, whose other end is a
 * descriptor. It lasts as long as someone is in it or holds `space`. */
#pragma once

#define NEAR "10.97.0.1"
#define FAR "10.97.0.2"

typedef struct namespace {
  int space;  /* for setns(2); children inherit it */
  int device; /* packets, whole ones, without waiting */
} namespace;

/* Those who are not root are in a user namespace of their own from here on.
 * Says why and is negative when the system does not permit it; namespace_open
 * too. */
int namespace_prepare(void);

/* Makes a namespace with a device that has the address `mine`, its peer
 * `other`. The calling thread is in it from here on. */
int namespace_open(namespace *n, const char *mine, const char *other);
