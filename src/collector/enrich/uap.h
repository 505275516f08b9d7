/* SPDX-License-Identifier: Apache-2.0
 * The rules of uap-core (regexes.yaml): user agents to browser, operating system and device.
 *
 * Three lists of regular expressions; in each the first that matches decides. A rule is compiled when it is first
 * tried, and tried only when the longest text that it cannot do without is in the user agent, so that about thirty
 * of the eleven hundred are run. Match limits bound what a hostile text can cost.
 * Threads: any, after uap_new. */
#ifndef FF_COLLECTOR_ENRICH_UAP_H
#define FF_COLLECTOR_ENRICH_UAP_H

#include "base/arena.h"

struct uap;
/* NULL: cannot be read, or is not such a file; why says what. Rules that do not compile are passed over and logged. */
struct uap *uap_new(const char *path, char why[256]) MUST_USE;
void uap_free(struct uap *u);

enum { UAP_VERSION_PARTS = 4 };
struct uap_name {                           /* a browser or an operating system */
    struct span family;                     /* "Other" when no rule matches */
    struct span version[UAP_VERSION_PARTS]; /* major, minor, patch, and of systems patch minor; empty: absent */
};
struct uap_found {
    struct uap_name browser, os;
    struct span device, brand, model; /* device: its family, "Other" when no rule matches */
};
/* Texts are in arena. Tens of microseconds to some hundred. */
void uap_find(const struct uap *u, struct span user_agent, struct arena *arena, struct uap_found *out);

#endif
