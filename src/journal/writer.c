/* SPDX-License-Identifier: Apache-2.0
 * The appending side of the journal: one lock over the batch being filled, one thread that owns the file.
 *
 * Fields of struct journal below "lock" are touched under it only; those below "writer thread" by that thread only
 * (and by open, start and free, which run without it). */
#include "journal/writer.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/hash.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    CLOCK_BACK_MS = 5000, /* smaller steps of the wall clock are bridged by standing still */
    SPACE_LOOK_MS = 1000,
    BATCH_KEEP_BYTES = 4 << 20, /* a larger batch buffer is given back after use */
    FAILURES_UNTIL_DOWN = 2,
};

struct batch {
    struct buf bytes; /* begins with room for the frame */
    struct journal_item *items;
    size_t n, max;
};

struct journal {
    struct journal_options options;
    const struct journal_io *io;
    char dir[JOURNAL_PATH_MAX];
    int lock_fd;
    uint64_t salt;
    uint32_t salt_crc;
    uint64_t first_segment; /* at opening */

    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct batch filling;
    int64_t clock_ms; /* no later record has a smaller receive time */
    bool started, stopping, waiting;
    bool down, space_low;
    struct journal_segments segments;
    uint64_t bytes; /* of all segments */
    struct journal_position end;

    /* writer thread */
    pthread_t thread;
    struct batch writing;
    int fd; /* of the last of segments; -1: none is open */
    uint64_t batch_number;
    unsigned failures; /* batches in a row */
    int64_t turn_clock_ms;
    struct mono_us turn_at, retry_at, space_at;
};

struct journal_options journal_defaults(void)
{
    return (struct journal_options){
        .segment_bytes_max = 64u << 20,
        .batch_bytes_max = (size_t)JOURNAL_PAYLOAD_BYTES_MAX + 4096,
        .batch_records_max = 65536,
        .bytes_max = 10ull << 30,
        .free_percent_min = 5,
        .turn_ms = 100,
        .retry_ms = 1000,
    };
}

static int64_t clock_read(const struct journal *j)
{
    return j->options.now_ms ? j->options.now_ms(j->options.ctx) : wall_now_ms();
}

static bool due(struct mono_us at, struct mono_us now)
{
    return now.v >= at.v;
}
static struct mono_us in_ms(struct mono_us now, int ms)
{
    return (struct mono_us){now.v + (int64_t)ms * 1000};
}

/* --- batches --- */

static void batch_clear(struct batch *b)
{
    static const uint8_t frame[JOURNAL_FRAME_BYTES];
    if (b->bytes.cap > BATCH_KEEP_BYTES) buf_free(&b->bytes);
    buf_clear(&b->bytes);
    buf_add(&b->bytes, frame, sizeof frame);
    b->n = 0;
}

static void batch_init(struct batch *b, size_t records_max)
{
    /* One record over the maximum is the journal's own (JOURNAL_CLOCK). */
    buf_init(&b->bytes, UINT32_MAX);
    b->max = records_max + 1;
    b->items = calloc(b->max, sizeof b->items[0]);
    BUG_IF(b->items == NULL);
    batch_clear(b);
}

static void batch_free(struct batch *b)
{
    buf_free(&b->bytes);
    free(b->items);
}

static void batch_add(struct batch *b, struct span payload, uint32_t payload_crc, enum journal_type type,
                      int64_t received_ms, void *user)
{
    BUG_IF(b->n >= b->max);
    uint8_t head[JOURNAL_RECORD_BYTES];
    journal_record_write(head, payload_crc, (uint32_t)payload.len, type, received_ms);
    buf_add(&b->bytes, head, sizeof head);
    buf_add_span(&b->bytes, payload);
    BUG_IF(b->bytes.failed);
    b->items[b->n++] = (struct journal_item){
        .user = user,
        .type = type,
        .received_ms = received_ms,
        .bytes = (uint32_t)(payload.len + JOURNAL_RECORD_BYTES),
    };
}

/* Why no record of this many bytes can be taken; NULL: it can. */
static const char *trouble(const struct journal *j, size_t bytes)
{
    if (j->stopping) return "stopping";
    if (!j->started) return "starting";
    if (j->down) return "the journal cannot be written";
    if (j->space_low) return "too little disk space is free";
    if (j->bytes + j->filling.bytes.len + bytes > j->options.bytes_max) return "the journal is at its maximum size";
    return NULL;
}

enum err journal_append(struct journal *j, struct span payload, int64_t received_ms, void *user)
{
    BUG_IF(user == NULL);
    if (payload.len > JOURNAL_PAYLOAD_BYTES_MAX) return ERR_REFUSED;
    uint32_t payload_crc = crc32c(j->salt_crc, payload.ptr, payload.len);
    enum err e = ERR_NONE;
    (void)pthread_mutex_lock(&j->lock);
    if (j->stopping) {
        e = ERR_CLOSED;
    } else if (trouble(j, JOURNAL_RECORD_BYTES + payload.len) != NULL) {
        e = ERR_UNAVAILABLE;
    } else if (j->filling.n >= j->options.batch_records_max ||
               j->filling.bytes.len + JOURNAL_RECORD_BYTES + payload.len > j->options.batch_bytes_max) {
        e = ERR_FULL;
    } else {
        if (received_ms > j->clock_ms) j->clock_ms = received_ms;
        batch_add(&j->filling, payload, payload_crc, JOURNAL_BEACON, j->clock_ms, user);
        if (j->waiting) {
            j->waiting = false;
            (void)pthread_cond_signal(&j->wake);
        }
    }
    (void)pthread_mutex_unlock(&j->lock);
    return e;
}

/* --- segments --- */

static void segment_listed(struct journal *j, uint64_t number)
{
    (void)pthread_mutex_lock(&j->lock);
    journal_segments_add(&j->segments, (struct journal_segment){number, JOURNAL_HEADER_BYTES});
    j->bytes += JOURNAL_HEADER_BYTES;
    counter_set(COUNTER_journal_segments, (int64_t)j->segments.n);
    (void)pthread_mutex_unlock(&j->lock);
}

/* A last segment in which nothing is durable is made again under its number: no position names it. */
static void segment_unlist_empty(struct journal *j)
{
    (void)pthread_mutex_lock(&j->lock);
    struct journal_segments *s = &j->segments;
    if (s->n && s->items[s->n - 1].bytes <= JOURNAL_HEADER_BYTES) {
        j->bytes -= s->items[s->n - 1].bytes;
        s->n--;
    }
    (void)pthread_mutex_unlock(&j->lock);
}

static int segment_write_header(struct journal *j, const char *path, const struct journal_header *header, int *fd)
{
    uint8_t bytes[JOURNAL_HEADER_BYTES];
    journal_header_write(bytes, header);
    *fd = j->io->open(j->io->ctx, path, JOURNAL_OPEN_CREATE);
    if (*fd < 0) return *fd;
    int result = journal_io_write(j->io, *fd, span_make(bytes, sizeof bytes), 0);
    if (result == 0) result = j->io->fdatasync(j->io->ctx, *fd);
    if (result == 0) result = j->io->sync_dir(j->io->ctx, j->dir);
    if (result == 0) return 0;
    (void)j->io->close(j->io->ctx, *fd);
    *fd = -1;
    return result;
}

/* Begins the next segment. 0 or -errno; what is left of a failed attempt is overwritten by the next. */
static int segment_begin(struct journal *j)
{
    BUG_IF(j->fd >= 0);
    segment_unlist_empty(j);
    const struct journal_segments *s = &j->segments; /* only this thread adds and removes at its end */
    struct journal_header header = {.number = 1, .created_ms = clock_read(j), .salt = j->salt};
    (void)pthread_mutex_lock(&j->lock);
    if (s->n) {
        header.number = s->items[s->n - 1].number + 1;
        header.previous_bytes = s->items[s->n - 1].bytes;
    }
    (void)pthread_mutex_unlock(&j->lock);
    char name[JOURNAL_NAME_MAX], path[JOURNAL_PATH_MAX + JOURNAL_NAME_MAX];
    journal_segment_name(name, header.number);
    (void)snprintf(path, sizeof path, "%s/%s", j->dir, name);
    int result = segment_write_header(j, path, &header, &j->fd);
    if (result < 0) {
        LOG_ERR("journal_segment_failed", "file=%s error=\"%s\"", path, strerror(-result));
        return result;
    }
    j->batch_number = 0;
    segment_listed(j, header.number);
    return 0;
}

static void segment_close(struct journal *j)
{
    if (j->fd >= 0) (void)j->io->close(j->io->ctx, j->fd); /* all of it that counts was synced */
    j->fd = -1;
}

static uint64_t segment_bytes(struct journal *j)
{
    (void)pthread_mutex_lock(&j->lock);
    uint64_t bytes = j->segments.n ? j->segments.items[j->segments.n - 1].bytes : 0;
    (void)pthread_mutex_unlock(&j->lock);
    return bytes;
}

static void set_down(struct journal *j, bool down)
{
    (void)pthread_mutex_lock(&j->lock);
    bool changed = j->down != down;
    j->down = down;
    (void)pthread_mutex_unlock(&j->lock);
    if (down) j->retry_at = in_ms(mono_now(), j->options.retry_ms);
    if (changed && down) LOG_ERR("journal_down", "retry_ms=%d", j->options.retry_ms);
    if (changed && !down) LOG_WRN("journal_up", "%s", "");
}

/* After a failed write or sync nobody knows what the disk holds behind the last good byte. It is cut off where that
 * still works; where it does not, the next segment's header says where this one ends. */
static void segment_seal(struct journal *j, int result)
{
    uint64_t good = segment_bytes(j);
    LOG_ERR("journal_write_failed", "error=\"%s\" good_bytes=%llu", strerror(-result), (unsigned long long)good);
    int cut = j->io->ftruncate(j->io->ctx, j->fd, good);
    if (cut == 0) cut = j->io->fdatasync(j->io->ctx, j->fd);
    if (cut < 0) LOG_ERR("journal_cut_failed", "error=\"%s\"", strerror(-cut));
    segment_close(j);
    j->failures++;
    if (j->failures >= FAILURES_UNTIL_DOWN || segment_begin(j) < 0) set_down(j, true);
}

/* --- the writer thread --- */

static int commit_write(struct journal *j)
{
    struct batch *b = &j->writing;
    uint64_t at = segment_bytes(j);
    if (at > JOURNAL_HEADER_BYTES && at + b->bytes.len > j->options.segment_bytes_max) {
        segment_close(j);
        int result = segment_begin(j);
        if (result < 0) return result;
        at = JOURNAL_HEADER_BYTES;
    }
    journal_frame_write((uint8_t *)b->bytes.ptr, j->salt_crc, j->batch_number + 1, (uint32_t)b->n,
                        (uint32_t)(b->bytes.len - JOURNAL_FRAME_BYTES));
    int result = journal_io_write(j->io, j->fd, buf_span(&b->bytes), at);
    if (result == 0) result = j->io->fdatasync(j->io->ctx, j->fd);
    return result;
}

static void commit_done(struct journal *j)
{
    struct batch *b = &j->writing;
    (void)pthread_mutex_lock(&j->lock);
    struct journal_segment *last = &j->segments.items[j->segments.n - 1];
    last->bytes += b->bytes.len;
    j->bytes += b->bytes.len;
    j->end = (struct journal_position){last->number, last->bytes};
    counter_set(COUNTER_journal_bytes, (int64_t)j->bytes);
    (void)pthread_mutex_unlock(&j->lock);
    j->batch_number++;
    j->failures = 0;
    counter_add(COUNTER_journal_bytes_total, (int64_t)b->bytes.len);
    counter_add(COUNTER_journal_syncs_total, 1);
}

static void commit(struct journal *j)
{
    struct batch *b = &j->writing;
    int result = j->fd < 0 ? -EIO : commit_write(j);
    if (result == 0) {
        commit_done(j);
        j->options.synced(j->options.ctx, b->items, b->n);
    } else {
        if (j->fd >= 0) segment_seal(j, result);
        else set_down(j, true);
        j->options.failed(j->options.ctx, b->items, b->n);
    }
    batch_clear(b);
}

static void look_at_space(struct journal *j)
{
    uint64_t free_bytes = 0, total = 0;
    if (j->options.free_percent_min == 0) return;
    int result = j->io->space(j->io->ctx, j->dir, &free_bytes, &total);
    if (result < 0 || total == 0) return; /* a write will tell */
    bool low = (double)free_bytes / (double)total * 100 < (double)j->options.free_percent_min;
    (void)pthread_mutex_lock(&j->lock);
    bool changed = j->space_low != low;
    j->space_low = low;
    (void)pthread_mutex_unlock(&j->lock);
    if (changed)
        LOG_WRN("journal_disk_space", "low=%d free_bytes=%llu of_bytes=%llu", low, (unsigned long long)free_bytes,
                (unsigned long long)total);
}

/* Under the lock. The receive clock follows the wall clock, but never backwards unless a record says so. */
static void clock_follow(struct journal *j)
{
    int64_t now_ms = clock_read(j);
    if (now_ms >= j->clock_ms) {
        j->clock_ms = now_ms;
    } else if (j->clock_ms - now_ms > CLOCK_BACK_MS && j->fd >= 0) {
        LOG_WRN("journal_clock_set_back", "by_ms=%lld", (long long)(j->clock_ms - now_ms));
        batch_add(&j->filling, (struct span){NULL, 0}, j->salt_crc, JOURNAL_CLOCK, j->clock_ms, NULL);
        j->clock_ms = now_ms;
    }
}

static struct timespec timespec_of(struct mono_us at)
{
    return (struct timespec){.tv_sec = (time_t)(at.v / 1000000), .tv_nsec = (long)(at.v % 1000000) * 1000};
}

/* Waits for records or the next turn and takes the batch. false: stopping, and nothing is left. */
static bool take_batch(struct journal *j, int64_t *clock_ms)
{
    struct timespec until = timespec_of(j->turn_at);
    (void)pthread_mutex_lock(&j->lock);
    while (j->filling.n == 0 && !j->stopping) {
        j->waiting = true;
        if (pthread_cond_timedwait(&j->wake, &j->lock, &until) == ETIMEDOUT) break;
    }
    j->waiting = false;
    clock_follow(j);
    *clock_ms = j->clock_ms;
    struct batch taken = j->filling;
    j->filling = j->writing;
    j->writing = taken;
    bool more = taken.n > 0 || !j->stopping;
    (void)pthread_mutex_unlock(&j->lock);
    return more;
}

/* Between a failed batch and the next segment, whose header says that it is not part of the journal, a crash may still
 * bring it back. The clock stands still for so long: no timer may run that a replay with that batch would not run. */
static void turn(struct journal *j, int64_t clock_ms)
{
    if (j->fd >= 0) j->turn_clock_ms = clock_ms;
    (void)pthread_mutex_lock(&j->lock);
    struct journal_position end = j->end;
    (void)pthread_mutex_unlock(&j->lock);
    j->options.turn(j->options.ctx, end, j->turn_clock_ms);
}

static void *writer_main(void *arg)
{
    struct journal *j = arg;
    (void)pthread_setname_np(pthread_self(), "journal");
    int64_t clock_ms;
    bool more;
    do {
        more = take_batch(j, &clock_ms);
        if (j->writing.n) commit(j);
        struct mono_us now = mono_now();
        if (j->fd < 0 && due(j->retry_at, now)) set_down(j, segment_begin(j) < 0);
        if (due(j->space_at, now)) {
            look_at_space(j);
            j->space_at = in_ms(now, SPACE_LOOK_MS);
        }
        if (due(j->turn_at, now) || !more) {
            turn(j, clock_ms);
            j->turn_at = in_ms(now, j->options.turn_ms);
        }
    } while (more);
    return NULL;
}

/* --- life --- */

bool journal_is_used(const char *dir)
{
    const struct journal_io *io = journal_io_files();
    char path[JOURNAL_PATH_MAX + 8];
    (void)snprintf(path, sizeof path, "%s/lock", dir);
    int fd = io->lock(io->ctx, path);
    if (fd >= 0) (void)io->close(io->ctx, fd);
    return fd == -EWOULDBLOCK;
}

static enum err open_lock(struct journal *j, char why[JOURNAL_WHY_BYTES])
{
    char path[JOURNAL_PATH_MAX + 8];
    int result = j->io->mkdir(j->io->ctx, j->dir);
    if (result < 0) {
        journal_say(why, "cannot make %s: %s", j->dir, strerror(-result));
        return ERR_IO;
    }
    (void)snprintf(path, sizeof path, "%s/lock", j->dir);
    j->lock_fd = j->io->lock(j->io->ctx, path);
    if (j->lock_fd >= 0) return ERR_NONE;
    if (j->lock_fd == -EWOULDBLOCK) {
        journal_say(why, "%s is used by another process", j->dir);
        return ERR_REFUSED;
    }
    journal_say(why, "cannot lock %s: %s", path, strerror(-j->lock_fd));
    return ERR_IO;
}

static enum err open_segments(struct journal *j, char why[JOURNAL_WHY_BYTES])
{
    enum err e = journal_recover(j->io, j->dir, &j->segments, why);
    if (e != ERR_NONE) return e;
    j->first_segment = j->segments.n ? j->segments.items[0].number : 0;
    j->end = (struct journal_position){1, 0};
    for (size_t i = 0; i < j->segments.n; i++) {
        const struct journal_segment *s = &j->segments.items[i];
        j->bytes += s->bytes;
        if (s->bytes > JOURNAL_HEADER_BYTES) j->end = (struct journal_position){s->number, s->bytes};
    }
    int result = segment_begin(j);
    if (result < 0) {
        journal_say(why, "cannot begin a segment in %s: %s", j->dir, strerror(-result));
        return ERR_IO;
    }
    return ERR_NONE;
}

static struct journal *journal_new(const struct journal_options *options)
{
    struct journal *j = calloc(1, sizeof *j);
    BUG_IF(j == NULL);
    j->options = *options;
    j->io = options->io ? options->io : journal_io_files();
    j->lock_fd = j->fd = -1;
    j->clock_ms = INT64_MIN;
    random_bytes(&j->salt, sizeof j->salt);
    j->salt_crc = journal_salt_crc(j->salt);
    batch_init(&j->filling, options->batch_records_max);
    batch_init(&j->writing, options->batch_records_max);
    pthread_condattr_t monotonic;
    BUG_IF(pthread_condattr_init(&monotonic) != 0);
    BUG_IF(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0);
    BUG_IF(pthread_cond_init(&j->wake, &monotonic) != 0);
    BUG_IF(pthread_mutex_init(&j->lock, NULL) != 0);
    (void)pthread_condattr_destroy(&monotonic);
    return j;
}

enum err journal_open(const struct journal_options *options, struct journal **out, char why[JOURNAL_WHY_BYTES])
{
    BUG_IF(options->synced == NULL || options->failed == NULL || options->turn == NULL);
    *out = NULL;
    why[0] = 0;
    size_t len = strlen(options->dir);
    if (len + JOURNAL_NAME_MAX >= JOURNAL_PATH_MAX) {
        journal_say(why, "the path of the journal is too long");
        return ERR_IO;
    }
    struct journal *j = journal_new(options);
    memcpy(j->dir, options->dir, len + 1);
    j->options.dir = j->dir;
    enum err e = open_lock(j, why);
    if (e == ERR_NONE) e = open_segments(j, why);
    if (e != ERR_NONE) {
        journal_free(j);
        return e;
    }
    look_at_space(j);
    *out = j;
    return ERR_NONE;
}

uint64_t journal_first_segment(struct journal *j)
{
    return j->first_segment;
}

uint64_t journal_bytes_from(struct journal *j, struct journal_position from)
{
    uint64_t bytes = 0;
    (void)pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < j->segments.n; i++) {
        const struct journal_segment *s = &j->segments.items[i];
        if (s->number < from.segment) continue;
        uint64_t begin =
            s->number == from.segment && from.offset > JOURNAL_HEADER_BYTES ? from.offset : JOURNAL_HEADER_BYTES;
        if (s->bytes > begin) bytes += s->bytes - begin;
    }
    (void)pthread_mutex_unlock(&j->lock);
    return bytes;
}

enum err journal_replay(struct journal *j, struct journal_position from, const struct journal_reading *reading,
                        char why[JOURNAL_WHY_BYTES])
{
    BUG_IF(j->started);
    return journal_read(j->io, j->dir, &j->segments, from, reading, why);
}

void journal_start(struct journal *j, int64_t clock_ms)
{
    (void)pthread_mutex_lock(&j->lock);
    BUG_IF(j->started);
    j->started = true;
    j->clock_ms = clock_ms;
    (void)pthread_mutex_unlock(&j->lock);
    j->turn_clock_ms = clock_ms;
    j->turn_at = j->space_at = mono_now();
    BUG_IF(pthread_create(&j->thread, NULL, writer_main, j) != 0);
}

void journal_status(struct journal *j, struct journal_status *out)
{
    (void)pthread_mutex_lock(&j->lock);
    const char *reason = trouble(j, JOURNAL_RECORD_BYTES);
    *out = (struct journal_status){
        .ready = reason == NULL,
        .reason = reason ? reason : "",
        .segments = j->segments.n,
        .bytes = j->bytes,
        .end = j->end,
    };
    (void)pthread_mutex_unlock(&j->lock);
}

/* Takes the segments below `segment` off the list; answers the first that stays. */
static uint64_t drop_take(struct journal *j, uint64_t segment)
{
    (void)pthread_mutex_lock(&j->lock);
    struct journal_segments *s = &j->segments;
    size_t gone = 0;
    /* The last one stays: it is being written, or its end is what the next one's header must name. */
    while (gone + 1 < s->n && s->items[gone].number < segment) j->bytes -= s->items[gone++].bytes;
    s->n -= gone;
    memmove(s->items, s->items + gone, s->n * sizeof s->items[0]);
    counter_set(COUNTER_journal_segments, (int64_t)s->n);
    counter_set(COUNTER_journal_bytes, (int64_t)j->bytes);
    uint64_t first = s->n ? s->items[0].number : 0;
    (void)pthread_mutex_unlock(&j->lock);
    return first;
}

enum err journal_drop_before(struct journal *j, uint64_t segment)
{
    int result = journal_remove_before(j->io, j->dir, drop_take(j, segment));
    if (result == 0) return ERR_NONE;
    LOG_WRN("journal_drop_failed", "error=\"%s\"", strerror(-result));
    return ERR_IO;
}

void journal_stop(struct journal *j)
{
    if (!j->started) return;
    (void)pthread_mutex_lock(&j->lock);
    BUG_IF(j->stopping);
    j->stopping = true;
    (void)pthread_cond_signal(&j->wake);
    (void)pthread_mutex_unlock(&j->lock);
    BUG_IF(pthread_join(j->thread, NULL) != 0);
    BUG_IF(j->filling.n != 0);
}

void journal_free(struct journal *j)
{
    if (j == NULL) return;
    segment_close(j);
    if (j->lock_fd >= 0) (void)j->io->close(j->io->ctx, j->lock_fd);
    batch_free(&j->filling);
    batch_free(&j->writing);
    journal_segments_free(&j->segments);
    (void)pthread_mutex_destroy(&j->lock);
    (void)pthread_cond_destroy(&j->wake);
    free(j);
}
