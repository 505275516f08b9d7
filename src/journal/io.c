/* SPDX-License-Identifier: Apache-2.0
 * The journal's file operations on real files. */
#include "journal/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int or_errno(int result)
{
    return result < 0 ? -errno : result;
}

static int files_open(void *ctx, const char *path, enum journal_open_how how)
{
    (void)ctx;
    switch (how) {
    case JOURNAL_OPEN_READ: return or_errno(open(path, O_RDONLY | O_CLOEXEC));
    case JOURNAL_OPEN_EDIT: return or_errno(open(path, O_RDWR | O_CLOEXEC));
    case JOURNAL_OPEN_CREATE: return or_errno(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    }
    return -EINVAL;
}

static int files_close(void *ctx, int fd)
{
    (void)ctx;
    return or_errno(close(fd));
}

static ssize_t files_pread(void *ctx, int fd, void *out, size_t len, uint64_t offset)
{
    (void)ctx;
    ssize_t n = pread(fd, out, len, (off_t)offset);
    return n < 0 ? -errno : n;
}

static ssize_t files_pwrite(void *ctx, int fd, const void *bytes, size_t len, uint64_t offset)
{
    (void)ctx;
    ssize_t n = pwrite(fd, bytes, len, (off_t)offset);
    return n < 0 ? -errno : n;
}

static int files_fdatasync(void *ctx, int fd)
{
    (void)ctx;
    return or_errno(fdatasync(fd));
}

static int files_ftruncate(void *ctx, int fd, uint64_t bytes)
{
    (void)ctx;
    return or_errno(ftruncate(fd, (off_t)bytes));
}

static int files_size(void *ctx, int fd, uint64_t *bytes)
{
    (void)ctx;
    struct stat facts;
    if (fstat(fd, &facts) < 0) return -errno;
    *bytes = (uint64_t)facts.st_size;
    return 0;
}

static int files_rename(void *ctx, const char *from, const char *to)
{
    (void)ctx;
    return or_errno(rename(from, to));
}

static int files_unlink(void *ctx, const char *path)
{
    (void)ctx;
    return or_errno(unlink(path));
}

static int files_sync_dir(void *ctx, const char *dir)
{
    (void)ctx;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int result = or_errno(fsync(fd));
    (void)close(fd);
    return result;
}

static int files_mkdir(void *ctx, const char *dir)
{
    if (mkdir(dir, 0700) < 0) return errno == EEXIST ? 0 : -errno;
    /* The new directory's own entry must survive a crash too. */
    char parent[JOURNAL_PATH_MAX];
    int n = snprintf(parent, sizeof parent, "%s/..", dir);
    if (n < 0 || (size_t)n >= sizeof parent) return -ENAMETOOLONG;
    return files_sync_dir(ctx, parent);
}

static int files_list(void *ctx, const char *dir, void (*name)(void *to, const char *name), void *to)
{
    (void)ctx;
    DIR *d = opendir(dir);
    if (d == NULL) return -errno;
    const struct dirent *entry;
    while (errno = 0, (entry = readdir(d)) != NULL)
        if (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN) name(to, entry->d_name);
    int result = -errno;
    (void)closedir(d);
    return result;
}

static int files_space(void *ctx, const char *dir, uint64_t *free_bytes, uint64_t *total_bytes)
{
    (void)ctx;
    struct statvfs facts;
    if (statvfs(dir, &facts) < 0) return -errno;
    *free_bytes = (uint64_t)facts.f_bavail * facts.f_frsize;
    *total_bytes = (uint64_t)facts.f_blocks * facts.f_frsize;
    return 0;
}

static int files_lock(void *ctx, const char *path)
{
    (void)ctx;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int why = errno;
        (void)close(fd);
        return -why;
    }
    return fd;
}

const struct journal_io *journal_io_files(void)
{
    static const struct journal_io files = {
        .open = files_open,
        .close = files_close,
        .pread = files_pread,
        .pwrite = files_pwrite,
        .fdatasync = files_fdatasync,
        .ftruncate = files_ftruncate,
        .size = files_size,
        .rename = files_rename,
        .unlink = files_unlink,
        .mkdir = files_mkdir,
        .sync_dir = files_sync_dir,
        .list = files_list,
        .space = files_space,
        .lock = files_lock,
    };
    return &files;
}

int journal_io_write(const struct journal_io *io, int fd, struct span bytes, uint64_t offset)
{
    while (bytes.len) {
        ssize_t n = io->pwrite(io->ctx, fd, bytes.ptr, bytes.len, offset);
        if (n == -EINTR) continue;
        if (n < 0) return (int)n;
        if (n == 0) return -EIO;
        BUG_IF((size_t)n > bytes.len);
        bytes = span_from(bytes, (size_t)n);
        offset += (uint64_t)n;
    }
    return 0;
}

int journal_io_read(const struct journal_io *io, int fd, void *out, size_t len, uint64_t offset)
{
    char *to = out;
    while (len) {
        ssize_t n = io->pread(io->ctx, fd, to, len, offset);
        if (n == -EINTR) continue;
        if (n < 0) return (int)n;
        if (n == 0) return -ENODATA;
        BUG_IF((size_t)n > len);
        to += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}
