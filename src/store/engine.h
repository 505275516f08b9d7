/* SPDX-License-Identifier: Apache-2.0
 * firstframe-engine as a child process. Used by the store's keeper thread alone; that thread has to live as long as the
 * engine, which dies with the thread that started it (PDEATHSIG), and with the pipe whose other end it holds.
 * The engine gets a process group of its own, so that Ctrl-C in a terminal reaches only the server, which then sends
 * what it still has to store before it ends the engine. */
#ifndef FF_STORE_ENGINE_H
#define FF_STORE_ENGINE_H

#include "base/base.h"

struct store_engine_options {
    const char *program;
    const char *dir;
    unsigned threads;      /* 0: the engine's default */
    uint64_t memory_bytes; /* 0: the engine's default */
};

#define STORE_ENGINE_SOCKET "engine.sock"

struct store_engine {
    struct store_engine_options options;
    int pid;      /* 0: none runs */
    int pid_fd;   /* readable when it has ended; -1 */
    int alive_fd; /* our end of the pipe; -1 */
};

void store_engine_init(struct store_engine *e, const struct store_engine_options *options);
/* ERR_IO: why says what failed. It runs then, but does not answer yet. */
enum err store_engine_start(struct store_engine *e, char why[256]) MUST_USE;
/* true: it has ended (now e->pid is 0), and how says how: "exit code 3: ..." or "signal 9". */
bool store_engine_ended(struct store_engine *e, char how[256]) MUST_USE;
void store_engine_kill(struct store_engine *e); /* SIGKILL; store_engine_ended tells when */
/* SIGTERM, then waits up to ms for it to close its files, then SIGKILL. true: it closed cleanly. */
bool store_engine_stop(struct store_engine *e, int ms);

#endif
