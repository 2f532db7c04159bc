/* What speaks for the class that the classifier names, of features and scores that an interpreter has left in two files.

       cc -std=c99 -O2 example_features.c camlite_name.c camlite.c -o explain
       ./explain FEATURES SCORES

   On a device they come out of memory instead; nothing else changes. */

#include <stdio.h>

#include "camlite_name.h"

#define SIDE 24 /* of the heatmap */

static uint8_t features[CAMLITE_NAME_FEATURES_BYTES], scores[CAMLITE_NAME_SCORES_BYTES];
static float map[CAMLITE_NAME_PLACES], sums[CAMLITE_NAME_CLASSES];
static uint8_t image[SIDE * SIDE];

static int explain(void)
{
    camlite_outputs outputs = CAMLITE_NAME_OUTPUTS(features, scores);
    uint32_t top, x, y;
    float score, difference;
    camlite_status status = camlite_top(&camlite_name, &outputs, &top, &score);
    if (!status)
        status = camlite_evidence(&camlite_name, &outputs, top, map, CAMLITE_NAME_PLACES);
    if (!status)
        status = camlite_completeness(&camlite_name, &outputs, sums, CAMLITE_NAME_CLASSES, &difference);
    if (!status)
        status = camlite_heatmap(&camlite_name, map, CAMLITE_NAME_PLACES, image, sizeof image, SIDE, SIDE);
    if (status) {
        fprintf(stderr, "camlite: status %d, see camlite.h\n", (int)status);
        return 1;
    }
    printf("%s %.3f, evidence adds up within %.3g\n", camlite_name.labels[top], score, difference);
    for (y = 0; y < SIDE; y++) {
        for (x = 0; x < SIDE; x++)
            putchar(" .:-=+*#%@"[image[y * SIDE + x] * 10 / 256]);
        putchar('\n');
    }
    return 0;
}

static int filled(const char *path, uint8_t *data, size_t bytes)
{
    FILE *file = fopen(path, "rb");
    size_t received = file ? fread(data, 1, bytes, file) : 0;
    if (file)
        fclose(file);
    if (received != bytes)
        fprintf(stderr, "%s: %lu bytes, expected %lu\n", path, (unsigned long)received, (unsigned long)bytes);
    return received == bytes;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: %s FEATURES SCORES\n", arguments[0]);
        return 2;
    }
    if (!filled(arguments[1], features, sizeof features) || !filled(arguments[2], scores, sizeof scores))
        return 2;
    return explain();
}
