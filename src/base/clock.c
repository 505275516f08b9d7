/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

struct mono_us mono_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (struct mono_us){(int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000};
}

int64_t wall_now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static void utc_of(int64_t wall_ms, struct tm *out, int *ms)
{
    int64_t seconds = floor_div(wall_ms, 1000);
    *ms = (int)(wall_ms - seconds * 1000);
    time_t t = (time_t)seconds;
    if (gmtime_r(&t, out) == NULL) memset(out, 0, sizeof *out);
}

void iso_seconds(char out[32], int64_t wall_ms)
{
    struct tm t;
    int ms;
    utc_of(wall_ms, &t, &ms);
    (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &t);
}

void iso_millis(char out[32], int64_t wall_ms)
{
    struct tm t;
    int ms;
    utc_of(wall_ms, &t, &ms);
    size_t len = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &t);
    (void)snprintf(out + len, 32 - len, ".%03dZ", ms);
}

void iso_day(char out[32], int64_t wall_ms)
{
    struct tm t;
    int ms;
    utc_of(wall_ms, &t, &ms);
    (void)strftime(out, 32, "%Y-%m-%d", &t);
}

bool iso_parse(struct span text, int64_t *wall_ms)
{
    char copy[40];
    if (text.len >= sizeof copy || text.len < 10) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    struct tm t = {0};
    const char *end = strptime(copy, "%Y-%m-%d", &t);
    if (end == NULL) return false;
    int64_t ms = 0;
    if (*end) {
        end = strptime(copy, "%Y-%m-%dT%H:%M:%S", &t);
        if (end == NULL) return false;
        int64_t scale = 100;
        if (*end == '.')
            for (end++; *end >= '0' && *end <= '9'; end++, scale /= 10) ms += (*end - '0') * scale;
        if (strcmp(end, "Z") != 0) return false;
    }
    *wall_ms = (int64_t)timegm(&t) * 1000 + ms;
    return true;
}
