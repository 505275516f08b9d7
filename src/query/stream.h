/* SPDX-License-Identifier: Apache-2.0
 * Results that are too large to hold: the store's RowBinary in pieces, handed on row by row. */
#ifndef FF_QUERY_STREAM_H
#define FF_QUERY_STREAM_H

#include "query/question.h"

/* Reads one row from in. A row that is not there whole turns in->ok false and is offered again, from its beginning,
 * when more has come; so what it does must not show before it has seen in->ok. false: stop (the call then fails with
 * ERR_CLOSED). Texts are valid during the call. */
typedef bool query_row(void *ctx, struct bytes *in);
enum { STREAM_ROW_BYTES_MAX = 64 * 1024 * 1024 };
enum err query_stream(struct query *q, struct span sql, const struct store_limits *limits, query_row *row,
                      void *ctx) MUST_USE;

#endif
