/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/world.h"

#include <math.h>

const struct sim_rendition sim_renditions[SIM_RENDITIONS] = {
    {400000, 426, 240, 30, "240p", "avc1.640015"},        {900000, 640, 360, 30, "360p", "avc1.64001e"},
    {2000000, 960, 540, 30, "540p", "avc1.64001f"},       {3800000, 1280, 720, 29.97, "720p", "avc1.640020"},
    {6500000, 1920, 1080, 29.97, "1080p", "avc1.640028"},
};

const struct sim_title sim_titles[30] = {
    {"ep-101", "The Lighthouse Keeper", "Harbour Lights", "episode", "en", "Northside", 2640000, 30},
    {"ep-102", "Low Tide", "Harbour Lights", "episode", "en", "Northside", 2580000, 24},
    {"ep-103", "The Long Fog", "Harbour Lights", "episode", "en", "Northside", 2700000, 20},
    {"ep-104", "Signals", "Harbour Lights", "episode", "en", "Northside", 2610000, 18},
    {"ep-201", "First Snow", "Valley Road", "episode", "de", "Bergfilm", 1560000, 16},
    {"ep-202", "The Ferryman", "Valley Road", "episode", "de", "Bergfilm", 1500000, 14},
    {"ep-203", "Market Day", "Valley Road", "episode", "de", "Bergfilm", 1530000, 12},
    {"mv-001", "A Map of the Rain", NULL, "movie", "en", "Lantern", 6780000, 14},
    {"mv-002", "Nine Bridges", NULL, "movie", "fr", "Lantern", 7020000, 11},
    {"mv-003", "The Clockmaker's Apprentice", NULL, "movie", "en", "Lantern", 5940000, 9},
    {"mv-004", "\xC3\x89t\xC3\xA9 sans fin", NULL, "movie", "fr", "Lantern", 6120000, 7},
    {"mv-005", "\xE6\xB5\xB7\xE3\x81\xAE\xE5\xA3\xB0", NULL, "movie", "ja", "Lantern", 6600000, 6},
    {"tr-001", "A Map of the Rain: trailer", NULL, "trailer", "en", "Lantern", 92000, 22},
    {"tr-002", "Nine Bridges: trailer", NULL, "trailer", "fr", "Lantern", 88000, 15},
    {"cl-001", "How bread is made", "Short and Sweet", "clip", "en", "Kiln", 186000, 26},
    {"cl-002", "How glass is blown", "Short and Sweet", "clip", "en", "Kiln", 204000, 21},
    {"cl-003", "How bells are cast", "Short and Sweet", "clip", "en", "Kiln", 171000, 17},
    {"cl-004", "How paper is folded", "Short and Sweet", "clip", "en", "Kiln", 143000, 13},
    {"cl-005", "How \"silence\" is recorded", "Short and Sweet", "clip", "en", "Kiln", 158000, 9},
    {"le-001", "Algebra from the start, 1", "Open Lectures", "episode", "en", "Campus", 3120000, 8},
    {"le-002", "Algebra from the start, 2", "Open Lectures", "episode", "en", "Campus", 3060000, 6},
    {"le-003", "Soil and water", "Open Lectures", "episode", "en", "Campus", 2940000, 5},
    {"nw-001", "Evening report", "Reports", "short", "es", "Plaza", 612000, 10},
    {"nw-002", "Morning report", "Reports", "short", "es", "Plaza", 598000, 8},
    {"sh-001", "Cat, box", NULL, "short", NULL, NULL, 31000, 20},
    {"sh-002", "Dog, snow", NULL, "short", NULL, NULL, 27000, 16},
    {"lv-001", "Channel One", "Live channels", "event", "en", "Northside", 0, 22},
    {"lv-002", "Channel Two", "Live channels", "event", "de", "Northside", 0, 12},
    {"lv-003", "Stadium feed", "Live channels", "event", "en", "Arena", 0, 9},
    {"lv-004", "Parliament live", "Live channels", "event", "fr", "Plaza", 0, 4},
};

const struct sim_player sim_players[6] = {
    {"Web Player", "HTML5 Video Element", NULL, NULL, "VideoElementMonitor", "5.19.0", "5.19.0", "video/mp4", "mp4", 22,
     false, false, false, false},
    {"Web Player HLS", "HTML5 Video Element", NULL, NULL, "VideoElementMonitor", "5.19.0", "5.19.0",
     "application/x-mpegurl", "m3u8", 38, true, true, false, false},
    {"Web Player DASH", "HTML5 Video Element", NULL, NULL, "VideoElementMonitor", "5.19.0", "5.19.0",
     "application/dash+xml", "mpd", 14, false, true, false, false},
    {"Embed", "mux-player", "mux-player", "3.14.0", "mux-player", "3.14.0", "5.18.1", "application/x-mpegurl", "m3u8",
     14, true, true, false, true},
    {"Classic", "Video.js", "Video.js", "8.23.4", "videojs-mux", "4.21.28", "5.18.0", "application/x-mpegurl", "m3u8",
     8, true, true, false, false},
    {"Studio", "Shaka Player", "Shaka Player", "4.16.2", "shaka-player-mux", "5.14.10", "5.11.0",
     "application/dash+xml", "mpd", 4, true, true, true, false},
};

const struct sim_agent sim_agents[16] = {
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
     "Chrome", "Windows", "desktop", 1280, 720, 26, true},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
     "Safari/537.36",
     "Chrome", "Mac OS X", "desktop", 1120, 630, 14, true},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0", "Firefox", "Windows",
     "desktop", 960, 540, 6, true},
    {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox", "Linux", "desktop", 854, 480,
     3, true},
    {"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
     "Safari/605.1.15",
     "Safari", "Mac OS X", "desktop", 1120, 630, 9, true},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 "
     "Edg/141.0.0.0",
     "Edge", "Windows", "desktop", 1280, 720, 8, true},
    {"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
     "Mobile/15E148 Safari/604.1",
     "Mobile Safari", "iOS", "phone", 393, 221, 18, false},
    {"Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 "
     "Mobile/15E148 Safari/604.1",
     "Mobile Safari", "iOS", "tablet", 820, 461, 5, false},
    {"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
     "Chrome Mobile", "Android", "phone", 412, 232, 16, false},
    {"Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 "
     "Chrome/130.0.0.0 Mobile Safari/537.36",
     "Samsung Internet", "Android", "phone", 412, 232, 5, false},
    {"Mozilla/5.0 (Linux; Android 13; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
     "Chrome", "Android", "tablet", 800, 450, 2, false},
    {"Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) 76.0.3809.146/6.0 TV "
     "Safari/537.36",
     NULL, "Tizen", "tv", 1920, 1080, 6, false},
    {"Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/87.0.4280.88 Safari/537.36 "
     "WebAppManager",
     NULL, NULL, "tv", 1920, 1080, 4, false},
    {"Mozilla/5.0 (PlayStation; PlayStation 5/8.00) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.4 "
     "Safari/605.1.15",
     NULL, NULL, "console", 1920, 1080, 2, false},
    {"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
     "Chrome", "Chrome OS", NULL, 1024, 576, 2, true},
    {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 "
     "OPR/124.0.0.0",
     "Opera", "Windows", "desktop", 960, 540, 2, true},
};

const struct sim_place sim_places[15] = {
    {"US", {73, 162}, 30, 0.9, -6}, {"DE", {84, 128}, 14, 0.95, 1}, {"GB", {86, 128}, 11, 0.95, 0},
    {"FR", {90, 3}, 8, 1.0, 1},     {"BR", {177, 32}, 8, 1.5, -3},  {"IN", {49, 36}, 9, 1.7, 5.5},
    {"JP", {126, 72}, 6, 0.8, 9},   {"AU", {1, 128}, 4, 1.25, 10},  {"CA", {24, 48}, 5, 0.95, -5},
    {"NL", {84, 24}, 4, 0.8, 1},    {"ES", {83, 32}, 4, 1.1, 1},    {"IT", {79, 0}, 4, 1.15, 1},
    {"SE", {81, 224}, 3, 0.8, 1},   {"MX", {187, 128}, 3, 1.4, -6}, {"ZA", {105, 224}, 2, 1.6, 2},
};

const struct sim_cdn sim_cdns[4] = {
    {"edgeline", "fra2", "eu-central", 46, 0.9},
    {"northcast", "sea1", "us-west", 30, 1.05},
    {"skypop", "gru4", "sa-east", 16, 1.2},
    {"origin-direct", NULL, "us-east", 8, 1.6},
};

const struct sim_fault_text sim_errors[6] = {
    {0, "networkError", "fragLoadError",
     "url: https://media.example.com/seg/00042.ts\nresponse: 503, Service Unavailable\nlevel: 2", false, 6},
    {0, "networkError", "manifestLoadError", "url: https://media.example.com/master.m3u8\nresponse: 404, Not Found",
     false, 4},
    {2, NULL, "MEDIA_ERR_NETWORK", NULL, false, 4},
    {3, NULL, "MEDIA_ERR_DECODE", "PIPELINE_ERROR_DECODE: video decode error!", false, 3},
    {4, NULL, "MEDIA_ERR_SRC_NOT_SUPPORTED", NULL, false, 4},
    {6001, NULL, "RESTRICTED_PLATFORM", "{\"system\":\"com.widevine.alpha\"}", false, 2},
};

const struct sim_fault_text sim_refusals[2] = {
    {402, NULL, "subscription expired", NULL, true, 3},
    {0, "GEO_BLOCKED", "not available in your region", "policy: eu-only", true, 1},
};

/* A bump around centre, repeating every 24 hours. */
static double bump(double hour, double centre, double width)
{
    double away = fabs(remainder(hour - centre, 24.0)) / width;
    return exp(-0.5 * away * away);
}

double sim_rhythm(double local_hour)
{
    double busy = 0.12 + 0.25 * bump(local_hour, 12.5, 2.0) + 0.88 * bump(local_hour, 20.5, 2.8);
    return busy < 1 ? busy : 1;
}
