/* One SIP message while it is kept. */
#ifndef CALLTEST_MESSAGES_H
#define CALLTEST_MESSAGES_H

#include "tap.h"

struct message {
    struct tap_message shown;
    struct tap_address local, peer;
    size_t id_length;
    bool sending;    /* handed to its transport, which has not said yet whether it left: nobody reads beyond it */
    bool counted;    /* its call knows of it */
    bool leads_back; /* an INVITE that came, or an answer to one: what follows can be sent to its peer */
    char text[];     /* the message, then its Call-ID */
};

void tap_wake_reader(void);
uint64_t tap_message_saw(struct message *message, bool sending);
void tap_message_left(uint64_t number, int32_t status);
struct message *tap_message_put_off(uint64_t number, int32_t status);
void tap_message_late(struct message *message, int32_t status);

#endif
