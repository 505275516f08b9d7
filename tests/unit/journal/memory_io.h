/* SPDX-License-Identifier: Apache-2.0
 * A file system in memory that behaves as badly as a disk may, after the example of sqlite's crash tests.
 *
 * What was written but not synced is a list of operations. A power loss decides the fate of each: done, not done, done
 * in part, or garbage in its place. Names made, changed or removed since the last sync of the directory survive up to
 * some point. A sync that fails leaves its operations in doubt for ever, even when a later sync succeeds. Operation
 * number fail_at fails (once, or from then on); at number crash_at the world stands still until memory_crash or
 * memory_kill begins a new life. Thread-safe. */
#ifndef FF_TESTS_MEMORY_IO_H
#define FF_TESTS_MEMORY_IO_H

#include "base/buf.h"
#include "journal/io.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { MEMORY_FILES = 256, MEMORY_FDS = 512, MEMORY_NAME = 192, MEMORY_FILE_BYTES = 256 << 20 };

struct memory_op {
    struct memory_op *next;
    bool truncate, doubtful;
    uint64_t offset; /* or the new size */
    size_t len;
    char *bytes; /* behind this struct */
};

struct memory_file {
    bool used;
    struct buf now, durable;
    struct memory_op *ops, **ops_end; /* since the last good sync */
};

struct memory_names {
    struct {
        char name[MEMORY_NAME];
        int file;
    } items[MEMORY_FILES];
    size_t n;
};

struct memory_io {
    struct journal_io io;
    pthread_mutex_t lock;
    struct memory_file files[MEMORY_FILES];
    struct memory_names names, durable_names;
    struct memory_names *steps; /* the names after each change since the last sync of the directory */
    size_t step_count, step_max;
    int fds[MEMORY_FDS]; /* file + 1 */
    uint64_t random;
    long ops, fail_at, crash_at; /* 0: never */
    bool fail_for_ever, crashed;
    unsigned free_percent;
    size_t pwrite_max; /* 0: no short writes */
};

static inline uint64_t memory_random(struct memory_io *m)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return m->random;
}

/* Counts an operation. 0, or what it fails with. */
static inline int memory_step(struct memory_io *m)
{
    if (m->crashed) return -EIO;
    m->ops++;
    if (m->ops == m->crash_at) {
        m->crashed = true;
        return -EIO;
    }
    if (m->fail_at && (m->ops == m->fail_at || (m->fail_for_ever && m->ops > m->fail_at)))
        return memory_random(m) % 2 ? -EIO : -ENOSPC;
    return 0;
}

static inline int memory_name(const struct memory_names *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->items[i].name, name) == 0) return (int)i;
    return -1;
}

static inline void memory_changed(struct memory_io *m)
{
    if (m->step_count == m->step_max) {
        m->step_max = m->step_max ? 2 * m->step_max : 8;
        m->steps = realloc(m->steps, m->step_max * sizeof m->steps[0]);
        BUG_IF(m->steps == NULL);
    }
    m->steps[m->step_count++] = m->names;
}

static inline void memory_ops_free(struct memory_file *f)
{
    while (f->ops) {
        struct memory_op *next = f->ops->next;
        free(f->ops);
        f->ops = next;
    }
    f->ops_end = &f->ops;
}

static inline void memory_put(struct buf *b, uint64_t offset, const void *bytes, size_t len)
{
    while (b->len < offset + len) buf_addc(b, 0);
    if (len) memcpy(b->ptr + offset, bytes, len);
}

static inline void memory_cut(struct buf *b, uint64_t size)
{
    while (b->len < size) buf_addc(b, 0);
    b->len = (size_t)size;
}

static inline void memory_op_do(struct buf *b, const struct memory_op *op)
{
    if (op->truncate) memory_cut(b, op->offset);
    else memory_put(b, op->offset, op->bytes, op->len);
}

static inline struct memory_op *memory_op_add(struct memory_file *f, bool truncate, uint64_t offset, const void *bytes,
                                              size_t len)
{
    struct memory_op *op = calloc(1, sizeof *op + len);
    BUG_IF(op == NULL);
    op->truncate = truncate;
    op->offset = offset;
    op->len = len;
    op->bytes = (char *)(op + 1);
    if (len) memcpy(op->bytes, bytes, len);
    *f->ops_end = op;
    f->ops_end = &op->next;
    memory_op_do(&f->now, op);
    return op;
}

static inline struct memory_file *memory_file_of(struct memory_io *m, int fd)
{
    BUG_IF(fd < 0 || fd >= MEMORY_FDS || m->fds[fd] == 0);
    return &m->files[m->fds[fd] - 1];
}

/* Files that nobody holds and no possible directory names. */
static inline void memory_sweep(struct memory_io *m)
{
    for (int i = 0; i < MEMORY_FILES; i++) {
        struct memory_file *f = &m->files[i];
        bool wanted = !f->used;
        for (int fd = 0; fd < MEMORY_FDS; fd++) wanted |= m->fds[fd] == i + 1;
        for (size_t n = 0; n < m->names.n; n++) wanted |= m->names.items[n].file == i;
        for (size_t n = 0; n < m->durable_names.n; n++) wanted |= m->durable_names.items[n].file == i;
        for (size_t s = 0; s < m->step_count; s++)
            for (size_t n = 0; n < m->steps[s].n; n++) wanted |= m->steps[s].items[n].file == i;
        if (wanted) continue;
        memory_ops_free(f);
        buf_free(&f->now);
        buf_free(&f->durable);
        f->used = false;
    }
}

static inline int memory_open_file(struct memory_io *m, const char *path, enum journal_open_how how)
{
    int at = memory_name(&m->names, path), file;
    if (at >= 0) {
        file = m->names.items[at].file;
        if (how == JOURNAL_OPEN_CREATE) (void)memory_op_add(&m->files[file], true, 0, NULL, 0);
    } else {
        if (how != JOURNAL_OPEN_CREATE) return -ENOENT;
        for (file = 0; file < MEMORY_FILES && m->files[file].used; file++) {}
        if (file == MEMORY_FILES) {
            memory_sweep(m);
            for (file = 0; file < MEMORY_FILES && m->files[file].used; file++) {}
        }
        BUG_IF(file == MEMORY_FILES || m->names.n == MEMORY_FILES || strlen(path) >= MEMORY_NAME);
        struct memory_file *f = &m->files[file];
        f->used = true;
        f->ops_end = &f->ops;
        buf_init(&f->now, MEMORY_FILE_BYTES);
        buf_init(&f->durable, MEMORY_FILE_BYTES);
        memcpy(m->names.items[m->names.n].name, path, strlen(path) + 1);
        m->names.items[m->names.n++].file = file;
        memory_changed(m);
    }
    for (int fd = 0; fd < MEMORY_FDS; fd++)
        if (m->fds[fd] == 0) {
            m->fds[fd] = file + 1;
            return fd;
        }
    return -EMFILE;
}

static inline int memory_open(void *ctx, const char *path, enum journal_open_how how)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    int result = how == JOURNAL_OPEN_READ ? (m->crashed ? -EIO : 0) : memory_step(m);
    if (result == 0) result = memory_open_file(m, path, how);
    (void)pthread_mutex_unlock(&m->lock);
    return result;
}

static inline int memory_close(void *ctx, int fd)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    (void)memory_file_of(m, fd);
    m->fds[fd] = 0;
    (void)pthread_mutex_unlock(&m->lock);
    return 0;
}

static inline ssize_t memory_pread(void *ctx, int fd, void *out, size_t len, uint64_t offset)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    const struct buf *now = &memory_file_of(m, fd)->now;
    ssize_t result = m->crashed ? -EIO : 0;
    if (result == 0 && offset < now->len) {
        if (len > now->len - offset) len = now->len - (size_t)offset;
        memcpy(out, now->ptr + offset, len);
        result = (ssize_t)len;
    }
    (void)pthread_mutex_unlock(&m->lock);
    return result;
}

static inline ssize_t memory_pwrite(void *ctx, int fd, const void *bytes, size_t len, uint64_t offset)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    bool was_crashed = m->crashed;
    ssize_t result = memory_step(m);
    if (m->pwrite_max && len > m->pwrite_max) len = m->pwrite_max;
    /* A write that fails, or during which the world ends, has done some part of its work. */
    size_t done = result == 0 ? len : was_crashed ? 0 : (size_t)(memory_random(m) % (len + 1));
    if (done) (void)memory_op_add(memory_file_of(m, fd), false, offset, bytes, done);
    (void)pthread_mutex_unlock(&m->lock);
    return result == 0 ? (ssize_t)len : result;
}

/* What later, durable operations leave of one that is in doubt; false: nothing. */
static inline bool memory_left(struct memory_op *op)
{
    if (op->truncate) return true;
    for (const struct memory_op *later = op->next; later; later = later->next) {
        uint64_t end = op->offset + op->len, from = later->offset;
        uint64_t to = later->truncate ? UINT64_MAX : from + later->len;
        if (later->doubtful || from >= end || to <= op->offset) continue;
        if (to >= end) op->len = from > op->offset ? (size_t)(from - op->offset) : 0;
        if (from <= op->offset && op->len) {
            op->bytes += to - op->offset;
            op->len -= (size_t)(to - op->offset);
            op->offset = to;
        }
        if (op->len == 0) return false;
    }
    return true;
}

static inline int memory_fdatasync(void *ctx, int fd)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    struct memory_file *f = memory_file_of(m, fd);
    bool was_crashed = m->crashed;
    int result = memory_step(m);
    if (result < 0 && !was_crashed) {
        for (struct memory_op *op = f->ops; op; op = op->next) op->doubtful = true;
    } else if (result == 0) {
        struct memory_op **at = &f->ops;
        while (*at) {
            struct memory_op *op = *at;
            if (op->doubtful && memory_left(op)) {
                at = &op->next;
                continue;
            }
            if (!op->doubtful) memory_op_do(&f->durable, op);
            *at = op->next;
            free(op);
        }
        f->ops_end = at;
    }
    (void)pthread_mutex_unlock(&m->lock);
    return result;
}

static inline int memory_ftruncate(void *ctx, int fd, uint64_t bytes)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    int result = memory_step(m);
    if (result == 0) (void)memory_op_add(memory_file_of(m, fd), true, bytes, NULL, 0);
    (void)pthread_mutex_unlock(&m->lock);
    return result;
}

static inline int memory_size(void *ctx, int fd, uint64_t *bytes)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    *bytes = memory_file_of(m, fd)->now.len;
    (void)pthread_mutex_unlock(&m->lock);
    return 0;
}

static inline void memory_name_remove(struct memory_names *names, int at)
{
    names->items[at] = names->items[--names->n];
}

static inline int memory_rename(void *ctx, const char *from, const char *to)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    int result = memory_step(m);
    if (result == 0 && memory_name(&m->names, from) < 0) result = -ENOENT;
    if (result == 0) {
        int target = memory_name(&m->names, to);
        if (target >= 0) memory_name_remove(&m->names, target);
        int at = memory_name(&m->names, from);
        BUG_IF(strlen(to) >= MEMORY_NAME);
        memcpy(m->names.items[at].name, to, strlen(to) + 1);
        memory_changed(m);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return result;
}

static inline int memory_unlink(void *ctx, const char *path)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    int result = memory_step(m);
    int at = memory_name(&m->names, path);
    if (result == 0 && at < 0) result = -ENOENT;
    if (result == 0) {
        memory_name_remove(&m->names, at);
        memory_changed(m);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return result;
}

static inline int memory_mkdir(void *ctx, const char *dir)
{
    (void)ctx, (void)dir;
    return 0;
}

static inline int memory_sync_dir(void *ctx, const char *dir)
{
    struct memory_io *m = ctx;
    (void)dir;
    (void)pthread_mutex_lock(&m->lock);
    int result = memory_step(m);
    if (result == 0) {
        m->durable_names = m->names;
        m->step_count = 0;
    }
    (void)pthread_mutex_unlock(&m->lock);
    return result;
}

static inline int memory_list(void *ctx, const char *dir, void (*name)(void *to, const char *name), void *to)
{
    struct memory_io *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    int result = m->crashed ? -EIO : 0;
    size_t len = strlen(dir) + 1;
    for (size_t i = 0; i < m->names.n && result == 0; i++) name(to, m->names.items[i].name + len);
    (void)pthread_mutex_unlock(&m->lock);
    return result;
}

static inline int memory_space(void *ctx, const char *dir, uint64_t *free_bytes, uint64_t *total_bytes)
{
    struct memory_io *m = ctx;
    (void)dir;
    (void)pthread_mutex_lock(&m->lock);
    *free_bytes = m->free_percent;
    *total_bytes = 100;
    (void)pthread_mutex_unlock(&m->lock);
    return 0;
}

static inline int memory_lock(void *ctx, const char *path)
{
    return memory_open(ctx, path, JOURNAL_OPEN_CREATE);
}

static inline struct memory_io *memory_new(uint64_t seed)
{
    struct memory_io *m = calloc(1, sizeof *m);
    BUG_IF(m == NULL);
    BUG_IF(pthread_mutex_init(&m->lock, NULL) != 0);
    m->random = seed * 0x9E3779B97F4A7C15u + 1;
    m->free_percent = 50;
    m->io = (struct journal_io){m, memory_open, memory_close, memory_pread, memory_pwrite, memory_fdatasync,
                                memory_ftruncate, memory_size, memory_rename, memory_unlink, memory_mkdir,
                                memory_sync_dir, memory_list, memory_space, memory_lock};
    return m;
}

static inline void memory_free(struct memory_io *m)
{
    for (size_t i = 0; i < MEMORY_FILES; i++) {
        struct memory_file *f = &m->files[i];
        if (!f->used) continue;
        memory_ops_free(f);
        buf_free(&f->now);
        buf_free(&f->durable);
    }
    free(m->steps);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

static inline void memory_again(struct memory_io *m)
{
    memset(m->fds, 0, sizeof m->fds);
    m->crashed = m->fail_for_ever = false;
    m->crash_at = m->fail_at = 0;
    m->ops = 0;
}

/* The process died, the machine lives: everything written is there. All users must be gone. */
static inline void memory_kill(struct memory_io *m)
{
    memory_again(m);
}

static inline void memory_fate(struct memory_io *m, struct memory_file *f, struct memory_op *op)
{
    if (op->truncate) {
        if (memory_random(m) % 2) memory_op_do(&f->durable, op);
        return;
    }
    switch (memory_random(m) % 4) {
    case 0: memory_op_do(&f->durable, op); break;
    case 1: break;
    case 2:
        op->len = (size_t)(memory_random(m) % (op->len + 1));
        memory_op_do(&f->durable, op);
        break;
    default: {
        size_t from = (size_t)(memory_random(m) % (op->len + 1));
        /* Garbage where the file grew; what is overwritten in place has its old or its new bytes. */
        for (size_t i = from; i < op->len && i < from + 64; i++)
            if (op->offset + i >= f->durable.len) op->bytes[i] = (char)memory_random(m);
        memory_op_do(&f->durable, op);
    }
    }
}

/* The power went. All users must be gone. */
static inline void memory_crash(struct memory_io *m)
{
    m->names = m->durable_names;
    size_t survives = (size_t)(memory_random(m) % (m->step_count + 1));
    if (survives) m->names = m->steps[survives - 1];
    m->durable_names = m->names;
    m->step_count = 0;
    for (size_t i = 0; i < MEMORY_FILES; i++) {
        struct memory_file *f = &m->files[i];
        if (!f->used) continue;
        for (struct memory_op *op = f->ops; op; op = op->next) memory_fate(m, f, op);
        memory_ops_free(f);
        buf_clear(&f->now);
        buf_add_span(&f->now, buf_span(&f->durable));
        bool named = false;
        for (size_t n = 0; n < m->names.n; n++) named |= m->names.items[n].file == (int)i;
        if (named) continue;
        buf_free(&f->now);
        buf_free(&f->durable);
        f->used = false;
    }
    memory_again(m);
}

/* The bytes of a file as they are now; NULL when there is none. Not while anything runs. */
static inline struct buf *memory_bytes(struct memory_io *m, const char *path)
{
    int at = memory_name(&m->names, path);
    return at < 0 ? NULL : &m->files[m->names.items[at].file].now;
}

#endif
