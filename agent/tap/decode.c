/* What a codec's packets sound like: 16 bits, 8 kHz, mono, for a recording. Each decoder goes through the packets of one
 * stream, in the order in which they come. What a packet has beyond MAX_SAMPLES, or a codec cannot read, is left out. */
#include <bcg729/decoder.h>
#include <gsm/gsm.h>
#include <opus/opus.h>
#include <pjmedia/alaw_ulaw.h>
#include <pjsua-lib/pjsua.h>
#include <pjsua-lib/pjsua_internal.h>
#include <speex/speex.h>
#include <speex/speex_resampler.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

#define RATE_HZ 8000
#define GSM_BYTES 33
#define GSM_SAMPLES 160
#define G729_BYTES 10
#define G729_SID_BYTES 2 /* annex B: comfort noise, the last frame of a packet */
#define G729_SAMPLES 80
#define G722_BYTES 80
#define G722_HZ 16000
#define MAX_CODED_BYTES 8192

struct tap_decoder {
    enum tap_codec codec;
    gsm gsm;
    OpusDecoder *opus;
    bcg729DecoderChannelContextStruct *g729;
    void *speex;
    SpeexBits bits;
    pjmedia_codec *g722;
    SpeexResamplerState *down; /* from 16 kHz */
};

/* --- one codec each: samples that were written to `out`, which has room for TAP_MAX_SAMPLES --- */

static size_t g711(const struct tap_decoder *decoder, const uint8_t *coded, size_t length, int16_t *out) {
    if (length > TAP_MAX_SAMPLES) length = TAP_MAX_SAMPLES;
    for (size_t i = 0; i < length; i++)
        out[i] = (int16_t)(decoder->codec == TAP_PCMU ? pjmedia_ulaw2linear(coded[i]) : pjmedia_alaw2linear(coded[i]));
    return length;
}

/* Network order: RFC 3551 §4.5.11. */
static size_t l16(const uint8_t *coded, size_t length, int16_t *out) {
    size_t count = length / 2 < TAP_MAX_SAMPLES ? length / 2 : TAP_MAX_SAMPLES;
    for (size_t i = 0; i < count; i++) out[i] = (int16_t)(coded[2 * i] << 8 | coded[2 * i + 1]);
    return count;
}

static size_t gsm_frames(struct tap_decoder *decoder, const uint8_t *coded, size_t length, int16_t *out) {
    size_t count = 0;
    gsm_frame frame;
    for (; length >= GSM_BYTES && count + GSM_SAMPLES <= TAP_MAX_SAMPLES; length -= GSM_BYTES, coded += GSM_BYTES) {
        memcpy(frame, coded, GSM_BYTES);
        if (gsm_decode(decoder->gsm, frame, out + count) != 0) return count;
        count += GSM_SAMPLES;
    }
    return count;
}

static size_t g729(struct tap_decoder *decoder, const uint8_t *coded, size_t length, int16_t *out) {
    size_t count = 0;
    while (length >= G729_SID_BYTES && count + G729_SAMPLES <= TAP_MAX_SAMPLES) {
        bool is_sid = length < G729_BYTES;
        size_t bytes = is_sid ? G729_SID_BYTES : G729_BYTES;
        bcg729Decoder(decoder->g729, coded, (uint8_t)bytes, 0, is_sid, 0, out + count);
        count += G729_SAMPLES;
        coded += bytes;
        length -= bytes;
    }
    return count;
}

static size_t speex(struct tap_decoder *decoder, const uint8_t *coded, size_t length, int16_t *out) {
    int samples = 0;
    size_t count = 0;
    speex_decoder_ctl(decoder->speex, SPEEX_GET_FRAME_SIZE, &samples);
    speex_bits_read_from(&decoder->bits, (const char *)coded, (int)length);
    while (samples > 0 && count + (size_t)samples <= TAP_MAX_SAMPLES &&
           speex_decode_int(decoder->speex, &decoder->bits, out + count) == 0)
        count += (size_t)samples;
    return count;
}

static size_t opus(struct tap_decoder *decoder, const uint8_t *coded, size_t length, int16_t *out) {
    int count = opus_decode(decoder->opus, coded, (opus_int32)length, out, TAP_MAX_SAMPLES, 0);
    return count > 0 ? (size_t)count : 0;
}

static size_t g722(struct tap_decoder *decoder, const uint8_t *coded, size_t length, int16_t *out) {
    size_t count = 0;
    for (; length >= G722_BYTES && count + G722_BYTES <= TAP_MAX_SAMPLES; length -= G722_BYTES, coded += G722_BYTES) {
        int16_t wide[2 * G722_BYTES];
        pjmedia_frame in = {.type = PJMEDIA_FRAME_TYPE_AUDIO, .buf = (void *)coded, .size = G722_BYTES};
        pjmedia_frame decoded = {.buf = wide, .size = sizeof wide};
        if (decoder->g722->op->decode(decoder->g722, &in, sizeof wide, &decoded) != PJ_SUCCESS) return count;
        spx_uint32_t from = (spx_uint32_t)(decoded.size / sizeof *wide), to = G722_BYTES;
        speex_resampler_process_int(decoder->down, 0, wide, &from, out + count, &to);
        count += to;
    }
    return count;
}

/* --- all of them --- */

static pjmedia_codec *g722_new(void) {
    pjmedia_codec_mgr *all = pjmedia_endpt_get_codec_mgr(pjsua_get_var()->med_endpt);
    const pj_str_t id = pj_str("G722/16000");
    const pjmedia_codec_info *info;
    pjmedia_codec_param param;
    pjmedia_codec *codec;
    unsigned count = 1;
    if (pjmedia_codec_mgr_find_codecs_by_id(all, &id, &count, &info, NULL) != PJ_SUCCESS ||
        pjmedia_codec_mgr_get_default_param(all, info, &param) != PJ_SUCCESS ||
        pjmedia_codec_mgr_alloc_codec(all, info, &codec) != PJ_SUCCESS)
        return NULL;
    param.setting.vad = param.setting.plc = 0;
    if (codec->op->init(codec, NULL) == PJ_SUCCESS && codec->op->open(codec, &param) == PJ_SUCCESS) return codec;
    pjmedia_codec_mgr_dealloc_codec(all, codec);
    return NULL;
}

static bool begin(struct tap_decoder *made) {
    int error;
    switch (made->codec) {
    case TAP_PCMU: case TAP_PCMA: case TAP_L16: return true;
    case TAP_GSM: return (made->gsm = gsm_create()) != NULL;
    case TAP_OPUS: return (made->opus = opus_decoder_create(RATE_HZ, 1, &error)) != NULL;
    case TAP_G729: return (made->g729 = initBcg729DecoderChannel()) != NULL;
    case TAP_SPEEX:
        speex_bits_init(&made->bits);
        return (made->speex = speex_decoder_init(speex_lib_get_mode(SPEEX_MODEID_NB))) != NULL;
    case TAP_G722:
        made->down = speex_resampler_init(1, G722_HZ, RATE_HZ, SPEEX_RESAMPLER_QUALITY_DEFAULT, &error);
        return made->down && (made->g722 = g722_new()) != NULL;
    default: return false;
    }
}

/* NULL: of that codec, or of that clock, nothing can be heard; or there is no memory. */
struct tap_decoder *tap_decoder_new(enum tap_codec codec) {
    struct tap_decoder *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    made->codec = codec;
    if (begin(made)) return made;
    tap_decoder_free(made);
    return NULL;
}

/* Samples of a payload. */
size_t tap_decode(struct tap_decoder *decoder, const uint8_t *coded, size_t length, int16_t out[TAP_MAX_SAMPLES]) {
    if (length > MAX_CODED_BYTES) length = MAX_CODED_BYTES;
    switch (decoder->codec) {
    case TAP_PCMU: case TAP_PCMA: return g711(decoder, coded, length, out);
    case TAP_L16: return l16(coded, length, out);
    case TAP_GSM: return gsm_frames(decoder, coded, length, out);
    case TAP_OPUS: return opus(decoder, coded, length, out);
    case TAP_G729: return g729(decoder, coded, length, out);
    case TAP_SPEEX: return speex(decoder, coded, length, out);
    case TAP_G722: return g722(decoder, coded, length, out);
    default: return 0;
    }
}

void tap_decoder_free(struct tap_decoder *decoder) {
    if (!decoder) return;
    if (decoder->gsm) gsm_destroy(decoder->gsm);
    if (decoder->opus) opus_decoder_destroy(decoder->opus);
    if (decoder->g729) closeBcg729DecoderChannel(decoder->g729);
    if (decoder->speex) speex_decoder_destroy(decoder->speex);
    if (decoder->codec == TAP_SPEEX) speex_bits_destroy(&decoder->bits);
    if (decoder->down) speex_resampler_destroy(decoder->down);
    if (decoder->g722) {
        decoder->g722->op->close(decoder->g722);
        pjmedia_codec_mgr_dealloc_codec(pjmedia_endpt_get_codec_mgr(pjsua_get_var()->med_endpt), decoder->g722);
    }
    free(decoder);
}
