// Threads that do the steps of a loop together.
//
// Each step is cut into pieces; whoever is there takes the next one, and a step ends when all its pieces are done. The
// caller could do it all: a thread that comes late, or never, is not waited for, so that loops beside each other cannot
// block each other. A thread whose processor is taken away in the midst of a piece is waited for; where that happens
// often in a loop the caller goes on alone, and for a while, longer each time, nobody helps: on a busy machine it would
// be paid for at each step. What a piece holds does not depend on who does it, so that neither do the numbers.
#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "denormals.h"

namespace textseq {

// How many processors this process may use: those it is bound to, or fewer, by the variables that TensorFlow and XLA
// heed.
inline int processors() {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  int count = sched_getaffinity(0, sizeof(mine), &mine) == 0 ? CPU_COUNT(&mine) : 1;
  for (const char* name : {"TF_NUM_INTRAOP_THREADS", "NPROC"}) {
    const char* wanted = std::getenv(name);
    if (wanted && std::atoi(wanted) > 0) count = std::min(count, std::atoi(wanted));
  }
  return std::max(1, count);
}

using Clock = std::chrono::steady_clock;

// Waits a little; from some turns on it lets others have the processor.
inline void rest(int turns) {
  if (turns > 500) {
    sched_yield();
  } else {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
}

class Loop {
 public:
  Loop(int steps, int pieces, int seats, Clock::duration patience, std::function<void(int, int)> work,
       void (*attend)(bool))
      : steps_(steps), pieces_(pieces), patience_(patience), shares_(std::min(seats, pieces)), work_(std::move(work)),
        attend_(attend), left_(shares_) {
    for (auto& left : left_) left.store(0);
    open(0);
  }

  int seats() const { return shares_; }

  // How often one had to wait long for another.
  int stalls() const { return stalls_.load(std::memory_order_relaxed); }

  // Whether that was too often, and the caller does what is left alone.
  bool given_up() const { return stalls() >= 8; }

  // Whether anyone did.
  bool helped() const { return helped_.load(std::memory_order_relaxed); }

  // Works until the loop is done, or `stay` says no at the end of a step.
  template <typename Stay>
  void join(int seat, Stay stay) {
    const WithoutDenormals flushed;
    attend_(true);
    if (seat > 0) helped_.store(true, std::memory_order_relaxed);
    int step = step_.load(std::memory_order_acquire);
    while (step < steps_ && stay()) {
      for (int piece = take(step, seat); piece >= 0; piece = take(step, seat)) {
        work_(step, piece);
        if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == pieces_) {
          done_.store(0, std::memory_order_relaxed);
          open(step + 1);
        }
      }
      wait(step);
      step = step_.load(std::memory_order_acquire);
    }
    attend_(false);
  }

 private:
  void wait(int step) {
    Clock::time_point began;
    bool patient = true;
    for (int turns = 1; step_.load(std::memory_order_acquire) == step; ++turns) {
      rest(turns);
      if (turns == 500) began = Clock::now();
      if (turns > 500 && patient && Clock::now() - began > patience_) {
        patient = false;
        stalls_.fetch_add(1);
      }
    }
  }

  // What is left of a share in a step: the step, the first piece and the one after the last, in one number.
  static uint64_t pack(uint64_t step, uint64_t first, uint64_t end) { return step << 32 | first << 16 | end; }

  void open(int step) {
    for (int share = 0; share < shares_; ++share) {
      left_[share].store(pack(step, pieces_ * share / shares_, pieces_ * (share + 1) / shares_),
                         std::memory_order_release);
    }
    step_.store(step, std::memory_order_release);
  }

  // Takes a piece of one's own share, or of another's from its far end. Every other step goes the other way, so that
  // what was read last, and is still at hand, is read first.
  int take(int step, int seat) {
    for (int offset = 0; offset < shares_; ++offset) {
      auto& left = left_[(seat + offset) % shares_];
      uint64_t seen = left.load(std::memory_order_acquire);
      while (seen >> 32 == (uint64_t)step) {
        const uint64_t first = seen >> 16 & 0xFFFF, end = seen & 0xFFFF;
        if (first == end) break;
        const bool from_front = (offset == 0) == (step % 2 == 0);
        const uint64_t next = from_front ? pack(step, first + 1, end) : pack(step, first, end - 1);
        if (left.compare_exchange_weak(seen, next, std::memory_order_acq_rel)) {
          return (int)(from_front ? first : end - 1);
        }
      }
    }
    return -1;
  }

  const int steps_, pieces_;
  const Clock::duration patience_;
  const int shares_;
  const std::function<void(int, int)> work_;
  void (*const attend_)(bool);
  std::vector<std::atomic<uint64_t>> left_;
  std::atomic<int> stalls_{0};
  std::atomic<bool> helped_{false};
  alignas(64) std::atomic<int> done_{0};
  alignas(64) std::atomic<int> step_{0};
};

// The process's helpers: as many threads beside the callers as there are processors, each without work asleep.
class Helpers {
 public:
  static Helpers& all() {
    static Helpers* helpers = new Helpers();  // never destroyed: its threads may outlive whoever would
    return *helpers;
  }

  int most() const { return processors_; }  // threads at once

  // Does `work(step, piece)` for all pieces of all steps; `attend` is told when a thread comes to it and when it goes.
  // Of some `operations` a piece, so few that it is over before anyone could help, the caller does all.
  void run(int steps, int pieces, double operations, std::function<void(int, int)> work, void (*attend)(bool)) {
    constexpr double kAlone = 1e6;  // of a step, on which two threads spare nothing
    const auto longest = std::chrono::duration<double>(operations / 1e10 + 5e-4);  // ten times what a piece takes
    const int seats = operations * pieces < kAlone ? 1 : processors_;
    const auto patience = std::chrono::duration_cast<Clock::duration>(longest);
    auto loop = std::make_shared<Loop>(steps, pieces, seats, patience, std::move(work), attend);
    {
      std::lock_guard<std::mutex> hold(lock_);
      callers_.fetch_add(1);
      open_.push_back({loop, 1});
    }
    if (seats > 1) {
      calls_.fetch_add(1, std::memory_order_release);
      wake_.notify_all();
    }
    loop->join(0, [] { return true; });
    {
      std::lock_guard<std::mutex> hold(lock_);
      callers_.fetch_sub(1);
      if (loop->given_up()) {
        alone_ = std::min(2 * alone_ + std::chrono::milliseconds(10), std::chrono::milliseconds(320));
        alone_until_ = Clock::now() + alone_;
      } else if (loop->stalls() == 0 && loop->helped()) {
        alone_ = std::chrono::milliseconds(0);
      }
      open_.erase(std::find_if(open_.begin(), open_.end(), [&](const Open& o) { return o.loop == loop; }));
      if (!open_.empty()) wake_.notify_all();
    }
  }

 private:
  struct Open {
    std::shared_ptr<Loop> loop;
    int taken;
  };

  Helpers() : processors_(processors()) {
    for (int i = 1; i < processors_; ++i) std::thread([this] { serve(); }).detach();
  }

  // Whether one more thread would find a processor, and is wanted.
  bool room() const { return callers_.load() + busy_.load() < processors_ && Clock::now() >= alone_until_; }

  Open* waiting() {
    if (!room()) return nullptr;
    for (auto& open : open_) {
      if (open.taken < open.loop->seats() && !open.loop->given_up()) return &open;
    }
    return nullptr;
  }

  // Stays awake for a while, or until there are more calls than were seen: to wake a thread takes longer than most
  // operations are apart.
  void linger(uint32_t seen) const {
    constexpr auto kWhile = std::chrono::microseconds(100);
    const auto end = Clock::now() + kWhile;
    for (int turns = 1; calls_.load(std::memory_order_acquire) == seen && Clock::now() < end; ++turns) rest(turns);
  }

  void serve() {
    std::unique_lock<std::mutex> hold(lock_);
    for (;;) {
      Open* open = nullptr;
      const uint32_t seen = calls_.load(std::memory_order_acquire);
      if (room() && !waiting()) {
        hold.unlock();
        linger(seen);
        hold.lock();
      }
      wake_.wait(hold, [&] { return (open = waiting()) != nullptr; });
      auto loop = open->loop;
      const int seat = open->taken++;
      busy_.fetch_add(1);
      hold.unlock();
      loop->join(seat, [&] { return callers_.load() + busy_.load() <= processors_ && !loop->given_up(); });
      hold.lock();
      busy_.fetch_sub(1);
      for (auto& other : open_) {
        if (other.loop == loop) --other.taken;
      }
    }
  }

  const int processors_;
  std::atomic<uint32_t> calls_{0};
  std::atomic<int> callers_{0}, busy_{0};
  std::chrono::milliseconds alone_{0};  // how long nobody helps after a loop that was given up
  Clock::time_point alone_until_{};
  std::mutex lock_;
  std::condition_variable wake_;
  std::vector<Open> open_;
};

}  // namespace textseq
