// What example_tflm.cpp uses of TensorFlow Lite Micro, as its headers declare it (tflite-micro of 2022 to 2026): no
// registry has them. With these, a compiler finds whatever is wrong in the example itself. The names of operators are
// those that the wheel of tflite-micro registers.

#ifndef TFLM_DECLARATIONS_H
#define TFLM_DECLARATIONS_H

#include <cstddef>
#include <cstdint>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
union TfLitePtrUnion {
    char *raw;
    void *data;
};
struct TfLiteTensor {
    TfLitePtrUnion data;
    size_t bytes;
};

namespace tflite {

struct Model;
const Model *GetModel(const void *buffer);
void InitializeTarget();
struct MicroOpResolver {};
struct MicroResourceVariables;

#define TFLM_OPERATORS(ADD) \
    ADD(Abs) ADD(Add) ADD(AddN) ADD(ArgMax) ADD(AveragePool2D) ADD(BatchMatMul) ADD(BroadcastTo) ADD(Cast) ADD(Ceil) \
    ADD(Concatenation) ADD(Conv2D) ADD(Cos) ADD(CumSum) ADD(DepthToSpace) ADD(DepthwiseConv2D) ADD(Dequantize) ADD(Div) \
    ADD(Elu) ADD(Equal) ADD(Exp) ADD(ExpandDims) ADD(Floor) ADD(FullyConnected) ADD(Gather) ADD(Greater) \
    ADD(GreaterEqual) ADD(HardSwish) ADD(L2Normalization) ADD(LeakyRelu) ADD(Less) ADD(LessEqual) ADD(Log) \
    ADD(LogSoftmax) ADD(LogicalAnd) ADD(LogicalNot) ADD(LogicalOr) ADD(Logistic) ADD(MaxPool2D) ADD(Maximum) ADD(Mean) \
    ADD(Minimum) ADD(MirrorPad) ADD(Mul) ADD(Neg) ADD(NotEqual) ADD(Pack) ADD(Pad) ADD(Prelu) ADD(Quantize) \
    ADD(ReduceMax) ADD(ReduceMin) ADD(Relu) ADD(Relu6) ADD(Reshape) ADD(ResizeBilinear) ADD(ResizeNearestNeighbor) \
    ADD(ReverseV2) ADD(Round) ADD(Rsqrt) ADD(SelectV2) ADD(Sin) ADD(Slice) ADD(Softmax) ADD(SpaceToDepth) ADD(Split) \
    ADD(SplitV) ADD(Sqrt) ADD(Square) ADD(SquaredDifference) ADD(Squeeze) ADD(StridedSlice) ADD(Sub) ADD(Sum) ADD(Tanh) \
    ADD(Transpose) ADD(TransposeConv) ADD(Unpack) ADD(ZerosLike)

template <unsigned int count> class MicroMutableOpResolver : public MicroOpResolver {
  public:
#define TFLM_ADD(NAME) TfLiteStatus Add##NAME();
    TFLM_OPERATORS(TFLM_ADD)
#undef TFLM_ADD
};

class MicroInterpreter {
  public:
    MicroInterpreter(const Model *model, const MicroOpResolver &resolver, uint8_t *arena, size_t size,
                     MicroResourceVariables *variables = nullptr);
    TfLiteStatus AllocateTensors();
    TfLiteStatus Invoke();
    TfLiteTensor *input(size_t index);
    TfLiteTensor *output(size_t index);
    size_t arena_used_bytes() const;
};

}  // namespace tflite

#endif
