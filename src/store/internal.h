/* SPDX-License-Identifier: Apache-2.0
 * What the files of src/store share and nobody else sees. */
#ifndef FF_STORE_INTERNAL_H
#define FF_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/dialect.h"
#include "store/engine.h"
#include "store/store.h"

enum { STORE_DAYS_MAX = 4096 };

/* The newest generation of a day. */
struct store_day {
    int64_t day;
    uint64_t generation;
};

struct store {
    struct store_client *client;
    struct store_engine engine; /* keeper thread only */
    bool profiles;              /* keeper thread only: the table has those columns, whether they are filled or not */
    bool embedded;
    int stop_ms;
    int wake_fd; /* eventfd: something for the keeper to look at */
    pthread_t keeper;
    atomic_bool stopping, suspect;

    /* Where a statement does not see one state of a table (dialect.shared_snapshot): held for reading by statements,
     * and for writing while rows go in that make pending ones obsolete, so that a view is neither missed nor counted
     * twice; and while a partition is dropped, on which 18.16 and a statement that names the table twice wait for each
     * other for ever. Both sides wait a bounded time only: after that an insert goes ahead, a drop is put off. */
    pthread_rwlock_t gate;

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t changed;
    enum store_state state;
    char text[512];
    struct store_dialect dialect;
    uint64_t engine_restarts;
    int engine_pid;
    uint64_t generation;     /* of all */
    uint64_t generation_old; /* of every day that is not listed */
    struct store_day *days;  /* ascending, at most STORE_DAYS_MAX */
    size_t day_count, day_room;
    int64_t pending_from_ms; /* no pending row ends before; INT64_MAX: there is none */
};

/* Before a pending row of that view_end is inserted. */
void store_pending_note(struct store *s, int64_t view_end_ms);
/* After looking at all of them, by the writer (which is the one that adds): INT64_MAX when there is none. */
void store_pending_set(struct store *s, int64_t from_ms);
int64_t store_pending_from(const struct store *s);
/* true: held, and to be given back. Without a need (shared_snapshot) or in time: false. */
bool store_gate_enter(struct store *s, const struct store_dialect *d) MUST_USE;
bool store_gate_close(struct store *s, const struct store_dialect *d) MUST_USE;
void store_gate_leave(struct store *s, bool held);
/* A statement failed for want of a connection: the keeper looks. */
void store_suspect(struct store *s);

/* The condition of final rows that may have pending rows beside them, as SQL: "final = 1 AND had_pending = 1 AND ...".
 */
void store_final_of_pending_sql(struct buf *sql, int64_t pending_from_ms);

#endif
