/* SPDX-License-Identifier: Apache-2.0 */
#include "store/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { CHILD_FD = 3, ARGS_MAX = 16 };

void store_engine_init(struct store_engine *e, const struct store_engine_options *options)
{
    *e = (struct store_engine){.options = *options, .pid_fd = -1, .alive_fd = -1};
}

/* Nothing of ours gets into the child but the three standard streams and the pipe. */
static int engine_spawn(struct store_engine *e, char *const *args, int read_end)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_init(&files) != 0) return ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        (void)posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    int bad = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!bad) bad = posix_spawn_file_actions_adddup2(&files, read_end, CHILD_FD);
    if (!bad) bad = posix_spawn_file_actions_addclosefrom_np(&files, CHILD_FD + 1);
    if (!bad) bad = posix_spawnattr_setsigmask(&attr, &none);
    if (!bad) bad = posix_spawnattr_setsigdefault(&attr, &all);
    if (!bad) bad = posix_spawnattr_setpgroup(&attr, 0);
    if (!bad)
        bad = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    pid_t pid = 0;
    if (!bad) bad = posix_spawn(&pid, e->options.program, &files, &attr, args, environ);
    if (!bad) e->pid = pid;
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&files);
    return bad;
}

enum err store_engine_start(struct store_engine *e, char why[256])
{
    BUG_IF(e->pid != 0);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)snprintf(why, 256, "the engine's pipe: %s", strerror(errno));
        return ERR_IO;
    }
    char threads[24], memory[32];
    (void)snprintf(threads, sizeof threads, "%u", e->options.threads);
    (void)snprintf(memory, sizeof memory, "%" PRIu64, e->options.memory_bytes);
    const char *args[ARGS_MAX] = {e->options.program, "--data", e->options.dir, "--socket", STORE_ENGINE_SOCKET,
                                  "--parent-fd",      "3"};
    size_t n = 7;
    if (e->options.threads) args[n++] = "--threads", args[n++] = threads;
    if (e->options.memory_bytes) args[n++] = "--max-memory", args[n++] = memory;
    int bad = engine_spawn(e, (char *const *)(uintptr_t)args, ends[0]);
    (void)close(ends[0]);
    if (bad) {
        (void)close(ends[1]);
        (void)snprintf(why, 256, "%s: %s", e->options.program, strerror(bad));
        return ERR_IO;
    }
    e->alive_fd = ends[1];
    e->pid_fd = pidfd_open(e->pid, 0);
    BUG_IF(e->pid_fd < 0);
    return ERR_NONE;
}

static void engine_how(int status, char how[256])
{
    static const char *const exits[] = {"ended as asked", "it failed; its messages say why", "wrong usage",
                                        "another engine is using the data directory"};
    if (WIFSIGNALED(status)) {
        (void)snprintf(how, 256, "killed by signal %d", WTERMSIG(status));
        return;
    }
    unsigned code = (unsigned)WEXITSTATUS(status);
    (void)snprintf(how, 256, "exit code %u%s%s", code, code < COUNT(exits) ? ": " : "",
                   code < COUNT(exits) ? exits[code] : "");
}

bool store_engine_ended(struct store_engine *e, char how[256])
{
    if (e->pid == 0) return false;
    int status = 0;
    pid_t got = waitpid(e->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return false;
    if (got < 0) (void)snprintf(how, 256, "its end was taken by somebody else");
    else engine_how(status, how);
    (void)close(e->pid_fd);
    (void)close(e->alive_fd);
    e->pid = 0;
    e->pid_fd = e->alive_fd = -1;
    return true;
}

void store_engine_kill(struct store_engine *e)
{
    if (e->pid) (void)kill(e->pid, SIGKILL);
}

static bool engine_wait(struct store_engine *e, int ms, char how[256])
{
    struct pollfd fd = {.fd = e->pid_fd, .events = POLLIN};
    int got;
    do got = poll(&fd, 1, ms);
    while (got < 0 && errno == EINTR);
    return store_engine_ended(e, how);
}

bool store_engine_stop(struct store_engine *e, int ms)
{
    char how[256] = "";
    if (e->pid == 0) return true;
    (void)kill(e->pid, SIGTERM);
    if (engine_wait(e, ms, how)) return strcmp(how, "exit code 0: ended as asked") == 0;
    store_engine_kill(e);
    while (!engine_wait(e, -1, how)) continue;
    return false;
}
