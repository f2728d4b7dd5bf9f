#include "streams.h"

#include "common.h"

#include <string.h>

#define FIRST_MAX 4096

/* All have the same gap, so who is put behind is due last. */
static struct {
    struct conn *first, *last;
    size_t length; /* closed ones included, until they are due */
    struct pace pace;
} streams = {.pace = {.events = ANSWER_WORDS}};

bool streams_set(struct pace pace)
{
    if (streams.length)
        return false;
    streams.pace = pace;
    return true;
}

size_t streams_count(void)
{
    return streams.length;
}

static void push(struct conn *conn)
{
    conn->behind = NULL;
    if (streams.last)
        streams.last->behind = conn;
    else
        streams.first = conn;
    streams.last = conn;
    streams.length++;
}

static struct conn *pop(void)
{
    struct conn *conn = streams.first;
    streams.first = conn->behind;
    if (!streams.first)
        streams.last = NULL;
    streams.length--;
    return conn;
}

/* After the last word. The connection is ready for another request. */
static bool end(struct conn *conn)
{
    const struct bytes *closing = &conn->dialect->closing;
    if (!conn_say(conn, closing->data, closing->length))
        return false;
    conn->dialect = NULL;
    conn_next(conn);
    return true;
}

/* A word that was said: what comes next. */
static bool follow(struct conn *conn, uint64_t from)
{
    if (++conn->next_event >= conn->events)
        return end(conn);
    conn->due = from + streams.pace.gap_ns;
    push(conn);
    return true;
}

bool streams_begin(struct conn *conn, const struct dialect *dialect)
{
    const struct bytes *opening = &dialect->opening;
    const struct event *event = &dialect->event;
    char first[FIRST_MAX];
    uint64_t now = now_ns();
    if (opening->length + event->chunk.length > sizeof first)
        die("an opening has %zu bytes", opening->length);
    memcpy(first, opening->data, opening->length);
    answers_stamp(event, first + opening->length, 0, now);
    conn->next_event = 0;
    conn->events = streams.pace.events;
    if (!conn_say(conn, first, opening->length + event->chunk.length))
        return false;
    conn->dialect = dialect;
    if (follow(conn, now))
        return true;
    conn->dialect = NULL;
    return false;
}

static void advance(struct conn *conn)
{
    const struct event *event = &conn->dialect->event;
    char chunk[FIRST_MAX];
    if (!conn->closed) {
        answers_stamp(event, chunk, conn->next_event, now_ns());
        if (!conn_say(conn, chunk, event->chunk.length) || !follow(conn, conn->due))
            conn_close(conn);
    }
    if (conn->closed)
        conn_release(conn);
}

uint64_t streams_advance(void)
{
    uint64_t now = now_ns();
    for (size_t left = streams.length; left && streams.first->due <= now; left--)
        advance(pop());
    if (!streams.first)
        return 0;
    return streams.pace.gap_ns ? streams.first->due : AT_ONCE;
}
