/* SPDX-License-Identifier: Apache-2.0
 * Finds, judges and reads the segments of a journal directory. */
#include "journal/reader.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROGRESS_EVERY_BYTES = 1 << 20 };

void journal_segments_add(struct journal_segments *s, struct journal_segment segment)
{
    BUG_IF(s->n && s->items[s->n - 1].number + 1 != segment.number);
    if (s->n == s->max) {
        size_t max = s->max ? 2 * s->max : 16;
        struct journal_segment *grown = realloc(s->items, max * sizeof *grown);
        BUG_IF(grown == NULL);
        s->items = grown;
        s->max = max;
    }
    s->items[s->n++] = segment;
}

void journal_segments_free(struct journal_segments *s)
{
    free(s->items);
    *s = (struct journal_segments){0};
}

void journal_say(char why[JOURNAL_WHY_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, JOURNAL_WHY_BYTES, format, args);
    va_end(args);
}

static enum err why_io(char why[JOURNAL_WHY_BYTES], const char *doing, const char *path, int result)
{
    journal_say(why, "cannot %s %s: %s", doing, path, strerror(-result));
    return ERR_IO;
}

static enum err why_corrupt(char why[JOURNAL_WHY_BYTES], const char *path, uint64_t offset, const char *what)
{
    journal_say(why, "%s is damaged at byte %llu: %s", path, (unsigned long long)offset, what);
    return ERR_CORRUPT;
}

static bool segment_path(char out[JOURNAL_PATH_MAX], const char *dir, uint64_t number)
{
    char name[JOURNAL_NAME_MAX];
    journal_segment_name(name, number);
    int n = snprintf(out, JOURNAL_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < JOURNAL_PATH_MAX;
}

/* One segment file, opened. */
struct segment_file {
    const struct journal_io *io;
    char path[JOURNAL_PATH_MAX];
    int fd;
    uint64_t bytes; /* of the file */
};

static enum err segment_open(struct segment_file *f, const struct journal_io *io, const char *dir, uint64_t number,
                             enum journal_open_how how, char why[JOURNAL_WHY_BYTES])
{
    *f = (struct segment_file){.io = io, .fd = -1};
    if (!segment_path(f->path, dir, number)) return why_io(why, "name a segment in", dir, -ENAMETOOLONG);
    f->fd = io->open(io->ctx, f->path, how);
    if (f->fd < 0) return why_io(why, "open", f->path, f->fd);
    int result = io->size(io->ctx, f->fd, &f->bytes);
    if (result == 0) return ERR_NONE;
    (void)io->close(io->ctx, f->fd);
    return why_io(why, "read", f->path, result);
}

static void segment_close(struct segment_file *f)
{
    (void)f->io->close(f->io->ctx, f->fd); /* only read, or synced before */
}

/* The first `bytes` of the file in memory; the caller frees *out. */
static enum err segment_load(const struct segment_file *f, uint64_t bytes, char **out, char why[JOURNAL_WHY_BYTES])
{
    *out = malloc(bytes ? bytes : 1);
    if (*out == NULL) return why_io(why, "get memory to read", f->path, -ENOMEM);
    int result = journal_io_read(f->io, f->fd, *out, bytes, 0);
    if (result == 0) return ERR_NONE;
    free(*out);
    *out = NULL;
    return why_io(why, "read", f->path, result);
}

struct numbers {
    uint64_t *items;
    size_t n, max;
};

static void numbers_add(void *to, const char *name)
{
    struct numbers *numbers = to;
    uint64_t number;
    if (!journal_segment_number(name, &number)) return;
    if (numbers->n == numbers->max) {
        numbers->max = numbers->max ? 2 * numbers->max : 64;
        uint64_t *grown = realloc(numbers->items, numbers->max * sizeof *grown);
        BUG_IF(grown == NULL);
        numbers->items = grown;
    }
    numbers->items[numbers->n++] = number;
}

static int number_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Removes a segment that a crash left before its header was whole; nothing can be in it. */
static enum err recover_remove(const struct journal_io *io, const char *dir, const struct segment_file *f,
                               char why[JOURNAL_WHY_BYTES])
{
    LOG_WRN("journal_unfinished_segment", "file=%s bytes=%llu", f->path, (unsigned long long)f->bytes);
    int result = io->unlink(io->ctx, f->path);
    if (result == 0) result = io->sync_dir(io->ctx, dir);
    return result == 0 ? ERR_NONE : why_io(why, "remove", f->path, result);
}

static enum err recover_cut(const struct segment_file *f, uint64_t good, const char *what, char why[JOURNAL_WHY_BYTES])
{
    LOG_WRN("journal_torn_tail", "file=%s cut_at=%llu bytes_cut=%llu found=\"%s\"", f->path, (unsigned long long)good,
            (unsigned long long)(f->bytes - good), what);
    int result = f->io->ftruncate(f->io->ctx, f->fd, good);
    return result == 0 ? ERR_NONE : why_io(why, "cut", f->path, result);
}

/* From now on the tail counts as durable. After a kill its last batch may be in the page cache only, and if its sync
 * had failed the kernel takes it for clean: written once more, it is synced for certain. */
static enum err recover_sync(const struct segment_file *f, struct span good, size_t batch_at,
                             char why[JOURNAL_WHY_BYTES])
{
    int result = batch_at ? journal_io_write(f->io, f->fd, span_from(good, batch_at), batch_at) : 0;
    if (result == 0) result = f->io->fdatasync(f->io->ctx, f->fd);
    return result == 0 ? ERR_NONE : why_io(why, "sync", f->path, result);
}

/* Walks the whole last segment and cuts what a crash left unfinished. */
static enum err recover_tail(const struct segment_file *f, uint64_t *valid, char why[JOURNAL_WHY_BYTES])
{
    char *bytes;
    enum err e = segment_load(f, f->bytes, &bytes, why);
    if (e != ERR_NONE) return e;
    struct journal_walk walk;
    struct journal_record record;
    enum journal_step step;
    BUG_IF(!journal_walk_init(&walk, span_make(bytes, f->bytes), 0)); /* the header was read before */
    do step = journal_walk_next(&walk, &record);
    while (step == JOURNAL_RECORD);
    *valid = walk.good;
    uint64_t later;
    if (step == JOURNAL_BAD) {
        if (journal_walk_later_batch(&walk, &later)) e = why_corrupt(why, f->path, walk.at, walk.why);
        else e = recover_cut(f, walk.good, walk.why, why);
    }
    if (e == ERR_NONE) e = recover_sync(f, span_make(bytes, walk.good), walk.batch_at, why);
    free(bytes);
    return e;
}

/* Whether file i can be used, and what its header says of the one before. *skip: it was removed. */
static enum err recover_header(const struct journal_io *io, const char *dir, struct segment_file *f, uint64_t number,
                               bool last, struct journal_header *header, bool *skip, char why[JOURNAL_WHY_BYTES])
{
    char bytes[JOURNAL_HEADER_BYTES];
    *skip = false;
    if (f->bytes >= JOURNAL_HEADER_BYTES) {
        int result = journal_io_read(io, f->fd, bytes, sizeof bytes, 0);
        if (result < 0) return why_io(why, "read", f->path, result);
        if (journal_header_read(span_make(bytes, sizeof bytes), header) && header->number == number) return ERR_NONE;
    }
    /* The header is durable before the first batch is written, so behind a bad one there is nothing, or damage. */
    if (!last || f->bytes > JOURNAL_HEADER_BYTES) return why_corrupt(why, f->path, 0, "not the head of a segment");
    *skip = true;
    return recover_remove(io, dir, f, why);
}

static enum err recover_segment(const struct journal_io *io, const char *dir, uint64_t number, bool last,
                                struct journal_segments *out, char why[JOURNAL_WHY_BYTES])
{
    struct segment_file f;
    struct journal_header header;
    bool skip;
    enum err e = segment_open(&f, io, dir, number, last ? JOURNAL_OPEN_EDIT : JOURNAL_OPEN_READ, why);
    if (e != ERR_NONE) return e;
    e = recover_header(io, dir, &f, number, last, &header, &skip, why);
    if (e != ERR_NONE || skip) goto out;
    if (out->n) {
        /* What the file has beyond this was never durable; fewer bytes are a loss. */
        struct journal_segment *before = &out->items[out->n - 1];
        if (header.previous_bytes > before->bytes || header.previous_bytes < JOURNAL_HEADER_BYTES) {
            char path[JOURNAL_PATH_MAX];
            BUG_IF(!segment_path(path, dir, before->number));
            e = why_corrupt(why, path, before->bytes, "it ends before its last durable record");
            goto out;
        }
        before->bytes = header.previous_bytes;
    }
    journal_segments_add(out, (struct journal_segment){number, f.bytes});
out:
    segment_close(&f);
    return e;
}

/* Now that it is known which file is the last, its tail. */
static enum err recover_last(const struct journal_io *io, const char *dir, struct journal_segments *out,
                             char why[JOURNAL_WHY_BYTES])
{
    if (out->n == 0) return ERR_NONE;
    struct journal_segment *last = &out->items[out->n - 1];
    struct segment_file f;
    enum err e = segment_open(&f, io, dir, last->number, JOURNAL_OPEN_EDIT, why);
    if (e != ERR_NONE) return e;
    e = recover_tail(&f, &last->bytes, why);
    segment_close(&f);
    return e;
}

enum err journal_recover(const struct journal_io *io, const char *dir, struct journal_segments *out,
                         char why[JOURNAL_WHY_BYTES])
{
    struct numbers found = {0};
    *out = (struct journal_segments){0};
    why[0] = 0;
    int result = io->list(io->ctx, dir, numbers_add, &found);
    if (result < 0) {
        free(found.items);
        return why_io(why, "list", dir, result);
    }
    if (found.n) qsort(found.items, found.n, sizeof found.items[0], number_order);
    /* Deleting goes upwards; a crash may have kept an older name and lost a newer one. */
    size_t first = found.n;
    while (first > 0 && (first == found.n || found.items[first - 1] + 1 == found.items[first])) first--;
    enum err e = ERR_NONE;
    for (size_t i = first; i < found.n && e == ERR_NONE; i++)
        e = recover_segment(io, dir, found.items[i], i + 1 == found.n, out, why);
    free(found.items);
    if (e == ERR_NONE) e = recover_last(io, dir, out, why);
    if (e != ERR_NONE) journal_segments_free(out);
    return e;
}

int journal_remove_before(const struct journal_io *io, const char *dir, uint64_t number)
{
    struct numbers found = {0};
    int result = io->list(io->ctx, dir, numbers_add, &found);
    if (found.n) qsort(found.items, found.n, sizeof found.items[0], number_order);
    bool any = false;
    for (size_t i = 0; i < found.n && found.items[i] < number; i++) {
        char path[JOURNAL_PATH_MAX];
        BUG_IF(!segment_path(path, dir, found.items[i]));
        int removed = io->unlink(io->ctx, path);
        if (removed < 0) result = removed;
        any = true;
    }
    free(found.items);
    return result == 0 && any ? io->sync_dir(io->ctx, dir) : result;
}

struct reading_state {
    const struct journal_reading *reading;
    uint64_t done, total, told;
};

static void reading_progress(struct reading_state *s, uint64_t done, bool always)
{
    if (s->reading->progress == NULL) return;
    if (!always && done - s->told < PROGRESS_EVERY_BYTES) return;
    s->told = done;
    s->reading->progress(s->reading->ctx, done, s->total);
}

static enum err read_segment(struct reading_state *s, const struct segment_file *f, struct span bytes, uint64_t number,
                             uint64_t offset, char why[JOURNAL_WHY_BYTES])
{
    struct journal_walk walk;
    struct journal_record record;
    enum journal_step step;
    if (!journal_walk_init(&walk, bytes, offset) || walk.segment != number)
        return why_corrupt(why, f->path, offset, "it does not have the place to read from");
    uint64_t from = walk.at;
    while ((step = journal_walk_next(&walk, &record)) == JOURNAL_RECORD) {
        if (!s->reading->record(s->reading->ctx, &record)) return ERR_CLOSED;
        reading_progress(s, s->done + (walk.at - from), false);
    }
    if (step == JOURNAL_BAD) return why_corrupt(why, f->path, walk.at, walk.why);
    s->done += walk.at - from;
    return ERR_NONE;
}

static uint64_t segment_from(const struct journal_segment *s, struct journal_position from)
{
    return s->number == from.segment && from.offset > JOURNAL_HEADER_BYTES ? from.offset : JOURNAL_HEADER_BYTES;
}

enum err journal_read(const struct journal_io *io, const char *dir, const struct journal_segments *segments,
                      struct journal_position from, const struct journal_reading *reading, char why[JOURNAL_WHY_BYTES])
{
    struct reading_state state = {.reading = reading};
    why[0] = 0;
    if (segments->n == 0
            ? from.segment > 1 || from.offset > 0
            : from.segment < segments->items[0].number || from.segment > segments->items[segments->n - 1].number) {
        journal_say(why, "segment %llu of the journal in %s is needed and not there", (unsigned long long)from.segment,
                    dir);
        return ERR_CORRUPT;
    }
    for (size_t i = 0; i < segments->n; i++) {
        const struct journal_segment *s = &segments->items[i];
        uint64_t begin = segment_from(s, from);
        if (s->number >= from.segment && s->bytes > begin) state.total += s->bytes - begin;
    }
    for (size_t i = 0; i < segments->n; i++) {
        const struct journal_segment *s = &segments->items[i];
        if (s->number < from.segment) continue;
        struct segment_file f;
        char *bytes;
        enum err e = segment_open(&f, io, dir, s->number, JOURNAL_OPEN_READ, why);
        if (e != ERR_NONE) return e;
        e = segment_load(&f, s->bytes, &bytes, why);
        if (e == ERR_NONE) {
            e = read_segment(&state, &f, span_make(bytes, s->bytes), s->number, segment_from(s, from), why);
            free(bytes);
        }
        segment_close(&f);
        if (e != ERR_NONE) return e;
    }
    reading_progress(&state, state.done, true);
    return ERR_NONE;
}
