/* SPDX-License-Identifier: Apache-2.0
 * The keeper thread and what it keeps; statements on behalf of the other parts. */
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counters.h"
#include "base/log.h"
#include "store/internal.h"
#include "store/profile.h"
#include "store/result.h"
#include "store/schema.h"

enum {
    PING_MS = 10000,       /* time-out of a ping */
    LOOK_MS = 3000,        /* between pings while all is well */
    STARTING_LOOK_MS = 25, /* between pings while the engine starts */
    RETRY_MS_MIN = 100,
    RETRY_MS_MAX = 5000,
    ENGINE_SILENT_MS_MAX = 60000, /* an engine that runs and does not answer for so long is killed and started anew */
    STOP_MS_DEFAULT = 20000,
    SELECT_MS_DEFAULT = 30000,
    SELECT_MS_BEYOND = 2000, /* the store's own clock should end a statement before ours does */
    EXECUTE_MS_DEFAULT = 600000,
    ROWS_BYTES = 1024 * 1024,
    GATE_MS = 2000,
};

/* The lock is not part of what a const store promises. */
static struct store *own(const struct store *s)
{
    return (struct store *)(uintptr_t)s;
}

static void lock(const struct store *s)
{
    BUG_IF(pthread_mutex_lock(&own(s)->lock) != 0);
}

static void unlock(const struct store *s)
{
    BUG_IF(pthread_mutex_unlock(&own(s)->lock) != 0);
}

static void wake(struct store *s)
{
    uint64_t one = 1;
    ssize_t put = write(s->wake_fd, &one, sizeof one);
    (void)put; /* full means that it will wake anyway */
}

/* -- state -- */

static void set_state(struct store *s, enum store_state state, const char *text)
{
    lock(s);
    bool fresh = s->state != state || strcmp(s->text, text) != 0;
    s->state = state;
    (void)snprintf(s->text, sizeof s->text, "%s", text);
    BUG_IF(pthread_cond_broadcast(&s->changed) != 0);
    unlock(s);
    counter_set(COUNTER_store_up, state == STORE_READY);
    if (!fresh) return;
    if (state == STORE_READY) LOG_INF("store_ready", "version=%s", s->dialect.version);
    else LOG_WRN("store_away", "why=\"%.300s\"", text);
}

bool store_ready(const struct store *s)
{
    lock(s);
    bool ready = s->state == STORE_READY;
    unlock(s);
    return ready;
}

void store_status(const struct store *s, struct store_status *out)
{
    lock(s);
    *out = (struct store_status){
        .state = s->state, .embedded = s->embedded, .engine_restarts = s->engine_restarts, .engine_pid = s->engine_pid};
    memcpy(out->version, s->dialect.version, sizeof out->version);
    memcpy(out->text, s->text, sizeof out->text);
    unlock(s);
}

bool store_wait_ready(const struct store *s, int timeout_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout_ms > 0) {
        until.tv_sec += timeout_ms / 1000;
        until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
    }
    lock(s);
    while (s->state != STORE_READY && !atomic_load(&s->stopping)) {
        if (timeout_ms < 0) (void)pthread_cond_wait(&own(s)->changed, &own(s)->lock);
        else if (pthread_cond_timedwait(&own(s)->changed, &own(s)->lock, &until) == ETIMEDOUT) break;
    }
    bool ready = s->state == STORE_READY;
    unlock(s);
    return ready;
}

struct store_dialect store_dialect(const struct store *s)
{
    lock(s);
    struct store_dialect d = s->dialect;
    unlock(s);
    return d;
}

void store_percentile(struct buf *sql, const struct store *s, double q, const char *column)
{
    struct store_dialect d = store_dialect(s);
    store_dialect_percentile(sql, &d, q, column);
}

void store_percentile_of(struct buf *sql, const struct store *s, const double *shares, size_t n, size_t at,
                         const char *column)
{
    struct store_dialect d = store_dialect(s);
    store_dialect_percentile_of(sql, &d, shares, n, at, column);
}

void store_suspect(struct store *s)
{
    if (!atomic_exchange(&s->suspect, true)) wake(s);
}

/* -- the keeper -- */

/* Waits for the engine's end, a wake-up, or the time. */
static void keeper_wait(struct store *s, int ms)
{
    struct pollfd fds[] = {{.fd = s->wake_fd, .events = POLLIN}, {.fd = s->engine.pid_fd, .events = POLLIN}};
    (void)poll(fds, COUNT(fds), ms);
    uint64_t count;
    ssize_t got = read(s->wake_fd, &count, sizeof count);
    (void)got;
}

/* Waits that long whatever wakes it, unless the program stops. */
static void keeper_pause(struct store *s, int ms)
{
    struct mono_us until = {mono_now().v + (int64_t)ms * 1000};
    while (!atomic_load(&s->stopping)) {
        int64_t left_ms = (until.v - mono_now().v + 999) / 1000;
        if (left_ms <= 0) return;
        struct pollfd fd = {.fd = s->wake_fd, .events = POLLIN};
        (void)poll(&fd, 1, (int)left_ms);
        uint64_t count;
        ssize_t got = read(s->wake_fd, &count, sizeof count);
        (void)got;
    }
}

/* What pending rows there are. They only add to what is known: the writer may be adding some at this moment. */
static enum err keeper_pending(struct store *s, struct store_error *error)
{
    struct buf rows;
    buf_init(&rows, ROWS_BYTES);
    struct store_settings settings = {0};
    enum err e = store_query(
        s->client, SPAN("SELECT toUInt64(count()), toInt64(min(view_end)) FROM firstframe.views WHERE final = 0"),
        &settings, "RowBinary", PING_MS, &rows, error);
    struct bytes in = bytes_of(buf_span(&rows));
    uint64_t n = rb_u64(&in);
    int64_t from_ms = rb_i64(&in);
    if (e == ERR_NONE && in.ok && n) store_pending_note(s, from_ms);
    buf_free(&rows);
    return e;
}

/* Profiles are used once all rows have them. */
static void keeper_profiles(struct store *s)
{
    struct store_error error;
    bool filled;
    if (!s->profiles || s->dialect.profiles) return;
    if (store_schema_profiles_filled(s->client, PING_MS, &filled, &error) != ERR_NONE || !filled) return;
    lock(s);
    s->dialect.profiles = true;
    unlock(s);
    LOG_INF("store_profiles_filled", "profiles=%zu", store_profile_count());
}

static enum err keeper_connect(struct store *s, struct store_error *error)
{
    struct store_dialect dialect;
    enum err e = store_dialect_detect(s->client, &dialect, error);
    s->profiles = dialect.profiles = s->embedded && dialect.profiles;
    if (e == ERR_NONE) e = store_schema_migrate(s->client, &dialect, error);
    if (e == ERR_NONE) e = keeper_pending(s, error);
    if (e != ERR_NONE) return e;
    dialect.profiles = false;
    lock(s);
    s->dialect = dialect;
    unlock(s);
    keeper_profiles(s);
    atomic_store(&s->suspect, false);
    set_state(s, STORE_READY, "");
    return ERR_NONE;
}

static void keeper_say_engine(struct store *s)
{
    lock(s);
    s->engine_pid = s->engine.pid;
    unlock(s);
}

/* true: the engine runs. */
static bool keeper_engine_start(struct store *s)
{
    char why[256] = "";
    if (s->engine.pid) return true;
    enum err e = store_engine_start(&s->engine, why);
    keeper_say_engine(s);
    if (e != ERR_NONE) {
        set_state(s, STORE_AWAY, why);
        return false;
    }
    LOG_INF("engine_started", "pid=%d", s->engine.pid);
    return true;
}

/* true: it has ended, which is on record now. */
static bool keeper_engine_ended(struct store *s)
{
    char how[256] = "", text[300];
    int pid = s->engine.pid;
    if (!s->embedded || !store_engine_ended(&s->engine, how)) return false;
    keeper_say_engine(s);
    lock(s);
    s->engine_restarts++;
    unlock(s);
    counter_add(COUNTER_engine_restarts_total, 1);
    LOG_WRN("engine_ended", "pid=%d how=\"%s\"", pid, how);
    (void)snprintf(text, sizeof text, "the engine ended: %s", how);
    set_state(s, STORE_AWAY, text);
    return true;
}

/* Pings an engine that was just started until it answers. */
static void keeper_engine_wait(struct store *s)
{
    struct store_error error;
    struct mono_us began = mono_now();
    while (!atomic_load(&s->stopping) && s->engine.pid) {
        if (store_ping(s->client, PING_MS, &error) == ERR_NONE) return;
        if (mono_now().v - began.v > (int64_t)ENGINE_SILENT_MS_MAX * 1000) {
            LOG_ERR("engine_silent", "pid=%d", s->engine.pid);
            store_engine_kill(&s->engine);
        }
        keeper_wait(s, STARTING_LOOK_MS);
        (void)keeper_engine_ended(s);
    }
}

/* While the store is ready: until it is not. */
static void keeper_watch(struct store *s)
{
    struct store_error error;
    struct mono_us answered = mono_now();
    while (!atomic_load(&s->stopping)) {
        keeper_wait(s, LOOK_MS);
        if (atomic_load(&s->stopping) || keeper_engine_ended(s)) return;
        atomic_store(&s->suspect, false);
        enum err e = store_ping(s->client, PING_MS, &error);
        if (e == ERR_NONE || e == ERR_FULL || error.status) {
            answered = mono_now(); /* any answer is a sign of life */
            keeper_profiles(s);
        } else if (!s->embedded) {
            set_state(s, STORE_AWAY, error.text);
            return;
        } else if (mono_now().v - answered.v > (int64_t)ENGINE_SILENT_MS_MAX * 1000) {
            LOG_ERR("engine_silent", "pid=%d", s->engine.pid);
            store_engine_kill(&s->engine);
        }
    }
}

static void *keeper_run(void *ctx)
{
    struct store *s = ctx;
    int pause_ms = RETRY_MS_MIN;
    while (!atomic_load(&s->stopping)) {
        struct mono_us began = mono_now();
        struct store_error error = {0};
        bool there = !s->embedded || keeper_engine_start(s);
        if (there && s->embedded) keeper_engine_wait(s);
        if (there && (!s->embedded || s->engine.pid) && !atomic_load(&s->stopping)) {
            if (keeper_connect(s, &error) == ERR_NONE) keeper_watch(s);
            else if (!keeper_engine_ended(s)) set_state(s, STORE_AWAY, error.text);
        }
        if (atomic_load(&s->stopping)) break;
        bool lasted = mono_now().v - began.v > INT64_C(30) * 1000000;
        pause_ms = lasted ? RETRY_MS_MIN : pause_ms;
        keeper_pause(s, pause_ms);
        pause_ms = pause_ms * 2 < RETRY_MS_MAX ? pause_ms * 2 : RETRY_MS_MAX;
    }
    if (s->embedded && s->engine.pid) {
        struct mono_us began = mono_now();
        bool clean = store_engine_stop(&s->engine, s->stop_ms);
        long long took_ms = (long long)(mono_now().v - began.v) / 1000;
        if (clean) LOG_INF("engine_stopped", "ms=%lld", took_ms);
        else LOG_WRN("engine_stopped", "ms=%lld clean=0", took_ms);
    }
    return NULL;
}

/* -- opening and stopping -- */

static void store_free(struct store *s)
{
    store_client_free(s->client);
    if (s->wake_fd >= 0) (void)close(s->wake_fd);
    free((char *)(uintptr_t)s->engine.options.program);
    free((char *)(uintptr_t)s->engine.options.dir);
    free(s->days);
    (void)pthread_mutex_destroy(&s->lock);
    (void)pthread_rwlock_destroy(&s->gate);
    (void)pthread_cond_destroy(&s->changed);
    free(s);
}

static char *copy(const char *text)
{
    char *out = text ? strdup(text) : NULL;
    BUG_IF(text && out == NULL);
    return out;
}

static bool open_client(struct store *s, const struct store_options *o, char why[256])
{
    if (o->url) {
        struct store_client_options c = {.url = o->url};
        s->client = store_client_new(&c, why);
        return s->client != NULL;
    }
    if (o->engine == NULL || o->engine_dir == NULL) {
        (void)snprintf(why, 256, "the embedded store needs the engine's program and its directory");
        return false;
    }
    if (mkdir(o->engine_dir, 0700) != 0 && errno != EEXIST) {
        (void)snprintf(why, 256, "%s: %s", o->engine_dir, strerror(errno));
        return false;
    }
    struct store_engine_options e = {.program = copy(o->engine),
                                     .dir = copy(o->engine_dir),
                                     .threads = o->engine_threads,
                                     .memory_bytes = o->engine_memory_bytes};
    store_engine_init(&s->engine, &e);
    struct buf path;
    buf_init(&path, 65536);
    buf_addf(&path, "%s/%s", o->engine_dir, STORE_ENGINE_SOCKET);
    struct store_client_options c = {.socket_path = path.ptr};
    s->client = path.failed ? NULL : store_client_new(&c, why);
    buf_free(&path);
    return s->client != NULL;
}

struct store *store_open(const struct store_options *o, char why[256])
{
    struct store *s = calloc(1, sizeof *s);
    BUG_IF(s == NULL);
    why[0] = 0;
    s->embedded = o->url == NULL;
    s->stop_ms = o->stop_ms ? o->stop_ms : STOP_MS_DEFAULT;
    s->pending_from_ms = INT64_MAX;
    s->generation = s->generation_old = (uint64_t)wall_now_ms() << 16;
    (void)snprintf(s->text, sizeof s->text, "starting");
    struct store_engine_options none = {0};
    store_engine_init(&s->engine, &none);
    pthread_condattr_t monotonic;
    BUG_IF(pthread_condattr_init(&monotonic) != 0);
    BUG_IF(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0);
    BUG_IF(pthread_mutex_init(&s->lock, NULL) != 0);
    BUG_IF(pthread_rwlock_init(&s->gate, NULL) != 0);
    BUG_IF(pthread_cond_init(&s->changed, &monotonic) != 0);
    (void)pthread_condattr_destroy(&monotonic);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->wake_fd < 0) (void)snprintf(why, 256, "eventfd: %s", strerror(errno));
    if (s->wake_fd < 0 || !open_client(s, o, why)) {
        store_free(s);
        return NULL;
    }
    BUG_IF(pthread_create(&s->keeper, NULL, keeper_run, s) != 0);
    return s;
}

void store_stop(struct store *s)
{
    if (s == NULL) return;
    lock(s);
    atomic_store(&s->stopping, true);
    BUG_IF(pthread_cond_broadcast(&s->changed) != 0);
    unlock(s);
    store_client_stop(s->client);
    wake(s);
    BUG_IF(pthread_join(s->keeper, NULL) != 0);
    counter_set(COUNTER_store_up, 0);
    store_free(s);
}

/* -- statements -- */

static struct timespec gate_deadline(void)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += GATE_MS / 1000;
    return until;
}

bool store_gate_enter(struct store *s, const struct store_dialect *d)
{
    struct timespec until = gate_deadline();
    return !d->shared_snapshot && pthread_rwlock_clockrdlock(&s->gate, CLOCK_MONOTONIC, &until) == 0;
}

/* New statements are let in meanwhile: they are what users wait for. */
bool store_gate_close(struct store *s, const struct store_dialect *d)
{
    struct timespec until = gate_deadline();
    return !d->shared_snapshot && pthread_rwlock_clockwrlock(&s->gate, CLOCK_MONOTONIC, &until) == 0;
}

void store_gate_leave(struct store *s, bool held)
{
    if (held) BUG_IF(pthread_rwlock_unlock(&s->gate) != 0);
}

/* false: not ready, which error says. */
static bool may_ask(struct store *s, struct store_dialect *dialect, struct store_error *error)
{
    lock(s);
    bool ready = s->state == STORE_READY;
    *dialect = s->dialect;
    if (!ready) {
        *error = (struct store_error){.kind = ERR_UNAVAILABLE, .unsent = true};
        (void)snprintf(error->text, sizeof error->text, "the store is away: %.400s", s->text);
    }
    unlock(s);
    return ready;
}

static void note_outcome(struct store *s, enum err e, const struct store_error *error)
{
    counter_add(COUNTER_store_queries_total, 1);
    if (e != ERR_NONE) counter_add(COUNTER_store_query_errors_total, 1);
    if (e == ERR_UNAVAILABLE && error->status == 0) store_suspect(s);
}

struct select_words {
    char seconds[24], memory[32], rows[32];
};

static int select_settings(const struct store_dialect *d, const struct store_limits *limits, struct select_words *w,
                           struct store_settings *out)
{
    int ms = limits && limits->timeout_ms > 0 ? limits->timeout_ms : SELECT_MS_DEFAULT;
    store_dialect_read_settings(d, out);
    store_settings_add(out, "priority", limits && limits->background ? "2" : "1");
    /* For every block; a second, as long as there is always something else, would be too long for all of them. */
    if (limits && limits->background && d->priority_wait)
        store_settings_add(out, "low_priority_query_wait_time_ms", "50");
    if (limits && limits->most_rows && d->prewhere_moves) store_settings_add(out, "optimize_move_to_prewhere", "0");
    (void)snprintf(w->seconds, sizeof w->seconds, "%d", (ms + 999) / 1000);
    store_settings_add(out, "max_execution_time", w->seconds);
    if (limits && limits->memory_bytes) {
        (void)snprintf(w->memory, sizeof w->memory, "%" PRIu64, limits->memory_bytes);
        store_settings_add(out, "max_memory_usage", w->memory);
    }
    if (limits && limits->rows_read_max) {
        (void)snprintf(w->rows, sizeof w->rows, "%" PRIu64, limits->rows_read_max);
        store_settings_add(out, "max_rows_to_read", w->rows);
    }
    return (ms + 999) / 1000 * 1000 + SELECT_MS_BEYOND;
}

enum err store_select_as(struct store *s, struct span sql, const struct store_limits *limits, const char *format,
                         struct buf *out, struct store_error *error)
{
    struct store_dialect dialect;
    if (!may_ask(s, &dialect, error)) return error->kind;
    struct store_settings settings = {0};
    struct select_words words;
    int ms = select_settings(&dialect, limits, &words, &settings);
    bool held = store_gate_enter(s, &dialect);
    enum err e = store_query(s->client, sql, &settings, format, ms, out, error);
    store_gate_leave(s, held);
    note_outcome(s, e, error);
    return e;
}

enum err store_select(struct store *s, struct span sql, struct buf *out, struct store_error *error)
{
    return store_select_as(s, sql, NULL, "RowBinary", out, error);
}

enum err store_select_to(struct store *s, struct span sql, const struct store_limits *limits, const char *format,
                         store_sink *sink, void *ctx, struct store_error *error)
{
    struct store_dialect dialect;
    if (!may_ask(s, &dialect, error)) return error->kind;
    struct store_settings settings = {0};
    struct select_words words;
    int ms = select_settings(&dialect, limits, &words, &settings);
    settings.streamed = limits && limits->streamed;
    bool held = store_gate_enter(s, &dialect);
    enum err e = store_query_to(s->client, sql, &settings, format, ms, sink, ctx, error);
    store_gate_leave(s, held);
    note_outcome(s, e, error);
    return e;
}

enum err store_execute(struct store *s, struct span sql, int timeout_ms, struct store_error *error)
{
    struct store_dialect dialect;
    if (!may_ask(s, &dialect, error)) return error->kind;
    struct store_settings settings = {0};
    store_dialect_define_settings(&dialect, &settings);
    enum err e = store_query(s->client, sql, &settings, "RowBinary", timeout_ms > 0 ? timeout_ms : EXECUTE_MS_DEFAULT,
                             NULL, error);
    note_outcome(s, e, error);
    return e;
}
