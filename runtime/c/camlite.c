/* See camlite.h. Integers are multiplied as they are stored and added without rounding, so that evidence has the same
   bytes on every processor; what is computed in float is rounded after each operation, which the next lines ask for. */

#include "camlite.h"

#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

/* What is compiled; an artifact that needs more is refused. `camlite to-c` leaves out what its artifact does not need. */
#ifndef CAMLITE_WITH_FLOAT32 /* features, scores or class weights of float32 */
#define CAMLITE_WITH_FLOAT32 1
#endif
#ifndef CAMLITE_WITH_INT16 /* features or scores of int16 */
#define CAMLITE_WITH_INT16 1
#endif
#ifndef CAMLITE_WITH_UINT8
#define CAMLITE_WITH_UINT8 1
#endif
#ifndef CAMLITE_WITH_PLACES /* class weights that differ from place to place */
#define CAMLITE_WITH_PLACES 1
#endif
#ifndef CAMLITE_WITH_REST /* what rounding took from class weights */
#define CAMLITE_WITH_REST 1
#endif
#ifndef CAMLITE_WITH_SCALES /* a scale for each class */
#define CAMLITE_WITH_SCALES 1
#endif
#ifndef CAMLITE_WITH_LAYOUTS /* features (C, h, w), class weights (C, K) as well as (K, C) */
#define CAMLITE_WITH_LAYOUTS 1
#endif
#ifndef CAMLITE_WITH_WINDOW /* features that do not lie over just the model's input */
#define CAMLITE_WITH_WINDOW 1
#endif
#ifndef CAMLITE_WITH_SIGMOID
#define CAMLITE_WITH_SIGMOID 1
#endif
#ifndef CAMLITE_WITH_SOFTMAX
#define CAMLITE_WITH_SOFTMAX 1
#endif

/* Not copied to where it is called: with -Os, the code is smaller so. */
#if defined(__GNUC__)
#define CALLED __attribute__((noinline))
#else
#define CALLED
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

static int is_float(const camlite_tensor *tensor)
{
    return CAMLITE_WITH_FLOAT32 && tensor->type == CAMLITE_FLOAT32;
}

static int is_int16(const camlite_tensor *tensor)
{
    return CAMLITE_WITH_INT16 && tensor->type == CAMLITE_INT16;
}

static size_t width_of(const camlite_tensor *tensor)
{
    return is_float(tensor) ? 4 : is_int16(tensor) ? 2 : 1;
}

/* The bits of the larger magnitude, of bits and of a number. Magnitudes are in the order of their bits; those of infinity
   and NaN come last. */
static uint32_t larger(uint32_t most, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits &= 0x7fffffff;
    return bits > most ? bits : most;
}

static uint32_t largest_of(const float *values, uint32_t count)
{
    uint32_t most = 0;
    while (count--)
        most = larger(most, *values++);
    return most;
}

static camlite_status all_finite(uint32_t most)
{
    return most < 0x7f800000 ? CAMLITE_OK : CAMLITE_NOT_FINITE;
}

/* Adds `count` numbers, `step` apart, from index `at` on; integers without their zero point. */
static void add(numbers *to, const camlite_tensor *tensor, size_t at, size_t step, uint32_t count)
{
    size_t width = width_of(tensor);
    const uint8_t *from = (const uint8_t *)tensor->data + at * width;
    uint32_t n;
    for (n = 0; n < count; n++, from += step * width) {
        int32_t stored = *from;
        if (is_float(tensor)) {
            float real;
            memcpy(&real, from, sizeof real);
            to->f[n] += real;
            continue;
        }
        if (is_int16(tensor)) {
            int16_t wide;
            memcpy(&wide, from, sizeof wide);
            stored = wide;
        } else if (!CAMLITE_WITH_UINT8 || tensor->type != CAMLITE_UINT8)
            stored = (int8_t)stored;
        to->i[n] += stored - tensor->zero_point;
    }
}

static float real_of(const numbers *some, uint32_t n, const camlite_tensor *tensor)
{
    return is_float(tensor) ? some->f[n] : (float)some->i[n];
}

/* --- Whether all is as large as is said --------------------------------------------------------------------------- */

static uint32_t places_of(const camlite_artifact *artifact)
{
    return artifact->height * artifact->width;
}

static int has_rest(const camlite_artifact *artifact)
{
    return CAMLITE_WITH_REST && artifact->weights.rest;
}

static int has_scales(const camlite_artifact *artifact)
{
    return CAMLITE_WITH_SCALES && artifact->weights.scales;
}

static int is_per_place(const camlite_artifact *artifact)
{
    return CAMLITE_WITH_PLACES && artifact->weights.per_place;
}

/* The one way in which these processors mostly have them: features (h, w, C), class weights (K, C). */
static int is_usual(const camlite_artifact *artifact)
{
    return !artifact->channels_first && artifact->weights.classes_first;
}

/* With such a zero point, no sum below can overflow. */
static int fits(const camlite_tensor *tensor, uint32_t rows, uint32_t columns)
{
    const unsigned known = 1u << CAMLITE_INT8 | CAMLITE_WITH_UINT8 << CAMLITE_UINT8 |
                           CAMLITE_WITH_INT16 << CAMLITE_INT16 | CAMLITE_WITH_FLOAT32 << CAMLITE_FLOAT32;
    return (unsigned)tensor->type <= CAMLITE_FLOAT32 && known >> tensor->type & 1 &&
           (uint64_t)rows * columns * width_of(tensor) == tensor->bytes && (uint32_t)tensor->zero_point + 32768 < 65536;
}

/* The artifact, and where there are outputs, they as well. */
static camlite_status verify(const camlite_artifact *artifact, const camlite_outputs *outputs)
{
    const camlite_weights *weights = &artifact->weights;
    uint64_t places = (uint64_t)artifact->height * artifact->width;
    uint64_t all = (uint64_t)artifact->channels * artifact->classes;
    if (places - 1 >= CAMLITE_MOST_PLACES || artifact->channels - 1 >= CAMLITE_MOST_CHANNELS ||
        artifact->classes - 1 >= CAMLITE_MOST_CLASSES || artifact->bias_count != artifact->classes ||
        (weights->rest && (!CAMLITE_WITH_REST || weights->rest_bytes != all || is_float(&weights->stored))) ||
        (weights->scales && (!CAMLITE_WITH_SCALES || weights->scales_bytes != (uint64_t)4 * artifact->classes)) ||
        (weights->per_place && (!CAMLITE_WITH_PLACES || weights->rest || weights->classes_first)) ||
        (!CAMLITE_WITH_LAYOUTS && !is_usual(artifact)) ||
        (!CAMLITE_WITH_SIGMOID && artifact->activation == CAMLITE_SIGMOID) ||
        (!CAMLITE_WITH_SOFTMAX && artifact->activation == CAMLITE_SOFTMAX) ||
        !fits(&weights->stored, (is_per_place(artifact) ? (uint32_t)places : 1) * artifact->channels, artifact->classes))
        return CAMLITE_BAD_ARTIFACT;
    if (outputs &&
        !(fits(&outputs->features, (uint32_t)places, artifact->channels) && fits(&outputs->scores, artifact->classes, 1)))
        return CAMLITE_BAD_TENSOR;
    return CAMLITE_OK;
}

/* --- Evidence ----------------------------------------------------------------------------------------------------- */

/* What stored features times stored weights of class k are to be multiplied with. */
static float unit_of(const camlite_artifact *artifact, const camlite_tensor *features, uint32_t k)
{
    float unit = artifact->weights.stored.scale, scale;
    if (has_scales(artifact)) {
        memcpy(&scale, (const uint8_t *)artifact->weights.scales + 4 * (size_t)k, sizeof scale);
        unit *= scale;
    }
    if (has_rest(artifact))
        unit /= REST_STEPS;
    return features->scale != 0 ? unit * features->scale : unit;
}

/* `count` class weights of class k at a place. */
static CALLED void load_weights(numbers *to, const camlite_artifact *artifact, uint32_t k, uint32_t place, uint32_t channel,
                         uint32_t count)
{
    const camlite_weights *weights = &artifact->weights;
    size_t at = (size_t)k * artifact->channels + channel, step = 1, classes = artifact->classes;
    uint32_t n;
    if (CAMLITE_WITH_LAYOUTS && !weights->classes_first) {
        at = ((is_per_place(artifact) ? (size_t)place * artifact->channels : 0) + channel) * classes + k;
        step = classes;
    }
    memset(to, 0, count * 4);
    add(to, &weights->stored, at, step, count);
    for (n = 0; has_rest(artifact) && n < count; n++)
        to->i[n] = REST_STEPS * to->i[n] + weights->rest[(channel + n) * classes + k];
}

/* Adds what features say for class k to each place of a map; or, where `end` is not 0, what they say for the classes
   from k to `end` to the sum of each. Where class weights are the same at every place, features are then added up before
   they are multiplied: C * K products instead of h * w * C * K. */
static void add_evidence(const camlite_artifact *artifact, const camlite_tensor *features, uint32_t k, uint32_t end,
                         float sign, float *out)
{
    uint32_t places = places_of(artifact), channels = artifact->channels;
    uint32_t from = k, channel, count, place, n;
    int by_place = end == 0, added_up = end && !is_per_place(artifact);
    int in_float = is_float(features) || is_float(&artifact->weights.stored);
    numbers some, weights;
    float unit = 0;
    if (by_place)
        end = k + 1;
    for (channel = 0; channel < channels; channel += count) {
        count = channels - channel < BLOCK ? channels - channel : BLOCK;
        for (place = 0; place < places; place++) {
            if (!added_up || place == 0)
                memset(&some, 0, count * 4);
            if (CAMLITE_WITH_LAYOUTS && artifact->channels_first)
                add(&some, features, (size_t)channel * places + place, places, count);
            else
                add(&some, features, (size_t)place * channels + channel, 1, count);
            if (added_up && place + 1 < places)
                continue;
            for (k = from; k < end; k++) {
                int64_t whole = 0;
                float real = 0;
                if (!by_place || is_per_place(artifact) || place == 0) {
                    load_weights(&weights, artifact, k, place, channel, count);
                    unit = sign * unit_of(artifact, features, k);
                }
                for (n = 0; n < count; n++)
                    if (in_float)
                        real += real_of(&some, n, features) * real_of(&weights, n, &artifact->weights.stored);
                    else
                        whole += (int64_t)some.i[n] * weights.i[n]; /* 2^30 * 2^24 * 32 at the most */
                out[by_place ? place : k] += unit * (in_float ? real : (float)whole);
            }
        }
    }
}

camlite_status camlite_contrast(const camlite_artifact *artifact, const camlite_outputs *outputs, uint32_t k,
                                uint32_t against, float *map, size_t count)
{
    camlite_status status = camlite_evidence(artifact, outputs, k, map, count);
    if (!status && against >= artifact->classes)
        status = CAMLITE_NO_SUCH_CLASS;
    if (status)
        return status;
    add_evidence(artifact, &outputs->features, against, 0, -1, map);
    return all_finite(largest_of(map, places_of(artifact)));
}

camlite_status camlite_evidence(const camlite_artifact *artifact, const camlite_outputs *outputs, uint32_t k,
                                float *map, size_t count)
{
    camlite_status status = verify(artifact, outputs);
    if (status)
        return status;
    if (k >= artifact->classes)
        return CAMLITE_NO_SUCH_CLASS;
    if (count < places_of(artifact))
        return CAMLITE_BAD_SIZE;
    memset(map, 0, places_of(artifact) * sizeof *map);
    add_evidence(artifact, &outputs->features, k, 0, 1, map);
    return all_finite(largest_of(map, places_of(artifact)));
}

/* --- Scores ------------------------------------------------------------------------------------------------------- */

static float score_at(const camlite_tensor *scores, uint32_t k)
{
    numbers one;
    float real;
    one.i[0] = 0;
    add(&one, scores, k, 1, 1);
    real = real_of(&one, 0, scores);
    return scores->scale != 0 ? real * scores->scale : real;
}

camlite_status camlite_top(const camlite_artifact *artifact, const camlite_outputs *outputs, uint32_t *top,
                           float *score)
{
    camlite_status status = verify(artifact, outputs);
    uint32_t k, most = 0;
    for (k = 0; !status && k < artifact->classes; k++) {
        float one = score_at(&outputs->scores, k);
        most = larger(most, one);
        if (k == 0 || one > *score) {
            *score = one;
            *top = k;
        }
    }
    return status ? status : all_finite(most);
}

#if CAMLITE_WITH_SOFTMAX || CAMLITE_WITH_SIGMOID
/* exp(x) of x <= 0, within 4e-7 of it. That of newlib computes in double, which these processors do in software. */
static CALLED float exponential(float x)
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
#endif

#if CAMLITE_WITH_SOFTMAX
static void softmax(float *values, uint32_t count)
{
    float most = values[0], sum = 0;
    uint32_t k;
    for (k = 1; k < count; k++)
        if (values[k] > most)
            most = values[k];
    for (k = 0; k < count; k++)
        sum += values[k] = exponential(values[k] - most);
    for (k = 0; k < count; k++)
        values[k] /= sum;
}
#endif

#if CAMLITE_WITH_SIGMOID
static float sigmoid(float value)
{
    float small = exponential(value < 0 ? value : -value);
    return (value < 0 ? small : 1) / (1 + small);
}
#endif

camlite_status camlite_completeness(const camlite_artifact *artifact, const camlite_outputs *outputs, float *sums,
                                    size_t count, float *completeness)
{
    camlite_status status = verify(artifact, outputs);
    uint32_t k, most = 0;
    if (status)
        return status;
    if (count < artifact->classes)
        return CAMLITE_BAD_SIZE;
    memcpy(sums, artifact->bias, artifact->classes * sizeof *sums);
    add_evidence(artifact, &outputs->features, 0, artifact->classes, 1, sums);
    status = all_finite(largest_of(sums, artifact->classes));
#if CAMLITE_WITH_SOFTMAX
    if (!status && artifact->activation == CAMLITE_SOFTMAX)
        softmax(sums, artifact->classes);
#endif
#if CAMLITE_WITH_SIGMOID
    if (!status && artifact->activation == CAMLITE_SIGMOID)
        for (k = 0; k < artifact->classes; k++)
            sums[k] = sigmoid(sums[k]);
#endif
    for (k = 0; k < artifact->classes; k++)
        most = larger(most, sums[k] - score_at(&outputs->scores, k));
    memcpy(completeness, &most, sizeof most);
    return status ? status : all_finite(most);
}

/* --- Heatmap ------------------------------------------------------------------------------------------------------ */

/* A cell of a map as an integer: this is 0, and the largest magnitude is 2^22 to 2^23 away from it. */
#define ZERO 0x800000u
/* Places between two cells. */
#define PARTS 1048576u

/* One axis of an image. The map covers pixels `begin` to `end`; the centre of the first is at `at`, in parts of a cell,
   counted from one cell before the map. */
typedef struct {
    uint32_t at, step, begin, end, last; /* last: the map's last cell */
} axis;

#if CAMLITE_WITH_WINDOW
/* A whole number from 0 to `most`, towards 0; 0 of NaN. */
static uint32_t whole_of(float value, uint32_t most)
{
    if (!(value > 0))
        return 0;
    return value < (float)most ? (uint32_t)value : most;
}
#endif

/* An axis of `size` cells over `target` pixels, between these fractions of them. */
static camlite_status axis_of(axis *made, uint32_t size, uint32_t target, float start, float stop)
{
    if (size > CAMLITE_MOST_CELLS || target - 1 >= CAMLITE_MOST_PIXELS)
        return CAMLITE_BAD_SIZE;
    made->last = size - 1;
    made->begin = 0;
    made->end = target;
    made->step = size * PARTS / target;
    made->at = made->step / 2 + PARTS / 2;
#if CAMLITE_WITH_WINDOW
    if (start != 0 || stop != 1) {
        float pixels = (float)target, step = (float)size * PARTS / (pixels * (stop - start));
        float margin = 0.5f - pixels / 4194304; /* half a pixel, less what float32 may be wrong by */
        if (!(start >= -100 && start < 1 && stop > 0 && stop <= 100 && stop - start > 5e-5f))
            return CAMLITE_BAD_ARTIFACT;
        made->begin = whole_of(start * pixels + margin, target);
        made->end = whole_of(stop * pixels + 1 - margin, target);
        made->step = whole_of(step, CAMLITE_MOST_CELLS * PARTS);
        made->at = whole_of(((float)made->begin + 0.5f - start * pixels) * step + PARTS / 2, CAMLITE_MOST_CELLS * PARTS);
    }
    return CAMLITE_OK;
#else
    return start != 0 || stop != 1 ? CAMLITE_BAD_ARTIFACT : CAMLITE_OK;
#endif
}

/* The cell before a centre, and how far it is to the cell behind, in 1 / 65536. */
static uint32_t cell_at(uint32_t at, uint32_t last, uint32_t *share)
{
    uint32_t end = (last + 1) * PARTS;
    if (at < PARTS)
        at = PARTS;
    if (at > end)
        at = end;
    *share = at % PARTS >> 4;
    return at / PARTS - 1;
}

/* One pixel on, and no further than any map has cells. */
static uint32_t next_after(const axis *axis, uint32_t at)
{
    return CAMLITE_WITH_WINDOW && at > axis->last * PARTS + PARTS ? at : at + axis->step;
}

static uint32_t between(uint32_t before, uint32_t behind, uint32_t share)
{
    return (uint32_t)(((uint64_t)before * (65536 - share) + (uint64_t)behind * share) >> 16);
}

/* A cell as an integer, without float: `most` are the bits of the largest magnitude. What is below 2^-126 is 0. */
static uint32_t integer_of(const float *value, uint32_t most)
{
    uint32_t bits, exponent, down, size;
    memcpy(&bits, value, sizeof bits);
    exponent = bits >> 23 & 255;
    down = (most >> 23) - exponent;
    size = !exponent || down > 22 ? 0 : ((bits & 0x7fffff) | 0x800000) >> 1 >> down;
    return bits >> 31 ? ZERO - size : ZERO + size;
}

/* Without an image: the largest number of the resized map. With one: writes each number over `largest`. */
static uint32_t draw(const float *map, uint32_t most, const axis *rows, const axis *columns, uint8_t *image,
                     uint32_t width, uint32_t largest)
{
    uint32_t x, y, found = 0, down, across, left = 0, right = 0;
    uint32_t row_at = rows->at;
    for (y = rows->begin; y < rows->end; y++, row_at = next_after(rows, row_at)) {
        const float *row = map + cell_at(row_at, rows->last, &down) * (columns->last + 1);
        const float *below = down ? row + columns->last + 1 : row;
        uint32_t at = columns->at, known = UINT32_MAX;
        for (x = columns->begin; x < columns->end; x++, at = next_after(columns, at)) {
            uint32_t cell = cell_at(at, columns->last, &across), heat;
            if (cell != known) { /* where an image is larger than its map, most pixels have their neighbour's cell */
                uint32_t next = cell < columns->last ? cell + 1 : cell;
                left = between(integer_of(row + cell, most), integer_of(below + cell, most), down);
                right = between(integer_of(row + next, most), integer_of(below + next, most), down);
                known = cell;
            }
            heat = between(left, right, across);
            heat = heat > ZERO ? heat - ZERO : 0;
            if (heat > found)
                found = heat;
            if (image)
                image[(size_t)y * width + x] = (uint8_t)((heat * 255 + largest / 2) / largest);
        }
    }
    return found;
}

camlite_status camlite_heatmap(const camlite_artifact *artifact, const float *map, size_t count, uint8_t *image,
                               size_t bytes, uint32_t height, uint32_t width)
{
    camlite_status status = verify(artifact, NULL);
    uint32_t most, pass, largest = 0;
    axis rows, columns;
    if (!status)
        status = axis_of(&rows, artifact->height, height, artifact->top, artifact->bottom);
    if (!status)
        status = axis_of(&columns, artifact->width, width, artifact->left, artifact->right);
    if (status)
        return status;
    if (count < places_of(artifact) || (uint64_t)height * width > bytes)
        return CAMLITE_BAD_SIZE;
    most = largest_of(map, places_of(artifact));
    memset(image, 0, (size_t)height * width);
    for (pass = 0; !(status = all_finite(most)) && pass < 2 && (pass == 0 || largest); pass++)
        largest = draw(map, most, &rows, &columns, pass ? image : NULL, width, largest);
    return status;
}

/* --- The self-check ----------------------------------------------------------------------------------------------- */

/* The three figures of one golden sample. */
static camlite_status figures_of(const camlite_artifact *artifact, uint32_t sample, const camlite_outputs *outputs,
                                 float *map, size_t map_count, float *sums, size_t sums_count, float *figures)
{
    const camlite_golden *golden = &artifact->golden;
    const float *scores = golden->scores + (size_t)sample * artifact->classes;
    const float *evidence = golden->evidence + (size_t)sample * places_of(artifact);
    camlite_status status = camlite_completeness(artifact, outputs, sums, sums_count, &figures[CAMLITE_COMPLETENESS]);
    uint32_t n, expected = 0, score = 0, most = 0;
    float error;
    if (status)
        return status;
    for (n = 0; n < artifact->classes; n++) {
        score = larger(score, score_at(&outputs->scores, n) - scores[n]);
        if (scores[n] > scores[expected])
            expected = n;
    }
    status = camlite_evidence(artifact, outputs, expected, map, map_count);
    for (n = 0; !status && n < places_of(artifact); n++)
        most = larger(most, map[n] - evidence[n]);
    memcpy(&figures[CAMLITE_SCORE_DIFFERENCE], &score, sizeof score);
    memcpy(&error, &most, sizeof most);
    figures[CAMLITE_EVIDENCE_ERROR] = error / golden->evidence_size;
    return status;
}

camlite_status camlite_check(const camlite_artifact *artifact, camlite_run run, void *context, float *map,
                             size_t map_count, float *sums, size_t sums_count, camlite_checked *checked)
{
    const camlite_golden *golden = &artifact->golden;
    const uint8_t *input = (const uint8_t *)golden->inputs;
    uint32_t sample, figure, beyond;
    float worst = -1, share, figures[3];
    camlite_status status;
    memset(checked, 0, sizeof *checked);
    for (sample = 0; sample < golden->count; sample++, input += golden->input_bytes) {
        const float *tolerances = golden->tolerances + 3 * (size_t)sample;
        camlite_outputs outputs;
        memset(&outputs, 0, sizeof outputs);
        status = run(context, input, golden->input_bytes, &outputs)
                     ? CAMLITE_RUN_FAILED
                     : figures_of(artifact, sample, &outputs, map, map_count, sums, sums_count, figures);
        for (beyond = figure = 0; !status && figure < 3; figure++) {
            share = figures[figure] / tolerances[figure];
            beyond |= !(share <= 1);
            if (!(share <= worst)) {
                worst = share;
                checked->sample = sample;
                checked->figure = (camlite_figure)figure;
                checked->value = figures[figure];
                checked->tolerance = tolerances[figure];
            }
        }
        if (status) {
            checked->sample = sample;
            return status;
        }
        checked->failed += beyond;
    }
    if (golden->count == 0)
        return CAMLITE_NO_SAMPLES;
    return artifact->unfit[0] ? CAMLITE_UNFIT : checked->failed ? CAMLITE_CHECK_FAILED : CAMLITE_OK;
}
