/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include <ctype.h>
#include <string.h>

static const struct format formats[] = {
#define FORMAT(name_, type_, join_) {.name = name_, .type = type_, .join = join_},
#include "formats.def"
#undef FORMAT
};

static const struct format other_format = {
    .name = "", .type = "text/plain; charset=UTF-8", .join = JOIN_NOT};

static const struct {
    int code;
    int status;
} errors[] = {
#define ERROR(code_, status_) {code_, status_},
#include "errors.def"
#undef ERROR
};

const struct format *format_find(struct span name)
{
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (span_is(name, formats[i].name)) {
            return &formats[i];
        }
    }
    return &other_format;
}

/* A quote inside a quoted cell is doubled, so that counting all quotes is enough. */
static struct span skip_lines(struct span s, int lines, bool quotes)
{
    bool quoted = false;
    size_t i = 0;
    while (i < s.len && lines > 0) {
        if (quotes && s.ptr[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && s.ptr[i] == '\n') {
            lines--;
        }
        i++;
    }
    return (struct span){.ptr = s.ptr + i, .len = s.len - i};
}

struct span format_cut_header(const struct format *f, struct span chunk)
{
    switch (f->join) {
    case JOIN_LINES_1:
        return skip_lines(chunk, 1, false);
    case JOIN_LINES_2:
        return skip_lines(chunk, 2, false);
    case JOIN_CSV_1:
        return skip_lines(chunk, 1, true);
    case JOIN_CSV_2:
        return skip_lines(chunk, 2, true);
    case JOIN_NOT:
    case JOIN_ROWS:
        break;
    }
    return chunk;
}

bool format_is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (isalnum((unsigned char)name.ptr[i]) == 0 && name.ptr[i] != '_') {
            return false;
        }
    }
    return name.len > 0 && name.len <= 64;
}

int error_code(struct span text)
{
    static const char mark[] = "Code: ";
    const char *hit = memmem(text.ptr, text.len, mark, sizeof mark - 1);
    int code = 0;
    if (hit != NULL) {
        const char *end = text.ptr + text.len;
        for (hit += sizeof mark - 1;
             hit < end && isdigit((unsigned char)*hit) != 0 && code < 100000; hit++) {
            code = code * 10 + (*hit - '0');
        }
    }
    return code > 0 ? code : 1001;
}

int error_status(int code)
{
    for (size_t i = 0; i < COUNT(errors); i++) {
        if (errors[i].code == code) {
            return errors[i].status;
        }
    }
    return 500;
}
