/* Streams that go on: each gets its next word when it is due, or at once if there is no pace. */
#pragma once

#include "conn.h"

struct pace {
    uint32_t events; /* words of a stream that begins now */
    uint64_t gap_ns; /* between two of them; 0: one in each turn of the loop */
};

/* False, and nothing changes, as long as streams go on: the queue holds them in the order of one gap. */
bool streams_set(struct pace pace);

/* How many go on. */
size_t streams_count(void);

/* Opening and first word, now. False if the other side is gone. */
bool streams_begin(struct conn *conn, const struct dialect *dialect);

/* Says what is due. The moment (CLOCK_MONOTONIC, ns) of what is due next, or AT_ONCE, or 0 if no stream goes on. */
#define AT_ONCE 1
uint64_t streams_advance(void);
