/* What this library is. */
#include "kernel.h"

#include "types.h"

const char trace_sources[] = TRACE_SOURCES;
const uint32_t trace_sizes[] = {
    sizeof(struct record),       sizeof(struct packet),         sizeof(struct odd),
    sizeof(struct rtp_sequence), sizeof(struct rtp_jitter),     sizeof(struct flow),
    sizeof(struct rtp_event),    sizeof(struct rtp_open_event), sizeof(struct rtp_hole),
    sizeof(struct pcap_format),  sizeof(struct walked),         sizeof(struct found),
    sizeof(struct meanings),     sizeof(struct rtp_holes),      sizeof(struct table),
    sizeof(struct rtp_static_type),
};
