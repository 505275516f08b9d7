/* SPDX-License-Identifier: Apache-2.0
 * Between the files of src/api only: the route table, authentication, finishing a call. */
#ifndef FF_API_INTERNAL_H
#define FF_API_INTERNAL_H

#include "api/api.h"

enum access {
    ACCESS_OPEN,   /* no credential is looked at */
    ACCESS_ANY,    /* any valid credential */
    ACCESS_PERSON, /* a signed-in person */
#define PERMISSION(name, text, role, help) ACCESS_##name,
#include "accounts/permissions.def"
#undef PERMISSION
};

struct rewriter;
struct rewriter *api_rewriter(struct api *a);
struct answers;
struct answers *api_answers(struct api *a);
struct vast;
struct vast *api_vast(struct api *a);
struct exporter;
struct exporter *api_exporter(struct api *a); /* NULL: its directory cannot be written */
struct sweeper;
struct sweeper *api_sweeper(struct api *a);
struct mail;
struct mail *api_mail(struct api *a); /* NULL: no mail is sent */
struct setup;
struct setup *api_setup(struct api *a);
struct limits;
struct limits *api_limits(struct api *a); /* NULL: no limit */

struct route {
    enum http_method method;
    const char *path;
    enum access access;
    api_handler *handler;
    const char *handler_name, *tag, *summary;
    bool hashes; /* hashes passwords: runs in the small pool */
};
size_t route_count(void);
const struct route *route_at(size_t i);

enum route_match { ROUTE_FOUND, ROUTE_UNKNOWN, ROUTE_OTHER_METHOD };
/* raw_path: not percent-decoded. arguments are decoded into arena. */
enum route_match route_find(enum http_method method, struct span raw_path, struct arena *arena,
                            const struct route **out, struct span arguments[API_ARGUMENTS_MAX]) MUST_USE;

/* Checks the credential and the route's access, chooses the environment. false: the call has failed. */
bool api_authorize(struct api_call *c, const struct route *route) MUST_USE;
/* On the loop, before a password is hashed: false when a sign-in would be refused by the throttle anyway, or can be no
 * sign-in at all; the call has failed then. */
bool api_sign_in_admit(struct api_call *c) MUST_USE;
/* No more parameters than api_params can hold. false: the call has failed. */
bool api_params_fit(struct api_call *c) MUST_USE;
/* The Origin names the host this request was sent to. */
bool api_same_origin(const struct http_request *r);
/* The session token of the request's cookie, or empty. */
struct span api_cookie_token(const struct http_request *r);

#endif
