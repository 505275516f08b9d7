/* SPDX-License-Identifier: Apache-2.0
 * What a field may hold. Pure. */
#include "accounts/store.h"

#include <arpa/inet.h>

/* Length of the UTF-8 character at the start of s; 0: none that is valid. */
static size_t utf8_length(struct span s)
{
    const uint8_t *p = (const uint8_t *)s.ptr;
    if (p[0] < 0x80) return 1;
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || s.len < len) return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
    }
    if (p[0] == 0xE0 && p[1] < 0xA0) return 0; /* overlong */
    if (p[0] == 0xED && p[1] > 0x9F) return 0; /* surrogates */
    if (p[0] == 0xF0 && p[1] < 0x90) return 0; /* overlong */
    if (p[0] == 0xF4 && p[1] > 0x8F) return 0; /* above U+10FFFF */
    return len;
}

static bool utf8_without(struct span s, const char *allowed_controls)
{
    while (s.len > 0) {
        size_t len = utf8_length(s);
        if (len == 0 || s.ptr[0] == 0x7F) return false;
        if ((uint8_t)s.ptr[0] < 0x20 && (s.ptr[0] == 0 || strchr(allowed_controls, s.ptr[0]) == NULL)) return false;
        s = span_from(s, len);
    }
    return true;
}

bool field_utf8(struct span s)
{
    return utf8_without(s, "\t\n\r");
}

bool field_email(struct span s)
{
    if (s.len < 3 || s.len > ACCOUNTS_EMAIL_MAX || !utf8_without(s, "")) return false;
    ptrdiff_t at = span_find(s, '@');
    if (at <= 0 || (size_t)at + 1 >= s.len) return false;
    if (span_find(span_from(s, (size_t)at + 1), '@') >= 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (strchr(" <>()[],;:\\\"", s.ptr[i]) != NULL) return false;
    }
    return true;
}

bool field_name(struct span s)
{
    return s.len >= 1 && s.len <= ACCOUNTS_NAME_MAX && utf8_without(s, "") && span_trim(s).len == s.len;
}

bool field_password(struct span s)
{
    return s.len >= ACCOUNTS_PASSWORD_MIN && s.len <= ACCOUNTS_PASSWORD_MAX;
}

bool field_env_key(struct span s)
{
    if (s.len < ACCOUNTS_ENV_KEY_MIN || s.len > ACCOUNTS_ENV_KEY_MAX) return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
    }
    return true;
}

bool field_filter(struct span s)
{
    ptrdiff_t colon = span_find(s, ':');
    if (s.len > ACCOUNTS_FILTER_MAX || colon <= 0 || (size_t)colon + 1 >= s.len || !utf8_without(s, "")) return false;
    for (ptrdiff_t i = 0; i < colon; i++) {
        char c = s.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
    }
    return true;
}

bool field_note(struct span s, size_t max)
{
    return s.len <= max && field_utf8(s);
}

static bool origin_host(struct span s)
{
    bool bracketed = s.len > 0 && s.ptr[0] == '[';
    struct span host = s;
    ptrdiff_t end = span_find(s, ']');
    if (bracketed && end < 0) return false;
    struct span after = span_from(s, bracketed ? (size_t)end : 0);
    ptrdiff_t colon = span_find(after, ':');
    if (colon >= 0) {
        size_t at = (size_t)(after.ptr - s.ptr) + (size_t)colon;
        int64_t port = 0;
        if (!span_to_i64(span_from(s, at + 1), &port) || port < 1 || port > 65535) return false;
        host = span_upto(s, at);
    }
    if (bracketed && host.len != (size_t)end + 1) return false;
    if (host.len == 0) return false;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
        bool six = bracketed && (c == ':' || c == '[' || c == ']');
        if (!plain && !six) return false;
    }
    return true;
}

static bool origin_valid(struct span s)
{
    struct span https = SPAN("https://"), http = SPAN("http://");
    if (span_starts(s, https)) return origin_host(span_from(s, https.len));
    return span_starts(s, http) && origin_host(span_from(s, http.len));
}

bool field_origins(struct span in, char out[ACCOUNTS_ORIGINS_MAX + 1])
{
    size_t at = 0;
    out[0] = 0;
    for (size_t i = 0; i < in.len;) {
        size_t start = i;
        while (i < in.len && strchr(" ,\t\r\n", in.ptr[i]) == NULL) i++;
        struct span word = span_make(in.ptr + start, i - start);
        if (i < in.len) i++;
        if (word.len > 0 && word.ptr[word.len - 1] == '/') word.len--;
        if (word.len == 0) continue;
        if (at + word.len + 2 > ACCOUNTS_ORIGINS_MAX) return false;
        if (at > 0) out[at++] = ' ';
        for (size_t k = 0; k < word.len; k++) {
            char c = word.ptr[k];
            out[at + k] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        if (!origin_valid(span_make(out + at, word.len))) return false;
        at += word.len;
        out[at] = 0;
    }
    return true;
}

void address_truncate(struct span address, char out[ACCOUNTS_ADDRESS_MAX + 1])
{
    char text[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16];
    out[0] = 0;
    if (address.len == 0 || address.len >= sizeof text) return;
    text_copy(text, sizeof text, address);
    int family = AF_INET;
    if (inet_pton(AF_INET, text, bytes) != 1) {
        family = AF_INET6;
        if (inet_pton(AF_INET6, text, bytes) != 1) return;
        static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
        if (memcmp(bytes, mapped, sizeof mapped) == 0) {
            memmove(bytes, bytes + 12, 4);
            family = AF_INET;
        }
    }
    if (family == AF_INET) bytes[3] = 0;
    else memset(bytes + 6, 0, 10);
    if (inet_ntop(family, bytes, out, ACCOUNTS_ADDRESS_MAX - 4) == NULL) return;
    const char *suffix = family == AF_INET ? "/24" : "/48";
    memcpy(out + strlen(out), suffix, 4);
}
