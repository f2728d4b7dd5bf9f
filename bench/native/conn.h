/* A client's connection to the mock, and what is sent on it. */
#pragma once

#include "answers.h"
#include "http.h"
#include "wanted.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn {
    int fd;
    bool closed, waits_to_write;
    struct http request;
    struct wanted wanted;
    char *out; /* what the socket did not take */
    size_t out_length, out_sent, out_room;
    /* The stream that goes on, if `dialect` is not NULL; then a queue of streams.c holds the connection. */
    const struct dialect *dialect;
    uint32_t next_event, events;
    uint64_t due;
    struct conn *behind;
};

/* A new one, watched for input. */
struct conn *conn_open(int epoll, int fd, http_body *on_body);

/* How many are open. */
size_t conn_count(void);

/* Ready for the next request. */
void conn_next(struct conn *conn);

/* Closes it, and releases it unless a stream goes on: then streams.c does when its turn comes. */
void conn_close(struct conn *conn);
void conn_release(struct conn *conn);

/* False if the other side is gone. What the socket does not take now is kept, and sent by conn_flush. */
bool conn_say(struct conn *conn, const char *data, size_t length);
bool conn_flush(struct conn *conn);
