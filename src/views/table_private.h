/* SPDX-License-Identifier: Apache-2.0
 * The inside of a view table, for table.c, table_sets.c and table_save.c only. */
#ifndef FF_VIEWS_TABLE_PRIVATE_H
#define FF_VIEWS_TABLE_PRIVATE_H

#include "base/arena.h"
#include "views/strings.h"
#include "views/table.h"

enum { TABLE_TOMBSTONE_MS = 25 * 3600 * 1000, TABLE_FOLD_BYTES_MAX = 512 << 20 };

struct open_view {
    struct view *view;
    uint64_t hash;
    int64_t due_ms;   /* of its place in the heap: not after the true one */
    int64_t ended_ms; /* receipt of the first viewend; INT64_MIN */
    uint32_t heap_at;
    uint32_t version; /* of the last row written; 0: none */
    uint32_t shown;   /* events that its last pending row had */
    uint32_t bytes;   /* of the view, as counted in view_bytes */
    bool replayed;    /* open since before the last start */
};

struct env_views { /* how many views of an environment are open */
    char id[24];
    uint32_t open;
};

struct tombstone {
    struct hash128 id;
    uint32_t final_s;     /* epoch; 0: free place */
    uint32_t complete_to; /* duplicates up to here; the top bit: TOMBSTONE_TOO_LONG */
};
#define TOMBSTONE_TOO_LONG 0x80000000u

struct view_table {
    struct view_table_options options;
    struct view_strings *strings;
    struct arena arena; /* of one row at a time */
    uint64_t seed;
    int64_t now_ms; /* the newest receipt heard of */
    bool replaying;

    struct open_view **slots; /* open addressing by hash */
    uint32_t slot_count, open_count;
    struct open_view **heap; /* by due_ms; as many as are open */
    uint32_t heap_cap;
    struct env_views *envs; /* open addressing by id; those without open views go when it grows */
    uint32_t env_slots, env_count;
    struct tombstone *tombstones; /* open addressing by id; old ones go when it grows */
    uint32_t tombstone_slots, tombstone_count;
    size_t view_bytes;
    uint32_t folded, duplicates, finals, pendings; /* not yet in the counters */
};

/* table_sets.c */
uint64_t table_hash(const struct view_table *t, const char *environment_id, struct span view_id);
struct open_view *table_find(const struct view_table *t, uint64_t hash, const char *environment_id,
                             struct span view_id);
/* A new place for the view, which is the table's from here on; not yet in the heap. */
struct open_view *table_open(struct view_table *t, struct view *v, uint64_t hash);
/* Takes it out of the table and the heap, and frees it. */
void table_close(struct view_table *t, struct open_view *o);
uint32_t table_env_open(const struct view_table *t, const char *environment_id);
void table_heap_add(struct view_table *t, struct open_view *o);
void table_heap_moved(struct view_table *t, struct open_view *o); /* its due_ms changed */
/* NULL when the id was not finished within the last 25 hours before now_ms. */
const struct tombstone *table_buried(const struct view_table *t, struct hash128 id);
void table_bury(struct view_table *t, const struct tombstone *stone);
/* table.c: its due_ms anew, and into the heap. */
void table_schedule(struct view_table *t, struct open_view *o);

#endif
