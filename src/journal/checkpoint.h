/* SPDX-License-Identifier: Apache-2.0
 * Checkpoints: the open views of every shard at one position of the journal, so that a start replays only what follows.
 *
 * Files checkpoint-0000000001.ffc and on beside the segments; the two newest are kept, with the segments that the older
 * one needs, so that one damaged file costs only a longer replay. Little-endian:
 *
 *   header (64 bytes)
 *      0  8  "FFCHECK\n"
 *      8  4  version, 1
 *     12  4  sections
 *     16  8  position: segment
 *     24  8  position: offset
 *     32  8  receive clock at the position, ms since the epoch
 *     40  8  created, ms since the epoch
 *     48 12  0
 *     60  4  CRC32C of bytes 0..59
 *   chunk (12 bytes and up to 256 KiB), any number, those of one section in order but mixed with other sections'
 *      0  4  section
 *      4  4  length, 1 and more
 *      8  4  CRC32C of bytes 0..7 and the bytes that follow
 *   end (16 bytes, then 12 a section, then 4)
 *      0  4  0xFFFFFFFF
 *      4  4  length of all that follows
 *      8  8  bytes of all chunks with their heads
 *     16     a section: length (8), CRC32C of all its bytes (4)
 *            CRC32C of the end's bytes before it
 *   nothing after it.
 *
 * Written as checkpoint.tmp, synced, then renamed: a file with the right name is whole unless the disk damaged it. */
#ifndef FF_JOURNAL_CHECKPOINT_H
#define FF_JOURNAL_CHECKPOINT_H

#include "base/buf.h"
#include "journal/format.h"
#include "journal/io.h"
#include "journal/reader.h"

enum { CHECKPOINT_SECTIONS_MAX = 256 };

struct checkpoint_facts {
    uint64_t number;
    struct journal_position position;
    int64_t clock_ms, created_ms;
    uint64_t bytes; /* of the file */
    uint32_t sections;
};

/* Writing. One at a time in a directory. */
struct checkpoint_writer;
enum err checkpoint_begin(const struct journal_io *io, const char *dir, uint32_t sections,
                          struct checkpoint_writer **out) MUST_USE;
/* Any thread; one thread a section at a time. false after any failure. */
bool checkpoint_add(struct checkpoint_writer *w, uint32_t section, struct span bytes) MUST_USE;
/* After the last add: what the sections are the state of; the file is completed and synced, but no checkpoint yet. */
enum err checkpoint_seal(struct checkpoint_writer *w, struct journal_position position, int64_t clock_ms,
                         int64_t created_ms) MUST_USE;
/* Makes it the newest checkpoint, removes all but the two newest, frees w. needed: the oldest position that a kept one
 * begins at ({1, 0} when this is the first): segments before it may go. out: the facts as stored. */
enum err checkpoint_commit(struct checkpoint_writer *w, struct checkpoint_facts *out,
                           struct journal_position *needed) MUST_USE;
void checkpoint_abandon(struct checkpoint_writer *w); /* instead of commit; NULL is fine */

/* Loading. */
struct checkpoint;
/* The newest valid one whose segments, from first_segment on, are still there; damaged ones are logged and
 * renamed to NAME.damaged.
 * ERR_NONE with *out NULL: there is none and the journal is whole from its beginning (or empty: first_segment <= 1).
 * ERR_CORRUPT: there is none and the journal's beginning is gone. */
enum err checkpoint_find(const struct journal_io *io, const char *dir, uint64_t first_segment, struct checkpoint **out,
                         char why[JOURNAL_WHY_BYTES]) MUST_USE;
const struct checkpoint_facts *checkpoint_facts(const struct checkpoint *c);
/* The bytes of a section, checked again, into out (cleared first; its maximum must allow them). Any thread. */
enum err checkpoint_section(const struct checkpoint *c, uint32_t section, struct buf *out) MUST_USE;
uint64_t checkpoint_section_bytes(const struct checkpoint *c, uint32_t section);
void checkpoint_close(struct checkpoint *c);

#endif
