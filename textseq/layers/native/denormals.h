// Numbers too small for all their digits (denormal), which a processor's vectors take a hundred times as long for.
#pragma once

#include <cstdint>

namespace textseq {

// Has this thread take such numbers for 0, for as long as this lives. TensorFlow's and XLA's threads do; where helpers
// did not, what a number is would depend on whose thread made it.
class WithoutDenormals {
 public:
  WithoutDenormals() : before_(get()) { set(before_ | kFlush); }
  ~WithoutDenormals() { set(before_); }
  WithoutDenormals(const WithoutDenormals&) = delete;
  WithoutDenormals& operator=(const WithoutDenormals&) = delete;

 private:
#if defined(__x86_64__)
  using Control = uint32_t;
  static constexpr Control kFlush = 0x8040;  // what is read, and what is made
  static Control get() { return __builtin_ia32_stmxcsr(); }
  static void set(Control control) { __builtin_ia32_ldmxcsr(control); }
#elif defined(__aarch64__)
  using Control = uint64_t;
  static constexpr Control kFlush = 1 << 24;
  static Control get() {
    Control control;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    return control;
  }
  static void set(Control control) { asm volatile("msr fpcr, %0" : : "r"(control)); }
#else
  using Control = int;
  static constexpr Control kFlush = 0;
  static Control get() { return 0; }
  static void set(Control) {}
#endif

  const Control before_;
};

}  // namespace textseq
