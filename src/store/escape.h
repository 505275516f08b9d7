/* SPDX-License-Identifier: Apache-2.0
 * The only way for a value into SQL. Any bytes may be given; what is written is one token that ClickHouse reads back as
 * the same bytes, whatever they are. */
#ifndef FF_STORE_ESCAPE_H
#define FF_STORE_ESCAPE_H

#include "base/buf.h"

/* 'text', quotes included. */
void store_escape_text(struct buf *sql, struct span text);
/* `name`, quotes included. */
void store_escape_identifier(struct buf *sql, struct span name);

#endif
