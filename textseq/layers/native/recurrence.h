// The loops of a recurrence: forwards, keeping what the way back needs, and back, to the gates' gradients.
//
// Equations and the order of gates are those of ../cells.py. All arrays are row-major and float32 but where said.
#pragma once

#include "few_rows.h"
#include "scratch.h"
#include "threads.h"

namespace textseq {

enum Cell : int { kRNN = 0, kGRU = 1, kLSTM = 2 };

constexpr int gates_of(int cell) { return cell == kLSTM ? 4 : cell == kGRU ? 3 : 1; }
constexpr int saved_of(int cell) { return cell == kRNN ? 0 : 4; }  // RNN's h is its own

// What both ways read.
struct Given {
  int64_t time, batch, units;
  bool reverse;             // whether time runs backwards
  const float* recurrent;   // kernel (units, gates·units)
  const uint8_t* mask;      // 0 at padded steps (time, batch), or null
  const float* drop;        // what h is multiplied by on entering the product (batch, units), or null
  const float* h;           // first state (batch, units)
  const float* c;           // LSTM's (batch, units)

  int64_t at(int64_t step) const { return reverse ? time - 1 - step : step; }
  int64_t blocks() const { return padded(units, kWidth) / kWidth; }
  int64_t width() const { return blocks() * kWidth; }
};

struct Forwards : Given {
  const float* projected;       // (time, batch, gates·units), biases not in it
  const float* bias;            // (gates·units), of the inputs
  const float* recurrent_bias;  // (gates·units), GRU's
  float* outputs;               // h (time, batch, units)
  void* entering;               // h, or h · drop, as it enters the product: operands (time, batch, units)
  float* cells;                 // LSTM's c (time, batch, units)
  float* saved;  // (time, blocks, batch, saved·kWidth): LSTM's gates; GRU's z, r, g and its recurrent part
};

struct Back : Given {
  const float *outputs, *cells, *saved;  // as they were made
  const float* d_outputs;                // (time, batch, units)
  const float *d_last_h, *d_last_c;      // (batch, units)
  void* d_gates;                         // operands (time, batch, gates·units)
  void* d_recurrent;                     // GRU's, of its recurrent product; operands (time, batch, gates·units)
  float* d_bias;                         // (gates·units), GRU's (2, gates·units)
  float *d_h, *d_c;                      // of the first state (batch, units)
};

// The rows that one product takes at once, alike as far as can be.
struct Rows {
  int64_t batch, pieces;
  Rows(int64_t batch, int most) : batch(batch), pieces((batch + most - 1) / most) {}
  int64_t first(int64_t piece) const { return batch * piece / pieces; }
  int count(int64_t piece) const { return (int)(first(piece + 1) - first(piece)); }
};

// Asks for a vector's numbers, which may lie in two lines.
inline void ask_for(const float* numbers) {
  __builtin_prefetch(numbers);
  __builtin_prefetch(numbers + kWidth - 1);
}

inline Vector chosen(bool real, Vector here, Vector elsewhere) { return real ? here : elsewhere; }

template <typename Operand, int kCell>
class ForwardLoop {
  using Number = typename Operand::Number;
  using Outcome = typename Operand::Outcome;
  static constexpr int kGates = gates_of(kCell);

 public:
  explicit ForwardLoop(const Forwards& given)
      : p(given), rows_(given.batch, kGates > 1 ? Operand::kRowsOfPair : Operand::kRows) {
    columns_ = padded(p.width(), Operand::kMultiple);
    stride_ = Operand::kParts * columns_ + 2 * kWidth;  // off the powers of two, whose rows share places in the cache
  }

  void run() {
    const Borrowed<Number> kernels(p.blocks() * kGates * panel_size()), factors(2 * p.batch * stride_);
    panels_ = kernels.get();
    entering_[0] = factors.zeroed();
    entering_[1] = entering_[0] + p.batch * stride_;
    const double operations = 2.0 * p.batch * columns_ * kGates * kWidth;
    const auto work = [this](int step, int block) { step == 0 ? begin(block) : advance(step - 1, block); };
    Helpers::all().run((int)p.time + 1, (int)p.blocks(), operations, work, &Operand::attend);
  }

 private:
  Number* panel(int64_t block, int gate) const { return panels_ + (block * kGates + gate) * panel_size(); }
  int64_t panel_size() const { return kWidth * columns_ * Operand::kParts; }

  void begin(int64_t block) {
    const int64_t first = block * kWidth, count = std::min(kWidth, p.units - first);
    for (int gate = 0; gate < kGates; ++gate) {
      const auto row = [&](int64_t k) {
        return k < p.units ? read(p.recurrent + (k * kGates + gate) * p.units + first, count) : Vector{};
      };
      for (int64_t k = 0; k < columns_; k += 2) Operand::pack(panel(block, gate), k, row(k), row(k + 1));
    }
    for (int64_t row = 0; row < p.batch; ++row) enter(0, row, first, count, read(p.h + row * p.units + first, count));
  }

  void enter(int64_t step, int64_t row, int64_t first, int64_t count, Vector h) {
    if (step == p.time) return;
    if (p.drop) h *= read(p.drop + row * p.units + first, count);
    Operand::put(entering_[step % 2] + row * stride_, first, columns_, h);
    write((Outcome*)p.entering + (p.at(step) * p.batch + row) * p.units + first, h, count);
  }

  void advance(int64_t step, int64_t block) {
    alignas(64) Vector sums[kGates][kMostRows];
    ask(step, block);
    for (int64_t piece = 0; piece < rows_.pieces; ++piece) {
      const int64_t top = rows_.first(piece);
      const int rows = rows_.count(piece);
      for (int gate = 0; gate + 1 < kGates; gate += 2) {
        const Factors<Number> f{entering_[step % 2] + top * stride_, stride_, columns_, panel(block, gate)};
        Operand::multiply_pair(rows, f, panel(block, gate + 1), sums[gate], sums[gate + 1]);
      }
      if (kGates % 2) {
        const Factors<Number> f{entering_[step % 2] + top * stride_, stride_, columns_, panel(block, kGates - 1)};
        Operand::multiply(rows, f, sums[kGates - 1]);
      }
      for (int r = 0; r < rows; ++r) {
        Vector own[kGates];
        for (int gate = 0; gate < kGates; ++gate) own[gate] = sums[gate][r];
        cell(step, top + r, block, own);
      }
    }
  }

  // Asks for what `cell` is going to read while the products are made.
  void ask(int64_t step, int64_t block) const {
    const float* projected = p.projected + p.at(step) * p.batch * kGates * p.units + block * kWidth;
    for (int64_t row = 0; row < p.batch; ++row, projected += kGates * p.units) {
      for (int gate = 0; gate < kGates; ++gate) ask_for(projected + gate * p.units);
    }
  }

  void cell(int64_t step, int64_t row, int64_t block, const Vector* product) {
    const int64_t first = block * kWidth, count = std::min(kWidth, p.units - first), now = p.at(step);
    const int64_t here = (now * p.batch + row) * p.units + first;
    const bool real = !p.mask || p.mask[now * p.batch + row];
    const float* projected = p.projected + (now * p.batch + row) * kGates * p.units + first;
    const auto before = [&](const float* made, const float* initial) {
      if (step == 0) return read(initial + row * p.units + first, count);
      return read(made + (p.at(step - 1) * p.batch + row) * p.units + first, count);
    };
    const auto sum = [&](int gate) {
      return read(projected + gate * p.units, count) + read(p.bias + gate * p.units + first, count);
    };
    float* saved = p.saved + ((now * p.blocks() + block) * p.batch + row) * saved_of(kCell) * kWidth;
    Vector h;
    if constexpr (kCell == kLSTM) {
      const Vector i = sigmoid(sum(0) + product[0]), f = sigmoid(sum(1) + product[1]);
      const Vector g = hyperbolic_tangent(sum(2) + product[2]), o = sigmoid(sum(3) + product[3]);
      const Vector c_before = before(p.cells, p.c), c = f * c_before + i * g;
      h = o * hyperbolic_tangent(c);
      write(p.cells + here, chosen(real, c, c_before), count);
      const Vector all[4] = {i, f, g, o};
      for (int part = 0; part < 4; ++part) write(saved + part * kWidth, all[part], kWidth);
    } else if constexpr (kCell == kGRU) {
      const auto recurrent = [&](int gate) {
        return product[gate] + read(p.recurrent_bias + gate * p.units + first, count);
      };
      const Vector z = sigmoid(sum(0) + recurrent(0)), r = sigmoid(sum(1) + recurrent(1)), through = recurrent(2);
      const Vector g = hyperbolic_tangent(sum(2) + r * through);
      h = g + z * (before(p.outputs, p.h) - g);
      const Vector all[4] = {z, r, g, through};
      for (int part = 0; part < 4; ++part) write(saved + part * kWidth, all[part], kWidth);
    } else {
      h = hyperbolic_tangent(sum(0) + product[0]);
    }
    if (!real) h = before(p.outputs, p.h);
    write(p.outputs + here, h, count);
    enter(step + 1, row, first, count, h);
  }

  const Forwards& p;
  const Rows rows_;
  int64_t columns_, stride_;
  Number *panels_, *entering_[2];
};

template <typename Operand, int kCell>
class BackLoop {
  using Number = typename Operand::Number;
  using Outcome = typename Operand::Outcome;
  static constexpr int kGates = gates_of(kCell);

 public:
  explicit BackLoop(const Back& given) : p(given), rows_(given.batch, Operand::kRowsOfPair) {
    columns_ = padded(kGates * p.width(), Operand::kMultiple);
    stride_ = Operand::kParts * columns_ + 2 * kWidth;
  }

  void run() {
    const Borrowed<Number> kernels(p.blocks() * panel_size()), factors(2 * p.batch * stride_);
    const Borrowed<float> sums((kGates + 1) * p.width());
    panels_ = kernels.get();
    factors_[0] = factors.zeroed();
    factors_[1] = factors_[0] + p.batch * stride_;
    sums_ = sums.zeroed();
    const auto work = [this](int step, int pair) {
      if (step > 0) multiply(step, 2 * pair);
      for (int64_t block = 2 * pair; block < std::min<int64_t>(2 * pair + 2, p.blocks()); ++block) {
        if (step == 0) begin(block);
        if (step < p.time) differentiate(step, block);
      }
    };
    const double operations = 2.0 * p.batch * columns_ * 2 * kWidth;
    Helpers::all().run((int)p.time + 1, (int)(p.blocks() + 1) / 2, operations, work, &Operand::attend);
    for (int gate = 0; gate < kGates; ++gate) {
      const size_t bytes = 4 * p.units;
      std::memcpy(p.d_bias + gate * p.units, sums_ + gate * p.width(), bytes);
      if (kCell == kGRU) {
        const int row = gate == 2 ? 3 : gate;
        std::memcpy(p.d_bias + (kGates + gate) * p.units, sums_ + row * p.width(), bytes);
      }
    }
  }

 private:
  Number* panel(int64_t block) const { return panels_ + block * panel_size(); }
  int64_t panel_size() const { return kWidth * columns_ * Operand::kParts; }

  // Step `step` of the way back stands at this one of the way forwards.
  int64_t forward_step(int64_t step) const { return p.time - 1 - step; }

  void begin(int64_t block) {
    const int64_t first = block * kWidth, count = std::min(kWidth, p.units - first);
    const auto row = [&](int64_t k) {  // of the turned kernel
      const int64_t gate = k / p.width(), unit = k % p.width();
      Vector values = {};
      if (gate == kGates || unit >= p.units) return values;
      const float* from = p.recurrent + (first * kGates + gate) * p.units + unit;
      for (int64_t j = 0; j < count; ++j) values[j] = from[j * kGates * p.units];
      return values;
    };
    for (int64_t k = 0; k < columns_; k += 2) Operand::pack(panel(block), k, row(k), row(k + 1));
    for (int64_t row = 0; row < p.batch; ++row) {
      const int64_t here = row * p.units + first;
      write(p.d_h + here, read(p.d_last_h + here, count), count);
      if (kCell == kLSTM) write(p.d_c + here, read(p.d_last_c + here, count), count);
    }
  }

  // Adds to d_h, of two blocks if there are two, what comes by way of the product.
  void multiply(int64_t step, int64_t block) {
    alignas(64) Vector sums[2][kMostRows];
    const int both = block + 1 < p.blocks() ? 2 : 1;
    for (int64_t piece = 0; piece < rows_.pieces; ++piece) {
      const int64_t top = rows_.first(piece);
      const int rows = rows_.count(piece);
      const Factors<Number> f{factors_[(step - 1) % 2] + top * stride_, stride_, columns_, panel(block)};
      if (both == 2) {
        Operand::multiply_pair(rows, f, panel(block + 1), sums[0], sums[1]);
      } else {
        Operand::multiply(rows, f, sums[0]);
      }
      for (int one = 0; one < both; ++one) {
        const int64_t first = (block + one) * kWidth, count = std::min(kWidth, p.units - first);
        for (int r = 0; r < rows; ++r) {
          const int64_t here = (top + r) * p.units + first;
          Vector through = sums[one][r];
          if (p.drop) through *= read(p.drop + here, count);
          write(p.d_h + here, read(p.d_h + here, count) + through, count);
        }
      }
    }
  }

  // Gates' gradients of a step; leaves in d_h and d_c what goes past the product.
  void differentiate(int64_t step, int64_t block) {
    const int64_t first = block * kWidth, count = std::min(kWidth, p.units - first);
    const int64_t forward = forward_step(step), now = p.at(forward);
    Vector totals[kGates + 1] = {};
    for (int64_t row = 0; row < p.batch; ++row) {
      const int64_t state = row * p.units + first, here = now * p.batch * p.units + state;
      const auto before = [&](const float* made, const float* initial) {
        if (forward == 0) return read(initial + state, count);
        return read(made + p.at(forward - 1) * p.batch * p.units + state, count);
      };
      const Vector dh = read(p.d_h + state, count) + read(p.d_outputs + here, count);
      if (p.mask && !p.mask[now * p.batch + row]) {
        write(p.d_h + state, dh, count);
        const Vector zeros[kGates + 1] = {};
        put(step, now, row, first, count, zeros);
        continue;
      }
      const float* saved = p.saved + ((now * p.blocks() + block) * p.batch + row) * saved_of(kCell) * kWidth;
      const auto kept = [&](int part) { return read(saved + part * kWidth, kWidth); };
      Vector d[kGates + 1], past = {};
      if constexpr (kCell == kLSTM) {
        const Vector i = kept(0), f = kept(1), g = kept(2), o = kept(3);
        const Vector tanh_c = hyperbolic_tangent(read(p.cells + here, count));
        const Vector dc = read(p.d_c + state, count) + dh * o * (1.0f - tanh_c * tanh_c);
        d[0] = dc * g * i * (1.0f - i);
        d[1] = dc * before(p.cells, p.c) * f * (1.0f - f);
        d[2] = dc * i * (1.0f - g * g);
        d[3] = dh * tanh_c * o * (1.0f - o);
        write(p.d_c + state, dc * f, count);
      } else if constexpr (kCell == kGRU) {
        const Vector z = kept(0), r = kept(1), g = kept(2);
        past = dh * z;
        d[2] = (dh - past) * (1.0f - g * g);
        d[0] = dh * (before(p.outputs, p.h) - g) * z * (1.0f - z);
        d[1] = d[2] * kept(3) * r * (1.0f - r);
        d[3] = d[2] * r;
      } else {
        const Vector h = read(p.outputs + here, count);
        d[0] = dh * (1.0f - h * h);
      }
      write(p.d_h + state, past, count);
      put(step, now, row, first, count, d);
      for (int gate = 0; gate < kGates + (kCell == kGRU); ++gate) totals[gate] += d[gate];
    }
    for (int gate = 0; gate < kGates + (kCell == kGRU); ++gate) {
      float* sum = sums_ + gate * p.width() + first;
      write(sum, read(sum, kWidth) + totals[gate], kWidth);
    }
  }

  void put(int64_t step, int64_t now, int64_t row, int64_t first, int64_t count, const Vector* d) {
    const int64_t line = (now * p.batch + row) * kGates * p.units + first;
    for (int gate = 0; gate < kGates; ++gate) {
      write((Outcome*)p.d_gates + line + gate * p.units, d[gate], count);
      const Vector factor = kCell == kGRU && gate == 2 ? d[3] : d[gate];
      if (kCell == kGRU) write((Outcome*)p.d_recurrent + line + gate * p.units, factor, count);
      Operand::put(factors_[step % 2] + row * stride_, gate * p.width() + first, columns_, factor);
    }
  }

  const Back& p;
  const Rows rows_;
  int64_t columns_, stride_;
  Number *panels_, *factors_[2];
  float* sums_;
};

template <typename Operand>
void run_with(int cell, const Forwards& given) {
  if (cell == kLSTM) ForwardLoop<Operand, kLSTM>(given).run();
  if (cell == kGRU) ForwardLoop<Operand, kGRU>(given).run();
  if (cell == kRNN) ForwardLoop<Operand, kRNN>(given).run();
}

template <typename Operand>
void run_with(int cell, const Back& given) {
  if (cell == kLSTM) BackLoop<Operand, kLSTM>(given).run();
  if (cell == kGRU) BackLoop<Operand, kGRU>(given).run();
  if (cell == kRNN) BackLoop<Operand, kRNN>(given).run();
}

// Runs a loop whose operands are float32, or bfloat16 where there are tiles for it.
template <bool kOf16Bits, typename Given>
void run(int cell, const Given& given) {
#if defined(TEXTSEQ_TILES)
  if (kOf16Bits) return run_with<BFloat16>(cell, given);
  constexpr int64_t kNarrow = 128;  // units; with 64 tiles took 1.2 to 1.9 times as long as vectors
  if (Tiles::usable() && given.units >= kNarrow) return run_with<SplitFloat32>(cell, given);
#endif
  run_with<Float32>(cell, given);
}

}  // namespace textseq

// How many units lie side by side in what the way back is handed.
extern "C" int64_t textseq_width() { return textseq::kWidth; }

// Whether factors of 16 bits are multiplied too; the library's own word on it.
extern "C" bool textseq_multiplies_bfloat16() {
#if defined(TEXTSEQ_TILES)
  return textseq::Tiles::usable();
#else
  return false;
#endif
}
