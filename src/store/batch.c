/* SPDX-License-Identifier: Apache-2.0 */
#include "store/batch.h"

#include <stdlib.h>

struct batch *batch_new(bool final, int64_t partition, uint64_t first_seq)
{
    struct batch *b = calloc(1, sizeof *b);
    BUG_IF(b == NULL);
    uint8_t random[STORE_BATCH_ID_BYTES / 2];
    random_bytes(random, sizeof random);
    hex_encode(b->id, random, sizeof random);
    b->final = final;
    b->partition = partition;
    b->first_seq = first_seq;
    b->opened = mono_now();
    buf_init(&b->bytes, SIZE_MAX / 4); /* the writer bounds the sum of all */
    return b;
}

void batch_free(struct batch *b)
{
    if (b == NULL) return;
    buf_free(&b->bytes);
    free(b->rows);
    free(b);
}

void batch_add(struct batch *b, struct span encoded, const struct batch_row *row)
{
    BUG_IF(encoded.len < STORE_BATCH_ID_AT + STORE_BATCH_ID_BYTES);
    if (b->n == b->room) {
        size_t room = b->room ? b->room * 2 : 16;
        struct batch_row *grown = realloc(b->rows, room * sizeof *grown);
        BUG_IF(grown == NULL);
        b->rows = grown;
        b->room = room;
    }
    struct batch_row *r = &b->rows[b->n++];
    *r = *row;
    r->at = b->bytes.len;
    r->len = encoded.len;
    buf_add_span(&b->bytes, encoded);
    BUG_IF(b->bytes.failed);
    memcpy(b->bytes.ptr + r->at + STORE_BATCH_ID_AT, b->id, STORE_BATCH_ID_BYTES);
}

void batch_filter(struct batch *b, const bool *keep)
{
    size_t kept = 0, end = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (!keep[i]) continue;
        struct batch_row r = b->rows[i];
        memmove(b->bytes.ptr + end, b->bytes.ptr + r.at, r.len);
        r.at = end;
        end += r.len;
        b->rows[kept++] = r;
    }
    b->n = kept;
    b->bytes.len = end;
}

struct batch *batch_part(const struct batch *b, size_t from, size_t to)
{
    BUG_IF(from >= to || to > b->n);
    struct batch *part = batch_new(b->final, b->partition, b->first_seq);
    for (size_t i = from; i < to; i++)
        batch_add(part, span_make(b->bytes.ptr + b->rows[i].at, b->rows[i].len), &b->rows[i]);
    return part;
}

bool batch_checks(const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->rows[i].check) return true;
    return false;
}

void batch_range(const struct batch *b, int64_t *end_min_ms, int64_t *end_max_ms)
{
    BUG_IF(b->n == 0);
    *end_min_ms = *end_max_ms = b->rows[0].view_end_ms;
    for (size_t i = 1; i < b->n; i++) {
        int64_t v = b->rows[i].view_end_ms;
        if (v < *end_min_ms) *end_min_ms = v;
        if (v > *end_max_ms) *end_max_ms = v;
    }
}

size_t batch_memory(const struct batch *b)
{
    return b->bytes.len + b->n * sizeof *b->rows;
}
