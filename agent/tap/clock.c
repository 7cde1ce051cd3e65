/* Both clocks at one moment, and addresses as text. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tap.h"

#define SECOND_NS INT64_C(1000000000)

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* Both clocks at one moment: read again where we were interrupted between them. */
struct tap_time tap_now(void) {
    struct tap_time now;
    for (int tries = 0; tries < 5; tries++) {
        now.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
        now.real_ns = clock_ns(CLOCK_REALTIME);
        if (clock_ns(CLOCK_MONOTONIC) - now.monotonic_ns < 20000) break;
    }
    return now;
}

/* That moment of a little while ago on both clocks; now, where it cannot be one (0: not known). */
struct tap_time tap_time_of(int64_t real_ns) {
    struct tap_time now = tap_now();
    int64_t ago_ns = now.real_ns - real_ns;
    if (ago_ns < 0 || ago_ns > 60 * SECOND_NS) return now;
    return (struct tap_time){real_ns, now.monotonic_ns - ago_ns};
}

void tap_address_text(const struct tap_address *address, char text[TAP_ADDRESS_TEXT]) {
    char ip[INET6_ADDRSTRLEN];
    *text = 0;
    if (address->family == 4 && inet_ntop(AF_INET, address->ip, ip, sizeof ip))
        snprintf(text, TAP_ADDRESS_TEXT, "%s:%u", ip, address->port);
    else if (address->family == 6 && inet_ntop(AF_INET6, address->ip, ip, sizeof ip))
        snprintf(text, TAP_ADDRESS_TEXT, "[%s]:%u", ip, address->port);
}

bool tap_same_host(const struct tap_address *a, const struct tap_address *b) {
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool tap_same_address(const struct tap_address *a, const struct tap_address *b) {
    return tap_same_host(a, b) && a->port == b->port;
}
