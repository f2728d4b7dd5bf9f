/* What both programs need of the machine: time, memory, sockets, numbers of a command line. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds: the same clock in every process of a machine. */
uint64_t now_ns(void);

/* Prints "NAME: message" and ends the program with status 2. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory, or the program's end. */
void *grab(size_t size);

/* The number that `text` is, from `low` to `high`; anything else ends the program and names `what`. */
uint64_t number(const char *text, uint64_t low, uint64_t high, const char *what);

/* As many descriptors as this process may have. */
void raise_descriptors(void);

/* A socket that listens on 127.0.0.1; port 0 takes a free one. `*port` is the one that it got. */
int listening(uint16_t *port);

/* A connection to 127.0.0.1 that does not block, or -1. */
int connected(uint16_t port);

/* The kernel's words for "not now". */
bool would_block(void);
