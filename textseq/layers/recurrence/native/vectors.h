// Sixteen numbers at a time, in the compiler's own vectors, so that any processor has them.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace textseq {

constexpr int64_t kWidth = 16;
typedef float Vector __attribute__((vector_size(4 * kWidth)));
typedef int32_t Integers __attribute__((vector_size(4 * kWidth)));
typedef uint32_t Bits __attribute__((vector_size(4 * kWidth)));
typedef uint16_t Halves __attribute__((vector_size(2 * kWidth)));

// Reads the first `count` of sixteen numbers; the others are 0.
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

// Writes the first `count` of sixteen numbers.
inline void write(float* to, Vector values, int64_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)values);
#else
  std::memcpy(to, &values, count == kWidth ? sizeof(values) : 4 * count);
#endif
}

// Rounds to bfloat16, half to even, as everywhere.
inline Halves rounded(Vector values) {
  Bits bits = (Bits)values;
  bits = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  return __builtin_convertvector(bits, Halves);
}

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

}  // namespace textseq
