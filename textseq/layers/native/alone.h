// Products of small matrices by one thread, whose factors are packed once for several.
#pragma once

#include "panels.h"
#include "scratch.h"
#include "tile_panels.h"

namespace textseq {

// Of what is summed over: from a multiple of what panels' depths are padded to.
struct Range {
  int64_t from, end;
};

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

    // Packs of each panel's lines, of which these are the first and the last, the part that `part(line, last)` says.
    template <typename Part>
    void pack_parts(const Lines& lines, const Part& part) {
      for (int64_t line = 0; line < lines.count; line += kLines) {
        const int64_t count = std::min(kLines, lines.count - line);
        const Range depth = part(line, line + count - 1);
        const int64_t start = lines.along ? line * lines.stride + depth.from : depth.from * lines.stride + line;
        const Lines some{lines.start + start, lines.stride, count, lines.along};
        pack(some, depth.end - depth.from, line / kLines, depth.from);
      }
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

  // Hands sums to `take(row, column, count, vector)`, each over the part of the depth that `part(row, last, column)`
  // says of a tile, whose first and last row these are. Where that is nothing, there is none.
  template <typename Part, typename Take>
  static void multiply(const Packed<true>& left, const Packed<false>& right, int64_t rows, int64_t columns,
                       const Part& part, const Take& take) {
    alignas(64) Vector sums[kMostTall][kVectors];
    for (int64_t row = 0; row < rows; row += Panels::kTall) {
      const int tall = (int)std::min<int64_t>(Panels::kTall, rows - row);
      for (int64_t column = 0; column < columns; column += Panels::kWide) {
        const Range depth = part(row, row + tall - 1, column);
        if (depth.from >= depth.end) continue;
        const Number* a = left.at(row / Panels::kTall, depth.from);
        const Number* b = right.at(column / Panels::kWide, depth.from);
        Panels::sum(tall, columns - column, {a, b, depth.end - depth.from, a, 0, nullptr, 0}, sums, [] {});
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
    multiply(left, right, rows, columns, [depth](int64_t, int64_t, int64_t) { return Range{0, depth}; }, take);
  }
};

}  // namespace textseq
