/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/enrich/agent.h"

#include "base/hash.h"
#include "base/log.h"
#include "collector/enrich/uap.h"

#include <pthread.h>
#include <stdlib.h>

enum { CACHE_SLOTS = 1 << 13, CACHE_LOCKS = 64, AGENT_TEXTS = 8 };

/* One cached result: the user agent and the texts found, one after the other in `bytes`. */
struct cached {
    uint32_t agent_len;
    uint16_t lens[AGENT_TEXTS];
    size_t len; /* of the texts */
    char bytes[];
};

struct agents {
    struct uap *uap;
    uint64_t seed;
    pthread_mutex_t locks[CACHE_LOCKS];
    struct cached *slots[CACHE_SLOTS];
};

/* -- category -- */

/* In order; the first word found, in any case, decides. "AFT*" is AFT at the beginning of a word and one more letter or
 * digit: Fire TV models (AFTB, AFTS, ...). */
static const struct {
    const char *category, *word;
} categories[] = {
    {"tv", "smarttv"},
    {"tv", "smart-tv"},
    {"tv", "tizen"},
    {"tv", "web0s"},
    {"tv", "appletv"},
    {"tv", "googletv"},
    {"tv", "android tv"},
    {"tv", "aft*"},
    {"tv", "roku"},
    {"tv", "crkey"},
    {"tv", "hbbtv"},
    {"tv", "bravia"},
    {"console", "playstation"},
    {"console", "xbox"},
    {"console", "nintendo"},
    {"tablet", "ipad"},
    {"tablet", "tablet"},
    {"tablet", "kindle"},
    {"tablet", "android"},
    {"phone", "iphone"},
    {"phone", "ipod"},
    {"phone", "android"},
    {"phone", "mobile"},
    {"desktop", "windows"},
    {"desktop", "mac os x"},
    {"desktop", "linux"},
    {"desktop", "ubuntu"},
    {"desktop", "debian"},
    {"desktop", "fedora"},
    {"desktop", "red hat"},
    {"desktop", "centos"},
    {"desktop", "suse"},
    {"desktop", "gentoo"},
    {"desktop", "mandriva"},
    {"desktop", "slackware"},
    {"desktop", "cros"},
    {"desktop", "chrome os"},
};

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* text is lower-case. */
static bool has_word(struct span text, const char *word)
{
    struct span needle = span_of(word);
    bool model = needle.ptr[needle.len - 1] == '*';
    if (!model) return span_find_span(text, needle) >= 0;
    needle.len--;
    for (size_t at = 0; at + needle.len < text.len; at++) {
        if (memcmp(text.ptr + at, needle.ptr, needle.len) != 0) continue;
        if ((at == 0 || !is_word(text.ptr[at - 1])) && is_word(text.ptr[at + needle.len])) return true;
    }
    return false;
}

struct span agent_category(struct span user_agent, struct span os)
{
    char folded[1024 + 256];
    size_t len = 0;
    struct span parts[] = {span_upto(user_agent, 1024), SPAN("\n"), span_upto(os, 255)};
    for (size_t p = 0; p < COUNT(parts); p++)
        for (size_t i = 0; i < parts[p].len; i++) folded[len++] = fold(parts[p].ptr[i]);
    struct span text = span_make(folded, len);
    bool mobile = has_word(text, "mobile");
    for (size_t i = 0; i < COUNT(categories); i++) {
        const char *category = categories[i].category, *word = categories[i].word;
        bool tablet_android = strcmp(category, "tablet") == 0 && strcmp(word, "android") == 0;
        if (tablet_android && mobile) continue;
        if (has_word(text, word)) return span_of(category);
    }
    return SPAN("");
}

/* -- cache -- */

/* The texts of out that an agent decides, in the order of struct cached. */
static void agent_texts(struct viewer_facts *v, struct span *texts[AGENT_TEXTS])
{
    struct span *all[AGENT_TEXTS] = {&v->browser,         &v->browser_version,     &v->os,           &v->os_version,
                                     &v->device_category, &v->device_manufacturer, &v->device_model, &v->device_name};
    memcpy(texts, all, sizeof all);
}

static struct cached *cached_new(struct span user_agent, struct viewer_facts *v)
{
    struct span *texts[AGENT_TEXTS];
    agent_texts(v, texts);
    size_t len = 0;
    for (size_t i = 0; i < AGENT_TEXTS; i++) len += texts[i]->len;
    struct cached *c = malloc(sizeof *c + user_agent.len + len);
    if (c == NULL) return NULL;
    c->agent_len = (uint32_t)user_agent.len;
    c->len = len;
    memcpy(c->bytes, user_agent.ptr, user_agent.len);
    char *at = c->bytes + user_agent.len;
    for (size_t i = 0; i < AGENT_TEXTS; i++) {
        c->lens[i] = (uint16_t)texts[i]->len;
        if (texts[i]->len) memcpy(at, texts[i]->ptr, texts[i]->len);
        at += texts[i]->len;
    }
    return c;
}

static bool cached_read(const struct cached *c, struct span user_agent, struct arena *arena, struct viewer_facts *v)
{
    if (c == NULL || !span_eq(span_make(c->bytes, c->agent_len), user_agent)) return false;
    struct span *texts[AGENT_TEXTS];
    struct span copy = arena_copy(arena, span_make(c->bytes + c->agent_len, c->len));
    if (copy.ptr == NULL) return true; /* the arena is full: unknown */
    agent_texts(v, texts);
    for (size_t i = 0; i < AGENT_TEXTS; i++) {
        *texts[i] = span_upto(copy, c->lens[i]);
        copy = span_from(copy, c->lens[i]);
    }
    return true;
}

/* "17.4.1": the parts that are there. */
static struct span version_text(const struct uap_name *name, struct arena *arena)
{
    char text[512];
    size_t len = 0;
    for (size_t i = 0; i < UAP_VERSION_PARTS; i++) {
        struct span part = span_upto(name->version[i], 120);
        if (part.len == 0) continue;
        if (len) text[len++] = '.';
        memcpy(text + len, part.ptr, part.len);
        len += part.len;
    }
    return arena_copy(arena, span_make(text, len));
}

static void agents_find(struct agents *a, struct span user_agent, struct arena *arena, struct viewer_facts *v)
{
    if (a->uap) {
        struct uap_found found;
        uap_find(a->uap, user_agent, arena, &found);
        v->browser = found.browser.family;
        v->browser_version = version_text(&found.browser, arena);
        v->os = found.os.family;
        v->os_version = version_text(&found.os, arena);
        v->device_name = found.device;
        v->device_manufacturer = found.brand;
        v->device_model = found.model;
    }
    v->device_category = agent_category(user_agent, v->os);
}

void agents_look(struct agents *a, struct span user_agent, struct arena *arena, struct viewer_facts *v)
{
    user_agent = span_upto(user_agent, 1024);
    if (user_agent.len == 0) return;
    size_t at = hash64(user_agent, a->seed) % CACHE_SLOTS;
    pthread_mutex_t *lock = &a->locks[at % CACHE_LOCKS];
    pthread_mutex_lock(lock);
    bool hit = cached_read(a->slots[at], user_agent, arena, v);
    pthread_mutex_unlock(lock);
    if (hit) return;
    agents_find(a, user_agent, arena, v);
    struct cached *made = cached_new(user_agent, v);
    pthread_mutex_lock(lock);
    struct cached *old = a->slots[at];
    a->slots[at] = made;
    pthread_mutex_unlock(lock);
    free(old);
}

struct agents *agents_new(const char *path)
{
    struct agents *a = calloc(1, sizeof *a);
    BUG_IF(a == NULL);
    for (size_t i = 0; i < CACHE_LOCKS; i++) BUG_IF(pthread_mutex_init(&a->locks[i], NULL) != 0);
    random_bytes(&a->seed, sizeof a->seed);
    char why[256] = "";
    if (path) a->uap = uap_new(path, why);
    if (path && a->uap == NULL) LOG_WRN("agent_rules_missing", "reason=\"%s\"", why);
    return a;
}

void agents_free(struct agents *a)
{
    if (a == NULL) return;
    for (size_t i = 0; i < CACHE_SLOTS; i++) free(a->slots[i]);
    for (size_t i = 0; i < CACHE_LOCKS; i++) pthread_mutex_destroy(&a->locks[i]);
    uap_free(a->uap);
    free(a);
}
