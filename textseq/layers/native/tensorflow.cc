// What is here as operations of TensorFlow, by its C interface.
#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"

#include "adaptive.h"
#include "attention.h"
#include "feed_forward.h"
#include "normalization.h"
#include "recurrence.h"
#include "square_sum.h"

namespace {

using textseq::Back;
using textseq::Forwards;

// What an operation was defined with.
class Attributes {
 public:
  explicit Attributes(TF_OpKernelConstruction* construction) : construction_(construction), status_(TF_NewStatus()) {}
  ~Attributes() {
    if (TF_GetCode(status_) != TF_OK) TF_OpKernelConstruction_Failure(construction_, status_);
    TF_DeleteStatus(status_);
  }

  int32_t number(const char* name) {
    int32_t value = 0;
    if (good()) TF_OpKernelConstruction_GetAttrInt32(construction_, name, &value, status_);
    return value;
  }

  bool flag(const char* name) {
    TF_Bool value = 0;
    if (good()) TF_OpKernelConstruction_GetAttrBool(construction_, name, &value, status_);
    return value;
  }

 private:
  bool good() const { return TF_GetCode(status_) == TF_OK; }

  TF_OpKernelConstruction* construction_;
  TF_Status* status_;
};

struct Nothing {
  explicit Nothing(Attributes&) {}
};

struct Kernel {
  explicit Kernel(Attributes& given)
      : cell(given.number("cell")), reverse(given.flag("reverse")), masked(given.flag("masked")),
        dropped(given.flag("dropped")) {}

  const int32_t cell;
  const bool reverse, masked, dropped;
};

struct Turned {
  explicit Turned(Attributes& given) : first(given.flag("first_turned")), second(given.flag("second_turned")) {}

  const bool first, second;
};

struct Gated {
  explicit Gated(Attributes& given) : gated(given.flag("gated")) {}

  const bool gated;
};

struct Seeing {
  explicit Seeing(Attributes& given)
      : heads(given.number("heads")), causal(given.flag("causal")), masked(given.flag("masked")) {}

  const int32_t heads;
  const bool causal, masked;
};

// The tensors of one call.
class Call {
 public:
  explicit Call(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}
  ~Call() {
    for (TF_Tensor* tensor : tensors_) TF_DeleteTensor(tensor);
    if (TF_GetCode(status_) != TF_OK) TF_OpKernelContext_Failure(context_, status_);
    TF_DeleteStatus(status_);
  }

  bool good() const { return TF_GetCode(status_) == TF_OK; }

  void refuse(const char* why) { TF_SetStatus(status_, TF_INVALID_ARGUMENT, why); }

  template <typename T = float>
  T* input(int index) {
    TF_Tensor* tensor = nullptr;
    if (good()) TF_GetInput(context_, index, &tensor, status_);
    if (!good()) return nullptr;
    tensors_.push_back(tensor);
    return static_cast<T*>(TF_TensorData(tensor));
  }

  int64_t size(int index, int axis) {
    TF_Tensor* tensor = nullptr;
    if (good()) TF_GetInput(context_, index, &tensor, status_);
    if (!good()) return 0;
    tensors_.push_back(tensor);
    return TF_Dim(tensor, axis);
  }

  // Of a list, whose tensors come one after the other.
  std::vector<textseq::Numbers> inputs() {
    std::vector<textseq::Numbers> all;
    for (int i = 0; good() && i < TF_NumInputs(context_); ++i) {
      const float* start = input(i);
      if (good()) all.push_back({start, TF_TensorElementCount(tensors_.back())});
    }
    return all;
  }

  template <typename T = float>
  T* output(int index, std::vector<int64_t> shape, TF_DataType type = TF_FLOAT) {
    size_t bytes = type == TF_FLOAT ? 4 : 2;
    for (int64_t size : shape) bytes *= size;
    if (!good()) return nullptr;
    TF_Tensor* tensor = TF_AllocateOutput(context_, index, type, shape.data(), (int)shape.size(), bytes, status_);
    if (!good()) return nullptr;
    tensors_.push_back(tensor);
    return static_cast<T*>(TF_TensorData(tensor));
  }

 private:
  TF_OpKernelContext* context_;
  TF_Status* status_;
  std::vector<TF_Tensor*> tensors_;
};

// Reads what both ways are given, from input `index` on.
void read_given(Call& call, const Kernel& kernel, int index, textseq::Given& given) {
  given.reverse = kernel.reverse;
  given.recurrent = call.input(index);
  given.units = call.size(index, 0);
  given.mask = kernel.masked ? call.input<uint8_t>(index + 1) : nullptr;
  given.drop = kernel.dropped ? call.input(index + 2) : nullptr;
  given.h = call.input(index + 3);
  given.c = call.input(index + 4);
}

template <TF_DataType kType>
void forwards(void* kernel, TF_OpKernelContext* context) {
  const auto& how = *static_cast<Kernel*>(kernel);
  Call call(context);
  Forwards given;
  given.projected = call.input(0);
  given.time = call.size(0, 0);
  given.batch = call.size(0, 1);
  given.bias = call.input(1);
  read_given(call, how, 2, given);
  const int64_t time = given.time, batch = given.batch, units = given.units;
  given.recurrent_bias = given.bias + textseq::gates_of(how.cell) * units;
  given.outputs = call.output(0, {time, batch, units});
  given.entering = call.output<void>(1, {time, batch, units}, kType);
  given.cells = call.output(2, {time, batch, how.cell == textseq::kLSTM ? units : 0});
  given.saved = call.output(3, {time, given.blocks(), batch, textseq::saved_of(how.cell) * textseq::kWidth});
  if (call.good()) textseq::run<kType == TF_BFLOAT16>(how.cell, given);
}

template <TF_DataType kType>
void back(void* kernel, TF_OpKernelContext* context) {
  const auto& how = *static_cast<Kernel*>(kernel);
  Call call(context);
  Back given;
  given.d_outputs = call.input(0);
  given.d_last_h = call.input(1);
  given.d_last_c = call.input(2);
  given.outputs = call.input(3);
  given.time = call.size(3, 0);
  given.batch = call.size(3, 1);
  given.cells = call.input(4);
  given.saved = call.input(5);
  read_given(call, how, 6, given);
  const int64_t time = given.time, batch = given.batch, units = given.units;
  const int64_t gates = textseq::gates_of(how.cell), rows = how.cell == textseq::kGRU ? 2 : 1;
  given.d_gates = call.output<void>(0, {time, batch, gates * units}, kType);
  given.d_recurrent = call.output<void>(1, {time, batch, rows == 2 ? gates * units : 0}, kType);
  given.d_bias = call.output(2, {rows, gates * units});
  given.d_h = call.output(3, {batch, units});
  given.d_c = call.output(4, {batch, how.cell == textseq::kLSTM ? units : 0});
  if (call.good()) textseq::run<kType == TF_BFLOAT16>(how.cell, given);
}

// Reads what both softmaxes are given, but the rows, and makes room for what they return.
float* read_softmax(Call& call, textseq::Softmax& given) {
  given.rows = call.size(0, 0);
  given.features = call.size(0, 1);
  given.kernel = call.input(1);
  given.vocabulary = call.size(1, 0);
  given.bias = call.input(2);
  given.targets = call.input<int32_t>(3);
  given.weights = call.input(4);
  if (call.good() && !given.holds_targets()) call.refuse(textseq::kNoSuchTarget);
  float* loss = call.output(0, {});
  given.d_kernel = call.output(2, {given.vocabulary, given.features});
  given.d_bias = call.output(3, {given.vocabulary});
  return loss;
}

// Reads the rows and runs `all`, of which `given` is a part.
template <TF_DataType kType, typename All>
void run_softmax(Call& call, textseq::Softmax& given, const All& all, float* loss) {
  using Number = std::conditional_t<kType == TF_FLOAT, float, uint16_t>;
  Number* hidden = call.input<Number>(0);
  Number* d_hidden = call.output<Number>(1, {given.rows, given.features}, kType);
  if (!call.good()) return;
  if constexpr (kType == TF_FLOAT) {
    given.hidden = hidden;
    given.d_hidden = d_hidden;
    *loss = (float)textseq::run(all);
  } else {
    const textseq::HalfRows rows(given, hidden, d_hidden);
    *loss = (float)textseq::run(all);
    rows.finish();
  }
}

template <TF_DataType kType>
void softmax(void*, TF_OpKernelContext* context) {
  Call call(context);
  textseq::Softmax given;
  float* loss = read_softmax(call, given);
  run_softmax<kType>(call, given, given, loss);
}

template <TF_DataType kType>
void adaptive_softmax(void*, TF_OpKernelContext* context) {
  Call call(context);
  textseq::AdaptiveSoftmax given;
  float* loss = read_softmax(call, given.whole);
  given.cluster_kernel = call.input(5);
  given.cluster_bias = call.input(6);
  given.cutoffs = call.input<int32_t>(7);
  given.clusters = call.size(7, 0);
  if (call.good() && !given.holds_cutoffs()) call.refuse(textseq::kNoSuchCutoff);
  given.d_cluster_kernel = call.output(4, {given.clusters, given.whole.features});
  given.d_cluster_bias = call.output(5, {given.clusters});
  run_softmax<kType>(call, given.whole, given, loss);
}

void product(void* kernel, TF_OpKernelContext* context) {
  const auto& turned = *static_cast<Turned*>(kernel);
  Call call(context);
  const textseq::Matrix a{call.input(0), call.size(0, 1), turned.first};
  const textseq::Matrix b{call.input(1), call.size(1, 1), turned.second};
  const int64_t rows = call.size(0, turned.first ? 1 : 0), depth = call.size(0, turned.first ? 0 : 1);
  const int64_t columns = call.size(1, turned.second ? 0 : 1);
  if (call.good() && depth != call.size(1, turned.second ? 1 : 0)) call.refuse(textseq::kNotAlike);
  float* sums = call.output(0, {rows, columns});
  if (call.good()) textseq::multiply(a, b, rows, columns, depth, sums);
}

// Reads what both ways are given.
void read_attention(Call& call, const Seeing& how, textseq::Attention& given) {
  given.projected = call.input(0);
  given.batch = call.size(0, 0);
  given.time = call.size(0, 1);
  given.cos = call.input(1);
  given.turns = call.size(1, 0);
  given.width = 2 * call.size(1, 2);
  given.sin = call.input(2);
  given.heads = how.heads;
  given.kv_heads = call.good() ? (call.size(0, 2) / given.width - how.heads) / 2 : 0;
  given.causal = how.causal;
  given.mask = how.masked ? call.input<uint8_t>(3) : nullptr;
}

void attention(void* kernel, TF_OpKernelContext* context) {
  Call call(context);
  textseq::Attention given;
  read_attention(call, *static_cast<Seeing*>(kernel), given);
  given.mixed = call.output(0, {given.batch, given.time, given.heads * given.width});
  given.sums = call.output(1, {given.batch, given.heads, given.time});
  if (call.good()) textseq::run(given, false);
}

void attention_back(void* kernel, TF_OpKernelContext* context) {
  Call call(context);
  textseq::Attention given;
  read_attention(call, *static_cast<Seeing*>(kernel), given);
  given.mixed = call.input(4);
  given.sums = call.input(5);
  given.d_mixed = call.input(6);
  given.d_projected = call.output(0, {given.batch, given.time, given.columns()});
  if (call.good()) textseq::run(given, true);
}

// Reads what both ways are given.
void read_feed_forward(Call& call, const Gated& how, textseq::FeedForward& given) {
  given.inputs = call.input(0);
  given.rows = call.size(0, 0);
  given.units = call.size(0, 1);
  given.wide = call.input(1);
  given.narrow = call.input(2);
  given.inner = call.size(2, 0);
  given.gated = how.gated;
}

void feed_forward(void* kernel, TF_OpKernelContext* context) {
  Call call(context);
  textseq::FeedForward given;
  read_feed_forward(call, *static_cast<Gated*>(kernel), given);
  given.outputs = call.output(0, {given.rows, given.units});
  given.sums = call.output(1, {given.rows, given.columns()});
  if (call.good()) textseq::run(given, false);
}

void feed_forward_back(void* kernel, TF_OpKernelContext* context) {
  Call call(context);
  textseq::FeedForward given;
  read_feed_forward(call, *static_cast<Gated*>(kernel), given);
  given.sums = call.input(3);
  given.d_outputs = call.input(4);
  given.d_inputs = call.output(0, {given.rows, given.units});
  given.d_wide = call.output(1, {given.units, given.columns()});
  given.d_narrow = call.output(2, {given.inner, given.units});
  if (call.good()) textseq::run(given, true);
}

// Reads what both ways are given, where something is added with that before the scale.
void read_normalization(Call& call, bool adds, textseq::Normalization& given) {
  given.inputs = call.input(0);
  given.rows = call.size(0, 0);
  given.width = call.size(0, 1);
  if (adds) given.added = call.input(1);
  given.scale = call.input(adds ? 2 : 1);
}

template <bool kAdds>
void normalize(void*, TF_OpKernelContext* context) {
  Call call(context);
  textseq::Normalization given;
  read_normalization(call, kAdds, given);
  given.outputs = call.output(0, {given.rows, given.width});
  given.roots = call.output(1, {given.rows});
  if (kAdds) given.sums = call.output(2, {given.rows, given.width});
  if (call.good()) textseq::normalize(given);
}

template <bool kAdds>
void normalize_back(void*, TF_OpKernelContext* context) {
  Call call(context);
  textseq::Normalization given;
  read_normalization(call, false, given);
  given.roots = call.input(2);
  given.d_outputs = call.input(3);
  if (kAdds) given.d_sums = call.input(4);
  given.d_inputs = call.output(0, {given.rows, given.width});
  given.d_scale = call.output(1, {given.width});
  if (call.good()) textseq::normalize_back(given);
}

void square_sum(void*, TF_OpKernelContext* context) {
  Call call(context);
  const std::vector<textseq::Numbers> tensors = call.inputs();
  float* sum = call.output(0, {});
  if (call.good()) *sum = (float)textseq::square_sum(tensors);
}

void shapes_unknown(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeInferenceContextSetUnknownShape(context, status);
}

void define(const char* name, std::vector<const char*> inputs, std::vector<const char*> outputs,
            std::vector<const char*> attributes) {
  TF_OpDefinitionBuilder* builder = TF_NewOpDefinitionBuilder(name);
  for (const char* input : inputs) TF_OpDefinitionBuilderAddInput(builder, input);
  for (const char* output : outputs) TF_OpDefinitionBuilderAddOutput(builder, output);
  for (const char* attribute : attributes) TF_OpDefinitionBuilderAddAttr(builder, attribute);
  TF_OpDefinitionBuilderSetShapeInferenceFunction(builder, &shapes_unknown);
  TF_Status* status = TF_NewStatus();
  TF_RegisterOpDefinition(builder, status);
  TF_DeleteStatus(status);
}

template <typename How = Nothing>
void provide(const char* name, TF_DataType type, void (*compute)(void*, TF_OpKernelContext*)) {
  const auto create = [](TF_OpKernelConstruction* construction) -> void* {
    Attributes given(construction);
    return new How(given);
  };
  const auto destroy = [](void* how) { delete static_cast<How*>(how); };
  TF_KernelBuilder* builder = TF_NewKernelBuilder(name, "CPU", create, compute, destroy);
  TF_Status* status = TF_NewStatus();
  TF_KernelBuilder_TypeConstraint(builder, "T", type, status);
  TF_RegisterKernelBuilder(name, builder, status);
  TF_DeleteStatus(status);
}

const bool registered = [] {
  const std::vector<const char*> how = {"T: {float, bfloat16}", "cell: int", "reverse: bool", "masked: bool",
                                        "dropped: bool"};
  define("TextseqRecurrence",
         {"projected: float", "bias: float", "recurrent: float", "mask: bool", "drop: float", "h: float", "c: float"},
         {"outputs: float", "entering: T", "cells: float", "saved: float"}, how);
  define("TextseqRecurrenceBack",
         {"d_outputs: float", "d_last_h: float", "d_last_c: float", "outputs: float", "cells: float", "saved: float",
          "recurrent: float", "mask: bool", "drop: float", "h: float", "c: float"},
         {"d_gates: T", "d_recurrent: T", "d_bias: float", "d_h: float", "d_c: float"}, how);
  // The rows' own type is read from them; an operation's is said.
  const std::vector<const char*> types = {"T: {float, bfloat16}", "U: {float, bfloat16}"};
  define("TextseqSoftmax", {"hidden: U", "kernel: float", "bias: float", "targets: int32", "weights: float"},
         {"loss: float", "d_hidden: T", "d_kernel: float", "d_bias: float"}, types);
  define("TextseqAdaptiveSoftmax",
         {"hidden: U", "table: float", "bias: float", "targets: int32", "weights: float", "cluster_kernel: float",
          "cluster_bias: float", "cutoffs: int32"},
         {"loss: float", "d_hidden: T", "d_table: float", "d_bias: float", "d_cluster_kernel: float",
          "d_cluster_bias: float"},
         types);
  define("TextseqProduct", {"a: float", "b: float"}, {"sums: float"},
         {"T: {float}", "first_turned: bool", "second_turned: bool"});
  provide<Turned>("TextseqProduct", TF_FLOAT, &product);
  define("TextseqNormalized", {"inputs: float", "scale: float"}, {"outputs: float", "roots: float"}, {"T: {float}"});
  define("TextseqNormalizedBack", {"inputs: float", "scale: float", "roots: float", "d_outputs: float"},
         {"d_inputs: float", "d_scale: float"}, {"T: {float}"});
  define("TextseqAddedNormalized", {"inputs: float", "added: float", "scale: float"},
         {"outputs: float", "roots: float", "sums: float"}, {"T: {float}"});
  define("TextseqAddedNormalizedBack",
         {"sums: float", "scale: float", "roots: float", "d_outputs: float", "d_sums: float"},
         {"d_inputs: float", "d_scale: float"}, {"T: {float}"});
  provide("TextseqNormalized", TF_FLOAT, &normalize<false>);
  provide("TextseqNormalizedBack", TF_FLOAT, &normalize_back<false>);
  provide("TextseqAddedNormalized", TF_FLOAT, &normalize<true>);
  provide("TextseqAddedNormalizedBack", TF_FLOAT, &normalize_back<true>);
  define("TextseqSquareSum", {"tensors: N * float"}, {"sum: float"}, {"T: {float}", "N: int >= 1"});
  provide("TextseqSquareSum", TF_FLOAT, &square_sum);
  const std::vector<const char*> seeing = {"T: {float}", "heads: int", "causal: bool", "masked: bool"};
  define("TextseqAttention", {"projected: float", "cos: float", "sin: float", "mask: bool"},
         {"mixed: float", "sums: float"}, seeing);
  define("TextseqAttentionBack",
         {"projected: float", "cos: float", "sin: float", "mask: bool", "mixed: float", "sums: float",
          "d_mixed: float"},
         {"d_projected: float"}, seeing);
  provide<Seeing>("TextseqAttention", TF_FLOAT, &attention);
  provide<Seeing>("TextseqAttentionBack", TF_FLOAT, &attention_back);
  define("TextseqFeedForward", {"inputs: float", "wide: float", "narrow: float"}, {"outputs: float", "sums: float"},
         {"T: {float}", "gated: bool"});
  define("TextseqFeedForwardBack",
         {"inputs: float", "wide: float", "narrow: float", "sums: float", "d_outputs: float"},
         {"d_inputs: float", "d_wide: float", "d_narrow: float"}, {"T: {float}", "gated: bool"});
  provide<Gated>("TextseqFeedForward", TF_FLOAT, &feed_forward);
  provide<Gated>("TextseqFeedForwardBack", TF_FLOAT, &feed_forward_back);
  provide("TextseqSoftmax", TF_FLOAT, &softmax<TF_FLOAT>);
  provide("TextseqAdaptiveSoftmax", TF_FLOAT, &adaptive_softmax<TF_FLOAT>);
  provide<Kernel>("TextseqRecurrence", TF_FLOAT, &forwards<TF_FLOAT>);
  provide<Kernel>("TextseqRecurrenceBack", TF_FLOAT, &back<TF_FLOAT>);
#if defined(TEXTSEQ_TILES)
  if (textseq::Tiles::usable()) {
    provide("TextseqSoftmax", TF_BFLOAT16, &softmax<TF_BFLOAT16>);
    provide("TextseqAdaptiveSoftmax", TF_BFLOAT16, &adaptive_softmax<TF_BFLOAT16>);
    provide<Kernel>("TextseqRecurrence", TF_BFLOAT16, &forwards<TF_BFLOAT16>);
    provide<Kernel>("TextseqRecurrenceBack", TF_BFLOAT16, &back<TF_BFLOAT16>);
  }
#endif
  return true;
}();

}  // namespace
