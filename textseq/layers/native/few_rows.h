// Products of a few rows with a packed kernel: what each step of a recurrence is made of.
//
// The kernel is packed once for all steps, in panels of a vector's columns, which are read in the order in which they lie.
#pragma once

#include <vector>

#include "vectors.h"

#if defined(__AMX_BF16__) && defined(__AVX512F__) && defined(__linux__)
#define TEXTSEQ_TILES 1
#include <sys/syscall.h>
#include <unistd.h>
#endif

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
  using Number = float;
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
// bfloat16, summed in float32, by tiles of 16 rows and 32 columns. A panel is pairs of rows, column by column.
struct BFloat16 {
  using Number = uint16_t;
  static constexpr int64_t kMultiple = 32;
  static constexpr int kRows = 32, kRowsOfPair = 32;

  static void pack(uint16_t* panel, int64_t k, Vector row, Vector next) {
    const Bits pairs = __builtin_convertvector(rounded(row), Bits) | __builtin_convertvector(rounded(next), Bits) << 16;
    std::memcpy(panel + k * kWidth, &pairs, sizeof(pairs));
  }

  struct Shape {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
  };

  // Tiles 0 to 3 hold sums, 4 and 5 rows of the left factor, in two halves, 6 and 7 panels.
  static void shape_tiles(int rows) {
    if (shaped() == rows) return;
    shaped() = rows;
    Shape shape;
    const int first = (rows + 1) / 2, second = rows - first;
    for (int tile = 0; tile < 8; ++tile) {
      shape.bytes[tile] = 64;
      shape.rows[tile] = tile >= 6 ? 16 : tile % 2 == 0 ? first : second > 0 ? second : 1;
    }
    _tile_loadconfig(&shape);
  }

  // Called when a thread comes to a loop and when it goes: it leaves the thread's tiles shaped as they were.
  static void attend(bool comes) {
    static thread_local Shape before;
    shaped() = 0;
    if (comes) {
      _tile_storeconfig(&before);
    } else if (before.palette) {
      _tile_loadconfig(&before);
    } else {
      _tile_release();
    }
  }

  // For how many rows this thread's tiles are shaped.
  static int& shaped() {
    static thread_local int rows = 0;
    return rows;
  }

  static bool usable() {
    constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM of Linux's arch_prctl
    return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  }

  static void multiply(int rows, const Factors<uint16_t>& f, Vector* out) {
    by_tiles<false>(rows, f, nullptr, out, nullptr);
  }

  static void multiply_pair(int rows, const Factors<uint16_t>& f, const uint16_t* other, Vector* out,
                            Vector* out_other) {
    by_tiles<true>(rows, f, other, out, out_other);
  }

 private:
  template <bool kPair>
  static void by_tiles(int rows, const Factors<uint16_t>& f, const uint16_t* other, Vector* out, Vector* out_other) {
    shape_tiles(rows);
    const int first = (rows + 1) / 2;
    const uint16_t *upper = f.rows, *lower = rows > 1 ? f.rows + first * f.stride : f.rows, *panel = f.panel;
    const int64_t bytes = 2 * f.stride;
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kPair) {
      _tile_zero(2);
      _tile_zero(3);
    }
    for (int64_t k = 0; k < f.columns; k += 32, panel += 512) {
      _tile_loadd(4, upper + k, bytes);
      _tile_loadd(6, panel, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(5, lower + k, bytes);
      _tile_dpbf16ps(1, 5, 6);
      if constexpr (kPair) {
        _tile_loadd(7, other, 64);
        _tile_dpbf16ps(2, 4, 7);
        _tile_dpbf16ps(3, 5, 7);
        other += 512;
      }
    }
    _tile_stored(0, out, 64);
    if (rows > 1) _tile_stored(1, out + first, 64);
    if constexpr (kPair) {
      _tile_stored(2, out_other, 64);
      if (rows > 1) _tile_stored(3, out_other + first, 64);
    }
  }
};
#endif

}  // namespace textseq
