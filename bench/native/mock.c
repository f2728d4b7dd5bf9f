/* A provider that answers at once: `mock [PORT]`, prints its port.
 *
 * POST to a target with /messages or /chat/completions in it: Anthropic's or OpenAI's answer, streamed if the body says
 * "stream":true. A stream's words are numbered, and stamped with CLOCK_MONOTONIC when they are sent. Besides:
 *   GET /pace/EVENTS/GAP_US   streams from now on have so many words, one each GAP_US (0: one each turn of the loop);
 *                             409 as long as streams go on
 *   GET /stats                {"requests", "streams", "body_bytes", "refused", "open", "streaming"} since the start
 *   GET anything else         200 and a list of models: proxies ask for some such thing when they start
 */
#include "answers.h"
#include "common.h"
#include "conn.h"
#include "streams.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define READ_AT_ONCE (256 * 1024)
#define EVENTS_AT_ONCE 256
#define MODELS "{\"object\":\"list\",\"status\":\"ok\",\"data\":[{\"id\":\"mock\",\"object\":\"model\",\"owned_by\":\"mock\"}]}"

static struct {
    int epoll, listener, timer;
    uint64_t requests, streams, body_bytes, refused;
    char buffer[READ_AT_ONCE];
} mock;

static void on_body(void *owner, const char *data, size_t length)
{
    mock.body_bytes += length;
    wanted_feed(&((struct conn *)owner)->wanted, data, length);
}

static bool say_text(struct conn *conn, const char *status, const char *body)
{
    char text[1024];
    int length = snprintf(text, sizeof text,
                          "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", status,
                          strlen(body), body);
    return conn_say(conn, text, (size_t)length);
}

static bool refuse(struct conn *conn, const char *status, const char *why)
{
    char body[256];
    snprintf(body, sizeof body, "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"mock: %s\"}}", why);
    mock.refused++;
    return say_text(conn, status, body);
}

static bool say_stats(struct conn *conn)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"requests\":%" PRIu64 ",\"streams\":%" PRIu64 ",\"body_bytes\":%" PRIu64 ",\"refused\":%" PRIu64
             ",\"open\":%zu,\"streaming\":%zu}",
             mock.requests, mock.streams, mock.body_bytes, mock.refused, conn_count(), streams_count());
    return say_text(conn, "200 OK", body);
}

static bool set_pace(struct conn *conn, const char *text)
{
    struct pace pace;
    uint64_t gap_us;
    if (sscanf(text, "%" SCNu32 "/%" SCNu64 " ", &pace.events, &gap_us) != 2 || !pace.events || pace.events > 99999)
        return refuse(conn, "400 Bad Request", "/pace/EVENTS/GAP_US, EVENTS from 1 to 99999");
    pace.gap_ns = gap_us * 1000;
    if (!streams_set(pace))
        return refuse(conn, "409 Conflict", "streams go on");
    return say_text(conn, "200 OK", "{}");
}

/* A GET or HEAD: a word to the mock itself, or something that proxies ask of providers. */
static bool say_other(struct conn *conn)
{
    const char *head = conn->request.head;
    if (!strncmp(head, "GET /pace/", 10))
        return set_pace(conn, head + 10);
    if (!strncmp(head, "GET /stats ", 11))
        return say_stats(conn);
    if (!strncmp(head, "GET ", 4))
        return say_text(conn, "200 OK", MODELS);
    return refuse(conn, "405 Method Not Allowed", "POST and GET only");
}

static bool answer(struct conn *conn)
{
    char *head = conn->request.head;
    if (strncmp(head, "POST ", 5))
        return say_other(conn);
    *strchr(head, '\r') = 0;
    const struct dialect *dialect = answers_for(head);
    mock.requests++;
    if (!dialect)
        return refuse(conn, "404 Not Found", "/messages and /chat/completions only");
    if (conn->wanted.streamed == 1) {
        mock.streams++;
        return streams_begin(conn, dialect);
    }
    return conn_say(conn, dialect->whole.data, dialect->whole.length);
}

/* All messages in what came. A client that sends while its stream goes on is refused: nobody measured does. */
static bool take(struct conn *conn, const char *data, size_t length)
{
    while (length) {
        if (conn->dialect)
            return false;
        size_t taken = http_feed(&conn->request, data, length);
        data += taken;
        length -= taken;
        if (conn->request.state == HTTP_BROKEN) {
            refuse(conn, "400 Bad Request", "this is no HTTP/1.1");
            return false;
        }
        if (conn->request.state != HTTP_DONE)
            return true;
        if (!answer(conn))
            return false;
        if (!conn->dialect)
            conn_next(conn);
    }
    return true;
}

static void serve(struct conn *conn, uint32_t events)
{
    if ((events & EPOLLOUT) && !conn_flush(conn)) {
        conn_close(conn);
        return;
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    ssize_t length = recv(conn->fd, mock.buffer, sizeof mock.buffer, 0);
    if (length < 0 && would_block())
        return;
    if (length <= 0 || !take(conn, mock.buffer, (size_t)length))
        conn_close(conn);
}

static void welcome(void)
{
    int fd;
    while ((fd = accept4(mock.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        conn_open(mock.epoll, fd, on_body);
    if (!would_block())
        die("cannot accept: %m");
}

static void arm(uint64_t due)
{
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u)}};
    timerfd_settime(mock.timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void watch(int fd, void *mark)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = mark};
    if (epoll_ctl(mock.epoll, EPOLL_CTL_ADD, fd, &event))
        die("epoll: %m");
}

/* The timer wakes the loop for the stream that is due next; its ringing needs no reading, as it is set anew. */
static void run(void)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t due = 0, armed = 0;
    for (;;) {
        int count = epoll_wait(mock.epoll, events, EVENTS_AT_ONCE, due == AT_ONCE ? 0 : -1);
        for (int at = 0; at < count; at++) {
            if (events[at].data.ptr == &mock.listener)
                welcome();
            else if (events[at].data.ptr != &mock.timer)
                serve(events[at].data.ptr, events[at].events);
        }
        due = streams_advance();
        if (armed != (due > AT_ONCE ? due : 0))
            arm(armed = due > AT_ONCE ? due : 0);
    }
}

int main(int count, char **words)
{
    uint16_t port = count > 1 ? (uint16_t)number(words[1], 0, 65535, "PORT") : 0;
    raise_descriptors();
    answers_make();
    mock.epoll = epoll_create1(EPOLL_CLOEXEC);
    mock.listener = listening(&port);
    mock.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(mock.listener, &mock.listener);
    watch(mock.timer, &mock.timer);
    printf("%u\n", port);
    fflush(stdout);
    run();
}
