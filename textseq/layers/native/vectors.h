// As many numbers at a time as a processor's vectors hold, in the compiler's own vectors, so that any has them. (Made
// of several of the processor's, GCC takes them through memory: twenty times as long with AVX2.)
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace textseq {

#if defined(__AVX512F__)
constexpr int64_t kWidth = 16;
#elif defined(__AVX__)
constexpr int64_t kWidth = 8;
#else
constexpr int64_t kWidth = 4;
#endif
typedef float Vector __attribute__((vector_size(4 * kWidth)));
typedef int32_t Integers __attribute__((vector_size(4 * kWidth)));
typedef uint32_t Bits __attribute__((vector_size(4 * kWidth)));
typedef uint16_t Halves __attribute__((vector_size(2 * kWidth)));

inline int64_t padded(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

// Reads the first `count` of a vector's numbers; the others are 0.
inline Vector read(const float* from, int64_t count) {
#if defined(__AVX512F__)
  return (Vector)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
#else
  Vector values = {};
  if (count == kWidth) {
    std::memcpy(&values, from, sizeof(values));
  } else {
    std::memcpy(&values, from, 4 * count);
  }
  return values;
#endif
}

// Writes the first `count` of a vector's numbers.
inline void write(float* to, Vector values, int64_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)values);
#else
  std::memcpy(to, &values, count == kWidth ? sizeof(values) : 4 * count);
#endif
}

// Rounds to bfloat16, half to even, as everywhere, in the upper halves.
inline Bits half(Vector values) {
  const Bits bits = (Bits)values;
  return (bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u;
}

inline Halves rounded(Vector values) { return __builtin_convertvector(half(values) >> 16, Halves); }

inline uint16_t rounded(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

inline void write(uint16_t* to, Vector values, int64_t count) {
  const Halves halves = rounded(values);
  std::memcpy(to, &halves, count == kWidth ? sizeof(halves) : 2 * count);
}

// e^x by a polynomial on [-ln 2 / 2, ln 2 / 2]: coefficients of Cephes (S. Moshier, single/expf.c), 1e-7 off at most.
inline Vector exponential(Vector x) {
  const Vector zero = {};
  x = x > 88.0f ? zero + 88.0f : x;
  x = x < -87.0f ? zero - 87.0f : x;
  const float magic = 12582912.0f;  // 1.5·2^23: adding it rounds to a whole number
  const Vector n = (x * 1.44269504088896341f + magic) - magic;
  const Vector r = x - n * 0.693359375f + n * 2.12194440e-4f;
  Vector p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  return p * (Vector)((__builtin_convertvector(n, Integers) + 127) << 23);
}

inline Vector sigmoid(Vector x) { return 1.0f / (1.0f + exponential(-x)); }

// tanh: near 0 by a polynomial (Cephes, single/tanhf.c), where 1 - 2 / (e^2x + 1) would lose its digits.
inline Vector hyperbolic_tangent(Vector x) {
  const Vector z = x * x;
  Vector p = z * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const Vector near = p * z * x + x;
  const Vector far = 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f);
  return z < 0.390625f ? near : far;
}

// The first `count` of a vector's numbers, and 0.
inline Vector first_of(Vector values, int64_t count) {
#if defined(__AVX512F__)
  return (Vector)_mm512_maskz_mov_ps((__mmask16)((1u << count) - 1), (__m512)values);
#else
  for (int64_t i = count; i < kWidth; ++i) values[i] = 0.0f;
  return values;
#endif
}

// Writes to what nobody reads soon, past the caches where it fills a line; `settle` has others see it.
inline void write_past(float* to, Vector values, int64_t count) {
#if defined(__AVX512F__)
  if (count == kWidth && (uintptr_t)to % 64 == 0) return _mm512_stream_ps(to, (__m512)values);
#endif
  write(to, values, count);
}

inline void settle() {
#if defined(__AVX512F__)
  _mm_sfence();
#endif
}

// The sum of a vector's numbers, by halves.
inline float total(Vector values) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)values);
#endif
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) values[i] += values[i + half];
  }
  return values[0];
}

// The highest of a vector's first `count` numbers, by halves.
inline float highest(Vector values, int64_t count) {
#if defined(__AVX512F__)
  return _mm512_mask_reduce_max_ps((__mmask16)((1u << count) - 1), (__m512)values);
#endif
  for (int64_t i = count; i < kWidth; ++i) values[i] = values[0];
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) values[i] = values[i] > values[i + half] ? values[i] : values[i + half];
  }
  return values[0];
}

// The numbers of a whose place has not the bit `kApart`, and beside each b's of the same place; or those that have it,
// each behind a's.
template <int kApart, bool kHigh, int... kPlaces>
inline Vector paired(Vector a, Vector b, std::integer_sequence<int, kPlaces...>) {
#if defined(__clang__)
  if constexpr (kHigh) {
    return __builtin_shufflevector(a, b, (kPlaces & kApart ? (int)kWidth + kPlaces : kPlaces + kApart)...);
  } else {
    return __builtin_shufflevector(a, b, (kPlaces & kApart ? (int)kWidth + kPlaces - kApart : kPlaces)...);
  }
#else
  if constexpr (kHigh) {
    return __builtin_shuffle(a, b, Integers{(kPlaces & kApart ? (int)kWidth + kPlaces : kPlaces + kApart)...});
  } else {
    return __builtin_shuffle(a, b, Integers{(kPlaces & kApart ? (int)kWidth + kPlaces - kApart : kPlaces)...});
  }
#endif
}

// Turns a square of rows and columns, by pairs of rows 1, 2, 4 … apart.
template <int kApart = 1>
inline void transpose(Vector (&rows)[kWidth]) {
  constexpr auto kPlaces = std::make_integer_sequence<int, kWidth>{};
#pragma GCC unroll 16
  for (int i = 0; i < kWidth; ++i) {
    if (i & kApart) continue;
    const Vector a = rows[i], b = rows[i + kApart];
    rows[i] = paired<kApart, false>(a, b, kPlaces);
    rows[i + kApart] = paired<kApart, true>(a, b, kPlaces);
  }
  if constexpr (2 * kApart < kWidth) transpose<2 * kApart>(rows);
}

}  // namespace textseq
