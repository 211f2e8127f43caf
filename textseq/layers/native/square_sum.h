// The sum of the squares of all numbers of several tensors, by which gradients are clipped.
#pragma once

#include "scratch.h"
#include "threads.h"
#include "vectors.h"

namespace textseq {

struct Numbers {
  const float* start;
  int64_t count;
};

// Blocks are summed by themselves, and those sums in float64, in their order: whoever makes them, the same comes out.
inline double square_sum(const Numbers& numbers) {
  constexpr int64_t kBlock = 1 << 12, kSums = 4;
  double all = 0;
  for (int64_t first = 0; first < numbers.count; first += kBlock) {
    const int64_t end = std::min(first + kBlock, numbers.count);
    Vector sums[kSums] = {};
    for (int64_t i = first; i < end; i += kWidth) {
      const Vector x = read(numbers.start + i, std::min(kWidth, end - i));
      sums[i / kWidth % kSums] += x * x;
    }
    all += total((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
  return all;
}

inline double square_sum(const std::vector<Numbers>& tensors) {
  constexpr int64_t kPiece = 1 << 16;
  std::vector<Numbers> pieces;
  for (const Numbers& tensor : tensors) {
    for (int64_t i = 0; i < tensor.count; i += kPiece) {
      pieces.push_back({tensor.start + i, std::min(kPiece, tensor.count - i)});
    }
  }
  const int64_t count = (int64_t)pieces.size(), some = count / 4096 + 1;  // pieces are counted in 16 bits
  std::vector<double> sums(count);
  const auto work = [&](int, int number) {
    for (int64_t i = number * some; i < std::min(count, (number + 1) * some); ++i) sums[i] = square_sum(pieces[i]);
  };
  Helpers::all().run(1, (int)((count + some - 1) / some), 2.0 * kPiece * some, work, [](bool) {});
  double all = 0;
  for (double sum : sums) all += sum;
  return all;
}

}  // namespace textseq
