/* SPDX-License-Identifier: Apache-2.0
 * The inside of struct accounts, for the files of this folder only.
 * Locks: `lock` guards the SQLite connection and everything marked so; the cache, the throttle and the list of
 * last-used times have locks of their own, which are never held while another one is taken. */
#ifndef FF_ACCOUNTS_STORE_H
#define FF_ACCOUNTS_STORE_H

#include "accounts/audit.h"
#include "accounts/principal.h"
#include "accounts/sql.h"

#include <pthread.h>
#include <stdatomic.h>

struct snapshot;
struct cache;
struct throttle;

enum { SECRET_HASH_BYTES = 32, ACCOUNTS_MAGIC = 0x61636374 };

struct accounts {
    uint32_t magic;
    struct accounts_options options; /* defaults filled in; data_dir is ours */
    uint8_t hash_key[32];            /* for secrets */
    uint8_t box_key[32];             /* for TOTP secrets */

    pthread_mutex_t lock;
    sqlite3 *db;                    /* lock */
    enum accounts_error tx_failure; /* lock: first failure of this transaction or read */
    int64_t data_version;           /* lock */
    bool snapshot_stale;            /* lock: the last reload failed, try again */
    int64_t swept_ms;               /* lock: last time expired rows were dropped */
    atomic_uint_fast64_t generation;

    pthread_rwlock_t snapshot_lock;
    struct snapshot *snapshot; /* snapshot_lock; immutable once it is here */

    struct cache *cache;
    struct throttle *throttle;

    pthread_t watch_thread;
    pthread_mutex_t watch_lock;
    pthread_cond_t watch_wake;
    bool watch_stop; /* watch_lock */
    bool watching;
};

int64_t store_now_ms(const struct accounts *a);
/* Reads everything the snapshot holds and swaps it in. Needs lock. */
bool snapshot_reload(struct accounts *a) MUST_USE;
void snapshot_free(struct snapshot *s);
/* Needs lock. */
enum accounts_error migrations_run(struct accounts *a) MUST_USE;
int64_t migrations_newest(void);

/* -- credentials (credentials.c) -- */

struct cache *cache_new(void);
void cache_free(struct cache *c);
/* Writes what was used since the last call. */
void cache_write_touches(struct accounts *a);

/* -- secrets (secrets.c) -- */

/* What a secret is for goes into its hash, so that one kind never passes for another. */
enum secret_kind { SECRET_TOKEN = 't', SECRET_SESSION = 's', SECRET_INVITATION = 'i', SECRET_RESET = 'r' };
/* 256 random bits as 43 characters. */
void secret_new(char out[ACCOUNTS_SECRET_MAX + 1]);
/* id: a token's public id, else empty. */
void secret_hash(const struct accounts *a, enum secret_kind kind, struct span id, struct span secret,
                 uint8_t out[SECRET_HASH_BYTES]);
void id_new(char out[ACCOUNTS_ID_MAX + 1]);
void uuid_new(char out[ACCOUNTS_UUID_MAX + 1]);
void env_key_new(char out[ACCOUNTS_ENV_KEY_MAX + 1]);

enum { PASSWORD_HASH_MAX = 128, TOTP_SECRET_BYTES = 20, TOTP_BOX_BYTES = 24 + 16 + TOTP_SECRET_BYTES };
/* Slow on purpose, outside every lock. false: not enough memory for the cost asked for. */
bool password_hash(const struct accounts *a, struct span password, char out[PASSWORD_HASH_MAX]) MUST_USE;
/* hash "": takes as long, answers false. */
bool password_right(const struct accounts *a, const char *hash, struct span password) MUST_USE;
bool password_stale(const struct accounts *a, const char *hash);

void totp_seal(const struct accounts *a, const uint8_t secret[TOTP_SECRET_BYTES], uint8_t box[TOTP_BOX_BYTES]);
bool totp_open(const struct accounts *a, struct span box, uint8_t secret[TOTP_SECRET_BYTES]) MUST_USE;
/* The time step (now, or one to either side) whose code this is; -1: none. */
int64_t totp_step(const uint8_t secret[TOTP_SECRET_BYTES], struct span code, int64_t now_ms);
bool totp_decode(struct span base32, uint8_t secret[TOTP_SECRET_BYTES]) MUST_USE;

/* -- checks of fields (fields.c) -- */

bool field_utf8(struct span s);
bool field_email(struct span s);
bool field_name(struct span s);
bool field_password(struct span s);
bool field_env_key(struct span s);
bool field_filter(struct span s);
bool field_note(struct span s, size_t max); /* UTF-8, line breaks allowed, no other control characters */
/* Lower case, one space between; false: one is not an origin, or they do not fit. */
bool field_origins(struct span in, char out[ACCOUNTS_ORIGINS_MAX + 1]);
/* "198.51.100.0/24" or "2001:db8::/48"; "" when it is no address. */
void address_truncate(struct span address, char out[ACCOUNTS_ADDRESS_MAX + 1]);

/* -- throttle (throttle.c) -- */

struct throttle *throttle_new(unsigned burst, unsigned period_s);
void throttle_free(struct throttle *t);
struct throttle_keys {
    uint64_t key[2];
    size_t count;
};
/* purpose separates uses ("sign-in", "reset"). An address counts whole (IPv4) or as its /64; one that cannot be read
 * counts as one. */
struct throttle_keys throttle_keys(const struct throttle *t, const char *purpose, struct span email,
                                   struct span address);
/* Takes one from each bucket: 0; or takes nothing: seconds to wait. */
unsigned throttle_take(struct throttle *t, const struct throttle_keys *k, int64_t now_ms);
unsigned throttle_look(struct throttle *t, const struct throttle_keys *k, int64_t now_ms);
void throttle_give(struct throttle *t, const struct throttle_keys *k, int64_t now_ms);

/* -- who may (rights.c); all need lock -- */

/* The actor's role in an organization, or (environment_id given) in one of its environments. */
enum role actor_role(struct accounts *a, const struct actor *who, struct span organization_id,
                     struct span environment_id);
enum role person_role(struct accounts *a, int64_t person_id, struct span organization_id, struct span environment_id);
/* Managing people there takes an admin, and no role above their own. */
bool actor_may_grant(struct accounts *a, const struct actor *who, struct span organization_id,
                     struct span environment_id, enum role role);
/* May the actor touch this person, in every organization they belong to? strict: as an equal only when an owner. */
bool actor_may_touch(struct accounts *a, const struct actor *who, int64_t person_id, bool strict);
/* The organization of an environment; false (out "") when there is no such environment. */
bool environment_organization(struct accounts *a, struct span environment_id, char out[ACCOUNTS_ID_MAX + 1]);
bool organization_known(struct accounts *a, struct span organization_id);

/* -- audit rows (audit.c); needs lock, inside the act's transaction -- */

struct detail {
    const char *key;
    struct arg value; /* ARG_NULL, ARG_INT or ARG_TEXT */
};
#define DETAILS(...)                                                                                                   \
    (const struct detail[]){__VA_ARGS__}, sizeof((const struct detail[]){__VA_ARGS__}) / sizeof(struct detail)
#define NO_DETAILS NULL, 0
struct audit_place {
    struct span organization_id, environment_id; /* may be empty */
};
/* The organization is looked up when only the environment is given. */
void audit_write(struct accounts *a, const struct actor *who, enum audit_act act, struct audit_place place,
                 struct span target, const struct detail *details, size_t count);

/* -- shared between the files -- */

struct environment;
struct environment_change;
struct token;
struct token_new;
/* Parts of a transaction that is open already. */
enum accounts_error environment_insert(struct accounts *a, const struct actor *who, struct span organization_id,
                                       const struct environment_change *in, struct environment *out) MUST_USE;
enum accounts_error token_insert(struct accounts *a, const struct actor *who, struct span environment_id,
                                 const struct token_new *in, struct token *out,
                                 char secret[ACCOUNTS_SECRET_MAX + 1]) MUST_USE;
/* All of a person's sessions but keep (0: none is kept). */
void sessions_end(struct accounts *a, int64_t person_id, int64_t keep);
/* The role goes to a person who is a member already, or becomes one. environment_id may be empty. */
void role_give(struct accounts *a, struct span organization_id, struct span environment_id, int64_t person_id,
               enum role role);
/* A person without a name is called by the part before the @. Borrows from either. */
struct span person_name_or_local(struct span email, struct span name);
/* A row in person without any membership; 0: failed. */
int64_t person_insert(struct accounts *a, struct span email, struct span name, const char *password_hash);

/* What a sign-in compares with, read by e-mail or by id. */
struct secret_person {
    int64_t id; /* 0: nobody */
    char email[ACCOUNTS_EMAIL_MAX + 1];
    char password[PASSWORD_HASH_MAX]; /* "": nobody */
    bool totp;
    uint8_t totp_secret[TOTP_SECRET_BYTES];
    int64_t totp_step;
};
enum accounts_error secret_person_read(struct accounts *a, struct span email, int64_t id,
                                       struct secret_person *out) MUST_USE;

#endif
