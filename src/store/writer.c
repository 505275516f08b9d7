/* SPDX-License-Identifier: Apache-2.0 */
#include "store/writer.h"

#include <errno.h>
#include <ctype.h>
#include <stdlib.h>
#include <time.h>

#include "base/counters.h"
#include "base/log.h"
#include "store/schema.h"
#include "store/writer_internal.h"

enum { ROW_BYTES_MAX = 128 * 1024 * 1024, PARTITIONS_FEW = 8, AGE_FACTOR_MANY = 4 };

struct store_writer_options store_writer_defaults(void)
{
    return (struct store_writer_options){.shards = 1,
                                         .rows_max = 10000,
                                         .bytes_max = 16 * 1024 * 1024,
                                         .age_ms = 500,
                                         .memory_bytes_max = 256 * 1024 * 1024,
                                         .insert_ms = 60000,
                                         .retry_ms_min = 100,
                                         .retry_ms_max = 5000,
                                         .cleanup_ms = 120000};
}

static void lock(struct store_writer *w)
{
    BUG_IF(pthread_mutex_lock(&w->lock) != 0);
}

static void unlock(struct store_writer *w)
{
    BUG_IF(pthread_mutex_unlock(&w->lock) != 0);
}

static struct timespec at_mono(int64_t us)
{
    return (struct timespec){.tv_sec = us / 1000000, .tv_nsec = (us % 1000000) * 1000};
}

/* -- taking rows -- */

static struct batch *open_batch(struct store_writer *w, bool final, int64_t partition)
{
    for (struct batch *b = w->batches; b; b = b->next)
        if (!b->full && b->final == final && b->partition == partition) return b;
    struct batch *b = batch_new(final, partition, w->seq + 1);
    b->next = w->batches;
    w->batches = b;
    w->batch_count++;
    return b;
}

static void take_row(struct store_writer *w, struct span encoded, const struct batch_row *r, bool final)
{
    struct batch *b = open_batch(w, final, store_partition_of(final, r->view_end_ms));
    bool first = b->n == 0;
    batch_add(b, encoded, r);
    w->seq++;
    w->rows++;
    w->bytes += encoded.len + sizeof *r;
    b->full = b->n >= w->options.rows_max || b->bytes.len >= w->options.bytes_max;
    if (first || b->full) BUG_IF(pthread_cond_signal(&w->work) != 0);
    counter_set(COUNTER_store_rows_waiting, (int64_t)w->rows);
}

/* SDKs make view ids at random, as UUIDs. Those that people or programs made up may come again long after the view is
 * forgotten. */
static bool id_is_random(struct span id)
{
    if (id.len != 36) return false;
    for (size_t i = 0; i < id.len; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? id.ptr[i] != '-' : !isxdigit((unsigned char)id.ptr[i]))
            return false;
    return true;
}

bool store_writer_row(struct store_writer *w, unsigned shard, const struct view_row *row)
{
    static const char no_batch[STORE_BATCH_ID_BYTES] = {0};
    BUG_IF(shard >= w->options.shards);
    struct buf *scratch = &w->shards[shard].scratch;
    buf_clear(scratch);
    store_row_encode(scratch, row, no_batch);
    char id[33];
    if (scratch->failed) {
        hash128_hex(id, row->id);
        LOG_ERR("store_row_refused", "id=%s why=\"larger than %d bytes\"", id, ROW_BYTES_MAX);
        counter_add(COUNTER_store_rows_refused_total, 1);
        lock(w);
        w->totals.rows_refused++;
        unlock(w);
        return true;
    }
    bool named = row->final && !id_is_random(row->view_id);
    struct batch_row r = {.id = row->id,
                          .view_end_ms = row->view_end_ms,
                          .version = row->version,
                          .check = row->check || named,
                          .named = named,
                          .had_pending = row->had_pending};
    lock(w);
    /* A row larger than the whole bound goes when it is alone. */
    bool room = w->rows == 0 || w->bytes + scratch->len + sizeof r <= w->options.memory_bytes_max;
    if (room) take_row(w, buf_span(scratch), &r, row->final);
    unlock(w);
    if (!room) counter_add(COUNTER_store_writer_full_total, 1);
    return room;
}

void store_writer_barrier(struct store_writer *w, unsigned shard, uint64_t n)
{
    BUG_IF(shard >= w->options.shards);
    lock(w);
    struct writer_shard *s = &w->shards[shard];
    BUG_IF(n < s->barrier);
    s->barrier = n;
    s->barrier_seq = w->seq;
    BUG_IF(pthread_cond_broadcast(&w->stored) != 0);
    unlock(w);
}

/* -- waiting -- */

/* Rows below are stored, or were given up. */
static uint64_t first_waiting(const struct store_writer *w)
{
    uint64_t first = w->current_seq ? w->current_seq : w->seq + 1;
    for (const struct batch *b = w->batches; b; b = b->next)
        if (b->first_seq < first) first = b->first_seq;
    return first;
}

static bool barrier_stored(struct store_writer *w, uint64_t n)
{
    uint64_t seq = 0;
    for (unsigned i = 0; i < w->options.shards; i++) {
        if (w->shards[i].barrier < n) return false;
        if (w->shards[i].barrier_seq > seq) seq = w->shards[i].barrier_seq;
    }
    if (first_waiting(w) > seq) return true;
    if (seq > w->flush_seq) {
        w->flush_seq = seq;
        BUG_IF(pthread_cond_signal(&w->work) != 0);
    }
    return false;
}

bool store_writer_wait_stored(struct store_writer *w, uint64_t n, int timeout_ms)
{
    struct timespec until = at_mono(mono_now().v + (int64_t)timeout_ms * 1000);
    lock(w);
    bool stored;
    while (!(stored = barrier_stored(w, n)) && !w->ended && timeout_ms != 0) {
        if (timeout_ms < 0) (void)pthread_cond_wait(&w->stored, &w->lock);
        else if (pthread_cond_timedwait(&w->stored, &w->lock, &until) == ETIMEDOUT) timeout_ms = 0;
    }
    unlock(w);
    return stored;
}

void store_writer_status(struct store_writer *w, struct store_writer_status *out)
{
    struct mono_us now = mono_now();
    lock(w);
    *out = w->totals;
    out->rows_waiting = w->rows;
    out->bytes_waiting = w->bytes;
    int64_t oldest = w->current_seq ? w->current_opened.v : now.v;
    for (const struct batch *b = w->batches; b; b = b->next)
        if (b->opened.v < oldest) oldest = b->opened.v;
    out->oldest_ms = (now.v - oldest) / 1000;
    unlock(w);
}

/* -- the thread -- */

static int64_t due_us(const struct store_writer *w, const struct batch *b)
{
    if (b->full || w->stopping || b->first_seq <= w->flush_seq) return 0;
    int64_t age_ms = w->options.age_ms;
    if (w->batch_count > PARTITIONS_FEW) age_ms *= AGE_FACTOR_MANY;
    return b->opened.v + age_ms * 1000;
}

/* Takes the oldest batch that is due out of the list; NULL: none is, and *next_us says when the first will be. */
static struct batch *take_due(struct store_writer *w, int64_t *next_us)
{
    int64_t now = mono_now().v;
    struct batch **best = NULL;
    *next_us = INT64_MAX;
    for (struct batch **at = &w->batches; *at; at = &(*at)->next) {
        int64_t due = due_us(w, *at);
        if (due > now) {
            if (due < *next_us) *next_us = due;
        } else if (best == NULL || (*at)->first_seq < (*best)->first_seq) {
            best = at;
        }
    }
    if (best == NULL) return NULL;
    struct batch *b = *best;
    *best = b->next;
    b->next = NULL;
    w->batch_count--;
    return b;
}

static void run_batch(struct store_writer *w, struct batch *b)
{
    size_t memory = batch_memory(b), rows = b->n;
    w->current_seq = b->first_seq;
    w->current_opened = b->opened;
    unlock(w);
    bool sent = writer_send_take(w, b);
    lock(w);
    if (sent) { /* else it was abandoned, and its rows count as waiting to the end */
        w->current_seq = 0;
        w->bytes -= memory;
        w->rows -= rows;
        counter_set(COUNTER_store_rows_waiting, (int64_t)w->rows);
    }
    BUG_IF(pthread_cond_broadcast(&w->stored) != 0);
}

static void *writer_run(void *ctx)
{
    struct store_writer *w = ctx;
    (void)pthread_setname_np(pthread_self(), "store");
    lock(w);
    w->cleaned = mono_now();
    while (!atomic_load(&w->abandon)) {
        int64_t next_us, clean_us = w->cleaned.v + (int64_t)w->options.cleanup_ms * 1000;
        struct batch *b = take_due(w, &next_us);
        if (b) {
            run_batch(w, b);
            continue;
        }
        if (w->stopping) break;
        if (mono_now().v >= clean_us) {
            unlock(w);
            writer_clean(w);
            lock(w);
            w->cleaned = mono_now();
            continue;
        }
        struct timespec until = at_mono(next_us < clean_us ? next_us : clean_us);
        (void)pthread_cond_timedwait(&w->work, &w->lock, &until);
    }
    w->ended = true;
    BUG_IF(pthread_cond_broadcast(&w->stored) != 0);
    unlock(w);
    return NULL;
}

bool writer_pause(struct store_writer *w, int ms)
{
    int64_t until = mono_now().v + (int64_t)ms * 1000;
    struct timespec at = at_mono(until);
    lock(w);
    /* New rows signal too: they change nothing here. */
    while (mono_now().v < until && !atomic_load(&w->abandon)) (void)pthread_cond_timedwait(&w->work, &w->lock, &at);
    unlock(w);
    return !atomic_load(&w->abandon);
}

struct store_writer *store_writer_start(struct store *s, const struct store_writer_options *options)
{
    struct store_writer *w = calloc(1, sizeof *w);
    BUG_IF(w == NULL || options->shards == 0 || options->rows_max == 0 || options->retry_ms_min <= 0);
    w->store = s;
    w->options = *options;
    w->shards = calloc(options->shards, sizeof *w->shards);
    BUG_IF(w->shards == NULL);
    for (unsigned i = 0; i < options->shards; i++) buf_init(&w->shards[i].scratch, ROW_BYTES_MAX);
    pthread_condattr_t monotonic;
    BUG_IF(pthread_condattr_init(&monotonic) != 0);
    BUG_IF(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0);
    BUG_IF(pthread_mutex_init(&w->lock, NULL) != 0);
    BUG_IF(pthread_cond_init(&w->work, &monotonic) != 0);
    BUG_IF(pthread_cond_init(&w->stored, &monotonic) != 0);
    (void)pthread_condattr_destroy(&monotonic);
    BUG_IF(pthread_create(&w->thread, NULL, writer_run, w) != 0);
    return w;
}

static void writer_free(struct store_writer *w)
{
    while (w->batches) {
        struct batch *b = w->batches;
        w->batches = b->next;
        batch_free(b);
    }
    for (unsigned i = 0; i < w->options.shards; i++) buf_free(&w->shards[i].scratch);
    free(w->shards);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->work);
    (void)pthread_cond_destroy(&w->stored);
    free(w);
}

bool store_writer_stop(struct store_writer *w, int deadline_ms)
{
    if (w == NULL) return true;
    struct timespec until = at_mono(mono_now().v + (int64_t)deadline_ms * 1000);
    lock(w);
    w->stopping = true;
    BUG_IF(pthread_cond_broadcast(&w->work) != 0);
    while (!w->ended)
        if (pthread_cond_timedwait(&w->stored, &w->lock, &until) == ETIMEDOUT) break;
    if (!w->ended) {
        atomic_store(&w->abandon, true);
        BUG_IF(pthread_cond_broadcast(&w->work) != 0);
    }
    unlock(w);
    BUG_IF(pthread_join(w->thread, NULL) != 0);
    bool all = w->rows == 0;
    if (!all) LOG_WRN("store_writer_abandoned", "rows=%zu", w->rows);
    writer_free(w);
    return all;
}
