/* SPDX-License-Identifier: Apache-2.0
 * Checking credentials. Both kinds go the same way: keyed hash, cache, else SQLite and a comparison in constant time.
 *
 * The cache holds principals that were right, keyed by the whole hash. An entry serves while the store's generation is
 * the one it was read in, for at most a minute, and not past its expiry; so a revocation ends it at once. Wrong
 * credentials are not remembered: an attacker could fill it. Since an entry lives a minute, filling it is also the
 * moment to note that the credential is in use: these times are gathered in a bounded list that the watch thread
 * writes once a minute; when it is full a time is lost, nothing else. */
#include "accounts/store.h"
#include "base/hash.h"

#include <sodium.h>
#include <stdlib.h>

enum { SETS = 1024, WAYS = 4, ENTRY_MS = 60 * 1000, TOUCHES_MAX = 4096 };

struct entry {
    uint8_t hash[SECRET_HASH_BYTES];
    uint64_t generation;
    int64_t loaded_ms;
    uint64_t used;               /* tick of the last use */
    struct principal *principal; /* only as long as its environments need; NULL: free */
};
struct touch {
    enum principal_kind kind;
    int64_t row; /* token.n or session.id */
    int64_t person_id;
    int64_t at_ms;
};
struct cache {
    pthread_mutex_t lock;
    uint64_t tick;
    struct entry entries[SETS][WAYS];
    struct touch touches[TOUCHES_MAX];
    size_t touch_count;
};

/* What a check found, beside the principal itself. */
struct found {
    int64_t row, last_used_ms;
};

struct cache *cache_new(void)
{
    struct cache *c = calloc(1, sizeof *c);
    BUG_IF(c == NULL);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void cache_free(struct cache *c)
{
    if (c == NULL) return;
    for (size_t i = 0; i < SETS; i++) {
        for (size_t k = 0; k < WAYS; k++) free(c->entries[i][k].principal);
    }
    pthread_mutex_destroy(&c->lock);
    sodium_memzero(c, sizeof *c);
    free(c);
}

static size_t principal_size(const struct principal *p)
{
    return offsetof(struct principal, environments) + p->environment_count * sizeof p->environments[0];
}

static struct entry *cache_set(struct cache *c, const uint8_t hash[SECRET_HASH_BYTES])
{
    uint32_t at;
    memcpy(&at, hash, sizeof at);
    return c->entries[at % SETS];
}

static bool expired(const struct principal *p, int64_t now_ms)
{
    return p->expires_ms != 0 && now_ms >= p->expires_ms;
}

static bool cache_get(struct accounts *a, const uint8_t hash[SECRET_HASH_BYTES], int64_t now_ms, struct principal *out)
{
    struct cache *c = a->cache;
    bool hit = false;
    uint64_t generation = atomic_load(&a->generation);
    pthread_mutex_lock(&c->lock);
    struct entry *set = cache_set(c, hash);
    for (size_t i = 0; i < WAYS && !hit; i++) {
        struct entry *e = &set[i];
        if (e->principal == NULL || sodium_memcmp(e->hash, hash, SECRET_HASH_BYTES) != 0) continue;
        if (e->generation != generation || now_ms - e->loaded_ms >= ENTRY_MS || now_ms < e->loaded_ms) break;
        if (expired(e->principal, now_ms)) break;
        memcpy(out, e->principal, principal_size(e->principal));
        e->used = ++c->tick;
        hit = true;
    }
    pthread_mutex_unlock(&c->lock);
    return hit;
}

static void cache_touch(struct cache *c, const struct principal *p, const struct found *f, int64_t now_ms)
{
    if (now_ms - f->last_used_ms < ENTRY_MS || c->touch_count == TOUCHES_MAX) return;
    c->touches[c->touch_count++] = (struct touch){p->kind, f->row, p->person_id, now_ms};
}

static void cache_put(struct accounts *a, const uint8_t hash[SECRET_HASH_BYTES], uint64_t generation, int64_t now_ms,
                      const struct principal *p, const struct found *f)
{
    struct cache *c = a->cache;
    struct principal *copy = malloc(principal_size(p));
    BUG_IF(copy == NULL);
    memcpy(copy, p, principal_size(p));
    pthread_mutex_lock(&c->lock);
    struct entry *set = cache_set(c, hash), *victim = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        struct entry *e = &set[i];
        if (e->principal != NULL && sodium_memcmp(e->hash, hash, SECRET_HASH_BYTES) == 0) {
            victim = e;
            break;
        }
        if (e->principal == NULL || (victim->principal != NULL && e->used < victim->used)) victim = e;
    }
    free(victim->principal);
    *victim = (struct entry){.generation = generation, .loaded_ms = now_ms, .used = ++c->tick, .principal = copy};
    memcpy(victim->hash, hash, SECRET_HASH_BYTES);
    cache_touch(c, p, f, now_ms);
    pthread_mutex_unlock(&c->lock);
}

void cache_write_touches(struct accounts *a)
{
    struct cache *c = a->cache;
    struct touch *touches = malloc(sizeof c->touches);
    BUG_IF(touches == NULL);
    pthread_mutex_lock(&c->lock);
    size_t count = c->touch_count;
    memcpy(touches, c->touches, count * sizeof *touches);
    c->touch_count = 0;
    pthread_mutex_unlock(&c->lock);
    if (count > 0 && tx_begin(a) == ACCOUNTS_OK) {
        for (size_t i = 0; i < count; i++) {
            struct arg at = arg_int(touches[i].at_ms);
            if (touches[i].kind == PRINCIPAL_TOKEN) {
                (void)sql_run(a, "UPDATE token SET last_used_ms = max(coalesce(last_used_ms, 0), ?) WHERE n = ?",
                              ARGS(at, arg_int(touches[i].row)));
                continue;
            }
            (void)sql_run(a, "UPDATE session SET last_used_ms = max(last_used_ms, ?) WHERE id = ?",
                          ARGS(at, arg_int(touches[i].row)));
            (void)sql_run(a, "UPDATE person SET last_seen_ms = max(coalesce(last_seen_ms, 0), ?) WHERE id = ?",
                          ARGS(at, arg_int(touches[i].person_id)));
        }
        enum accounts_error e = tx_end_quiet(a, ACCOUNTS_OK);
        (void)e; /* logged; a last-used time is no promise */
    }
    free(touches);
}

/* -- reading from SQLite; need the store's lock -- */

static bool load_token(struct accounts *a, struct span id, const uint8_t hash[SECRET_HASH_BYTES], int64_t now_ms,
                       struct principal *p, struct found *f)
{
    uint8_t stored[SECRET_HASH_BYTES] = {0};
    struct rows r = rows_open(a,
                              "SELECT t.hash, t.n, t.id, t.name, t.permissions, t.filter, t.expires_ms, t.last_used_ms,"
                              " t.revoked_ms, e.id, e.organization_id"
                              " FROM token t JOIN environment e ON e.id = t.environment_id WHERE t.id = ?",
                              ARGS(arg_text(id)));
    bool known = rows_next(&r);
    if (known && row_span(&r, 0).len == sizeof stored) memcpy(stored, row_span(&r, 0).ptr, sizeof stored);
    bool right = sodium_memcmp(stored, hash, sizeof stored) == 0 && known && row_null(&r, 8);
    if (right) {
        p->kind = PRINCIPAL_TOKEN;
        f->row = row_int(&r, 1);
        row_text(&r, 2, p->token_id, sizeof p->token_id);
        row_text(&r, 3, p->name, sizeof p->name);
        row_text(&r, 5, p->filter, sizeof p->filter);
        p->expires_ms = row_int(&r, 6);
        f->last_used_ms = row_int(&r, 7);
        p->environment_count = 1;
        p->environments[0] = (struct principal_environment){.permissions = (permission_set)row_int(&r, 4)};
        row_text(&r, 9, p->environments[0].environment_id, ACCOUNTS_ID_MAX + 1);
        row_text(&r, 10, p->environments[0].organization_id, ACCOUNTS_ID_MAX + 1);
        memcpy(p->organization_id, p->environments[0].organization_id, sizeof p->organization_id);
    }
    rows_close(&r);
    return right && !expired(p, now_ms);
}

static void load_rights(struct accounts *a, struct principal *p)
{
    struct rows r = rows_open(a,
                              "SELECT e.id, e.organization_id, m.role, r.role FROM membership m"
                              " JOIN environment e ON e.organization_id = m.organization_id"
                              " LEFT JOIN environment_role r ON r.environment_id = e.id AND r.person_id = m.person_id"
                              " WHERE m.person_id = ? ORDER BY e.property_id",
                              ARGS(arg_int(p->person_id)));
    while (rows_next(&r) && p->environment_count < ACCOUNTS_ENVIRONMENTS_MAX) {
        int64_t role = row_int(&r, 2);
        if (role < ROLE_ADMIN && !row_null(&r, 3)) role = row_int(&r, 3);
        if (role == ROLE_NONE) continue;
        struct principal_environment *e = &p->environments[p->environment_count++];
        row_text(&r, 0, e->environment_id, sizeof e->environment_id);
        row_text(&r, 1, e->organization_id, sizeof e->organization_id);
        e->role = (enum role)role;
        e->permissions = role_permissions(e->role);
    }
    rows_close(&r);
    const char *first = p->environment_count > 0 ? p->environments[0].organization_id : NULL;
    r = rows_open(a,
                  "SELECT organization_id, role FROM membership WHERE person_id = ?1 AND"
                  " (?2 IS NULL OR organization_id = ?2) ORDER BY organization_id LIMIT 1",
                  ARGS(arg_int(p->person_id), arg_text_or_null(span_of(first))));
    if (rows_next(&r)) {
        row_text(&r, 0, p->organization_id, sizeof p->organization_id);
        p->organization_role = (enum role)row_int(&r, 1);
    }
    rows_close(&r);
}

static bool load_session(struct accounts *a, const uint8_t hash[SECRET_HASH_BYTES], int64_t now_ms, struct principal *p,
                         struct found *f)
{
    uint8_t stored[SECRET_HASH_BYTES] = {0};
    struct rows r = rows_open(a,
                              "SELECT s.hash, s.id, s.kind, s.expires_ms, s.last_used_ms, s.revoked_ms, p.id, p.email"
                              " FROM session s JOIN person p ON p.id = s.person_id WHERE s.hash = ?",
                              ARGS(arg_blob(hash, SECRET_HASH_BYTES)));
    bool known = rows_next(&r);
    if (known && row_span(&r, 0).len == sizeof stored) memcpy(stored, row_span(&r, 0).ptr, sizeof stored);
    bool right = sodium_memcmp(stored, hash, sizeof stored) == 0 && known && row_null(&r, 5);
    if (right) {
        p->kind = PRINCIPAL_SESSION;
        f->row = p->session_id = row_int(&r, 1);
        p->session_kind = (enum session_kind)row_int(&r, 2);
        p->expires_ms = row_int(&r, 3);
        f->last_used_ms = row_int(&r, 4);
        p->person_id = row_int(&r, 6);
        row_text(&r, 7, p->name, sizeof p->name);
    }
    rows_close(&r);
    right = right && !expired(p, now_ms);
    if (right) load_rights(a, p);
    return right;
}

static enum accounts_error check(struct accounts *a, enum secret_kind kind, struct span id, struct span secret,
                                 struct principal *out)
{
    uint8_t hash[SECRET_HASH_BYTES];
    struct found found = {0, 0};
    int64_t now_ms = store_now_ms(a);
    /* Everything but the environments, which are read only as far as they are counted. */
    memset(out, 0, offsetof(struct principal, environments));
    if (id.len > ACCOUNTS_UUID_MAX || secret.len > 4 * ACCOUNTS_SECRET_MAX) return ACCOUNTS_UNAUTHORIZED;
    secret_hash(a, kind, id, secret, hash);
    if (cache_get(a, hash, now_ms, out)) return ACCOUNTS_OK;
    uint64_t generation = atomic_load(&a->generation); /* before the read: a change meanwhile makes the entry stale */
    read_begin(a);
    bool right = kind == SECRET_TOKEN ? load_token(a, id, hash, now_ms, out, &found)
                                      : load_session(a, hash, now_ms, out, &found);
    enum accounts_error e = read_end(a, right ? ACCOUNTS_OK : ACCOUNTS_UNAUTHORIZED);
    if (e == ACCOUNTS_OK) cache_put(a, hash, generation, now_ms, out, &found);
    else memset(out, 0, offsetof(struct principal, environments));
    return e;
}

enum accounts_error accounts_check_basic(struct accounts *a, struct span id, struct span secret, struct principal *out)
{
    return check(a, SECRET_TOKEN, id, secret, out);
}

enum accounts_error accounts_check_session(struct accounts *a, struct span token, struct principal *out)
{
    return check(a, SECRET_SESSION, (struct span){NULL, 0}, token, out);
}

const struct principal_environment *principal_environment(const struct principal *p, struct span wanted)
{
    if (wanted.len == 0) return p->environment_count > 0 ? &p->environments[0] : NULL;
    for (size_t i = 0; i < p->environment_count; i++) {
        if (span_is(wanted, p->environments[i].environment_id)) return &p->environments[i];
    }
    return NULL;
}

struct actor principal_actor(const struct principal *p, struct span address)
{
    BUG_IF(p->kind == PRINCIPAL_NONE);
    return (struct actor){
        .kind = p->kind == PRINCIPAL_TOKEN ? ACTOR_TOKEN : ACTOR_PERSON,
        .person_id = p->person_id,
        .token_id = span_of(p->token_id),
        .address = address,
    };
}
