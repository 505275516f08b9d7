/* SPDX-License-Identifier: Apache-2.0 */
#include "api/exporter.h"

#include "api/export_files.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "store/dialect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    KEY_BYTES = 32,
    LOOK_MS = 5000,
    CLOSED_AFTER_MS = 2 * 3600 * 1000,
    UNSETTLED_MS_MAX = 600000, /* a day that never stands still is exported all the same */
    RETRY_MS = 60000,
    ARENA_BYTES_MAX = 64 * 1024 * 1024,
    SHOWN_ROWS = 100000, /* a log line each */
};
#define DAY_MS INT64_C(86400000)

/* What the thread knows of an environment. */
struct known {
    char environment_id[ACCOUNTS_ID_MAX + 1];
    uint64_t seen, checked; /* generations of its days: at the last look, and when the files were last right */
    int64_t unsettled_ms;   /* since when seen has kept changing; 0: it has not */
    int64_t retry_ms;
    int64_t to_day; /* days before were looked at */
};

struct exporter {
    struct exporter_options options;
    char root[EXPORT_PATH_MAX / 2];
    unsigned char key[KEY_BYTES];
    pthread_t thread;
    struct known *known; /* the thread's */
    size_t known_count, known_room;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool stopping;
    struct export_progress progress;
};

static void lock(struct exporter *x)
{
    BUG_IF(pthread_mutex_lock(&x->lock) != 0);
}

static void unlock(struct exporter *x)
{
    BUG_IF(pthread_mutex_unlock(&x->lock) != 0);
}

static bool stopping(struct exporter *x)
{
    lock(x);
    bool stop = x->stopping;
    unlock(x);
    return stop;
}

static bool pause_ms(struct exporter *x, int ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
    lock(x);
    while (!x->stopping)
        if (pthread_cond_timedwait(&x->changed, &x->lock, &until) != 0) break;
    bool go_on = !x->stopping;
    unlock(x);
    return go_on;
}

/* -- making one day -- */

struct making {
    struct exporter *x;
    struct export_writer *file;
    struct export_sink sink;
    int64_t shown;
};

static bool making_piece(void *ctx, struct span piece)
{
    struct making *m = ctx;
    lock(m->x);
    m->x->progress.rows_done = m->sink.rows;
    bool go_on = !m->x->stopping;
    struct export_progress now = m->x->progress;
    unlock(m->x);
    if (m->sink.rows - m->shown >= SHOWN_ROWS) {
        m->shown = m->sink.rows;
        LOG_INF("exporting", "environment=%s day=%s rows=%lld of=%lld", now.environment_id, now.day,
                (long long)now.rows_done, (long long)now.rows_total);
    }
    return go_on && export_writer_add(m->file, piece);
}

static enum err make_file(struct exporter *x, struct query *q, const char *environment_id, int64_t day, bool parquet,
                          int64_t *bytes)
{
    char path[EXPORT_PATH_MAX];
    struct making m = {.x = x};
    m.sink = (struct export_sink){.bytes = making_piece, .ctx = &m};
    if (!export_path(path, x->root, environment_id, day, parquet ? ".parquet" : ".v14.csv.gz")) return ERR_IO;
    m.file = export_writer_new(path, !parquet);
    if (m.file == NULL) return ERR_IO;
    enum err e = parquet ? query_export_parquet(q, environment_id, day, &m.sink)
                         : query_export_csv(q, environment_id, day, &m.sink);
    if (!export_writer_end(m.file, e == ERR_NONE, bytes) && e == ERR_NONE) e = ERR_IO;
    return e;
}

static enum err make_day(struct exporter *x, struct query *q, const char *environment_id, const struct export_day *day)
{
    char name[11];
    struct export_manifest m = {.rows = day->rows, .fingerprint = day->fingerprint};
    export_day_name(name, day->day);
    int64_t began_ms = wall_now_ms();
    enum err e = make_file(x, q, environment_id, day->day, false, &m.csv_bytes);
    if (e == ERR_NONE && store_dialect(x->options.store).parquet)
        e = make_file(x, q, environment_id, day->day, true, &m.parquet_bytes);
    m.made_ms = wall_now_ms();
    if (e == ERR_NONE && !export_manifest_write(x->root, environment_id, day->day, &m)) e = ERR_IO;
    if (e == ERR_NONE)
        LOG_INF("exported", "environment=%s day=%s rows=%lld bytes=%lld ms=%lld", environment_id, name,
                (long long)m.rows, (long long)(m.csv_bytes + m.parquet_bytes), (long long)(m.made_ms - began_ms));
    else if (e != ERR_CLOSED)
        LOG_WRN("export_failed", "environment=%s day=%s kind=%s why=\"%.300s\"", environment_id, name, err_name(e),
                q->error.text);
    return e;
}

static void show(struct exporter *x, const char *environment_id, const struct export_day *day, int64_t waiting)
{
    lock(x);
    x->progress = (struct export_progress){.rows_done = 0};
    if (day) {
        strncpy(x->progress.environment_id, environment_id, ACCOUNTS_ID_MAX);
        export_day_name(x->progress.day, day->day);
        x->progress.rows_total = day->rows;
        x->progress.days_waiting = waiting;
    }
    unlock(x);
}

/* -- one environment -- */

static bool day_is_right(struct exporter *x, const char *environment_id, const struct export_day *day)
{
    struct export_manifest m;
    return export_manifest_read(x->root, environment_id, day->day, &m) && m.rows == day->rows &&
           m.fingerprint == day->fingerprint && (m.parquet_bytes > 0) == store_dialect(x->options.store).parquet;
}

/* Files of days that hold nothing (any more), or are too old. */
static void remove_others(struct exporter *x, const char *environment_id, const struct export_day *days, size_t n)
{
    int64_t *there;
    size_t count = export_days_there(x->root, environment_id, &there), at = 0;
    for (size_t i = 0; i < count; i++) {
        while (at < n && days[at].day < there[i]) at++;
        if (at < n && days[at].day == there[i]) continue;
        export_remove(x->root, environment_id, there[i]);
    }
    free(there);
}

static enum err environment_do(struct exporter *x, const char *environment_id, int64_t from_day, int64_t to_day)
{
    char dir[EXPORT_PATH_MAX];
    struct arena arena;
    struct export_day *days;
    size_t n = 0, stale = 0;
    arena_init(&arena, ARENA_BYTES_MAX);
    struct query q = {.store = x->options.store, .arena = &arena};
    enum err e = query_export_days(&q, environment_id, from_day, to_day, &days, &n);
    if (e != ERR_NONE && e != ERR_UNAVAILABLE)
        LOG_WRN("export_failed", "environment=%s kind=%s why=\"%.300s\"", environment_id, err_name(e), q.error.text);
    if (e == ERR_NONE) remove_others(x, environment_id, days, n);
    if (n && (snprintf(dir, sizeof dir, "%s/%s", x->root, environment_id) >= (int)sizeof dir || !export_directory(dir)))
        e = ERR_IO;
    for (size_t i = 0; e == ERR_NONE && i < n; i++) stale += !day_is_right(x, environment_id, &days[i]);
    for (size_t i = n; e == ERR_NONE && i-- > 0;) { /* newest first */
        if (day_is_right(x, environment_id, &days[i])) continue;
        show(x, environment_id, &days[i], (int64_t)--stale);
        e = make_day(x, &q, environment_id, &days[i]);
    }
    show(x, environment_id, NULL, 0);
    arena_free(&arena);
    return e;
}

static void environment_look(struct exporter *x, struct known *k)
{
    int64_t now_ms = wall_now_ms(), to_day = (now_ms - x->options.closed_after_ms) / DAY_MS;
    int64_t from_day = to_day - EXPORTER_DAYS;
    uint64_t generation = store_generation_between(x->options.store, from_day * DAY_MS, to_day * DAY_MS);
    bool settled = generation == k->seen;
    k->seen = generation;
    if (generation == k->checked && to_day == k->to_day) {
        k->unsettled_ms = 0;
        return;
    }
    if (k->unsettled_ms == 0) k->unsettled_ms = now_ms;
    if ((!settled && now_ms - k->unsettled_ms < UNSETTLED_MS_MAX) || now_ms < k->retry_ms) return;
    if (environment_do(x, k->environment_id, from_day, to_day) == ERR_NONE) {
        k->checked = generation;
        k->to_day = to_day;
        k->unsettled_ms = 0;
    } else {
        k->retry_ms = now_ms + RETRY_MS;
    }
}

/* -- all of them -- */

static bool environment_note(const struct env_facts *env, void *arg)
{
    struct exporter *x = arg;
    for (size_t i = 0; i < x->known_count; i++)
        if (strcmp(x->known[i].environment_id, env->environment_id) == 0) return true;
    if (x->known_count == x->known_room) {
        x->known_room = x->known_room ? x->known_room * 2 : 16;
        x->known = realloc(x->known, x->known_room * sizeof *x->known);
        BUG_IF(x->known == NULL);
    }
    struct known *k = &x->known[x->known_count++];
    *k = (struct known){.seen = 0};
    memcpy(k->environment_id, env->environment_id, sizeof k->environment_id);
    export_clean(x->root, k->environment_id);
    return true;
}

static void directory_remove(struct exporter *x, const char *name)
{
    char path[EXPORT_PATH_MAX];
    int64_t *there;
    size_t n = export_days_there(x->root, name, &there);
    for (size_t i = 0; i < n; i++) export_remove(x->root, name, there[i]);
    free(there);
    export_clean(x->root, name);
    if (snprintf(path, sizeof path, "%s/%s", x->root, name) < (int)sizeof path && rmdir(path) == 0)
        LOG_INF("exports_removed", "environment=%s days=%zu", name, n);
}

/* Directories of environments that are gone. */
static void remove_strangers(struct exporter *x)
{
    DIR *d = opendir(x->root);
    if (d == NULL) return;
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        struct env_facts facts;
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "key") == 0 || strlen(entry->d_name) > ACCOUNTS_ID_MAX)
            continue;
        if (!accounts_env_by_id(x->options.accounts, span_of(entry->d_name), &facts))
            directory_remove(x, entry->d_name);
    }
    (void)closedir(d);
}

/* A day of many views takes seconds of processor time, and many days come at once after a backfill: whatever somebody
 * waits for goes before. Linux has this for each thread. */
static void stand_back(void)
{
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), 19) != 0) LOG_WRN("exporter_priority", "why=\"%s\"", strerror(errno));
}

static void *exporter_run(void *ctx)
{
    struct exporter *x = ctx;
    uint64_t accounts_seen = 0;
    stand_back();
    while (pause_ms(x, x->options.look_ms)) {
        if (!store_ready(x->options.store)) continue;
        uint64_t generation = accounts_generation(x->options.accounts);
        if (generation != accounts_seen) remove_strangers(x);
        accounts_seen = generation;
        accounts_env_each(x->options.accounts, environment_note, x);
        for (size_t i = 0; i < x->known_count && !stopping(x); i++) {
            struct env_facts facts;
            if (accounts_env_by_id(x->options.accounts, span_of(x->known[i].environment_id), &facts))
                environment_look(x, &x->known[i]);
        }
    }
    return NULL;
}

/* -- making the exporter -- */

/* The key of the file, made when there is none. */
static bool key_load(struct exporter *x)
{
    char path[EXPORT_PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/key", x->root);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        random_bytes(x->key, sizeof x->key);
        fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
        bool ok = fd >= 0 && write(fd, x->key, sizeof x->key) == (ssize_t)sizeof x->key && fsync(fd) == 0;
        if (fd >= 0) (void)close(fd);
        if (!ok) LOG_ERR("exports_key", "path=\"%s\" why=\"%s\"", path, strerror(errno));
        return ok;
    }
    bool ok = fd >= 0 && read(fd, x->key, sizeof x->key) == (ssize_t)sizeof x->key;
    if (!ok) LOG_ERR("exports_key", "path=\"%s\" why=\"it cannot be read, or is not %d bytes long\"", path, KEY_BYTES);
    if (fd >= 0) (void)close(fd);
    return ok;
}

struct exporter *exporter_new(const struct exporter_options *options)
{
    struct exporter *x = calloc(1, sizeof *x);
    BUG_IF(x == NULL);
    x->options = *options;
    x->options.data_dir = NULL; /* root has it */
    if (x->options.look_ms == 0) x->options.look_ms = LOOK_MS;
    if (x->options.closed_after_ms == 0) x->options.closed_after_ms = CLOSED_AFTER_MS;
    int len = snprintf(x->root, sizeof x->root, "%s/exports", options->data_dir);
    if (len <= 0 || len >= (int)sizeof x->root || !export_directory(x->root) || !key_load(x)) {
        free(x);
        return NULL;
    }
    pthread_condattr_t monotonic;
    BUG_IF(pthread_condattr_init(&monotonic) != 0);
    BUG_IF(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0);
    BUG_IF(pthread_mutex_init(&x->lock, NULL) != 0);
    BUG_IF(pthread_cond_init(&x->changed, &monotonic) != 0);
    (void)pthread_condattr_destroy(&monotonic);
    BUG_IF(pthread_create(&x->thread, NULL, exporter_run, x) != 0);
    return x;
}

void exporter_free(struct exporter *x)
{
    if (x == NULL) return;
    lock(x);
    x->stopping = true;
    BUG_IF(pthread_cond_broadcast(&x->changed) != 0);
    unlock(x);
    BUG_IF(pthread_join(x->thread, NULL) != 0);
    (void)pthread_mutex_destroy(&x->lock);
    (void)pthread_cond_destroy(&x->changed);
    sodium_memzero(x->key, sizeof x->key);
    free(x->known);
    free(x);
}

/* -- for the API -- */

void exporter_progress(struct exporter *x, struct export_progress *out)
{
    lock(x);
    *out = x->progress;
    unlock(x);
}

size_t exporter_list(struct exporter *x, const char *environment_id, struct export_file **out)
{
    int64_t *days;
    size_t n = export_days_there(x->root, environment_id, &days), count = 0;
    struct export_file *list = calloc(2 * n + 1, sizeof *list);
    BUG_IF(list == NULL);
    for (size_t i = n; i-- > 0;) {
        struct export_manifest m;
        if (!export_manifest_read(x->root, environment_id, days[i], &m)) continue;
        for (int parquet = 0; parquet <= (m.parquet_bytes > 0); parquet++) {
            struct export_file *f = &list[count++];
            *f = (struct export_file){.type = parquet ? "parquet" : "csv",
                                      .rows = m.rows,
                                      .made_ms = m.made_ms,
                                      .bytes = parquet ? m.parquet_bytes : m.csv_bytes};
            export_day_name(f->day, days[i]);
            (void)snprintf(f->name, sizeof f->name, "%s%s", f->day, parquet ? ".parquet" : ".v14.csv.gz");
        }
    }
    free(days);
    *out = list;
    return count;
}

static void signature_of(struct exporter *x, struct span environment_id, struct span name, int64_t expires_s,
                         char out[65])
{
    char number[24];
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    (void)snprintf(number, sizeof number, "%lld", (long long)expires_s);
    BUG_IF(crypto_auth_hmacsha256_init(&state, x->key, sizeof x->key) != 0);
    const struct span parts[] = {environment_id, name, span_of(number)};
    for (size_t i = 0; i < COUNT(parts); i++) {
        BUG_IF(crypto_auth_hmacsha256_update(&state, (const unsigned char *)parts[i].ptr, parts[i].len) != 0);
        BUG_IF(crypto_auth_hmacsha256_update(&state, (const unsigned char *)"", 1) != 0);
    }
    BUG_IF(crypto_auth_hmacsha256_final(&state, mac) != 0);
    hex_encode(out, mac, sizeof mac);
}

void exporter_sign(struct exporter *x, const char *public_url, const char *environment_id, const char *name,
                   int64_t expires_s, char out[EXPORTER_URL_MAX])
{
    char signature[65];
    signature_of(x, span_of(environment_id), span_of(name), expires_s, signature);
    (void)snprintf(out, EXPORTER_URL_MAX, "%s/data/v1/exports/files/%s/%s?expires=%lld&signature=%s", public_url,
                   environment_id, name, (long long)expires_s, signature);
}

bool exporter_signed(struct exporter *x, struct span environment_id, struct span name, int64_t expires_s,
                     struct span signature)
{
    char right[65];
    signature_of(x, environment_id, name, expires_s, right);
    return signature.len == 64 && sodium_memcmp(signature.ptr, right, 64) == 0;
}

static bool name_is_plain(struct span s, size_t max)
{
    if (s.len == 0 || s.len > max || s.ptr[0] == '.') return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.')) return false;
    }
    return true;
}

int exporter_open(struct exporter *x, struct span environment_id, struct span name, size_t *bytes, uint64_t *tag)
{
    char path[EXPORT_PATH_MAX];
    errno = ENOENT;
    if (!name_is_plain(environment_id, ACCOUNTS_ID_MAX) || !name_is_plain(name, EXPORTER_NAME_MAX)) return -1;
    int len = snprintf(path, sizeof path, "%s/%.*s/%.*s", x->root, SPAN_ARG(environment_id), SPAN_ARG(name));
    int fd = len > 0 && len < (int)sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct stat at;
    if (fd < 0) return -1;
    if (fstat(fd, &at) != 0 || !S_ISREG(at.st_mode)) {
        (void)close(fd);
        errno = EIO;
        return -1;
    }
    /* Files are written under another name and moved here: an inode that was written at that moment is that file. */
    const int64_t identity[] = {(int64_t)at.st_ino, at.st_size, at.st_mtim.tv_sec, at.st_mtim.tv_nsec};
    *bytes = (size_t)at.st_size;
    *tag = hash64(span_make(identity, sizeof identity), 0);
    return fd;
}
