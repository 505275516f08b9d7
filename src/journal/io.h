/* SPDX-License-Identifier: Apache-2.0
 * The few file operations the journal and its checkpoints need, as a table, so that tests can fail the n-th of them,
 * lose what was never synced, and cut a write short. Every function answers >= 0, or -errno. Any thread may call. */
#ifndef FF_JOURNAL_IO_H
#define FF_JOURNAL_IO_H

#include <sys/types.h>

#include "base/base.h"

enum { JOURNAL_PATH_MAX = 1024 };

enum journal_open_how {
    JOURNAL_OPEN_READ,
    JOURNAL_OPEN_EDIT,   /* there already, to read and write */
    JOURNAL_OPEN_CREATE, /* made, or emptied, to read and write */
};

struct journal_io {
    void *ctx;
    int (*open)(void *ctx, const char *path, enum journal_open_how how); /* a descriptor */
    int (*close)(void *ctx, int fd);
    ssize_t (*pread)(void *ctx, int fd, void *out, size_t len, uint64_t offset);
    ssize_t (*pwrite)(void *ctx, int fd, const void *bytes, size_t len, uint64_t offset); /* may be short */
    int (*fdatasync)(void *ctx, int fd);
    int (*ftruncate)(void *ctx, int fd, uint64_t bytes);
    int (*size)(void *ctx, int fd, uint64_t *bytes);
    int (*rename)(void *ctx, const char *from, const char *to);
    int (*unlink)(void *ctx, const char *path);
    int (*mkdir)(void *ctx, const char *dir); /* there already: 0 */
    int (*sync_dir)(void *ctx, const char *dir);
    /* Every plain file of dir, in no order. */
    int (*list)(void *ctx, const char *dir, void (*name)(void *to, const char *name), void *to);
    /* What an ordinary user may still write, and the size of the file system. */
    int (*space)(void *ctx, const char *dir, uint64_t *free_bytes, uint64_t *total_bytes);
    /* Makes the file if need be and holds it until the descriptor is closed; -EWOULDBLOCK: another process holds it. */
    int (*lock)(void *ctx, const char *path);
};

/* The real thing. */
const struct journal_io *journal_io_files(void);

/* Whole writes and reads over the table: short ones are carried on, EINTR is tried again. 0 or -errno;
 * a read that meets the end of the file is -ENODATA. */
int journal_io_write(const struct journal_io *io, int fd, struct span bytes, uint64_t offset) MUST_USE;
int journal_io_read(const struct journal_io *io, int fd, void *out, size_t len, uint64_t offset) MUST_USE;

#endif
