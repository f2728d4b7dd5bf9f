#include "conn.h"

#include "common.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int epoll_of_all;
static size_t open_now;

size_t conn_count(void)
{
    return open_now;
}

struct conn *conn_open(int epoll, int fd, http_body *on_body)
{
    struct conn *conn = grab(sizeof *conn);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
    int on = 1;
    epoll_of_all = epoll;
    conn->fd = fd;
    conn->request.on_body = on_body;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        die("epoll does not take a connection: %m");
    conn_next(conn);
    open_now++;
    return conn;
}

void conn_next(struct conn *conn)
{
    wanted_begin(&conn->wanted);
    http_begin(&conn->request, false, conn->request.on_body, conn);
}

void conn_release(struct conn *conn)
{
    free(conn->out);
    free(conn);
}

void conn_close(struct conn *conn)
{
    if (conn->closed)
        return;
    close(conn->fd);
    conn->closed = true;
    open_now--;
    if (!conn->dialect)
        conn_release(conn);
}

static void wait_to_write(struct conn *conn, bool wanted)
{
    struct epoll_event event = {.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = conn};
    if (conn->waits_to_write != wanted && epoll_ctl(epoll_of_all, EPOLL_CTL_MOD, conn->fd, &event))
        die("epoll does not change a connection: %m");
    conn->waits_to_write = wanted;
}

static void keep(struct conn *conn, const char *data, size_t length)
{
    if (conn->out_length + length > conn->out_room) {
        conn->out_room = 2 * (conn->out_length + length);
        conn->out = realloc(conn->out, conn->out_room);
        if (!conn->out)
            die("no memory for %zu bytes", conn->out_room);
    }
    memcpy(conn->out + conn->out_length, data, length);
    conn->out_length += length;
    wait_to_write(conn, true);
}

bool conn_say(struct conn *conn, const char *data, size_t length)
{
    if (!conn->out_length) {
        ssize_t sent = send(conn->fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && !would_block())
            return false;
        if (sent > 0) {
            data += sent;
            length -= (size_t)sent;
        }
    }
    if (length)
        keep(conn, data, length);
    return true;
}

bool conn_flush(struct conn *conn)
{
    ssize_t sent = send(conn->fd, conn->out + conn->out_sent, conn->out_length - conn->out_sent, MSG_NOSIGNAL);
    if (sent < 0)
        return would_block();
    conn->out_sent += (size_t)sent;
    if (conn->out_sent == conn->out_length) {
        conn->out_sent = conn->out_length = 0;
        wait_to_write(conn, false);
    }
    return true;
}
