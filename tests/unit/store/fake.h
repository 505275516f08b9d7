/* SPDX-License-Identifier: Apache-2.0
 * A store that fails as told: enough of ClickHouse's HTTP interface for the store's own statements, over TCP or a Unix
 * socket, one thread a connection. What inserts bring is kept as it came; rows are told apart by a text within them. */
#ifndef FF_TESTS_STORE_FAKE_H
#define FF_TESTS_STORE_FAKE_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"
#include "store/schema.h"

/* What happens to one insert. */
enum fake_act {
    FAKE_STORE,           /* as it should be */
    FAKE_STORE_AND_CLOSE, /* stored, but the answer is lost */
    FAKE_STORE_AND_HANG,  /* stored, and no answer ever comes */
    FAKE_CLOSE,           /* lost before it was stored */
    FAKE_HANG,
    FAKE_500, /* an error of the store, nothing stored */
    FAKE_STORE_AND_500,
    FAKE_503,
    FAKE_BAD_GATEWAY, /* not ClickHouse that speaks; stored nevertheless */
};

enum { FAKE_INSERTS_MAX = 4096, FAKE_SCRIPT_MAX = 64, FAKE_IDS_MAX = 64, FAKE_CONNECTIONS_MAX = 4096 };

struct fake_insert {
    char batch[33];
    struct buf body;
};

struct fake {
    const char *version; /* "26.7.2.1" */
    const char *bad;     /* an insert with this text in it is refused with code 117; NULL: none */
    int listen_fd;
    char url[64];
    pthread_t thread;
    atomic_bool stop, deaf; /* deaf: connections are closed at once */
    atomic_int tries;       /* inserts that came */
    atomic_int queries;
    pthread_mutex_t lock; /* of everything below */
    enum fake_act script[FAKE_SCRIPT_MAX];
    size_t script_at, script_n;
    struct fake_insert *inserts;
    size_t n;
    struct hash128 ids[FAKE_IDS_MAX]; /* what a look-up finds */
    uint32_t id_versions[FAKE_IDS_MAX];
    size_t id_n;
    char user[64], key[64]; /* of the last request */
    char url_query[65536];  /* of the last insert */
    pthread_t workers[FAKE_CONNECTIONS_MAX];
    size_t worker_n;
};

struct fake_worker {
    struct fake *fake;
    int fd;
};

static inline bool fake_read_more(struct fake *f, int fd, struct buf *in)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (!atomic_load(&f->stop)) {
        if (poll(&p, 1, 20) <= 0) continue;
        char *room = buf_room(in, 65536);
        BUG_IF(room == NULL);
        ssize_t n = read(fd, room, 65536);
        if (n <= 0) return false;
        buf_claim(in, (size_t)n);
        return true;
    }
    return false;
}

static inline void fake_answer(int fd, int status, int code, struct span body)
{
    struct buf out;
    buf_init(&out, 1 << 24);
    buf_addf(&out, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n", status, body.len);
    if (code) buf_addf(&out, "X-ClickHouse-Exception-Code: %d\r\n", code);
    buf_adds(&out, "\r\n");
    buf_add_span(&out, body);
    for (size_t at = 0; at < out.len;) {
        ssize_t n = send(fd, out.ptr + at, out.len - at, MSG_NOSIGNAL);
        if (n <= 0) break;
        at += (size_t)n;
    }
    buf_free(&out);
}

static inline bool fake_has(struct span s, const char *what)
{
    return span_find_span(s, span_of(what)) >= 0;
}

static inline void fake_text(struct buf *out, const char *text)
{
    buf_add_varint(out, strlen(text));
    buf_adds(out, text);
}

static inline uint64_t fake_rows_of_batch(struct fake *f, struct span sql)
{
    uint64_t n = 0;
    for (size_t i = 0; i < f->n; i++)
        if (fake_has(sql, f->inserts[i].batch)) n++;
    return n;
}

/* The store's own statements, by a word in them. */
static inline void fake_query(struct fake *f, struct span sql, struct buf *out)
{
    atomic_fetch_add(&f->queries, 1);
    (void)pthread_mutex_lock(&f->lock);
    if (fake_has(sql, "version()")) {
        fake_text(out, f->version);
    } else if (fake_has(sql, "system.settings")) {
        if (f->version[0] == '2' && f->version[1] == '6') {
            fake_text(out, "insert_deduplication_token");
            fake_text(out, "async_insert");
            fake_text(out, "enable_shared_storage_snapshot_in_query");
        }
    } else if (fake_has(sql, "system.columns")) {
        for (size_t i = 0; i < store_column_count(); i++) fake_text(out, store_column_at(i)->name);
    } else if (fake_has(sql, "DISTINCT number")) {
        for (uint32_t i = 1; i <= 3; i++) buf_add_u32(out, i);
    } else if (fake_has(sql, "data_skipping_indices")) {
        fake_text(out, "by_id");
        fake_text(out, "by_start");
    } else if (fake_has(sql, "min(view_end)")) {
        buf_add_u64(out, 0);
        buf_add_u64(out, 0);
    } else if (fake_has(sql, "system.processes")) {
        buf_add_u64(out, 0);
    } else if (fake_has(sql, "batch_id = ")) {
        buf_add_u64(out, fake_rows_of_batch(f, sql));
    } else if (fake_has(sql, "id_lo IN (")) {
        for (size_t i = 0; i < f->id_n; i++) {
            buf_add_u64(out, f->ids[i].hi);
            buf_add_u64(out, f->ids[i].lo);
            buf_add_u32(out, f->id_versions[i]);
        }
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static inline void fake_keep(struct fake *f, struct span url, struct span body)
{
    (void)pthread_mutex_lock(&f->lock);
    BUG_IF(f->n == FAKE_INSERTS_MAX);
    struct fake_insert *i = &f->inserts[f->n++];
    ptrdiff_t at = span_find_span(url, SPAN("query_id="));
    BUG_IF(at < 0 || body.len < 33);
    memcpy(i->batch, url.ptr + at + 9, 32);
    i->batch[32] = 0;
    BUG_IF(memcmp(i->batch, body.ptr + 1, 32) != 0);
    buf_init(&i->body, 1 << 28);
    buf_add_span(&i->body, body);
    (void)pthread_mutex_unlock(&f->lock);
}

/* false: the connection ends. */
static inline bool fake_insert(struct fake *f, int fd, struct span url, struct span body)
{
    atomic_fetch_add(&f->tries, 1);
    (void)pthread_mutex_lock(&f->lock);
    enum fake_act act = f->script_at < f->script_n ? f->script[f->script_at++] : FAKE_STORE;
    const char *bad = f->bad;
    (void)snprintf(f->url_query, sizeof f->url_query, "%.*s", SPAN_ARG(url));
    (void)pthread_mutex_unlock(&f->lock);
    if (bad && fake_has(body, bad)) {
        fake_answer(fd, 400, 117, SPAN("Code: 117. DB::Exception: Incorrect data. (INCORRECT_DATA)\n"));
        return true;
    }
    if (act == FAKE_STORE || act == FAKE_STORE_AND_CLOSE || act == FAKE_STORE_AND_HANG || act == FAKE_STORE_AND_500 ||
        act == FAKE_BAD_GATEWAY)
        fake_keep(f, url, body);
    struct buf nothing;
    buf_init(&nothing, 1 << 20);
    switch (act) {
    case FAKE_STORE: fake_answer(fd, 200, 0, SPAN("")); return true;
    case FAKE_STORE_AND_CLOSE:
    case FAKE_CLOSE: return false;
    case FAKE_STORE_AND_HANG:
    case FAKE_HANG:
        while (fake_read_more(f, fd, &nothing)) continue;
        buf_free(&nothing);
        return false;
    case FAKE_500:
    case FAKE_STORE_AND_500: fake_answer(fd, 500, 241, SPAN("Code: 241. DB::Exception: Memory limit\n")); return true;
    case FAKE_503: fake_answer(fd, 503, 202, SPAN("Code: 202. DB::Exception: Too many\n")); return true;
    case FAKE_BAD_GATEWAY: fake_answer(fd, 502, 0, SPAN("<html>bad gateway</html>")); return true;
    }
    return false;
}

static inline void fake_header(struct span head, const char *name, char *out, size_t size)
{
    ptrdiff_t at = span_find_span(head, span_of(name));
    out[0] = 0;
    if (at < 0) return;
    struct span value = span_from(head, (size_t)at + strlen(name));
    (void)snprintf(out, size, "%.*s", SPAN_ARG(span_trim(span_upto(value, (size_t)span_find(value, '\r')))));
}

static inline bool fake_serve(struct fake *f, int fd, struct buf *in)
{
    ptrdiff_t end;
    while ((end = in->len ? span_find_span(buf_span(in), SPAN("\r\n\r\n")) : -1) < 0)
        if (!fake_read_more(f, fd, in)) return false;
    char number[32];
    struct span head = span_upto(buf_span(in), (size_t)end + 2);
    fake_header(head, "Content-Length: ", number, sizeof number);
    size_t head_len = (size_t)end + 4, body_len = strtoul(number, NULL, 10);
    while (in->len < head_len + body_len)
        if (!fake_read_more(f, fd, in)) return false;
    head = span_upto(buf_span(in), (size_t)end + 2);
    struct span line = span_upto(head, (size_t)span_find(head, '\r')), body = span_make(in->ptr + head_len, body_len);
    (void)pthread_mutex_lock(&f->lock);
    fake_header(head, "X-ClickHouse-User: ", f->user, sizeof f->user);
    fake_header(head, "X-ClickHouse-Key: ", f->key, sizeof f->key);
    (void)pthread_mutex_unlock(&f->lock);
    bool on = true;
    if (fake_has(line, "/ping")) {
        fake_answer(fd, 200, 0, SPAN("Ok.\n"));
    } else if (fake_has(line, "query=INSERT")) {
        on = fake_insert(f, fd, line, body);
    } else {
        struct buf out;
        buf_init(&out, 1 << 24);
        fake_query(f, body, &out);
        fake_answer(fd, 200, 0, buf_span(&out));
        buf_free(&out);
    }
    buf_clear(in); /* clients do not send ahead */
    return on;
}

static inline void *fake_worker_run(void *ctx)
{
    struct fake_worker *w = ctx;
    struct buf in;
    buf_init(&in, 1 << 28);
    while (!atomic_load(&w->fake->stop) && fake_serve(w->fake, w->fd, &in)) continue;
    buf_free(&in);
    (void)close(w->fd);
    free(w);
    return NULL;
}

static inline void *fake_run(void *ctx)
{
    struct fake *f = ctx;
    struct pollfd p = {.fd = f->listen_fd, .events = POLLIN};
    while (!atomic_load(&f->stop)) {
        if (poll(&p, 1, 20) <= 0) continue;
        int fd = accept(f->listen_fd, NULL, NULL);
        if (fd < 0) continue;
        if (atomic_load(&f->deaf)) {
            (void)close(fd);
            continue;
        }
        struct fake_worker *w = malloc(sizeof *w);
        BUG_IF(w == NULL || f->worker_n == FAKE_CONNECTIONS_MAX);
        *w = (struct fake_worker){f, fd};
        BUG_IF(pthread_create(&f->workers[f->worker_n++], NULL, fake_worker_run, w) != 0);
    }
    return NULL;
}

/* socket_path: NULL for TCP. */
static inline struct fake *fake_start(const char *version, const char *socket_path)
{
    struct fake *f = calloc(1, sizeof *f);
    BUG_IF(f == NULL);
    f->version = version;
    f->inserts = calloc(FAKE_INSERTS_MAX, sizeof *f->inserts);
    BUG_IF(f->inserts == NULL || pthread_mutex_init(&f->lock, NULL) != 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof in;
    f->listen_fd = socket(socket_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_path) {
        BUG_IF(strlen(socket_path) >= sizeof un.sun_path);
        (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", socket_path);
        BUG_IF(bind(f->listen_fd, (struct sockaddr *)&un, sizeof un) != 0);
    } else {
        BUG_IF(bind(f->listen_fd, (struct sockaddr *)&in, sizeof in) != 0);
        BUG_IF(getsockname(f->listen_fd, (struct sockaddr *)&in, &len) != 0);
        (void)snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d", ntohs(in.sin_port));
    }
    BUG_IF(listen(f->listen_fd, 64) != 0);
    BUG_IF(pthread_create(&f->thread, NULL, fake_run, f) != 0);
    return f;
}

static inline void fake_stop(struct fake *f)
{
    atomic_store(&f->stop, true);
    (void)pthread_join(f->thread, NULL);
    for (size_t i = 0; i < f->worker_n; i++) (void)pthread_join(f->workers[i], NULL);
    (void)close(f->listen_fd);
    for (size_t i = 0; i < f->n; i++) buf_free(&f->inserts[i].body);
    free(f->inserts);
    free(f);
}

static inline void fake_script(struct fake *f, const enum fake_act *acts, size_t n)
{
    (void)pthread_mutex_lock(&f->lock);
    BUG_IF(n > FAKE_SCRIPT_MAX);
    memcpy(f->script, acts, n * sizeof *acts);
    f->script_at = 0;
    f->script_n = n;
    (void)pthread_mutex_unlock(&f->lock);
}

/* How often the text is in what was stored. */
static inline size_t fake_count(struct fake *f, const char *text)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < f->n; i++) {
        struct span rest = buf_span(&f->inserts[i].body);
        for (ptrdiff_t at; (at = span_find_span(rest, span_of(text))) >= 0; n++)
            rest = span_from(rest, (size_t)at + strlen(text));
    }
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

static inline size_t fake_stored(struct fake *f)
{
    (void)pthread_mutex_lock(&f->lock);
    size_t n = f->n;
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

#endif
