/* SPDX-License-Identifier: Apache-2.0
 * GET /counts?token=JWT: how many watch one video, asset, playback or live stream right now. The token is the whole
 * credential: signed by a signing key of the environment, sub is the id, aud says of what. Meant for pages, so any
 * origin may read it. Everything that is wrong with a token is 403, as published. */
#include "api/ask.h"

#include "accounts/notes.h"
#include "api/jwt.h"
#include "base/clock.h"
#include "live/watching.h"

enum { CLOCK_SLACK_S = 60 };

static bool audience_find(struct span audience, enum watching_by *out)
{
    static const char *const audiences[WATCHING_BYS] = {"video_id", "asset_id", "playback_id", "live_stream_id"};
    for (size_t i = 0; i < COUNT(audiences); i++)
        if (span_is(audience, audiences[i])) {
            *out = (enum watching_by)i;
            return true;
        }
    return false;
}

/* The token's key, checked, and with it the environment. */
static bool token_check(struct api_call *c, struct jwt *t, enum watching_by *by)
{
    const char *why = "The token is missing.";
    struct span token = api_param(c, "token");
    struct signing_key key;
    if (c->parser == NULL) c->parser = json_parser_new();
    bool ok = token.len && jwt_read(token, c->parser, c->arena, t, &why);
    if (ok) {
        why = "The token's signature does not fit a signing key of this server.";
        ok = t->kid.len && accounts_signing_key_find(c->accounts, t->kid, &key, c->environment_id) &&
             jwt_signed_by(t, key.public_pem);
    }
    int64_t now_s = c->now_ms / 1000;
    if (ok) {
        bool known = audience_find(t->audience, by);
        why = NULL;
        if (t->expires_s == 0) why = "The token has no expiry.";
        else if (t->expires_s <= now_s) why = "The token has expired.";
        else if (t->not_before_s > now_s + CLOCK_SLACK_S) why = "The token is not valid yet.";
        else if (!known) why = "The token's aud has to be video_id, asset_id, playback_id or live_stream_id.";
        else if (t->subject.len == 0) why = "The token has no sub.";
    }
    if (why) api_fail(c, 403, "%s", why);
    return why == NULL;
}

void api_counts(struct api_call *c)
{
    struct jwt t;
    enum watching_by by = WATCHING_VIDEO_ID;
    char when[32];
    api_header(c, "Access-Control-Allow-Origin", "*");
    bool ok = token_check(c, &t, &by);
    struct watching_count now = {0, 0};
    if (ok && c->watching) now = watching_count(c->watching, c->environment_id, by, t.subject, c->now_ms);
    c->environment_id[0] = 0; /* no environment's CORS list on top of the header above */
    if (!ok) return;
    iso_seconds(when, c->now_ms);
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json), jw_object(&c->json);
    jw_key(&c->json, "views"), jw_int(&c->json, now.views);
    jw_key(&c->json, "viewers"), jw_int(&c->json, now.viewers);
    jw_key(&c->json, "updated_at"), jw_text(&c->json, when);
    jw_object_end(&c->json), jw_array_end(&c->json);
    jw_object_end(&c->json);
}
