/* What this library is. */
#include "kernel.h"

const char trace_sources[] = TRACE_SOURCES;
const uint32_t trace_sizes[] = {
    sizeof(struct record),       sizeof(struct packet),     sizeof(struct odd),
    sizeof(struct rtp_sequence), sizeof(struct rtp_jitter), sizeof(struct flow),
    sizeof(struct event),        sizeof(struct open_event), sizeof(struct rtp_hole),
    sizeof(struct pcap_format),  sizeof(struct walked),     sizeof(struct found),
    sizeof(struct meanings),     sizeof(struct rtp_holes),  sizeof(struct table),
};
