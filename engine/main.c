/* SPDX-License-Identifier: Apache-2.0
 *
 * firstframe-engine: ClickHouse in a process of its own, with ClickHouse's HTTP interface on a Unix
 * socket in its data directory. `firstframe serve` starts and supervises it and talks to it as to
 * any ClickHouse server.
 *
 *   DIR/engine.lock   held while the engine runs
 *   DIR/NAME          the socket, mode 0600
 *   DIR/store/        ClickHouse's files
 *
 * It ends by SIGTERM, SIGINT or SIGHUP, and with --parent-fd also when the other end of that pipe
 * is closed or the thread that started it is gone. It always closes ClickHouse first: a process
 * that exits with merges running crashes.
 *
 * Exit codes: 0 ended as asked, 1 failed, 2 wrong usage, 3 the directory is in use. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <http_parser.h>
#include <inttypes.h>
#include <poll.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "chdb.h"
#include "http.h"
#include "pool.h"
#include "server.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_IN_USE = 3 };

enum { CLIENTS_MAX = 64, WAITING_MAX = 48, WAIT_MS_MAX = 30000, GRACE_MS = 5000, LOCK_TRIES = 20 };

struct options {
    const char *data;
    const char *socket;
    long threads;
    uint64_t memory_bytes_max;
    int parent_fd;
};

static int fail(int code, const char *what, const char *detail)
{
    fprintf(stderr, "firstframe-engine: %s%s%s\n", what, detail[0] == '\0' ? "" : ": ", detail);
    return code;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: firstframe-engine --data DIR --socket NAME [--threads N] [--max-memory BYTES] "
            "[--parent-fd FD]\n");
    return EXIT_USAGE;
}

static bool read_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || n < min || n > max) {
        return false;
    }
    *out = n;
    return true;
}

/* Half of the machine: the server beside it, and the page cache, need the rest. */
static uint64_t default_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 2 : (uint64_t)1 << 30;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"data", required_argument, NULL, 'd'},      {"socket", required_argument, NULL, 's'},
        {"threads", required_argument, NULL, 't'},   {"max-memory", required_argument, NULL, 'm'},
        {"parent-fd", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0},
    };
    *o = (struct options){.threads = 4, .memory_bytes_max = default_memory(), .parent_fd = -1};
    int c;
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        uint64_t n = 0;
        if (c == 'd') {
            o->data = optarg;
        } else if (c == 's') {
            o->socket = optarg;
        } else if (c == 't' && read_number(optarg, 1, 64, &n)) {
            o->threads = (long)n;
        } else if (c == 'm' && read_number(optarg, (uint64_t)64 << 20, (uint64_t)1 << 50, &n)) {
            o->memory_bytes_max = n;
        } else if (c == 'p' && read_number(optarg, 3, 1 << 20, &n)) {
            o->parent_fd = (int)n;
        } else {
            return false;
        }
    }
    return optind == argc && o->data != NULL && o->socket != NULL && o->socket[0] != '\0' &&
           strchr(o->socket, '/') == NULL &&
           strlen(o->socket) < sizeof((struct sockaddr_un *)0)->sun_path;
}

/* The process around ClickHouse: private files, many descriptors, dates in UTC whatever the machine
 * says (partitions are days), and the first to go when memory runs out: it can be restarted. */
static void prepare_process(const struct options *o)
{
    umask(077);
    setenv("TZ", "UTC", 1);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        (void)!write(fd, "300", 3);
        close(fd);
    }
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null,
                   STDOUT_FILENO); /* the library writes what is left of a cancelled result there */
        close(null);
    }
    if (o->parent_fd >= 0) {
        (void)fcntl(o->parent_fd, F_SETFD, FD_CLOEXEC);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    }
    http_parser_set_max_header_size(HTTP_URL_BYTES_MAX + HTTP_HEADER_BYTES_MAX);
}

/* Blocked before any thread is made, so that every thread inherits it and only the main loop sees
 * them. */
static int open_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return pthread_sigmask(SIG_BLOCK, &set, NULL) == 0
               ? signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)
               : -1;
}

/* An engine whose parent was killed needs a moment to close, so one try is not enough. */
static bool lock_directory(void)
{
    int fd = open("engine.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return true; /* held until the process ends */
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            break;
        }
        struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
        (void)nanosleep(&pause, NULL);
    }
    int why = errno;
    close(fd);
    errno = why;
    return false;
}

static int open_socket(const char *name)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path, name, strlen(name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct stat old;
    if (lstat(name, &old) == 0 && S_ISSOCK(old.st_mode)) {
        (void)unlink(name); /* left by an engine that was killed: the lock says there is no other */
    }
    if (bind(fd, (const struct sockaddr *)&addr, sizeof addr) != 0 || chmod(name, 0600) != 0 ||
        listen(fd, 128) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* What comes through the pipe does not matter; its end does. */
static bool parent_gone(int fd)
{
    char bytes[64];
    ssize_t n = read(fd, bytes, sizeof bytes);
    return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
}

/* Accepts until told to stop; answers the time that requests under way have to end. */
static int serve(struct server *server, int listen_fd, int signal_fd, int parent_fd)
{
    struct pollfd fds[] = {
        {.fd = signal_fd, .events = POLLIN},
        {.fd = listen_fd, .events = POLLIN},
        {.fd = parent_fd, .events = POLLIN}, /* -1 is passed over */
    };
    for (;;) {
        if (poll(fds, COUNT(fds), -1) < 0) {
            continue;
        }
        if (fds[0].revents != 0) {
            return GRACE_MS;
        }
        if (fds[2].revents != 0 && parent_gone(parent_fd)) {
            return 0; /* nobody waits for an answer */
        }
        if (fds[1].revents != 0) {
            int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
            if (fd >= 0) {
                server_accept(server, fd);
            } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
                struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
                (void)nanosleep(&pause, NULL);
            }
        }
    }
}

static int run(const struct options *o, struct pool *pool, int signal_fd)
{
    int listen_fd = open_socket(o->socket);
    if (listen_fd < 0) {
        return fail(EXIT_FAILED, "cannot listen on the socket", strerror(errno));
    }
    struct server *server = server_new(pool, CLIENTS_MAX);
    if (server == NULL) {
        return fail(EXIT_FAILED, "out of memory", "");
    }
    fprintf(stderr, "firstframe-engine: ready socket=%s pid=%ld chdb=%s\n", o->socket,
            (long)getpid(), chdb_version());
    int grace_ms = serve(server, listen_fd, signal_fd, o->parent_fd);
    close(listen_fd);
    (void)unlink(o->socket);
    if (!server_stop(server, grace_ms)) {
        /* Threads are still inside ClickHouse, so it cannot be closed; its files are safe at any
         * instant. */
        fail(EXIT_FAILED, "a statement would not end, leaving without closing", "");
        _exit(EXIT_FAILED);
    }
    server_free(server);
    return 0;
}

int main(int argc, char **argv)
{
    struct options o;
    if (!read_options(argc, argv, &o)) {
        return usage();
    }
    prepare_process(&o);
    if ((mkdir(o.data, 0700) != 0 && errno != EEXIST) || chdir(o.data) != 0) {
        return fail(EXIT_FAILED, o.data, strerror(errno));
    }
    if (!lock_directory()) {
        bool taken = errno == EWOULDBLOCK;
        return taken ? fail(EXIT_IN_USE, o.data, "another engine is using this data directory")
                     : fail(EXIT_FAILED, "engine.lock", strerror(errno));
    }
    int signal_fd = open_signals();
    if (signal_fd < 0) {
        return fail(EXIT_FAILED, "signals", strerror(errno));
    }
    /* Absolute: ClickHouse prefixes a relative path once more when it syncs a part's directory. */
    char data_path[PATH_MAX];
    if (getcwd(data_path, sizeof data_path - sizeof "/store") == NULL) {
        return fail(EXIT_FAILED, o.data, strerror(errno));
    }
    strncat(data_path, "/store", sizeof data_path - strlen(data_path) - 1);
    chdb_set_signal_handlers_enabled(0);
    struct pool_options po = {.connections = (size_t)o.threads,
                              .waiting_max = WAITING_MAX,
                              .wait_ms_max = WAIT_MS_MAX,
                              .data_path = data_path,
                              .memory_bytes_max = o.memory_bytes_max};
    const char *why = NULL;
    struct pool *pool = pool_open(&po, &why);
    if (pool == NULL) {
        return fail(EXIT_FAILED, o.data, why);
    }
    int code = run(&o, pool, signal_fd);
    pool_close(pool);
    return code;
}
