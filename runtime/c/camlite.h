/* camlite: what speaks for the class that a classifier names, computed from what any interpreter leaves behind.

   C99. No heap, no state, no input or output; of the C library only memcpy and memset. `camlite to-c` writes an
   artifact as C, with everything that is here called `camlite_artifact`. The arithmetic is that of
   runtime/spec/artifact.md, "Evidence", "Completeness", "Heatmap" and "The self-check".

       camlite_top(&digits, &outputs, &top, &score);                           which class
       camlite_evidence(&digits, &outputs, top, map, map_count);               logits, for each place of the features
       camlite_completeness(&digits, &outputs, sums, sums_count, &difference); whether they add up
       camlite_heatmap(&digits, map, map_count, image, sizeof image, 28, 28);  bytes, 0 cold to 255 hot

   Every function returns CAMLITE_OK or says what is wrong; then nothing is said of what it was to fill. No function
   reads or writes outside of the buffers that it is given, whatever numbers are in them. The processor has to be
   little-endian, as the model is. */

#ifndef CAMLITE_H
#define CAMLITE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most that may be: h * w and C of the features, K, and a side of a heatmap. */
#define CAMLITE_MOST_PLACES 16384
#define CAMLITE_MOST_CHANNELS 16384
#define CAMLITE_MOST_CLASSES 1000000
#define CAMLITE_MOST_CELLS 1024 /* a side of a map that becomes a heatmap */
#define CAMLITE_MOST_PIXELS 32768

typedef enum {
    CAMLITE_OK = 0,
    CAMLITE_BAD_ARTIFACT,  /* a size is 0 or above the limits, or an array is not of the size that follows from them */
    CAMLITE_BAD_TENSOR,    /* its bytes are not those of the shape and type, or its zero point is none */
    CAMLITE_BAD_SIZE,      /* a buffer is too small, or a side of the heatmap 0 or too large */
    CAMLITE_NO_SUCH_CLASS, /* its index is not below the number of classes */
    CAMLITE_NOT_FINITE,    /* a score, evidence or a scale is NaN or infinite: there is no answer */
    CAMLITE_RUN_FAILED,    /* camlite_check: your interpreter says so */
    CAMLITE_NO_SAMPLES,    /* camlite_check: without golden samples nothing is proven */
    CAMLITE_UNFIT,         /* camlite_check: `unfit` says what was wrong when the artifact was made */
    CAMLITE_CHECK_FAILED   /* camlite_check: a figure is above its tolerance */
} camlite_status;

typedef enum { CAMLITE_INT8, CAMLITE_UINT8, CAMLITE_INT16, CAMLITE_FLOAT32 } camlite_type;

typedef enum { CAMLITE_SOFTMAX, CAMLITE_SIGMOID, CAMLITE_LINEAR } camlite_activation;

/* An output of the model as the interpreter leaves it, without the batch axis: real = (stored - zero_point) * scale. */
typedef struct {
    const void *data; /* need not be aligned */
    size_t bytes;     /* exactly those of the shape */
    camlite_type type;
    float scale; /* 0: the numbers are real as they are */
    int32_t zero_point;
} camlite_tensor;

/* What one run of the model has left, as the artifact's names for the two. */
typedef struct {
    camlite_tensor features, scores;
} camlite_outputs;

/* Class weights, read where they lie: (stored - zero_point + rest / 254) * (scale * scales[k]). */
typedef struct {
    camlite_tensor stored;
    uint8_t classes_first; /* 1: (K, C); 0: (C, K) */
    uint8_t per_place;     /* 1: (h, w, C, K); then classes_first is 0, and there is no rest */
    const int8_t *rest; /* (C, K), or NULL */
    size_t rest_bytes;
    const void *scales; /* float32 (K), or NULL; need not be aligned */
    size_t scales_bytes;
} camlite_weights;

/* Inputs with the original classifier's answers. */
typedef struct {
    uint32_t count;
    const void *inputs; /* as the model takes them, one behind the other */
    size_t input_bytes; /* of one of them */
    const float *scores;     /* (count, K) */
    const float *evidence;   /* (count, h, w), of the class with the highest of these scores */
    const float *tolerances; /* (count, 3): score difference, evidence error, completeness */
    float evidence_size;     /* what an evidence error is a share of */
} camlite_golden;

/* An artifact: what its card says, and where its arrays are. */
typedef struct {
    const char *name;
    const char *unfit;         /* why it is not fit for use; "" where nothing is known against it */
    const char *const *labels; /* K */
    uint32_t classes;          /* K */
    uint32_t height, width, channels; /* h, w, C of the features */
    uint8_t channels_first;           /* 1: the features are (C, h, w); 0: (h, w, C) */
    camlite_activation activation;
    float top, left, bottom, right; /* where the features lie over the model's input, in fractions of its sides */
    camlite_weights weights;
    const float *bias; /* K */
    size_t bias_count;
    camlite_golden golden;
} camlite_artifact;

/* The class with the highest score, and that score; of equals, the first. */
camlite_status camlite_top(const camlite_artifact *artifact, const camlite_outputs *outputs, uint32_t *top,
                           float *score);

/* Evidence of class k, in logits: map[y * width + x]. `count`: how many floats `map` has room for; h * w are filled. */
camlite_status camlite_evidence(const camlite_artifact *artifact, const camlite_outputs *outputs, uint32_t k,
                                float *map, size_t count);

/* Evidence of class k minus that of class `against`: it adds up to the difference of their logits without bias. */
camlite_status camlite_contrast(const camlite_artifact *artifact, const camlite_outputs *outputs, uint32_t k,
                                uint32_t against, float *map, size_t count);

/* How far the evidence of all classes is from adding up to the model's scores: the largest difference of a score.
   `sums` has room for `count` floats; K are filled, with the scores that evidence adds up to. */
camlite_status camlite_completeness(const camlite_artifact *artifact, const camlite_outputs *outputs, float *sums,
                                    size_t count, float *completeness);

/* A map as bytes of an image of any size, row by row: 0 where it is not above 0, 255 where it is the largest. The image
   shows what the model's input shows. `map` has at least h * w floats, `image` at least height * width bytes. */
camlite_status camlite_heatmap(const camlite_artifact *artifact, const float *map, size_t count, uint8_t *image,
                               size_t bytes, uint32_t height, uint32_t width);

/* Runs your interpreter: copies `bytes` of `input` into the model's input, and tells where features and scores are.
   They stay as they are until it is called again. Returns 0, or anything else where it could not. */
typedef int (*camlite_run)(void *context, const void *input, size_t bytes, camlite_outputs *outputs);

typedef enum { CAMLITE_SCORE_DIFFERENCE, CAMLITE_EVIDENCE_ERROR, CAMLITE_COMPLETENESS } camlite_figure;

/* What camlite_check has found: how many samples failed, and which figure of which sample is the nearest to its
   tolerance, or the furthest beyond. */
typedef struct {
    uint32_t failed;
    uint32_t sample;
    camlite_figure figure;
    float value, tolerance;
} camlite_checked;

/* The self-check: runs the golden samples through your interpreter. `map` has room for h * w floats, `sums` for K. */
camlite_status camlite_check(const camlite_artifact *artifact, camlite_run run, void *context, float *map,
                             size_t map_count, float *sums, size_t sums_count, camlite_checked *checked);

#ifdef __cplusplus
}
#endif

#endif
