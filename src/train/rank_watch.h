// Which rank the others wait for.
#pragma once

#include <set>
#include <vector>

#include "aim/train/trainer.h"

namespace aim {

class RankWatch {
 public:
  struct SlowRank {
    int rank = 0;
    double times = 0;  // as long for a sample as the others' median
  };
  struct Interval {
    std::vector<double> wait_shares;  // of each rank's time
    std::vector<SlowRank> slow;       // to be named now, each once in a run
  };

  void Add(const std::vector<RankTime>& ranks);

  // Of what was added since the last one. A rank is slow that needs kFactor times as long for a
  // sample as the median of the others, in kIntervals intervals one after another: a single one may
  // be another program's.
  Interval Close();

  static constexpr double kFactor = 1.5;
  static constexpr int kIntervals = 3;

 private:
  std::vector<RankTime> sums_;
  std::vector<int> slow_intervals_;  // of each rank, up to now
  std::set<size_t> named_;
};

}  // namespace aim
