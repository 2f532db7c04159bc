/* camlite_name on LiteRT's C API, for example_linux.c: `open_model` once, then `run` for each picture.

   The declarations are those of LiteRT 2.3.0, of what is used here. Where you have LiteRT's headers (litert/c/), include
   them in their place. */

#ifndef EXAMPLE_LITERT_H
#define EXAMPLE_LITERT_H

#include <string.h>

#include "camlite_name.h"

typedef struct environment *LiteRtEnvironment;
typedef struct model *LiteRtModel;
typedef struct options *LiteRtOptions;
typedef struct compiled *LiteRtCompiledModel;
typedef struct signature *LiteRtSignature;
typedef struct tensor *LiteRtTensor;
typedef struct requirements *LiteRtTensorBufferRequirements;
typedef struct buffer *LiteRtTensorBuffer;
typedef struct { uint64_t content[32]; } LiteRtRankedTensorType; /* 72 bytes are used */

int LiteRtCreateEnvironment(int count, const void *options, LiteRtEnvironment *);
int LiteRtCreateModelFromBuffer(LiteRtEnvironment, const void *, size_t, LiteRtModel *);
int LiteRtCreateOptions(LiteRtOptions *);
int LiteRtSetOptionsHardwareAccelerators(LiteRtOptions, int); /* 1: the CPU */
int LiteRtCreateCompiledModel(LiteRtEnvironment, LiteRtModel, LiteRtOptions, LiteRtCompiledModel *);
int LiteRtGetModelSignature(LiteRtModel, size_t, LiteRtSignature *);
int LiteRtGetSignatureOutputName(LiteRtSignature, size_t, const char **);
int LiteRtGetSignatureInputTensorByIndex(LiteRtSignature, size_t, LiteRtTensor *);
int LiteRtGetSignatureOutputTensorByIndex(LiteRtSignature, size_t, LiteRtTensor *);
int LiteRtGetRankedTensorType(LiteRtTensor, LiteRtRankedTensorType *);
int LiteRtGetCompiledModelInputBufferRequirements(LiteRtCompiledModel, size_t signature, size_t,
                                                  LiteRtTensorBufferRequirements *);
int LiteRtGetCompiledModelOutputBufferRequirements(LiteRtCompiledModel, size_t signature, size_t,
                                                   LiteRtTensorBufferRequirements *);
int LiteRtCreateManagedTensorBufferFromRequirements(LiteRtEnvironment, const LiteRtRankedTensorType *,
                                                    LiteRtTensorBufferRequirements, LiteRtTensorBuffer *);
int LiteRtGetTensorBufferPackedSize(LiteRtTensorBuffer, size_t *);
int LiteRtLockTensorBuffer(LiteRtTensorBuffer, void **, int); /* 0: to read, 1: to write */
int LiteRtUnlockTensorBuffer(LiteRtTensorBuffer);
int LiteRtRunCompiledModel(LiteRtCompiledModel, size_t signature, size_t, LiteRtTensorBuffer *, size_t,
                           LiteRtTensorBuffer *);

static LiteRtCompiledModel compiled;
static LiteRtTensorBuffer entrance, exits[2];
static int scores_at; /* which of the two exits they are */
static uint8_t features[CAMLITE_NAME_FEATURES_BYTES], scores[CAMLITE_NAME_SCORES_BYTES];

/* Returns NULL, or what is wrong. */
static const char *open_model(void)
{
    LiteRtEnvironment environment;
    LiteRtModel model;
    LiteRtOptions options;
    LiteRtSignature signature;
    LiteRtTensor tensor;
    LiteRtTensorBufferRequirements needed;
    LiteRtRankedTensorType type;
    const char *name;
    size_t n;
    if (LiteRtCreateEnvironment(0, NULL, &environment) ||
        LiteRtCreateModelFromBuffer(environment, camlite_name_model, sizeof camlite_name_model, &model) ||
        LiteRtCreateOptions(&options) || LiteRtSetOptionsHardwareAccelerators(options, 1) ||
        LiteRtCreateCompiledModel(environment, model, options, &compiled) ||
        LiteRtGetModelSignature(model, 0, &signature) || LiteRtGetSignatureOutputName(signature, 0, &name))
        return "LiteRT cannot open the model";
    scores_at = strcmp(name, "scores") != 0;
    for (n = 0; n < 3; n++)
        if ((n == 2 ? LiteRtGetSignatureInputTensorByIndex(signature, 0, &tensor)
                    : LiteRtGetSignatureOutputTensorByIndex(signature, n, &tensor)) ||
            LiteRtGetRankedTensorType(tensor, &type) ||
            (n == 2 ? LiteRtGetCompiledModelInputBufferRequirements(compiled, 0, 0, &needed)
                    : LiteRtGetCompiledModelOutputBufferRequirements(compiled, 0, n, &needed)) ||
            LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, needed, n == 2 ? &entrance : &exits[n]))
            return "LiteRT has no memory for the model's input and outputs";
    return NULL;
}

/* Into a buffer of LiteRT, or out of it. */
static int copied(LiteRtTensorBuffer buffer, void *out, const void *in, size_t bytes)
{
    void *memory;
    size_t there;
    if (LiteRtGetTensorBufferPackedSize(buffer, &there) || there != bytes ||
        LiteRtLockTensorBuffer(buffer, &memory, in != NULL))
        return 0;
    memcpy(in ? memory : out, in ? in : memory, bytes);
    return !LiteRtUnlockTensorBuffer(buffer);
}

/* For camlite_check, and for the picture. */
static int run(void *context, const void *input, size_t bytes, camlite_outputs *outputs)
{
    const camlite_outputs left = CAMLITE_NAME_OUTPUTS(features, scores);
    (void)context;
    *outputs = left;
    return !(copied(entrance, NULL, input, bytes) && !LiteRtRunCompiledModel(compiled, 0, 1, &entrance, 2, exits) &&
             copied(exits[scores_at], scores, NULL, sizeof scores) &&
             copied(exits[!scores_at], features, NULL, sizeof features));
}

#endif
