/* SPDX-License-Identifier: Apache-2.0 */
#include "query/window.h"

enum { EPOCH_MAX_S_DIGITS = 11, DAY_S = 86400 };

static int64_t floor_to(int64_t t, int64_t step)
{
    int64_t rest = t % step;
    return t - (rest < 0 ? rest + step : rest);
}

static int64_t ceil_to(int64_t t, int64_t step)
{
    int64_t low = floor_to(t, step);
    return low == t ? t : low + step;
}

static bool unit_seconds(struct span unit, int64_t *out)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}, {"week", 604800}};
    if (unit.len > 1 && unit.ptr[unit.len - 1] == 's') unit.len--;
    for (size_t i = 0; i < COUNT(units); i++)
        if (span_is(unit, units[i].name)) {
            *out = units[i].seconds;
            return true;
        }
    return false;
}

static const char *parse_duration(struct span text, int64_t now_s, struct window *out)
{
    ptrdiff_t colon = span_find(text, ':');
    if (colon < 0) return "timeframe[] has to be two Unix timestamps in seconds, or one duration such as 24:hours.";
    int64_t n, unit;
    struct span count = span_upto(text, (size_t)colon);
    if (count.len == 0 || count.ptr[0] == '+' || !span_to_i64(count, &n) || n < 1)
        return "The number of a timeframe[] duration has to be a whole number above 0.";
    if (!unit_seconds(span_from(text, (size_t)colon + 1), &unit))
        return "The unit of a timeframe[] duration has to be seconds, minutes, hours, days or weeks.";
    if (n > (int64_t)WINDOW_DAYS_MAX * DAY_S / unit) return "A timeframe[] may be at most 3660 days long.";
    out->start_s = now_s - n * unit;
    out->end_s = now_s;
    return NULL;
}

/* Snapping to days makes 3660 of them 3661 when they begin within one. What was answered may be asked for again. */
static int64_t epochs_max_s(const struct window *w)
{
    bool snapped = w->start_s % DAY_S == 0 && (w->end_s + 1) % DAY_S == 0;
    return (int64_t)(WINDOW_DAYS_MAX + snapped) * DAY_S;
}

static const char *parse_epochs(struct span from, struct span to, struct window *out)
{
    if (!span_to_i64(from, &out->start_s) || !span_to_i64(to, &out->end_s))
        return "The two elements of timeframe[] have to be Unix timestamps in seconds.";
    int64_t max = 1;
    for (int i = 0; i < EPOCH_MAX_S_DIGITS; i++) max *= 10;
    if (out->start_s > max || out->end_s > max) return "timeframe[] takes seconds; this looks like milliseconds.";
    if (out->start_s < 0) return "timeframe[] cannot begin before 1970.";
    if (out->start_s >= out->end_s) return "The start of timeframe[] has to be before its end.";
    if (out->end_s - out->start_s > epochs_max_s(out)) return "A timeframe[] may be at most 3660 days long.";
    return NULL;
}

const char *window_parse(const struct span *values, size_t n, int64_t now_s, struct window *out)
{
    const char *bad = NULL;
    struct span given[2];
    size_t count = 0; /* of those that are not empty: an empty one is absent */
    *out = (struct window){.start_s = now_s - 86400, .end_s = now_s};
    for (size_t i = 0; i < n; i++) {
        if (values[i].len == 0) continue;
        if (count < COUNT(given)) given[count] = values[i];
        count++;
    }
    if (count == 1) bad = parse_duration(given[0], now_s, out);
    else if (count == 2) bad = parse_epochs(given[0], given[1], out);
    else if (count > 2) bad = "timeframe[] takes one duration or two timestamps, not more.";
    out->step_s = bad ? 0 : window_step(out);
    return bad;
}

int64_t window_step(const struct window *w)
{
    int64_t length = ceil_to(w->end_s - w->start_s, 60);
    if (length < 5400) return 60;
    if (length <= 21600) return 600;
    if (length <= 1296000) return 3600;
    return 86400;
}

void window_snap(struct window *w)
{
    int64_t step = window_step(w);
    w->start_s = floor_to(w->start_s, step);
    w->end_s = ceil_to(w->end_s, step);
    w->step_s = step;
}

static const struct {
    const char *name;
    int64_t step_s;
} granularities[] = {{"minute", 60}, {"ten_minutes", 600}, {"hour", 3600}, {"day", 86400}};

bool granularity_step(struct span name, int64_t *step_s)
{
    for (size_t i = 0; i < COUNT(granularities); i++)
        if (span_is(name, granularities[i].name)) {
            *step_s = granularities[i].step_s;
            return true;
        }
    return false;
}

const char *granularity_name(int64_t step_s)
{
    for (size_t i = 0; i < COUNT(granularities); i++)
        if (granularities[i].step_s == step_s) return granularities[i].name;
    return "";
}

int64_t window_first_bucket_s(const struct window *w, int64_t step_s)
{
    return floor_to(w->start_s, step_s);
}

int64_t window_buckets(const struct window *w, int64_t step_s)
{
    return (floor_to(w->end_s - 1, step_s) - window_first_bucket_s(w, step_s)) / step_s + 1;
}
