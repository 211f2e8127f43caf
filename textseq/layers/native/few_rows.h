// Products of a few rows with a packed kernel: what each step of a recurrence is made of.
//
// The kernel is packed once for all steps, in panels of a vector's columns, read in the order in which they lie.
#pragma once

#include <vector>

#include "tiles.h"
#include "vectors.h"

namespace textseq {

constexpr int kMostRows = 32;
constexpr int64_t kAhead = 200;  // rows of a panel that are asked for before they are read: a large one is far away

// Rows of the left factor, whose columns end in zeros, and one panel of the right one.
template <typename T>
struct Factors {
  const T* rows;
  int64_t stride;  // from one row to the next
  int64_t columns;
  const T* panel;
};

template <int R>
void multiply_rows(const Factors<float>& f, Vector* out) {
  Vector sums[R] = {};
  const float *rows = f.rows, *panel = f.panel;
  const int64_t stride = f.stride, columns = f.columns;
  for (int64_t k = 0; k < columns; ++k, panel += kWidth) {
    Vector column;
    std::memcpy(&column, panel, sizeof(column));
    __builtin_prefetch(panel + kAhead * kWidth);
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) sums[r] += rows[r * stride + k] * column;
  }
  for (int r = 0; r < R; ++r) out[r] = sums[r];
}

template <int R>
void multiply_pair_of_rows(const Factors<float>& f, const float* other, Vector* out, Vector* out_other) {
  Vector sums[R] = {}, others[R] = {};
  const float *rows = f.rows, *panel = f.panel;
  const int64_t stride = f.stride, columns = f.columns;
  for (int64_t k = 0; k < columns; ++k, panel += kWidth, other += kWidth) {
    Vector column, second;
    std::memcpy(&column, panel, sizeof(column));
    std::memcpy(&second, other, sizeof(second));
    __builtin_prefetch(panel + kAhead * kWidth);
    __builtin_prefetch(other + kAhead * kWidth);
#pragma GCC unroll 32
    for (int r = 0; r < R; ++r) {
      sums[r] += rows[r * stride + k] * column;
      others[r] += rows[r * stride + k] * second;
    }
  }
  for (int r = 0; r < R; ++r) {
    out[r] = sums[r];
    out_other[r] = others[r];
  }
}

// float32. A panel is `columns` rows of a vector's numbers.
struct Float32 {
  using Number = float;   // of panels and factors
  using Outcome = float;  // of what is handed on in the operands' type
  static constexpr int kParts = 1;  // numbers for each of theirs
  static constexpr int64_t kMultiple = kWidth;
#if defined(__AVX512F__)
  static constexpr int kRows = 20, kRowsOfPair = 12;
#else
  static constexpr int kRows = 12, kRowsOfPair = 6;
#endif

  // Packs rows k and k + 1 of a panel.
  static void pack(float* panel, int64_t k, Vector row, Vector next) {
    write(panel + k * kWidth, row, kWidth);
    write(panel + (k + 1) * kWidth, next, kWidth);
  }

  // Puts a vector's numbers into a factor's row of `columns`.
  static void put(float* row, int64_t column, int64_t, Vector values) { write(row + column, values, kWidth); }

  template <int R = kRows>
  static void multiply(int rows, const Factors<float>& f, Vector* out) {
    if constexpr (R == 1) {
      multiply_rows<1>(f, out);
    } else if (rows == R) {
      multiply_rows<R>(f, out);
    } else {
      multiply<R - 1>(rows, f, out);
    }
  }

  template <int R = kRowsOfPair>
  static void multiply_pair(int rows, const Factors<float>& f, const float* other, Vector* out, Vector* out_other) {
    if constexpr (R == 1) {
      multiply_pair_of_rows<1>(f, other, out, out_other);
    } else if (rows == R) {
      multiply_pair_of_rows<R>(f, other, out, out_other);
    } else {
      multiply_pair<R - 1>(rows, f, other, out, out_other);
    }
  }

  static void attend(bool) {}
};

#if defined(TEXTSEQ_TILES)
// By tiles of 16 rows and 32 columns, summed in float32: numbers of bfloat16, or of float32 as three parts each
// (tile_panels.h). A panel is blocks of 32 rows: of each part, pairs of rows, column by column.
template <typename T>
struct Tiled {
  using Number = uint16_t;
  using Outcome = T;
  static constexpr int kParts = sizeof(T) == 4 ? 3 : 1;
  static constexpr int64_t kMultiple = 32;
  static constexpr int kRows = 32, kRowsOfPair = 32;

  static void pack(uint16_t* panel, int64_t k, Vector row, Vector second) {
    uint16_t* to = panel + k / 32 * kParts * kTile + k % 32 * kWidth;
    for (int part = 0; part < kParts; ++part, to += kTile) {
      const Bits pairs =
          __builtin_convertvector(next(row), Bits) | __builtin_convertvector(next(second), Bits) << 16;
      std::memcpy(to, &pairs, sizeof(pairs));
    }
  }

  static void put(uint16_t* row, int64_t column, int64_t columns, Vector values) {
    for (int part = 0; part < kParts; ++part, row += columns) {
      const Halves halves = next(values);
      std::memcpy(row + column, &halves, sizeof(halves));
    }
  }

  static void attend(bool comes) { Tiles::attend(comes); }

  static void multiply(int rows, const Factors<uint16_t>& f, Vector* out) {
    by_tiles<false>(rows, f, f.panel, out, out);
  }

  static void multiply_pair(int rows, const Factors<uint16_t>& f, const uint16_t* other, Vector* out,
                            Vector* out_other) {
    by_tiles<true>(rows, f, other, out, out_other);
  }

 private:
  static constexpr int64_t kTile = 512, kSoon = 3 * kParts * kTile;  // asked for before it is read

  static Halves next(Vector& values) {
    return kParts == 1 ? rounded(values) : __builtin_convertvector(take_part(values) >> 16, Halves);
  }

  template <bool kPair>
  static void by_tiles(int rows, const Factors<uint16_t>& f, const uint16_t* other, Vector* out, Vector* out_other) {
    Tiles::shape(rows);
    const int first = (rows + 1) / 2;
    const uint16_t *upper = f.rows, *lower = rows > 1 ? f.rows + first * f.stride : f.rows, *panel = f.panel;
    const auto take_left = [&](int part) {
      _tile_loadd(4, upper + part * f.columns, 2 * f.stride);
      _tile_loadd(5, lower + part * f.columns, 2 * f.stride);
    };
    const auto take_right = [&](int part) {
      _tile_loadd(6, panel + part * kTile, 64);
      if constexpr (kPair) _tile_loadd(7, other + part * kTile, 64);
    };
    const auto ask = [&](int sixth) {  // of a later block's parts, which are far away
      for (int64_t i = sixth * kTile / 2; i < (sixth + 1) * kTile / 2; i += 32) {
        __builtin_prefetch(panel + kSoon + i);
        if constexpr (kPair) __builtin_prefetch(other + kSoon + i);
      }
    };
    Tiles::written();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < f.columns; k += 32, upper += 32, lower += 32) {
      if constexpr (kParts == 3) {
        multiply_parts(take_left, take_right, [&](int number) {
          ask(number);
          multiply_tiles<kPair>();
        });
      } else {
        take_left(0);
        take_right(0);
        multiply_tiles<kPair>();
      }
      panel += kParts * kTile;
      other += kParts * kTile;
    }
    _tile_stored(0, out, 64);
    if (rows > 1) _tile_stored(1, out + first, 64);
    if constexpr (kPair) {
      _tile_stored(2, out_other, 64);
      if (rows > 1) _tile_stored(3, out_other + first, 64);
    }
  }

  template <bool kPair>
  static void multiply_tiles() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 5, 6);
    if constexpr (kPair) {
      _tile_dpbf16ps(2, 4, 7);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
};

using BFloat16 = Tiled<uint16_t>;
using SplitFloat32 = Tiled<float>;
#endif

}  // namespace textseq
