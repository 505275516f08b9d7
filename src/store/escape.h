/* SPDX-License-Identifier: Apache-2.0
 * The only way for a value into SQL. Any bytes may be given; what is written is one token that ClickHouse reads back as
 * the same bytes, whatever they are. */
#ifndef FF_STORE_ESCAPE_H
#define FF_STORE_ESCAPE_H

#include "base/buf.h"

/* 'text', quotes included. */
void store_escape_text(struct buf *sql, struct span text);
/* ['a', 'b'] */
void store_escape_texts(struct buf *sql, const struct span *texts, size_t n);
/* `name`, quotes included. */
void store_escape_identifier(struct buf *sql, struct span name);
/* 'text' to stand inside the pattern of LIKE: % and _ lose their meaning. No quotes are written. */
void store_escape_like(struct buf *sql, struct span text);

#endif
