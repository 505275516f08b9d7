/* SPDX-License-Identifier: Apache-2.0 */
#include "store/profile.h"

#define COLUMNS(...) {__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)
static const struct store_profile profiles[] = {
#define PROFILE(id, ...) {"profile_" #id, COLUMNS(__VA_ARGS__)},
#include "store/profiles.def"
#undef PROFILE
};

size_t store_profile_count(void)
{
    return COUNT(profiles);
}

const struct store_profile *store_profile_at(size_t i)
{
    BUG_IF(i >= COUNT(profiles));
    return &profiles[i];
}

/* A function of one column of low cardinality is worked out for each of its values once: only concat is for every row,
 * about a microsecond for all profiles of a view. */
void store_profile_sql(struct buf *sql, const struct store_profile *p)
{
    buf_adds(sql, "concat(");
    for (size_t i = 0; i < p->count; i++)
        buf_addf(sql, "%sifNull(replaceAll(replaceAll(toString(%s), '\\\\', '\\\\\\\\'), '\\t', '\\\\t'), '\\\\N')",
                 i ? ", '\\t', " : "", p->columns[i]);
    buf_addc(sql, ')');
}

struct span store_profile_value(struct span *text, char *to)
{
    struct span value = {to, 0};
    bool null = text->ptr == NULL;
    size_t at = 0;
    for (; at < text->len && text->ptr[at] != '\t'; at++) {
        char c = text->ptr[at];
        if (c == '\\' && at + 1 < text->len) {
            char escaped = text->ptr[++at];
            null = null || escaped == 'N';
            c = escaped == 't' ? '\t' : escaped;
        }
        to[value.len++] = c;
    }
    *text = at < text->len ? span_from(*text, at + 1) : (struct span){NULL, 0};
    return null ? (struct span){NULL, 0} : value;
}
