/* SPDX-License-Identifier: Apache-2.0
 * What is asked for every beacon and every JWT, in memory: environments, error categories, public signing keys.
 * A snapshot is built under the store's lock, never changed afterwards, and swapped in under a read-write lock whose
 * readers copy what they need and leave. */
#include "accounts/environments.h"
#include "accounts/notes.h"
#include "accounts/store.h"
#include "base/arena.h"
#include "base/hash.h"

#include <stdlib.h>

struct snapshot_environment {
    struct env_facts facts;
    struct span env_key, origins;
};
struct snapshot_rule {
    struct span environment_id, code;
    struct error_rule rule;
};
struct snapshot_key {
    struct span id, environment_id, pem;
    int64_t created_s;
};
/* Open addressing: slot -> index + 1 into one of the arrays. */
struct index {
    uint32_t *slots;
    size_t mask;
};
struct snapshot {
    struct arena text;
    uint64_t seed;
    struct snapshot_environment *environments;
    struct snapshot_rule *rules;
    struct snapshot_key *keys;
    size_t environment_count, rule_count, key_count;
    struct index by_key, by_id, by_rule, by_signing;
};

static struct index index_new(size_t items)
{
    size_t slots = 16;
    while (slots < items * 2) slots *= 2;
    struct index x = {.slots = calloc(slots, sizeof *x.slots), .mask = slots - 1};
    BUG_IF(x.slots == NULL);
    return x;
}

static void index_put(struct index *x, uint64_t hash, size_t item)
{
    size_t at = (size_t)hash & x->mask;
    while (x->slots[at] != 0) at = (at + 1) & x->mask;
    x->slots[at] = (uint32_t)item + 1;
}

/* Walks the candidates of a hash: false at the end. *at starts as the hash. */
static bool index_next(const struct index *x, uint64_t *at, size_t *item)
{
    uint32_t slot = x->slots[*at & x->mask];
    *at = (*at & x->mask) + 1;
    *item = slot - 1;
    return slot != 0;
}

static uint64_t rule_hash(const struct snapshot *s, struct span environment_id, struct span code)
{
    return hash64(code, hash64(environment_id, s->seed));
}

void snapshot_free(struct snapshot *s)
{
    if (s == NULL) return;
    free(s->environments);
    free(s->rules);
    free(s->keys);
    free(s->by_key.slots);
    free(s->by_id.slots);
    free(s->by_rule.slots);
    free(s->by_signing.slots);
    arena_free(&s->text);
    free(s);
}

static struct span snapshot_text(struct snapshot *s, const struct rows *r, int column)
{
    struct span copy = arena_copy(&s->text, row_span(r, column));
    BUG_IF(copy.ptr == NULL); /* the tables are bounded well below the arena */
    return copy;
}

static void load_environments(struct accounts *a, struct snapshot *s)
{
    struct list l = {.size = sizeof(struct snapshot_environment)};
    struct rows r = rows_open(a,
                              "SELECT id, organization_id, property_id, keep_addresses, allow_backfill, strip_query,"
                              " honour_dnt, disabled, retention_days, views_per_minute_max, events_per_second_max,"
                              " env_key, cors_origins FROM environment ORDER BY property_id",
                              NO_ARGS);
    while (rows_next(&r)) {
        struct snapshot_environment *e = list_add(&l);
        row_text(&r, 0, e->facts.environment_id, sizeof e->facts.environment_id);
        row_text(&r, 1, e->facts.organization_id, sizeof e->facts.organization_id);
        e->facts.property_id = (uint32_t)row_int(&r, 2);
        e->facts.keep_addresses = (enum keep_addresses)row_int(&r, 3);
        e->facts.allow_backfill = row_int(&r, 4) != 0;
        e->facts.strip_query = row_int(&r, 5) != 0;
        e->facts.honour_dnt = row_int(&r, 6) != 0;
        e->facts.disabled = row_int(&r, 7) != 0;
        e->facts.retention_days = (uint32_t)row_int(&r, 8);
        e->facts.views_per_minute_max = (uint32_t)row_int(&r, 9);
        e->facts.events_per_second_max = (uint32_t)row_int(&r, 10);
        e->env_key = snapshot_text(s, &r, 11);
        e->origins = snapshot_text(s, &r, 12);
    }
    s->environments = (struct snapshot_environment *)(void *)l.items;
    s->environment_count = l.count;
    s->by_key = index_new(l.count);
    s->by_id = index_new(l.count);
    for (size_t i = 0; i < l.count; i++) {
        const struct snapshot_environment *e = &s->environments[i];
        index_put(&s->by_key, hash64(e->env_key, s->seed), i);
        index_put(&s->by_id, hash64(span_of(e->facts.environment_id), s->seed), i);
    }
}

static void load_rules(struct accounts *a, struct snapshot *s)
{
    struct list l = {.size = sizeof(struct snapshot_rule)};
    struct rows r = rows_open(a, "SELECT environment_id, code, severity, business FROM error_category", NO_ARGS);
    while (rows_next(&r)) {
        struct snapshot_rule *rule = list_add(&l);
        rule->environment_id = snapshot_text(s, &r, 0);
        rule->code = snapshot_text(s, &r, 1);
        rule->rule.severity = (enum error_severity)row_int(&r, 2);
        rule->rule.business = (enum error_business)row_int(&r, 3);
    }
    s->rules = (struct snapshot_rule *)(void *)l.items;
    s->rule_count = l.count;
    s->by_rule = index_new(l.count);
    for (size_t i = 0; i < l.count; i++) {
        index_put(&s->by_rule, rule_hash(s, s->rules[i].environment_id, s->rules[i].code), i);
    }
}

static void load_signing_keys(struct accounts *a, struct snapshot *s)
{
    struct list l = {.size = sizeof(struct snapshot_key)};
    struct rows r = rows_open(a, "SELECT id, environment_id, public_pem, created_s FROM signing_key", NO_ARGS);
    while (rows_next(&r)) {
        struct snapshot_key *k = list_add(&l);
        k->id = snapshot_text(s, &r, 0);
        k->environment_id = snapshot_text(s, &r, 1);
        k->pem = snapshot_text(s, &r, 2);
        k->created_s = row_int(&r, 3);
    }
    s->keys = (struct snapshot_key *)(void *)l.items;
    s->key_count = l.count;
    s->by_signing = index_new(l.count);
    for (size_t i = 0; i < l.count; i++) index_put(&s->by_signing, hash64(s->keys[i].id, s->seed), i);
}

bool snapshot_reload(struct accounts *a)
{
    struct snapshot *s = calloc(1, sizeof *s);
    BUG_IF(s == NULL);
    arena_init(&s->text, (size_t)1 << 30);
    random_bytes(&s->seed, sizeof s->seed);
    load_environments(a, s);
    load_rules(a, s);
    load_signing_keys(a, s);
    if (a->tx_failure != ACCOUNTS_OK) {
        snapshot_free(s);
        return false;
    }
    pthread_rwlock_wrlock(&a->snapshot_lock);
    struct snapshot *old = a->snapshot;
    a->snapshot = s;
    pthread_rwlock_unlock(&a->snapshot_lock);
    snapshot_free(old);
    return true;
}

static const struct snapshot *snapshot_enter(struct accounts *a)
{
    BUG_IF(a->magic != ACCOUNTS_MAGIC);
    pthread_rwlock_rdlock(&a->snapshot_lock);
    return a->snapshot;
}

static void snapshot_leave(struct accounts *a)
{
    pthread_rwlock_unlock(&a->snapshot_lock);
}

bool accounts_env_by_key(struct accounts *a, struct span env_key, struct env_facts *out)
{
    const struct snapshot *s = snapshot_enter(a);
    uint64_t at = hash64(env_key, s->seed);
    bool found = false;
    for (size_t i; !found && index_next(&s->by_key, &at, &i);) {
        found = span_eq(s->environments[i].env_key, env_key);
        if (found) *out = s->environments[i].facts;
    }
    snapshot_leave(a);
    return found;
}

static const struct snapshot_environment *find_environment(const struct snapshot *s, struct span id)
{
    uint64_t at = hash64(id, s->seed);
    for (size_t i; index_next(&s->by_id, &at, &i);) {
        if (span_is(id, s->environments[i].facts.environment_id)) return &s->environments[i];
    }
    return NULL;
}

bool accounts_env_by_id(struct accounts *a, struct span environment_id, struct env_facts *out)
{
    const struct snapshot *s = snapshot_enter(a);
    const struct snapshot_environment *e = find_environment(s, environment_id);
    if (e != NULL) *out = e->facts;
    snapshot_leave(a);
    return e != NULL;
}

void accounts_env_each(struct accounts *a, bool (*visit)(const struct env_facts *env, void *arg), void *arg)
{
    const struct snapshot *s = snapshot_enter(a);
    for (size_t i = 0; i < s->environment_count && visit(&s->environments[i].facts, arg); i++) {
    }
    snapshot_leave(a);
}

static bool origin_listed(struct span list, struct span origin)
{
    while (list.len > 0) {
        ptrdiff_t blank = span_find(list, ' ');
        struct span word = blank < 0 ? list : span_upto(list, (size_t)blank);
        if (span_eq_nocase(word, origin)) return true;
        list = span_from(list, word.len + 1);
    }
    return false;
}

bool accounts_origin_allowed(struct accounts *a, struct span environment_id, struct span origin)
{
    if (origin.len == 0) return false;
    const struct snapshot *s = snapshot_enter(a);
    bool listed = false;
    if (environment_id.len > 0) {
        const struct snapshot_environment *e = find_environment(s, environment_id);
        listed = e != NULL && origin_listed(e->origins, origin);
    } else {
        for (size_t i = 0; i < s->environment_count && !listed; i++) {
            listed = origin_listed(s->environments[i].origins, origin);
        }
    }
    snapshot_leave(a);
    return listed;
}

bool accounts_error_rule(struct accounts *a, struct span environment_id, struct span code, struct error_rule *out)
{
    const struct snapshot *s = snapshot_enter(a);
    uint64_t at = rule_hash(s, environment_id, code);
    bool found = false;
    for (size_t i; !found && index_next(&s->by_rule, &at, &i);) {
        const struct snapshot_rule *rule = &s->rules[i];
        found = span_eq(rule->code, code) && span_eq(rule->environment_id, environment_id);
        if (found) *out = rule->rule;
    }
    snapshot_leave(a);
    return found;
}

bool accounts_signing_key_find(struct accounts *a, struct span id, struct signing_key *out,
                               char environment_id[ACCOUNTS_ID_MAX + 1])
{
    const struct snapshot *s = snapshot_enter(a);
    uint64_t at = hash64(id, s->seed);
    bool found = false;
    for (size_t i; !found && index_next(&s->by_signing, &at, &i);) {
        const struct snapshot_key *k = &s->keys[i];
        found = span_eq(k->id, id);
        if (!found) continue;
        text_copy(out->id, sizeof out->id, k->id);
        out->created_s = k->created_s;
        text_copy(out->public_pem, sizeof out->public_pem, k->pem);
        text_copy(environment_id, ACCOUNTS_ID_MAX + 1, k->environment_id);
    }
    snapshot_leave(a);
    return found;
}
