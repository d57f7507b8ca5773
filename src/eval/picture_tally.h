// Which trials of a rollout get pictures.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "aim/eval/trial_record.h"

namespace aim {

// The first `num_each` successes and failures of each task and cameras, with the rollout's own
// options, asked in the order of the list.
class PictureTally {
 public:
  explicit PictureTally(int num_each) : num_each_(num_each) {}

  bool IsDue(const TrialRecord& record) const {
    const auto found = counts_.find(KeyOf(record));
    return record.variant.empty() && record.result.error.empty() &&
           (found == counts_.end() ? 0 : found->second) < num_each_;
  }
  void Count(const TrialRecord& record) { ++counts_[KeyOf(record)]; }

 private:
  using Key = std::tuple<std::string, std::string, bool>;
  static Key KeyOf(const TrialRecord& record) {
    return {record.spec.task, record.spec.cameras, record.result.success};
  }

  int num_each_;
  std::map<Key, int> counts_;
};

}  // namespace aim
