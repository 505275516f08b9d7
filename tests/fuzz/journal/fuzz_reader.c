/* SPDX-License-Identifier: Apache-2.0
 * The journal reader and the checkpoint loader on any bytes.
 *
 * The first byte chooses: raw bytes as a segment; raw bytes as a checkpoint; a good segment with some bytes changed; a
 * good checkpoint with some bytes changed. For the last two it is known what may come back: only what was written, in
 * order, and all of it when nothing was changed. */
#include "../../unit/journal/memory_io.h"
#include "base/hash.h"
#include "base/log.h"
#include "journal/checkpoint.h"
#include "journal/reader.h"

enum { RECORDS_MAX = 40, EDITS_MAX = 8, SECTIONS = 3 };

static void file_put(struct memory_io *m, const char *path, struct span bytes)
{
    int fd = m->io.open(m, path, JOURNAL_OPEN_CREATE);
    BUG_IF(fd < 0);
    BUG_IF(journal_io_write(&m->io, fd, bytes, 0) != 0);
    (void)m->io.close(m, fd);
}

/* Pairs of place and mask from the end of the input. Answers how many really changed a byte. */
static size_t edit(struct buf *bytes, struct bytes *in)
{
    size_t changed = 0;
    for (size_t n = bytes_u8(in) % EDITS_MAX; n && bytes->len; n--) {
        size_t at = bytes_u16(in) % bytes->len;
        char mask = (char)bytes_u8(in);
        bytes->ptr[at] ^= mask;
        changed += mask != 0;
    }
    return changed;
}

struct expected {
    struct {
        int64_t received_ms;
        size_t bytes;
        uint8_t fill;
    } records[RECORDS_MAX];
    size_t n, next;
    bool any; /* raw bytes: nothing is known */
};

static bool on_record(void *ctx, const struct journal_record *record)
{
    struct expected *e = ctx;
    BUG_IF(journal_position_compare(record->at, record->next) >= 0);
    BUG_IF(record->payload.len > JOURNAL_PAYLOAD_BYTES_MAX);
    if (e->any) return true;
    BUG_IF(e->next >= e->n);
    BUG_IF(record->received_ms != e->records[e->next].received_ms);
    BUG_IF(record->payload.len != e->records[e->next].bytes);
    uint8_t fill = e->records[e->next].fill;
    for (size_t i = 0; i < record->payload.len; i++) BUG_IF((uint8_t)record->payload.ptr[i] != fill);
    e->next++;
    return true;
}

static void segment_build(struct buf *out, struct expected *e, struct bytes *in)
{
    static const uint8_t frame[JOURNAL_FRAME_BYTES];
    uint8_t head[JOURNAL_HEADER_BYTES], record[JOURNAL_RECORD_BYTES];
    struct journal_header header = {.number = 1, .salt = bytes_u32(in)};
    uint32_t salt_crc = journal_salt_crc(header.salt);
    journal_header_write(head, &header);
    buf_add(out, head, sizeof head);
    for (uint64_t batches = bytes_u8(in) % 6, batch = 1; batch <= batches; batch++) {
        size_t frame_at = out->len;
        uint32_t records = 1 + bytes_u8(in) % 5;
        buf_add(out, frame, sizeof frame);
        for (uint32_t i = 0; i < records; i++) {
            uint8_t payload[255];
            size_t len = bytes_u8(in) % sizeof payload;
            uint8_t fill = bytes_u8(in);
            memset(payload, fill, sizeof payload);
            e->records[e->n].received_ms = (int64_t)e->n * 10;
            e->records[e->n].bytes = len;
            e->records[e->n++].fill = fill;
            journal_record_write(record, crc32c(salt_crc, payload, len), (uint32_t)len, JOURNAL_BEACON,
                                 (int64_t)(e->n - 1) * 10);
            buf_add(out, record, sizeof record);
            buf_add(out, payload, len);
        }
        journal_frame_write((uint8_t *)out->ptr + frame_at, salt_crc, batch, records,
                            (uint32_t)(out->len - frame_at - JOURNAL_FRAME_BYTES));
    }
    BUG_IF(out->failed);
}

static void segment_read(struct memory_io *m, struct expected *e, bool whole)
{
    char why[JOURNAL_WHY_BYTES];
    struct journal_segments segments;
    struct journal_reading reading = {.record = on_record, .ctx = e};
    for (int twice = 0; twice < 2; twice++) { /* what recovery leaves must be good */
        enum err err = journal_recover(&m->io, "d", &segments, why);
        BUG_IF(err != ERR_NONE && why[0] == 0);
        BUG_IF(whole && err != ERR_NONE);
        if (err != ERR_NONE) return;
        e->next = 0;
        err = journal_read(&m->io, "d", &segments, (struct journal_position){1, 0}, &reading, why);
        BUG_IF(segments.n && err != ERR_NONE);
        BUG_IF(whole && e->next != e->n);
        journal_segments_free(&segments);
    }
}

static void try_segment(struct bytes *in, bool raw)
{
    struct memory_io *m = memory_new(1);
    struct expected e = {.any = raw};
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    size_t changed = 0;
    if (raw) {
        buf_add_span(&bytes, bytes_span(in, bytes_left(in)));
    } else {
        segment_build(&bytes, &e, in);
        changed = edit(&bytes, in);
        if (bytes_u8(in) % 4 == 0) {
            size_t left = bytes_u16(in) % (bytes.len + 1);
            changed += left < bytes.len;
            bytes.len = left;
        }
    }
    file_put(m, "d/journal-0000000001.ffj", buf_span(&bytes));
    segment_read(m, &e, !raw && changed == 0);
    buf_free(&bytes);
    memory_free(m);
}

/* Finds a checkpoint and reads all of it; want: the sections, or NULL. */
static bool checkpoint_read(struct memory_io *m, const struct buf *want)
{
    struct checkpoint *c;
    char why[JOURNAL_WHY_BYTES];
    struct buf bytes;
    BUG_IF(checkpoint_find(&m->io, "d", 1, &c, why) != ERR_NONE);
    if (c == NULL) return false;
    buf_init(&bytes, 1 << 20);
    for (uint32_t s = 0; s < checkpoint_facts(c)->sections; s++) {
        BUG_IF(checkpoint_section(c, s, &bytes) != ERR_NONE);
        BUG_IF(bytes.len != checkpoint_section_bytes(c, s));
        if (want) BUG_IF(s >= SECTIONS || !span_eq(buf_span(&bytes), buf_span(&want[s])));
    }
    buf_free(&bytes);
    checkpoint_close(c);
    return true;
}

static void try_checkpoint_raw(struct bytes *in)
{
    struct memory_io *m = memory_new(1);
    file_put(m, "d/checkpoint-0000000001.ffc", bytes_span(in, bytes_left(in)));
    (void)checkpoint_read(m, NULL);
    memory_free(m);
}

static void try_checkpoint_built(struct bytes *in)
{
    struct memory_io *m = memory_new(1);
    struct checkpoint_writer *w;
    struct checkpoint_facts facts;
    struct journal_position needed;
    struct buf want[SECTIONS];
    BUG_IF(checkpoint_begin(&m->io, "d", SECTIONS, &w) != ERR_NONE);
    for (uint32_t s = 0; s < SECTIONS; s++) {
        buf_init(&want[s], 1 << 20);
        for (unsigned pieces = bytes_u8(in) % 5; pieces; pieces--) {
            size_t at = want[s].len, len = bytes_u8(in);
            uint8_t fill = bytes_u8(in);
            for (size_t i = 0; i < len; i++) buf_addc(&want[s], (char)fill);
            BUG_IF(!checkpoint_add(w, s, span_from(buf_span(&want[s]), at)));
        }
    }
    BUG_IF(checkpoint_seal(w, (struct journal_position){1, bytes_u8(in)}, 5, 6) != ERR_NONE);
    BUG_IF(checkpoint_commit(w, &facts, &needed) != ERR_NONE);
    size_t changed = edit(memory_bytes(m, "d/checkpoint-0000000001.ffc"), in);
    bool found = checkpoint_read(m, want);
    BUG_IF(!found && changed == 0);
    for (uint32_t s = 0; s < SECTIONS; s++) buf_free(&want[s]);
    memory_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(span_make(data, size));
    log_setup(LOG_ERROR + 1, false); /* every line would be one of damage */
    switch (bytes_u8(&in) % 4) {
    case 0: try_segment(&in, true); break;
    case 1: try_checkpoint_raw(&in); break;
    case 2: try_segment(&in, false); break;
    default: try_checkpoint_built(&in);
    }
    return 0;
}
