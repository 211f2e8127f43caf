// A softmax in levels (../softmax/adaptive.py) over one table, read where it lies, with its gradient written in place.
#pragma once

#include <vector>

#include "softmax.h"

namespace textseq {

struct AdaptiveSoftmax {
  Softmax whole;            // of all levels: the table is the kernel
  int64_t clusters;
  const int32_t* cutoffs;   // the first token of each, rising
  const float *cluster_kernel, *cluster_bias;  // (clusters, features), (clusters)
  float *d_cluster_kernel, *d_cluster_bias;

  bool holds_cutoffs() const {
    int64_t last = 0;
    for (int64_t i = 0; i < clusters; last = cutoffs[i++]) {
      if (cutoffs[i] <= last || cutoffs[i] >= whole.vocabulary) return false;
    }
    return clusters > 0;
  }
};

constexpr const char* kNoSuchCutoff = "Cutoffs of an adaptive softmax must rise, above 0 and below its vocabulary.";

// The commonest tokens, and behind them the clusters. Those' gradients are put where rarer tokens' will be, and moved.
inline double common(const AdaptiveSoftmax& p) {
  const Softmax& whole = p.whole;
  const int64_t tokens = p.cutoffs[0], vocabulary = tokens + p.clusters, width = whole.features;
  Borrowed<float> kernel(vocabulary * width), bias(vocabulary);
  Borrowed<int32_t> targets(whole.rows);
  std::copy_n(p.cluster_kernel, p.clusters * width, std::copy_n(whole.kernel, tokens * width, kernel.get()));
  std::copy_n(p.cluster_bias, p.clusters, std::copy_n(whole.bias, tokens, bias.get()));
  std::transform(whole.targets, whole.targets + whole.rows, targets.get(), [&](int32_t target) {
    const int64_t cluster = std::upper_bound(p.cutoffs, p.cutoffs + p.clusters, target) - p.cutoffs;
    return cluster > 0 ? (int32_t)(tokens + cluster - 1) : target;
  });
  Softmax first = whole;
  first.vocabulary = vocabulary;
  first.kernel = kernel.get();
  first.bias = bias.get();
  first.targets = targets.get();
  const double loss = run(first);
  std::copy_n(whole.d_kernel + tokens * width, p.clusters * width, p.d_cluster_kernel);
  std::copy_n(whole.d_bias + tokens, p.clusters, p.d_cluster_bias);
  return loss;
}

// A cluster's own tokens, for the rows whose targets they are.
inline double rare(const AdaptiveSoftmax& p, int64_t cluster) {
  const Softmax& whole = p.whole;
  const int64_t first = p.cutoffs[cluster], width = whole.features;
  const int64_t end = cluster + 1 < p.clusters ? p.cutoffs[cluster + 1] : whole.vocabulary;
  std::vector<int64_t> rows;
  std::vector<int32_t> targets;
  std::vector<float> weights;
  for (int64_t row = 0; row < whole.rows; ++row) {
    if (whole.targets[row] < first || whole.targets[row] >= end) continue;
    rows.push_back(row);
    targets.push_back((int32_t)(whole.targets[row] - first));
    weights.push_back(whole.weights[row]);
  }
  Borrowed<float> hidden(rows.size() * width), d_hidden(rows.size() * width);
  for (size_t i = 0; i < rows.size(); ++i) std::copy_n(whole.hidden + rows[i] * width, width, hidden.get() + i * width);
  Softmax own = whole;
  own.rows = (int64_t)rows.size();
  own.vocabulary = end - first;
  own.hidden = hidden.get();
  own.kernel += first * width;
  own.bias += first;
  own.targets = targets.data();
  own.weights = weights.data();
  own.d_hidden = d_hidden.get();
  own.d_kernel += first * width;
  own.d_bias += first;
  const double loss = run(own);
  for (size_t i = 0; i < rows.size(); ++i) {
    float* to = whole.d_hidden + rows[i] * width;
    std::transform(to, to + width, d_hidden.get() + i * width, to, std::plus<float>());
  }
  return loss;
}

inline double run(const AdaptiveSoftmax& p) {
  double loss = common(p);
  for (int64_t cluster = 0; cluster < p.clusters; ++cluster) loss += rare(p, cluster);
  return loss;
}

}  // namespace textseq
