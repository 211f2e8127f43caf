// Products of large matrices in float32.
//
// Both factors are packed into panels, which are read in the order in which they lie: of the smaller one all at once,
// of the other each piece its own. After K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", ACM TOMS 34 (2008). What becomes of a sum is said by who asks for the product, where it is made.
#pragma once

#include "scratch.h"
#include "threads.h"
#include "vectors.h"

namespace textseq {

#if defined(__AVX512F__)
constexpr int kTall = 14;
#else
constexpr int kTall = 6;
#endif
constexpr int kVectors = 2;
constexpr int64_t kWide = kVectors * kWidth;
constexpr int64_t kDeepest = 768;     // of a panel: so much of both factors stays at hand
constexpr int64_t kShared = 1 << 19;  // numbers of the factor that all pieces share in a step
constexpr int64_t kNext = 8;          // rows of a panel that are asked for before they are read
constexpr int64_t kFar = 16;          // lines that are asked for before they are packed
constexpr int64_t kTallPanels = 8, kWidePanels = 4;       // of a piece
constexpr int64_t kFewPieces = 8, kManyPieces = 1 << 12;  // threads count them in 16 bits

// Rows and columns as they lie, or turned.
struct Matrix {
  const float* start;
  int64_t stride;       // from one line to the next
  bool turned = false;  // whether lines are columns

  const float* at(int64_t row, int64_t column) const {
    return turned ? start + column * stride + row : start + row * stride + column;
  }
};

// Sums of some rows and columns.
struct Tile {
  int64_t row, column;
  int rows;
  bool first, last;  // of what is summed over, which may come in blocks
  const Vector (*sums)[kVectors];
};

// Packs one panel's lines, each of which lies in one piece.
template <int64_t kLines>
void pack_along(const float* from, int64_t stride, int64_t lines, int64_t depth, float* to) {
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
void pack_across(const float* from, int64_t stride, int64_t lines, int64_t depth, float* to, int64_t distance) {
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
inline void sum_tile(const float* left, const float* right, int64_t depth, Vector (*out)[kVectors]) {
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
void sum_rows(int rows, const float* left, const float* right, int64_t depth, Vector (*out)[kVectors]) {
  if constexpr (R == 1) {
    sum_tile<1, P>(left, right, depth, out);
  } else if (rows == R) {
    sum_tile<R, P>(left, right, depth, out);
  } else {
    sum_rows<P, R - 1>(rows, left, right, depth, out);
  }
}

// a (rows, depth) times b (depth, columns). `Use` has
//   expect(tile)                       whose sums are going to be made,
//   take(piece, tile)                  whose sums are,
//   see(row, rows, k, depth, panel)    of rows of a, packed: kTall numbers for each k.
template <typename Use>
class Product {
 public:
  Product(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns, int64_t depth, Use& use)
      : a_(a), b_(b), rows_(rows), columns_(columns), depth_(depth), use_(use), left_shared_(rows < columns) {
    tall_ = (rows + kTall - 1) / kTall;
    wide_ = (columns + kWide - 1) / kWide;
    const int64_t shared = left_shared_ ? tall_ * kTall : wide_ * kWide;
    blocks_ = (depth + kDeepest - 1) / kDeepest;
    steps_ = (depth + std::max(kDeepest, kShared / shared) - 1) / std::max(kDeepest, kShared / shared);
    blocks_ = (blocks_ + steps_ - 1) / steps_ * steps_;
    deep_ = padded((depth + blocks_ - 1) / blocks_, kWide);
    panels_ = shared * deep_;
    const int64_t own = left_shared_ ? wide_ : tall_;
    const int64_t most = std::max(left_shared_ ? kWidePanels : kTallPanels, own / kManyPieces + 1);
    pieces_ = std::min(own, std::max((own + most - 1) / most, kFewPieces));
    if (pieces_ % 2 && pieces_ < own) ++pieces_;
  }

  int64_t pieces() const { return pieces_; }

  void run() {
    Borrowed<float> shared(panels_ * blocks_ / steps_);
    shared_ = shared.get();
    const auto work = [this](int step, int piece) {
      const int64_t first = step / 2 * blocks_ / steps_, end = (step / 2 + 1) * blocks_ / steps_;
      for (int64_t block = first; block < end; ++block) {
        float* panels = shared_ + (block - first) * panels_;
        step % 2 == 0 ? share(block, piece, panels) : multiply(block, piece, panels);
      }
      settle();
    };
    Helpers::all().run((int)(2 * steps_), (int)pieces_, 2.0 * rows_ * columns_ * depth_ / steps_ / pieces_, work,
                       [](bool) {});
  }

 private:
  int64_t first(int64_t block) const { return std::min(block * deep_, depth_); }
  int64_t deep(int64_t block) const { return first(block + 1) - first(block); }

  void pack_left(int64_t block, int64_t from, int64_t to, float* panels) {
    const int64_t k = first(block), depth = deep(block), row = from * kTall;
    if (a_.turned) {
      pack_across<kTall>(a_.at(row, k), a_.stride, std::min(to * kTall, rows_) - row, depth, panels, kTall * deep_);
    }
    for (int64_t panel = from; panel < to; ++panel, panels += kTall * deep_) {
      const int64_t top = panel * kTall, rows = std::min<int64_t>(kTall, rows_ - top);
      if (!a_.turned) pack_along<kTall>(a_.at(top, k), a_.stride, rows, depth, panels);
      use_.see(top, rows, k, depth, panels);
    }
  }

  void pack_right(int64_t block, int64_t from, int64_t to, float* panels) const {
    const int64_t k = first(block), depth = deep(block), column = from * kWide;
    if (!b_.turned) {
      const int64_t columns = std::min(to * kWide, columns_) - column;
      return pack_across<kWide>(b_.at(k, column), b_.stride, columns, depth, panels, kWide * deep_);
    }
    for (int64_t panel = from; panel < to; ++panel, panels += kWide * deep_) {
      const int64_t here = panel * kWide;
      pack_along<kWide>(b_.at(k, here), b_.stride, std::min(kWide, columns_ - here), depth, panels);
    }
  }

  void share(int64_t block, int64_t piece, float* panels) {
    const int64_t count = left_shared_ ? tall_ : wide_;
    const int64_t from = count * piece / pieces_, to = count * (piece + 1) / pieces_;
    if (left_shared_) return pack_left(block, from, to, panels + from * kTall * deep_);
    pack_right(block, from, to, panels + from * kWide * deep_);
  }

  void multiply(int64_t block, int64_t piece, const float* shared) {
    const int64_t own = left_shared_ ? wide_ : tall_, others = left_shared_ ? tall_ : wide_;
    const int64_t from = own * piece / pieces_, to = own * (piece + 1) / pieces_;
    Borrowed<float> mine((to - from) * (left_shared_ ? kWide : kTall) * deep_);
    left_shared_ ? pack_right(block, from, to, mine.get()) : pack_left(block, from, to, mine.get());
    alignas(64) Vector sums[kTall][kVectors];
    Tile tile{0, 0, 0, block == 0, block + 1 == blocks_, sums};
    for (int64_t other = 0; other < others; ++other) {
      for (int64_t panel = from; panel < to; ++panel) {
        const int64_t tall = left_shared_ ? other : panel, wide = left_shared_ ? panel : other;
        tile.row = tall * kTall;
        tile.column = wide * kWide;
        tile.rows = (int)std::min<int64_t>(kTall, rows_ - tile.row);
        use_.expect(tile);
        const float* a = left_shared_ ? shared + tall * kTall * deep_ : mine.get() + (tall - from) * kTall * deep_;
        const float* b = left_shared_ ? mine.get() + (wide - from) * kWide * deep_ : shared + wide * kWide * deep_;
        if (columns_ - tile.column <= kWidth) {
          sum_rows<1>(tile.rows, a, b, deep(block), sums);
        } else {
          sum_rows<kVectors>(tile.rows, a, b, deep(block), sums);
        }
        use_.take(piece, tile);
      }
    }
  }

  const Matrix a_, b_;
  const int64_t rows_, columns_, depth_;
  Use& use_;
  const bool left_shared_;  // the smaller factor is
  int64_t tall_, wide_;                     // panels of either factor
  int64_t blocks_, steps_, deep_, panels_;  // deep_ numbers of each block, panels_ of all that share it
  int64_t pieces_;
  float* shared_ = nullptr;
};

template <typename Use>
void multiply(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns, int64_t depth, Use use) {
  Product<Use>(a, b, rows, columns, depth, use).run();
}

// Where sums are put: rows `stride` apart. Those of later blocks, or all if there were others before, are added.
struct Sums {
  float* start;
  int64_t stride, columns;
  bool others;

  float* at(int64_t row, int64_t column) const { return start + row * stride + column; }

  template <typename Put>
  void each(const Tile& tile, const Put& put) const {
    for (int r = 0; r < tile.rows; ++r) {
      for (int j = 0; j < kVectors; ++j) {
        const int64_t column = tile.column + j * kWidth, count = std::min(kWidth, columns - column);
        if (count <= 0) break;
        float* to = at(tile.row + r, column);
        put(r, column, count, to, tile.first && !others ? tile.sums[r][j] : tile.sums[r][j] + read(to, count));
      }
    }
  }

  void expect(const Tile& tile) const {
    for (int r = 0; r < tile.rows; ++r) {
      for (int j = 0; j < kVectors; ++j) __builtin_prefetch(at(tile.row + r, tile.column + j * kWidth), 1);
    }
  }

  void take(int64_t, const Tile& tile) const {
    each(tile, [](int, int64_t, int64_t count, float* to, Vector sum) { write(to, sum, count); });
  }

  void see(int64_t, int64_t, int64_t, int64_t, const float*) const {}
};

}  // namespace textseq
