/* SPDX-License-Identifier: Apache-2.0
 * View rows for the store's tests. */
#ifndef FF_TESTS_STORE_ROWS_H
#define FF_TESTS_STORE_ROWS_H

#include "views/row.h"

#include <stdio.h>

#define TEST_DAY_MS INT64_C(86400000)
/* Noon of a day. */
#define TEST_NOON_MS (INT64_C(20780) * TEST_DAY_MS + TEST_DAY_MS / 2)

static inline struct view_row test_row(const char *environment, uint64_t n, bool final, int64_t view_end_ms)
{
    struct view_row r = {.property_id = 7,
                         .version = 1,
                         .id = {.hi = hash64(span_of(environment), n), .lo = n * 0x9e3779b97f4a7c15u},
                         .final = final,
                         .view_start_ms = view_end_ms - 60000,
                         .view_end_ms = view_end_ms,
                         .inserted_ms = view_end_ms - 59000,
                         .updated_ms = view_end_ms + 1000};
    (void)snprintf(r.environment_id, sizeof r.environment_id, "%s", environment);
    r.view_id = SPAN("1b4e28ba-2fa1-4d2b-883f-0016d3cca427"); /* of the form that SDKs make; id tells views apart */
    r.country = SPAN("NL");
    r.video_title = SPAN("A film");
    r.watched = true;
    r.video_startup_time = (struct opt_i64){(int64_t)n, true};
    r.watch_time = (struct opt_i64){1000, true};
    return r;
}

#endif
