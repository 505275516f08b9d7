/* SPDX-License-Identifier: Apache-2.0
 * Writes and reads the bytes that format.h describes. Pure. */
#include "journal/format.h"

#include "base/hash.h"

#include <stdio.h>

static void put_u32(uint8_t *at, uint32_t v)
{
    memcpy(at, &v, sizeof v);
}
static void put_u64(uint8_t *at, uint64_t v)
{
    memcpy(at, &v, sizeof v);
}
static uint32_t get_u32(const char *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return v;
}
static uint64_t get_u64(const char *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return v;
}

#define SEGMENT_PREFIX "journal-"
#define SEGMENT_SUFFIX ".ffj"
enum { SEGMENT_DIGITS = 10 };

void journal_segment_name(char out[JOURNAL_NAME_MAX], uint64_t number)
{
    int n = snprintf(out, JOURNAL_NAME_MAX, SEGMENT_PREFIX "%0*llu" SEGMENT_SUFFIX, SEGMENT_DIGITS,
                     (unsigned long long)number);
    BUG_IF(n < 0 || n >= JOURNAL_NAME_MAX);
}

bool journal_segment_number(const char *name, uint64_t *number)
{
    struct span text = span_of(name), prefix = SPAN(SEGMENT_PREFIX), suffix = SPAN(SEGMENT_SUFFIX);
    if (text.len != prefix.len + SEGMENT_DIGITS + suffix.len) return false;
    if (!span_starts(text, prefix) || !span_ends(text, suffix)) return false;
    uint64_t n = 0;
    for (size_t i = 0; i < SEGMENT_DIGITS; i++) {
        char digit = text.ptr[prefix.len + i];
        if (digit < '0' || digit > '9') return false;
        n = n * 10 + (uint64_t)(digit - '0');
    }
    *number = n;
    return n > 0;
}

void journal_header_write(uint8_t out[JOURNAL_HEADER_BYTES], const struct journal_header *h)
{
    memset(out, 0, JOURNAL_HEADER_BYTES);
    memcpy(out, JOURNAL_MAGIC, 8);
    put_u32(out + 8, JOURNAL_VERSION);
    put_u64(out + 16, h->number);
    put_u64(out + 24, (uint64_t)h->created_ms);
    put_u64(out + 32, h->salt);
    put_u64(out + 40, h->previous_bytes);
    put_u32(out + 60, crc32c(0, out, 60));
}

bool journal_header_read(struct span bytes, struct journal_header *h)
{
    if (bytes.len < JOURNAL_HEADER_BYTES || memcmp(bytes.ptr, JOURNAL_MAGIC, 8) != 0) return false;
    if (get_u32(bytes.ptr + 8) != JOURNAL_VERSION) return false;
    if (get_u32(bytes.ptr + 60) != crc32c(0, bytes.ptr, 60)) return false;
    *h = (struct journal_header){
        .number = get_u64(bytes.ptr + 16),
        .created_ms = (int64_t)get_u64(bytes.ptr + 24),
        .salt = get_u64(bytes.ptr + 32),
        .previous_bytes = get_u64(bytes.ptr + 40),
    };
    return true;
}

uint32_t journal_salt_crc(uint64_t salt)
{
    return crc32c(0, &salt, sizeof salt);
}

void journal_frame_write(uint8_t out[JOURNAL_FRAME_BYTES], uint32_t salt_crc, uint64_t number, uint32_t records,
                         uint32_t bytes)
{
    memcpy(out, JOURNAL_FRAME_MAGIC, 4);
    put_u32(out + 4, bytes);
    put_u64(out + 8, number);
    put_u32(out + 16, records);
    put_u32(out + 20, crc32c(salt_crc, out, 20));
}

/* The record's own head goes into the CRC after the payload, so that the long part can be done before a lock. */
static uint32_t record_crc(uint32_t payload_crc, const void *head)
{
    const uint8_t *bytes = head;
    return crc32c(crc32c(payload_crc, bytes, 4), bytes + 8, 9);
}

void journal_record_write(uint8_t out[JOURNAL_RECORD_BYTES], uint32_t payload_crc, uint32_t payload_bytes,
                          enum journal_type type, int64_t received_ms)
{
    put_u32(out, payload_bytes);
    out[8] = (uint8_t)type;
    put_u64(out + 9, (uint64_t)received_ms);
    put_u32(out + 4, record_crc(payload_crc, out));
}

bool journal_walk_init(struct journal_walk *w, struct span bytes, uint64_t offset)
{
    struct journal_header header;
    *w = (struct journal_walk){.bytes = bytes, .why = ""};
    if (!journal_header_read(bytes, &header)) return false;
    if (offset == 0) offset = JOURNAL_HEADER_BYTES;
    if (offset < JOURNAL_HEADER_BYTES || offset > bytes.len) return false;
    w->segment = header.number;
    w->salt_crc = journal_salt_crc(header.salt);
    w->at = w->good = (size_t)offset;
    return true;
}

struct frame {
    uint64_t number;
    uint32_t bytes, records;
};

static bool frame_read(struct span bytes, uint32_t salt_crc, struct frame *out)
{
    if (bytes.len < JOURNAL_FRAME_BYTES || memcmp(bytes.ptr, JOURNAL_FRAME_MAGIC, 4) != 0) return false;
    if (get_u32(bytes.ptr + 20) != crc32c(salt_crc, bytes.ptr, 20)) return false;
    *out = (struct frame){get_u64(bytes.ptr + 8), get_u32(bytes.ptr + 4), get_u32(bytes.ptr + 16)};
    return true;
}

static enum journal_step walk_bad(struct journal_walk *w, const char *why)
{
    w->why = why;
    return JOURNAL_BAD;
}

static enum journal_step walk_frame(struct journal_walk *w)
{
    struct frame frame;
    if (!frame_read(span_from(w->bytes, w->at), w->salt_crc, &frame)) return walk_bad(w, "not the head of a batch");
    if (w->batch && frame.number != w->batch + 1) return walk_bad(w, "a batch out of order");
    if (frame.records == 0 || frame.bytes / JOURNAL_RECORD_BYTES < frame.records)
        return walk_bad(w, "a batch head that cannot be");
    w->batch = frame.number;
    w->records_left = frame.records;
    w->batch_at = w->at;
    w->at += JOURNAL_FRAME_BYTES;
    w->batch_end = w->at + frame.bytes;
    return JOURNAL_RECORD;
}

/* Checks the record at w->at; moves only when it is right. */
static enum journal_step walk_record(struct journal_walk *w, struct journal_record *out)
{
    struct span rest = span_from(w->bytes, w->at);
    if (rest.len < JOURNAL_RECORD_BYTES) return walk_bad(w, "a record cut short");
    uint64_t length = get_u32(rest.ptr);
    if (length > JOURNAL_PAYLOAD_BYTES_MAX || w->at + JOURNAL_RECORD_BYTES + length > w->batch_end)
        return walk_bad(w, "a record longer than its batch");
    if (rest.len < JOURNAL_RECORD_BYTES + length) return walk_bad(w, "a record cut short");
    uint32_t crc = crc32c(w->salt_crc, rest.ptr + JOURNAL_RECORD_BYTES, (size_t)length);
    if (get_u32(rest.ptr + 4) != record_crc(crc, rest.ptr)) return walk_bad(w, "a record with a wrong checksum");
    uint8_t type = (uint8_t)rest.ptr[8];
    if (type != JOURNAL_BEACON && type != JOURNAL_CLOCK) return walk_bad(w, "a record of an unknown type");
    size_t end = w->at + JOURNAL_RECORD_BYTES + (size_t)length;
    if (--w->records_left == 0 ? end != w->batch_end : end == w->batch_end) {
        w->records_left++;
        return walk_bad(w, "a batch that does not end with its last record");
    }
    *out = (struct journal_record){
        .at = {w->segment, w->at},
        .next = {w->segment, end},
        .type = (enum journal_type)type,
        .received_ms = (int64_t)get_u64(rest.ptr + 9),
        .payload = {rest.ptr + JOURNAL_RECORD_BYTES, (size_t)length},
    };
    w->at = w->good = end;
    return JOURNAL_RECORD;
}

enum journal_step journal_walk_next(struct journal_walk *w, struct journal_record *out)
{
    BUG_IF(w->at > w->bytes.len);
    /* Also within a batch: then the file ends with whole records of a write that a crash cut short. */
    if (w->at == w->bytes.len) return JOURNAL_END;
    if (w->records_left == 0) {
        enum journal_step step = walk_frame(w);
        if (step != JOURNAL_RECORD) return step;
        if (w->at == w->bytes.len) return walk_bad(w, "a batch cut short");
    }
    return walk_record(w, out);
}

bool journal_walk_later_batch(const struct journal_walk *w, uint64_t *offset)
{
    struct frame frame;
    for (size_t at = w->at; at + JOURNAL_FRAME_BYTES <= w->bytes.len; at++) {
        const char *found = memchr(w->bytes.ptr + at, JOURNAL_FRAME_MAGIC[0], w->bytes.len - at);
        if (found == NULL) return false;
        at = (size_t)(found - w->bytes.ptr);
        if (!frame_read(span_from(w->bytes, at), w->salt_crc, &frame)) continue;
        /* w->batch + 1 itself, whole, is only later when something wrong stands before it. */
        if (frame.number > w->batch && at > w->at) {
            *offset = at;
            return true;
        }
    }
    return false;
}
