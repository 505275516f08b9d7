/* SPDX-License-Identifier: Apache-2.0
 * Opening, closing, and noticing changes. The watch thread looks every 250 ms whether another process has committed
 * (PRAGMA data_version, no disk read), and once a minute writes last-used times and drops what expired long ago. */
#include "accounts/accounts.h"

#include "accounts/store.h"
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WATCH_MS = 250, SWEEP_MS = 60 * 1000, KEY_BYTES = 32, PATH_BYTES = 4096 };

static const char *const error_names[] = {
    "OK",
#define ACCOUNTS_ERROR(name, sentence) #name,
#include "accounts/accounts_errors.def"
#undef ACCOUNTS_ERROR
};
static const char *const error_texts[] = {
    "Done.",
#define ACCOUNTS_ERROR(name, sentence) sentence,
#include "accounts/accounts_errors.def"
#undef ACCOUNTS_ERROR
};

const char *accounts_error_text(enum accounts_error e)
{
    BUG_IF(e >= ACCOUNTS_ERROR_COUNT);
    return error_texts[e];
}

const char *accounts_error_name(enum accounts_error e)
{
    BUG_IF(e >= ACCOUNTS_ERROR_COUNT);
    return error_names[e];
}

int64_t store_now_ms(const struct accounts *a)
{
    return a->options.now_ms != NULL ? a->options.now_ms(a->options.now_arg) : wall_now_ms();
}

uint64_t accounts_generation(struct accounts *a)
{
    return atomic_load(&a->generation);
}

bool accounts_exists(struct accounts *a)
{
    read_begin(a);
    int64_t any = sql_int(a, 0, "SELECT 1 FROM person LIMIT 1", NO_ARGS);
    return read_end(a, ACCOUNTS_OK) != ACCOUNTS_OK || any == 1;
}

/* -- the two files -- */

static bool path_in(const struct accounts *a, const char *file, char out[PATH_BYTES])
{
    int len = snprintf(out, PATH_BYTES, "%s/%s", a->options.data_dir, file);
    return len > 0 && len < PATH_BYTES;
}

static enum accounts_error file_failed(const char *path, const char *what)
{
    LOG_ERR("accounts_file_failed", "what=%s path=\"%s\" errno=%d", what, path, errno);
    return ACCOUNTS_DATA_DIR;
}

static enum accounts_error key_read(const char *path, uint8_t key[KEY_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? ACCOUNTS_KEY_MISSING : file_failed(path, "open");
    ssize_t got = read(fd, key, KEY_BYTES);
    struct stat st;
    bool whole = got == KEY_BYTES && fstat(fd, &st) == 0 && st.st_size == KEY_BYTES;
    bool safe = whole && ((st.st_mode & 0077) == 0 || fchmod(fd, 0600) == 0);
    close(fd);
    if (!whole) return ACCOUNTS_KEY_MISSING;
    return safe ? ACCOUNTS_OK : file_failed(path, "chmod");
}

static bool directory_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

/* A new key is written aside and linked into place, so that of two processes starting together one wins whole. */
static enum accounts_error key_make(struct accounts *a, const char *path)
{
    char aside[PATH_BYTES + 16];
    uint8_t key[KEY_BYTES];
    int len = snprintf(aside, sizeof aside, "%s.%ld", path, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof aside) return ACCOUNTS_DATA_DIR;
    (void)unlink(aside);
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return file_failed(aside, "create");
    randombytes_buf(key, sizeof key);
    bool ok = write(fd, key, sizeof key) == (ssize_t)sizeof key && fsync(fd) == 0;
    sodium_memzero(key, sizeof key);
    close(fd);
    if (ok && link(aside, path) != 0 && errno != EEXIST) ok = false;
    if (!ok) (void)file_failed(path, "write");
    (void)unlink(aside);
    if (ok && !directory_sync(a->options.data_dir)) return file_failed(a->options.data_dir, "sync");
    return ok ? ACCOUNTS_OK : ACCOUNTS_DATA_DIR;
}

static void key_derive(struct accounts *a, const uint8_t key[KEY_BYTES], uint8_t check[KEY_BYTES])
{
    _Static_assert(crypto_kdf_KEYBYTES == KEY_BYTES, "the key file holds one key");
    crypto_kdf_derive_from_key(a->hash_key, sizeof a->hash_key, 1, "ffaccnts", key);
    crypto_kdf_derive_from_key(a->box_key, sizeof a->box_key, 2, "ffaccnts", key);
    crypto_kdf_derive_from_key(check, KEY_BYTES, 3, "ffaccnts", key);
}

/* The database remembers a value made from its key, so that a wrong key file is noticed before it does harm. */
static enum accounts_error key_open(struct accounts *a)
{
    char path[PATH_BYTES];
    uint8_t key[KEY_BYTES], check[KEY_BYTES], stored[KEY_BYTES];
    if (!path_in(a, "accounts.key", path)) return ACCOUNTS_DATA_DIR;
    enum accounts_error e = tx_begin(a);
    if (e != ACCOUNTS_OK) return e;
    struct rows r = rows_open(a, "SELECT value FROM meta WHERE name = 'key_check'", NO_ARGS);
    bool known = rows_next(&r);
    if (known && row_span(&r, 0).len == sizeof stored) memcpy(stored, row_span(&r, 0).ptr, sizeof stored);
    else memset(stored, 0, sizeof stored);
    rows_close(&r);
    e = key_read(path, key);
    if (e == ACCOUNTS_KEY_MISSING && !known && access(path, F_OK) != 0) {
        e = key_make(a, path);
        if (e == ACCOUNTS_OK) e = key_read(path, key);
    }
    if (e == ACCOUNTS_OK) key_derive(a, key, check);
    if (e == ACCOUNTS_OK && known && sodium_memcmp(check, stored, sizeof check) != 0) e = ACCOUNTS_KEY_MISSING;
    if (e == ACCOUNTS_OK && !known) {
        (void)sql_run(a, "INSERT INTO meta (name, value) VALUES ('key_check', ?)", ARGS(arg_blob(check, sizeof check)));
    }
    if (e == ACCOUNTS_KEY_MISSING) LOG_ERR("accounts_key_missing", "path=\"%s\"", path);
    sodium_memzero(key, sizeof key);
    return tx_end_quiet(a, e);
}

static enum accounts_error database_open(struct accounts *a)
{
    char path[PATH_BYTES];
    if (!path_in(a, "accounts.db", path)) return ACCOUNTS_DATA_DIR;
    /* Made here and not by SQLite, because of the mode; -wal and -shm take theirs from it. */
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat st;
    if (fd < 0) return file_failed(path, "open");
    bool safe = fstat(fd, &st) == 0 && ((st.st_mode & 0077) == 0 || fchmod(fd, 0600) == 0);
    close(fd);
    if (!safe) return file_failed(path, "chmod");
    int rc = sqlite3_open_v2(path, &a->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_busy_timeout(a->db, 5000);
    if (rc == SQLITE_OK) rc = sqlite3_extended_result_codes(a->db, 1);
    if (rc == SQLITE_OK) {
        rc = sqlite3_exec(a->db,
                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                          " PRAGMA trusted_schema = OFF;",
                          NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) return ACCOUNTS_OK;
    LOG_ERR("accounts_open_failed", "path=\"%s\" code=%d reason=\"%s\"", path, rc,
            a->db != NULL ? sqlite3_errmsg(a->db) : "no memory");
    return (rc & 0xff) == SQLITE_BUSY ? ACCOUNTS_BUSY : ACCOUNTS_STORE_FAILED;
}

/* -- changes -- */

static void poll_changes(struct accounts *a)
{
    read_begin(a);
    int64_t version = sql_int(a, a->data_version, "PRAGMA data_version", NO_ARGS);
    if (version != a->data_version || a->snapshot_stale) {
        /* First the generation: a credential read from now on is fresh, one read before is not. */
        atomic_fetch_add(&a->generation, 1);
        a->snapshot_stale = !snapshot_reload(a);
        a->data_version = version;
    }
    (void)!read_end(a, ACCOUNTS_OK);
}

static void poll_sweep(struct accounts *a, int64_t now_ms)
{
    static const int64_t keep_ms = 30LL * 86400 * 1000;
    cache_write_touches(a);
    read_begin(a);
    struct arg old = arg_int(now_ms - keep_ms);
    int64_t any = sql_int(a, 0,
                          "SELECT EXISTS (SELECT 1 FROM session WHERE expires_ms < ?1 OR revoked_ms < ?1)"
                          " OR EXISTS (SELECT 1 FROM password_reset WHERE expires_ms < ?1)"
                          " OR EXISTS (SELECT 1 FROM invitation WHERE expires_ms < ?1 OR closed_ms < ?1)",
                          ARGS(old));
    if (read_end(a, ACCOUNTS_OK) != ACCOUNTS_OK || any == 0) return;
    if (tx_begin(a) != ACCOUNTS_OK) return;
    (void)sql_run(a, "DELETE FROM session WHERE expires_ms < ?1 OR revoked_ms < ?1", ARGS(old));
    (void)sql_run(a, "DELETE FROM password_reset WHERE expires_ms < ?1", ARGS(old));
    (void)sql_run(a, "DELETE FROM invitation WHERE expires_ms < ?1 OR closed_ms < ?1", ARGS(old));
    (void)!tx_end_quiet(a, ACCOUNTS_OK);
}

void accounts_poll(struct accounts *a)
{
    poll_changes(a);
    int64_t now_ms = store_now_ms(a);
    pthread_mutex_lock(&a->lock);
    bool due = now_ms - a->swept_ms >= SWEEP_MS || now_ms < a->swept_ms;
    if (due) a->swept_ms = now_ms;
    pthread_mutex_unlock(&a->lock);
    if (due) poll_sweep(a, now_ms);
}

static void *watch_run(void *arg)
{
    struct accounts *a = arg;
    BUG_IF(a->magic != ACCOUNTS_MAGIC);
    pthread_mutex_lock(&a->watch_lock);
    while (!a->watch_stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += WATCH_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&a->watch_wake, &a->watch_lock, &until);
        if (a->watch_stop) break;
        pthread_mutex_unlock(&a->watch_lock);
        accounts_poll(a);
        pthread_mutex_lock(&a->watch_lock);
    }
    pthread_mutex_unlock(&a->watch_lock);
    return NULL;
}

/* -- open and close -- */

static struct accounts *accounts_alloc(const struct accounts_options *options)
{
    struct accounts *a = calloc(1, sizeof *a);
    BUG_IF(a == NULL);
    a->magic = ACCOUNTS_MAGIC;
    struct accounts_options *o = &a->options;
    *o = *options;
    o->data_dir = strdup(options->data_dir);
    BUG_IF(o->data_dir == NULL);
    if (o->password_bytes == 0) o->password_bytes = (size_t)19 << 20;
    if (o->password_passes == 0) o->password_passes = 2;
    if (o->throttle_burst == 0) o->throttle_burst = 10;
    if (o->throttle_period_s == 0) o->throttle_period_s = 300;
    if (o->session_cookie_s == 0) o->session_cookie_s = 14 * 86400;
    if (o->session_beta_s == 0) o->session_beta_s = 365 * 86400;
    pthread_mutex_init(&a->lock, NULL);
    pthread_mutex_init(&a->watch_lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a->watch_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    /* A writer must get in although readers never pause. */
    pthread_rwlockattr_t fair;
    pthread_rwlockattr_init(&fair);
    pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&a->snapshot_lock, &fair);
    pthread_rwlockattr_destroy(&fair);
    a->cache = cache_new();
    a->throttle = throttle_new(o->throttle_burst, o->throttle_period_s);
    a->swept_ms = store_now_ms(a);
    return a;
}

static enum accounts_error accounts_start(struct accounts *a)
{
    const char *dir = a->options.data_dir;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) return file_failed(dir, "mkdir");
    enum accounts_error e = database_open(a);
    if (e != ACCOUNTS_OK) return e;
    pthread_mutex_lock(&a->lock);
    e = migrations_run(a);
    pthread_mutex_unlock(&a->lock);
    if (e == ACCOUNTS_TOO_NEW) LOG_ERR("accounts_too_new", "dir=\"%s\"", dir);
    if (e == ACCOUNTS_OK) e = key_open(a);
    if (e != ACCOUNTS_OK) return e;
    read_begin(a);
    a->data_version = sql_int(a, 0, "PRAGMA data_version", NO_ARGS);
    bool loaded = snapshot_reload(a);
    e = read_end(a, ACCOUNTS_OK);
    if (e != ACCOUNTS_OK || !loaded) return e != ACCOUNTS_OK ? e : ACCOUNTS_STORE_FAILED;
    if (!a->options.watch) return ACCOUNTS_OK;
    a->watching = pthread_create(&a->watch_thread, NULL, watch_run, a) == 0;
    if (!a->watching) LOG_ERR("accounts_thread_failed", "errno=%d", errno);
    return a->watching ? ACCOUNTS_OK : ACCOUNTS_STORE_FAILED;
}

enum accounts_error accounts_open(const struct accounts_options *options, struct accounts **out)
{
    BUG_IF(sodium_init() < 0);
    BUG_IF(options->data_dir == NULL);
    struct accounts *a = accounts_alloc(options);
    enum accounts_error e = accounts_start(a);
    if (e != ACCOUNTS_OK) {
        accounts_close(a);
        a = NULL;
    }
    *out = a;
    return e;
}

void accounts_close(struct accounts *a)
{
    if (a == NULL) return;
    BUG_IF(a->magic != ACCOUNTS_MAGIC);
    if (a->watching) {
        pthread_mutex_lock(&a->watch_lock);
        a->watch_stop = true;
        pthread_cond_signal(&a->watch_wake);
        pthread_mutex_unlock(&a->watch_lock);
        pthread_join(a->watch_thread, NULL);
    }
    if (a->snapshot != NULL) cache_write_touches(a);
    if (a->db != NULL && sqlite3_close(a->db) != SQLITE_OK) BUG_IF(true); /* a statement was left open */
    snapshot_free(a->snapshot);
    cache_free(a->cache);
    throttle_free(a->throttle);
    pthread_rwlock_destroy(&a->snapshot_lock);
    pthread_cond_destroy(&a->watch_wake);
    pthread_mutex_destroy(&a->watch_lock);
    pthread_mutex_destroy(&a->lock);
    free((char *)(uintptr_t)a->options.data_dir);
    sodium_memzero(a, sizeof *a);
    free(a);
}
