/* floor: the physical floor of a durable webhook receiver on this machine.
 *
 * One epoll thread: HTTP/1.1, HMAC-SHA256 (OpenSSL), one SQLite transaction (WAL, synchronous=FULL) per epoll round,
 * answers only after the COMMIT. A second thread checkpoints, so that the policy is the product's own: a floor that
 * checkpoints in the writer is 10-25 % too slow and would flatter us (facts/performance.md).
 *
 *   -p port  -m echo|hmac|store  -d database  -q inbox.sql  -k secret  -C WAL cap in MB
 *   -z zstd bodies, as ours stores them (faster than plain: fewer bytes to sync)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#define ROUND_MAX 512
#define BUFFER 262144
#define CHECKPOINT_BYTES (4L << 20)

enum mode { ECHO, CHECK, STORE };
struct text { const char *at; int len; };
struct conn { int fd; size_t have; char *in; struct text id, topic, shop, body; };

static const char ACCEPTED[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
static const char REFUSED[] = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
static enum mode mode = STORE;
static const char *secret = "", *database = "floor.db";
static long wal_cap = 64L << 20;
static int compress_bodies;
static sqlite3 *writer;
static sqlite3_stmt *insert, *begin, *commit;
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;
static atomic_long committed_bytes;

static void die(const char *what) {
    fprintf(stderr, "floor: %s: %s\n", what, writer ? sqlite3_errmsg(writer) : strerror(errno));
    exit(2);
}

static void run_sql(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) die(sql);
}

/* The statement after "-- name: <name>" in the SQL file. */
static char *named(const char *file, const char *name) {
    FILE *f = fopen(file, "r");
    if (!f) die(file);
    static char all[65536];
    all[fread(all, 1, sizeof all - 1, f)] = 0;
    fclose(f);
    char mark[64];
    snprintf(mark, sizeof mark, "-- name: %s\n", name);
    char *from = strstr(all, mark);
    if (!from) die(mark);
    char *to = strstr(from + strlen(mark), "-- name: ");
    return to ? strndup(from + strlen(mark), to - from - strlen(mark)) : strdup(from + strlen(mark));
}

static sqlite3 *open_database(void) {
    sqlite3 *db;
    if (sqlite3_open(database, &db) != SQLITE_OK) die(database);
    sqlite3_busy_timeout(db, 10000);
    run_sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=ON;"
                "PRAGMA journal_size_limit=67108864");
    return db;
}

static long wal_bytes(void) {
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s-wal", database);
    return stat(path, &st) ? 0 : st.st_size;
}

/* The product's policy (webhooks/checkpoint.py): PASSIVE above 4 MB of new bodies; RESTART when idle or above the cap.
 * RESTART holds the writer's mutex, so the writer never polls for a lock, and follows a PASSIVE that did most of it. */
static void *checkpoint_forever(void *unused) {
    (void)unused;
    sqlite3 *db = open_database();
    long last = 0, covered = 0;
    int done, total;
    for (;;) {
        usleep(100000);
        long seen = atomic_load(&committed_bytes), size = wal_bytes();
        int idle = seen == last;
        last = seen;
        if (seen - covered < CHECKPOINT_BYTES && size <= wal_cap) continue;
        if (seen == covered) continue;
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &total, &done);
        if (size > wal_cap || idle) {
            pthread_mutex_lock(&writing);
            sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_RESTART, &total, &done);
            pthread_mutex_unlock(&writing);
        }
        covered = seen;
    }
    return NULL;
}

static void prepare(const char *sql_file) {
    writer = open_database();
    run_sql(writer, named(sql_file, "schema"));
    if (sqlite3_prepare_v2(writer, named(sql_file, "insert"), -1, &insert, NULL) != SQLITE_OK) die("insert");
    sqlite3_prepare_v2(writer, "BEGIN IMMEDIATE", -1, &begin, NULL);
    sqlite3_prepare_v2(writer, "COMMIT", -1, &commit, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, checkpoint_forever, NULL);
}

static void step(sqlite3_stmt *statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) die("step");
    sqlite3_reset(statement);
}

static void bind_text(const char *name, struct text value) {
    int i = sqlite3_bind_parameter_index(insert, name);
    if (i) sqlite3_bind_text(insert, i, value.at, value.len, SQLITE_STATIC);
}

static void bind_body(struct text body) {
    int i = sqlite3_bind_parameter_index(insert, ":body"), encoding = sqlite3_bind_parameter_index(insert, ":encoding");
    sqlite3_bind_int(insert, encoding, compress_bodies);
    if (compress_bodies) {
        static char out[ZSTD_COMPRESSBOUND(BUFFER)];
        static ZSTD_CCtx *context;
        if (!context) context = ZSTD_createCCtx();
        size_t n = ZSTD_compressCCtx(context, out, sizeof out, body.at, body.len, 1);
        sqlite3_bind_blob(insert, i, out, n, SQLITE_TRANSIENT);
        return;
    }
    sqlite3_bind_blob(insert, i, body.at, body.len, SQLITE_STATIC);
}

static void store(struct conn **round, int count) {
    char at[40];
    struct timespec t;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &utc);
    size_t n = strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%S", &utc);
    n += snprintf(at + n, sizeof at - n, ".%06ldZ", t.tv_nsec / 1000);
    pthread_mutex_lock(&writing);
    step(begin);
    long bytes = 0;
    for (int i = 0; i < count; i++) {
        char headers[512];
        int len = snprintf(headers, sizeof headers, "{\"x-shopify-topic\":\"%.*s\",\"x-shopify-webhook-id\":\"%.*s\"}",
                           round[i]->topic.len, round[i]->topic.at, round[i]->id.len, round[i]->id.at);
        bytes += round[i]->body.len + 512;
        bind_text(":shop_id", round[i]->shop);
        bind_text(":headers", (struct text){headers, len < (int)sizeof headers ? len : 0});
        bind_text(":topic", round[i]->topic);
        bind_text(":dedup_key", round[i]->id);
        bind_text(":received_at", (struct text){at, n});
        bind_body(round[i]->body);
        step(insert);
    }
    step(commit);
    pthread_mutex_unlock(&writing);
    atomic_fetch_add(&committed_bytes, bytes);
}

static int header(const char *line, const char *name, int len, const char *eol, struct text *into) {
    if (strncasecmp(line, name, len) || line[len] != ':') return 0;
    line += len + 1;
    while (*line == ' ') line++;
    *into = (struct text){line, eol - line};
    return 1;
}

static int signature_holds(struct text sent, struct text body) {
    static HMAC_CTX *context;
    unsigned char mac[32], text[64];
    unsigned int n = sizeof mac;
    if (!context) { /* the key is scheduled once; a NULL key re-uses it */
        context = HMAC_CTX_new();
        HMAC_Init_ex(context, secret, strlen(secret), EVP_sha256(), NULL);
    } else HMAC_Init_ex(context, NULL, 0, NULL, NULL);
    HMAC_Update(context, (const unsigned char *)body.at, body.len);
    HMAC_Final(context, mac, &n);
    int len = EVP_EncodeBlock(text, mac, n);
    return sent.len == len && !CRYPTO_memcmp(sent.at, text, len);
}

static void answer(struct conn *c, const char *text, size_t len) {
    if (write(c->fd, text, len) < 0 && errno != EPIPE && errno != ECONNRESET) die("write");
    c->have = 0;
}

/* 1 = a request is whole and must be stored, 0 = more must come or it is answered already. */
static int parse(struct conn *c) {
    c->in[c->have] = 0;
    char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!end) return 0;
    struct text sig = {"", 0}, length = {"0", 1}, none = {"", 0};
    c->id = c->topic = c->shop = none;
    for (char *line = strstr(c->in, "\r\n"); line < end;) {
        line += 2;
        char *eol = strstr(line, "\r\n");
        (void)(header(line, "content-length", 14, eol, &length) || header(line, "x-shopify-hmac-sha256", 21, eol, &sig) ||
               header(line, "x-shopify-webhook-id", 20, eol, &c->id) || header(line, "x-shopify-topic", 15, eol, &c->topic) ||
               header(line, "x-shopify-shop-domain", 21, eol, &c->shop));
        line = eol;
    }
    long body_len = atol(length.at);
    c->body = (struct text){end + 4, body_len};
    if (end + 4 + body_len > c->in + c->have) return 0;
    if (!strncmp(c->in, "GET ", 4) || mode == ECHO) { answer(c, ACCEPTED, sizeof ACCEPTED - 1); return 0; }
    if (!signature_holds(sig, c->body)) { answer(c, REFUSED, sizeof REFUSED - 1); return 0; }
    if (mode == CHECK) { answer(c, ACCEPTED, sizeof ACCEPTED - 1); return 0; }
    return 1;
}

static int readable(int ep, struct conn *c) {
    for (;;) {
        if (c->have + 1 >= BUFFER) break;
        ssize_t n = read(c->fd, c->in + c->have, BUFFER - 1 - c->have);
        if (n < 0 && errno == EAGAIN) return 0;
        if (n <= 0) break;
        c->have += n;
        if (parse(c)) return 1;
        if (c->have == 0) return 0;
    }
    epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    free(c->in);
    free(c);
    return 0;
}

static void accept_all(int ep, int listener) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct conn *c = calloc(1, sizeof *c);
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->fd = fd;
        c->in = malloc(BUFFER);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c});
    }
}

static void serve(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), ep = epoll_create1(0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) die("listen");
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL});
    struct epoll_event events[ROUND_MAX];
    struct conn *round[ROUND_MAX];
    for (;;) {
        int n = epoll_wait(ep, events, ROUND_MAX, -1), count = 0;
        for (int i = 0; i < n; i++) {
            struct conn *c = events[i].data.ptr;
            if (!c) accept_all(ep, listener);
            else if (readable(ep, c)) round[count++] = c;
        }
        if (count) store(round, count);
        for (int i = 0; i < count; i++) answer(round[i], ACCEPTED, sizeof ACCEPTED - 1);
    }
}

int main(int argc, char **argv) {
    int port = 8000;
    const char *sql_file = "inbox.sql";
    for (int o; (o = getopt(argc, argv, "p:m:d:q:k:C:z")) != -1;) switch (o) {
        case 'p': port = atoi(optarg); break;
        case 'm': mode = !strcmp(optarg, "echo") ? ECHO : !strcmp(optarg, "hmac") ? CHECK : STORE; break;
        case 'd': database = optarg; break;
        case 'q': sql_file = optarg; break;
        case 'k': secret = optarg; break;
        case 'C': wal_cap = atol(optarg) << 20; break;
        case 'z': compress_bodies = 1; break;
        default: return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (mode == STORE) prepare(sql_file);
    serve(port);
    return 0;
}
