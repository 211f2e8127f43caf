// Factors of large products in float32, packed into panels, and the product of two panels.
//
// A kind of panels says how much of a product is done at once, packs `lines` of a factor, of which `depth` numbers are
// summed over, and multiplies: `SplitPanels` (tile_panels.h) are another kind.
#pragma once

#include <algorithm>

#include "vectors.h"

namespace textseq {

constexpr int kMostTall = 32;  // of any kind
constexpr int kVectors = 2;
constexpr int64_t kNext = 8;  // rows of a panel that are asked for before they are read
constexpr int64_t kFar = 16;  // lines that are asked for before they are packed

// Lines of a factor: each lies in one piece (`along`), or they lie side by side.
struct Lines {
  const float* start;
  int64_t stride, count;
  bool along;
};

// Two panels whose numbers are multiplied and summed up. Meanwhile `some` numbers of what comes next are asked for, for
// each `kDeepMultiple` of them, and the rows where sums will be put, if that is known.
template <typename T>
struct Pair {
  const T *left, *right;
  int64_t depth;
  const T* next;
  int64_t some;
  const float* place;
  int64_t apart;  // rows of it

  // Asks for some of those rows, to be written.
  void ask(int64_t from, int64_t to) const {
    for (int64_t row = from; place && row < to; ++row) {
      for (int j = 0; j < kVectors; ++j) __builtin_prefetch(place + row * apart + j * kWidth, 1);
    }
  }
};

// Sums of some rows and columns.
struct Tile {
  int64_t row, column;
  int rows;
  bool first, last;  // of what is summed over, which may come in blocks
  const Vector (*sums)[kVectors];
};

// Hands on the vectors of a tile's row that stand in one of the first `columns`: `put(column, count, sum)`.
template <typename Put>
inline void each_vector(const Tile& tile, int r, int64_t columns, const Put& put) {
  for (int j = 0; j < kVectors; ++j) {
    const int64_t column = tile.column + j * kWidth, count = std::min(kWidth, columns - column);
    if (count > 0) put(column, count, tile.sums[r][j]);
  }
}

// Takes the sums of tiles, by `take(tile, r)`: a row of one while the next one's are made.
template <typename Take>
class Behind {
 public:
  explicit Behind(const Take& take) : take_(take) {}

  // Has `make(sums, meanwhile)` put a tile's sums; it is to call `meanwhile` now and then.
  template <typename Make>
  void next(const Tile& tile, const Make& make) {
    Vector(*sums)[kVectors] = sums_[turn_];
    make(sums, [this] { take_row(); });
    finish();
    last_ = tile;
    last_.sums = sums;
    row_ = 0;
    turn_ = 1 - turn_;
  }

  void finish() {
    while (row_ < last_.rows) take_row();
  }

 private:
  __attribute__((noinline)) void take_row() {
    if (row_ < last_.rows) take_(last_, row_++);
  }

  const Take& take_;
  Tile last_{};
  int row_ = 0, turn_ = 0;
  alignas(64) Vector sums_[2][kMostTall][kVectors];
};

struct FloatPanels {
  using Number = float;
#if defined(__AVX512F__)
  static constexpr int kTall = 14;  // lines of the left factor's panels
#else
  static constexpr int kTall = 6;
#endif
  static constexpr int64_t kWide = kVectors * kWidth;  // of the right one's
  static constexpr int64_t kParts = 1;                 // numbers for each of a factor's
  static constexpr int64_t kDeepMultiple = kWide;      // what `depth` is padded to
  static constexpr int64_t kDeepest = 768;             // so much of both factors stays at hand
  static constexpr int64_t kShared = 1 << 19;          // numbers of the factor that all pieces share in a step
  static constexpr int64_t kTallPanels = 8, kWidePanels = 4;  // of a piece

  static void attend(bool) {}

  // Packs into panels `distance` apart. Lines that lie side by side are shown to `see(line, lines, k, depth, values,
  // apart)`.
  template <bool kLeft, typename See>
  static void pack(const Lines& lines, int64_t depth, float* to, int64_t distance, const See& see) {
    constexpr int64_t kLines = kLeft ? kTall : kWide;
    if (!lines.along) pack_across<kLines>(lines.start, lines.stride, lines.count, depth, to, distance);
    for (int64_t line = 0; line < lines.count; line += kLines, to += distance) {
      const int64_t count = std::min(kLines, lines.count - line);
      if (lines.along) pack_along<kLines>(lines.start + line * lines.stride, lines.stride, count, depth, to);
      if (!lines.along) see(line, count, 0, depth, to, kLines);
    }
  }

  template <typename Meanwhile>
  static void sum(int rows, int64_t columns, const Pair<float>& pair, Vector (*out)[kVectors], const Meanwhile&) {
    pair.ask(0, rows);
    if (columns <= kWidth) return sum_rows<1>(rows, pair.left, pair.right, pair.depth, out);
    sum_rows<kVectors>(rows, pair.left, pair.right, pair.depth, out);
  }

 private:
  // Packs one panel's lines, each of which lies in one piece.
  template <int64_t kLines>
  static void pack_along(const float* from, int64_t stride, int64_t lines, int64_t depth, float* to) {
    for (int64_t group = 0; group < kLines; group += kWidth) {
      const int64_t count = std::min(kWidth, std::max<int64_t>(0, lines - group));
      for (int64_t k = 0; k < depth; k += kWidth) {
        Vector block[kWidth];
        const int64_t deep = std::min(kWidth, depth - k);
        for (int64_t i = 0; i < kWidth; ++i) {
          block[i] = i < count ? read(from + (group + i) * stride + k, deep) : Vector{};
        }
        transpose(block);
        const int64_t wide = std::min(kWidth, kLines - group);
        for (int64_t i = 0; i < deep; ++i) write(to + (k + i) * kLines + group, block[i], wide);
      }
    }
  }

  // Packs lines that lie side by side into panels `distance` apart.
  template <int64_t kLines>
  static void pack_across(const float* from, int64_t stride, int64_t lines, int64_t depth, float* to,
                          int64_t distance) {
    for (int64_t k = 0; k < depth; ++k, from += stride, to += kLines) {
      for (int64_t line = 0; line < lines; line += kWidth) __builtin_prefetch(from + kFar * stride + line);
      for (int64_t line = 0; line < lines; line += kLines) {
        for (int64_t group = 0; group < kLines; group += kWidth) {
          const int64_t wide = std::min(kWidth, kLines - group);
          const int64_t count = std::min(wide, std::max<int64_t>(0, lines - line - group));
          write(to + line / kLines * distance + group, read(from + line + group, count), wide);
        }
      }
    }
  }

  template <int R, int P>
  static void sum_tile(const float* left, const float* right, int64_t depth, Vector (*out)[kVectors]) {
    Vector sums[R][P] = {};
    for (int64_t k = 0; k < depth; ++k, left += kTall, right += kWide) {
      Vector columns[P];
  #pragma GCC unroll 2
      for (int j = 0; j < P; ++j) {
        std::memcpy(&columns[j], right + j * kWidth, sizeof(Vector));
        __builtin_prefetch(right + kNext * kWide + j * kWidth);
      }
  #pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
  #pragma GCC unroll 2
        for (int j = 0; j < P; ++j) sums[r][j] += left[r] * columns[j];
      }
    }
  #pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
  #pragma GCC unroll 2
      for (int j = 0; j < P; ++j) out[r][j] = sums[r][j];
    }
  }

  template <int P, int R = kTall>
  static void sum_rows(int rows, const float* left, const float* right, int64_t depth, Vector (*out)[kVectors]) {
    if constexpr (R == 1) {
      sum_tile<1, P>(left, right, depth, out);
    } else if (rows == R) {
      sum_tile<R, P>(left, right, depth, out);
    } else {
      sum_rows<P, R - 1>(rows, left, right, depth, out);
    }
  }
};

}  // namespace textseq
