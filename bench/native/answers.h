/* What the mock says, ready to be sent: whole answers, and streams as opening, numbered words and closing. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Words of a whole answer. */
#define ANSWER_WORDS 20

/* Bytes that go out as they are. */
struct bytes {
    char *data;
    size_t length;
};

/* One chunk that holds one event, with room for the word's number and for the moment at which it is sent. */
struct event {
    struct bytes chunk;
    size_t number_at, stamp_at;
};

struct dialect {
    const char *path; /* a request's target that holds this is asked in this dialect */
    struct bytes whole, opening, closing;
    struct event event;
};

/* Makes all answers; once, before the first request. */
void answers_make(void);

/* Whose path the target holds, or NULL. */
const struct dialect *answers_for(const char *target);

/* Writes number (five digits) and stamp (nanoseconds, nineteen digits) into a copy of the event's chunk. */
void answers_stamp(const struct event *event, char *copy, uint32_t number, uint64_t stamp);
