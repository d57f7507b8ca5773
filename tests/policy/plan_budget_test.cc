#include "policy/plan_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"
#include "aim/policy/model_policy.h"
#include "policy/tiny_bundle.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

// 10 ms and 20 a step, half of that with a cache; video costs twice as much.
double MadeCostMs(const PlanSettings& settings) {
  const double step_ms = settings.cache == StepCacheKind::kNone ? 20 : 10;
  return 10 + step_ms * settings.steps * (settings.mode == "i2va" ? 2 : 1);
}

struct BudgetCase {
  PlanSettings asked;
  double budget_ms;
  const char* chosen;
};

class FitBudgetTest : public ::testing::TestWithParam<BudgetCase> {};

TEST_P(FitBudgetTest, TheNearestToWhatWasAskedForIsChosen) {
  const auto& [asked, budget_ms, chosen] = GetParam();
  const PlanSettings found = FitBudget(asked, true, budget_ms, MadeCostMs);
  EXPECT_EQ(ToWords(found), chosen);
  EXPECT_LE(MadeCostMs(found), budget_ms);
}

INSTANTIATE_TEST_SUITE_P(
    Table, FitBudgetTest,
    ::testing::Values(
        BudgetCase{{.mode = "i2a", .steps = 1}, 30, "i2a, 1 step"},
        BudgetCase{{.mode = "i2a", .steps = 4}, 90, "i2a, 4 steps"},
        BudgetCase{{.mode = "i2a", .steps = 4}, 50, "i2a, 4 steps, cache first_block"},
        BudgetCase{{.mode = "i2a", .steps = 50}, 100, "i2a, 9 steps, cache first_block"},
        BudgetCase{{.mode = "i2a", .steps = 3}, 50, "i2a, 2 steps"},
        BudgetCase{{.mode = "i2va", .steps = 2}, 60, "i2va, 1 step"},
        BudgetCase{{.mode = "i2va", .steps = 2}, 49, "i2a, 1 step"}));

TEST(FitBudgetTest, WhatCannotBeMetIsRefusedWithWhatTheCheapestTakes) {
  const PlanSettings asked{.mode = "i2va", .steps = 5};
  testing::ExpectThrowsWith<ConfigError>(
      [&] { FitBudget(asked, true, 19, MadeCostMs); },
      {"--budget-ms is 19; expected at least 30 ms", "(i2a, 1 step)"});
  testing::ExpectThrowsWith<ConfigError>([&] { FitBudget(asked, false, 19, MadeCostMs); },
                                         {"at least 50 ms", "(i2va, 1 step)"});
}

TEST(PlanSettingsTest, WordsAreReadBack) {
  for (const char* words : {"i2a, 1 step", "i2va, 12 steps", "i2va, 7 steps, cache first_block"}) {
    EXPECT_EQ(ToWords(PlanSettingsFromWords(words)), words);
  }
  const std::string whole = "i2va, 7 steps, cache first_block";
  for (size_t size = 0; size < whole.size(); ++size) {
    if (whole.substr(0, size) == "i2va, 7 steps") continue;
    EXPECT_THROW(PlanSettingsFromWords(whole.substr(0, size)), Error) << size;
  }
  testing::ExpectThrowsWith<InputError>([] { PlanSettingsFromWords("\"tiny\" (fingerprint 5)"); },
                                        {"served", "tiny", "i2a, 1 step"});
}

// Budgets that every machine meets, and none: what is chosen rules the plans and their identity.
TEST(PlanBudgetTest, ThePolicyRunsAsWasChosen) {
  const testing::TemporaryFolder folder;
  testing::WriteTinyBundle(folder / "model");
  ModelPolicyOptions options;
  options.model.model = (folder / "model").string();
  options.model.steps = 2;
  EXPECT_EQ(MakeModelPolicy(options)->Identity(), "");
  options.budget.ms = 1e6;
  EXPECT_EQ(MakeModelPolicy(options)->Identity(), "i2a, 2 steps");
  options.budget.ms = 1e-3;
  options.budget.settled = "i2a, 1 step";  // what another machine met it with
  EXPECT_EQ(MakeModelPolicy(options)->Identity(), "i2a, 1 step");
  EXPECT_EQ(
      ModelPolicies(std::make_shared<SharedModel>(options.model, "cpu"), "i2a", options.budget)()
          ->Identity(),
      "i2a, 1 step");
  options.budget.settled.clear();
  testing::ExpectThrowsWith<ConfigError>([&] { MakeModelPolicy(options); },
                                         {"--budget-ms", "i2a, 1 step", "on this machine"});
}

}  // namespace
}  // namespace aim
