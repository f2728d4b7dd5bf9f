#include "run.h"

#include "common.h"

#include <string.h>
#include <strings.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_AT_ONCE (256 * 1024)
#define EVENTS_AT_ONCE 256

enum phase { WARM, WINDOW, REST };

struct conn {
    int fd; /* -1: nobody listens any more */
    bool asked, used, waits_to_write;
    const struct request *request;
    size_t sent;
    uint64_t begun, first_byte_at;
    struct answer answer;
};

static struct {
    const struct plan *plan;
    struct outcome *outcome;
    int epoll;
    enum phase phase;
    uint64_t now, window_begun;
    size_t next_request;
    unsigned started, outstanding;
    struct conn *conns;
    char buffer[READ_AT_ONCE];
} it;

static void watch(struct conn *conn, int operation)
{
    struct epoll_event event = {.events = conn->waits_to_write ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = conn};
    if (epoll_ctl(it.epoll, operation, conn->fd, &event))
        die("epoll: %m");
}

static bool open_up(struct conn *conn)
{
    conn->used = conn->waits_to_write = false;
    conn->fd = connected(it.plan->port);
    if (conn->fd >= 0)
        watch(conn, EPOLL_CTL_ADD);
    return conn->fd >= 0;
}

/* A server that does not read on may have answered all the same: that is seen when the answer is read. */
static void send_on(struct conn *conn)
{
    const struct request *request = conn->request;
    ssize_t sent = send(conn->fd, request->data + conn->sent, request->length - conn->sent, MSG_NOSIGNAL);
    if (sent < 0 && !would_block())
        conn->sent = request->length;
    if (sent > 0)
        conn->sent += (size_t)sent;
    bool waits = conn->sent < request->length;
    if (waits != conn->waits_to_write) {
        conn->waits_to_write = waits;
        watch(conn, EPOLL_CTL_MOD);
    }
}

static void ask_again(struct conn *conn)
{
    conn->sent = 0;
    conn->first_byte_at = 0;
    answer_begin(&conn->answer, &it.plan->expected);
    send_on(conn);
}

static void ask(struct conn *conn)
{
    conn->request = &it.plan->requests[it.next_request++ % it.plan->request_count];
    conn->asked = true;
    conn->begun = now_ns();
    it.outstanding++;
    ask_again(conn);
}

static void remember(const struct answer *answer, enum verdict verdict)
{
    it.outcome->example_verdict = verdict;
    it.outcome->example_status = answer->http.status;
    memcpy(it.outcome->example, answer->excerpt, answer->excerpt_length);
    it.outcome->example[answer->excerpt_length] = 0;
}

static void count(struct conn *conn, enum verdict verdict)
{
    struct outcome *outcome = it.outcome;
    outcome->all++;
    if (verdict != WHOLE && !outcome->all_broken++)
        remember(&conn->answer, verdict);
    if (it.phase != WINDOW)
        return;
    outcome->verdicts[verdict]++;
    if (verdict != WHOLE)
        return;
    histogram_add(&outcome->latency, it.now - conn->begun);
    histogram_add(&outcome->first_byte, conn->first_byte_at - conn->begun);
    if (conn->answer.first_word_at)
        histogram_add(&outcome->first_word, conn->answer.first_word_at - conn->begun);
}

static bool server_closes(const struct answer *answer)
{
    const char *word = http_header(&answer->http, "connection:");
    return answer->http.state != HTTP_DONE || (word && !strncasecmp(word, "close", 5));
}

static void finish(struct conn *conn, enum verdict verdict, bool closed)
{
    count(conn, verdict);
    conn->asked = false;
    conn->used = true;
    it.outstanding--;
    if (closed || server_closes(&conn->answer)) {
        close(conn->fd);
        conn->fd = -1;
        if (it.phase == REST || !open_up(conn))
            return;
        it.outcome->reconnected++;
    }
    if (it.phase != REST)
        ask(conn);
}

/* A server may close a connection that it has answered on, and not see the next request: that one is sent once more. */
static void server_closed(struct conn *conn)
{
    if (!conn->asked || conn->first_byte_at || !conn->used) {
        if (conn->asked)
            finish(conn, answer_cut(&conn->answer), true);
        else
            epoll_ctl(it.epoll, EPOLL_CTL_DEL, conn->fd, NULL);
        return;
    }
    close(conn->fd);
    if (open_up(conn)) {
        it.outcome->reconnected++;
        ask_again(conn);
    } else {
        conn->asked = false;
        it.outstanding--;
        count(conn, CUT);
    }
}

static void receive(struct conn *conn)
{
    ssize_t length = recv(conn->fd, it.buffer, sizeof it.buffer, 0);
    if (length < 0 && would_block())
        return;
    it.now = now_ns();
    if (length <= 0) {
        server_closed(conn);
        return;
    }
    if (!conn->first_byte_at)
        conn->first_byte_at = it.now;
    struct histogram *delays = it.phase == WINDOW ? &it.outcome->delays : NULL;
    if (!conn->asked)
        return; /* bytes after an answer: the next one is broken by them, if there is one */
    if (answer_feed(&conn->answer, it.buffer, (size_t)length, it.now, delays))
        finish(conn, answer_verdict(&conn->answer), false);
}

/* Until the moment, or until something comes. */
static void wait_until(uint64_t moment)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t now = now_ns(), left = moment > now ? moment - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
    int count = epoll_pwait2(it.epoll, events, EVENTS_AT_ONCE, &timeout, NULL);
    for (int at = 0; at < count; at++) {
        struct conn *conn = events[at].data.ptr;
        if (conn->fd >= 0 && (events[at].events & EPOLLOUT))
            send_on(conn);
        if (conn->fd >= 0 && (events[at].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
            receive(conn);
    }
    it.now = now_ns();
}

static uint64_t start_of(unsigned at, uint64_t begun)
{
    return begun + it.plan->stagger_ns * at / it.plan->connections;
}

static void start_due(uint64_t begun)
{
    while (it.started < it.plan->connections && start_of(it.started, begun) <= it.now) {
        struct conn *conn = &it.conns[it.started++];
        if (!open_up(conn))
            die("nobody listens on port %u", it.plan->port);
        ask(conn);
    }
}

static bool window_is_over(void)
{
    uint64_t lasted = it.now - it.window_begun, answers = 0;
    for (enum verdict verdict = WHOLE; verdict < VERDICTS; verdict++)
        answers += it.outcome->verdicts[verdict];
    if (lasted >= it.plan->longest_ns)
        return true;
    return lasted >= it.plan->window_ns && answers >= it.plan->least;
}

static uint64_t next_moment(uint64_t begun)
{
    uint64_t moment;
    if (it.phase == WARM)
        moment = begun + it.plan->warm_ns;
    else if (it.now < it.window_begun + it.plan->window_ns)
        moment = it.window_begun + it.plan->window_ns;
    else
        moment = it.window_begun + it.plan->longest_ns;
    if (it.started < it.plan->connections && start_of(it.started, begun) < moment)
        moment = start_of(it.started, begun);
    return moment;
}

static void rest(void)
{
    uint64_t end = it.now + it.plan->patience_ns;
    it.phase = REST;
    while (it.outstanding && it.now < end)
        wait_until(end);
    it.outcome->unfinished = it.outstanding;
}

void run(const struct plan *plan, struct outcome *outcome)
{
    it.plan = plan;
    it.outcome = outcome;
    it.epoll = epoll_create1(EPOLL_CLOEXEC);
    it.conns = grab(plan->connections * sizeof *it.conns);
    uint64_t begun = it.now = it.window_begun = now_ns();
    while ((it.phase == WARM || !window_is_over()) && !(it.started == plan->connections && !it.outstanding)) {
        start_due(begun);
        wait_until(next_moment(begun));
        if (it.phase == WARM && it.now >= begun + plan->warm_ns) {
            it.phase = WINDOW;
            it.window_begun = it.now;
        }
    }
    outcome->window_ns = it.now - it.window_begun;
    rest();
    for (unsigned at = 0; at < it.started; at++)
        if (it.conns[at].fd >= 0)
            close(it.conns[at].fd);
    close(it.epoll);
    free(it.conns);
}
