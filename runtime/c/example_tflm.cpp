// camlite_name on TensorFlow Lite Micro: the self-check, then an explanation of the picture in the model's input.
//
// Build it with TensorFlow Lite Micro's headers and library, camlite_name.c and camlite.c. Fill `take_picture`.

#include <cstdio>
#include <cstring>

#include "camlite_name.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace {

alignas(16) uint8_t arena[CAMLITE_NAME_ARENA_BYTES];
float map[CAMLITE_NAME_PLACES], sums[CAMLITE_NAME_CLASSES];
uint8_t image[CAMLITE_NAME_HEIGHT * CAMLITE_NAME_WIDTH];

// The next picture, as CAMLITE_NAME_INPUT_BYTES bytes in the way that camlite_name.h tells.
void take_picture(void *input) { std::memset(input, 0, CAMLITE_NAME_INPUT_BYTES); }

bool invoke(tflite::MicroInterpreter &interpreter, camlite_outputs *outputs) {
    if (interpreter.Invoke() != kTfLiteOk)
        return false;
    *outputs = CAMLITE_NAME_OUTPUTS(interpreter.output(CAMLITE_NAME_FEATURES_OUTPUT)->data.raw,
                                    interpreter.output(CAMLITE_NAME_SCORES_OUTPUT)->data.raw);
    return true;
}

// For camlite_check: runs one golden sample.
int run(void *context, const void *input, size_t bytes, camlite_outputs *outputs) {
    auto *interpreter = static_cast<tflite::MicroInterpreter *>(context);
    if (bytes != interpreter->input(0)->bytes)
        return 1;
    std::memcpy(interpreter->input(0)->data.raw, input, bytes);
    return invoke(*interpreter, outputs) ? 0 : 1;
}

int say(const char *what, camlite_status status) {
    std::printf("%s: status %d, see camlite.h\n", what, static_cast<int>(status));
    return 1;
}

}  // namespace

int main() {
    tflite::InitializeTarget();
    static tflite::MicroMutableOpResolver<CAMLITE_OPERATOR_COUNT> resolver;
    CAMLITE_OPERATORS
    static tflite::MicroInterpreter interpreter(tflite::GetModel(camlite_name_model), resolver, arena, sizeof arena);
    if (interpreter.AllocateTensors() != kTfLiteOk) {
        std::printf("the arena is too small: raise CAMLITE_NAME_ARENA_BYTES\n");
        return 1;
    }
    std::printf("arena: %lu bytes used\n", static_cast<unsigned long>(interpreter.arena_used_bytes()));

    camlite_checked checked;
    camlite_status status = camlite_check(&camlite_name, run, &interpreter, map, CAMLITE_NAME_PLACES, sums,
                                          CAMLITE_NAME_CLASSES, &checked);
    if (status != CAMLITE_OK && status != CAMLITE_NO_SAMPLES)
        return say("self-check", status);

    camlite_outputs outputs;
    uint32_t top;
    float score, difference;
    take_picture(interpreter.input(0)->data.raw);
    if (!invoke(interpreter, &outputs))
        return 1;
    if ((status = camlite_top(&camlite_name, &outputs, &top, &score)) != CAMLITE_OK ||
        (status = camlite_evidence(&camlite_name, &outputs, top, map, CAMLITE_NAME_PLACES)) != CAMLITE_OK ||
        (status = camlite_completeness(&camlite_name, &outputs, sums, CAMLITE_NAME_CLASSES, &difference)) != CAMLITE_OK ||
        (status = camlite_heatmap(&camlite_name, map, CAMLITE_NAME_PLACES, image, sizeof image, CAMLITE_NAME_HEIGHT,
                                  CAMLITE_NAME_WIDTH)) != CAMLITE_OK)
        return say("explanation", status);
    std::printf("%s: %d in 1000, evidence adds up within %d in 1000\n", camlite_name.labels[top],
                static_cast<int>(score * 1000), static_cast<int>(difference * 1000));
    // `image` now holds the heatmap, 0 cold to 255 hot, of the size of the model's input.
    return 0;
}
