/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/enrich/asn.h"

#include "base/hash.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct range4 {
    uint32_t first, last, number, name;
};
struct range6 {
    unsigned __int128 first, last;
    uint32_t number, name;
};

struct names { /* each name once, NUL-terminated, one after the other */
    char *text;
    uint32_t len, cap;
    uint32_t *slots; /* place + 1; 0: free */
    uint32_t slot_count, used;
};

struct asn_list {
    struct range4 *v4;
    struct range6 *v6;
    size_t v4_count, v4_cap, v6_count, v6_cap;
    struct names names;
};

/* -- names -- */

static bool names_grow_slots(struct names *n)
{
    uint32_t count = n->slot_count ? n->slot_count * 2 : 1024;
    uint32_t *slots = calloc(count, sizeof *slots);
    if (slots == NULL) return false;
    for (uint32_t i = 0; i < n->slot_count; i++) {
        if (n->slots[i] == 0) continue;
        uint64_t at = hash64(span_of(n->text + n->slots[i] - 1), 0) % count;
        while (slots[at]) at = (at + 1) % count;
        slots[at] = n->slots[i];
    }
    free(n->slots);
    n->slots = slots;
    n->slot_count = count;
    return true;
}

static bool names_add(struct names *n, struct span name, uint32_t *out)
{
    if (n->used * 2 >= n->slot_count && !names_grow_slots(n)) return false;
    uint64_t at = hash64(name, 0) % n->slot_count;
    for (; n->slots[at]; at = (at + 1) % n->slot_count) {
        const char *known = n->text + n->slots[at] - 1;
        if (strncmp(known, name.ptr, name.len) == 0 && known[name.len] == 0) {
            *out = n->slots[at] - 1;
            return true;
        }
    }
    if (n->len + name.len + 1 > n->cap) {
        uint32_t cap = n->cap * 2 + 65536;
        char *grown = realloc(n->text, cap);
        if (grown == NULL) return false;
        n->text = grown;
        n->cap = cap;
    }
    *out = n->len;
    n->slots[at] = n->len + 1;
    n->used++;
    memcpy(n->text + n->len, name.ptr, name.len);
    n->text[n->len + name.len] = 0;
    n->len += (uint32_t)name.len + 1;
    return true;
}

/* -- reading -- */

enum { NAME_BYTES_MAX = 255 };

struct line {
    char first[64], last[64];
    uint32_t number;
    char name[NAME_BYTES_MAX + 1];
    size_t name_len;
};

static bool line_address(struct span *rest, char out[64])
{
    ptrdiff_t comma = span_find(*rest, ',');
    if (comma < 1 || comma >= 64) return false;
    memcpy(out, rest->ptr, (size_t)comma);
    out[comma] = 0;
    *rest = span_from(*rest, (size_t)comma + 1);
    return true;
}

/* The last field: as it is, or in quotes with doubled quotes inside. Longer names are cut. */
static void line_name(struct span rest, struct line *out)
{
    bool quoted = rest.len && rest.ptr[0] == '"';
    size_t len = 0;
    for (size_t i = quoted; i < rest.len && len < NAME_BYTES_MAX; i++) {
        if (quoted && rest.ptr[i] == '"' && (++i >= rest.len || rest.ptr[i] != '"')) break;
        out->name[len++] = rest.ptr[i];
    }
    out->name_len = span_cut_utf8(span_make(out->name, len), len == NAME_BYTES_MAX ? len - 1 : len).len;
}

static bool line_read(struct span text, struct line *out)
{
    struct span rest = text;
    if (!line_address(&rest, out->first) || !line_address(&rest, out->last)) return false;
    ptrdiff_t comma = span_find(rest, ',');
    int64_t number;
    if (comma < 0 || !span_to_i64(span_upto(rest, (size_t)comma), &number) || number < 0 || number > UINT32_MAX)
        return false;
    out->number = (uint32_t)number;
    line_name(span_from(rest, (size_t)comma + 1), out);
    return true;
}

/* Room for one more item of an array. */
static bool reserve(void **items, size_t count, size_t *cap, size_t each)
{
    if (count < *cap) return true;
    size_t next = *cap ? *cap * 2 : 4096;
    void *grown = realloc(*items, next * each);
    if (grown == NULL) return false;
    *items = grown;
    *cap = next;
    return true;
}

static bool take4(struct asn_list *l, const struct line *line)
{
    struct range4 r = {.number = line->number};
    struct in_addr a, b;
    if (inet_pton(AF_INET, line->first, &a) != 1 || inet_pton(AF_INET, line->last, &b) != 1) return true;
    r.first = ntohl(a.s_addr);
    r.last = ntohl(b.s_addr);
    if (r.first > r.last || (l->v4_count && r.first <= l->v4[l->v4_count - 1].last)) return true;
    if (!names_add(&l->names, span_make(line->name, line->name_len), &r.name)) return false;
    if (!reserve((void **)&l->v4, l->v4_count, &l->v4_cap, sizeof *l->v4)) return false;
    l->v4[l->v4_count++] = r;
    return true;
}

static unsigned __int128 number_of(const uint8_t bytes[16])
{
    unsigned __int128 n = 0;
    for (size_t i = 0; i < 16; i++) n = n << 8 | bytes[i];
    return n;
}

static bool take6(struct asn_list *l, const struct line *line)
{
    struct range6 r = {.number = line->number};
    uint8_t a[16], b[16];
    if (inet_pton(AF_INET6, line->first, a) != 1 || inet_pton(AF_INET6, line->last, b) != 1) return true;
    r.first = number_of(a);
    r.last = number_of(b);
    if (r.first > r.last || (l->v6_count && r.first <= l->v6[l->v6_count - 1].last)) return true;
    if (!names_add(&l->names, span_make(line->name, line->name_len), &r.name)) return false;
    if (!reserve((void **)&l->v6, l->v6_count, &l->v6_cap, sizeof *l->v6)) return false;
    l->v6[l->v6_count++] = r;
    return true;
}

static void read_file(struct asn_list *l, const char *path, bool (*take)(struct asn_list *, const struct line *))
{
    struct stat st;
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = fstat(fd, &st) == 0 && st.st_size > 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                                                      : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED) return;
    struct span rest = span_make(map, (size_t)st.st_size);
    while (rest.len) {
        struct line line;
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
        struct span text = span_upto(rest, len);
        if (text.len && text.ptr[text.len - 1] == '\r') text.len--;
        if (line_read(text, &line) && !take(l, &line)) break;
        rest = span_from(rest, len + 1);
    }
    munmap(map, (size_t)st.st_size);
}

struct asn_list *asn_list_new(const char *ipv4_csv, const char *ipv6_csv)
{
    struct asn_list *l = calloc(1, sizeof *l);
    BUG_IF(l == NULL);
    read_file(l, ipv4_csv, take4);
    read_file(l, ipv6_csv, take6);
    if (asn_list_count(l)) return l;
    asn_list_free(l);
    return NULL;
}

void asn_list_free(struct asn_list *l)
{
    if (l == NULL) return;
    free(l->v4);
    free(l->v6);
    free(l->names.text);
    free(l->names.slots);
    free(l);
}

size_t asn_list_count(const struct asn_list *l)
{
    return l->v4_count + l->v6_count;
}

/* -- finding -- */

static struct asn_found found(const struct asn_list *l, uint32_t number, uint32_t name, bool whole_block)
{
    return (struct asn_found){number, span_of(l->names.text + name), whole_block};
}

static struct asn_found find4(const struct asn_list *l, uint32_t address)
{
    size_t low = 0, high = l->v4_count; /* the first range that begins after the address */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->v4[middle].first <= address) low = middle + 1;
        else high = middle;
    }
    uint32_t block = address & 0xFFFFFF00, block_last = block | 0xFF;
    const struct range4 *r = low ? &l->v4[low - 1] : NULL;
    if (r && address <= r->last) return found(l, r->number, r->name, r->first <= block && block_last <= r->last);
    bool empty = (r == NULL || r->last < block) && (low == l->v4_count || l->v4[low].first > block_last);
    return (struct asn_found){0, {NULL, 0}, empty};
}

static struct asn_found find6(const struct asn_list *l, unsigned __int128 address)
{
    size_t low = 0, high = l->v6_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->v6[middle].first <= address) low = middle + 1;
        else high = middle;
    }
    unsigned __int128 rest = ((unsigned __int128)1 << 80) - 1, block = address & ~rest, block_last = block | rest;
    const struct range6 *r = low ? &l->v6[low - 1] : NULL;
    if (r && address <= r->last) return found(l, r->number, r->name, r->first <= block && block_last <= r->last);
    bool empty = (r == NULL || r->last < block) && (low == l->v6_count || l->v6[low].first > block_last);
    return (struct asn_found){0, {NULL, 0}, empty};
}

struct asn_found asn_list_find(const struct asn_list *l, const uint8_t bytes[16], bool is_v4)
{
    if (!is_v4) return find6(l, number_of(bytes));
    return find4(l, (uint32_t)bytes[12] << 24 | (uint32_t)bytes[13] << 16 | (uint32_t)bytes[14] << 8 | bytes[15]);
}
