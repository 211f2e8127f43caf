// Rows over the root of their mean square, scaled, and the way back: one pass over memory each, also where something is
// added to them before.
#pragma once

#include <cmath>

#include "scratch.h"
#include "threads.h"
#include "vectors.h"

namespace textseq {

constexpr float kEpsilon = 1e-6f;  // as in ../normalization.py

struct Normalization {
  int64_t rows, width;
  const float *inputs, *scale;  // (rows, width), (width)
  float *outputs, *roots;       // (rows, width); of each row 1 over the root (rows)
  const float* d_outputs;       // on the way back
  float *d_inputs, *d_scale;
  const float* added = nullptr;  // to the inputs before, where something is; not known on the way back
  float* sums = nullptr;         // of both
  const float* d_sums = nullptr;

  // As many rows at a time as do not depend on the threads, for `d_scale` is summed by them.
  int64_t some() const { return std::max<int64_t>(64, rows / 64 + 1); }
  int64_t pieces() const { return (rows + some() - 1) / some(); }

  template <typename Work>
  void each_row(const Work& work) const {
    const auto piece = [&](int, int number) {
      for (int64_t row = number * some(); row < std::min(rows, (number + 1) * some()); ++row) work(number, row);
    };
    Helpers::all().run(1, (int)pieces(), 20.0 * some() * width, piece, [](bool) {});
  }

  // Sums over a row, by vectors.
  template <typename Part>
  float sum(const Part& part) const {
    Vector sums = {};
    for (int64_t i = 0; i < width; i += kWidth) sums += part(i, std::min(kWidth, width - i));
    return total(sums);
  }
};

inline void normalize(const Normalization& p) {
  p.each_row([&](int64_t, int64_t row) {
    const int64_t start = row * p.width;
    const float* from = p.added ? p.sums + start : p.inputs + start;
    const float squares = p.sum([&](int64_t i, int64_t count) {
      Vector x = read(p.inputs + start + i, count);
      if (p.added) write(p.sums + start + i, x += read(p.added + start + i, count), count);
      return x * x;
    });
    const float root = 1.0f / std::sqrt(squares / p.width + kEpsilon);
    p.roots[row] = root;
    for (int64_t i = 0; i < p.width; i += kWidth) {
      const int64_t count = std::min(kWidth, p.width - i);
      write(p.outputs + start + i, read(from + i, count) * root * read(p.scale + i, count), count);
    }
  });
}

inline void normalize_back(const Normalization& p) {
  const Borrowed<float> sums(p.pieces() * p.width);
  sums.zeroed();
  p.each_row([&](int64_t piece, int64_t row) {
    const float *from = p.inputs + row * p.width, *above = p.d_outputs + row * p.width, root = p.roots[row];
    float* of_scale = sums.get() + piece * p.width;
    const float along = root / p.width * p.sum([&](int64_t i, int64_t count) {
      const Vector product = read(above + i, count) * read(from + i, count);
      write(of_scale + i, read(of_scale + i, count) + product * root, count);
      return product * read(p.scale + i, count);
    });
    for (int64_t i = 0; i < p.width; i += kWidth) {
      const int64_t count = std::min(kWidth, p.width - i);
      const Vector slope = read(p.scale + i, count) * read(above + i, count) - read(from + i, count) * (root * along);
      const int64_t to = row * p.width + i;
      write(p.d_inputs + to, p.d_sums ? read(p.d_sums + to, count) + root * slope : root * slope, count);
    }
  });
  std::fill_n(p.d_scale, p.width, 0.0f);
  for (int64_t piece = 0; piece < p.pieces(); ++piece) {
    for (int64_t i = 0; i < p.width; ++i) p.d_scale[i] += sums.get()[piece * p.width + i];
  }
}

}  // namespace textseq
