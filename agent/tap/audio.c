/* What a call received, as sound: a WAV file of 16-bit mono at 8 kHz, each packet of audio at its place in time; what
 * did not come is silence. No jitter buffer, so that nothing of an agent that is late is in it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define HEADER_BYTES 44
#define RATE_HZ 8000
#define NS_PER_SAMPLE (1000000000 / RATE_HZ)
#define STRAY_SAMPLES 16000     /* timestamps that lead so far from the time of arrival began anew */

struct tap_audio {
    int fd;
    int64_t began_ns; /* CLOCK_MONOTONIC */
    uint32_t ssrc, timestamp;
    int64_t position; /* of that timestamp */
    bool placed;
    struct tap_decoder *decoder; /* of that source, and of this codec */
    enum tap_codec codec;
    int32_t error;
};

/* A new file, readable by us alone, whose time begins at that moment; NULL with errno in `error`. */
struct tap_audio *tap_audio_new(const char *path, int64_t began_ns, int *error) {
    struct tap_audio *audio = calloc(1, sizeof *audio);
    if (audio) audio->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (!audio || audio->fd < 0) {
        *error = errno;
        free(audio);
        return NULL;
    }
    audio->began_ns = began_ns;
    return audio;
}

/* Forgets what there is; time begins at that moment. */
void tap_audio_restart(struct tap_audio *audio, int64_t began_ns) {
    if (ftruncate(audio->fd, 0) != 0) audio->error = errno;
    audio->began_ns = began_ns;
    audio->placed = false;
}

static int64_t position_at(const struct tap_audio *audio, int64_t monotonic_ns) {
    return (monotonic_ns - audio->began_ns) / NS_PER_SAMPLE;
}

/* Most codecs decode a packet by what came before it: a source, or a codec, begins with a decoder of its own. */
static struct tap_decoder *decoder_of(struct tap_audio *audio, enum tap_codec codec, uint32_t ssrc) {
    if (audio->decoder && audio->codec == codec && audio->ssrc == ssrc) return audio->decoder;
    tap_decoder_free(audio->decoder);
    audio->decoder = tap_decoder_new(codec);
    audio->codec = codec;
    return audio->decoder;
}

/* One packet of audio. */
void tap_audio_add(struct tap_audio *audio, const struct tap_formats *formats, const struct rtp_header *packet,
                   const uint8_t *bytes, int64_t monotonic_ns) {
    int16_t samples[TAP_MAX_SAMPLES];
    uint32_t ssrc = packet->ssrc, timestamp = packet->timestamp, clock_hz = formats->clock_hz[packet->payload_type];
    enum tap_codec codec = formats->codec[packet->payload_type];
    bool is_copy = audio->placed && ssrc == audio->ssrc && timestamp == audio->timestamp;
    struct tap_decoder *decoder = is_copy ? NULL : decoder_of(audio, codec, ssrc);
    if (!decoder) return;
    size_t length = tap_decode(decoder, bytes + packet->payload.offset, packet->payload.wire, samples);
    int64_t arrived = position_at(audio, monotonic_ns);
    int64_t moved = (int64_t)(int32_t)(timestamp - audio->timestamp) * RATE_HZ / clock_hz;
    int64_t position = audio->position + moved;
    bool goes_on = audio->placed && ssrc == audio->ssrc && llabs(position - arrived) <= STRAY_SAMPLES;
    if (!goes_on) position = arrived;
    if (!goes_on || position > audio->position) {
        audio->ssrc = ssrc;
        audio->timestamp = timestamp;
        audio->position = position;
        audio->placed = true;
    }
    if (position < 0) return;
    ssize_t written = (ssize_t)(length * sizeof *samples);
    if (pwrite(audio->fd, samples, (size_t)written, HEADER_BYTES + position * (off_t)sizeof *samples) != written)
        audio->error = errno ? errno : EIO;
}

static void put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

/* Ends the file at that moment: what came later is cut, what did not come until then is silence. 0, or an errno. */
int tap_audio_close(struct tap_audio *audio, int64_t until_monotonic_ns) {
    uint8_t header[HEADER_BYTES] = "RIFF    WAVEfmt \20\0\0\0\1\0\1\0\0\0\0\0\0\0\0\0\2\0\20\0data";
    int64_t samples = position_at(audio, until_monotonic_ns);
    uint32_t bytes = samples > 0 ? (uint32_t)(samples * (int64_t)sizeof(int16_t)) : 0;
    put32(header + 4, HEADER_BYTES - 8 + bytes);
    put32(header + 24, RATE_HZ);
    put32(header + 28, RATE_HZ * sizeof(int16_t));
    put32(header + 40, bytes);
    if (ftruncate(audio->fd, HEADER_BYTES + (off_t)bytes) != 0) audio->error = errno;
    if (pwrite(audio->fd, header, sizeof header, 0) != sizeof header) audio->error = errno ? errno : EIO;
    int error = audio->error;
    close(audio->fd);
    tap_decoder_free(audio->decoder);
    free(audio);
    return error;
}
