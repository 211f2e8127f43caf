// A processor's tiles (AMX), of 16 rows and 16 sums, or 32 factors of bfloat16: a thread's own, which others use too.
#pragma once

#include "vectors.h"

#if defined(__AMX_BF16__) && defined(__AVX512F__) && defined(__linux__)
#define TEXTSEQ_TILES 1
#include <sys/syscall.h>
#include <unistd.h>

namespace textseq {

class Tiles {
 public:
  // Whether the system lets this process have them.
  static bool usable() {
    constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM of Linux's arch_prctl
    static const bool granted = syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
    return granted;
  }

  // Tiles 0 to 3 hold sums, 4 and 5 the left factor's rows, in two halves, 6 and 7 the right one's.
  static void shape(int rows) {
    if (shaped() == rows) return;
    shaped() = rows;
    Shape shape;
    const int first = (rows + 1) / 2, second = rows - first;
    for (int tile = 0; tile < 8; ++tile) {
      shape.bytes[tile] = 64;
      shape.rows[tile] = tile >= 6 ? 16 : tile % 2 == 0 ? first : second > 0 ? second : 1;
    }
    load(shape);
  }

  // Has the compiler finish what it writes, of which it does not know that tiles read it.
  static void written() { asm volatile("" ::: "memory"); }

  // Called when a thread comes to a loop and when it goes: it leaves the thread's tiles shaped as they were.
  static void attend(bool comes) {
    static thread_local Shape before;
    shaped() = 0;
    if (comes) {
      _tile_storeconfig(&before);
      written();
    } else if (before.palette) {
      load(before);
    } else {
      _tile_release();
    }
  }

 private:
  struct Shape {
    uint8_t palette = 1, start = 0, reserved[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
  };

  static void load(const Shape& shape) {
    asm volatile("" ::"r"(&shape) : "memory");  // the compiler knows of the first 8 bytes only that they are read
    _tile_loadconfig(&shape);
  }

  // For how many rows this thread's tiles are shaped.
  static int& shaped() {
    static thread_local int rows = 0;
    return rows;
  }
};

// Cuts off the next 8 binary digits, as bfloat16 in the upper halves. Of a float32 three such parts leave nothing.
inline Bits take_part(Vector& values) {
  const Bits part = ((Bits)values + 0x8000u) & 0xFFFF0000u;
  values -= (Vector)part;
  return part;
}

// Six of the nine products of two factors in three parts: `left(part)` and `right(part)` load, `multiply(number)` adds.
// From one to the next one factor changes.
template <typename Left, typename Right, typename Multiply>
inline void multiply_parts(const Left& left, const Right& right, const Multiply& multiply) {
  left(2);
  right(0);
  multiply(0);
  left(1);
  multiply(1);
  right(1);
  multiply(2);
  left(0);
  multiply(3);
  right(0);
  multiply(4);
  right(2);
  multiply(5);
}

}  // namespace textseq
#endif
