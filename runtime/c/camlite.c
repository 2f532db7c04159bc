/* See camlite.h. Integers are multiplied as they are stored and added without rounding, so that evidence has the same
   bytes on every processor; what is computed in float is rounded after each operation, which the next lines ask for. */

#include "camlite.h"

#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

/* So many channels are worked on at a time. */
#define BLOCK 32
/* Steps of `rest` in one step of an integer weight. */
#define REST_STEPS 254

typedef union {
    int32_t i[BLOCK];
    float f[BLOCK];
} numbers;

/* --- Numbers ------------------------------------------------------------------------------------------------------ */

static size_t width_of(camlite_type type)
{
    return type == CAMLITE_FLOAT32 ? 4 : type == CAMLITE_INT16 ? 2 : 1;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static camlite_status all_finite(const float *values, uint32_t count)
{
    while (count--)
        if ((bits_of(*values++) & 0x7f800000u) == 0x7f800000u)
            return CAMLITE_NOT_FINITE;
    return CAMLITE_OK;
}

static float magnitude(float value)
{
    return value < 0 ? -value : value;
}

/* `count` numbers, `step` apart, from index `at` on; integers without their zero point. */
static void load(numbers *to, const camlite_tensor *tensor, size_t at, size_t step, uint32_t count)
{
    size_t width = width_of(tensor->type);
    const uint8_t *from = (const uint8_t *)tensor->data + at * width;
    uint32_t n;
    for (n = 0; n < count; n++, from += step * width) {
        int16_t wide;
        int32_t stored;
        if (tensor->type == CAMLITE_FLOAT32) {
            memcpy(&to->f[n], from, 4);
            continue;
        }
        stored = *(const int8_t *)from;
        if (tensor->type == CAMLITE_UINT8)
            stored = *from;
        if (tensor->type == CAMLITE_INT16) {
            memcpy(&wide, from, 2);
            stored = wide;
        }
        to->i[n] = stored - tensor->zero_point;
    }
}

/* Integers become floats where they meet floats. */
static void make_floats(numbers *of, const camlite_tensor *tensor, uint32_t count)
{
    while (tensor->type != CAMLITE_FLOAT32 && count--)
        of->f[count] = (float)of->i[count];
}

/* exp(x) of x <= 0, within 4e-7 of it. That of newlib computes in double, which these processors do in software. */
static float exponential(float x)
{
    int32_t n;
    uint32_t bits;
    float rest, power, sum = 1;
    if (x < -87.0f)
        return 0;
    n = (int32_t)(x * 1.44269504f - 0.5f); /* the nearest power of 2, and what remains of it */
    rest = x - (float)n * 0.693359375f;
    rest += (float)n * 2.12194440e-4f;
    bits = (uint32_t)(n + 127) << 23;
    memcpy(&power, &bits, sizeof power);
    for (n = 7; n; n--)
        sum = 1 + sum * rest / (float)n;
    return power * sum;
}

/* --- Whether all is as large as is said --------------------------------------------------------------------------- */

static uint32_t places_of(const camlite_artifact *artifact)
{
    return artifact->height * artifact->width;
}

/* With such a zero point, no sum below can overflow. */
static int fits(const camlite_tensor *tensor, uint64_t count)
{
    return count * width_of(tensor->type) == tensor->bytes && (uint32_t)tensor->zero_point + 32768 < 65536;
}

static camlite_status verify(const camlite_artifact *artifact)
{
    const camlite_weights *weights = &artifact->weights;
    uint64_t all = (uint64_t)artifact->channels * artifact->classes;
    if ((uint64_t)artifact->height * artifact->width - 1 >= CAMLITE_MOST_PLACES ||
        artifact->channels - 1 >= CAMLITE_MOST_CHANNELS || artifact->classes - 1 >= CAMLITE_MOST_CLASSES ||
        artifact->bias_count != artifact->classes ||
        (weights->rest && (weights->rest_bytes != all || weights->stored.type == CAMLITE_FLOAT32)) ||
        (weights->scales && weights->scales_bytes != (uint64_t)4 * artifact->classes) ||
        (weights->per_place && (weights->rest || weights->classes_first)) ||
        !fits(&weights->stored, weights->per_place ? all * places_of(artifact) : all))
        return CAMLITE_BAD_ARTIFACT;
    return CAMLITE_OK;
}

/* Features or scores, or both; the other is NULL. */
static camlite_status verify_with(const camlite_artifact *artifact, const camlite_tensor *features,
                                  const camlite_tensor *scores)
{
    camlite_status status = verify(artifact);
    if (!status && ((features && !fits(features, (uint64_t)places_of(artifact) * artifact->channels)) ||
                    (scores && !fits(scores, artifact->classes))))
        status = CAMLITE_BAD_TENSOR;
    return status;
}

/* --- Evidence ----------------------------------------------------------------------------------------------------- */

/* `count` channels from `channel` on, of one place. */
static void load_features(numbers *to, const camlite_artifact *artifact, const camlite_tensor *features, uint32_t place,
                          uint32_t channel, uint32_t count)
{
    size_t step = 1, at = (size_t)place * artifact->channels;
    if (artifact->channels_first) {
        step = places_of(artifact);
        at = place;
    }
    load(to, features, at + channel * step, step, count);
}

/* Class weights of class k at a place. */
static void load_weights(numbers *to, const camlite_artifact *artifact, uint32_t k, uint32_t place, uint32_t channel,
                         uint32_t count)
{
    const camlite_weights *weights = &artifact->weights;
    size_t step = artifact->classes, at = k;
    const int8_t *rest = weights->rest + channel * step + k;
    if (weights->per_place)
        at += (size_t)place * artifact->channels * step;
    if (weights->classes_first) {
        step = 1;
        at = (size_t)k * artifact->channels;
    }
    load(to, &weights->stored, at + channel * step, step, count);
    for (step = 0; weights->rest && step < count; step++, rest += artifact->classes)
        to->i[step] = REST_STEPS * to->i[step] + *rest;
}

/* What stored features times stored weights of class k are to be multiplied with. */
static float unit_of(const camlite_artifact *artifact, const camlite_tensor *features, uint32_t k)
{
    const camlite_weights *weights = &artifact->weights;
    float unit = weights->stored.scale, scale;
    if (weights->scales) {
        memcpy(&scale, (const uint8_t *)weights->scales + 4 * (size_t)k, sizeof scale);
        unit *= scale;
    }
    if (weights->rest)
        unit /= REST_STEPS;
    return features->scale != 0 ? unit * features->scale : unit;
}

/* Adds what features say for classes `from` to `end`: by place to map[place], of the one class that it is then; or to
   sums[k]. Where class weights are the same at every place, features are added up before they are multiplied: C * K
   products instead of h * w * C * K. */
static void add_evidence(const camlite_artifact *artifact, const camlite_tensor *features, uint32_t from, uint32_t end,
                         float sign, float *map, float *sums)
{
    const camlite_tensor *stored = &artifact->weights.stored;
    int per_place = artifact->weights.per_place, added_up = !map && !per_place;
    int in_float = stored->type == CAMLITE_FLOAT32 || features->type == CAMLITE_FLOAT32;
    numbers some, one, weights;
    float unit = 0;
    uint32_t channel, count, place, n, k;
    for (channel = 0; channel < artifact->channels; channel += count) {
        count = artifact->channels - channel < BLOCK ? artifact->channels - channel : BLOCK;
        for (place = 0; place < places_of(artifact); place++) {
            load_features(added_up && place ? &one : &some, artifact, features, place, channel, count);
            for (n = 0; added_up && place && n < count; n++)
                if (features->type == CAMLITE_FLOAT32)
                    some.f[n] += one.f[n];
                else
                    some.i[n] += one.i[n];
            if (added_up && place + 1 < places_of(artifact))
                continue;
            if (in_float)
                make_floats(&some, features, count);
            for (k = from; k < end; k++) {
                int64_t whole = 0;
                float real = 0;
                if (!map || per_place || place == 0) {
                    load_weights(&weights, artifact, k, place, channel, count);
                    if (in_float)
                        make_floats(&weights, stored, count);
                    unit = sign * unit_of(artifact, features, k);
                }
                for (n = 0; n < count; n++)
                    if (in_float)
                        real += some.f[n] * weights.f[n];
                    else
                        whole += (int64_t)some.i[n] * weights.i[n]; /* 2^30 * 2^24 * 32 at the most */
                *(map ? map + place : sums + k) += unit * (in_float ? real : (float)whole);
            }
        }
    }
}

/* Evidence of class k, minus that of another class where it is another. */
static camlite_status evidence_of(const camlite_artifact *artifact, const camlite_tensor *features, uint32_t k,
                                  uint32_t against, float *map, size_t count)
{
    camlite_status status = verify_with(artifact, features, NULL);
    if (status)
        return status;
    if (k >= artifact->classes || against >= artifact->classes)
        return CAMLITE_NO_SUCH_CLASS;
    if (count < places_of(artifact))
        return CAMLITE_BAD_SIZE;
    memset(map, 0, places_of(artifact) * sizeof *map);
    add_evidence(artifact, features, k, k + 1, 1, map, NULL);
    if (against != k)
        add_evidence(artifact, features, against, against + 1, -1, map, NULL);
    return all_finite(map, places_of(artifact));
}

camlite_status camlite_evidence(const camlite_artifact *artifact, const camlite_tensor *features, uint32_t k,
                                float *map, size_t count)
{
    return evidence_of(artifact, features, k, k, map, count);
}

camlite_status camlite_contrast(const camlite_artifact *artifact, const camlite_tensor *features, uint32_t k,
                                uint32_t against, float *map, size_t count)
{
    camlite_status status = evidence_of(artifact, features, k, against, map, count);
    if (!status && k == against)
        memset(map, 0, places_of(artifact) * sizeof *map);
    return status;
}

/* --- Scores ------------------------------------------------------------------------------------------------------- */

static float score_at(const camlite_tensor *scores, uint32_t k)
{
    numbers one;
    load(&one, scores, k, 1, 1);
    make_floats(&one, scores, 1);
    return scores->scale != 0 ? one.f[0] * scores->scale : one.f[0];
}

camlite_status camlite_top(const camlite_artifact *artifact, const camlite_tensor *scores, uint32_t *top, float *score)
{
    camlite_status status = verify_with(artifact, NULL, scores);
    uint32_t k;
    for (k = 0; !status && k < artifact->classes; k++) {
        float one = score_at(scores, k);
        status = all_finite(&one, 1);
        if (k == 0 || one > *score) {
            *score = one;
            *top = k;
        }
    }
    return status;
}

/* Logits to scores, in place. */
static void activate(camlite_activation activation, float *values, uint32_t count)
{
    float most = values[0], sum = 1;
    uint32_t k;
    for (k = 1; k < count; k++)
        if (values[k] > most)
            most = values[k];
    if (activation == CAMLITE_SOFTMAX)
        sum = 0;
    for (k = 0; k < count; k++) {
        float small = exponential(activation == CAMLITE_SOFTMAX ? values[k] - most : -magnitude(values[k]));
        if (activation == CAMLITE_SOFTMAX)
            sum += small;
        else
            small = (values[k] < 0 ? small : 1) / (1 + small);
        values[k] = small;
    }
    for (k = 0; k < count; k++)
        values[k] /= sum;
}

camlite_status camlite_completeness(const camlite_artifact *artifact, const camlite_tensor *features,
                                    const camlite_tensor *scores, float *sums, size_t count, float *completeness)
{
    camlite_status status = verify_with(artifact, features, scores);
    uint32_t k;
    if (status)
        return status;
    if (count < artifact->classes)
        return CAMLITE_BAD_SIZE;
    memcpy(sums, artifact->bias, artifact->classes * sizeof *sums);
    add_evidence(artifact, features, 0, artifact->classes, 1, NULL, sums);
    status = all_finite(sums, artifact->classes);
    if (!status && artifact->activation != CAMLITE_LINEAR)
        activate(artifact->activation, sums, artifact->classes);
    *completeness = 0;
    for (k = 0; !status && k < artifact->classes; k++) {
        float difference = magnitude(sums[k] - score_at(scores, k));
        status = all_finite(&difference, 1);
        if (difference > *completeness)
            *completeness = difference;
    }
    return status;
}

/* --- Heatmap ------------------------------------------------------------------------------------------------------ */

/* A cell of a map as an integer: this is 0, and the largest magnitude is nearly 2^29 away from it. */
#define ZERO 0x40000000u
/* Bits that a heatmap's numbers have at the most when they are divided by their largest. */
#define HEAT_BITS 23

/* One axis of an image. The map covers pixels `begin` to `end`; `at` is the centre of pixel `begin`, in cells * 2^32. */
typedef struct {
    int64_t at, step;
    uint32_t begin, end, last; /* last: the map's last cell */
} axis;

/* value * 2^32, of |value| below 2^31. */
static int64_t fixed(float value)
{
    int32_t whole = (int32_t)value - (value < 0);
    return (int64_t)whole * ((int64_t)1 << 32) + ((int64_t)(uint32_t)((value - (float)whole) * 2147483648.0f) << 1);
}

/* An axis of `size` cells over `target` pixels, between these fractions of them. */
static axis axis_of(uint32_t size, uint32_t target, float start, float stop)
{
    axis made;
    float pixels = (float)target, step = (float)size / (pixels * (stop - start));
    float half = 0.5f - pixels / 4194304; /* float32 may be wrong by so much */
    float begin = start * pixels + half, end = stop * pixels + 1 - half;
    made.begin = begin > 0 ? (uint32_t)begin : 0;
    made.end = end < pixels ? (uint32_t)end : target;
    made.step = fixed(step);
    made.at = fixed(((float)made.begin + 0.5f - start * pixels) * step - 0.5f);
    made.last = size - 1;
    return made;
}

/* The cell before a centre, and how far it is to the cell behind, in 1 / 65536. */
static uint32_t cell_at(int64_t at, uint32_t last, uint32_t *share)
{
    int32_t cell = (int32_t)(at >> 32);
    *share = 0;
    if (cell < 0)
        return 0;
    if ((uint32_t)cell >= last)
        return last;
    *share = (uint32_t)at >> 16;
    return (uint32_t)cell;
}

static uint32_t between(uint32_t before, uint32_t behind, uint32_t share)
{
    return (uint32_t)(((uint64_t)before * (65536 - share) + (uint64_t)behind * share) >> 16);
}

/* A cell as an integer, without float: `most` are the bits of the largest magnitude. What is below 2^-126 is 0. */
static uint32_t integer_of(float value, uint32_t most)
{
    uint32_t bits = bits_of(value), exponent = bits >> 23 & 255, down = (most >> 23) - exponent;
    uint32_t size = !exponent || down > 28 ? 0 : ((bits & 0x7fffff) | 0x800000) << 5 >> down;
    return bits >> 31 ? ZERO - size : ZERO + size;
}

/* Without an image: the largest number of the resized map. With one: writes each number over `largest`. */
static uint32_t draw(const float *map, uint32_t most, const axis *rows, const axis *columns, uint8_t *image,
                     uint32_t width, uint32_t largest)
{
    uint32_t x, y, found = 0, down, across, left = 0, right = 0;
    int64_t row_at = rows->at;
    int scale = 0;
    while (largest >> scale >> HEAT_BITS)
        scale++;
    for (y = rows->begin; y < rows->end; y++, row_at += rows->step) {
        const float *row = map + cell_at(row_at, rows->last, &down) * (columns->last + 1);
        const float *below = down ? row + columns->last + 1 : row;
        int64_t at = columns->at;
        uint32_t known = UINT32_MAX;
        for (x = columns->begin; x < columns->end; x++, at += columns->step) {
            uint32_t cell = cell_at(at, columns->last, &across), heat;
            if (cell != known) { /* where an image is larger than its map, most pixels have their neighbour's cell */
                uint32_t next = cell < columns->last ? cell + 1 : cell;
                left = between(integer_of(row[cell], most), integer_of(below[cell], most), down);
                right = between(integer_of(row[next], most), integer_of(below[next], most), down);
                known = cell;
            }
            heat = between(left, right, across);
            heat = heat > ZERO ? heat - ZERO : 0;
            if (heat > found)
                found = heat;
            if (image)
                image[(size_t)y * width + x] =
                    (uint8_t)(((heat >> scale) * 255 + (largest >> scale) / 2) / (largest >> scale));
        }
    }
    return found;
}

static int is_span(float start, float stop)
{
    return start >= -100 && start < 1 && stop > 0 && stop <= 100 && stop - start > 5e-5f;
}

camlite_status camlite_heatmap(const camlite_artifact *artifact, const float *map, size_t count, uint8_t *image,
                               size_t bytes, uint32_t height, uint32_t width)
{
    camlite_status status = verify(artifact);
    uint32_t n, most = 0, largest;
    axis rows, columns;
    if (status)
        return status;
    if (!is_span(artifact->top, artifact->bottom) || !is_span(artifact->left, artifact->right))
        return CAMLITE_BAD_ARTIFACT;
    if (count < places_of(artifact) || height - 1 >= CAMLITE_MOST_PIXELS || width - 1 >= CAMLITE_MOST_PIXELS ||
        (uint64_t)height * width > bytes)
        return CAMLITE_BAD_SIZE;
    status = all_finite(map, places_of(artifact));
    if (status)
        return status;
    for (n = 0; n < places_of(artifact); n++)
        if (bits_of(magnitude(map[n])) > most)
            most = bits_of(magnitude(map[n]));
    rows = axis_of(artifact->height, height, artifact->top, artifact->bottom);
    columns = axis_of(artifact->width, width, artifact->left, artifact->right);
    memset(image, 0, (size_t)height * width);
    largest = draw(map, most, &rows, &columns, NULL, width, 0);
    if (largest)
        draw(map, most, &rows, &columns, image, width, largest);
    return CAMLITE_OK;
}

/* --- The self-check ----------------------------------------------------------------------------------------------- */

/* The largest difference of the evidence of the class that the original names, as a share. */
static camlite_status evidence_error(const camlite_artifact *artifact, uint32_t sample, const camlite_tensor *features,
                                     float *map, size_t count, float *error)
{
    const camlite_golden *golden = &artifact->golden;
    camlite_tensor scores = {NULL, 0, CAMLITE_FLOAT32, 0, 0};
    camlite_status status;
    uint32_t n, expected;
    float score;
    scores.data = golden->scores + (size_t)sample * artifact->classes;
    scores.bytes = (size_t)4 * artifact->classes;
    status = camlite_top(artifact, &scores, &expected, &score);
    if (!status)
        status = camlite_evidence(artifact, features, expected, map, count);
    *error = 0;
    for (n = 0; !status && n < places_of(artifact); n++) {
        float difference = magnitude(map[n] - golden->evidence[(size_t)sample * places_of(artifact) + n]);
        if (difference > *error)
            *error = difference;
    }
    *error /= golden->evidence_size;
    return status;
}

static camlite_status figures_of(const camlite_artifact *artifact, uint32_t sample, camlite_run run, void *context,
                                 float *map, size_t map_count, float *sums, size_t sums_count, float *figures)
{
    const camlite_golden *golden = &artifact->golden;
    camlite_tensor features, scores;
    camlite_status status;
    uint32_t k;
    memset(&features, 0, sizeof features);
    memset(&scores, 0, sizeof scores);
    if (run(context, (const uint8_t *)golden->inputs + sample * golden->input_bytes, golden->input_bytes, &features,
            &scores))
        return CAMLITE_RUN_FAILED;
    status = camlite_completeness(artifact, &features, &scores, sums, sums_count, &figures[CAMLITE_COMPLETENESS]);
    figures[CAMLITE_SCORE_DIFFERENCE] = 0;
    for (k = 0; !status && k < artifact->classes; k++) {
        float difference = magnitude(score_at(&scores, k) - golden->scores[(size_t)sample * artifact->classes + k]);
        if (difference > figures[CAMLITE_SCORE_DIFFERENCE])
            figures[CAMLITE_SCORE_DIFFERENCE] = difference;
    }
    return status ? status : evidence_error(artifact, sample, &features, map, map_count,
                                            &figures[CAMLITE_EVIDENCE_ERROR]);
}

camlite_status camlite_check(const camlite_artifact *artifact, camlite_run run, void *context, float *map,
                             size_t map_count, float *sums, size_t sums_count, camlite_checked *checked)
{
    uint32_t sample;
    int figure;
    float worst = -1;
    memset(checked, 0, sizeof *checked);
    if (artifact->golden.count == 0)
        return CAMLITE_NO_SAMPLES;
    for (sample = 0; sample < artifact->golden.count; sample++) {
        float figures[3];
        const float *tolerances = artifact->golden.tolerances + 3 * (size_t)sample;
        int failed = 0;
        camlite_status status =
            figures_of(artifact, sample, run, context, map, map_count, sums, sums_count, figures);
        if (status) {
            checked->sample = sample;
            return status;
        }
        for (figure = 0; figure < 3; figure++) {
            float share = figures[figure] / tolerances[figure];
            failed |= !(share <= 1);
            if (!(share <= worst)) {
                worst = share;
                checked->sample = sample;
                checked->figure = (camlite_figure)figure;
                checked->value = figures[figure];
                checked->tolerance = tolerances[figure];
            }
        }
        checked->failed += (uint32_t)failed;
    }
    if (artifact->unfit[0])
        return CAMLITE_UNFIT;
    return checked->failed ? CAMLITE_CHECK_FAILED : CAMLITE_OK;
}
