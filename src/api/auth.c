/* SPDX-License-Identifier: Apache-2.0
 * From a request's headers to a principal and an environment, and the decision whether the route may be used.
 * Order: beta-auth-token, Authorization (Basic: an access token; Bearer: a session), then the dashboard's cookie.
 * The cookie alone may write only with a same-origin Origin and a JSON content type, since a browser sends it by
 * itself. */
#include "api/internal.h"
#include "api/limits.h"

#include "base/clock.h"

#include <sodium.h>
#include <stdio.h>

enum { CREDENTIAL_BYTES_MAX = 2048 };

struct span api_cookie_token(const struct http_request *r)
{
    struct span cookies = http_header(r, "Cookie"), name = SPAN("firstframe_session=");
    while (cookies.len) {
        ptrdiff_t end = span_find(cookies, ';');
        struct span one = span_trim(end < 0 ? cookies : span_upto(cookies, (size_t)end));
        if (span_starts(one, name)) return span_from(one, name.len);
        cookies = end < 0 ? (struct span){NULL, 0} : span_from(cookies, (size_t)end + 1);
    }
    return (struct span){NULL, 0};
}

/* Origin "scheme://host[:port]" names the host this request was sent to. */
bool api_same_origin(const struct http_request *r)
{
    struct span origin = http_header(r, "Origin"), host = http_header(r, "Host");
    ptrdiff_t at = span_find_span(origin, SPAN("://"));
    return at > 0 && host.len > 0 && span_eq_nocase(span_from(origin, (size_t)at + 3), host);
}

static bool cookie_may_write(const struct http_request *r)
{
    if (r->method == HTTP_M_GET || r->method == HTTP_M_HEAD) return true;
    struct span type = http_header(r, "Content-Type");
    bool json = span_eq_nocase(span_upto(type, 16), SPAN("application/json"));
    return api_same_origin(r) && (json || r->body.len == 0);
}

static enum accounts_error check_basic(struct api_call *c, struct span encoded)
{
    char text[CREDENTIAL_BYTES_MAX];
    size_t len = 0;
    encoded = span_trim(encoded);
    bool ok = encoded.len > 0 && encoded.len < CREDENTIAL_BYTES_MAX &&
              sodium_base642bin((unsigned char *)text, sizeof text, encoded.ptr, encoded.len, NULL, &len, NULL,
                                sodium_base64_VARIANT_ORIGINAL) == 0;
    ptrdiff_t colon = ok ? span_find(span_make(text, len), ':') : -1;
    enum accounts_error e = ACCOUNTS_UNAUTHORIZED;
    if (colon >= 0)
        e = accounts_check_basic(c->accounts, span_make(text, (size_t)colon),
                                 span_make(text + colon + 1, len - (size_t)colon - 1), &c->principal);
    sodium_memzero(text, sizeof text);
    return e;
}

/* A session works only in the way it was made for: what a cookie holds is worth nothing in a header, where a script
 * could send it from anywhere, and a token for scripts is no cookie. */
static enum accounts_error check_session(struct api_call *c, struct span token, enum session_kind kind)
{
    enum accounts_error e = accounts_check_session(c->accounts, span_trim(token), &c->principal);
    if (e != ACCOUNTS_OK || c->principal.session_kind == kind) return e;
    c->principal.kind = PRINCIPAL_NONE;
    return ACCOUNTS_UNAUTHORIZED;
}

/* The whole of the credential checking; *cookie tells that only the cookie vouches for the request. */
static enum accounts_error check_any(struct api_call *c, bool *cookie)
{
    const struct http_request *r = c->request;
    struct span beta = http_header(r, "beta-auth-token"), authorization = http_header(r, "Authorization");
    *cookie = false;
    if (beta.len) return check_session(c, beta, SESSION_BETA);
    if (authorization.len > 6 && span_eq_nocase(span_upto(authorization, 6), SPAN("Basic ")))
        return check_basic(c, span_from(authorization, 6));
    if (authorization.len > 7 && span_eq_nocase(span_upto(authorization, 7), SPAN("Bearer ")))
        return check_session(c, span_from(authorization, 7), SESSION_BETA);
    struct span token = api_cookie_token(r);
    if (token.len == 0) return ACCOUNTS_UNAUTHORIZED;
    *cookie = true;
    return check_session(c, token, SESSION_COOKIE);
}

static permission_set access_permission(enum access access)
{
    switch (access) {
    case ACCESS_OPEN:
    case ACCESS_ANY:
    case ACCESS_PERSON: return PERMISSION_NONE;
#define PERMISSION(name, text, role, help)                                                                             \
    case ACCESS_##name:                                                                                                \
        return PERMISSION_##name;
#include "accounts/permissions.def"
#undef PERMISSION
    }
    return PERMISSION_ALL;
}

static bool choose_environment(struct api_call *c, permission_set needed)
{
    struct span wanted = api_param(c, "environment_id");
    if (wanted.len == 0) wanted = span_trim(http_header(c->request, "X-Environment-Id"));
    const struct principal_environment *e = principal_environment(&c->principal, wanted);
    if (e == NULL) {
        if (needed == PERMISSION_NONE && wanted.len == 0) return true; /* a person without any environment yet */
        api_fail(c, 403, "This environment is not yours to see.");
        return false;
    }
    if (!principal_may(e, needed)) {
        api_fail(c, 403, "This credential lacks the permission that is needed here.");
        return false;
    }
    memcpy(c->environment_id, e->environment_id, sizeof c->environment_id);
    if (!accounts_env_by_id(c->accounts, span_of(c->environment_id), &c->environment)) {
        api_fail(c, 403, "This environment is not yours to see.");
        return false;
    }
    return true;
}

/* A token with a filter sees rows, never the things that hold for all of them. */
static bool filter_fits(struct api_call *c, enum access access)
{
    if (c->principal.filter[0] == 0) return true;
    if (access != ACCESS_SYSTEM_READ && access != ACCESS_SYSTEM_WRITE) return true;
    api_fail(c, 403, "A token with a filter has no access to the system.");
    return false;
}

/* The dashboard's cookie is not limited. */
static bool within_limit(struct api_call *c)
{
    char id[ACCOUNTS_UUID_MAX + 1];
    const struct principal *p = &c->principal;
    if (p->kind == PRINCIPAL_SESSION && p->session_kind == SESSION_COOKIE) return true;
    if (p->kind == PRINCIPAL_TOKEN) (void)snprintf(id, sizeof id, "%s", p->token_id);
    else (void)snprintf(id, sizeof id, "s%lld", (long long)p->session_id);
    unsigned wait_s = limits_take(api_limits(c->api), span_of(id), mono_now().v);
    if (wait_s) api_fail_wait(c, wait_s, "This token makes more requests than it may. Wait a moment.");
    return wait_s == 0;
}

bool api_authorize(struct api_call *c, const struct route *route)
{
    if (route->access == ACCESS_OPEN) return true;
    bool cookie;
    enum accounts_error e = check_any(c, &cookie);
    if (e != ACCOUNTS_OK) {
        if (e == ACCOUNTS_UNAUTHORIZED) api_fail(c, 401, "Unauthorized request");
        else api_fail_accounts(c, e);
        return false;
    }
    if (!within_limit(c)) return false;
    if (cookie && !cookie_may_write(c->request)) {
        api_fail(c, 403, "Writing with a cookie needs a same-origin Origin header and a JSON body.");
        return false;
    }
    if (route->access == ACCESS_PERSON && c->principal.kind != PRINCIPAL_SESSION) {
        api_fail(c, 403, "Only a signed-in person may do this.");
        return false;
    }
    return choose_environment(c, access_permission(route->access)) && filter_fits(c, route->access);
}
