/* SPDX-License-Identifier: Apache-2.0
 * Errors and the outcomes that follow from them. Rules 42 to 50. */
#include "views/fold.h"

enum { CONTEXTS_BYTES_MAX = 1 << 20 }; /* of all errors of a view together; further contexts are left out */

static void errors_begin(struct fold *f)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->event_count; i++) count += f->events[i].name == EVENT_error;
    f->errors.items = fold_alloc(f, (count + 1u) * sizeof *f->errors.items);
}

static void errors_step(struct fold *f, const struct fold_event *e)
{
    struct fold_errors *errors = &f->errors;
    if (e->name == EVENT_adbreakstart) errors->in_break = true;
    if (e->name == EVENT_adbreakend || e->name == EVENT_playing) errors->in_break = false;
    if (e->name != EVENT_error) return;
    const struct beacon_value *business = fold_own(e, FIELD_player_error_business_exception);
    struct fold_error *error = &errors->items[errors->count++];
    *error = (struct fold_error){
        .code = fold_copy(f, fold_own_text(e, FIELD_player_error_code)),
        .message = fold_copy(f, fold_own_text(e, FIELD_player_error_message)),
        .time = {e->viewer_time_ms, e->receipt_ms, e->viewer_time_ms != INT64_MIN},
        .sent_fatal = !fold_is_warning(fold_own_text(e, FIELD_player_error_severity)),
        .sent_business = business && business->v.i,
        .in_ad = errors->in_break,
    };
    struct span context = fold_own_text(e, FIELD_player_error_context);
    if (context.len <= CONTEXTS_BYTES_MAX - errors->context_bytes) {
        error->context = fold_copy(f, context);
        errors->context_bytes += context.len;
    }
    error->id = error_type_id(error->code, error->message);
    error->fatal = error->sent_fatal;
    error->business = error->sent_business;
    if (f->categorise == NULL || error->code.len == 0) return;
    struct view_error_rule rule = f->categorise(f->ctx, f->v->environment_id, error->code);
    if (rule.severity_known) error->fatal = rule.fatal;
    if (rule.business_known) error->business = rule.business;
}

static const struct fold_error *first_fatal(const struct fold *f, bool business)
{
    for (uint32_t i = 0; i < f->errors.count; i++) {
        const struct fold_error *error = &f->errors.items[i];
        if (error->fatal && error->business == business) return error;
    }
    return NULL;
}

static int64_t error_ms(const struct fold *f, const struct fold_error *error)
{
    return error->time.known ? fold_correct(f, error->time.ms, error->time.receipt_ms) : error->time.receipt_ms;
}

static void finish_list(struct fold *f)
{
    uint32_t n = f->errors.count;
    struct view_row *row = f->row;
    struct list_i64 *const ints[] = {&row->error_ids, &row->error_times, &row->error_fatal, &row->error_business,
                                     &row->error_in_ad};
    struct list_text *const texts[] = {&row->error_codes, &row->error_messages, &row->error_contexts};
    for (size_t i = 0; i < COUNT(ints); i++)
        *ints[i] = (struct list_i64){fold_alloc(f, (n + 1u) * sizeof *ints[i]->items), n};
    for (size_t i = 0; i < COUNT(texts); i++)
        *texts[i] = (struct list_text){fold_alloc(f, (n + 1u) * sizeof *texts[i]->items), n};
    for (uint32_t i = 0; i < n; i++) {
        const struct fold_error *error = &f->errors.items[i];
        row->error_ids.items[i] = error->id;
        row->error_times.items[i] = error_ms(f, error);
        row->error_fatal.items[i] = error->sent_fatal;
        row->error_business.items[i] = error->sent_business;
        row->error_in_ad.items[i] = error->in_ad;
        row->error_codes.items[i] = error->code;
        row->error_messages.items[i] = error->message;
        row->error_contexts.items[i] = error->context;
    }
}

static void errors_finish(struct fold *f)
{
    struct view_row *row = f->row;
    finish_list(f);
    const struct fold_error *failure = first_fatal(f, false), *business = first_fatal(f, true);
    const struct fold_error *error = failure ? failure : business;
    row->playback_failure = failure != NULL;
    row->video_startup_failure = failure && !f->watched;
    row->playback_business_exception = business != NULL;
    row->video_startup_business_exception = business && !f->watched;
    row->ad_playback_failure = failure && failure->in_ad;
    row->content_playback_failure = failure && !failure->in_ad;
    row->exit_before_video_start = !f->watched && !failure;
    if (error) {
        row->error_type_id = opt_int32(error->id);
        row->player_error_code = error->code;
        row->player_error_message = error->message;
        row->player_error_context = error->context;
        row->error_last_seen = opt_int64(error_ms(f, error));
    }
    if (failure) row->playback_failure_error_type_id = opt_int32(failure->id);
    if (business) row->playback_business_exception_error_type_id = opt_int32(business->id);
    if (row->video_startup_business_exception)
        row->video_startup_business_exception_error_type_id = opt_int32(business->id);
    if (row->ad_playback_failure) row->ad_playback_failure_error_type_id = opt_int32(failure->id);
}

const struct fold_pass fold_pass_errors = {errors_begin, errors_step, errors_finish};
