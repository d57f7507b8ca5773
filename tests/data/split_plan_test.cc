#include "data/split_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "support/throws.h"

namespace aim {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Le;

// Every third is a copy of the one before it; strata a, b, c in turn.
std::vector<SplitItem> MakeItems(int count, bool with_copies) {
  std::vector<SplitItem> items;
  for (int i = 0; i < count; ++i) {
    const int content = with_copies && i % 3 == 2 ? i - 1 : i;
    items.push_back({.name = "episode" + std::to_string(i),
                     .content = std::to_string(content),
                     .stratum = std::string(1, static_cast<char>('a' + i % 3))});
  }
  return items;
}

std::vector<int64_t> CountsOf(const std::vector<size_t>& parts, size_t num_parts) {
  std::vector<int64_t> counts(num_parts, 0);
  for (const size_t part : parts) ++counts.at(part);
  return counts;
}

TEST(SplitPlanTest, SharesAreKept) {
  const auto parts = PlanSplit(MakeItems(100, false), {.shares = {0.8, 0.15, 0.05}}, 3);
  EXPECT_THAT(CountsOf(parts, 3), ElementsAre(80, 15, 5));
}

TEST(SplitPlanTest, EveryStratumHasItsShare) {
  const std::vector<SplitItem> items = MakeItems(60, false);
  const auto parts = PlanSplit(items, {.shares = {0.75, 0.25}}, 3);
  std::map<std::string, std::vector<size_t>> by_stratum;
  for (size_t i = 0; i < items.size(); ++i) by_stratum[items[i].stratum].push_back(parts[i]);
  for (const auto& [stratum, own] : by_stratum) {
    EXPECT_THAT(CountsOf(own, 2), ElementsAre(15, 5)) << stratum;
  }
}

// Strata of one item each give the smaller part its share over all.
TEST(SplitPlanTest, SmallStrataAreSharedOutToo) {
  std::vector<SplitItem> items = MakeItems(40, false);
  for (SplitItem& item : items) item.stratum = item.name;
  const auto counts = CountsOf(PlanSplit(items, {.shares = {0.9, 0.1}}, 3), 2);
  EXPECT_NEAR(static_cast<double>(counts[1]), 4, 1);
}

TEST(SplitPlanTest, OneContentIsNeverParted) {
  const std::vector<SplitItem> items = MakeItems(60, true);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const auto parts = PlanSplit(items, {.shares = {0.5, 0.5}}, seed);
    for (size_t i = 2; i < items.size(); i += 3) EXPECT_EQ(parts[i], parts[i - 1]) << seed;
    EXPECT_NEAR(static_cast<double>(CountsOf(parts, 2)[0]), 30, 2) << seed;
  }
}

TEST(SplitPlanTest, OrderOfListingChangesNothingAndTheSeedDoes) {
  const std::vector<SplitItem> items = MakeItems(30, true);
  std::vector<SplitItem> reversed = items;
  std::reverse(reversed.begin(), reversed.end());
  const SplitShares shares{.shares = {0.7, 0.3}};
  const auto parts = PlanSplit(items, shares, 3);
  auto back = PlanSplit(reversed, shares, 3);
  std::reverse(back.begin(), back.end());
  EXPECT_EQ(parts, back);
  EXPECT_NE(parts, PlanSplit(items, shares, 4));
}

// Pairs of copies do not fill parts of three: more parts are made, none is too large.
TEST(SplitPlanTest, CopiesMakeNoPartTooLarge) {
  std::vector<SplitItem> items;
  for (int i = 0; i < 12; ++i) {
    items.push_back(
        {.name = "episode" + std::to_string(i), .content = std::to_string(i / 2), .stratum = {}});
  }
  const SizedSplit split = PlanSizedSplit(items, 3, 1);
  EXPECT_EQ(split.num_parts, 6u);
  EXPECT_THAT(CountsOf(split.parts, split.num_parts), Each(2));
  EXPECT_EQ(PlanSizedSplit(items, 4, 1).num_parts, 3u);
  testing::ExpectThrowsWith<ConfigError>([&] { PlanSizedSplit(items, 1, 1); },
                                         {"episodes_per_part is 1", "at least 2", "copies"});
}

TEST(SplitPlanTest, NoPartHasMoreThanItMay) {
  const auto counts = CountsOf(
      PlanSplit(MakeItems(10, false), {.shares = {0.25, 0.25, 0.25, 0.25}, .most_items = 3}, 1), 4);
  EXPECT_THAT(counts, Each(Le(3)));
}

}  // namespace
}  // namespace aim
