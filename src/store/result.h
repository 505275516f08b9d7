/* SPDX-License-Identifier: Apache-2.0
 * Typed readers of RowBinary results. All of them read past the end as zero and turn in->ok false, so that a row or a
 * whole result is checked once. Texts point into the result. */
#ifndef FF_STORE_RESULT_H
#define FF_STORE_RESULT_H

#include "base/buf.h"

static inline uint8_t rb_u8(struct bytes *in)
{
    return bytes_u8(in);
}
static inline uint32_t rb_u32(struct bytes *in)
{
    return bytes_u32(in);
}
static inline uint64_t rb_u64(struct bytes *in)
{
    return bytes_u64(in);
}
static inline int64_t rb_i64(struct bytes *in)
{
    return (int64_t)bytes_u64(in);
}
double rb_f64(struct bytes *in);
struct span rb_text(struct bytes *in); /* String; ptr is never NULL while in->ok */
/* Before a Nullable value: true when it is null, and then no value follows. */
static inline bool rb_null(struct bytes *in)
{
    return bytes_u8(in) != 0;
}
struct span rb_nullable_text(struct bytes *in);       /* Nullable(String): ptr NULL is null; "" has a ptr */
bool rb_nullable_i64(struct bytes *in, int64_t *out); /* Nullable(Int64): false is null, *out 0 */
bool rb_nullable_f64(struct bytes *in, double *out);
/* Array: the number of elements that follow; 0 and in->ok false when they cannot fit into what is left. */
size_t rb_array(struct bytes *in, size_t item_bytes_min);

#endif
