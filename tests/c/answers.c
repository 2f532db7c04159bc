/* Everything that camlite.c says of some stored outputs, in bits, so that two machines can be compared. CASES names a
   header with `features[CASES_COUNT][]` and `scores[CASES_COUNT][]`, as an interpreter left them. */

#include <stdio.h>
#include <string.h>

#include HEADER
#include CASES

static float map[PLACES], sums[CLASSES];
static uint8_t image[64 * 64];
static const uint32_t sides[][2] = {{28, 28}, {HEIGHT, WIDTH}, {1, 1}, {5, 64}, {3, 2}};

static void print_floats(const char *what, const float *values, uint32_t count)
{
    uint32_t n, bits;
    printf("%s", what);
    for (n = 0; n < count; n++) {
        memcpy(&bits, &values[n], sizeof bits);
        printf(" %08lx", (unsigned long)bits);
    }
    printf("\n");
}

static void answer(const camlite_outputs *outputs)
{
    uint32_t top = 0, k, n, size;
    float score = 0, difference = 0;
    printf("status %d", (int)camlite_top(&NAME, outputs, &top, &score));
    printf(" top %lu\n", (unsigned long)top);
    print_floats("score", &score, 1);
    for (k = 0; k < CLASSES; k++) {
        printf("status %d\n", (int)camlite_evidence(&NAME, outputs, k, map, PLACES));
        print_floats("evidence", map, PLACES);
        printf("status %d\n", (int)camlite_contrast(&NAME, outputs, k, top, map, PLACES));
        print_floats("contrast", map, PLACES);
    }
    printf("status %d\n", (int)camlite_completeness(&NAME, outputs, sums, CLASSES, &difference));
    print_floats("completeness", &difference, 1);
    print_floats("sums", sums, CLASSES);
    camlite_evidence(&NAME, outputs, top, map, PLACES);
    for (size = 0; size < sizeof sides / sizeof *sides; size++) {
        printf("status %d\n", (int)camlite_heatmap(&NAME, map, PLACES, image, sizeof image, sides[size][0], sides[size][1]));
        printf("heat %lu %lu ", (unsigned long)sides[size][0], (unsigned long)sides[size][1]);
        for (n = 0; n < sides[size][0] * sides[size][1]; n++)
            printf("%02x", (unsigned)image[n]);
        printf("\n");
    }
}

/* In the place of an interpreter: the golden samples' stored outputs come one after another. */
static int next(void *context, const void *input, size_t bytes, camlite_outputs *outputs)
{
    uint32_t *sample = context;
    camlite_outputs those = OUTPUTS(features[CASES_FIRST_GOLDEN + *sample], scores[CASES_FIRST_GOLDEN + *sample]);
    if (memcmp(input, inputs[CASES_FIRST_GOLDEN + *sample], bytes))
        return 1;
    *outputs = those;
    ++*sample;
    return 0;
}

int main(void)
{
    uint32_t n, sample = 0;
    camlite_checked checked;
    for (n = 0; n < CASES_COUNT; n++) {
        camlite_outputs outputs = OUTPUTS(features[n], scores[n]);
        printf("case %lu\n", (unsigned long)n);
        answer(&outputs);
    }
    printf("check %d", (int)camlite_check(&NAME, next, &sample, map, PLACES, sums, CLASSES, &checked));
    printf(" failed %lu sample %lu figure %d\n", (unsigned long)checked.failed, (unsigned long)checked.sample,
           (int)checked.figure);
    print_floats("value", &checked.value, 1);
    return 0;
}
