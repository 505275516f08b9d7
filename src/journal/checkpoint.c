/* SPDX-License-Identifier: Apache-2.0
 * Writes, finds and reads checkpoint files; the bytes are described in checkpoint.h. */
#include "journal/checkpoint.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    VERSION = 1,
    HEADER_BYTES = 64,
    CHUNK_HEAD_BYTES = 12,
    CHUNK_BYTES_MAX = 256 << 10,
    END_HEAD_BYTES = 16,
    END_SECTION_BYTES = 12,
    KEEP = 2,
};
#define MAGIC "FFCHECK\n"
#define END_MARK 0xFFFFFFFFu
#define NAME_PREFIX "checkpoint-"
#define NAME_SUFFIX ".ffc"
#define NAME_UNFINISHED "checkpoint.tmp"
enum { NAME_DIGITS = 10, NAME_MAX_BYTES = 32, PATH_BYTES = JOURNAL_PATH_MAX + NAME_MAX_BYTES };

static void checkpoint_path(char out[PATH_BYTES], const char *dir, uint64_t number)
{
    (void)snprintf(out, PATH_BYTES, "%s/" NAME_PREFIX "%0*llu" NAME_SUFFIX, dir, NAME_DIGITS,
                   (unsigned long long)number);
}

static bool checkpoint_number(const char *name, uint64_t *number)
{
    struct span text = span_of(name), prefix = SPAN(NAME_PREFIX), suffix = SPAN(NAME_SUFFIX);
    if (text.len != prefix.len + NAME_DIGITS + suffix.len) return false;
    if (!span_starts(text, prefix) || !span_ends(text, suffix)) return false;
    uint64_t n = 0;
    for (size_t i = 0; i < NAME_DIGITS; i++) {
        char digit = text.ptr[prefix.len + i];
        if (digit < '0' || digit > '9') return false;
        n = n * 10 + (uint64_t)(digit - '0');
    }
    *number = n;
    return n > 0;
}

/* The numbers of the checkpoints in a directory, newest first. */
struct numbers {
    uint64_t items[64]; /* more than were ever kept; the newest are remembered */
    size_t n;
};

static void numbers_add(void *to, const char *name)
{
    struct numbers *s = to;
    uint64_t number;
    if (!checkpoint_number(name, &number)) return;
    size_t at = s->n;
    while (at > 0 && s->items[at - 1] < number) at--;
    if (at == COUNT(s->items)) return;
    size_t moved = (s->n == COUNT(s->items) ? s->n - 1 : s->n) - at;
    memmove(s->items + at + 1, s->items + at, moved * sizeof s->items[0]);
    s->items[at] = number;
    if (s->n < COUNT(s->items)) s->n++;
}

static int numbers_list(const struct journal_io *io, const char *dir, struct numbers *out)
{
    *out = (struct numbers){0};
    return io->list(io->ctx, dir, numbers_add, out);
}

/* --- header --- */

static void header_write(struct buf *out, const struct checkpoint_facts *f)
{
    size_t at = out->len;
    buf_add(out, MAGIC, 8);
    buf_add_u32(out, VERSION);
    buf_add_u32(out, f->sections);
    buf_add_u64(out, f->position.segment);
    buf_add_u64(out, f->position.offset);
    buf_add_u64(out, (uint64_t)f->clock_ms);
    buf_add_u64(out, (uint64_t)f->created_ms);
    buf_add(out, (const char[12]){0}, 12);
    buf_add_u32(out, crc32c(0, out->ptr + at, HEADER_BYTES - 4));
}

static bool header_read(struct span bytes, struct checkpoint_facts *f)
{
    BUG_IF(bytes.len != HEADER_BYTES);
    struct bytes r = bytes_of(bytes);
    if (!span_eq(bytes_span(&r, 8), (struct span){MAGIC, 8}) || bytes_u32(&r) != VERSION) return false;
    f->sections = bytes_u32(&r);
    f->position.segment = bytes_u64(&r);
    f->position.offset = bytes_u64(&r);
    f->clock_ms = (int64_t)bytes_u64(&r);
    f->created_ms = (int64_t)bytes_u64(&r);
    (void)bytes_span(&r, 12);
    return bytes_u32(&r) == crc32c(0, bytes.ptr, HEADER_BYTES - 4) && f->sections <= CHECKPOINT_SECTIONS_MAX;
}

/* --- writing --- */

struct section_out {
    struct buf chunk; /* head and bytes not yet written */
    uint64_t bytes;
    uint32_t crc;
};

struct checkpoint_writer {
    const struct journal_io *io;
    char dir[JOURNAL_PATH_MAX];
    char path[PATH_BYTES]; /* of the unfinished file */
    int fd;
    struct checkpoint_facts facts;
    _Atomic uint64_t at; /* where the next chunk goes: threads reserve their place and write at the same time */
    atomic_bool failed;
    bool sealed;
    struct section_out sections[CHECKPOINT_SECTIONS_MAX];
};

static bool writer_fail(struct checkpoint_writer *w, int result)
{
    if (!atomic_exchange(&w->failed, true)) LOG_ERR("checkpoint_failed", "error=\"%s\"", strerror(-result));
    return false;
}

static bool writer_put(struct checkpoint_writer *w, struct span bytes)
{
    uint64_t at = atomic_fetch_add(&w->at, bytes.len);
    int result = journal_io_write(w->io, w->fd, bytes, at);
    return result == 0 ? true : writer_fail(w, result);
}

enum err checkpoint_begin(const struct journal_io *io, const char *dir, uint32_t sections,
                          struct checkpoint_writer **out)
{
    BUG_IF(sections > CHECKPOINT_SECTIONS_MAX);
    *out = NULL;
    struct checkpoint_writer *w = calloc(1, sizeof *w);
    BUG_IF(w == NULL);
    w->io = io;
    w->facts.sections = sections;
    w->at = HEADER_BYTES;
    BUG_IF(strlen(dir) >= sizeof w->dir);
    memcpy(w->dir, dir, strlen(dir) + 1);
    (void)snprintf(w->path, sizeof w->path, "%s/" NAME_UNFINISHED, dir);
    for (uint32_t i = 0; i < sections; i++) buf_init(&w->sections[i].chunk, CHUNK_HEAD_BYTES + CHUNK_BYTES_MAX);
    w->fd = io->open(io->ctx, w->path, JOURNAL_OPEN_CREATE);
    if (w->fd < 0) {
        (void)writer_fail(w, w->fd);
        checkpoint_abandon(w);
        return ERR_IO;
    }
    *out = w;
    return ERR_NONE;
}

static bool section_flush(struct checkpoint_writer *w, uint32_t section)
{
    struct section_out *s = &w->sections[section];
    if (s->chunk.len <= CHUNK_HEAD_BYTES) return true;
    uint32_t head[3] = {section, (uint32_t)(s->chunk.len - CHUNK_HEAD_BYTES), 0};
    head[2] = crc32c(crc32c(0, head, 8), s->chunk.ptr + CHUNK_HEAD_BYTES, head[1]);
    memcpy(s->chunk.ptr, head, sizeof head);
    bool ok = writer_put(w, buf_span(&s->chunk));
    buf_clear(&s->chunk);
    return ok;
}

bool checkpoint_add(struct checkpoint_writer *w, uint32_t section, struct span bytes)
{
    BUG_IF(section >= w->facts.sections);
    BUG_IF(w->sealed);
    struct section_out *s = &w->sections[section];
    if (atomic_load(&w->failed)) return false;
    s->crc = crc32c(s->crc, bytes.ptr, bytes.len);
    s->bytes += bytes.len;
    while (bytes.len) {
        if (s->chunk.len == 0) buf_add(&s->chunk, (const char[CHUNK_HEAD_BYTES]){0}, CHUNK_HEAD_BYTES);
        struct span now = span_upto(bytes, s->chunk.max - s->chunk.len);
        buf_add_span(&s->chunk, now);
        bytes = span_from(bytes, now.len);
        if (s->chunk.len == s->chunk.max && !section_flush(w, section)) return false;
    }
    return true;
}

static bool seal_header(struct checkpoint_writer *w)
{
    struct buf header;
    buf_init(&header, HEADER_BYTES);
    header_write(&header, &w->facts);
    BUG_IF(header.failed);
    int result = journal_io_write(w->io, w->fd, buf_span(&header), 0);
    buf_free(&header);
    return result == 0 ? true : writer_fail(w, result);
}

static bool seal_end(struct checkpoint_writer *w)
{
    struct buf end;
    size_t rest = END_SECTION_BYTES * w->facts.sections + 4;
    buf_init(&end, END_HEAD_BYTES + rest);
    buf_add_u32(&end, END_MARK);
    buf_add_u32(&end, (uint32_t)(rest + 8));
    buf_add_u64(&end, atomic_load(&w->at) - HEADER_BYTES);
    for (uint32_t i = 0; i < w->facts.sections; i++) {
        buf_add_u64(&end, w->sections[i].bytes);
        buf_add_u32(&end, w->sections[i].crc);
    }
    buf_add_u32(&end, crc32c(0, end.ptr, end.len));
    BUG_IF(end.failed);
    bool ok = writer_put(w, buf_span(&end));
    buf_free(&end);
    return ok;
}

enum err checkpoint_seal(struct checkpoint_writer *w, struct journal_position position, int64_t clock_ms,
                         int64_t created_ms)
{
    BUG_IF(w->sealed);
    w->sealed = true;
    w->facts.position = position;
    w->facts.clock_ms = clock_ms;
    w->facts.created_ms = created_ms;
    for (uint32_t i = 0; i < w->facts.sections; i++)
        if (!section_flush(w, i)) return ERR_IO;
    if (!seal_end(w) || !seal_header(w) || atomic_load(&w->failed)) return ERR_IO;
    int result = w->io->fdatasync(w->io->ctx, w->fd);
    if (result == 0) return ERR_NONE;
    (void)writer_fail(w, result);
    return ERR_IO;
}

static void writer_free(struct checkpoint_writer *w)
{
    if (w->fd >= 0) (void)w->io->close(w->io->ctx, w->fd); /* synced by the seal, or given up */
    for (uint32_t i = 0; i < w->facts.sections; i++) buf_free(&w->sections[i].chunk);
    free(w);
}

void checkpoint_abandon(struct checkpoint_writer *w)
{
    if (w == NULL) return;
    if (w->fd >= 0) (void)w->io->unlink(w->io->ctx, w->path); /* else the next one overwrites it */
    writer_free(w);
}

/* --- reading --- */

struct chunk_place {
    uint64_t at; /* of the bytes */
    uint32_t section, bytes;
};

struct checkpoint {
    const struct journal_io *io;
    char path[PATH_BYTES];
    int fd;
    struct checkpoint_facts facts;
    struct chunk_place *chunks;
    size_t n, max;
    uint64_t section_bytes[CHECKPOINT_SECTIONS_MAX];
    uint32_t section_crc[CHECKPOINT_SECTIONS_MAX];
};

static void chunk_add(struct checkpoint *c, struct chunk_place place)
{
    if (c->n == c->max) {
        c->max = c->max ? 2 * c->max : 256;
        struct chunk_place *grown = realloc(c->chunks, c->max * sizeof *grown);
        BUG_IF(grown == NULL);
        c->chunks = grown;
    }
    c->chunks[c->n++] = place;
}

/* The end of the file at `at`, against what was read before it. */
static const char *check_end(struct checkpoint *c, uint64_t at, const uint32_t crcs[CHECKPOINT_SECTIONS_MAX])
{
    uint8_t bytes[END_HEAD_BYTES + END_SECTION_BYTES * CHECKPOINT_SECTIONS_MAX + 4];
    size_t len = END_HEAD_BYTES + END_SECTION_BYTES * c->facts.sections + 4;
    if (c->facts.bytes - at != len) return "the end has another length";
    if (journal_io_read(c->io, c->fd, bytes, len, at) < 0) return "the end cannot be read";
    struct bytes r = bytes_of(span_make(bytes, len));
    (void)bytes_u32(&r);
    if (bytes_u32(&r) != len - 8 || bytes_u64(&r) != at - HEADER_BYTES) return "the end names another length";
    for (uint32_t i = 0; i < c->facts.sections; i++) {
        uint64_t section_bytes = bytes_u64(&r);
        uint32_t crc = bytes_u32(&r);
        if (section_bytes != c->section_bytes[i]) return "a section has another length";
        if (crc != crcs[i]) return "a section has a wrong checksum";
        c->section_crc[i] = crc;
    }
    return bytes_u32(&r) == crc32c(0, bytes, len - 4) ? NULL : "the end has a wrong checksum";
}

/* One chunk at *at into scratch, indexed, and *at moved behind it. NULL: right. */
static const char *check_chunk(struct checkpoint *c, uint64_t *at, const uint32_t head[3], char *scratch,
                               uint32_t *crcs)
{
    if (head[0] >= c->facts.sections) return "a chunk of no section";
    if (head[1] == 0 || head[1] > CHUNK_BYTES_MAX) return "a chunk of an impossible length";
    if (c->facts.bytes - *at - CHUNK_HEAD_BYTES < head[1]) return "a chunk cut short";
    uint64_t begin = *at + CHUNK_HEAD_BYTES;
    if (journal_io_read(c->io, c->fd, scratch, head[1], begin) < 0) return "a chunk cannot be read";
    if (crc32c(crc32c(0, head, 8), scratch, head[1]) != head[2]) return "a chunk has a wrong checksum";
    crcs[head[0]] = crc32c(crcs[head[0]], scratch, head[1]);
    c->section_bytes[head[0]] += head[1];
    chunk_add(c, (struct chunk_place){begin, head[0], head[1]});
    *at = begin + head[1];
    return NULL;
}

/* Reads the whole file once. NULL: valid, else what is wrong and where. */
static const char *checkpoint_check(struct checkpoint *c, uint64_t *at)
{
    char header[HEADER_BYTES];
    *at = 0;
    if (c->io->size(c->io->ctx, c->fd, &c->facts.bytes) < 0) return "it cannot be read";
    if (c->facts.bytes < HEADER_BYTES) return "it is too short";
    if (journal_io_read(c->io, c->fd, header, sizeof header, 0) < 0) return "it cannot be read";
    if (!header_read(span_make(header, sizeof header), &c->facts)) return "not the head of a checkpoint";
    uint32_t crcs[CHECKPOINT_SECTIONS_MAX] = {0};
    char *scratch = malloc(CHUNK_BYTES_MAX);
    BUG_IF(scratch == NULL);
    const char *wrong = NULL;
    *at = HEADER_BYTES;
    while (wrong == NULL) {
        uint32_t head[3];
        if (c->facts.bytes - *at < CHUNK_HEAD_BYTES) wrong = "it has no end";
        else if (journal_io_read(c->io, c->fd, head, sizeof head, *at) < 0) wrong = "it cannot be read";
        else if (head[0] == END_MARK) break;
        else wrong = check_chunk(c, at, head, scratch, crcs);
    }
    free(scratch);
    return wrong ? wrong : check_end(c, *at, crcs);
}

void checkpoint_close(struct checkpoint *c)
{
    if (c == NULL) return;
    if (c->fd >= 0) (void)c->io->close(c->io->ctx, c->fd);
    free(c->chunks);
    free(c);
}

/* NULL: not there, or not valid (logged). */
static struct checkpoint *checkpoint_open(const struct journal_io *io, const char *dir, uint64_t number)
{
    struct checkpoint *c = calloc(1, sizeof *c);
    BUG_IF(c == NULL);
    c->io = io;
    checkpoint_path(c->path, dir, number);
    c->fd = io->open(io->ctx, c->path, JOURNAL_OPEN_READ);
    uint64_t at = 0;
    const char *wrong = c->fd < 0 ? "it cannot be opened" : checkpoint_check(c, &at);
    c->facts.number = number;
    if (wrong == NULL) return c;
    LOG_ERR("checkpoint_damaged", "file=%s at=%llu found=\"%s\"", c->path, (unsigned long long)at, wrong);
    checkpoint_close(c);
    return NULL;
}

/* Out of the way, so that it is never counted as the one to fall back to; kept for whoever wants to look. */
static void set_aside(const struct journal_io *io, const char *dir, const uint64_t *numbers, size_t n)
{
    char path[PATH_BYTES], aside[PATH_BYTES + 16];
    for (size_t i = 0; i < n; i++) {
        checkpoint_path(path, dir, numbers[i]);
        (void)snprintf(aside, sizeof aside, "%s.damaged", path);
        int result = io->rename(io->ctx, path, aside);
        if (result < 0) LOG_WRN("checkpoint_set_aside", "file=%s error=\"%s\"", path, strerror(-result));
    }
}

enum err checkpoint_find(const struct journal_io *io, const char *dir, uint64_t first_segment, struct checkpoint **out,
                         char why[JOURNAL_WHY_BYTES])
{
    struct numbers found;
    *out = NULL;
    why[0] = 0;
    int result = numbers_list(io, dir, &found);
    if (result < 0) {
        journal_say(why, "cannot list %s: %s", dir, strerror(-result));
        return ERR_IO;
    }
    for (size_t i = 0; i < found.n; i++) {
        struct checkpoint *c = checkpoint_open(io, dir, found.items[i]);
        if (c == NULL) continue;
        if (c->facts.position.segment >= first_segment || c->facts.position.segment == 0) {
            *out = c;
            set_aside(io, dir, found.items, i);
            return ERR_NONE;
        }
        LOG_ERR("checkpoint_unusable", "file=%s needs_segment=%llu first_segment=%llu", c->path,
                (unsigned long long)c->facts.position.segment, (unsigned long long)first_segment);
        checkpoint_close(c);
    }
    if (first_segment <= 1) {
        set_aside(io, dir, found.items, found.n);
        return ERR_NONE;
    }
    journal_say(why, "%s has no valid checkpoint and its journal begins with segment %llu: what was before is missing",
                dir, (unsigned long long)first_segment);
    return ERR_CORRUPT;
}

const struct checkpoint_facts *checkpoint_facts(const struct checkpoint *c)
{
    return &c->facts;
}

uint64_t checkpoint_section_bytes(const struct checkpoint *c, uint32_t section)
{
    BUG_IF(section >= c->facts.sections);
    return c->section_bytes[section];
}

enum err checkpoint_section(const struct checkpoint *c, uint32_t section, struct buf *out)
{
    BUG_IF(section >= c->facts.sections);
    buf_clear(out);
    for (size_t i = 0; i < c->n; i++) {
        const struct chunk_place *place = &c->chunks[i];
        if (place->section != section) continue;
        char *room = buf_room(out, place->bytes);
        if (room == NULL) return ERR_FULL;
        if (journal_io_read(c->io, c->fd, room, place->bytes, place->at) < 0) return ERR_IO;
        buf_claim(out, place->bytes);
    }
    return crc32c(0, out->ptr, out->len) == c->section_crc[section] ? ERR_NONE : ERR_CORRUPT;
}

/* --- commit --- */

/* The position of a checkpoint that was written by us or checked at start: its header is enough. */
static bool kept_position(const struct checkpoint_writer *w, uint64_t number, struct journal_position *out)
{
    char path[PATH_BYTES], header[HEADER_BYTES];
    struct checkpoint_facts facts;
    checkpoint_path(path, w->dir, number);
    int fd = w->io->open(w->io->ctx, path, JOURNAL_OPEN_READ);
    if (fd < 0) return false;
    int result = journal_io_read(w->io, fd, header, sizeof header, 0);
    (void)w->io->close(w->io->ctx, fd);
    if (result < 0 || !header_read(span_make(header, sizeof header), &facts)) return false;
    *out = facts.position;
    return true;
}

enum err checkpoint_commit(struct checkpoint_writer *w, struct checkpoint_facts *out, struct journal_position *needed)
{
    BUG_IF(!w->sealed);
    BUG_IF(atomic_load(&w->failed));
    struct numbers found;
    char path[PATH_BYTES];
    int result = numbers_list(w->io, w->dir, &found);
    if (result < 0) goto failed;
    w->facts.number = found.n ? found.items[0] + 1 : 1;
    w->facts.bytes = atomic_load(&w->at);
    checkpoint_path(path, w->dir, w->facts.number);
    result = w->io->rename(w->io->ctx, w->path, path);
    if (result < 0) goto failed;
    result = w->io->sync_dir(w->io->ctx, w->dir);
    if (result < 0) goto failed;
    *out = w->facts;
    /* The one before stays with its segments; without one the whole journal is the second way to start. */
    *needed = (struct journal_position){1, 0};
    if (found.n && !kept_position(w, found.items[0], needed)) *needed = (struct journal_position){1, 0};
    for (size_t i = KEEP - 1; i < found.n; i++) {
        checkpoint_path(path, w->dir, found.items[i]);
        (void)w->io->unlink(w->io->ctx, path); /* tried again after the next */
    }
    writer_free(w);
    return ERR_NONE;
failed:
    (void)writer_fail(w, result);
    checkpoint_abandon(w);
    return ERR_IO;
}
