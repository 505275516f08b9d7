/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "collector/enrich/uap.h"

#include "base/log.h"

#include <errno.h>
#include <pcre2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum {
    REPLACEMENTS = 5,     /* family and four parts of a version; of devices: family, brand, model */
    GROUPS_MAX = 10,      /* $0 to $9 */
    MATCH_LIMIT = 200000, /* steps of one rule */
    RESULT_BYTES_MAX = 255,
    USER_AGENT_BYTES_MAX = 1024,
};

struct rule {
    char *regex;
    char *replacements[REPLACEMENTS]; /* NULL: none */
    struct span literal;              /* in regex, or lower-cased in folded; empty: none */
    char *folded;
    bool nocase;
    _Atomic(pcre2_code *) code; /* NULL until first tried */
    atomic_bool broken;         /* does not compile */
};

struct rules {
    struct rule *items;
    size_t count, cap;
};

enum list { LIST_BROWSER, LIST_OS, LIST_DEVICE, LIST_COUNT };
static const struct {
    const char *key, *replacements[REPLACEMENTS];
} lists[LIST_COUNT] = {
    [LIST_BROWSER] = {"user_agent_parsers",
                      {"family_replacement", "v1_replacement", "v2_replacement", "v3_replacement"}},
    [LIST_OS] = {"os_parsers",
                 {"os_replacement", "os_v1_replacement", "os_v2_replacement", "os_v3_replacement",
                  "os_v4_replacement"}},
    [LIST_DEVICE] = {"device_parsers", {"device_replacement", "brand_replacement", "model_replacement"}},
};

struct uap {
    struct rules lists[LIST_COUNT];
    pcre2_match_context *limits;
};

/* -- the longest text a rule cannot do without -- */

static size_t skip_class(struct span s, size_t at)
{
    at++; /* [ */
    if (at < s.len && s.ptr[at] == '^') at++;
    if (at < s.len && s.ptr[at] == ']') at++;
    while (at < s.len && s.ptr[at] != ']') at += s.ptr[at] == '\\' ? 2 : 1;
    return at + 1;
}

/* From an opening bracket to after its closing one. either: it holds a "|" of its own. */
static size_t skip_group(struct span s, size_t at, bool *either)
{
    unsigned depth = 0;
    *either = false;
    while (at < s.len) {
        char c = s.ptr[at];
        if (c == '\\') {
            at += 2;
            continue;
        }
        if (c == '[') {
            at = skip_class(s, at);
            continue;
        }
        if (c == '(') depth++;
        if (c == ')' && --depth == 0) return at + 1;
        if (c == '|' && depth == 1) *either = true;
        at++;
    }
    return s.len;
}

static bool is_optional(struct span s, size_t at)
{
    return at < s.len && (s.ptr[at] == '?' || s.ptr[at] == '*' || s.ptr[at] == '{');
}

static bool is_plain(char c)
{
    return strchr(".^$|?*+()[]{}\\", c) == NULL;
}

struct run { /* a run of plain characters under way, in a buffer since escapes are taken out */
    char text[256];
    size_t len;
    char best[256];
    size_t best_len;
};

static void run_end(struct run *r)
{
    if (r->len > r->best_len) {
        memcpy(r->best, r->text, r->len);
        r->best_len = r->len;
    }
    r->len = 0;
}

static void literal_scan(struct span s, struct run *r);

static size_t literal_group(struct span s, size_t at, struct run *r)
{
    bool either;
    size_t after = skip_group(s, at, &either);
    run_end(r);
    size_t from = at + 1;
    bool plain = true;
    if (from < s.len && s.ptr[from] == '?') { /* (?: is a plain group; look-arounds and flags are none */
        plain = from + 1 < s.len && s.ptr[from + 1] == ':';
        from += 2;
    }
    if (plain && !either && !is_optional(s, after) && after >= from + 1)
        literal_scan(span_make(s.ptr + from, after - 1 - from), r);
    return after;
}

/* s has no "|" of its own. */
static void literal_scan(struct span s, struct run *r)
{
    for (size_t at = 0; at < s.len;) {
        char c = s.ptr[at];
        size_t next = at + 1;
        if (c == '(') {
            at = literal_group(s, at, r);
            continue;
        }
        if (c == '[') {
            run_end(r);
            at = skip_class(s, at);
            continue;
        }
        bool literal = is_plain(c);
        if (c == '\\' && next < s.len) {
            c = s.ptr[next++];
            literal = !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'));
        }
        if (!literal || is_optional(s, next) || r->len == sizeof r->text) {
            run_end(r);
            if (s.ptr[at] == '{')
                while (at < s.len && s.ptr[at] != '}') next = ++at + 1;
        } else {
            r->text[r->len++] = c;
            if (next < s.len && s.ptr[next] == '+') run_end(r);
        }
        at = next;
    }
    run_end(r);
}

static bool has_alternatives(const char *regex)
{
    struct span s = span_of(regex);
    for (size_t at = 0; at < s.len;) {
        bool either;
        if (s.ptr[at] == '|') return true;
        if (s.ptr[at] == '(') at = skip_group(s, at, &either);
        else if (s.ptr[at] == '[') at = skip_class(s, at);
        else at += s.ptr[at] == '\\' ? 2 : 1;
    }
    return false;
}

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static void rule_literal(struct rule *rule)
{
    struct run run = {.len = 0};
    if (!has_alternatives(rule->regex)) literal_scan(span_of(rule->regex), &run);
    if (run.best_len == 0) return;
    rule->folded = malloc(run.best_len);
    BUG_IF(rule->folded == NULL);
    for (size_t i = 0; i < run.best_len; i++) rule->folded[i] = rule->nocase ? fold(run.best[i]) : run.best[i];
    rule->literal = span_make(rule->folded, run.best_len);
}

/* -- reading the file -- */

static const char *node_text(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static char *text_copy(const char *text)
{
    char *copy = strdup(text);
    BUG_IF(copy == NULL);
    return copy;
}

static void rule_read(struct rules *rules, enum list list, yaml_document_t *doc, const yaml_node_t *map)
{
    if (rules->count == rules->cap) {
        rules->cap = rules->cap ? rules->cap * 2 : 256;
        rules->items = realloc(rules->items, rules->cap * sizeof *rules->items);
        BUG_IF(rules->items == NULL);
    }
    struct rule *rule = &rules->items[rules->count];
    memset(rule, 0, sizeof *rule);
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const char *key = node_text(yaml_document_get_node(doc, p->key));
        const char *value = node_text(yaml_document_get_node(doc, p->value));
        if (key == NULL || value == NULL) continue;
        if (strcmp(key, "regex") == 0 && rule->regex == NULL) rule->regex = text_copy(value);
        if (strcmp(key, "regex_flag") == 0) rule->nocase = strchr(value, 'i') != NULL;
        for (size_t i = 0; i < REPLACEMENTS; i++)
            if (lists[list].replacements[i] && strcmp(key, lists[list].replacements[i]) == 0 && !rule->replacements[i])
                rule->replacements[i] = text_copy(value);
    }
    if (rule->regex) {
        rule_literal(rule);
        rules->count++;
    } else {
        for (size_t i = 0; i < REPLACEMENTS; i++) free(rule->replacements[i]);
    }
}

static bool file_read(struct uap *u, yaml_document_t *doc)
{
    const yaml_node_t *root = yaml_document_get_root_node(doc);
    if (root == NULL || root->type != YAML_MAPPING_NODE) return false;
    for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        const char *key = node_text(yaml_document_get_node(doc, p->key));
        const yaml_node_t *items = yaml_document_get_node(doc, p->value);
        for (unsigned list = 0; key && list < LIST_COUNT; list++) {
            if (strcmp(key, lists[list].key) != 0 || items->type != YAML_SEQUENCE_NODE) continue;
            for (yaml_node_item_t *i = items->data.sequence.items.start; i < items->data.sequence.items.top; i++) {
                const yaml_node_t *map = yaml_document_get_node(doc, *i);
                if (map && map->type == YAML_MAPPING_NODE) rule_read(&u->lists[list], (enum list)list, doc, map);
            }
        }
    }
    for (unsigned list = 0; list < LIST_COUNT; list++)
        if (u->lists[list].count == 0) return false;
    return true;
}

struct uap *uap_new(const char *path, char why[256])
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        (void)snprintf(why, 256, "%.180s: %s", path, strerror(errno));
        return NULL;
    }
    struct uap *u = calloc(1, sizeof *u);
    BUG_IF(u == NULL);
    u->limits = pcre2_match_context_create(NULL);
    BUG_IF(u->limits == NULL);
    pcre2_set_match_limit(u->limits, MATCH_LIMIT);
    yaml_parser_t parser;
    yaml_document_t doc;
    BUG_IF(!yaml_parser_initialize(&parser));
    yaml_parser_set_input_file(&parser, file);
    bool ok = yaml_parser_load(&parser, &doc);
    if (ok) {
        ok = file_read(u, &doc);
        yaml_document_delete(&doc);
    }
    yaml_parser_delete(&parser);
    (void)fclose(file);
    if (ok) return u;
    (void)snprintf(why, 256, "%.180s: not the rules of uap-core", path);
    uap_free(u);
    return NULL;
}

void uap_free(struct uap *u)
{
    if (u == NULL) return;
    for (unsigned list = 0; list < LIST_COUNT; list++) {
        for (size_t i = 0; i < u->lists[list].count; i++) {
            struct rule *rule = &u->lists[list].items[i];
            pcre2_code_free(rule->code);
            for (size_t r = 0; r < REPLACEMENTS; r++) free(rule->replacements[r]);
            free(rule->folded);
            free(rule->regex);
        }
        free(u->lists[list].items);
    }
    pcre2_match_context_free(u->limits);
    free(u);
}

/* -- matching -- */

/* The compiled rule; NULL when it does not compile. Several threads may compile it at once: one copy stays. */
static pcre2_code *rule_code(struct rule *rule)
{
    pcre2_code *code = atomic_load_explicit(&rule->code, memory_order_acquire), *none = NULL;
    if (code || atomic_load_explicit(&rule->broken, memory_order_relaxed)) return code;
    int error;
    PCRE2_SIZE at;
    code = pcre2_compile((PCRE2_SPTR)rule->regex, PCRE2_ZERO_TERMINATED, rule->nocase ? PCRE2_CASELESS : 0, &error, &at,
                         NULL);
    if (code == NULL) {
        if (!atomic_exchange(&rule->broken, true)) LOG_WRN("agent_rule_broken", "code=%d at=%zu", error, (size_t)at);
        return NULL;
    }
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter does the work */
    if (atomic_compare_exchange_strong_explicit(&rule->code, &none, code, memory_order_acq_rel, memory_order_acquire))
        return code;
    pcre2_code_free(code);
    return none;
}

struct agent { /* one user agent at work */
    struct span text, folded;
    pcre2_match_data *match;
    uint32_t groups; /* of the last match */
    struct arena *arena;
};

static bool rule_matches(const struct uap *u, struct agent *a, struct rule *rule)
{
    struct span text = rule->nocase ? a->folded : a->text;
    if (rule->literal.len && memmem(text.ptr, text.len, rule->literal.ptr, rule->literal.len) == NULL) return false;
    pcre2_code *code = rule_code(rule);
    if (code == NULL) return false;
    int n = pcre2_match(code, (PCRE2_SPTR)a->text.ptr, a->text.len, 0, 0, a->match, u->limits);
    if (n < 0) return false; /* no match, or over a limit */
    a->groups = n == 0 ? GROUPS_MAX : (uint32_t)n;
    return true;
}

static struct span agent_group(const struct agent *a, uint32_t group)
{
    if (group >= a->groups) return SPAN("");
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(a->match);
    PCRE2_SIZE from = at[2 * group], to = at[2 * group + 1];
    if (from == PCRE2_UNSET || to < from) return SPAN("");
    return span_make(a->text.ptr + from, to - from);
}

/* A replacement with its $1 to $9, or the group when there is none; trimmed. */
static struct span agent_result(const struct agent *a, const char *replacement, uint32_t group)
{
    char text[RESULT_BYTES_MAX];
    size_t len = 0;
    if (replacement == NULL) {
        if (group == 0) return SPAN("");
        return arena_copy(a->arena, span_cut_utf8(span_trim(agent_group(a, group)), RESULT_BYTES_MAX));
    }
    for (const char *c = replacement; *c; c++) {
        bool digit = c[0] == '$' && c[1] >= '1' && c[1] <= '9';
        struct span part = digit ? agent_group(a, (uint32_t)(c[1] - '0')) : span_make(c, 1);
        if (digit) c++;
        part = span_upto(part, sizeof text - len);
        if (part.len) memcpy(text + len, part.ptr, part.len);
        len += part.len;
    }
    return arena_copy(a->arena, span_cut_utf8(span_trim(span_make(text, len)), RESULT_BYTES_MAX));
}

static const struct rule *list_find(const struct uap *u, struct agent *a, enum list list)
{
    const struct rules *rules = &u->lists[list];
    for (size_t i = 0; i < rules->count; i++)
        if (rule_matches(u, a, &rules->items[i])) return &rules->items[i];
    return NULL;
}

/* parts: of the version, 3 of browsers and 4 of systems. */
static void find_name(const struct uap *u, struct agent *a, enum list list, uint32_t parts, struct uap_name *out)
{
    const struct rule *rule = list_find(u, a, list);
    if (rule) {
        out->family = agent_result(a, rule->replacements[0], 1);
        for (uint32_t i = 0; i < parts; i++) out->version[i] = agent_result(a, rule->replacements[i + 1], i + 2);
    }
    if (out->family.len == 0) out->family = SPAN("Other");
}

void uap_find(const struct uap *u, struct span user_agent, struct arena *arena, struct uap_found *out)
{
    char folded[USER_AGENT_BYTES_MAX];
    user_agent = span_upto(user_agent, sizeof folded);
    for (size_t i = 0; i < user_agent.len; i++) folded[i] = fold(user_agent.ptr[i]);
    struct span text = user_agent.len ? user_agent : SPAN("");
    struct agent a = {.text = text, .folded = {folded, user_agent.len}, .arena = arena};
    a.match = pcre2_match_data_create(GROUPS_MAX, NULL);
    BUG_IF(a.match == NULL);
    *out = (struct uap_found){0};
    find_name(u, &a, LIST_BROWSER, UAP_VERSION_PARTS - 1, &out->browser);
    find_name(u, &a, LIST_OS, UAP_VERSION_PARTS, &out->os);
    const struct rule *rule = list_find(u, &a, LIST_DEVICE);
    if (rule) {
        out->device = agent_result(&a, rule->replacements[0], 1);
        out->brand = agent_result(&a, rule->replacements[1], 0);
        out->model = agent_result(&a, rule->replacements[2], 1);
    }
    if (out->device.len == 0) out->device = SPAN("Other");
    pcre2_match_data_free(a.match);
}
