/* SPDX-License-Identifier: Apache-2.0
 * What the server must have stored for a view, given which POSTs arrived: an implementation of its own of the rules
 * for folding, outcomes and scores, so that it can disagree with the server's. It rebuilds state from the fields that
 * were on the wire, as the server has to. Pure.
 *
 * The unit of every number is that of the API's view detail; NAN is null. */
#ifndef FF_SIM_TRUTH_H
#define FF_SIM_TRUTH_H

#include "sim/model.h"

#include <math.h>

/* One arrived event: what it is, and what was on the wire. */
struct sim_fact {
    enum sim_kind kind;
    uint32_t seq;
    const struct sim_pair *pairs;
    uint32_t pair_count;
};

/* First and last value that is neither 0 nor "". */
struct sim_span_of_values {
    struct sim_value first, last;
};

/* Content playing time at one rendition; NAN and UNSET are what was not known of it. */
struct sim_rendition_time {
    double bitrate, width, height, fps;
    struct sim_value codec, name;
    double ms;
};
/* Playing time in one playback mode, or of one type of ad; UNSET: before any was named. */
struct sim_named_time {
    struct sim_value name;
    double ms;
};
struct sim_truth_error {
    struct sim_value code, message, context;
    double at_ms; /* as on the wire */
    bool fatal, business, in_ad;
};
enum { SIM_RENDITION_TIMES_MAX = 64, SIM_NAMED_TIMES_MAX = 8, SIM_ERRORS_MAX = 32 };

struct sim_truth {
    struct sim_value last[SIM_FIELDS]; /* last defined value; UNSET is null */
    struct sim_span_of_values bitrate, fps, height, width, video_codec, audio_codec, dynamic_range;
    uint32_t events;

    double view_start_ms, view_end_ms; /* as on the wire */
    double watch_time, view_playing_time, ad_playing_time, view_content_playing_time;
    double time_to_first_frame, player_startup_time, page_load_time, aggregate_startup_time;
    double view_content_startup_time, ad_preroll_startup_time;
    double preroll_request_time, preroll_load_time, requests_for_first_preroll;
    double buffering_count, buffering_duration, buffering_rate, rebuffer_percentage;
    double seek_count, seek_duration;
    double content_playback_time, upscaling, downscaling, max_upscale, max_downscale, max_playhead;
    double weighted_average_bitrate, rendition_changes, rendition_ups, rendition_downs;
    double request_throughput, request_latency, request_latency_max;
    double live_stream_latency;
    double ad_attempts, ad_breaks, ad_impressions, ad_errors, ad_break_errors, ad_startup_errors, ad_exits;
    double ad_error_percentage, ad_break_error_percentage, ad_startup_error_percentage, ad_exit_percentage;
    double score, playback_score, startup_score, rebuffering_score, quality_score;

    bool watched, dropped, has_ad, long_rebuffering, long_resume;
    bool playback_failure, startup_failure, business_exception, startup_business_exception, exit_before_start;
    bool ad_failure, content_failure;
    bool used_fullscreen, used_pip, used_captions, preroll_requested, preroll_played;
    struct sim_truth_error errors[SIM_ERRORS_MAX]; /* every error event, warnings too */
    unsigned error_count;
    int failure_at, refusal_at; /* the first fatal ones: a failure, a business exception; -1: none */
    struct sim_value error_code, error_message, error_context; /* of the view's error */
    struct sim_rendition_time renditions[SIM_RENDITION_TIMES_MAX];
    struct sim_named_time modes[SIM_NAMED_TIMES_MAX], ad_types[SIM_NAMED_TIMES_MAX];
    unsigned rendition_count, mode_count, ad_type_count;
    struct sim_value cdns[64];
    unsigned cdn_count;

    /* What lost beacons left undecided: the field is left out of the file. */
    bool unsure_live_latency, unsure_playing;
};

/* Facts in ascending sequence, each sequence once. false: these events make no view. */
bool sim_truth_fold(const struct sim_fact *facts, size_t count, struct sim_truth *out) MUST_USE;

/* arrived[p]: POST p of the session was acknowledged at least once. */
bool sim_truth_view(const struct sim_session *s, unsigned view, const bool *arrived, struct sim_truth *out) MUST_USE;

/* The four numbers of the scores, each 0..1 or NAN, and their combination. */
double sim_truth_startup_score(double time_to_first_frame_ms);
double sim_truth_rebuffering_score(double count, double duration_ms, double watch_ms);
double sim_truth_quality_score(double max_upscale, double upscaling, double content_ms);
double sim_truth_overall(double success, double startup, double rebuffering, double quality);

/* What the file tells about a view besides what was folded. */
struct sim_truth_extra {
    bool times_as_sent; /* the server takes client times as they are (backfill) */
    uint32_t beacons;   /* POSTs acknowledged that held an event of the view, copies included */
    uint32_t duplicated, reordered, lost;
    const bool *arrived; /* as for sim_truth_view: what the timeline holds; NULL: none is written */
};
/* One JSON object and a newline. */
void sim_truth_write(struct buf *out, const struct sim_session *s, unsigned view, const struct sim_truth *t,
                     const struct sim_truth_extra *extra);

#endif
