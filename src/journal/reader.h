/* SPDX-License-Identifier: Apache-2.0
 * What is on disk: finds the segments, judges them by the rules of format.h, cuts a torn tail, and reads them in order.
 * No threads of its own; used by the writer when it opens a journal, and by tools. */
#ifndef FF_JOURNAL_READER_H
#define FF_JOURNAL_READER_H

#include "journal/format.h"
#include "journal/io.h"

enum { JOURNAL_WHY_BYTES = 512 };

/* A sentence into why, cut where it is too long. */
void journal_say(char why[JOURNAL_WHY_BYTES], const char *format, ...) PRINTF_LIKE(2, 3);

struct journal_segment {
    uint64_t number;
    uint64_t bytes; /* valid ones; the file may be longer */
};
struct journal_segments {
    struct journal_segment *items; /* without gaps, ascending */
    size_t n, max;
};
void journal_segments_add(struct journal_segments *s, struct journal_segment segment);
void journal_segments_free(struct journal_segments *s);

/* Lists dir. A torn tail of the last segment is cut (with a log line) and a last segment that never got its header is
 * removed. Files before a gap in the numbers are leftovers of a deletion and are not listed. ERR_CORRUPT: damage, why
 * names file and offset. ERR_IO. out is empty on error and in an empty directory. */
enum err journal_recover(const struct journal_io *io, const char *dir, struct journal_segments *out,
                         char why[JOURNAL_WHY_BYTES]) MUST_USE;

/* Removes the segments with smaller numbers, leftovers included. 0 or -errno. */
int journal_remove_before(const struct journal_io *io, const char *dir, uint64_t number) MUST_USE;

/* false stops the reading (ERR_CLOSED). */
typedef bool journal_record_fn(void *ctx, const struct journal_record *record);
/* Bytes read of all that are to be read; called about every megabyte, and at the end. */
typedef void journal_progress_fn(void *ctx, uint64_t done_bytes, uint64_t total_bytes);

struct journal_reading {
    journal_record_fn *record;
    journal_progress_fn *progress; /* may be NULL */
    void *ctx;
};
/* Every record from `from` to the end of the listed segments, in order. ERR_CORRUPT: damage, or the segment of `from`
 * is gone. The records before the bad place have been given out by then. */
enum err journal_read(const struct journal_io *io, const char *dir, const struct journal_segments *segments,
                      struct journal_position from, const struct journal_reading *reading,
                      char why[JOURNAL_WHY_BYTES]) MUST_USE;

#endif
