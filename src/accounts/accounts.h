/* SPDX-License-Identifier: Apache-2.0
 * The accounts store: who may use this server, and what they wrote down. One SQLite file (accounts.db, WAL, 0600) and
 * one key file (accounts.key, 32 random bytes, 0600) in the data directory. Passwords are kept as Argon2id, every other
 * secret as a hash keyed with the key file, TOTP secrets encrypted with it; nothing in the database opens a door.
 *
 * This header: opening and closing, the words all parts share, the collector's lookups. The rest:
 *   principal.h     check a credential; permissions and roles
 *   people.h        people, sign-in, sessions, invitations, password change and reset, TOTP
 *   environments.h  organizations and environments
 *   tokens.h        access tokens
 *   notes.h         annotations, error categories, signing keys
 *   audit.h         who did what
 *
 * Threads: every function may be called from any thread. Functions that read or write SQLite take one mutex and are
 * short (a write syncs the disk; another process writing at the same moment is waited for up to 5 s). Functions that
 * hash a password take tens of milliseconds of CPU outside that mutex and say so: "pool thread only". The lookups
 * of this header read a snapshot in memory and never touch SQLite.
 *
 * Changes by another process (the command line) are noticed through PRAGMA data_version: by the watch thread within
 * half a second, or by accounts_poll. */
#ifndef FF_ACCOUNTS_ACCOUNTS_H
#define FF_ACCOUNTS_ACCOUNTS_H

#include "base/base.h"

struct accounts;

/* Outcomes, with one human sentence each. ACCOUNTS_OK is 0. */
enum accounts_error {
    ACCOUNTS_OK = 0,
#define ACCOUNTS_ERROR(name, sentence) ACCOUNTS_##name,
#include "accounts/accounts_errors.def"
#undef ACCOUNTS_ERROR
    ACCOUNTS_ERROR_COUNT
};
const char *accounts_error_text(enum accounts_error e); /* a whole sentence; never holds user data */
const char *accounts_error_name(enum accounts_error e); /* "NOT_FOUND" */

/* Bounds in bytes, without the terminating NUL that the char arrays below have room for. */
enum {
    ACCOUNTS_EMAIL_MAX = 254,
    ACCOUNTS_NAME_MAX = 128, /* of people, organizations, environments, tokens; UTF-8, no control characters */
    ACCOUNTS_PASSWORD_MIN = 8,
    ACCOUNTS_PASSWORD_MAX = 1024,
    ACCOUNTS_ID_MAX = 15,      /* organization and environment ids: 8 characters [a-z0-9] */
    ACCOUNTS_UUID_MAX = 36,    /* token and annotation ids */
    ACCOUNTS_ENV_KEY_MIN = 4, /* [A-Za-z0-9_-]; the ones we make: 24 of [a-z0-9] */
    ACCOUNTS_ENV_KEY_MAX = 64,
    ACCOUNTS_SECRET_MAX = 47,  /* secrets we make: 43 characters of URL-safe base64 (256 bits) */
    ACCOUNTS_FILTER_MAX = 255, /* a token's filter, "dimension:value" */
    ACCOUNTS_ADDRESS_MAX = 63,
    ACCOUNTS_ORIGINS_MAX = 1023,     /* an environment's CORS origins, separated by one space */
    ACCOUNTS_ENVIRONMENTS_MAX = 128, /* environments of one organization, and of one principal */
};

struct accounts_options {
    const char *data_dir; /* made (0700) when it is missing; its parent must exist */
    bool watch;           /* start the thread that notices changes and writes last-used times; the server wants it */
    /* Argon2id cost; 0: the default (19 MiB, 2 passes). Tests lower it. */
    size_t password_bytes;
    unsigned password_passes;
    /* Wall clock in ms; NULL: wall_now_ms. Tests turn it. Called from any thread. */
    int64_t (*now_ms)(void *arg);
    void *now_arg;
    /* Failures allowed at once per e-mail and per address, and the time in which that many come back.
     * 0: the defaults (10 in 300 s). */
    unsigned throttle_burst;
    unsigned throttle_period_s;
    int64_t session_cookie_s; /* life of a dashboard session; 0: 14 days */
    int64_t session_beta_s;   /* life of a session for beta-auth-token; 0: 365 days */
};
/* Opens or creates both files and runs the migrations. On failure *out is NULL and the reason (with the path) is
 * logged. KEY_MISSING: accounts.key is not the key accounts.db was made with.
 * TOO_NEW: the database was written by a later release. data_dir is copied. */
enum accounts_error accounts_open(const struct accounts_options *options, struct accounts **out) MUST_USE;
/* Writes the last-used times, stops the watch thread. No other thread may be inside. NULL is fine. */
void accounts_close(struct accounts *a);

/* Looks for changes by other processes, reloads the snapshot when there are any, and once a minute writes last-used
 * times and drops what expired long ago. Only needed without the watch thread. */
void accounts_poll(struct accounts *a);
/* Grows with every change that was seen, by this process or another (sign-ins and last-used times of this process
 * are no changes). For caches built on top of this store. */
uint64_t accounts_generation(struct accounts *a);
/* False on a fresh server: no person exists yet. */
bool accounts_exists(struct accounts *a);

/* Who performs an administrative act. The audit row takes it from here, and the function's own checks (may this
 * person grant that role) look at nothing else. The API checks the permission for the route before it calls. */
enum actor_kind {
    ACTOR_COMMAND_LINE, /* whoever can read the data directory may do everything */
    ACTOR_PERSON,
    ACTOR_TOKEN,
    ACTOR_SERVER, /* the server by itself */
};
struct actor {
    enum actor_kind kind;
    int64_t person_id;    /* ACTOR_PERSON */
    struct span token_id; /* ACTOR_TOKEN; borrowed */
    struct span address;  /* the client's address as text, whole; only its /24 or /48 is written. May be empty */
};
#define ACTOR_CLI (&(const struct actor){.kind = ACTOR_COMMAND_LINE})

/* Nobody grants more than they have or touches somebody above them (ROLE_REFUSED); the command line may everything, a
 * token with system:write counts as an admin in its environment. */
enum role { ROLE_NONE, ROLE_VIEWER, ROLE_EDITOR, ROLE_ADMIN, ROLE_OWNER };
const char *role_name(enum role r); /* "viewer" */
bool role_from_name(struct span name, enum role *out) MUST_USE;

/* -- first account -- */

struct account_new {
    struct span email, password, person_name;
    struct span organization; /* empty: "My organization" */
    struct span environment;  /* empty: "Production" */
    struct span env_key;      /* empty: a random one */
    bool allow_backfill;
};
struct account_made {
    char organization_id[ACCOUNTS_ID_MAX + 1];
    char environment_id[ACCOUNTS_ID_MAX + 1];
    char env_key[ACCOUNTS_ENV_KEY_MAX + 1];
    char token_id[ACCOUNTS_UUID_MAX + 1];
    char token_secret[ACCOUNTS_SECRET_MAX + 1]; /* shown once; wipe it with accounts_wipe */
    int64_t person_id;
};
/* Organization, owner, environment and a token that may do everything there. ALREADY_EXISTS when there is any person:
 * nothing is overwritten. Hashes a password: pool thread only. */
enum accounts_error accounts_init_account(struct accounts *a, const struct actor *who, const struct account_new *in,
                                          struct account_made *out) MUST_USE;
/* Clears memory that held a secret; the compiler does not leave it out. */
void accounts_wipe(void *ptr, size_t len);

/* -- what the collector needs -- */

enum keep_addresses { KEEP_ADDRESSES_NONE, KEEP_ADDRESSES_TRUNCATED };

struct env_facts {
    char environment_id[ACCOUNTS_ID_MAX + 1];
    char organization_id[ACCOUNTS_ID_MAX + 1];
    uint32_t property_id;
    enum keep_addresses keep_addresses;
    bool allow_backfill;
    bool strip_query;               /* cut query strings from page and source URLs before they are written */
    bool honour_dnt;                /* views of viewers that send DNT: 1 are not kept */
    bool disabled;                  /* beacons are refused as from an unknown key */
    uint32_t retention_days;        /* 0: for ever */
    uint32_t views_per_minute_max;  /* 0: no limit */
    uint32_t events_per_second_max; /* 0: no limit */
};
/* Any thread, from memory, well below a microsecond. false: no such key (or id). Disabled ones are found: look. */
bool accounts_env_by_key(struct accounts *a, struct span env_key, struct env_facts *out) MUST_USE;
bool accounts_env_by_id(struct accounts *a, struct span environment_id, struct env_facts *out) MUST_USE;
/* Calls visit for each environment in order of age until it returns false; from memory. visit must not call back. */
void accounts_env_each(struct accounts *a, bool (*visit)(const struct env_facts *env, void *arg), void *arg);
/* Is this Origin on the environment's list? With an empty environment_id: on any list (for preflights, which carry no
 * credential). From memory. */
bool accounts_origin_allowed(struct accounts *a, struct span environment_id, struct span origin) MUST_USE;

#endif
