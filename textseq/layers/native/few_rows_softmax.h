// A softmax of so few rows that to read its kernel takes longer than the products: each part of the vocabulary, while
// it is at hand, gives powers and what of the rows' gradient they make.
#pragma once

#include "alone.h"
#include "softmax_chunk.h"

namespace textseq {

template <typename Panels>
class FewRows {
  using By = Alone<Panels>;
  static constexpr int64_t kTokens = 256;  // at a time

 public:
  static constexpr int64_t kMost = 256;

  explicit FewRows(const Chunk& chunk)
      : c_(chunk), p_(chunk.p), some_(std::max<int64_t>(1024, padded(p_.vocabulary / 32 + 1, kTokens))),
        pieces_((p_.vocabulary + some_ - 1) / some_), hidden_(c_.rows, p_.features), sums_(pieces_ * c_.rows),
        gradients_(pieces_ * c_.rows * p_.features) {}

  // Makes the powers over the rows' references, and their sums.
  void forwards() {
    hidden_.pack({c_.hidden(0), p_.features, c_.rows, true}, p_.features);
    const double operations = 4.0 * c_.rows * p_.features * some_;
    Helpers::all().run(1, (int)pieces_, operations, [this](int, int piece) { part(piece); }, &Panels::attend);
    c_.add_up(pieces_, sums_.get());
  }

  // The rows' gradient, once their scales are known. At the target, where the power is 0, the slope is that of all
  // others, turned round.
  void back() const {
    c_.each_row([this](int64_t row) {
      const float others = c_.others.get()[row], scale = c_.scale.get()[row];
      const float* target = p_.kernel + c_.target(row) * p_.features;
      for (int64_t i = 0; i < p_.features; i += kWidth) {
        const int64_t count = std::min(kWidth, p_.features - i);
        Vector sum = read(target + i, count) * -others;
        for (int64_t piece = 0; piece < pieces_; ++piece) sum += read(gradient(piece, row) + i, count);
        write(p_.d_hidden + (c_.begin + row) * p_.features + i, sum * scale, count);
      }
    });
  }

 private:
  float* gradient(int64_t piece, int64_t row) const {
    return gradients_.get() + (piece * c_.rows + row) * p_.features;
  }

  void part(int64_t piece) const {
    typename By::template Packed<true> powers(c_.rows, kTokens);
    typename By::template Packed<false> tokens(kTokens, p_.features), across(p_.features, kTokens);
    const Borrowed<float> made(c_.rows * kTokens);
    float* sums = sums_.get() + piece * c_.rows;
    std::fill_n(sums, c_.rows, 0.0f);
    const int64_t begin = piece * some_, end = std::min(p_.vocabulary, begin + some_);
    for (int64_t first = begin; first < end; first += kTokens) {
      const int64_t count = std::min(kTokens, end - first);
      const float* kernel = p_.kernel + first * p_.features;
      tokens.pack({kernel, p_.features, count, true}, p_.features);
      By::multiply(hidden_, tokens, c_.rows, count, p_.features,
                   [&](int64_t row, int64_t column, int64_t width, Vector sum) {
                     const Vector bias = read(p_.bias + first + column, width);
                     const Vector power = c_.power(row, first + column, width, sum + bias);
                     sums[row] += total(power);
                     write(made.get() + row * kTokens + column, power, width);
                     write_past(c_.logits().at(row, first + column), power, width);
                   });
      powers.pack({made.get(), kTokens, c_.rows, true}, count);
      across.pack({kernel, p_.features, p_.features, false}, count);
      By::multiply(powers, across, c_.rows, p_.features, count,
                   [&](int64_t row, int64_t column, int64_t width, Vector sum) {
                     float* to = gradient(piece, row) + column;
                     write(to, first > begin ? sum + read(to, width) : sum, width);
                   });
    }
    settle();
  }

  const Chunk& c_;
  const Softmax& p_;
  const int64_t some_, pieces_;  // tokens of a piece: as many as do not depend on the threads
  typename By::template Packed<true> hidden_;
  const Borrowed<float> sums_, gradients_;  // (pieces, rows), (pieces, rows, features)
};

}  // namespace textseq
