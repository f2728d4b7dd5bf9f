#include "http.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void http_begin(struct http *message, bool response, http_body *on_body, void *owner)
{
    message->state = HTTP_HEAD;
    message->response = response;
    message->status = 0;
    message->left = 0;
    message->line_length = 0;
    message->head_length = 0;
    message->head[0] = 0;
    message->on_body = on_body;
    message->owner = owner;
}

const char *http_header(const struct http *message, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strchr(message->head, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (!strncasecmp(line, name, length)) {
            line += length;
            return line + strspn(line, " \t");
        }
    }
    return NULL;
}

static bool is_number_line(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return isdigit((unsigned char)*text) && !errno && (*end == '\r' || *end == '\n');
}

/* What follows the head: a length, chunks, the connection's end, or nothing. */
static enum http_state framing(struct http *message)
{
    const char *coding = http_header(message, "transfer-encoding:");
    const char *length = http_header(message, "content-length:");
    if (coding)
        return strncasecmp(coding, "chunked", 7) ? HTTP_BROKEN : HTTP_SIZE;
    if (length) {
        if (!is_number_line(length, &message->left))
            return HTTP_BROKEN;
        return message->left ? HTTP_FIXED : HTTP_DONE;
    }
    return message->response ? HTTP_UNTIL_CLOSE : HTTP_DONE;
}

static void head_is_whole(struct http *message)
{
    if (message->response) {
        if (strncmp(message->head, "HTTP/1.", 7) || !isdigit((unsigned char)message->head[9])) {
            message->state = HTTP_BROKEN;
            return;
        }
        message->status = atoi(message->head + 9);
        if (message->status < 200) { /* 1xx: the answer is still to come */
            message->head_length = 0;
            return;
        }
    }
    message->state = framing(message);
}

static size_t feed_head(struct http *message, const char *data, size_t length)
{
    size_t had = message->head_length, room = HTTP_HEAD_MAX - had;
    size_t taken = length < room ? length : room;
    memcpy(message->head + had, data, taken);
    size_t from = had < 3 ? 0 : had - 3;
    char *end = memmem(message->head + from, had + taken - from, "\r\n\r\n", 4);
    if (!end) {
        message->head_length = had + taken;
        if (message->head_length == HTTP_HEAD_MAX)
            message->state = HTTP_BROKEN;
        return taken;
    }
    message->head_length = (size_t)(end + 4 - message->head);
    message->head[message->head_length] = 0;
    taken = message->head_length - had;
    head_is_whole(message);
    return taken;
}

static size_t feed_data(struct http *message, const char *data, size_t length, enum http_state next)
{
    size_t taken = length < message->left ? length : (size_t)message->left;
    message->on_body(message->owner, data, taken);
    message->left -= taken;
    if (!message->left)
        message->state = next;
    return taken;
}

/* A whole line of the chunked coding, without its end: a chunk's size, the end of its data, a trailer. */
static enum http_state line_is_whole(struct http *message)
{
    char *line = message->line;
    if (message->state == HTTP_DATA_END)
        return *line ? HTTP_BROKEN : HTTP_SIZE;
    if (message->state == HTTP_TRAILER)
        return *line ? HTTP_TRAILER : HTTP_DONE;
    char *end;
    errno = 0;
    message->left = strtoull(line, &end, 16);
    if (!isxdigit((unsigned char)*line) || errno || (*end && *end != ';'))
        return HTTP_BROKEN;
    return message->left ? HTTP_DATA : HTTP_TRAILER;
}

static size_t feed_line(struct http *message, const char *data, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        if (data[at] != '\n') {
            if (message->line_length < sizeof message->line - 1)
                message->line[message->line_length++] = data[at];
            continue;
        }
        if (!message->line_length || message->line[message->line_length - 1] != '\r') {
            message->state = message->state == HTTP_TRAILER && message->line_length ? HTTP_TRAILER : HTTP_BROKEN;
        } else {
            message->line[message->line_length - 1] = 0;
            message->state = line_is_whole(message);
        }
        message->line_length = 0;
        return at + 1;
    }
    return length;
}

static size_t feed_some(struct http *message, const char *data, size_t length)
{
    switch (message->state) {
    case HTTP_HEAD:
        return feed_head(message, data, length);
    case HTTP_FIXED:
        return feed_data(message, data, length, HTTP_DONE);
    case HTTP_DATA:
        return feed_data(message, data, length, HTTP_DATA_END);
    case HTTP_UNTIL_CLOSE:
        message->on_body(message->owner, data, length);
        return length;
    default:
        return feed_line(message, data, length);
    }
}

size_t http_feed(struct http *message, const char *data, size_t length)
{
    size_t at = 0;
    while (at < length && message->state < HTTP_DONE)
        at += feed_some(message, data + at, length - at);
    return at;
}

bool http_closed(struct http *message)
{
    if (message->state == HTTP_UNTIL_CLOSE)
        message->state = HTTP_DONE;
    return message->state == HTTP_DONE;
}
