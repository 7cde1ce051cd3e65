/* Connections while they are there. */
#ifndef CALLTEST_CONNECTIONS_H
#define CALLTEST_CONNECTIONS_H

#include <pjsip.h>

#include "tap.h"

typedef pj_status_t (*tap_send)(pjsip_transport *, pjsip_tx_data *, const pj_sockaddr_t *, int, void *,
                                pjsip_transport_callback);

uint64_t tap_connection_number(pjsip_transport *transport);
tap_send tap_connection_send(const pjsip_transport *transport);
void tap_connection_empty_lines(pjsip_transport *transport, size_t length);
void tap_connections_install(pjsip_endpoint *endpoint, tap_send through);

#endif
