/* SPDX-License-Identifier: Apache-2.0
 * The reference of the ingest benchmark: the same src/http, which answers 200 to everything and throws bodies away.
 * Prints "listening on PORT". Ends with SIGTERM. */
#include "http/server.h"

#include <signal.h>
#include <stdio.h>

static void answer(void *ctx, struct http_request *r)
{
    (void)ctx;
    static const struct http_header cors = {{"Access-Control-Allow-Origin", 27}, {"*", 1}};
    http_reply(r, &(struct http_reply){.status = 200, .headers = &cors, .header_count = 1});
}

int main(void)
{
    char why[512];
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    struct http_config config = {.listen = "127.0.0.1:0", .limits = http_limits_default(), .handler = answer};
    struct http_server *server = http_server_start(&config, why);
    if (server == NULL) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    printf("listening on %u\n", http_server_port(server));
    (void)fflush(stdout);
    int signal = 0;
    (void)sigwait(&signals, &signal);
    http_server_stop(server, 1000);
    return 0;
}
