/* One run of the load generator: connections in a closed loop, a warm-up, a window that counts, and what is left. */
#pragma once

#include "answer.h"
#include "histogram.h"

#include <stddef.h>
#include <stdint.h>

/* A request as it goes out: head and body. */
struct request {
    char *data;
    size_t length;
};

struct plan {
    uint16_t port;
    unsigned connections;
    const struct request *requests; /* sent one after another, over all connections */
    size_t request_count;
    struct expected expected;
    uint64_t warm_ns;
    uint64_t window_ns, longest_ns; /* the window lasts until `least` answers are there, and not beyond `longest_ns` */
    uint64_t least;
    uint64_t stagger_ns; /* the connections begin at even distances in so much time */
    uint64_t patience_ns; /* for answers that are under way when the window ends */
};

struct outcome {
    uint64_t window_ns;
    uint64_t verdicts[VERDICTS]; /* of the window */
    uint64_t all, all_broken;    /* with the warm-up, and with those that ended after the window */
    uint64_t unfinished, reconnected;
    struct histogram latency, first_byte, first_word; /* of whole answers of the window, from the request's first byte */
    struct histogram delays;                          /* of stamped words in the window */
    char example[EXCERPT + 1];                        /* the first broken answer: its status line, or its body */
    enum verdict example_verdict;
    int example_status;
};

/* Dies if nobody listens. */
void run(const struct plan *plan, struct outcome *outcome);
