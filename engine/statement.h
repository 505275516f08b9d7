/* SPDX-License-Identifier: Apache-2.0
 *
 * What must be known of a statement before it is handed to ClickHouse: whether INSERT data follows
 * and where it begins, which FORMAT was asked for, and whether the result may be streamed. This
 * reads tokens only, ClickHouse does the parsing: a statement misread here gets at worst a less
 * fitting content type or ClickHouse's own error. Pure. */
#ifndef ENGINE_STATEMENT_H
#define ENGINE_STATEMENT_H

#include "text.h"

enum statement_kind {
    STATEMENT_EMPTY,
    STATEMENT_QUERY,  /* begins like a SELECT: its result can be streamed */
    STATEMENT_INSERT, /* INSERT with FORMAT or VALUES: data follows */
    STATEMENT_OTHER,
};

struct statement {
    enum statement_kind kind;
    struct span format; /* of the FORMAT clause, "Values" for VALUES; empty without one */
    struct span head;   /* INSERT: the statement without FORMAT or VALUES and without data */
    size_t data_at;     /* INSERT: where data begins in the text */
    bool whole_result;  /* WITH TOTALS: the stream would lose the totals */
    bool names_file;    /* INTO OUTFILE, FROM INFILE: the library would open it itself, in spite of
                           readonly */
};

/* `text` is borrowed and has to live as long as `out` is used. */
void statement_read(struct span text, struct statement *out);

#endif
