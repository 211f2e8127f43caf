// A softmax's loss and all its gradients, in three large products and no pass besides.
//
// The rules are those of ../softmax/cross_entropy.py: powers of what logits are over their row's reference, 0 at the
// target; undivided by their sums, which are put on the small side of the products.
#pragma once

#include <cmath>

#include "few_rows_softmax.h"

namespace textseq {

constexpr int64_t kChunk = int64_t{1} << 23, kWhole = int64_t{1} << 25, kLeastRows = 512;  // as in cross_entropy.py
constexpr float kLargestSum = 1e25f;

// The powers as the logits are made.
struct Powers : Sums {
  const Chunk& chunk;
  int64_t pieces = 0;
  std::unique_ptr<Borrowed<float>> totals;  // (pieces, rows)

  explicit Powers(const Chunk& chunk) : Sums(chunk.logits()), chunk(chunk) {}

  static int64_t few_pieces() { return 8; }  // by which `totals` are summed: of any number of threads the same

  void begin(int64_t count) {
    pieces = count;
    totals = std::make_unique<Borrowed<float>>(pieces * chunk.rows);
    totals->zeroed();
  }

  const float* place(const Tile&) const { return nullptr; }  // they go past the caches

  void take(int64_t piece, const Tile& tile, int r) const {
    if (!tile.last) return Sums::take(piece, tile, r);
    Vector sums = {};
    each(tile, r, [&](int64_t column, int64_t count, float* to, Vector sum) {
      const Vector powers = chunk.power(tile.row + r, column, count, sum + read(chunk.p.bias + column, count));
      sums += powers;
      write_past(to, powers, count);
    });
    totals->get()[piece * chunk.rows + tile.row + r] += total(sums);
  }
};

// The rows' gradient: sums times the row's scale.
struct HiddenGradient : Sums {
  const Chunk& chunk;

  explicit HiddenGradient(const Chunk& chunk)
      : Sums{chunk.p.d_hidden + chunk.begin * chunk.p.features, chunk.p.features, chunk.p.features, false},
        chunk(chunk) {}

  void take(int64_t piece, const Tile& tile, int r) const {
    if (!tile.last) return Sums::take(piece, tile, r);
    each(tile, r, [&](int64_t, int64_t count, float* to, Vector sum) {
      write(to, sum * chunk.scale.get()[tile.row + r], count);
    });
  }
};

// The kernel's gradient, and the bias's, which is a sum of the left factor's rows by their scales.
struct KernelGradient : Sums {
  const Chunk& chunk;

  explicit KernelGradient(const Chunk& chunk)
      : Sums{chunk.p.d_kernel, chunk.p.features, chunk.p.features, chunk.begin > 0}, chunk(chunk) {}

  const float* place(const Tile&) const { return nullptr; }  // to ask for it takes longer than it spares here

  void see(int64_t token, int64_t tokens, int64_t k, int64_t depth, const float* values, int64_t apart) const {
    for (int64_t first = 0; first < tokens; first += kWidth) {
      const int64_t count = std::min(kWidth, tokens - first);
      Vector sums[4] = {};
      for (int64_t i = 0; i < depth; ++i) {
        sums[i % 4] += read(values + i * apart + first, count) * chunk.scale.get()[k + i];
      }
      const Vector sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
      float* to = chunk.p.d_bias + token + first;
      write(to, others || k > 0 ? sum + read(to, count) : sum, count);
    }
  }
};

// Each row's reference: the target's logit, near what it will be.
inline void refer_to_targets(const Chunk& c) {
  const Softmax& p = c.p;
  c.each_row([&](int64_t row) {
    const float *hidden = c.hidden(row), *kernel = p.kernel + c.target(row) * p.features;
    Vector sum = {};
    for (int64_t i = 0; i < p.features; i += kWidth) {
      const int64_t count = std::min(kWidth, p.features - i);
      sum += read(hidden + i, count) * read(kernel + i, count);
    }
    c.reference.get()[row] = total(sum) + p.bias[c.target(row)];
  });
}

// Makes the powers over them, and their sums.
template <typename Panels>
void make_powers(const Chunk& c) {
  const Softmax& p = c.p;
  const Matrix hidden{c.hidden(0), p.features}, kernel{p.kernel, p.features, true};
  Powers use(c);
  multiply_by<Panels>(hidden, kernel, c.rows, p.vocabulary, p.features, use);
  c.add_up(use.pieces, use.totals->get());
}

// Makes them over each row's highest logit, as is safe, in passes of their own.
template <typename Panels>
void over_highest(const Chunk& c) {
  const Softmax& p = c.p;
  const Matrix hidden{c.hidden(0), p.features}, kernel{p.kernel, p.features, true};
  multiply_by<Panels>(hidden, kernel, c.rows, p.vocabulary, p.features, c.logits());
  c.each_row([&](int64_t row) {
    const Sums logits = c.logits();
    float highest = -INFINITY;
    for (int64_t i = 0; i < p.vocabulary; ++i) highest = std::max(highest, *logits.at(row, i) += p.bias[i]);
    c.reference.get()[row] = highest;
    float sum = 0;
    for (int64_t i = 0; i < p.vocabulary; i += kWidth) {
      const int64_t count = std::min(kWidth, p.vocabulary - i);
      const Vector powers = c.power(row, i, count, read(logits.at(row, i), count));
      write(logits.at(row, i), powers, count);
      sum += total(powers);
    }
    c.others.get()[row] = sum;
  });
}

// The gradients are written, or added to what other rows gave.
template <typename Panels>
double run(const Chunk& c) {
  const Softmax& p = c.p;
  std::unique_ptr<FewRows<Panels>> few;
  if (c.rows <= FewRows<Panels>::kMost) few = std::make_unique<FewRows<Panels>>(c);
  refer_to_targets(c);
  few ? few->forwards() : make_powers<Panels>(c);
  if (!(*std::max_element(c.others.get(), c.others.get() + c.rows) < kLargestSum)) {
    over_highest<Panels>(c);
    few = nullptr;
  }
  double loss = 0;
  for (int64_t row = 0; row < c.rows; ++row) {
    const double others = c.others.get()[row], left = c.left.get()[row], weight = p.weights[c.begin + row];
    const double own = std::exp(left);
    c.scale.get()[row] = (float)(weight / (own + others));
    *c.logits().at(row, c.target(row)) = (float)-others;
    // Near the reference a small loss is more than its rounded sum; far from it the target's power may be none.
    loss += weight * (left > -30.0 ? std::log1p(others / own) : std::log(own + others) - left);
  }
  Borrowed<float> scaled(c.rows * p.features);
  c.each_row([&](int64_t row) {
    for (int64_t i = 0; i < p.features; ++i) {
      scaled.get()[row * p.features + i] = c.hidden(row)[i] * c.scale.get()[row];
    }
  });
  const Matrix powers{c.powers, c.stride}, turned{c.powers, c.stride, true};
  const Matrix kernel{p.kernel, p.features}, hidden{scaled.get(), p.features};
  few ? few->back() : multiply_by<Panels>(powers, kernel, c.rows, p.features, p.vocabulary, HiddenGradient(c));
  multiply_by<Panels>(turned, hidden, p.vocabulary, p.features, c.rows, KernelGradient(c));
  return loss;
}

template <typename Panels>
double run(const Softmax& p) {
  if (p.rows == 0) {
    std::fill_n(p.d_kernel, p.vocabulary * p.features, 0.0f);
    std::fill_n(p.d_bias, p.vocabulary, 0.0f);
    return 0;
  }
  const int64_t most = std::max(kChunk / p.vocabulary, kLeastRows);
  const int64_t at_once = std::max(most, kWhole / p.vocabulary);
  const int64_t chunks = p.rows <= at_once ? 1 : (p.rows + most - 1) / most;
  const int64_t whole = padded(p.vocabulary, kWidth);
  const int64_t stride = whole % 1024 ? whole : whole + kWidth;  // a power of two's rows share places in the caches
  Borrowed<float> powers((p.rows + chunks - 1) / chunks * stride);
  double loss = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t begin = p.rows * chunk / chunks, end = p.rows * (chunk + 1) / chunks;
    loss += run<Panels>(Chunk(p, begin, end - begin, powers.get(), stride));
  }
  return loss;
}

// Returns the rows' weighted loss in nats.
inline double run(const Softmax& p) {
#if defined(TEXTSEQ_TILES)
  if (Tiles::usable()) return p.rounded ? run<HalfPanels>(p) : run<SplitPanels>(p);
#endif
  return run<FloatPanels>(p);
}

}  // namespace textseq
