// Memory that is kept from call to call, so that its pages are asked for once, and in large ones where there are any.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace textseq {

class Pool {
 public:
  struct Block {
    void* start = nullptr;
    size_t bytes = 0;
  };

  static Pool& all() {
    static Pool* pool = new Pool();  // never destroyed: threads may outlive whoever would
    return *pool;
  }

  // Takes the smallest block that is large enough, or makes one in place of the largest.
  Block take(size_t bytes) {
    Block found;
    {
      std::lock_guard<std::mutex> hold(lock_);
      auto best = std::lower_bound(free_.begin(), free_.end(), bytes,
                                   [](const Block& block, size_t wanted) { return block.bytes < wanted; });
      if (best == free_.end() && !free_.empty()) --best;
      if (best != free_.end()) {
        found = *best;
        free_.erase(best);
      }
    }
    if (found.bytes >= bytes) return found;
    std::free(found.start);
    constexpr size_t kPage = 2 << 20;
    const size_t page = bytes >= kPage ? kPage : 4096, whole = (bytes + page - 1) / page * page;
    found = {std::aligned_alloc(page, whole), whole};
    if (!found.start) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (page == kPage) madvise(found.start, whole, MADV_HUGEPAGE);
#endif
    return found;
  }

  void give(Block block) {
    std::lock_guard<std::mutex> hold(lock_);
    const auto place = std::lower_bound(free_.begin(), free_.end(), block.bytes,
                                        [](const Block& other, size_t bytes) { return other.bytes < bytes; });
    free_.insert(place, block);
  }

 private:
  std::mutex lock_;
  std::vector<Block> free_;  // by size
};

// Some numbers of the pool, for as long as this lives; what they are is not said.
template <typename T>
class Borrowed {
 public:
  explicit Borrowed(size_t count)
      : count_(count), block_(Pool::all().take(std::max<size_t>(1, count) * sizeof(T))) {}
  ~Borrowed() { Pool::all().give(block_); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  T* get() const { return static_cast<T*>(block_.start); }

  T* zeroed() const {
    std::fill_n(get(), count_, T{});
    return get();
  }

 private:
  const size_t count_;
  Pool::Block block_;
};

}  // namespace textseq
