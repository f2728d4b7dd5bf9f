/* One HTTP/1.1 message, read as its bytes come (RFC 9112, sections 6 and 7): by length, chunked, or to the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 16384

enum http_state {
    HTTP_HEAD,
    HTTP_FIXED,
    HTTP_SIZE,
    HTTP_DATA,
    HTTP_DATA_END,
    HTTP_TRAILER,
    HTTP_UNTIL_CLOSE,
    HTTP_DONE,
    HTTP_BROKEN,
};

/* A piece of the body, as it came. */
typedef void http_body(void *owner, const char *data, size_t length);

struct http {
    enum http_state state;
    bool response;
    int status;
    uint64_t left;
    size_t line_length;
    char line[64];
    size_t head_length;
    char head[HTTP_HEAD_MAX + 1];
    http_body *on_body;
    void *owner;
};

/* Before the first message, and before each one that follows it on a connection. */
void http_begin(struct http *message, bool response, http_body *on_body, void *owner);

/* How many bytes were taken: all of them, or as many as there were up to HTTP_DONE or HTTP_BROKEN. */
size_t http_feed(struct http *message, const char *data, size_t length);

/* The other side closed: true if that was a message's end. */
bool http_closed(struct http *message);

/* A header's value up to the line's end, or NULL. `name` ends with a colon. */
const char *http_header(const struct http *message, const char *name);
