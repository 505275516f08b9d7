/* SPDX-License-Identifier: Apache-2.0
 * GET /system/v1/audit: who did what, newest first. Admins and owners of the organization see all of it; everybody else
 * with system:read, and every token, what concerns the environment of the call. */
#include "accounts/audit.h"

#include "accounts/environments.h"
#include "api/admin.h"

#include <stdlib.h>

enum { LIST_LIMIT = 100, LIST_LIMIT_MAX = 1000 };

static const char *actor_kind_text(enum actor_kind kind)
{
    switch (kind) {
    case ACTOR_COMMAND_LINE: return "command_line";
    case ACTOR_PERSON: return "person";
    case ACTOR_TOKEN: return "token";
    case ACTOR_SERVER: return "server";
    }
    return "server";
}

static void print_row(struct jw *w, const struct audit_row *row)
{
    jw_object(w);
    jw_key(w, "id"), jw_int(w, row->id);
    admin_print_time(w, "at", row->at_ms);
    jw_key(w, "actor_kind"), jw_text(w, actor_kind_text(row->actor_kind));
    jw_key(w, "actor"), jw_text(w, row->actor);
    jw_key(w, "act"), jw_text(w, row->act);
    jw_key(w, "target"), jw_text(w, row->target);
    jw_key(w, "environment_id"), jw_text(w, row->environment_id[0] ? row->environment_id : NULL);
    jw_key(w, "address"), jw_text(w, row->address[0] ? row->address : NULL);
    jw_key(w, "details"), jw_raw(w, row->details[0] ? span_of(row->details) : SPAN("{}"));
    jw_object_end(w);
}

static bool read_moment(struct api_call *c, const char *name, int64_t *out_ms)
{
    struct span text = api_param(c, name);
    *out_ms = 0;
    if (text.len == 0) return true;
    if (span_to_i64(text, out_ms) && *out_ms > 0 && *out_ms < INT64_MAX / 1000) {
        *out_ms *= 1000;
        return true;
    }
    api_fail(c, 400, "%s has to be a Unix timestamp in seconds.", name);
    return false;
}

/* How far the caller may look. Acts that concern no organization (a password, a session) are shown to the admins of a
 * server that has only one. */
static bool scope(struct api_call *c, struct audit_query *q)
{
    struct span wanted = api_param(c, "scope");
    if (wanted.len && !span_is(wanted, "environment") && !span_is(wanted, "organization")) {
        api_fail(c, 400, "scope has to be organization or environment.");
        return false;
    }
    if (admin_organization_role(c) < ROLE_ADMIN || span_is(wanted, "environment")) {
        q->environment_id = span_of(c->environment_id);
        return true;
    }
    struct organization *list;
    size_t n;
    enum accounts_error e = accounts_organizations(c->accounts, &list, &n);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return false;
    }
    free(list);
    if (n > 1) q->organization_id = span_of(c->environment.organization_id);
    return true;
}

void api_audit(struct api_call *c)
{
    struct audit_query q = {.act = api_param(c, "act")};
    uint32_t page;
    if (!api_paging(c, LIST_LIMIT, LIST_LIMIT_MAX, &q.limit, &page) || !read_moment(c, "since", &q.since_ms) ||
        !read_moment(c, "until", &q.until_ms) || !scope(c, &q))
        return;
    uint64_t offset = (uint64_t)(page - 1) * q.limit;
    q.offset = offset > UINT32_MAX ? UINT32_MAX : (uint32_t)offset;
    struct audit_row *rows;
    size_t n;
    int64_t total;
    enum accounts_error e = accounts_audit(c->accounts, &q, &rows, &n, &total);
    if (e != ACCOUNTS_OK) {
        api_fail_accounts(c, e);
        return;
    }
    jw_object(&c->json);
    jw_key(&c->json, "data"), jw_array(&c->json);
    for (size_t i = 0; i < n; i++) print_row(&c->json, &rows[i]);
    jw_array_end(&c->json);
    api_total(c, total);
    jw_object_end(&c->json);
    free(rows);
}
