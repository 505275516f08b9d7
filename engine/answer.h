/* SPDX-License-Identifier: Apache-2.0
 *
 * ClickHouse's words in HTTP: error codes to statuses, formats to content types. Pure. */
#ifndef ENGINE_ANSWER_H
#define ENGINE_ANSWER_H

#include "text.h"

/* How the chunks of a streamed result become one document; see formats.def. */
enum join { JOIN_NOT, JOIN_ROWS, JOIN_LINES_1, JOIN_LINES_2, JOIN_CSV_1, JOIN_CSV_2 };

struct format {
    const char *name;
    const char *type;
    enum join join;
};

/* Never NULL: a format that is not listed is plain text which cannot be joined. */
const struct format *format_find(struct span name);

/* The chunk without the header that a chunk before it brought already. */
struct span format_cut_header(const struct format *f, struct span chunk);

/* Whether a name can be a format's: letters and digits only, so it may stand in a header line. */
bool format_is_name(struct span name);

/* "Code: 60. DB::Exception: …" is 60; text without a code is 1001, STD_EXCEPTION. */
int error_code(struct span text);
int error_status(int code);

#endif
