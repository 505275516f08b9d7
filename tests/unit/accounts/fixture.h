/* SPDX-License-Identifier: Apache-2.0
 * What the accounts tests share: a data directory of their own, a clock they turn, cheap password hashes, and the
 * list of every secret that was made, which must not be found in any byte of the database. */
#ifndef FF_TEST_ACCOUNTS_FIXTURE_H
#define FF_TEST_ACCOUNTS_FIXTURE_H

#include "accounts/audit.h"
#include "accounts/environments.h"
#include "accounts/notes.h"
#include "accounts/people.h"
#include "accounts/tokens.h"
#include "base/buf.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define OWNER_EMAIL "owner@example.org"
#define OWNER_PASSWORD "correct horse battery"
#define NO_SPAN ((struct span){NULL, 0})

struct fixture {
    char dir[64];
    atomic_int_fast64_t now_ms;
    struct accounts_options options;
    struct accounts *a;
    struct account_made made;
};

static inline int64_t fixture_now(void *arg)
{
    return atomic_load(&((struct fixture *)arg)->now_ms);
}

static inline void fixture_forward(struct fixture *f, int64_t ms)
{
    atomic_fetch_add(&f->now_ms, ms);
}

/* A fresh directory; nothing is opened yet. */
static inline void fixture_begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    const char *base = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%.40s/ff-accounts-XXXXXX", base != NULL && strlen(base) <= 40 ? base : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    atomic_store(&f->now_ms, 1767600000000);
    f->options = (struct accounts_options){
        .data_dir = f->dir, .password_bytes = 8192, .password_passes = 1, .now_ms = fixture_now, .now_arg = f};
}

static inline void fixture_open(struct fixture *f)
{
    assert_int_equal(accounts_open(&f->options, &f->a), ACCOUNTS_OK);
    assert_non_null(f->a);
}

static inline void fixture_init(struct fixture *f)
{
    struct account_new in = {.email = SPAN(OWNER_EMAIL), .password = SPAN(OWNER_PASSWORD),
                             .organization = SPAN("Acme"), .environment = SPAN("Production"),
                             .env_key = SPAN("abcdefghij0123456789")};
    fixture_begin(f);
    fixture_open(f);
    assert_int_equal(accounts_init_account(f->a, ACTOR_CLI, &in, &f->made), ACCOUNTS_OK);
}

static inline void fixture_path(const struct fixture *f, const char *file, char out[128])
{
    snprintf(out, 128, "%s/%s", f->dir, file);
}

static inline void fixture_end(struct fixture *f)
{
    static const char *const files[] = {"accounts.db", "accounts.db-wal", "accounts.db-shm", "accounts.key"};
    char path[128];
    accounts_close(f->a);
    f->a = NULL;
    for (size_t i = 0; i < COUNT(files); i++) {
        fixture_path(f, files[i], path);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->dir), 0);
}

static inline bool fixture_file_holds(const struct fixture *f, const char *file, struct span needle)
{
    char path[128], chunk[65536];
    struct buf b;
    fixture_path(f, file, path);
    FILE *in = fopen(path, "rb");
    if (in == NULL) return false;
    buf_init(&b, (size_t)1 << 30);
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, in)) > 0;) buf_add(&b, chunk, got);
    fclose(in);
    bool found = span_find_span(buf_span(&b), needle) >= 0;
    buf_free(&b);
    return found;
}

static inline bool fixture_readable(const struct fixture *f, struct span needle)
{
    return fixture_file_holds(f, "accounts.db", needle) || fixture_file_holds(f, "accounts.db-wal", needle);
}

static inline struct actor fixture_person(int64_t id)
{
    return (struct actor){.kind = ACTOR_PERSON, .person_id = id, .address = SPAN("203.0.113.77")};
}

static inline enum accounts_error fixture_sign_in(struct fixture *f, const char *email, const char *password,
                                                  const char *address, struct signed_in *out)
{
    struct sign_in in = {.email = span_of(email), .password = span_of(password), .address = span_of(address),
                         .agent = SPAN("cmocka"), .kind = SESSION_BETA};
    return accounts_sign_in(f->a, &in, out);
}

static inline int64_t fixture_add(struct fixture *f, const char *email, enum role role)
{
    int64_t id = 0;
    struct person_new in = {.email = span_of(email), .name = SPAN("Somebody"), .password = SPAN("password of it"),
                            .role = role};
    assert_int_equal(accounts_person_add(f->a, ACTOR_CLI, span_of(f->made.organization_id), &in, &id), ACCOUNTS_OK);
    return id;
}

#endif
