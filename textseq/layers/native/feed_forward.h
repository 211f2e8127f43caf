// A Transformer's feed-forward layer, forwards and back: two products and what stands between them, which is in memory
// for some rows at a time only. Only what is activated is kept, for the way back.
#pragma once

#include <array>
#include <functional>

#include "alone.h"
#include "matrices.h"

namespace textseq {

struct FeedForward {
  int64_t rows, units, inner;
  bool gated;               // whether the columns of `wide` are twice as many, gates first
  const float* inputs;      // (rows, units)
  const float *wide, *narrow;  // (units, columns), (inner, units)
  float* sums;              // inputs times `wide` (rows, columns)
  float* outputs;           // (rows, units)
  const float* d_outputs;   // on the way back
  float *d_inputs, *d_wide, *d_narrow;

  int64_t halves() const { return gated ? 2 : 1; }
  int64_t columns() const { return halves() * inner; }
};

// An activation, and its slopes along both sums that it is made of, or along one.
struct Active {
  Vector value, slopes[2];
};

// x · sigmoid(2 · √(2/π) · (x + 0.044715 x³)), which is GELU's form with tanh.
inline Active gelu(Vector x) {
  constexpr float kRoot = 1.5957691216f, kCubic = 0.044715f;
  const Vector square = x * x, power = exponential(-kRoot * x * (1.0f + kCubic * square)), part = 1.0f / (1.0f + power);
  return {x * part, {part + x * part * part * power * kRoot * (1.0f + 3.0f * kCubic * square)}};
}

// gate · sigmoid(gate) · value: SwiGLU.
inline Active gated(Vector gate, Vector value) {
  const Vector power = exponential(-gate), part = 1.0f / (1.0f + power), active = gate * part;
  return {active * value, {(part + active * part * power) * value, active}};
}

template <typename Panels>
class FeedForwardPass {
  using Number = typename Panels::Number;
  using Left = typename Alone<Panels>::template Packed<true>;
  using Right = typename Alone<Panels>::template Packed<false>;
  static constexpr int64_t kRows = 128 / Panels::kTall * Panels::kTall;  // at a time, on the way back twice as many
  static constexpr int64_t kChunk = 256;                                 // columns of the inner width at a time
  static constexpr int64_t kSummed = 1024;                               // of it, summed over at once
  static constexpr int64_t kGradients = int64_t{1} << 24;                // numbers of weights' gradients, all pieces'

 public:
  explicit FeedForwardPass(const FeedForward& given, bool back)
      : p(given), back_(back),
        wide_{{Right(wide_lines(), wide_depth()), Right(p.gated ? wide_lines() : 0, wide_depth())}},
        narrow_(wide_depth(), wide_lines()) {}

  void forwards() {
    const int64_t some = kRows * (p.rows / kRows / kManyPieces + 1);
    run(2, some, [this](int64_t, int64_t first, int64_t end) {
      for (int64_t row = first; row < end; row += kRows) forwards(row, std::min(kRows, end - row));
    });
  }

  void back() {
    // As many rows a piece as do not depend on the threads, for the weights' gradients are summed by pieces, each of
    // which has its own: few of large weights.
    const int64_t weights = p.units * (p.columns() + p.inner);
    const int64_t at_most = std::min<int64_t>(16, std::max<int64_t>(4, kGradients / weights));
    const int64_t most = 2 * kRows, few = std::min(2 * most, padded((p.rows + 3) / 4, 32));
    const int64_t some = std::max(padded((p.rows + at_most - 1) / at_most, most), few);
    const int64_t pieces = (p.rows + some - 1) / some;
    const Borrowed<float> d_wide(pieces * p.units * p.columns()), d_narrow(pieces * p.units * p.inner);
    const auto work = [&](int64_t piece, int64_t first, int64_t end) {
      float *wide = d_wide.get() + piece * p.units * p.columns(), *narrow = d_narrow.get() + piece * p.units * p.inner;
      for (int64_t row = first; row < end; row += most) {
        back(row, std::min(most, end - row), row > first, wide, narrow);
      }
    };
    run(3, some, work, [&](int64_t piece) { add_up(piece, pieces, d_wide.get(), d_narrow.get()); });
  }

 private:
  // Of one kernel as it is packed; of the other they are the other way round.
  int64_t wide_lines() const { return back_ ? p.units : p.inner; }
  int64_t wide_depth() const { return back_ ? p.inner : p.units; }

  // Packs the weights, does pieces of `some` rows and, if there is a third step, what follows them.
  template <typename Work>
  void run(int steps, int64_t some, const Work& work, const std::function<void(int64_t)>& after = {}) {
    const int64_t pieces = (p.rows + some - 1) / some;
    const auto step_of = [&](int step, int piece) {
      if (step == 0) pack_weights(piece, pieces);
      if (step == 1) work(piece, piece * some, std::min(p.rows, (piece + 1) * some));
      if (step == 2) after(piece);
      settle();
    };
    const double operations = (back_ ? 8.0 : 4.0) * some * p.units * p.columns();
    Helpers::all().run(steps, (int)pieces, operations, step_of, &Panels::attend);
  }

  void pack_weights(int64_t piece, int64_t pieces) {
    for (int64_t half = 0; half < p.halves(); ++half) {
      const float* from = p.wide + half * p.inner;
      wide_[half].pack_share({from, p.columns(), wide_lines(), back_}, wide_depth(), piece, pieces);
    }
    narrow_.pack_share({p.narrow, p.units, wide_depth(), back_}, wide_lines(), piece, pieces);
  }

  // Hands sums to `take(row, column, count, vector)`: of all rows of `left` with `columns` lines of `right`, those from
  // `line` on, over `depth` of its numbers, those from `k` on. Where they are put is asked for, if that is said.
  template <typename Take>
  static void multiply(const Left& left, int64_t rows, const Right& right, int64_t line, int64_t columns, int64_t k,
                       int64_t depth, const float* place, int64_t apart, const Take& take) {
    const auto take_row = [&](const Tile& tile, int r) {
      each_vector(tile, r, columns, [&](int64_t column, int64_t count, Vector sum) {
        take(tile.row + r, column, count, sum);
      });
    };
    Behind<decltype(take_row)> behind(take_row);
    const int64_t tiles = (rows + Panels::kTall - 1) / Panels::kTall;
    const int64_t some = Panels::kWide * Panels::kParts * Panels::kDeepMultiple / tiles;
    const int64_t share = some * padded(depth, Panels::kDeepMultiple) / Panels::kDeepMultiple;
    for (int64_t column = 0; column < columns; column += Panels::kWide) {
      const int64_t panel = (line + column) / Panels::kWide;
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t row = tile * Panels::kTall;
        const int tall = (int)std::min<int64_t>(Panels::kTall, rows - row);
        const Pair<Number> pair{left.panel(tile), right.at(panel, k), depth, right.at(panel + 1, k) + tile * share,
                                some, place ? place + row * apart + column : nullptr, apart};
        behind.next({row, column, tall, true, true, nullptr}, [&](Vector (*sums)[kVectors], const auto& meanwhile) {
          Panels::sum(tall, columns - column, pair, sums, meanwhile);
        });
      }
    }
    behind.finish();
  }

  // Puts sums where they belong, or adds them to others there.
  static void put(const Left& left, int64_t rows, const Right& right, int64_t columns, int64_t k, int64_t depth,
                  bool others, float* to, int64_t apart) {
    multiply(left, rows, right, 0, columns, k, depth, to, apart,
             [&](int64_t row, int64_t column, int64_t count, Vector sum) {
               float* here = to + row * apart + column;
               write(here, others ? sum + read(here, count) : sum, count);
             });
  }

  void forwards(int64_t first, int64_t rows) const {
    Left inputs(rows, p.units), active(rows, std::min(kSummed, p.inner));
    const Borrowed<float> values(rows * kChunk);
    float *sums = p.sums + first * p.columns(), *outputs = p.outputs + first * p.units;
    inputs.pack({p.inputs + first * p.units, p.units, rows, true}, p.units);
    for (int64_t part = 0; part < p.inner; part += kSummed) {
      const int64_t depth = std::min(kSummed, p.inner - part);
      for (int64_t chunk = part; chunk < part + depth; chunk += kChunk) {
        const int64_t width = std::min(kChunk, part + depth - chunk);
        activate(inputs, rows, chunk, width, sums, values.get());
        active.pack({values.get(), kChunk, rows, true}, width, 0, chunk - part);
      }
      put(active, rows, narrow_, p.units, part, depth, part > 0, outputs, p.units);
    }
  }

  void activate(const Left& inputs, int64_t rows, int64_t chunk, int64_t width, float* sums, float* values) const {
    const auto place = [&](int64_t row, int64_t column) { return sums + row * p.columns() + chunk + column; };
    if (p.gated) {
      multiply(inputs, rows, wide_[0], chunk, width, 0, p.units, place(0, 0), p.columns(),
               [&](int64_t row, int64_t column, int64_t count, Vector sum) { write(place(row, column), sum, count); });
    }
    multiply(inputs, rows, wide_[p.halves() - 1], chunk, width, 0, p.units, nullptr, 0,
             [&](int64_t row, int64_t column, int64_t count, Vector sum) {
               write_past(place(row, column) + (p.halves() - 1) * p.inner, sum, count);
               const Active active = p.gated ? gated(read(place(row, column), count), sum) : gelu(sum);
               write(values + row * kChunk + column, active.value, count);
             });
  }

  void back(int64_t first, int64_t rows, bool others, float* d_wide, float* d_narrow) const {
    Left above(rows, p.units), above_turned(p.units, rows), inputs_turned(p.units, rows), slopes(rows, kChunk);
    Right across(kChunk, rows);
    const Borrowed<float> values(rows * kChunk), d_sums(p.halves() * rows * kChunk);
    const float *d_outputs = p.d_outputs + first * p.units, *inputs = p.inputs + first * p.units;
    above.pack({d_outputs, p.units, rows, true}, p.units);
    above_turned.pack({d_outputs, p.units, p.units, false}, rows);
    inputs_turned.pack({inputs, p.units, p.units, false}, rows);
    for (int64_t chunk = 0; chunk < p.inner; chunk += kChunk) {
      const int64_t width = std::min(kChunk, p.inner - chunk);
      deactivate(above, first, rows, chunk, width, values.get(), d_sums.get());
      across.pack({values.get(), kChunk, width, false}, rows);
      put(above_turned, p.units, across, width, 0, rows, others, d_narrow + chunk, p.inner);
      for (int64_t half = 0; half < p.halves(); ++half) {
        const float* part = d_sums.get() + half * rows * kChunk;
        across.pack({part, kChunk, width, false}, rows);
        put(inputs_turned, p.units, across, width, 0, rows, others, d_wide + half * p.inner + chunk, p.columns());
        slopes.pack({part, kChunk, rows, true}, width);
        put(slopes, rows, wide_[half], p.units, chunk, width, chunk + half > 0, p.d_inputs + first * p.units, p.units);
      }
    }
  }

  // The activations again, and the gradients of the sums that they were made of.
  void deactivate(const Left& above, int64_t first, int64_t rows, int64_t chunk, int64_t width, float* values,
                  float* d_sums) const {
    const float* sums = p.sums + first * p.columns() + chunk;
    multiply(above, rows, narrow_, chunk, width, 0, p.units, sums, p.columns(),
             [&](int64_t row, int64_t column, int64_t count, Vector d_active) {
               const float* from = sums + row * p.columns() + column;
               const Vector sum = read(from, count);
               const Active active = p.gated ? gated(sum, read(from + p.inner, count)) : gelu(sum);
               const int64_t to = row * kChunk + column;
               write(values + to, active.value, count);
               for (int64_t half = 0; half < p.halves(); ++half) {
                 write(d_sums + half * rows * kChunk + to, d_active * active.slopes[half], count);
               }
             });
  }

  // Adds up a share of the weights' gradients; `narrow`'s are turned.
  void add_up(int64_t piece, int64_t pieces, const float* d_wide, const float* d_narrow) const {
    const int64_t groups = (p.units + kWidth - 1) / kWidth;
    for (int64_t group = groups * piece / pieces; group < groups * (piece + 1) / pieces; ++group) {
      const int64_t unit = group * kWidth;
      const int64_t units = std::min(kWidth, p.units - unit);
      const auto sum = [&](const float* from, int64_t columns, int64_t row, int64_t column, int64_t count) {
        Vector sum = {};
        for (int64_t i = 0; i < pieces; ++i) sum += read(from + (i * p.units + row) * columns + column, count);
        return sum;
      };
      for (int64_t row = unit; row < unit + units; ++row) {
        for (int64_t i = 0; i < p.columns(); i += kWidth) {
          const int64_t count = std::min(kWidth, p.columns() - i);
          write(p.d_wide + row * p.columns() + i, sum(d_wide, p.columns(), row, i, count), count);
        }
      }
      for (int64_t i = 0; i < p.inner; i += kWidth) {
        const int64_t count = std::min(kWidth, p.inner - i);
        Vector block[kWidth] = {};
        for (int64_t row = 0; row < units; ++row) block[row] = sum(d_narrow, p.inner, unit + row, i, count);
        transpose(block);
        float* to = p.d_narrow + i * p.units + unit;
        for (int64_t line = 0; line < count; ++line) write(to + line * p.units, block[line], units);
      }
    }
  }

  const FeedForward& p;
  const bool back_;
  std::array<Right, 2> wide_;  // of gates and of values, or of all
  Right narrow_;
};

template <typename Panels>
void pass(const FeedForward& p, bool back) {
  FeedForwardPass<Panels> pass(p, back);
  back ? pass.back() : pass.forwards();
}

inline void run(const FeedForward& p, bool back) {
  if (p.rows == 0) {
    if (back) std::fill_n(p.d_wide, p.units * p.columns(), 0.0f);
    if (back) std::fill_n(p.d_narrow, p.inner * p.units, 0.0f);
    return;
  }
  by_best_panels([&](auto panels) { pass<decltype(panels)>(p, back); });
}

}  // namespace textseq
