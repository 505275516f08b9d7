/* SPDX-License-Identifier: Apache-2.0
 * The schema, as numbered steps: step N brings PRAGMA user_version from N to N + 1. A step that was released is never
 * edited; a change is a new step at the end. Times are Unix milliseconds unless a name ends in _s; enums are stored as
 * in their headers; hash columns are crypto_generichash keyed with accounts.key. */
#include "accounts/store.h"
#include "base/log.h"

static const char *const steps[] = {
    /* 0 */
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE organization ("
    " id TEXT PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL) STRICT;"

    /* AUTOINCREMENT: a property id is never given out again. Quotas and retention: NULL is none. */
    "CREATE TABLE environment ("
    " property_id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " id TEXT NOT NULL UNIQUE,"
    " organization_id TEXT NOT NULL REFERENCES organization(id),"
    " name TEXT NOT NULL,"
    " type INTEGER NOT NULL CHECK (type BETWEEN 0 AND 3),"
    " env_key TEXT NOT NULL UNIQUE,"
    " retention_days INTEGER,"
    " allow_backfill INTEGER NOT NULL CHECK (allow_backfill IN (0, 1)),"
    " strip_query INTEGER NOT NULL CHECK (strip_query IN (0, 1)),"
    " honour_dnt INTEGER NOT NULL CHECK (honour_dnt IN (0, 1)),"
    " keep_addresses INTEGER NOT NULL CHECK (keep_addresses IN (0, 1)),"
    " views_per_minute_max INTEGER,"
    " events_per_second_max INTEGER,"
    " disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),"
    " cors_origins TEXT NOT NULL,"
    " error_version INTEGER NOT NULL DEFAULT 0,"
    " created_ms INTEGER NOT NULL,"
    " UNIQUE (organization_id, name)) STRICT;"

    /* totp_box: nonce and secretbox under a key made from accounts.key; totp_step: the last one used. */
    "CREATE TABLE person ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " email TEXT NOT NULL COLLATE NOCASE UNIQUE,"
    " name TEXT NOT NULL,"
    " password TEXT NOT NULL,"
    " totp_box BLOB,"
    " totp_step INTEGER NOT NULL DEFAULT 0,"
    " created_ms INTEGER NOT NULL,"
    " last_seen_ms INTEGER) STRICT;"

    "CREATE TABLE membership ("
    " organization_id TEXT NOT NULL REFERENCES organization(id),"
    " person_id INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " role INTEGER NOT NULL CHECK (role BETWEEN 0 AND 4),"
    " PRIMARY KEY (organization_id, person_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX membership_person ON membership (person_id);"

    "CREATE TABLE environment_role ("
    " environment_id TEXT NOT NULL REFERENCES environment(id) ON DELETE CASCADE,"
    " person_id INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " role INTEGER NOT NULL CHECK (role BETWEEN 0 AND 3),"
    " PRIMARY KEY (environment_id, person_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX environment_role_person ON environment_role (person_id);"

    "CREATE TABLE session ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " person_id INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " hash BLOB NOT NULL UNIQUE,"
    " kind INTEGER NOT NULL CHECK (kind IN (0, 1)),"
    " created_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL,"
    " last_used_ms INTEGER NOT NULL,"
    " revoked_ms INTEGER,"
    " address TEXT NOT NULL,"
    " agent TEXT NOT NULL) STRICT;"
    "CREATE INDEX session_person ON session (person_id);"

    "CREATE TABLE password_reset ("
    " hash BLOB PRIMARY KEY,"
    " person_id INTEGER NOT NULL REFERENCES person(id) ON DELETE CASCADE,"
    " expires_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX password_reset_person ON password_reset (person_id);"

    /* environment_id NULL: the role holds in the whole organization. */
    "CREATE TABLE invitation ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " hash BLOB NOT NULL UNIQUE,"
    " organization_id TEXT NOT NULL REFERENCES organization(id),"
    " environment_id TEXT REFERENCES environment(id) ON DELETE CASCADE,"
    " email TEXT NOT NULL COLLATE NOCASE,"
    " role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 4),"
    " invited_by INTEGER,"
    " created_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL,"
    " closed_ms INTEGER) STRICT;" /* accepted, revoked or replaced */
    "CREATE INDEX invitation_organization ON invitation (organization_id, email);"

    "CREATE TABLE token ("
    " n INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE,"
    " hash BLOB NOT NULL,"
    " environment_id TEXT NOT NULL REFERENCES environment(id) ON DELETE CASCADE,"
    " name TEXT NOT NULL,"
    " permissions INTEGER NOT NULL CHECK (permissions > 0),"
    " filter TEXT,"
    " created_ms INTEGER NOT NULL,"
    " created_by INTEGER,"
    " expires_ms INTEGER,"
    " last_used_ms INTEGER,"
    " revoked_ms INTEGER) STRICT;"
    "CREATE INDEX token_environment ON token (environment_id);"

    "CREATE TABLE signing_key ("
    " id TEXT PRIMARY KEY,"
    " environment_id TEXT NOT NULL REFERENCES environment(id) ON DELETE CASCADE,"
    " public_pem TEXT NOT NULL,"
    " created_s INTEGER NOT NULL) STRICT;"
    "CREATE INDEX signing_key_environment ON signing_key (environment_id);"

    "CREATE TABLE annotation ("
    " id TEXT PRIMARY KEY,"
    " environment_id TEXT NOT NULL REFERENCES environment(id) ON DELETE CASCADE,"
    " note TEXT NOT NULL,"
    " date_s INTEGER NOT NULL,"
    " sub_property_id TEXT) STRICT;"
    "CREATE INDEX annotation_date ON annotation (environment_id, date_s, id);"

    "CREATE TABLE error_category ("
    " environment_id TEXT NOT NULL REFERENCES environment(id) ON DELETE CASCADE,"
    " code TEXT NOT NULL,"
    " severity INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 2),"
    " business INTEGER NOT NULL CHECK (business BETWEEN 0 AND 2),"
    " description TEXT NOT NULL,"
    " notes TEXT NOT NULL,"
    " version INTEGER NOT NULL,"
    " changed_ms INTEGER NOT NULL,"
    " PRIMARY KEY (environment_id, code)) STRICT, WITHOUT ROWID;"

    /* No references: the log outlives what it speaks of. */
    "CREATE TABLE audit ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " at_ms INTEGER NOT NULL,"
    " actor_kind INTEGER NOT NULL,"
    " actor_person_id INTEGER,"
    " actor TEXT NOT NULL,"
    " act TEXT NOT NULL,"
    " target TEXT NOT NULL,"
    " organization_id TEXT,"
    " environment_id TEXT,"
    " address TEXT NOT NULL,"
    " details TEXT NOT NULL) STRICT;"
    "CREATE INDEX audit_organization ON audit (organization_id, id);",
};

int64_t migrations_newest(void)
{
    return (int64_t)COUNT(steps);
}

static enum accounts_error migrations_step(struct accounts *a, int64_t from)
{
    char *why = NULL;
    /* user_version takes no parameter; the number is ours. */
    char *version = sqlite3_mprintf("PRAGMA user_version = %lld", (long long)from + 1);
    BUG_IF(version == NULL);
    int rc = sqlite3_exec(a->db, steps[from], NULL, NULL, &why);
    if (rc == SQLITE_OK) rc = sqlite3_exec(a->db, version, NULL, NULL, &why);
    if (rc != SQLITE_OK) {
        LOG_ERR("accounts_migration_failed", "step=%lld reason=\"%s\"", (long long)from, why != NULL ? why : "?");
        a->tx_failure = ACCOUNTS_STORE_FAILED;
    }
    sqlite3_free(version);
    sqlite3_free(why);
    return a->tx_failure;
}

enum accounts_error migrations_run(struct accounts *a)
{
    a->tx_failure = ACCOUNTS_OK;
    int64_t version = sql_int(a, -1, "PRAGMA user_version", NO_ARGS);
    if (version > migrations_newest()) return ACCOUNTS_TOO_NEW;
    if (version == migrations_newest()) return a->tx_failure;
    (void)sql_run(a, "BEGIN IMMEDIATE", NO_ARGS);
    if (a->tx_failure != ACCOUNTS_OK) return a->tx_failure;
    /* Another process may have done it while this one waited for the lock. */
    version = sql_int(a, migrations_newest(), "PRAGMA user_version", NO_ARGS);
    while (version < migrations_newest() && migrations_step(a, version) == ACCOUNTS_OK) version++;
    enum accounts_error e = a->tx_failure;
    if (e == ACCOUNTS_OK) {
        (void)sql_run(a, "COMMIT", NO_ARGS);
        e = a->tx_failure;
    }
    if (e != ACCOUNTS_OK && sqlite3_get_autocommit(a->db) == 0) (void)sql_run(a, "ROLLBACK", NO_ARGS);
    return version > migrations_newest() ? ACCOUNTS_TOO_NEW : e;
}
