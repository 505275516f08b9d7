/* SPDX-License-Identifier: Apache-2.0 */
#include "store/result.h"

double rb_f64(struct bytes *in)
{
    uint64_t bits = bytes_u64(in);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

struct span rb_text(struct bytes *in)
{
    uint64_t len = bytes_varint(in);
    if (len > bytes_left(in)) in->ok = false;
    struct span s = in->ok ? bytes_span(in, (size_t)len) : (struct span){NULL, 0};
    return in->ok ? s : (struct span){"", 0};
}

struct span rb_nullable_text(struct bytes *in)
{
    return rb_null(in) ? (struct span){NULL, 0} : rb_text(in);
}

bool rb_nullable_i64(struct bytes *in, int64_t *out)
{
    bool null = rb_null(in);
    *out = null ? 0 : rb_i64(in);
    return !null && in->ok;
}

bool rb_nullable_f64(struct bytes *in, double *out)
{
    bool null = rb_null(in);
    *out = null ? 0 : rb_f64(in);
    return !null && in->ok;
}

size_t rb_array(struct bytes *in, size_t item_bytes_min)
{
    uint64_t n = bytes_varint(in);
    BUG_IF(item_bytes_min == 0);
    if (n > bytes_left(in) / item_bytes_min) in->ok = false;
    return in->ok ? (size_t)n : 0;
}
