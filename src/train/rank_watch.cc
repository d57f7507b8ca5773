#include "train/rank_watch.h"

#include "aim/base/summary.h"

namespace aim {

void RankWatch::Add(const std::vector<RankTime>& ranks) {
  sums_.resize(ranks.size());
  slow_intervals_.resize(ranks.size());
  for (size_t i = 0; i < ranks.size(); ++i) {
    sums_[i].compute_s += ranks[i].compute_s;
    sums_[i].wait_s += ranks[i].wait_s;
    sums_[i].num_samples += ranks[i].num_samples;
  }
}

RankWatch::Interval RankWatch::Close() {
  Interval interval;
  for (size_t i = 0; i < sums_.size(); ++i) {
    const double whole_s = sums_[i].compute_s + sums_[i].wait_s;
    interval.wait_shares.push_back(whole_s > 0 ? sums_[i].wait_s / whole_s : 0);
    if (sums_[i].num_samples == 0) continue;
    std::vector<double> others;
    for (size_t j = 0; j < sums_.size(); ++j) {
      if (j != i && sums_[j].num_samples > 0)
        others.push_back(sums_[j].compute_s / sums_[j].num_samples);
    }
    if (others.empty()) continue;
    const double own = sums_[i].compute_s / sums_[i].num_samples;
    const double median = Median(others);
    slow_intervals_[i] = own > kFactor * median ? slow_intervals_[i] + 1 : 0;
    if (slow_intervals_[i] == kIntervals && named_.insert(i).second)
      interval.slow.push_back({static_cast<int>(i), own / median});
  }
  sums_.clear();
  return interval;
}

}  // namespace aim
