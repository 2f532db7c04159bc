/* What speaks for the class of a JPEG, on a computer without Python: LiteRT runs the model, camlite.c explains.

       cc -O2 example_linux.c camlite_name.c camlite.c -lturbojpeg -L DIR -lLiteRt -Wl,-rpath,DIR -lm -o explain
       ./explain PICTURE.jpg OVERLAY.jpg

   DIR holds libLiteRt.so, which is in the wheels of ai-edge-litert on PyPI, for x86-64 and for aarch64. A picture is
   taken as it is stored: what EXIF says of its orientation is not looked at. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <turbojpeg.h>

#include "example_litert.h"

/* --- Pictures ----------------------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t height, width;
    uint8_t *pixels; /* red, green, blue; row by row */
} picture;

static int failed(const char *where, const char *what)
{
    fprintf(stderr, "%s: %s\n", where, what);
    return 1;
}

static picture read_jpeg(const char *path)
{
    picture made = {0, 0, NULL};
    tjhandle jpeg = tjInitDecompress();
    FILE *file = fopen(path, "rb");
    long size = file && !fseek(file, 0, SEEK_END) ? ftell(file) : -1;
    uint8_t *bytes = size > 0 ? malloc((size_t)size) : NULL;
    int width, height, subsampling, colours;
    if (!bytes || fseek(file, 0, SEEK_SET) || fread(bytes, 1, (size_t)size, file) != (size_t)size)
        exit(failed(path, "cannot be read"));
    fclose(file);
    if (tjDecompressHeader3(jpeg, bytes, (unsigned long)size, &width, &height, &subsampling, &colours))
        exit(failed(path, tjGetErrorStr2(jpeg)));
    if (width < 1 || height < 1)
        exit(failed(path, "ends before its first pixel"));
    made.width = (uint32_t)width;
    made.height = (uint32_t)height;
    made.pixels = malloc((size_t)made.height * made.width * 3);
    if (!made.pixels)
        exit(failed(path, "too large for the memory"));
    if (tjDecompress2(jpeg, bytes, (unsigned long)size, made.pixels, width, 0, height, TJPF_RGB, TJFLAG_STOPONWARNING))
        exit(failed(path, tjGetErrorStr2(jpeg)));
    tjDestroy(jpeg);
    free(bytes);
    return made;
}

static int write_jpeg(const char *path, const picture *drawn)
{
    tjhandle jpeg = tjInitCompress();
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    FILE *file;
    int width = (int)drawn->width, height = (int)drawn->height;
    if (tjCompress2(jpeg, drawn->pixels, width, 0, height, TJPF_RGB, &bytes, &size, TJSAMP_444, 90, 0))
        return failed(path, tjGetErrorStr2(jpeg));
    file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file))
        return failed(path, "cannot be written");
    tjFree(bytes);
    tjDestroy(jpeg);
    return 0;
}

/* --- From pixels to the input, as runtime/spec/artifact.md says --------------------------------------------------- */

typedef struct {
    uint32_t top, left, rows, columns; /* of the picture, which the classifier sees */
} window;

static window window_of(const picture *seen)
{
    window all = {0, 0, seen->height, seen->width};
    if (CAMLITE_NAME_FIT_CROP) {
        double rows = rint((double)seen->width * CAMLITE_NAME_HEIGHT / CAMLITE_NAME_WIDTH);
        double columns = rint((double)seen->height * CAMLITE_NAME_WIDTH / CAMLITE_NAME_HEIGHT);
        all.rows = (uint32_t)fmin(seen->height, fmax(1, rows));
        all.columns = (uint32_t)fmin(seen->width, fmax(1, columns));
        all.top = (seen->height - all.rows) / 2;
        all.left = (seen->width - all.columns) / 2;
    }
    return all;
}

/* The pixel before a centre, and how far it is to the pixel behind. */
static float centre_of(uint32_t i, uint32_t size, uint32_t target, uint32_t *before)
{
    double centre = fmin(fmax((i + 0.5) * ((double)size / target) - 0.5, 0), size - 1.0);
    *before = (uint32_t)centre;
    return (float)(centre - *before);
}

static void pixel_at(const picture *seen, const window *part, uint32_t y, uint32_t x, float *colour)
{
    uint32_t top, left, n;
    float down = centre_of(y, part->rows, CAMLITE_NAME_HEIGHT, &top);
    float across = centre_of(x, part->columns, CAMLITE_NAME_WIDTH, &left);
    const uint8_t *above = seen->pixels + ((size_t)(part->top + top) * seen->width + part->left + left) * 3;
    const uint8_t *below = above + (top + 1 < part->rows ? (size_t)seen->width * 3 : 0);
    size_t next = left + 1 < part->columns ? 3 : 0;
    for (n = 0; n < 3; n++)
        colour[n] = (above[n] * (1 - down) + below[n] * down) * (1 - across) +
                    (above[n + next] * (1 - down) + below[n + next] * down) * across;
}

static void put(void *input, size_t at, float real)
{
    const camlite_tensor tensor = CAMLITE_NAME_INPUT(input);
    float stored = rintf(tensor.scale != 0 ? real / tensor.scale + (float)tensor.zero_point : real);
    if (tensor.type == CAMLITE_FLOAT32)
        ((float *)input)[at] = real;
    else if (tensor.type == CAMLITE_INT16)
        ((int16_t *)input)[at] = (int16_t)fminf(fmaxf(stored, -32768), 32767);
    else if (tensor.type == CAMLITE_INT8)
        ((int8_t *)input)[at] = (int8_t)fminf(fmaxf(stored, -128), 127);
    else
        ((uint8_t *)input)[at] = (uint8_t)fminf(fmaxf(stored, 0), 255);
}

static void prepare(const picture *seen, const window *part, void *input)
{
    uint32_t y, x, c;
    for (y = 0; y < CAMLITE_NAME_HEIGHT; y++)
        for (x = 0; x < CAMLITE_NAME_WIDTH; x++) {
            float colour[3];
            size_t place = (size_t)y * CAMLITE_NAME_WIDTH + x;
            pixel_at(seen, part, y, x, colour);
            if (CAMLITE_NAME_CHANNELS == 1)
                colour[0] = 0.299f * colour[0] + 0.587f * colour[1] + 0.114f * colour[2];
            for (c = 0; c < CAMLITE_NAME_CHANNELS; c++) {
                float pixel = colour[CAMLITE_NAME_BGR ? 2 - c : c];
                put(input,
                    CAMLITE_NAME_CHANNELS_FIRST ? c * (size_t)CAMLITE_NAME_HEIGHT * CAMLITE_NAME_WIDTH + place
                                                : place * CAMLITE_NAME_CHANNELS + c,
                    pixel * camlite_name_pixel_scale[c] + camlite_name_pixel_offset[c]);
            }
        }
}

/* --- The overlay: the picture in grey, all colour is evidence ----------------------------------------------------- */

static const uint32_t inferno[33] = {
    0x000004, 0x040312, 0x0b0724, 0x150b37, 0x210c4a, 0x2e0a5a, 0x3c0965, 0x4a0c6b, 0x57106d, 0x63146e, 0x70196e,
    0x7d1e6d, 0x89226a, 0x962766, 0xa32b61, 0xaf315c, 0xbb3755, 0xc63e4d, 0xd14644, 0xdb4f3b, 0xe35932, 0xeb6528,
    0xf1711e, 0xf67f14, 0xf98d0a, 0xfb9c06, 0xfcab0f, 0xfbba1f, 0xf9ca32, 0xf5d949, 0xf2e865, 0xf3f586, 0xfcffa4,
};

static void lay_over(picture *drawn, const window *part, const uint8_t *heat)
{
    uint32_t y, x, c;
    for (y = 0; y < drawn->height; y++)
        for (x = 0; x < drawn->width; x++) {
            uint8_t *pixel = drawn->pixels + ((size_t)y * drawn->width + x) * 3;
            float grey = 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
            uint32_t row = y - part->top, column = x - part->left; /* before the window: very large */
            int inside = row < part->rows && column < part->columns;
            float hot = inside ? heat[(size_t)row * part->columns + column] / 255.0f : 0, share = 0.8f * sqrtf(hot);
            uint32_t at = hot < 1 ? (uint32_t)(hot * 32) : 31;
            for (c = 0; c < 3; c++) {
                float one = inferno[at] >> (16 - 8 * c) & 255, next = inferno[at + 1] >> (16 - 8 * c) & 255;
                float colour = one + (next - one) * (hot * 32 - (float)at);
                pixel[c] = (uint8_t)rintf(grey + (colour - grey) * share);
            }
        }
}

/* ------------------------------------------------------------------------------------------------------------------ */

static float map[CAMLITE_NAME_PLACES], sums[CAMLITE_NAME_CLASSES];
static union { uint8_t bytes[CAMLITE_NAME_INPUT_BYTES]; float aligned; } input;

static int status_of(const char *what, camlite_status status)
{
    if (status)
        fprintf(stderr, "%s: status %d, see camlite.h\n", what, (int)status);
    return status;
}

int main(int count, char **arguments)
{
    camlite_checked checked;
    camlite_outputs outputs;
    picture seen;
    window part;
    uint8_t *heat;
    uint32_t top, n;
    float score, difference;
    camlite_status status;
    const char *wrong;
    if (count != 3)
        return failed("usage", "explain PICTURE.jpg OVERLAY.jpg") + 1;
    wrong = open_model();
    if (wrong)
        return failed("camlite_name", wrong);
    status = camlite_check(&camlite_name, run, NULL, map, CAMLITE_NAME_PLACES, sums, CAMLITE_NAME_CLASSES, &checked);
    if (status != CAMLITE_NO_SAMPLES && status_of("self-check", status))
        return failed("camlite_name", camlite_name.unfit[0] ? camlite_name.unfit : "another answer than when it was made");
    seen = read_jpeg(arguments[1]);
    part = window_of(&seen);
    prepare(&seen, &part, input.bytes);
    heat = malloc((size_t)part.rows * part.columns);
    if (!heat)
        return failed(arguments[1], "too large for the memory");
    if (run(NULL, input.bytes, sizeof input.bytes, &outputs))
        return failed("LiteRT", "cannot run the model");
    if (status_of("top", camlite_top(&camlite_name, &outputs, &top, &score)) ||
        status_of("evidence", camlite_evidence(&camlite_name, &outputs, top, map, CAMLITE_NAME_PLACES)) ||
        status_of("sums", camlite_completeness(&camlite_name, &outputs, sums, CAMLITE_NAME_CLASSES, &difference)) ||
        status_of("heatmap", camlite_heatmap(&camlite_name, map, CAMLITE_NAME_PLACES, heat,
                                             (size_t)part.rows * part.columns, part.rows, part.columns)))
        return 1;
    printf("%s %.6f, evidence adds up within %.2g\n", camlite_name.labels[top], score, difference);
    for (n = 0; n < CAMLITE_NAME_PLACES; n++)
        printf("%.9g%c", map[n], (n + 1) % camlite_name.width ? ' ' : '\n');
    lay_over(&seen, &part, heat);
    return write_jpeg(arguments[2], &seen);
}
