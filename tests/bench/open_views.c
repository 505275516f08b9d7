/* SPDX-License-Identifier: Apache-2.0
 * Memory of open views: open_views VIEWS CAPTURE.jsonl... plays every POST of the captures again and again under new
 * view ids, without the events that would end a view, until that many views are open, and prints one JSON object:
 *   views, events (handed to the table), table_bytes (what the table says of itself), resident_bytes (by how much the
 *   process has grown), each of the two also by view, and by view less 100 bytes an event (the aim there: 1536).
 * One table, as one shard would have it. A capture's recording order and distances of time are kept. */
#include "base/json.h"
#include "collector/formats/format.h"
#include "views/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { POSTS_MAX = 4096, BODY_BYTES_MAX = 4 << 20, LINE_BYTES_MAX = 16 << 20, ARENA_BYTES_MAX = 64 << 20 };

struct post {
    int capture;
    int64_t at_ms; /* from the first of its capture */
    struct span body;
};

struct bench {
    struct formats *formats;
    struct json_parser *json;
    struct view_table *table;
    struct post posts[POSTS_MAX];
    size_t post_count;
    int captures;
    uint8_t format;
    uint64_t events;
};

static void on_row(void *ctx, const struct view_row *row)
{
    (void)ctx, (void)row;
}

static void on_dropped(void *ctx, const char *environment_id, const char *why, uint32_t events)
{
    (void)ctx, (void)environment_id, (void)why, (void)events;
}

static enum drop judge(void *ctx, struct span env_key, struct beacon_env *out)
{
    (void)ctx, (void)env_key;
    *out = (struct beacon_env){.id = "bench", .property_id = 1};
    return DROP_NONE;
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

static bool take_line(struct bench *b, struct span line, int64_t *first_ms)
{
    struct json_doc doc;
    const char *why;
    if (b->post_count == POSTS_MAX || !json_parse(b->json, line, FORMAT_NODES_MAX, &doc, &why)) return false;
    const struct json_node *body = json_get(&doc, doc.nodes, "body"), *at = json_get(&doc, doc.nodes, "t_recv");
    if (!json_is(body, JSON_STRING) || body->v.s.len == 0 || at == NULL || !json_is_number(at)) return false;
    int64_t ms = (int64_t)json_number(at);
    if (*first_ms == 0) *first_ms = ms;
    char *copy = malloc(body->v.s.len);
    BUG_IF(copy == NULL);
    memcpy(copy, body->v.s.ptr, body->v.s.len);
    b->posts[b->post_count++] =
        (struct post){.capture = b->captures, .at_ms = ms - *first_ms, .body = span_make(copy, body->v.s.len)};
    return true;
}

static bool read_capture(struct bench *b, const char *path)
{
    FILE *f = fopen(path, "r");
    if (f == NULL) return false;
    char *line = malloc(LINE_BYTES_MAX);
    BUG_IF(line == NULL);
    int64_t first_ms = 0;
    bool any = false;
    while (fgets(line, LINE_BYTES_MAX, f)) any |= take_line(b, span_of(line), &first_ms);
    free(line);
    (void)fclose(f);
    if (any) b->captures++;
    return any;
}

/* -- playing ------------------------------------------------------------------------------------------------------- */

/* The id's first digits become the round's: new, of the same length. */
static struct span new_id(struct arena *arena, struct span id, unsigned round)
{
    char digits[9], *copy = arena_alloc(arena, id.len);
    BUG_IF(copy == NULL);
    memcpy(copy, id.ptr, id.len);
    (void)snprintf(digits, sizeof digits, "%08x", round);
    memcpy(copy, digits, id.len < 8 ? id.len : 8);
    return span_make(copy, id.len);
}

static void play_post(struct bench *b, const struct post *post, unsigned round, int64_t start_ms, struct arena *arena)
{
    struct format_output out = {.why = NULL};
    struct format_input in = {
        .body = post->body, .received_ms = start_ms + post->at_ms, .json = b->json, .arena = arena, .judge = judge};
    if (format_decode(b->formats, b->format, &in, &out) != DROP_NONE) return;
    for (uint32_t i = 0; i < out.beacon.event_count; i++) {
        struct beacon_event *e = &out.beacon.events[i];
        if (e->name == EVENT_viewend) continue;
        e->view_id = new_id(arena, e->view_id, round);
        view_table_apply(b->table, &out.beacon, e);
        b->events++;
    }
    arena_reset(arena);
}

static size_t resident_bytes(void)
{
    unsigned long all = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL) return 0;
    if (fscanf(f, "%lu %lu", &all, &resident) != 2) resident = 0;
    (void)fclose(f);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static void print_result(const struct bench *b, size_t resident)
{
    double views = (double)view_table_open(b->table), bytes = (double)view_table_bytes(b->table);
    double events = (double)b->events;
    printf(
        "{\"views\":%.0f,\"events\":%.0f,\"table_bytes\":%.0f,\"resident_bytes\":%zu,\"table_bytes_per_view\":%.0f,"
        "\"resident_bytes_per_view\":%.0f,\"table_base_bytes_per_view\":%.0f,\"resident_base_bytes_per_view\":%.0f}\n",
        views, events, bytes, resident, bytes / views, (double)resident / views, (bytes - 100 * events) / views,
        ((double)resident - 100 * events) / views);
}

int main(int argc, char **argv)
{
    static struct bench b;
    long want = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    struct view_table_options options = view_table_defaults();
    options.row = on_row;
    options.dropped = on_dropped;
    /* Nothing may come due: it is the open ones that are weighed. */
    options.visible_after_ms = options.final_after_ms = options.open_after_ms_max = INT64_C(1) << 50;
    b.formats = formats_new();
    b.json = json_parser_new();
    b.table = view_table_new(&options);
    b.format = format_find(b.formats, &(struct format_hints){SPAN("text/plain"), SPAN("/"), SPAN("")});
    for (int i = 2; i < argc; i++) (void)read_capture(&b, argv[i]);
    if (want <= 0 || b.post_count == 0) {
        fprintf(stderr, "open_views VIEWS CAPTURE.jsonl...: no captures with POSTs were read\n");
        return 1;
    }
    struct arena arena;
    arena_init(&arena, ARENA_BYTES_MAX);
    size_t before = resident_bytes();
    int64_t start_ms = INT64_C(1700000000000);
    for (unsigned round = 1; view_table_open(b.table) < (size_t)want; round++) {
        size_t open = view_table_open(b.table);
        for (size_t i = 0; i < b.post_count; i++) play_post(&b, &b.posts[i], round, start_ms, &arena);
        if (view_table_open(b.table) == open) break; /* no capture opens a view */
    }
    print_result(&b, resident_bytes() - before);
    arena_free(&arena);
    view_table_free(b.table);
    json_parser_free(b.json);
    formats_free(b.formats);
    for (size_t i = 0; i < b.post_count; i++) free((char *)(uintptr_t)b.posts[i].body.ptr);
    return 0;
}
