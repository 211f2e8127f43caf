// Attention of heads over a sequence, forwards and back, whose weights exist for some rows at a time only.
//
// Sums of powers are kept, as their logarithms, and weights made anew on the way back. After T. Dao et al. 2022,
// https://arxiv.org/abs/2205.14135.
#pragma once

#include <cmath>

#include "alone.h"
#include "matrices.h"

namespace textseq {

// Heads of a group of queries share the keys and values of one. All three come side by side, heads of queries first.
struct Attention {
  int64_t batch, time, heads, kv_heads, width;
  bool causal;
  const float* projected;    // (batch, time, (heads + 2·kv_heads)·width)
  const float *cos, *sin;    // by which queries and keys are turned (turns, time, width / 2)
  int64_t turns;             // batch, or 1 for all texts
  const uint8_t* mask;       // 0 at padded steps (batch, time), or null
  float* mixed;              // (batch, time, heads·width)
  float* sums;               // logarithms of the rows' sums of powers (batch, heads, time)
  const float* d_mixed;      // on the way back
  float* d_projected;

  int64_t group() const { return heads / kv_heads; }
  int64_t columns() const { return (heads + 2 * kv_heads) * width; }
};

constexpr float kNever = -1e9f;  // added to the score of a padded key, as in attention/layer.py

// One group of heads of one text.
template <typename Panels>
class Group {
  using By = Alone<Panels>;
  using Left = typename By::template Packed<true>;
  using Right = typename By::template Packed<false>;
  static constexpr int64_t kRows = 128 / Panels::kTall * Panels::kTall;  // queries at a time

 public:
  Group(const Attention& given, int64_t text, int64_t kv_head)
      : p(given), text_(text), kv_head_(kv_head), most_(std::min(kRows, given.time)),
        stride_(padded(given.time, 32) + kWidth), scale_(1.0f / std::sqrt((float)given.width)),
        weights_(most_ * stride_), queries_(most_ * given.width), keys_(given.time * given.width) {
    turn(projected(p.heads + kv_head, 0), p.columns(), 0, p.time, 1.0f, 1.0f, keys_.get(), p.width, keep);
  }

  void forwards() const {
    Left queries(most_, p.width), weights(most_, p.time);
    Right keys(p.time, p.width), values(p.width, p.time);
    keys.pack({keys_.get(), p.width, p.time, true}, p.width);
    values.pack({projected(value_head(), 0), p.columns(), p.width, false}, p.time);
    each([&](int64_t head, int64_t first, int64_t rows) {
      score(queries, keys, head, first, rows);
      const Borrowed<float> factors(rows);
      for (int64_t row = 0; row < rows; ++row) {
        factors.get()[row] = weigh(head, first + row, weights_row(row));
        ask(head, first + row, false);
      }
      weights.pack_parts({weights_.get(), stride_, rows, true}, keys_of(first));
      float* mixed = of_steps(p.mixed, head, first);
      By::multiply(weights, values, rows, p.width, keys_of(first),
                   [&](int64_t row, int64_t column, int64_t count, Vector sum) {
                     write(mixed + row * p.heads * p.width + column, sum * factors.get()[row], count);
                   });
    });
  }

  void back() const {
    Left queries(most_, p.width), d_rows(most_, p.width), d_scores(most_, p.time), turned(p.time, most_);
    Right keys(p.time, p.width), values(p.time, p.width), keys_across(p.width, p.time), steps(p.width, most_);
    keys.pack({keys_.get(), p.width, p.time, true}, p.width);
    values.pack({projected(value_head(), 0), p.columns(), p.time, true}, p.width);
    keys_across.pack({keys_.get(), p.width, p.width, false}, p.time);
    const Borrowed<float> slopes(most_ * stride_), means(most_), d_queries(most_ * p.width);
    const Borrowed<float> d_keys(p.time * p.width), d_values(p.time * p.width);
    d_keys.zeroed();
    d_values.zeroed();
    each([&](int64_t head, int64_t first, int64_t rows) {
      const int64_t count_seen = seen(first, rows), apart = p.heads * p.width;
      const float* d_mixed = of_steps(p.d_mixed, head, first);
      score(queries, keys, head, first, rows);
      for (int64_t row = 0; row < rows; ++row) {
        weigh_again(head, first + row, weights_row(row));
        ask(head, first + row, true);
        means.get()[row] = product_of(d_mixed + row * apart, of_steps(p.mixed, head, first + row));
        const int64_t hidden = seen(first, row + 1);
        std::fill_n(slopes.get() + row * stride_ + hidden, stride_ - hidden, 0.0f);
      }
      d_rows.pack({d_mixed, apart, rows, true}, p.width);
      By::multiply(d_rows, values, rows, count_seen, width_of(first),
                   [&](int64_t row, int64_t column, int64_t count, Vector sum) {
                     const Vector weights = read(weights_row(row) + column, count);
                     write(slopes.get() + row * stride_ + column, weights * (sum - means.get()[row]), count);
                   });
      d_scores.pack_parts({slopes.get(), stride_, rows, true}, keys_of(first));
      By::multiply(d_scores, keys_across, rows, p.width, keys_of(first),
                   [&](int64_t row, int64_t column, int64_t count, Vector sum) {
                     write(d_queries.get() + row * p.width + column, sum, count);
                   });
      turn(d_queries.get(), p.width, first, rows, scale_, -1.0f, d_projected(head, first), p.columns(), write_past);
      steps.pack({queries_.get(), p.width, p.width, false}, rows);
      turned.pack_parts({slopes.get(), stride_, count_seen, false}, queries_of(first, rows));
      add(turned, steps, count_seen, queries_of(first, rows), d_keys.get());
      steps.pack({d_mixed, apart, p.width, false}, rows);
      turned.pack_parts({weights_.get(), stride_, count_seen, false}, queries_of(first, rows));
      add(turned, steps, count_seen, queries_of(first, rows), d_values.get());
    });
    turn(d_keys.get(), p.width, 0, p.time, 1.0f, -1.0f, d_projected(p.heads + kv_head_, 0), p.columns(), write_past);
    for (int64_t step = 0; step < p.time; ++step) {
      each_number([&](int64_t i, int64_t count) {
        write_past(d_projected(value_head(), step) + i, read(d_values.get() + step * p.width + i, count), count);
      });
    }
  }

 private:
  // Calls `work(head, first, rows)` for some queries at a time, of one head after the other.
  template <typename Work>
  void each(const Work& work) const {
    for (int64_t head = kv_head_ * p.group(); head < (kv_head_ + 1) * p.group(); ++head) {
      for (int64_t first = 0; first < p.time; first += kRows) work(head, first, std::min(kRows, p.time - first));
    }
  }

  int64_t value_head() const { return p.heads + p.kv_heads + kv_head_; }

  // A head of a step, of all that come side by side.
  int64_t place(int64_t head, int64_t step) const {
    return (text_ * p.time + step) * p.columns() + head * p.width;
  }
  const float* projected(int64_t head, int64_t step) const { return p.projected + place(head, step); }
  float* d_projected(int64_t head, int64_t step) const { return p.d_projected + place(head, step); }

  // Turns some steps' vectors, the first half of each with the second, or back where `way` is -1.
  template <typename Put>
  void turn(const float* from, int64_t stride, int64_t first, int64_t rows, float scale, float way, float* to,
            int64_t to_stride, const Put& put) const {
    const int64_t half = p.width / 2;
    for (int64_t row = 0; row < rows; ++row, from += stride, to += to_stride) {
      const int64_t angles = ((p.turns > 1 ? text_ * p.time : 0) + first + row) * half;
      for (int64_t i = 0; i < half; i += kWidth) {
        const int64_t count = std::min(kWidth, half - i);
        const Vector cos = read(p.cos + angles + i, count) * scale;
        const Vector sin = read(p.sin + angles + i, count) * (scale * way);
        const Vector one = read(from + i, count), other = read(from + half + i, count);
        put(to + i, one * cos - other * sin, count);
        put(to + half + i, other * cos + one * sin, count);
      }
    }
  }

  template <typename T>
  T* of_steps(T* all, int64_t head, int64_t step) const {
    return all + ((text_ * p.time + step) * p.heads + head) * p.width;
  }

  float* weights_row(int64_t row) const { return weights_.get() + row * stride_; }

  // How many keys a query, or the last of some, sees.
  int64_t seen(int64_t first, int64_t rows) const { return p.causal ? first + rows : p.time; }

  // What scores are summed over: nothing where no query sees a key.
  auto width_of(int64_t first) const {
    return [this, first](int64_t, int64_t last, int64_t key) {
      return Range{0, p.causal && key > first + last ? 0 : p.width};
    };
  }

  // Which keys some queries see, and which queries see some keys.
  auto keys_of(int64_t first) const {
    return [this, first](int64_t, int64_t last, int64_t = 0) { return Range{0, seen(first, last + 1)}; };
  }
  auto queries_of(int64_t first, int64_t rows) const {
    return [this, first, rows](int64_t key, int64_t, int64_t = 0) {
      const int64_t hidden = p.causal ? std::max<int64_t>(0, key - first) : 0;
      return Range{hidden / Panels::kDeepMultiple * Panels::kDeepMultiple, rows};
    };
  }

  void score(Left& queries, const Right& keys, int64_t head, int64_t first, int64_t rows) const {
    turn(projected(head, first), p.columns(), first, rows, scale_, 1.0f, queries_.get(), p.width, keep);
    queries.pack({queries_.get(), p.width, rows, true}, p.width);
    By::multiply(queries, keys, rows, seen(first, rows), width_of(first),
                 [&](int64_t row, int64_t column, int64_t count, Vector sum) {
                   write(weights_row(row) + column, sum, count);
                 });
  }

  // A query's scores, by vectors: `work(scores, count)`, the first `count` of which are those of keys it sees.
  template <typename Work>
  void each_score(int64_t step, float* row, const Work& work) const {
    const int64_t count = p.causal ? step + 1 : p.time;
    for (int64_t i = 0; i < count; i += kWidth) work(row + i, std::min(kWidth, count - i));
    for (int64_t i = padded(count, kWidth); i < stride_; i += kWidth) write(row + i, Vector{}, kWidth);
  }

  static void hide(float* scores, int64_t count, const uint8_t* mask, int64_t first) {
    for (int64_t i = 0; mask && i < count; ++i) scores[i] += mask[first + i] ? 0.0f : kNever;
  }

  // e^x, and 0 for keys that are hidden.
  static Vector power(Vector x) { return x < -87.0f ? Vector{} : exponential(x); }

  // Puts powers in the place of a query's scores; returns what they are to be multiplied by.
  float weigh(int64_t head, int64_t step, float* row) const {
    const uint8_t* mask = p.mask ? p.mask + text_ * p.time : nullptr;
    float most = -INFINITY;
    Vector sums = {};
    each_score(step, row, [&](float* scores, int64_t count) {
      hide(scores, count, mask, scores - row);
      most = std::max(most, highest(read(scores, count), count));
    });
    each_score(step, row, [&](float* scores, int64_t count) {
      const Vector powers = first_of(power(read(scores, count) - most), count);
      write(scores, powers, kWidth);
      sums += powers;
    });
    const float sum = total(sums);
    p.sums[(text_ * p.heads + head) * p.time + step] = most + std::log(sum);
    return 1.0f / sum;
  }

  // Puts weights there.
  void weigh_again(int64_t head, int64_t step, float* row) const {
    const uint8_t* mask = p.mask ? p.mask + text_ * p.time : nullptr;
    const float logarithm = p.sums[(text_ * p.heads + head) * p.time + step];
    each_score(step, row, [&](float* scores, int64_t count) {
      hide(scores, count, mask, scores - row);
      write(scores, first_of(power(read(scores, count) - logarithm), count), kWidth);
    });
  }

  static void keep(float* to, Vector values, int64_t count) { write(to, values, count); }

  template <typename Work>
  void each_number(const Work& work) const {
    for (int64_t i = 0; i < p.width; i += kWidth) work(i, std::min(kWidth, p.width - i));
  }

  // Asks for a step of the group that comes next.
  void ask(int64_t head, int64_t step, bool back) const {
    const bool same = kv_head_ + 1 < p.kv_heads;
    if (!same && text_ + 1 == p.batch) return;
    const int64_t ahead = same ? 0 : p.time, next = same ? p.group() : p.group() * (1 - p.kv_heads);
    const auto ask_for = [&](const float* from) {
      for (int64_t i = 0; i < p.width; i += 16) __builtin_prefetch(from + i, 0, 2);
    };
    ask_for(projected(head + next, step + ahead));
    if (back) {
      ask_for(of_steps(p.d_mixed, head + next, step + ahead));
      ask_for(of_steps(p.mixed, head + next, step + ahead));
    }
    if (head % p.group() == 0) {
      const int64_t other = kv_head_ + (same ? 1 : 1 - p.kv_heads);
      ask_for(projected(p.heads + other, step + ahead));
      ask_for(projected(p.heads + p.kv_heads + other, step + ahead));
    }
  }

  float product_of(const float* a, const float* b) const {
    Vector sum = {};
    each_number([&](int64_t i, int64_t count) { sum += read(a + i, count) * read(b + i, count); });
    return total(sum);
  }

  template <typename Part>
  void add(const Left& turned, const Right& steps, int64_t lines, const Part& part, float* to) const {
    By::multiply(turned, steps, lines, p.width, part, [&](int64_t row, int64_t column, int64_t count, Vector sum) {
      float* here = to + row * p.width + column;
      write(here, read(here, count) + sum, count);
    });
  }

  const Attention& p;
  const int64_t text_, kv_head_, most_, stride_;
  const float scale_;
  const Borrowed<float> weights_;  // scores first (some rows, stride_)
  const Borrowed<float> queries_;  // turned and scaled (some rows, width)
  const Borrowed<float> keys_;     // turned (time, width)
};

template <typename Panels>
void attend(const Attention& p, bool back) {
  const int64_t groups = p.batch * p.kv_heads, some = groups / kManyPieces + 1;
  const auto work = [&](int, int piece) {
    for (int64_t i = piece * some; i < std::min(groups, (piece + 1) * some); ++i) {
      const Group<Panels> group(p, i / p.kv_heads, i % p.kv_heads);
      back ? group.back() : group.forwards();
    }
    settle();
  };
  const double operations = (back ? 10.0 : 4.0) * p.time * p.time * p.width * p.group() * some;
  Helpers::all().run(1, (int)((groups + some - 1) / some), operations, work, &Panels::attend);
}

inline void run(const Attention& p, bool back) {
  if (p.batch == 0 || p.time == 0) return;
  by_best_panels([&](auto panels) { attend<decltype(panels)>(p, back); });
}

}  // namespace textseq
