/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/formats/format.h"

#include "collector/formats/keys.h"
#include "collector/formats/mux.h"

#include <stdlib.h>

struct formats {
    struct mux_keys *mux;
};

struct formats *formats_new(void)
{
    struct formats *f = calloc(1, sizeof *f);
    BUG_IF(f == NULL);
    f->mux = mux_keys_new();
    return f;
}

void formats_free(struct formats *f)
{
    if (f == NULL) return;
    mux_keys_free(f->mux);
    free(f);
}

/* SDKs of this family send text/plain, application/json or no type, to any path: it takes what no other wants. */
static bool mux_matches(const struct format_hints *hints)
{
    (void)hints;
    return true;
}

static enum drop format_mux(const struct formats *f, const struct format_input *in, struct format_output *out)
{
    return mux_decode(f->mux, in, out);
}

/* In order of trial. The numbers are in journals. */
static const struct format {
    uint8_t number;
    const char *name;
    bool (*matches)(const struct format_hints *hints);
    enum drop (*decode)(const struct formats *f, const struct format_input *in, struct format_output *out);
} table[] = {
    {1, "mux", mux_matches, format_mux},
};

uint8_t format_find(const struct formats *f, const struct format_hints *hints)
{
    (void)f;
    for (size_t i = 0; i < COUNT(table); i++)
        if (table[i].matches(hints)) return table[i].number;
    return 0;
}

static const struct format *format_of(uint8_t number)
{
    for (size_t i = 0; i < COUNT(table); i++)
        if (table[i].number == number) return &table[i];
    return NULL;
}

const char *format_name(uint8_t number)
{
    const struct format *format = format_of(number);
    return format ? format->name : NULL;
}

enum drop format_decode(const struct formats *f, uint8_t number, const struct format_input *in,
                        struct format_output *out)
{
    const struct format *format = format_of(number);
    *out = (struct format_output){0};
    return format ? format->decode(f, in, out) : DROP_not_ours;
}
