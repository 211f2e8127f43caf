// A softmax, and what is known of some of its rows.
#pragma once

#include "matrices.h"

namespace textseq {

struct Softmax {
  int64_t rows, features, vocabulary;
  const float *hidden, *kernel, *bias;   // (rows, features), (vocabulary, features), (vocabulary)
  const int32_t* targets;                // (rows)
  const float* weights;                  // (rows)
  float *d_hidden, *d_kernel, *d_bias;
  bool rounded = false;                  // factors of products, to bfloat16: by tiles only

  bool holds_targets() const {
    return std::all_of(targets, targets + rows, [this](int32_t target) { return target >= 0 && target < vocabulary; });
  }
};

constexpr const char* kNoSuchTarget = "A target is no token of the softmax's vocabulary.";

// A softmax's rows that come, and whose gradients go, in bfloat16.
class HalfRows {
 public:
  HalfRows(Softmax& p, const uint16_t* hidden, uint16_t* d_hidden)
      : count_(p.rows * p.features), d_hidden_(d_hidden), numbers_(count_), gradients_(count_) {
    for (int64_t i = 0; i < count_; ++i) {
      const uint32_t bits = (uint32_t)hidden[i] << 16;
      std::memcpy(numbers_.get() + i, &bits, 4);
    }
    p.rounded = true;
    p.hidden = numbers_.get();
    p.d_hidden = gradients_.get();
  }

  // Hands on the gradients, which are made by now.
  void finish() const {
    for (int64_t i = 0; i < count_; ++i) d_hidden_[i] = textseq::rounded(gradients_.get()[i]);
  }

 private:
  const int64_t count_;
  uint16_t* const d_hidden_;
  const Borrowed<float> numbers_, gradients_;
};

// Some rows of a softmax, and what is known of each.
struct Chunk {
  const Softmax& p;
  const int64_t begin, rows, stride;
  float* const powers;                               // (rows, stride)
  Borrowed<float> reference, left, others, scale;    // (rows)

  Chunk(const Softmax& given, int64_t begin, int64_t rows, float* powers, int64_t stride)
      : p(given), begin(begin), rows(rows), stride(stride), powers(powers), reference(rows), left(rows), others(rows),
        scale(rows) {}

  const float* hidden(int64_t row) const { return p.hidden + (begin + row) * p.features; }
  int32_t target(int64_t row) const { return p.targets[begin + row]; }

  Sums logits() const { return {powers, stride, p.vocabulary, false}; }

  template <typename Work>
  void each_row(const Work& work) const {
    const int64_t some = std::max<int64_t>(32, rows / kManyPieces + 1);
    const auto piece = [&](int, int number) {
      for (int64_t row = number * some; row < std::min(rows, (number + 1) * some); ++row) work(row);
    };
    Helpers::all().run(1, (int)((rows + some - 1) / some), 4.0 * some * p.features, piece, [](bool) {});
  }

  // Adds up the rows' sums of powers, which pieces of the vocabulary gave (pieces, rows).
  void add_up(int64_t pieces, const float* sums) const {
    others.zeroed();
    for (int64_t piece = 0; piece < pieces; ++piece) {
      for (int64_t row = 0; row < rows; ++row) others.get()[row] += sums[piece * rows + row];
    }
  }

  // The power of a logit over the row's reference, 0 at the target, whose own is kept.
  Vector power(int64_t row, int64_t column, int64_t count, Vector logits) const {
    const Vector over = logits - reference.get()[row];
    const int64_t place = target(row) - column;
    Vector powers = first_of(exponential(over), count);
    if (place >= 0 && place < count) {
      left.get()[row] = over[place];
      powers[place] = 0.0f;
    }
    return powers;
  }
};

}  // namespace textseq
