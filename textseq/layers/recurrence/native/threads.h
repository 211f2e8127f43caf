// Threads that do the steps of a loop together.
//
// Each step is cut into pieces; whoever is there takes the next one, and a step ends when all its pieces are done. The
// caller could do it all: a thread that comes late, or never, is not waited for, so that loops beside each other cannot
// block each other. What a piece holds does not depend on who does it, so that neither do the numbers.
#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace textseq {

// How many processors this process may use: those it is bound to, or fewer by the variables that TensorFlow and XLA heed.
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
  Loop(int steps, int pieces, int seats, std::function<void(int, int)> work, void (*attend)(bool))
      : steps_(steps), pieces_(pieces), shares_(std::min(seats, pieces)), work_(std::move(work)), attend_(attend),
        left_(shares_) {
    for (auto& left : left_) left.store(0);
    open(0);
  }

  int seats() const { return shares_; }

  // Works until the loop is done, or `stay` says no at the end of a step.
  template <typename Stay>
  void join(int seat, Stay stay) {
    attend_(true);
    int step = step_.load(std::memory_order_acquire);
    while (step < steps_ && stay()) {
      for (int piece = take(step, seat); piece >= 0; piece = take(step, seat)) {
        work_(step, piece);
        if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == pieces_) {
          done_.store(0, std::memory_order_relaxed);
          open(step + 1);
        }
      }
      int turns = 0;
      while (step_.load(std::memory_order_acquire) == step) rest(++turns);
      step = step_.load(std::memory_order_acquire);
    }
    attend_(false);
  }

 private:
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

  const int steps_, pieces_, shares_;
  const std::function<void(int, int)> work_;
  void (*const attend_)(bool);
  std::vector<std::atomic<uint64_t>> left_;
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

  // Does `work(step, piece)` for all pieces of all steps; `attend` is told when a thread comes to it and when it goes.
  void run(int steps, int pieces, std::function<void(int, int)> work, void (*attend)(bool)) {
    auto loop = std::make_shared<Loop>(steps, pieces, processors_, std::move(work), attend);
    {
      std::lock_guard<std::mutex> hold(lock_);
      callers_.fetch_add(1);
      open_.push_back({loop, 1});
    }
    wake_.notify_all();
    loop->join(0, [] { return true; });
    {
      std::lock_guard<std::mutex> hold(lock_);
      callers_.fetch_sub(1);
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

  Open* waiting() {
    if (callers_.load() + busy_.load() >= processors_) return nullptr;
    for (auto& open : open_) {
      if (open.taken < open.loop->seats()) return &open;
    }
    return nullptr;
  }

  void serve() {
    std::unique_lock<std::mutex> hold(lock_);
    for (;;) {
      Open* open = nullptr;
      wake_.wait(hold, [&] { return (open = waiting()) != nullptr; });
      auto loop = open->loop;
      const int seat = open->taken++;
      busy_.fetch_add(1);
      hold.unlock();
      loop->join(seat, [this] { return callers_.load() + busy_.load() <= processors_; });
      hold.lock();
      busy_.fetch_sub(1);
      for (auto& other : open_) {
        if (other.loop == loop) --other.taken;
      }
    }
  }

  const int processors_;
  std::atomic<int> callers_{0}, busy_{0};
  std::mutex lock_;
  std::condition_variable wake_;
  std::vector<Open> open_;
};

}  // namespace textseq
