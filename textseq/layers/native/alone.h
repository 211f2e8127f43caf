// Products of small matrices by one thread, whose factors are packed once for several.
#pragma once

#include "panels.h"
#include "scratch.h"
#include "tile_panels.h"

namespace textseq {

// The products of one thread with what it has packed.
template <typename Panels>
class Alone {
  using Number = typename Panels::Number;

 public:
  template <bool kLeft>
  static int64_t size(int64_t depth) {
    return (kLeft ? Panels::kTall : Panels::kWide) * padded(depth, Panels::kDeepMultiple) * Panels::kParts;
  }

  // A factor's lines, packed to be multiplied over their first so many numbers, or fewer.
  template <bool kLeft>
  class Packed {
   public:
    Packed(int64_t lines, int64_t depth)
        : size_(size<kLeft>(depth)), numbers_(panels(lines) * size_) {}

    // Packs lines as those from `panel` on, and their numbers as those from `k` on.
    void pack(const Lines& lines, int64_t depth, int64_t panel = 0, int64_t k = 0) {
      Panels::template pack<kLeft>(lines, depth, at(panel, k), size_,
                                   [](int64_t, int64_t, int64_t, int64_t, const float*, int64_t) {});
    }

    // Packs a piece's share of the panels of all lines.
    void pack_share(const Lines& lines, int64_t depth, int64_t piece, int64_t pieces) {
      const int64_t all = panels(lines.count), from = all * piece / pieces, to = all * (piece + 1) / pieces;
      if (from == to) return;
      const int64_t line = from * kLines, count = std::min(to * kLines, lines.count) - line;
      pack({lines.start + line * (lines.along ? lines.stride : 1), lines.stride, count, lines.along}, depth, from);
    }

    Number* at(int64_t panel, int64_t k) const { return numbers_.get() + panel * size_ + k * kLines * Panels::kParts; }
    const Number* panel(int64_t number) const { return at(number, 0); }

   private:
    static constexpr int64_t kLines = kLeft ? Panels::kTall : Panels::kWide;

    static int64_t panels(int64_t lines) { return (lines + kLines - 1) / kLines; }

    const int64_t size_;
    const Borrowed<Number> numbers_;
  };

  // Hands sums to `take(row, column, count, vector)`; tiles that `skip(row, column)` are left out.
  template <typename Skip, typename Take>
  static void multiply(const Packed<true>& left, const Packed<false>& right, int64_t rows, int64_t columns,
                       int64_t depth, const Skip& skip, const Take& take) {
    alignas(64) Vector sums[kMostTall][kVectors];
    for (int64_t row = 0; row < rows; row += Panels::kTall) {
      const int tall = (int)std::min<int64_t>(Panels::kTall, rows - row);
      for (int64_t column = 0; column < columns; column += Panels::kWide) {
        if (skip(row + tall - 1, column)) continue;
        const Number *a = left.panel(row / Panels::kTall), *b = right.panel(column / Panels::kWide);
        Panels::sum(tall, columns - column, {a, b, depth, a, 0, nullptr, 0}, sums, [] {});
        for (int r = 0; r < tall; ++r) {
          each_vector({row, column, tall, true, true, sums}, r, columns, [&](int64_t here, int64_t count, Vector sum) {
            take(row + r, here, count, sum);
          });
        }
      }
    }
  }

  template <typename Take>
  static void multiply(const Packed<true>& left, const Packed<false>& right, int64_t rows, int64_t columns,
                       int64_t depth, const Take& take) {
    multiply(left, right, rows, columns, depth, [](int64_t, int64_t) { return false; }, take);
  }
};

}  // namespace textseq
