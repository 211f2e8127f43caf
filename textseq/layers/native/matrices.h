// Products of large matrices in float32.
//
// Both factors are packed into panels, which are read in the order in which they lie: of the smaller one all at once,
// of the other each piece its own. After K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", ACM TOMS 34 (2008). What becomes of a sum is said by who asks for the product, where it is made.
#pragma once

#include "panels.h"
#include "scratch.h"
#include "threads.h"
#include "tile_panels.h"

namespace textseq {

constexpr int64_t kManyPieces = 1 << 12;  // threads count them in 16 bits
constexpr int64_t kAtHand = 1 << 18;      // bytes of panels that a second-level cache keeps beside all else

// Rows and columns as they lie, or turned.
struct Matrix {
  const float* start;
  int64_t stride;       // from one line to the next
  bool turned = false;  // whether lines are columns

  const float* at(int64_t row, int64_t column) const {
    return turned ? start + column * stride + row : start + row * stride + column;
  }
};

// a (rows, depth) times b (depth, columns). `Use` has
//   few_pieces()                             how many to make at least, of few panels,
//   begin(pieces)                            how many there are,
//   place(tile), stride                      where its sums will be put, to be asked for before, or null,
//   take(piece, tile, r)                     whose sums are made: a row of them,
//   see(row, rows, k, depth, values, apart)  of a where it is turned: `rows` numbers for each k, `apart` from the next.
template <typename Use, typename Panels>
class Product {
  using Number = typename Panels::Number;
  static constexpr int64_t kTall = Panels::kTall, kWide = Panels::kWide;

 public:
  Product(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns, int64_t depth, Use& use)
      : a_(a), b_(b), rows_(rows), columns_(columns), depth_(depth), use_(use), left_shared_(rows < columns) {
    tall_ = (rows + kTall - 1) / kTall;
    wide_ = (columns + kWide - 1) / kWide;
    const int64_t shared = left_shared_ ? tall_ * kTall : wide_ * kWide;
    const int64_t at_once = std::max(Panels::kDeepest, Panels::kShared / shared);
    blocks_ = (depth + Panels::kDeepest - 1) / Panels::kDeepest;
    steps_ = (depth + at_once - 1) / at_once;
    blocks_ = (blocks_ + steps_ - 1) / steps_ * steps_;
    deep_ = padded((depth + blocks_ - 1) / blocks_, Panels::kDeepMultiple);
    panels_ = shared * deep_ * Panels::kParts;
    const int64_t own = left_shared_ ? wide_ : tall_;
    const int64_t most = std::max(left_shared_ ? Panels::kWidePanels : Panels::kTallPanels, own / kManyPieces + 1);
    pieces_ = std::min(own, std::max((own + most - 1) / most, use.few_pieces()));
    if (pieces_ % 2 && pieces_ < own) ++pieces_;
  }

  void run() {
    use_.begin(pieces_);
    Borrowed<Number> shared(panels_ * blocks_ / steps_);
    shared_ = shared.get();
    const auto work = [this](int step, int piece) {
      const int64_t first = step / 2 * blocks_ / steps_, end = (step / 2 + 1) * blocks_ / steps_;
      for (int64_t block = first; block < end; ++block) {
        Number* panels = shared_ + (block - first) * panels_;
        step % 2 == 0 ? share(block, piece, panels) : multiply(block, piece, panels);
      }
      settle();
    };
    Helpers::all().run((int)(2 * steps_), (int)pieces_, 2.0 * rows_ * columns_ * depth_ / steps_ / pieces_, work,
                       &Panels::attend);
  }

 private:
  int64_t first(int64_t block) const { return std::min(block * deep_, depth_); }
  int64_t deep(int64_t block) const { return first(block + 1) - first(block); }

  // Where a panel's successor begins.
  int64_t left_size() const { return kTall * deep_ * Panels::kParts; }
  int64_t right_size() const { return kWide * deep_ * Panels::kParts; }

  void pack_left(int64_t block, int64_t from, int64_t to, Number* panels) {
    const int64_t k = first(block), row = from * kTall;
    const auto see = [&](int64_t line, int64_t count, int64_t at, int64_t depth, const float* values, int64_t apart) {
      use_.see(row + line, count, k + at, depth, values, apart);
    };
    const Lines lines{a_.at(row, k), a_.stride, std::min(to * kTall, rows_) - row, !a_.turned};
    Panels::template pack<true>(lines, deep(block), panels, left_size(), see);
  }

  void pack_right(int64_t block, int64_t from, int64_t to, Number* panels) const {
    const int64_t k = first(block), column = from * kWide;
    const auto see = [](int64_t, int64_t, int64_t, int64_t, const float*, int64_t) {};
    const Lines lines{b_.at(k, column), b_.stride, std::min(to * kWide, columns_) - column, b_.turned};
    Panels::template pack<false>(lines, deep(block), panels, right_size(), see);
  }

  void share(int64_t block, int64_t piece, Number* panels) {
    const int64_t count = left_shared_ ? tall_ : wide_;
    const int64_t from = count * piece / pieces_, to = count * (piece + 1) / pieces_;
    if (from == to) return;
    if (left_shared_) return pack_left(block, from, to, panels + from * left_size());
    pack_right(block, from, to, panels + from * right_size());
  }

  void multiply(int64_t block, int64_t piece, const Number* shared) {
    const int64_t own = left_shared_ ? wide_ : tall_, others = left_shared_ ? tall_ : wide_;
    const int64_t from = own * piece / pieces_, to = own * (piece + 1) / pieces_;
    Borrowed<Number> mine((to - from) * (left_shared_ ? right_size() : left_size()));
    left_shared_ ? pack_right(block, from, to, mine.get()) : pack_left(block, from, to, mine.get());
    const auto take = [this, piece](const Tile& tile, int r) { use_.take(piece, tile, r); };
    Behind<decltype(take)> behind(take);
    Tile tile{0, 0, 0, block == 0, block + 1 == blocks_, nullptr};
    const int64_t size = left_shared_ ? left_size() : right_size();
    const int64_t some = size / (to - from) * Panels::kDeepMultiple / deep_;
    // What is shared is read anew for each of the piece's own where all of it stays at hand: sums lie together then.
    const bool own_first = others * size * (int64_t)sizeof(Number) <= kAtHand;
    for (int64_t turn = 0; turn < others * (to - from); ++turn) {
      const int64_t other = own_first ? turn % others : turn / (to - from);
      const int64_t panel = from + (own_first ? turn / others : turn % (to - from));
      const int64_t tall = left_shared_ ? other : panel, wide = left_shared_ ? panel : other;
      tile.row = tall * kTall;
      tile.column = wide * kWide;
      tile.rows = (int)std::min<int64_t>(kTall, rows_ - tile.row);
      const Number* a = left_shared_ ? shared + tall * size : mine.get() + (tall - from) * left_size();
      const Number* b = left_shared_ ? mine.get() + (wide - from) * right_size() : shared + wide * size;
      const Number* next = shared + (other + 1) * size + (panel - from) * size / (to - from);
      const Pair<Number> pair{a, b, deep(block), next, some, use_.place(tile), use_.stride};
      behind.next(tile, [&](Vector (*sums)[kVectors], const auto& meanwhile) {
        Panels::sum(tile.rows, columns_ - tile.column, pair, sums, meanwhile);
      });
    }
    behind.finish();
  }

  const Matrix a_, b_;
  const int64_t rows_, columns_, depth_;
  Use& use_;
  const bool left_shared_;  // the smaller factor is
  int64_t tall_, wide_;                     // panels of either factor
  int64_t blocks_, steps_, deep_, panels_;  // deep_ numbers of each block, panels_ of all that share it
  int64_t pieces_;
  Number* shared_ = nullptr;
};

template <typename Panels, typename Use>
void multiply_by(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns, int64_t depth, Use&& use) {
  Product<std::remove_reference_t<Use>, Panels>(a, b, rows, columns, depth, use).run();
}

template <typename Use>
void multiply(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns, int64_t depth, Use&& use) {
  by_best_panels([&](auto panels) { multiply_by<decltype(panels)>(a, b, rows, columns, depth, use); });
}

// Where sums are put: rows `stride` apart. Those of later blocks, or all if there were others before, are added.
struct Sums {
  float* start;
  int64_t stride, columns;
  bool others;

  float* at(int64_t row, int64_t column) const { return start + row * stride + column; }

  template <typename Put>
  void each(const Tile& tile, int r, const Put& put) const {
    each_vector(tile, r, columns, [&](int64_t column, int64_t count, Vector sum) {
      float* to = at(tile.row + r, column);
      put(column, count, to, tile.first && !others ? sum : sum + read(to, count));
    });
  }

  // Whether each is put once: such go past the caches, which what is multiplied needs.
  bool once(const Tile& tile) const { return tile.first && tile.last && !others; }

  const float* place(const Tile& tile) const { return once(tile) ? nullptr : at(tile.row, tile.column); }

  void take(int64_t, const Tile& tile, int r) const {
    if (once(tile)) {
      return each(tile, r, [](int64_t, int64_t count, float* to, Vector sum) { write_past(to, sum, count); });
    }
    each(tile, r, [](int64_t, int64_t count, float* to, Vector sum) { write(to, sum, count); });
  }

  static int64_t few_pieces() { return 2 * Helpers::all().most(); }
  void begin(int64_t) const {}
  void see(int64_t, int64_t, int64_t, int64_t, const float*, int64_t) const {}
};

constexpr const char* kNotAlike = "Factors of a product differ in how much of them is summed over.";

// a times b, rows side by side.
inline void multiply(const Matrix& a, const Matrix& b, int64_t rows, int64_t columns, int64_t depth, float* sums) {
  if (depth == 0) std::fill_n(sums, rows * columns, 0.0f);
  if (rows > 0 && columns > 0 && depth > 0) multiply(a, b, rows, columns, depth, Sums{sums, columns, columns, false});
}

}  // namespace textseq
