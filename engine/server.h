/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's clients: one thread a connection, a bounded number of them. */
#ifndef ENGINE_SERVER_H
#define ENGINE_SERVER_H

#include "pool.h"

struct server;

struct server *server_new(struct pool *pool, size_t clients_max) MUST_USE;

/* Takes the socket over: serves it on a thread of its own, or turns it away when there are too
 * many. */
void server_accept(struct server *s, int fd);

/* No request is begun any more. Those under way get `grace_ms` to end, then their statements are
 * killed. False when some would not end even then, in which case nothing may be freed or closed. */
bool server_stop(struct server *s, int grace_ms) MUST_USE;

void server_free(struct server *s);

#endif
