/* lg: load generator for one machine (epoll, one thread).
 *
 * Sends pre-signed webhooks from a corpus file (see corpus.py) to 127.0.0.1 and prints one JSON object.
 * The event id is a header outside the signature, so 12 hex digits are patched per request and every
 * request is a new event.
 *
 *   closed loop (default): -c connections, each sends again as soon as it is answered
 *   open loop (-r rate):   request k is due at start + k/rate; latency counts from that instant, also when
 *                          no connection was free (no coordinated omission)
 *
 * Both -d seconds and -n count bound a run. Exit code 0 = ran (errors are counted in the JSON), 2 = could not start.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 2048
#define DRAIN_NS 10000000000LL /* how long answers may still arrive after the last request */

struct request { char head[HEAD_MAX]; int head_len, sig_at, id_at, body_len; const char *body; };
struct conn {
    int fd, busy, bad, blocked, head_len, index;
    size_t sent, have, cap;
    int64_t due;
    uint64_t id;
    const struct request *req;
    char *in;
    char head[HEAD_MAX];
};

static struct request *requests;
static int request_count;
static struct conn *conns;
static int *idle, idle_head, idle_count, conn_count = 64, alive;
static int ep, timer = -1, port = 8000;
static double rate, seconds = 2;
static long limit = -1, repeat_every, wrong_percent;
static uint64_t id_base;
static int64_t start_ns, last_reply_ns, deadline_ns;
static long issued, in_flight, ok, rejected, non_2xx, resets, reconnects;
static int status_seen[600];
static uint32_t *latency_us;
static long latency_count, latency_cap;
static FILE *ack_file;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The one definition of due time; `-D` prints it so that a test can hold it. */
static int64_t due_offset_ns(long k) { return (int64_t)((double)k * 1e9 / rate); }

static void die(const char *what) {
    fprintf(stderr, "lg: %s: %s\n", what, errno ? strerror(errno) : "bad input");
    exit(2);
}

static void render(struct request *r, const char *path, const char *extra, const char *sig_name, const char *sig,
                   int sig_len, const char *id_name, const char *id_prefix) {
    int n = snprintf(r->head, HEAD_MAX, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s: ", path, port, extra, sig_name);
    if (n >= HEAD_MAX) { errno = 0; die("headers too long"); }
    r->sig_at = n;
    n += snprintf(r->head + n, HEAD_MAX - n, "%.*s\r\n%s: %s", sig_len, sig, id_name, id_prefix);
    if (n >= HEAD_MAX) { errno = 0; die("headers too long"); }
    r->id_at = n;
    n += snprintf(r->head + n, HEAD_MAX - n, "000000000000\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
                  r->body_len);
    if (n >= HEAD_MAX) { errno = 0; die("headers too long"); }
    r->head_len = n;
}

/* Corpus: "KBC1", u32 count, then per record u32 body length, u8 signature length, signature, body (little endian). */
static void load(const char *file, const char *path, const char *extra, const char *sig_name, const char *id_name,
                 const char *id_prefix) {
    int fd = open(file, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) die(file);
    const unsigned char *p = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    const unsigned char *end = p + st.st_size;
    if (p == MAP_FAILED) die(file);
    errno = 0;
    if (st.st_size < 8 || memcmp(p, "KBC1", 4)) die("not a corpus file");
    uint32_t count;
    memcpy(&count, p + 4, 4);
    p += 8;
    requests = calloc(count, sizeof *requests);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t body_len;
        if (p + 5 > end) die("corpus file is cut short");
        memcpy(&body_len, p, 4);
        int sig_len = p[4];
        if (p + 5 + sig_len + body_len > end) die("corpus file is cut short");
        requests[i].body_len = body_len;
        requests[i].body = (const char *)p + 5 + sig_len;
        render(&requests[i], path, extra, sig_name, (const char *)p + 5, sig_len, id_name, id_prefix);
        p += 5 + sig_len + body_len;
    }
    request_count = count;
}

static int open_connection(struct conn *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) return -1;
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to)) { close(c->fd); return -1; }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev);
    c->have = 0;
    c->blocked = 0;
    return 0;
}

static void push_idle(struct conn *c) { idle[(idle_head + idle_count++) % conn_count] = c - conns; }

/* First in, first out: every connection stays in use, so no server closes one for being idle. One that was closed
 * all the same (the server died) is opened again and counted; NULL when nothing is left to send on. */
static struct conn *pop_idle(void) {
    while (idle_count) {
        struct conn *c = &conns[idle[idle_head]];
        idle_head = (idle_head + 1) % conn_count;
        idle_count--;
        if (c->fd >= 0) return c;
        resets++;
        if (open_connection(c) == 0) { reconnects++; return c; }
        c->fd = -1;
        alive--;
    }
    return NULL;
}

static void broken(struct conn *c) {
    resets++;
    if (c->busy) in_flight--;
    c->busy = 0;
    close(c->fd);
    if (open_connection(c) == 0) { reconnects++; push_idle(c); }
    else { c->fd = -1; alive--; }
}

static void send_more(struct conn *c) {
    size_t total = c->head_len + c->req->body_len;
    while (c->sent < total) {
        struct iovec v[2];
        int n = 0;
        if (c->sent < (size_t)c->head_len) v[n++] = (struct iovec){c->head + c->sent, c->head_len - c->sent};
        size_t skip = c->sent > (size_t)c->head_len ? c->sent - c->head_len : 0;
        v[n++] = (struct iovec){(char *)c->req->body + skip, c->req->body_len - skip};
        ssize_t w = writev(c->fd, v, n);
        if (w < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN) {
                struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
                epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
                c->blocked = 1;
                return;
            }
            broken(c);
            return;
        }
        c->sent += w;
    }
    if (c->blocked) {
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
        c->blocked = 0;
    }
}

static void issue(struct conn *c, int64_t due) {
    static const char hex[] = "0123456789abcdef";
    long k = issued++;
    const struct request *r = &requests[k % request_count];
    c->index = k % request_count;
    c->id = id_base + (repeat_every ? k % repeat_every : k);
    c->req = r;
    c->head_len = r->head_len;
    c->sent = c->have = 0;
    c->due = due;
    c->busy = 1;
    memcpy(c->head, r->head, r->head_len);
    uint64_t v = c->id;
    for (int i = 11; i >= 0; i--, v >>= 4) c->head[r->id_at + i] = hex[v & 15];
    c->bad = wrong_percent && k % 100 < wrong_percent;
    if (c->bad) c->head[r->sig_at] = c->head[r->sig_at] == 'A' ? 'B' : 'A';
    in_flight++;
    send_more(c);
}

static int may_issue(int64_t t) { return t < deadline_ns && (limit < 0 || issued < limit); }

static void issue_due(void) {
    int64_t t = now_ns();
    while (idle_count && may_issue(t) && start_ns + due_offset_ns(issued) <= t) {
        struct conn *c = pop_idle();
        if (!c) return;
        issue(c, start_ns + due_offset_ns(issued));
        t = now_ns();
    }
    if (idle_count && may_issue(t)) {
        int64_t due = start_ns + due_offset_ns(issued);
        struct itimerspec at = {.it_value = {due / 1000000000LL, due % 1000000000LL}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    }
}

static void issue_free(void) {
    struct conn *c;
    for (int64_t t = now_ns(); may_issue(t) && (c = pop_idle()); t = now_ns()) issue(c, t);
}

/* Returns the status when a whole answer is there, 0 when more must come; *closing when the server ends the connection. */
static int parse_answer(const struct conn *c, int *closing) {
    const char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!end || c->have < 12) return 0;
    int status = atoi(c->in + 9);
    long length = 0;
    int chunked = 0;
    *closing = 0;
    for (const char *line = memmem(c->in, end - c->in, "\r\n", 2); line && line < end;
         line = memmem(line + 2, end + 2 - (line + 2), "\r\n", 2)) {
        const char *name = line + 2;
        if (!strncasecmp(name, "content-length:", 15)) length = atol(name + 15);
        else if (!strncasecmp(name, "transfer-encoding: chunked", 26)) chunked = 1;
        else if (!strncasecmp(name, "connection: close", 17)) *closing = 1;
    }
    size_t body = c->have - (end + 4 - c->in);
    if (chunked) return body >= 5 && !memcmp(c->in + c->have - 5, "0\r\n\r\n", 5) ? status : 0;
    return body >= (size_t)length ? status : 0;
}

static void record(int64_t ns) {
    if (latency_count == latency_cap) {
        latency_cap = latency_cap ? latency_cap * 2 : 1 << 18;
        latency_us = realloc(latency_us, latency_cap * sizeof *latency_us);
        if (!latency_us) die("latencies");
    }
    latency_us[latency_count++] = ns / 1000;
}

static void answered(struct conn *c, int status, int closing) {
    last_reply_ns = now_ns();
    in_flight--;
    c->busy = 0;
    if (status > 0 && status < 600) status_seen[status]++;
    if (c->bad && status == 401) { rejected++; record(last_reply_ns - c->due); }
    else if (!c->bad && status >= 200 && status < 300) {
        ok++;
        record(last_reply_ns - c->due);
        if (ack_file) fprintf(ack_file, "%012llx %d\n", (unsigned long long)c->id, c->index);
    } else non_2xx++;
    if (closing) { c->busy = 0; broken(c); return; }
    push_idle(c);
}

static void readable(struct conn *c) {
    for (;;) {
        if (c->have + 16384 > c->cap) {
            c->cap = c->cap ? c->cap * 2 : 65536;
            c->in = realloc(c->in, c->cap);
            if (!c->in) die("answer buffer");
        }
        ssize_t n = read(c->fd, c->in + c->have, c->cap - c->have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) {
            if (c->busy) broken(c);
            else { close(c->fd); c->fd = -1; } /* it is in the idle ring: pop_idle finds it */
            return;
        }
        c->have += n;
        int closing, status = parse_answer(c, &closing);
        if (status) { answered(c, status, closing); return; }
    }
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double at_ms(double q) {
    if (!latency_count) return 0;
    long i = (long)(q * latency_count);
    return latency_us[i < latency_count ? i : latency_count - 1] / 1000.0;
}

static void report(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    double cpu = u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    double took = (last_reply_ns > start_ns ? last_reply_ns - start_ns : 1) / 1e9;
    qsort(latency_us, latency_count, sizeof *latency_us, by_value);
    printf("{\"issued\": %ld, \"ok\": %ld, \"rejected\": %ld, \"non_2xx\": %ld, \"resets\": %ld, \"reconnects\": %ld, "
           "\"unanswered\": %ld, \"seconds\": %.6f, \"rate\": %.2f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, "
           "\"max_ms\": %.3f, \"cpu_seconds\": %.6f, \"cpu_share\": %.4f, \"started\": %.6f, \"ended\": %.6f, \"statuses\": {",
           issued, ok, rejected, non_2xx, resets, reconnects, in_flight, took, (ok + rejected) / took, at_ms(0.5),
           at_ms(0.99), at_ms(0.999), at_ms(1.0), cpu, cpu / took, start_ns / 1e9, last_reply_ns / 1e9);
    const char *comma = "";
    for (int i = 0; i < 600; i++)
        if (status_seen[i]) { printf("%s\"%d\": %d", comma, i, status_seen[i]); comma = ", "; }
    printf("}}\n");
}

static void connect_all(void) {
    ep = epoll_create1(EPOLL_CLOEXEC);
    conns = calloc(conn_count, sizeof *conns);
    idle = calloc(conn_count, sizeof *idle);
    for (int i = 0; i < conn_count; i++) {
        if (open_connection(&conns[i])) die("connect to 127.0.0.1");
        push_idle(&conns[i]);
    }
    alive = conn_count;
    if (rate > 0) {
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
        epoll_ctl(ep, EPOLL_CTL_ADD, timer, &ev);
    }
}

static void run(void) {
    struct epoll_event events[512];
    start_ns = last_reply_ns = now_ns();
    deadline_ns = start_ns + (int64_t)(seconds * 1e9);
    while (alive) {
        int64_t t;
        if (rate > 0) issue_due();
        else issue_free();
        t = now_ns();
        if (!may_issue(t) && (!in_flight || t > deadline_ns + DRAIN_NS)) break;
        int n = epoll_wait(ep, events, 512, 20);
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (!c) { uint64_t fired; if (read(timer, &fired, 8) < 0) continue; continue; }
            if (c->fd < 0) continue;
            if (events[i].events & EPOLLOUT && c->busy) send_more(c);
            if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
        }
    }
}

int main(int argc, char **argv) {
    const char *corpus = NULL, *path = "/", *sig_name = "X-Shopify-Hmac-Sha256", *id_name = "X-Shopify-Webhook-Id";
    const char *id_prefix = "6b696974-6f73-4000-8000-";
    char extra[HEAD_MAX] = "";
    long dues = 0;
    for (int o; (o = getopt(argc, argv, "p:u:H:g:i:P:f:c:d:n:r:a:s:w:k:D:")) != -1;) switch (o) {
        case 'p': port = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 'H': if (strlen(extra) + strlen(optarg) + 3 >= HEAD_MAX) { errno = 0; die("-H too long"); }
                  strcat(strcat(extra, optarg), "\r\n"); break;
        case 'g': sig_name = optarg; break;
        case 'i': id_name = optarg; break;
        case 'P': id_prefix = optarg; break;
        case 'f': corpus = optarg; break;
        case 'c': conn_count = atoi(optarg); break;
        case 'd': seconds = atof(optarg); break;
        case 'n': limit = atol(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'a': ack_file = fopen(optarg, "w"); if (!ack_file) die(optarg); break;
        case 's': id_base = strtoull(optarg, NULL, 10); break;
        case 'w': wrong_percent = atol(optarg); break;
        case 'k': repeat_every = atol(optarg); break;
        case 'D': dues = atol(optarg); break;
        default: return 2;
    }
    for (long k = 0; k < dues; k++) printf("%lld\n", (long long)due_offset_ns(k));
    if (dues) return 0;
    errno = 0;
    if (!corpus || conn_count < 1 || seconds <= 0 || seconds > 600) die("need -f, -c >= 1 and 0 < -d <= 600");
    signal(SIGPIPE, SIG_IGN);
    load(corpus, path, extra, sig_name, id_name, id_prefix);
    connect_all();
    run();
    if (ack_file) fclose(ack_file);
    report();
    return 0;
}
