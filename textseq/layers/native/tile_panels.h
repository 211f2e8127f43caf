// Factors of large products by tiles of bfloat16 (AMX): rounded to it, or as exact as float32.
//
// A number of float32 is the sum of three of bfloat16, of 8 binary digits each. Six of the nine products of two such
// sums, added up in float32, leave out 2^-26 of the product at most; float32 itself rounds by 2^-24. After G. Henry,
// P. Tang and A. Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
// Computations", ARITH 2019, https://arxiv.org/abs/1904.06376. A factor that is infinite, or within a 256th of the
// largest number, makes NaN.
#pragma once

#include "panels.h"
#include "tiles.h"

#if defined(TEXTSEQ_TILES)
namespace textseq {

// A panel is blocks of 32 numbers of 32 lines: of each part two tiles of 16 lines, in the order in which they are read.
// Which numbers share a pair, here the 1st and the 17th and so on, is of no account; but both factors have to agree.
template <int64_t kNumberParts>
struct TilePanels {
  using Number = uint16_t;
  static constexpr int kTall = 32;
  static constexpr int64_t kWide = 32, kParts = kNumberParts, kDeepMultiple = 32, kDeepest = 768, kShared = 1 << 19;
  static constexpr int64_t kTallPanels = 8, kWidePanels = 8;

  static void attend(bool comes) {
    Tiles::attend(comes);
    if (comes) Tiles::shape(32);
  }

  template <bool kLeft, typename See>
  static void pack(const Lines& lines, int64_t depth, uint16_t* to, int64_t distance, const See& see) {
    const auto block = [&](int64_t line, int64_t k) {
      uint16_t* tile = to + line / 32 * distance + k / 32 * kBlock + line / 16 % 2 * kTile;
      pack_block<kLeft>(lines, line, k, depth, tile, see);
    };
    const int64_t count = padded(lines.count, 32);
    if (lines.along) {
      for (int64_t line = 0; line < count; line += 16) {
        for (int64_t k = 0; k < depth; k += 32) block(line, k);
      }
    } else {
      for (int64_t k = 0; k < depth; k += 32) {
        for (int64_t line = 0; line < count; line += 16) block(line, k);
      }
    }
  }

  // Calls `meanwhile` between products, at least as often as there are rows: vectors work beside tiles.
  template <typename Meanwhile>
  static void sum(int rows, int64_t columns, const Pair<uint16_t>& pair, Vector (*out)[kVectors],
                  const Meanwhile& meanwhile) {
    if (rows > 16) return columns > 16 ? sum<2, 2>(pair, out, meanwhile) : sum<2, 1>(pair, out, meanwhile);
    columns > 16 ? sum<1, 2>(pair, out, meanwhile) : sum<1, 1>(pair, out, meanwhile);
  }

 private:
  static constexpr int64_t kTile = 512, kPart = 2 * kTile, kBlock = kParts * kPart, kLine = 32;

  template <bool kLeft, typename See>
  static void pack_block(const Lines& lines, int64_t line, int64_t k, int64_t depth, uint16_t* to, const See& see) {
    Vector halves[2][16];
    const int64_t outer = lines.along ? line : k, outer_end = lines.along ? lines.count : depth;
    const int64_t inner = lines.along ? k : line, inner_end = lines.along ? depth : lines.count;
    for (int half = 0; half < 2; ++half) {
      const int64_t from = outer + (lines.along ? 0 : 16 * half), at = inner + (lines.along ? 16 * half : 0);
      const int64_t count = std::min<int64_t>(16, std::max<int64_t>(0, inner_end - at));
      const float* start = lines.start + from * lines.stride + at;
      for (int i = 0; i < 16; ++i, start += lines.stride) {
        halves[half][i] = from + i < outer_end ? read(start, count) : Vector{};
        if (!lines.along) __builtin_prefetch(start + 32 * lines.stride);
      }
      if (!lines.along && from < depth) {
        see(line, std::min<int64_t>(16, lines.count - line), from, std::min<int64_t>(16, depth - from),
            (const float*)halves[half], 16);
      }
      if (lines.along != kLeft) transpose(halves[half]);
    }
    for (int i = 0; i < 16; ++i) split<kLeft>(halves[0][i], halves[1][i], to + 32 * i);
  }

  // The parts of numbers and of those that share their pairs.
  template <bool kLeft>
  static void split(Vector low, Vector high, uint16_t* to) {
    for (int part = 0; part < kParts; ++part) {
      const Bits first = next(low), pairs = first >> 16 | next(high);
      std::memcpy(to + (kLeft ? kParts - 1 - part : part) * kPart, &pairs, sizeof(pairs));
    }
  }

  static Bits next(Vector& values) { return kParts == 1 ? half(values) : take_part(values); }

  // The sums of two or four tiles' products with two or one.
  template <int kRows, int kColumns>
  static void multiply() {
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (kColumns > 1) _tile_dpbf16ps(2, 4, 7);
    if constexpr (kRows > 1) _tile_dpbf16ps(1, 5, 6);
    if constexpr (kRows > 1 && kColumns > 1) _tile_dpbf16ps(3, 5, 7);
  }

  template <int kRows, int kColumns, typename Meanwhile>
  static void sum(const Pair<uint16_t>& pair, Vector (*out)[kVectors], const Meanwhile& meanwhile) {
    const uint16_t *left = pair.left, *right = pair.right, *next = pair.next;
    const auto take_left = [&](int part) {
      _tile_loadd(4, left + (kParts - 1 - part) * kPart, 64);
      if constexpr (kRows > 1) _tile_loadd(5, left + (kParts - 1 - part) * kPart + kTile, 64);
    };
    const auto take_right = [&](int part) {
      _tile_loadd(6, right + part * kPart, 64);
      if constexpr (kColumns > 1) _tile_loadd(7, right + part * kPart + kTile, 64);
    };
    // Nobody reads it. After eight blocks without any, the first tile that is stored costs as much time as two blocks.
    alignas(64) static thread_local char spare[1024];
    Tiles::written();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const int64_t rows = 32 * 32 / std::max<int64_t>(1, pair.depth) + 1;  // of the sums, asked for with each block
    const int64_t at_once = rows / (kParts == 1 ? 1 : 6) + 1;
    const auto make = [&] {
      multiply<kRows, kColumns>();
      for (int64_t i = 0; i < at_once; ++i) meanwhile();
    };
    for (int64_t k = 0; k < pair.depth; k += 32, left += kBlock, right += kBlock, next += pair.some) {
      for (int64_t i = 0; i < pair.some; i += kLine) __builtin_prefetch(next + i, 0, 2);
      pair.ask(k / 32 * rows, std::min<int64_t>((k / 32 + 1) * rows, 16 * kRows));
      if constexpr (kParts == 1) {
        take_left(0);
        take_right(0);
        make();
        if (k % 128 == 0) _tile_stored(7, spare, 64);
      } else {
        multiply_parts(take_left, take_right, [&](int number) {
          make();
          if (number == 0) _tile_stored(7, spare, 64);
        });
      }
    }
    constexpr int64_t kApart = kVectors * sizeof(Vector);
    _tile_stored(0, &out[0][0], kApart);
    if constexpr (kColumns > 1) _tile_stored(2, &out[0][1], kApart);
    if constexpr (kRows > 1) _tile_stored(1, &out[16][0], kApart);
    if constexpr (kRows > 1 && kColumns > 1) _tile_stored(3, &out[16][1], kApart);
  }
};

using SplitPanels = TilePanels<3>;  // as exact as float32
using HalfPanels = TilePanels<1>;   // rounded

}  // namespace textseq
#endif

namespace textseq {

// Calls `work` with the panels that are fastest here, as exact as float32.
template <typename Work>
void by_best_panels(const Work& work) {
#if defined(TEXTSEQ_TILES)
  if (Tiles::usable()) return work(SplitPanels());
#endif
  work(FloatPanels());
}

}  // namespace textseq
