/* SPDX-License-Identifier: Apache-2.0
 * The bytes of the journal. Everything is little-endian and unaligned.
 *
 * A journal is a directory of segments, journal-0000000001.ffj and on, numbered without gaps. Only the last is written
 * to. It is the source of truth between the players and the store: what is in it was, or may have been, acknowledged.
 *
 *   segment  = header batch*
 *   header   (64 bytes)
 *      0  8  "FFJOURN\n"
 *      8  4  version, 1
 *     12  4  0
 *     16  8  number of the segment
 *     24  8  created, ms since the epoch
 *     32  8  salt
 *     40  8  valid bytes of the segment before (0 in the first)
 *     48 12  0
 *     60  4  CRC32C of bytes 0..59
 *   batch    = frame record+: what one write and one fdatasync made durable
 *   frame    (24 bytes)
 *      0  4  "FFB1"
 *      4  4  bytes of the records that follow
 *      8  8  number of the batch in its segment, from 1
 *     16  4  records
 *     20  4  CRC32C of the salt and bytes 0..19
 *   record   (17 bytes and the payload)
 *      0  4  length of the payload
 *      4  4  CRC32C of the salt, the payload, and bytes 0..3 and 8..16
 *      8  1  type (enum journal_type)
 *      9  8  receive time, ms since the epoch; never falls within a journal, except after a JOURNAL_CLOCK record
 *     17     payload
 *
 * What is valid. A segment that has a successor ends where the successor's header says: what lies behind it is the rest
 * of a write that failed and was answered 503. Everything before that point must be right, else bytes were damaged
 * after they had been acknowledged, and the server refuses to start. The last segment ends where its file ends, or
 * before the first thing that is not right, provided that no later batch follows it: a batch is only written once the
 * one before it is durable, so a wrong byte with a later batch behind it is damage, and one without is a write that a
 * crash cut short and nobody was told about. That torn tail is cut off.
 *
 * The salt is random, new each time a journal is opened, and known to nobody who sends beacons: no payload can pretend
 * to be a batch, and no old block of the disk can. */
#ifndef FF_JOURNAL_FORMAT_H
#define FF_JOURNAL_FORMAT_H

#include "base/base.h"

enum {
    JOURNAL_VERSION = 1,
    JOURNAL_HEADER_BYTES = 64,
    JOURNAL_FRAME_BYTES = 24,
    JOURNAL_RECORD_BYTES = 17,
    JOURNAL_PAYLOAD_BYTES_MAX = 32 << 20,
    JOURNAL_NAME_MAX = 32,
};
#define JOURNAL_MAGIC "FFJOURN\n"
#define JOURNAL_FRAME_MAGIC "FFB1"

enum journal_type {
    JOURNAL_BEACON = 1, /* payload: one POST as the collector encodes it */
    JOURNAL_CLOCK = 2,  /* no payload: the wall clock was set back; until here the receive time was this record's */
};

/* A place between two batches. {n, 0} is the beginning of segment n. */
struct journal_position {
    uint64_t segment, offset;
};
static inline int journal_position_compare(struct journal_position a, struct journal_position b)
{
    if (a.segment != b.segment) return a.segment < b.segment ? -1 : 1;
    return a.offset < b.offset ? -1 : a.offset > b.offset;
}

struct journal_header {
    uint64_t number;
    int64_t created_ms;
    uint64_t salt;
    uint64_t previous_bytes;
};

struct journal_record {
    struct journal_position at, next; /* of its first byte, and behind its last */
    enum journal_type type;
    int64_t received_ms;
    struct span payload; /* borrowed for the call */
};

/* "journal-0000000001.ffj" and back; false for any other name. */
void journal_segment_name(char out[JOURNAL_NAME_MAX], uint64_t number);
bool journal_segment_number(const char *name, uint64_t *number) MUST_USE;

void journal_header_write(uint8_t out[JOURNAL_HEADER_BYTES], const struct journal_header *h);
bool journal_header_read(struct span bytes, struct journal_header *h) MUST_USE;

/* Where the CRC of everything in a segment begins. */
uint32_t journal_salt_crc(uint64_t salt);
void journal_frame_write(uint8_t out[JOURNAL_FRAME_BYTES], uint32_t salt_crc, uint64_t number, uint32_t records,
                         uint32_t bytes);
/* payload_crc: crc32c(journal_salt_crc(...), payload), which a caller can compute before it takes a lock. */
void journal_record_write(uint8_t out[JOURNAL_RECORD_BYTES], uint32_t payload_crc, uint32_t payload_bytes,
                          enum journal_type type, int64_t received_ms);

/* Walks the records of one segment that is in memory. Pure: any bytes are safe. */
struct journal_walk {
    struct span bytes; /* the segment, up to its valid end */
    uint64_t segment;
    uint32_t salt_crc;
    size_t at;
    size_t good;                /* behind the last right record: where a torn tail is cut */
    size_t batch_at, batch_end; /* of the last batch seen; 0 none */
    uint64_t batch;             /* number of the last batch seen, 0 none */
    uint32_t records_left;
    const char *why; /* after JOURNAL_BAD: a sentence */
};
enum journal_step { JOURNAL_RECORD, JOURNAL_END, JOURNAL_BAD };

/* bytes: the whole segment. offset: 0 or the place of a batch. false: the header is none, or the offset outside. */
bool journal_walk_init(struct journal_walk *w, struct span bytes, uint64_t offset) MUST_USE;
/* The next record, or the end, or at w->at something that is not right. */
enum journal_step journal_walk_next(struct journal_walk *w, struct journal_record *out) MUST_USE;
/* After JOURNAL_BAD: whether a later batch follows, so that the bad bytes are damage and not a torn tail. */
bool journal_walk_later_batch(const struct journal_walk *w, uint64_t *offset) MUST_USE;

#endif
