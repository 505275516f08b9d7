/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 2048, LOG_PER_SECOND_MAX = 20, LOG_EVENTS_WATCHED = 64 };

static struct {
    pthread_mutex_t lock;
    enum log_level least;
    bool json;
    struct {
        const char *event;
        int64_t second;
        unsigned count, left_out;
    } recent[LOG_EVENTS_WATCHED];
} log_state = {.lock = PTHREAD_MUTEX_INITIALIZER, .least = LOG_INFO};

void log_setup(enum log_level least, bool json)
{
    log_state.least = least;
    log_state.json = json;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG: return "debug";
    case LOG_INFO: return "info";
    case LOG_WARN: return "warn";
    case LOG_ERROR: return "error";
    }
    return "info";
}

/* Whether this line is over the rate of its event; *left_out is how many lines were dropped before this one. */
static bool log_over_rate(const char *event, int64_t second, unsigned *left_out)
{
    size_t slot = ((uintptr_t)event >> 3) % LOG_EVENTS_WATCHED;
    *left_out = 0;
    if (log_state.recent[slot].event != event || log_state.recent[slot].second != second) {
        if (log_state.recent[slot].event == event) *left_out = log_state.recent[slot].left_out;
        log_state.recent[slot].event = event;
        log_state.recent[slot].second = second;
        log_state.recent[slot].count = 0;
        log_state.recent[slot].left_out = 0;
    }
    if (++log_state.recent[slot].count <= LOG_PER_SECOND_MAX) return false;
    log_state.recent[slot].left_out++;
    return true;
}

static void log_line(struct buf *line, enum log_level level, const char *event, const char *pairs, unsigned left_out)
{
    char when[32];
    iso_millis(when, wall_now_ms());
    if (log_state.json) {
        struct jw w;
        jw_init(&w, line);
        jw_object(&w);
        jw_key(&w, "time"), jw_text(&w, when);
        jw_key(&w, "level"), jw_text(&w, level_name(level));
        jw_key(&w, "event"), jw_text(&w, event);
        jw_key(&w, "text"), jw_text(&w, pairs);
        if (left_out) jw_key(&w, "left_out"), jw_int(&w, left_out);
        jw_object_end(&w);
    } else {
        buf_addf(line, "%s %s %s%s%s", when, level_name(level), event, pairs[0] ? " " : "", pairs);
        if (left_out) buf_addf(line, " left_out=%u", left_out);
    }
    buf_addc(line, '\n');
}

void log_event(enum log_level level, const char *event, const char *pairs, ...)
{
    if (level < log_state.least) return;
    char text[LOG_LINE_MAX];
    va_list args;
    va_start(args, pairs);
    (void)vsnprintf(text, sizeof text, pairs, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20) *c = ' ';
    (void)pthread_mutex_lock(&log_state.lock);
    unsigned left_out;
    if (!log_over_rate(event, wall_now_ms() / 1000, &left_out)) {
        struct buf line;
        buf_init(&line, 8 * LOG_LINE_MAX);
        log_line(&line, level, event, text, left_out);
        ssize_t written = write(STDERR_FILENO, line.ptr, line.len);
        (void)written; /* nowhere to say that stderr is gone */
        buf_free(&line);
    }
    (void)pthread_mutex_unlock(&log_state.lock);
}
