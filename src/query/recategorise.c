/* SPDX-License-Identifier: Apache-2.0 */
#include "query/recategorise.h"

#include "store/escape.h"
#include "store/result.h"

enum { SQL_BYTES_MAX = 4 * 1024 * 1024, ROWS_BYTES_MAX = 1024 * 1024, START_MS = 60000 };

/* The expressions everything is made of, as texts. */
struct words {
    struct buf
        failure; /* position in the row's lists of its first fatal error that is no business exception; 0: none */
    struct buf business; /* of its first fatal business exception */
    struct buf error;    /* of the view's error: the failure, else the business exception */
};

enum decided { DECIDED_NO, DECIDED_YES };

static bool decides(const struct error_override *r, bool severity, enum decided how)
{
    bool known = severity ? r->severity_known : r->business_known, yes = severity ? r->fatal : r->business;
    return known && yes == (how == DECIDED_YES);
}

/* "multiIf(has([...], c), 0, has([...], c), 1, f)", or f alone. */
static void decision_sql(struct buf *sql, const struct error_override *rules, size_t n, bool severity)
{
    const char *sent = severity ? "f" : "b";
    bool any = false;
    for (size_t i = 0; i < n; i++) any = any || (severity ? rules[i].severity_known : rules[i].business_known);
    if (!any) {
        buf_adds(sql, sent);
        return;
    }
    buf_adds(sql, "multiIf(");
    for (int how = DECIDED_NO; how <= DECIDED_YES; how++) {
        bool first = true;
        for (size_t i = 0; i < n; i++) {
            if (!decides(&rules[i], severity, (enum decided)how)) continue;
            buf_adds(sql, first ? "has([" : ",");
            store_escape_text(sql, rules[i].code);
            first = false;
        }
        if (!first) buf_addf(sql, "], c), toInt64(%d), ", how);
    }
    buf_addf(sql, "%s)", sent);
}

static void position_sql(struct buf *sql, const struct error_override *rules, size_t n, int business)
{
    buf_adds(sql, "toInt64(arrayFirstIndex((c, f, b) -> ");
    decision_sql(sql, rules, n, true);
    buf_adds(sql, " = 1 AND ");
    decision_sql(sql, rules, n, false);
    buf_addf(sql, " = %d, error_codes, error_fatal, error_business))", business);
}

static void words_init(struct words *w, const struct error_override *rules, size_t n)
{
    buf_init(&w->failure, SQL_BYTES_MAX);
    buf_init(&w->business, SQL_BYTES_MAX);
    buf_init(&w->error, SQL_BYTES_MAX);
    position_sql(&w->failure, rules, n, 0);
    position_sql(&w->business, rules, n, 1);
    buf_addf(&w->error, "if(%s > 0, %s, %s)", w->failure.ptr, w->failure.ptr, w->business.ptr);
}

static void words_free(struct words *w)
{
    buf_free(&w->failure);
    buf_free(&w->business);
    buf_free(&w->error);
}

/* Each writes one expression. "list[position]", null where the position is 0. */
static void nullable_at(struct buf *sql, const char *list, const char *position, const char *and_also)
{
    buf_addf(sql, "if(%s > 0%s, CAST(%s[%s] AS Nullable(Int64)), CAST(NULL AS Nullable(Int64)))", position, and_also,
             list, position);
}

static void text_at(struct buf *sql, const char *list, const char *position)
{
    buf_addf(sql, "nullIf(if(%s > 0, %s[%s], ''), '')", position, list, position);
}

static void where_sql(struct buf *sql, const char *environment_id, const struct words *w)
{
    const char *f = w->failure.ptr, *b = w->business.ptr, *e = w->error.ptr;
    buf_adds(sql, "environment_id = ");
    store_escape_text(sql, span_of(environment_id));
    buf_addf(sql,
             " AND notEmpty(error_ids) AND (playback_failure != (%s > 0) OR playback_business_exception != (%s > 0)", f,
             b);
    buf_addf(sql, " OR ad_playback_failure != (%s > 0 AND error_in_ad[%s] = 1)", f, f);
    buf_adds(sql, " OR ifNull(error_type_id, 0) != ifNull(");
    nullable_at(sql, "error_ids", e, "");
    buf_adds(sql, ", 0) OR ifNull(error_last_seen, 0) != ifNull(");
    nullable_at(sql, "error_times", e, "");
    buf_adds(sql, ", 0) OR ifNull(playback_failure_error_type_id, 0) != ifNull(");
    nullable_at(sql, "error_ids", f, "");
    buf_adds(sql, ", 0) OR ifNull(playback_business_exception_error_type_id, 0) != ifNull(");
    nullable_at(sql, "error_ids", b, "");
    buf_adds(sql, ", 0))");
}

/* Rules 52 and 56, as in views/score.c. The three sub-scores do not depend on errors. */
static const char trades[] = "[pow(rebuffer_score, 0.62) * pow(video_quality_score, 0.38), pow(rebuffer_score, 0.54) * "
                             "pow(startup_time_score, 0.46), "
                             "pow(startup_time_score, 0.58) * pow(video_quality_score, 0.42)]";

static void success_sql(struct buf *sql, const struct words *w)
{
    buf_addf(sql,
             "multiIf(%s > 0, toFloat64(0), watched = 1, toFloat64(1), ifNull(toInt64(watch_time), view_end - "
             "view_start) < 1000, "
             "CAST(NULL AS Nullable(Float64)), toFloat64(0.5))",
             w->failure.ptr);
}

static void overall_sql(struct buf *sql, const struct words *w)
{
    buf_adds(sql, "(");
    success_sql(sql, w);
    buf_addf(sql,
             ") * if(arrayCount(x -> isNotNull(x), %s) > 0, arraySum(x -> ifNull(x, 0), %s) / arrayCount(x -> "
             "isNotNull(x), %s), "
             "coalesce(rebuffer_score, startup_time_score, video_quality_score, toFloat64(1)))",
             trades, trades, trades);
}

static void set_flag(struct buf *sql, const char *column, const char *condition)
{
    buf_addf(sql, ", %s = toUInt8(%s)", column, condition);
}

static void flags_sql(struct buf *sql, const struct words *w)
{
    struct buf text;
    const char *f = w->failure.ptr, *b = w->business.ptr;
    static const struct {
        const char *column, *beyond;
        bool business;
    } flags[] = {{"video_startup_failure", " AND watched = 0", false},
                 {"playback_business_exception", "", true},
                 {"video_startup_business_exception", " AND watched = 0", true}};
    buf_init(&text, SQL_BYTES_MAX);
    buf_addf(sql, "playback_failure = toUInt8(%s > 0)", f);
    for (size_t i = 0; i < COUNT(flags); i++) {
        buf_clear(&text);
        buf_addf(&text, "%s > 0%s", flags[i].business ? b : f, flags[i].beyond);
        set_flag(sql, flags[i].column, text.ptr);
    }
    for (int in_ad = 0; in_ad <= 1; in_ad++) {
        buf_clear(&text);
        buf_addf(&text, "%s > 0 AND error_in_ad[%s] = %d", f, f, in_ad);
        set_flag(sql, in_ad ? "ad_playback_failure" : "content_playback_failure", text.ptr);
    }
    buf_clear(&text);
    buf_addf(&text, "watched = 0 AND %s = 0", f);
    set_flag(sql, "exit_before_video_start", text.ptr);
    if (text.failed) sql->failed = true;
    buf_free(&text);
}

static void columns_sql(struct buf *sql, const struct words *w)
{
    const char *f = w->failure.ptr, *b = w->business.ptr, *e = w->error.ptr;
    struct buf in_ad;
    buf_init(&in_ad, SQL_BYTES_MAX);
    buf_addf(&in_ad, " AND error_in_ad[%s] = 1", f);
    buf_adds(sql, ", error_type_id = ");
    nullable_at(sql, "error_ids", e, "");
    buf_adds(sql, ", player_error_code = ");
    text_at(sql, "error_codes", e);
    buf_adds(sql, ", player_error_message = ");
    text_at(sql, "error_messages", e);
    buf_adds(sql, ", player_error_context = ");
    text_at(sql, "error_contexts", e);
    buf_adds(sql, ", error_last_seen = ");
    nullable_at(sql, "error_times", e, "");
    buf_adds(sql, ", playback_failure_error_type_id = ");
    nullable_at(sql, "error_ids", f, "");
    buf_adds(sql, ", playback_business_exception_error_type_id = ");
    nullable_at(sql, "error_ids", b, "");
    buf_adds(sql, ", video_startup_business_exception_error_type_id = ");
    nullable_at(sql, "error_ids", b, " AND watched = 0");
    buf_adds(sql, ", ad_playback_failure_error_type_id = ");
    nullable_at(sql, "error_ids", f, in_ad.ptr);
    buf_adds(sql, ", playback_success_score = ");
    success_sql(sql, w);
    buf_adds(sql, ", viewer_experience_score = ");
    overall_sql(sql, w);
    buf_free(&in_ad);
}

static bool words_failed(const struct words *w)
{
    return w->failure.failed || w->business.failed || w->error.failed;
}

void recategorise_where_sql(struct buf *sql, const char *environment_id, const struct error_override *rules, size_t n)
{
    struct words w;
    words_init(&w, rules, n);
    where_sql(sql, environment_id, &w);
    if (words_failed(&w)) sql->failed = true;
    words_free(&w);
}

void recategorise_update_sql(struct buf *sql, const char *environment_id, const struct error_override *rules, size_t n)
{
    struct words w;
    words_init(&w, rules, n);
    buf_adds(sql, "ALTER TABLE firstframe.views UPDATE ");
    flags_sql(sql, &w);
    columns_sql(sql, &w);
    buf_adds(sql, " WHERE ");
    where_sql(sql, environment_id, &w);
    if (words_failed(&w)) sql->failed = true;
    words_free(&w);
}

/* -- asking -- */

enum err query_recategorise_rows(struct query *q, const char *environment_id, const struct error_override *rules,
                                 size_t n, struct recategorise_rows *out)
{
    struct buf sql, rows;
    struct store_limits limits = {.timeout_ms = 600000};
    buf_init(&sql, SQL_BYTES_MAX);
    buf_init(&rows, ROWS_BYTES_MAX);
    buf_adds(&sql,
             "SELECT toInt64(count()), toInt64(min(view_end)), toInt64(max(view_end)) FROM firstframe.views WHERE ");
    recategorise_where_sql(&sql, environment_id, rules, n);
    enum err e =
        sql.failed ? ERR_FULL : store_select_as(q->store, buf_span(&sql), &limits, "RowBinary", &rows, &q->error);
    struct bytes in = bytes_of(buf_span(&rows));
    out->rows = rb_i64(&in);
    out->from_ms = rb_i64(&in);
    out->to_ms = rb_i64(&in);
    if (e == ERR_NONE && !in.ok) e = ERR_CORRUPT;
    buf_free(&sql);
    buf_free(&rows);
    return e;
}

enum err query_recategorise_start(struct query *q, const char *environment_id, const struct error_override *rules,
                                  size_t n)
{
    struct buf sql;
    buf_init(&sql, SQL_BYTES_MAX);
    recategorise_update_sql(&sql, environment_id, rules, n);
    enum err e = sql.failed ? ERR_FULL : store_execute(q->store, buf_span(&sql), START_MS, &q->error);
    buf_free(&sql);
    return e;
}

enum err query_recategorise_left(struct query *q, int64_t *parts, const char **failure)
{
    static const char sql[] = "SELECT toInt64(sum(parts_to_do + 1)), max(latest_fail_reason) FROM system.mutations "
                              "WHERE database = 'firstframe' AND table = 'views' AND is_done = 0";
    static const char sql_without_reason[] = "SELECT toInt64(sum(parts_to_do + 1)), '' FROM system.mutations "
                                             "WHERE database = 'firstframe' AND table = 'views' AND is_done = 0";
    struct buf rows;
    buf_init(&rows, ROWS_BYTES_MAX);
    *failure = NULL;
    enum err e = store_select(q->store, SPAN(sql), &rows, &q->error);
    if (e == ERR_REFUSED) { /* 18.16 does not have the column */
        buf_clear(&rows);
        e = store_select(q->store, SPAN(sql_without_reason), &rows, &q->error);
    }
    struct bytes in = bytes_of(buf_span(&rows));
    *parts = rb_i64(&in);
    struct span why = rb_text(&in);
    if (e == ERR_NONE && !in.ok) e = ERR_CORRUPT;
    if (e == ERR_NONE && why.len) *failure = arena_copy(q->arena, why).ptr;
    buf_free(&rows);
    return e;
}
