/* Artifacts and outputs that are nearly right, and numbers that are not, for every function of camlite.h. Every buffer
   is as large as it is said to be, to the byte, so that the address sanitizer sees a step beside it.

       fuzz SEED ROUNDS

   prints how often each function said what. The same seed makes the same rounds on every machine. With -DPLAIN most
   artifacts are of the one kind that is left where every CAMLITE_WITH_ is 0. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "camlite.h"

#define STATUSES (CAMLITE_CHECK_FAILED + 1)
#define FUNCTIONS 6
#define LARGEST 200000 /* bytes of a buffer; what is said to be larger has none */
#ifndef PLAIN
#define PLAIN 0
#endif

static uint64_t state;
static void *held[32];
static unsigned held_count;

static uint32_t any(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

static uint32_t below(uint32_t limit)
{
    return any() % limit;
}

/* Every bit is as likely, or it is one of those numbers that are a limit somewhere. */
static uint32_t odd_number(void)
{
    static const uint32_t limits[] = {0, 1, 2, 31, 32, 33, 127, 128, 255, 256, 1023, 1024, 1025, 16383, 16384, 16385,
                                      32767, 32768, 32769, 65535, 65536, 1000000, 1000001, 0x7fffffff, 0x80000000,
                                      0xffff8000, 0xffff7fff, 0xfffffffe, 0xffffffff};
    return below(4) ? limits[below(sizeof limits / sizeof *limits)] : any();
}

static float odd_float(void)
{
    static const float limits[] = {0, 1, -1, 0.5f, -0.25f, 1e-30f, 1e-45f, 1e30f, 3.4e38f, -3.4e38f, 100, -100};
    uint32_t bits = any();
    float value;
    memcpy(&value, &bits, sizeof value);
    return below(3) ? limits[below(sizeof limits / sizeof *limits)] : value;
}

/* A buffer of so many bytes that ends where its memory ends; NULL where it would be too large. */
static void *buffer(uint64_t bytes, uint32_t off)
{
    uint8_t *made;
    uint64_t n;
    if (bytes > LARGEST)
        return NULL;
    held[held_count++] = made = malloc((size_t)bytes + off + !(bytes + off));
    for (n = 0; n < bytes + off; n++)
        made[n] = (uint8_t)any();
    return made + off;
}

static float *floats(uint64_t count, int wild)
{
    float *made = buffer(4 * count, 0);
    uint64_t n;
    for (n = 0; made && n < count; n++)
        made[n] = wild && below(8) == 0 ? odd_float() : (float)(int32_t)any() / 1e9f;
    return made;
}

static uint32_t width_of(camlite_type type)
{
    return type == CAMLITE_FLOAT32 ? 4 : type == CAMLITE_INT16 ? 2 : 1;
}

static camlite_tensor tensor(uint64_t count)
{
    camlite_tensor made;
    made.type = PLAIN ? CAMLITE_INT8 : (camlite_type)below(CAMLITE_FLOAT32 + 1);
    made.bytes = (size_t)(count * width_of(made.type));
    made.scale = below(4) ? 0.01f : below(2) ? 0 : odd_float();
    made.zero_point = below(4) ? (int32_t)below(256) - 128 : (int32_t)below(65536) - 32768;
    made.data = NULL;
    return made;
}

static void spoil_tensor(camlite_tensor *made)
{
    switch (below(4)) {
    case 0: made->bytes = below(2) ? odd_number() : made->bytes + below(5) - 2; break;
    case 1: made->type = (camlite_type)odd_number(); break;
    case 2: made->scale = odd_float(); break;
    default: made->zero_point = (int32_t)odd_number();
    }
}

/* Numbers of real size, so that reals are seldom beyond float32. */
static void fill(camlite_tensor *made, int wild)
{
    float *reals = NULL;
    if (made->type == CAMLITE_FLOAT32 && made->bytes % 4 == 0)
        reals = floats(made->bytes / 4, wild);
    made->data = buffer(made->bytes, below(4));
    if (reals && made->data)
        memcpy((void *)(uintptr_t)made->data, reals, made->bytes);
}

/* A size in which a buffer has room, a little more, or too little. */
static size_t room(uint32_t needed)
{
    return below(8) ? needed + below(3) : needed ? needed - 1 : 0;
}

static void spoil(camlite_artifact *made, camlite_outputs *outputs)
{
    switch (below(14)) {
    case 0: made->classes = odd_number(); break;
    case 1: made->height = odd_number(); break;
    case 2: made->width = odd_number(); break;
    case 3: made->channels = odd_number(); break;
    case 4: made->channels_first = (uint8_t)any(); break;
    case 5: made->activation = (camlite_activation)odd_number(); break;
    case 6: made->bias_count = odd_number(); break;
    case 7: made->weights.classes_first = (uint8_t)any(); break;
    case 8: made->weights.per_place = (uint8_t)any(); break;
    case 9: made->weights.rest_bytes = odd_number(); break;
    case 10: made->weights.scales_bytes = odd_number(); break;
    case 11: spoil_tensor(&made->weights.stored); break;
    case 12: spoil_tensor(&outputs->features); break;
    default: spoil_tensor(&outputs->scores);
    }
}

static void window(camlite_artifact *made)
{
    float *sides[4];
    uint32_t n;
    sides[0] = &made->top, sides[1] = &made->left, sides[2] = &made->bottom, sides[3] = &made->right;
    made->top = made->left = 0;
    made->bottom = made->right = 1;
    if (!PLAIN && below(2))
        for (n = 0; n < 4; n++)
            *sides[n] += (float)below(1000) / 3000 - 0.16f;
    if (below(PLAIN ? 16 : 4) == 0)
        *sides[below(4)] = odd_float();
}

static void make(camlite_artifact *made, camlite_outputs *outputs)
{
    int wild = below(4) == 0;
    uint64_t places, all;
    memset(made, 0, sizeof *made);
    made->unfit = below(4) ? "" : "unfit";
    made->classes = 1 + below(9);
    made->height = 1 + below(6);
    made->width = 1 + below(6);
    made->channels = below(8) ? 1 + below(70) : 1 + below(9);
    places = made->height * made->width;
    all = made->channels * made->classes;
    made->channels_first = !PLAIN && below(4) == 0;
    made->weights.classes_first = PLAIN || below(4) != 0;
    made->weights.per_place = !made->weights.classes_first && below(2);
    made->activation = PLAIN ? CAMLITE_LINEAR : (camlite_activation)below(3);
    window(made);
    made->weights.stored = tensor(made->weights.per_place ? all * places : all);
    outputs->features = tensor(places * made->channels);
    outputs->scores = tensor(made->classes);
    made->weights.rest_bytes = PLAIN || below(2) || made->weights.per_place ? 0 : (size_t)all;
    made->weights.scales_bytes = PLAIN || below(2) ? 0 : 4 * made->classes;
    made->bias_count = made->classes;
    if (below(2))
        spoil(made, outputs);
    if (below(8) == 0)
        spoil(made, outputs);
    fill(&made->weights.stored, wild);
    fill(&outputs->features, wild);
    fill(&outputs->scores, wild);
    made->bias = floats(made->bias_count, wild);
    made->weights.rest = made->weights.rest_bytes ? buffer(made->weights.rest_bytes, 0) : NULL;
    if (made->weights.scales_bytes && made->weights.scales_bytes <= LARGEST) {
        float *scales = floats(made->weights.scales_bytes / 4 + 1, wild);
        made->weights.scales = memcpy(buffer(made->weights.scales_bytes, 1), scales, made->weights.scales_bytes);
    }
    /* A buffer that could not be made is too large for any artifact of these sizes. */
    if (!made->weights.stored.data || !outputs->features.data || !outputs->scores.data || !made->bias)
        made->bias_count = 0;
}

static int run(void *context, const void *input, size_t bytes, camlite_outputs *outputs)
{
    volatile uint8_t read = bytes ? ((const uint8_t *)input)[bytes - 1] : 0;
    (void)read;
    *outputs = *(const camlite_outputs *)context;
    return below(16) == 0;
}

/* The golden samples have no sizes of their own: they are those of an artifact that is whole. */
static camlite_status check(camlite_artifact *made, camlite_outputs *outputs, float *map, size_t map_count, float *sums,
                            size_t sums_count)
{
    camlite_checked checked;
    uint32_t n;
    float *tolerances;
    made->golden.count = below(3);
    made->golden.input_bytes = below(40);
    made->golden.inputs = buffer(made->golden.count * made->golden.input_bytes, 0);
    made->golden.scores = floats((uint64_t)made->golden.count * made->classes, 0);
    made->golden.evidence = floats((uint64_t)made->golden.count * made->height * made->width, 0);
    made->golden.tolerances = tolerances = floats(3 * made->golden.count, 1);
    made->golden.evidence_size = below(4) ? 1 : odd_float();
    for (n = 0; n < 3 * made->golden.count && below(2); n++)
        tolerances[n] = 3e38f;
    return camlite_check(made, run, outputs, map, map_count, sums, sums_count, &checked);
}

static unsigned long said[FUNCTIONS][STATUSES];

static camlite_status counted(int function, camlite_status status)
{
    if ((unsigned)status >= STATUSES)
        abort();
    said[function][status]++;
    return status;
}

static void finite(const float *values, uint32_t count)
{
    uint32_t n;
    for (n = 0; n < count; n++)
        if (!(values[n] - values[n] == 0))
            abort();
}

static void heatmap(const camlite_artifact *made, const float *map, size_t count)
{
    uint32_t height = below(8) ? 1 + below(40) : odd_number(), width = below(8) ? 1 + below(40) : odd_number();
    uint64_t pixels = (uint64_t)height * width;
    size_t bytes = pixels > LARGEST ? below(LARGEST) : room((uint32_t)pixels);
    uint8_t *image = buffer(bytes, 0);
    size_t n, hot = 0, warm = 0;
    if (counted(4, camlite_heatmap(made, map, count, image, bytes, height, width)))
        return;
    for (n = 0; n < pixels; n++)
        warm += image[n] != 0, hot += image[n] == 255;
    if (warm && !hot)
        abort();
}

static void round_of(void)
{
    camlite_artifact made;
    camlite_outputs outputs;
    uint32_t top = 0, k, against;
    uint64_t places;
    size_t map_count, sums_count;
    float *map, *sums, score = 0, difference = 0;
    make(&made, &outputs);
    places = (uint64_t)made.height * made.width;
    map_count = room(places > LARGEST / 8 ? 9 : (uint32_t)places);
    sums_count = room(made.classes > LARGEST / 8 ? 9 : made.classes);
    map = floats(map_count, 0), sums = floats(sums_count, 0);
    k = below(8) ? below(made.classes + !made.classes) : odd_number();
    against = below(8) ? below(made.classes + !made.classes) : odd_number();
    if (!counted(0, camlite_top(&made, &outputs, &top, &score)) && top >= made.classes)
        abort();
    if (!counted(1, camlite_contrast(&made, &outputs, k, against, map, map_count)))
        finite(map, (uint32_t)places);
    if (!counted(3, camlite_completeness(&made, &outputs, sums, sums_count, &difference)))
        finite(sums, made.classes), finite(&difference, 1);
    if (!counted(2, camlite_evidence(&made, &outputs, k, map, map_count)))
        finite(map, (uint32_t)places);
    else if (below(2))
        map = floats(map_count, 1);
    heatmap(&made, map, map_count);
    if (places <= LARGEST / 16 && made.classes <= LARGEST / 16)
        counted(5, check(&made, &outputs, map, map_count, sums, sums_count));
}

int main(int count, char **arguments)
{
    unsigned long rounds = count == 3 ? strtoul(arguments[2], NULL, 10) : 0;
    int function, status;
    state = count == 3 ? strtoul(arguments[1], NULL, 10) * 2654435761u + 1 : 1;
    while (rounds--) {
        round_of();
        while (held_count)
            free(held[--held_count]);
    }
    for (function = 0; function < FUNCTIONS; function++)
        for (status = 0; status < STATUSES; status++)
            printf("%d %d %lu\n", function, status, said[function][status]);
    return 0;
}
