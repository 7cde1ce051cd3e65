/* A media line of a call: our adapter around SRTP (media.c), and what it sees below SRTP (below.c). */
#ifndef CALLTEST_LINE_H
#define CALLTEST_LINE_H

#include <pjsua-lib/pjsua.h>
#include <stdatomic.h>

#include "tap.h"

/* The operations of the transport below SRTP, some of them ours. */
struct below {
    pjmedia_transport_op operations; /* first: by these we are found */
    const pjmedia_transport_op *own;
    pjmedia_transport *transport;
    struct line *line;
    void *user; /* SRTP, while it is attached */
    void (*rtp)(pjmedia_tp_cb_param *param);
    void (*rtcp)(void *user, void *packet, pj_ssize_t length);
};

struct line {
    pjmedia_transport base; /* first: pjsip knows us by it */
    pjmedia_transport *slave; /* SRTP */
    pj_bool_t owns_slave;
    pjsua_call_id index;
    void *user;
    void (*rtp)(void *user, void *packet, pj_ssize_t length);
    void (*rtp2)(pjmedia_tp_cb_param *param);
    void (*rtcp)(void *user, void *packet, pj_ssize_t length);
    void (*negotiated)(pjmedia_transport *srtp, pj_status_t status); /* pjsua's */
    _Atomic(struct tap_call *) call; /* NULL while nobody asked for it; set once */
    _Atomic enum tap_keying keying;  /* that was agreed on */
    _Atomic pj_sock_t rtp_socket;
    _Atomic uint64_t tickets; /* so often it was asked what SRTP is */
    struct tap_path path;
    struct below below;
};

bool tap_below_install(struct line *line);
struct line *tap_line_of_srtp(pjmedia_transport *srtp);
void tap_below_passed(const struct line *line, const void *clear, pj_ssize_t length);
void tap_below_sends(const struct line *line, const void *clear, pj_size_t length);
void tap_below_drain(struct line *line);

#endif
