/* sink: an SMTP server that accepts everything and logs each message.
 *
 *   -p port  -l log file  -w milliseconds to wait before the answer to the final dot (a distant relay)
 *
 * One log line a message, tab separated: CLOCK_MONOTONIC seconds, recipient, Message-ID, Subject, bytes. The clock is the one
 * Python calls time.monotonic(), so times compare across processes. PIPELINING is offered and honoured.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (4 << 20)
#define CONNS_MAX 4096

struct conn { int fd, in_data; size_t have, out_len; int64_t held_until; char *in; char rcpt[320]; char out[65536]; };

static FILE *log_file;
static long wait_ms;
static struct conn *all[CONNS_MAX];
static int all_count;

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void say(struct conn *c, const char *text) {
    size_t n = strlen(text);
    if (c->out_len + n < sizeof c->out) { memcpy(c->out + c->out_len, text, n); c->out_len += n; }
}

static void flush(struct conn *c) {
    if (c->out_len && write(c->fd, c->out, c->out_len) < 0 && errno != EPIPE && errno != ECONNRESET) perror("sink: write");
    c->out_len = 0;
}

/* The value of a header as one log field; folded lines are joined, tabs become spaces. */
static void header(const char *head, const char *end, const char *name, char *into, size_t room) {
    size_t len = strlen(name), n = 0;
    const char *line = head;
    while (line < end && strncasecmp(line, name, len)) {
        line = memmem(line, end - line, "\r\n", 2);
        if (!line) line = end;
        else line += 2;
    }
    for (line += line < end ? (long)len : 0; line < end && n + 1 < room; line++) {
        if (*line == '\r') { if (line + 2 < end && (line[2] == ' ' || line[2] == '\t')) { line++; continue; } break; }
        if (n || (*line != ' ' && *line != '\t')) into[n++] = *line == '\t' ? ' ' : *line;
    }
    into[n] = 0;
}

static void log_message(struct conn *c, const char *message, size_t len) {
    char subject[512], id[512];
    const char *end = memmem(message, len, "\r\n\r\n", 4);
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    if (!end) end = message + len;
    header(message, end, "Subject:", subject, sizeof subject);
    header(message, end, "Message-ID:", id, sizeof id);
    fprintf(log_file, "%ld.%06ld\t%s\t%s\t%s\t%zu\n", (long)t.tv_sec, t.tv_nsec / 1000, c->rcpt, id, subject, len);
}

static int command(struct conn *c, const char *line, size_t len) {
    if (!strncasecmp(line, "EHLO", 4)) say(c, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 4000000\r\n");
    else if (!strncasecmp(line, "RCPT TO:", 8)) {
        const char *from = memchr(line, '<', len), *to = memchr(line, '>', len);
        if (from && to && to > from) snprintf(c->rcpt, sizeof c->rcpt, "%.*s", (int)(to - from - 1), from + 1);
        say(c, "250 ok\r\n");
    } else if (!strncasecmp(line, "DATA", 4)) { c->in_data = 1; say(c, "354 go on\r\n"); }
    else if (!strncasecmp(line, "QUIT", 4)) { say(c, "221 bye\r\n"); return -1; }
    else say(c, "250 ok\r\n");
    return 0;
}

/* Handles everything that is whole in the buffer. Returns -1 when the connection is to end. */
static int digest(struct conn *c) {
    size_t at = 0;
    int over = 0;
    while (!over && !c->held_until) {
        char *from = c->in + at;
        size_t left = c->have - at;
        const char *end;
        if (c->in_data) {
            end = left >= 3 && !memcmp(from, ".\r\n", 3) ? from - 2 : memmem(from, left, "\r\n.\r\n", 5);
            if (!end) break;
            log_message(c, from, end + 2 - from);
            c->in_data = 0;
            at = end + 5 - c->in;
            if (wait_ms) c->held_until = now_ms() + wait_ms;
            else say(c, "250 queued\r\n");
        } else {
            end = memmem(from, left, "\r\n", 2);
            if (!end) break;
            over = command(c, from, end - from);
            at = end + 2 - c->in;
        }
    }
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
    return over;
}

static void end_connection(struct conn *c) {
    for (int i = 0; i < all_count; i++) if (all[i] == c) { all[i] = all[--all_count]; break; }
    close(c->fd);
    free(c->in);
    free(c);
}

static void readable(struct conn *c) {
    ssize_t n = read(c->fd, c->in + c->have, BUFFER - c->have);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { end_connection(c); return; }
    c->have += n;
    int over = digest(c);
    flush(c);
    if (over || c->have == BUFFER) end_connection(c);
}

static void greet(int ep, int listener) {
    for (int fd, one = 1; all_count < CONNS_MAX && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct conn *c = calloc(1, sizeof *c);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->fd = fd;
        c->in = malloc(BUFFER);
        all[all_count++] = c;
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
        say(c, "220 sink ESMTP\r\n");
        flush(c);
    }
}

static void release_held(void) {
    int64_t t = now_ms();
    for (int i = all_count - 1; i >= 0; i--) {
        struct conn *c = all[i];
        if (!c->held_until || c->held_until > t) continue;
        c->held_until = 0;
        say(c, "250 queued\r\n");
        int over = digest(c);
        flush(c);
        if (over) end_connection(c);
    }
}

int main(int argc, char **argv) {
    int port = 2525, one = 1;
    const char *log_path = "/dev/null";
    for (int o; (o = getopt(argc, argv, "p:l:w:")) != -1;) switch (o) {
        case 'p': port = atoi(optarg); break;
        case 'l': log_path = optarg; break;
        case 'w': wait_ms = atol(optarg); break;
        default: return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    log_file = fopen(log_path, "a");
    if (!log_file) { perror(log_path); return 2; }
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), ep = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 512)) { perror("sink: listen"); return 2; }
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
    for (struct epoll_event events[256];;) {
        int n = epoll_wait(ep, events, 256, wait_ms ? 1 : 1000);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) readable(events[i].data.ptr);
            else greet(ep, listener);
        }
        if (wait_ms) release_held();
        fflush(log_file);
    }
}
