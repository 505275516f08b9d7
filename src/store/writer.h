/* SPDX-License-Identifier: Apache-2.0
 * View rows into the store, each exactly once.
 *
 * store_writer_row encodes a row and appends it to the open batch of its partition (UTC day for final rows, hour for
 * pending ones). A batch is one insert, one block, one partition, and so one atomic part. It goes when it has rows_max
 * rows or bytes_max bytes, when it is age_ms old, or when somebody waits for it. One thread sends batches.
 *
 * After an unclear outcome (time-out, lost connection, 5xx) the thread asks whether the batch's batch_id is there until
 * the store answers, and sends again only if it is not. While the store is away it tries for ever with back-off; the
 * rows are in the journal too. An insert refused because of its data is cut in halves until the row is found, which is
 * logged and counted (store_rows_refused_total): only for errors that name the data, and only after this writer has
 * stored something, since otherwise the fault lies not in a row. Rows with check = true are looked up first, and left
 * out when their view (final) or version (pending) is there. So are final ones whose view id is no UUID, however long
 * ago such a view may have ended.
 *
 * The same thread drops pending partitions all of whose views have become final. */
#ifndef FF_STORE_WRITER_H
#define FF_STORE_WRITER_H

#include "store/store.h"
#include "views/row.h"

struct store_writer_options {
    unsigned shards;         /* callers of store_writer_row; each by its own thread */
    uint32_t rows_max;       /* of a batch; default 10,000 */
    size_t bytes_max;        /* of a batch; default 16 MiB */
    int age_ms;              /* default 500; up to four times that while more than 8 partitions are open (backfill) */
    size_t memory_bytes_max; /* of all rows not yet stored; default 256 MiB */
    int insert_ms;           /* time-out of an insert; default 60,000 */
    int retry_ms_min, retry_ms_max; /* back-off; default 100, 5,000 */
    int cleanup_ms;                 /* between clean-ups; default 120,000 */
};
struct store_writer_options store_writer_defaults(void);

struct store_writer;
/* s must outlive it. */
struct store_writer *store_writer_start(struct store *s, const struct store_writer_options *options);
/* Sends what there is for up to deadline_ms, then stops and frees. true: everything was stored. */
bool store_writer_stop(struct store_writer *w, int deadline_ms);

/* Takes a copy. false: no room at the moment (counted); offer it again. Does not wait for the store.
 * shard: 0 .. shards - 1. */
bool store_writer_row(struct store_writer *w, unsigned shard, const struct view_row *row) MUST_USE;
/* Every row of this shard before barrier n has been handed over. n grows with each call of a shard. */
void store_writer_barrier(struct store_writer *w, unsigned shard, uint64_t n);
/* true: every row before barrier n of every shard is durably in the store (or was refused and counted). Waits until
 * every shard has met barrier n, up to timeout_ms (< 0: no limit). Speeds up the batches concerned. */
bool store_writer_wait_stored(struct store_writer *w, uint64_t n, int timeout_ms) MUST_USE;

struct store_writer_status {
    uint64_t rows_waiting, bytes_waiting;           /* taken, not yet stored */
    uint64_t rows_stored, rows_known, rows_refused; /* known: left out because they were there already */
    int64_t oldest_ms;                              /* age of the oldest row that waits; 0: none */
};
void store_writer_status(struct store_writer *w, struct store_writer_status *out);

#endif
