// Policies that played the same scenes, against each other. docs/reference/formats.md 6.3.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/eval/trial_record.h"
#include "aim/metrics/statistics.h"

namespace aim {

// How many of how many, with Wilson's 95 % interval.
struct Rate {
  int n = 0;
  int successes = 0;
  double rate = 0;  // n > 0
  Interval interval;
};
Rate RateOf(const std::vector<uint8_t>& outcomes);

// The exact test over the pairs of all tasks, and the difference in the mean over tasks.
struct PairedTest {
  McNemarResult test;
  MeanDifference difference;  // first minus second
};
PairedTest TestPairs(const std::vector<PairedTask>& tasks, Rng rng);

// This rollout (the first of each pair) against an earlier one.
struct Comparison {
  std::string where;   // folder of the other
  std::string policy;  // of the other
  Rate other;
  PairedTest paired;
};

nlohmann::json ToJson(const Rate& rate);
nlohmann::json ToJson(const PairedTest& paired);
nlohmann::json ToJson(const Comparison& comparison);

// Throws InputError, naming `where`, unless the table has exactly these scenes, in any order.
void RequireSameScenes(const std::vector<TrialSpec>& scenes, const TrialTable& other,
                       const std::string& where);

// A paired test of `trials` against an earlier rollout of the same scenes. `seed` is that of the
// bootstrap draws. Throws InputError, naming `where`, if the scenes or the first pictures differ.
Comparison CompareRollouts(const std::vector<TrialRecord>& trials, const TrialTable& other,
                           const std::string& where, uint64_t seed);

}  // namespace aim
