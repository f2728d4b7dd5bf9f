/* Does a request's body want a stream? Found by looking for the key, without parsing: bodies have 100 KB. */
#pragma once

#include <stddef.h>

#define WANTED_CARRY 32

struct wanted {
    int streamed; /* 1 or 0 as the body says, -1 as long as it has not */
    size_t carried;
    char carry[2 * WANTED_CARRY];
};

void wanted_begin(struct wanted *wanted);

/* The next piece of the body. */
void wanted_feed(struct wanted *wanted, const char *data, size_t length);
