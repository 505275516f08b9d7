/* SPDX-License-Identifier: Apache-2.0
 * What the handlers that administer share: reading the fields of a body, deciding how far somebody's rights reach, and
 * the links that invitations and password resets are sent as. Pool threads only. */
#ifndef FF_API_ADMIN_H
#define FF_API_ADMIN_H

#include "api/api.h"

struct admin_body {
    struct json_doc doc;
    const struct json_node *object;
};
/* The functions that answer bool: false means that the call has failed. */
bool admin_body(struct api_call *c, struct admin_body *out) MUST_USE;
/* An absent or null member leaves *out empty, and fails when it is required. */
bool admin_text(struct api_call *c, const struct admin_body *b, const char *name, bool required,
                struct span *out) MUST_USE;
/* *out points to *value when the member is there, else it is NULL. */
bool admin_flag(struct api_call *c, const struct admin_body *b, const char *name, bool *value,
                const bool **out) MUST_USE;
bool admin_number(struct api_call *c, const struct admin_body *b, const char *name, uint32_t *value,
                  const uint32_t **out) MUST_USE;
/* viewer, editor, admin or owner; "none" where allowed. */
bool admin_role(struct api_call *c, const struct admin_body *b, bool required, enum role *out) MUST_USE;
/* A positive id out of the path; 404 otherwise. */
bool admin_id(struct api_call *c, struct span text, int64_t *out) MUST_USE;

/* Unix seconds, or null for 0. */
void admin_print_time(struct jw *w, const char *key, int64_t ms);

/* The signed-in person's role in the whole organization of the call's environment; ROLE_NONE for tokens, whose rights
 * end with their environment. */
enum role admin_organization_role(struct api_call *c);
/* 403 unless that role is at least so high. */
bool admin_needs(struct api_call *c, enum role least) MUST_USE;
/* An environment of the path: 404 when the caller does not see it, 403 when they lack the permission there. */
bool admin_environment(struct api_call *c, struct span id, permission_set needed) MUST_USE;

/* "<public_url>/<page>#<token>". Behind the '#', so that no server or proxy between ever logs it. */
enum { ADMIN_LINK_MAX = 640 };
void admin_link(struct api_call *c, const char *page, const char *token, char out[ADMIN_LINK_MAX]);

#endif
