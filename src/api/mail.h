/* SPDX-License-Identifier: Apache-2.0
 * The few letters this server writes: invitations and password resets, handed to an SMTP server by one thread of its
 * own. A letter that cannot be delivered to that server is logged (never its link) and dropped: the administrator still
 * has the link, and whoever forgot a password asks again. Every function takes NULL for "no mail" and answers false. */
#ifndef FF_API_MAIL_H
#define FF_API_MAIL_H

#include "accounts/accounts.h"

struct mail_options {
    struct accounts *accounts;
    const char *smtp_url; /* smtp://[USER:PASSWORD@]HOST[:PORT] or smtps://; copied, never logged */
    const char *from;     /* the address that letters come from; copied */
};
struct mail;
/* NULL without smtp_url. */
struct mail *mail_new(const struct mail_options *options);
/* Sends what waits, then frees. */
void mail_free(struct mail *m);

/* true: the letter is on its way to the thread; false: no mail, or too many wait already. */
bool mail_send_invitation(struct mail *m, const char *to, const char *link);
bool mail_send_reset(struct mail *m, const char *to, const char *link);
/* Makes the reset link for this e-mail on the mail thread, if there is such a person and the throttle allows it, and
 * sends it. address: of the client. */
bool mail_reset(struct mail *m, struct span email, const char *address, const char *public_url);

#endif
