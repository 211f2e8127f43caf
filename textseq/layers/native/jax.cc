// What is here as calls that XLA makes for JAX.
#include "xla/ffi/api/ffi.h"

#include "adaptive.h"
#include "attention.h"
#include "feed_forward.h"
#include "normalization.h"
#include "recurrence.h"

namespace {

namespace ffi = xla::ffi;
using textseq::Back;
using textseq::Forwards;
using In = ffi::AnyBuffer;
using Out = ffi::Result<ffi::AnyBuffer>;

const float* floats(In buffer) { return static_cast<const float*>(buffer.untyped_data()); }
float* floats(Out& buffer) { return static_cast<float*>(buffer->untyped_data()); }

void read_given(textseq::Given& given, bool reverse, bool masked, bool dropped, In recurrent, In mask, In drop, In h,
                In c) {
  given.reverse = reverse;
  given.recurrent = floats(recurrent);
  given.units = recurrent.dimensions()[0];
  given.mask = masked ? static_cast<const uint8_t*>(mask.untyped_data()) : nullptr;
  given.drop = dropped ? floats(drop) : nullptr;
  given.h = floats(h);
  given.c = floats(c);
}

template <bool kOf16Bits>
ffi::Error forwards(In projected, In bias, In recurrent, In mask, In drop, In h, In c, Out outputs, Out entering,
                    Out cells, Out saved, int32_t cell, bool reverse, bool masked, bool dropped) {
  Forwards given;
  read_given(given, reverse, masked, dropped, recurrent, mask, drop, h, c);
  given.time = projected.dimensions()[0];
  given.batch = projected.dimensions()[1];
  given.projected = floats(projected);
  given.bias = floats(bias);
  given.recurrent_bias = given.bias + textseq::gates_of(cell) * given.units;
  given.outputs = floats(outputs);
  given.entering = entering->untyped_data();
  given.cells = floats(cells);
  given.saved = floats(saved);
  textseq::run<kOf16Bits>(cell, given);
  return ffi::Error::Success();
}

template <bool kOf16Bits>
ffi::Error back(In d_outputs, In d_last_h, In d_last_c, In outputs, In cells, In saved, In recurrent, In mask, In drop,
                In h, In c, Out d_gates, Out d_recurrent, Out d_bias, Out d_h, Out d_c, int32_t cell, bool reverse,
                bool masked, bool dropped) {
  Back given;
  read_given(given, reverse, masked, dropped, recurrent, mask, drop, h, c);
  given.time = outputs.dimensions()[0];
  given.batch = outputs.dimensions()[1];
  given.d_outputs = floats(d_outputs);
  given.d_last_h = floats(d_last_h);
  given.d_last_c = floats(d_last_c);
  given.outputs = floats(outputs);
  given.cells = floats(cells);
  given.saved = floats(saved);
  given.d_gates = d_gates->untyped_data();
  given.d_recurrent = d_recurrent->untyped_data();
  given.d_bias = floats(d_bias);
  given.d_h = floats(d_h);
  given.d_c = floats(d_c);
  textseq::run<kOf16Bits>(cell, given);
  return ffi::Error::Success();
}

textseq::Softmax softmax_of(In hidden, In kernel, In bias, In targets, In weights, Out d_kernel, Out d_bias) {
  textseq::Softmax given;
  given.rows = hidden.dimensions()[0];
  given.features = hidden.dimensions()[1];
  given.kernel = floats(kernel);
  given.vocabulary = kernel.dimensions()[0];
  given.bias = floats(bias);
  given.targets = static_cast<const int32_t*>(targets.untyped_data());
  given.weights = floats(weights);
  given.d_kernel = floats(d_kernel);
  given.d_bias = floats(d_bias);
  return given;
}

// Runs `all`, of which `given` is a part that lacks the rows.
template <bool kOf16Bits, typename All>
ffi::Error run_softmax(textseq::Softmax& given, const All& all, In hidden, Out loss, Out d_hidden) {
  if (!given.holds_targets()) return ffi::Error::InvalidArgument(textseq::kNoSuchTarget);
  if constexpr (kOf16Bits) {
    const textseq::HalfRows rows(given, static_cast<const uint16_t*>(hidden.untyped_data()),
                                 static_cast<uint16_t*>(d_hidden->untyped_data()));
    *floats(loss) = (float)textseq::run(all);
    rows.finish();
  } else {
    given.hidden = floats(hidden);
    given.d_hidden = floats(d_hidden);
    *floats(loss) = (float)textseq::run(all);
  }
  return ffi::Error::Success();
}

template <bool kOf16Bits>
ffi::Error softmax(In hidden, In kernel, In bias, In targets, In weights, Out loss, Out d_hidden, Out d_kernel,
                   Out d_bias) {
  textseq::Softmax given = softmax_of(hidden, kernel, bias, targets, weights, d_kernel, d_bias);
  return run_softmax<kOf16Bits>(given, given, hidden, loss, d_hidden);
}

template <bool kOf16Bits>
ffi::Error adaptive_softmax(In hidden, In table, In bias, In targets, In weights, In cluster_kernel, In cluster_bias,
                            In cutoffs, Out loss, Out d_hidden, Out d_table, Out d_bias, Out d_cluster_kernel,
                            Out d_cluster_bias) {
  textseq::AdaptiveSoftmax given;
  given.whole = softmax_of(hidden, table, bias, targets, weights, d_table, d_bias);
  given.cluster_kernel = floats(cluster_kernel);
  given.cluster_bias = floats(cluster_bias);
  given.cutoffs = static_cast<const int32_t*>(cutoffs.untyped_data());
  given.clusters = cutoffs.dimensions()[0];
  given.d_cluster_kernel = floats(d_cluster_kernel);
  given.d_cluster_bias = floats(d_cluster_bias);
  if (!given.holds_cutoffs()) return ffi::Error::InvalidArgument(textseq::kNoSuchCutoff);
  return run_softmax<kOf16Bits>(given.whole, given, hidden, loss, d_hidden);
}

ffi::Error product(In first, In second, Out sums, bool first_turned, bool second_turned) {
  const auto one = first.dimensions(), other = second.dimensions();
  const textseq::Matrix a{floats(first), one[1], first_turned}, b{floats(second), other[1], second_turned};
  const int64_t rows = one[first_turned ? 1 : 0], depth = one[first_turned ? 0 : 1];
  if (depth != other[second_turned ? 1 : 0]) return ffi::Error::InvalidArgument(textseq::kNotAlike);
  textseq::multiply(a, b, rows, other[second_turned ? 0 : 1], depth, floats(sums));
  return ffi::Error::Success();
}

// Returns what both ways are given.
textseq::Attention attention_of(In projected, In cos, In sin, In mask, int32_t heads, bool causal, bool masked) {
  const auto sizes = projected.dimensions();
  textseq::Attention given;
  given.batch = sizes[0];
  given.time = sizes[1];
  given.heads = heads;
  given.turns = cos.dimensions()[0];
  given.width = 2 * cos.dimensions()[2];
  given.kv_heads = (sizes[2] / given.width - heads) / 2;
  given.causal = causal;
  given.mask = masked ? static_cast<const uint8_t*>(mask.untyped_data()) : nullptr;
  given.projected = floats(projected);
  given.cos = floats(cos);
  given.sin = floats(sin);
  return given;
}

ffi::Error attention(In projected, In cos, In sin, In mask, Out mixed, Out sums, int32_t heads, bool causal,
                     bool masked) {
  textseq::Attention given = attention_of(projected, cos, sin, mask, heads, causal, masked);
  given.mixed = floats(mixed);
  given.sums = floats(sums);
  textseq::run(given, false);
  return ffi::Error::Success();
}

ffi::Error attention_back(In projected, In cos, In sin, In mask, In mixed, In sums, In d_mixed, Out d_projected,
                          int32_t heads, bool causal, bool masked) {
  textseq::Attention given = attention_of(projected, cos, sin, mask, heads, causal, masked);
  given.mixed = const_cast<float*>(floats(mixed));
  given.sums = const_cast<float*>(floats(sums));
  given.d_mixed = floats(d_mixed);
  given.d_projected = floats(d_projected);
  textseq::run(given, true);
  return ffi::Error::Success();
}

auto bound_attention() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>()
      .Attr<int32_t>("heads").Attr<bool>("causal").Attr<bool>("masked");
}

auto bound_attention_back() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>()
      .Attr<int32_t>("heads").Attr<bool>("causal").Attr<bool>("masked");
}

textseq::FeedForward feed_forward_of(In inputs, In wide, In narrow, bool gated) {
  textseq::FeedForward given;
  given.rows = inputs.dimensions()[0];
  given.units = inputs.dimensions()[1];
  given.inner = narrow.dimensions()[0];
  given.gated = gated;
  given.inputs = floats(inputs);
  given.wide = floats(wide);
  given.narrow = floats(narrow);
  return given;
}

ffi::Error feed_forward(In inputs, In wide, In narrow, Out outputs, Out sums, bool gated) {
  textseq::FeedForward given = feed_forward_of(inputs, wide, narrow, gated);
  given.outputs = floats(outputs);
  given.sums = floats(sums);
  textseq::run(given, false);
  return ffi::Error::Success();
}

ffi::Error feed_forward_back(In inputs, In wide, In narrow, In sums, In d_outputs, Out d_inputs, Out d_wide,
                             Out d_narrow, bool gated) {
  textseq::FeedForward given = feed_forward_of(inputs, wide, narrow, gated);
  given.sums = const_cast<float*>(floats(sums));
  given.d_outputs = floats(d_outputs);
  given.d_inputs = floats(d_inputs);
  given.d_wide = floats(d_wide);
  given.d_narrow = floats(d_narrow);
  textseq::run(given, true);
  return ffi::Error::Success();
}

auto bound_feed_forward() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>()
      .Attr<bool>("gated");
}

auto bound_feed_forward_back() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>()
      .Attr<bool>("gated");
}

textseq::Normalization normalization_of(In inputs, In scale) {
  textseq::Normalization given;
  given.rows = inputs.dimensions()[0];
  given.width = inputs.dimensions()[1];
  given.inputs = floats(inputs);
  given.scale = floats(scale);
  return given;
}

ffi::Error normalize(In inputs, In scale, Out outputs, Out roots) {
  textseq::Normalization given = normalization_of(inputs, scale);
  given.outputs = floats(outputs);
  given.roots = floats(roots);
  textseq::normalize(given);
  return ffi::Error::Success();
}

ffi::Error normalize_back(textseq::Normalization given, In roots, In d_outputs, Out d_inputs, Out d_scale) {
  given.roots = const_cast<float*>(floats(roots));
  given.d_outputs = floats(d_outputs);
  given.d_inputs = floats(d_inputs);
  given.d_scale = floats(d_scale);
  textseq::normalize_back(given);
  return ffi::Error::Success();
}

ffi::Error normalize_rows_back(In inputs, In scale, In roots, In d_outputs, Out d_inputs, Out d_scale) {
  return normalize_back(normalization_of(inputs, scale), roots, d_outputs, d_inputs, d_scale);
}

ffi::Error add_and_normalize(In inputs, In added, In scale, Out outputs, Out roots, Out sums) {
  textseq::Normalization given = normalization_of(inputs, scale);
  given.added = floats(added);
  given.outputs = floats(outputs);
  given.roots = floats(roots);
  given.sums = floats(sums);
  textseq::normalize(given);
  return ffi::Error::Success();
}

ffi::Error add_and_normalize_back(In sums, In scale, In roots, In d_outputs, In d_sums, Out d_inputs, Out d_scale) {
  textseq::Normalization given = normalization_of(sums, scale);
  given.d_sums = floats(d_sums);
  return normalize_back(given, roots, d_outputs, d_inputs, d_scale);
}

auto bound_add_and_normalize() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>();
}

auto bound_add_and_normalize_back() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>();
}

auto bound_normalize() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>();
}

auto bound_normalize_back() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>();
}

auto bound_product() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>()
      .Attr<bool>("first_turned").Attr<bool>("second_turned");
}

auto bound_softmax() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>();
}

auto bound_adaptive_softmax() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>()
      .Ret<ffi::AnyBuffer>();
}

auto bound_forwards() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>()
      .Attr<int32_t>("cell").Attr<bool>("reverse").Attr<bool>("masked").Attr<bool>("dropped");
}

auto bound_back() {
  return ffi::Ffi::Bind()
      .Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>().Arg<In>()
      .Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>().Ret<ffi::AnyBuffer>()
      .Attr<int32_t>("cell").Attr<bool>("reverse").Attr<bool>("masked").Attr<bool>("dropped");
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_recurrence_float32, forwards<false>, bound_forwards());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_recurrence_back_float32, back<false>, bound_back());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_normalized_float32, normalize, bound_normalize());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_normalized_back_float32, normalize_rows_back, bound_normalize_back());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_added_normalized_float32, add_and_normalize, bound_add_and_normalize());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_added_normalized_back_float32, add_and_normalize_back,
                              bound_add_and_normalize_back());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_attention_float32, attention, bound_attention());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_attention_back_float32, attention_back, bound_attention_back());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_product_float32, product, bound_product());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_feed_forward_float32, feed_forward, bound_feed_forward());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_feed_forward_back_float32, feed_forward_back, bound_feed_forward_back());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_softmax_float32, softmax<false>, bound_softmax());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_adaptive_softmax_float32, adaptive_softmax<false>, bound_adaptive_softmax());
#if defined(TEXTSEQ_TILES)
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_softmax_bfloat16, softmax<true>, bound_softmax());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_adaptive_softmax_bfloat16, adaptive_softmax<true>, bound_adaptive_softmax());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_recurrence_bfloat16, forwards<true>, bound_forwards());
XLA_FFI_DEFINE_HANDLER_SYMBOL(textseq_recurrence_back_bfloat16, back<true>, bound_back());
#endif
