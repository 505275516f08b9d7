/* SPDX-License-Identifier: Apache-2.0
 * The journal of one server: many threads append, one writer thread makes whole batches durable.
 *
 * Group commit: journal_append copies the payload into the batch being filled and returns. The writer thread takes
 * whatever is there, writes it with one pwrite and one fdatasync, and then tells `synced`; meanwhile the next batch
 * fills. There is no delay: under no load a batch is one record, under load it is what came during the last fdatasync.
 *
 * Failures: when a write or fdatasync fails nobody can say what the disk holds, so the segment is cut back to its last
 * durable byte and never written to again, `failed` is told of the batch, and a new segment is begun. If that fails, or
 * the next batch fails too, appends answer ERR_UNAVAILABLE and a new segment is tried every retry_ms until it works.
 * The same holds while less than free_percent_min of the disk is free, or the journal is longer than bytes_max.
 *
 * Receive times never fall in journal order: an older one is lifted to its predecessor's. When the wall clock itself is
 * set back by more than 5 s a JOURNAL_CLOCK record says so and times go on from there. So a replay can repeat every
 * decision that depended on time. */
#ifndef FF_JOURNAL_WRITER_H
#define FF_JOURNAL_WRITER_H

#include "journal/format.h"
#include "journal/io.h"
#include "journal/reader.h"

struct journal_item {
    void *user; /* of journal_append; NULL for the journal's own records */
    enum journal_type type;
    int64_t received_ms; /* as recorded */
    uint32_t bytes;      /* in the journal */
};

struct journal_options {
    const char *dir;             /* made if it is not there; copied */
    const struct journal_io *io; /* NULL: files */
    uint64_t segment_bytes_max;  /* a batch that would pass it begins a new segment; default 64 MiB */
    size_t batch_bytes_max;      /* default 32 MiB + one payload's overhead; twice this is held */
    size_t batch_records_max;    /* default 65,536 */
    uint64_t bytes_max;          /* all segments; default 10 GiB */
    unsigned free_percent_min;   /* default 5; 0: do not look */
    int turn_ms;                 /* default 100 */
    int retry_ms;                /* default 1,000 */
    /* All on the writer thread, in journal order, so they should not take long. items are borrowed for the call.
     * synced: durable. failed: not durable (it may still be found after a crash): answer 503. */
    void (*synced)(void *ctx, const struct journal_item *items, size_t n);
    void (*failed)(void *ctx, const struct journal_item *items, size_t n);
    /* About every turn_ms, batches or not. Everything before `end` was given to synced; every later record will have a
     * receive time >= clock_ms (unless a JOURNAL_CLOCK record says otherwise), also one of a failed batch that a crash
     * brings back: until that is ruled out clock_ms stands still. */
    void (*turn)(void *ctx, struct journal_position end, int64_t clock_ms);
    void *ctx;
    int64_t (*now_ms)(void *ctx); /* NULL: wall_now_ms */
};
struct journal_options journal_defaults(void);

struct journal;
/* Another process has the directory, at this moment. */
bool journal_is_used(const char *dir) MUST_USE;
/* Locks the directory, recovers it and begins a new segment. ERR_REFUSED: another process has it. ERR_CORRUPT, ERR_IO:
 * why says which file. Nothing can be appended yet. */
enum err journal_open(const struct journal_options *options, struct journal **out,
                      char why[JOURNAL_WHY_BYTES]) MUST_USE;
/* First segment that was there at opening; what is before it is gone. 0: the journal is new. */
uint64_t journal_first_segment(struct journal *j);
/* Bytes from a position to what was there at opening. */
uint64_t journal_bytes_from(struct journal *j, struct journal_position from);
/* What was there at opening, from a position on; before journal_start. See journal_read. */
enum err journal_replay(struct journal *j, struct journal_position from, const struct journal_reading *reading,
                        char why[JOURNAL_WHY_BYTES]) MUST_USE;
/* Starts the writer thread. clock_ms: no later record is before it, so at least the last receive time replayed. */
void journal_start(struct journal *j, int64_t clock_ms);

/* Any thread; does not wait for the disk. ERR_NONE: user will be told of in synced or failed, exactly once.
 * ERR_FULL: the batch is full. ERR_UNAVAILABLE: see the status. ERR_CLOSED: stopping. ERR_REFUSED: the payload is
 * longer than JOURNAL_PAYLOAD_BYTES_MAX. On an error nothing was kept. */
enum err journal_append(struct journal *j, struct span payload, int64_t received_ms, void *user) MUST_USE;

struct journal_status {
    bool ready;         /* appends are taken */
    const char *reason; /* why not; a constant sentence, "" when ready */
    uint64_t segments, bytes;
    struct journal_position end; /* of what is durable; never names a segment without a record, but {1, 0} */
};
void journal_status(struct journal *j, struct journal_status *out); /* any thread */

/* Removes the segments before this number (never the one being written). Any thread. */
enum err journal_drop_before(struct journal *j, uint64_t segment) MUST_USE;

/* Takes no more, makes what was taken durable, runs the callbacks for it, one last turn, and joins the thread. */
void journal_stop(struct journal *j);
void journal_free(struct journal *j); /* after journal_stop, or when never started */

#endif
