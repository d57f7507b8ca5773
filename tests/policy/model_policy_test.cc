#include "aim/policy/model_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "aim/base/error.h"
#include "policy/tiny_bundle.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::MakeSyntheticClip;
using testing::RigidNear;
using testing::TemporaryFolder;

constexpr PlanRequest kRequest{.seed = 5};

// What a policy sees of a clip at its start.
Clip FirstFrame(const Clip& clip) {
  Clip seen = clip;
  for (ClipView& view : seen.views) {
    view.rgb.resize(view.rgb.size() / static_cast<size_t>(view.num_frames));
    view.num_frames = 1;
  }
  seen.poses.resize(1);
  return seen;
}

void ExpectSamePlan(const Plan& a, const Plan& b) {
  ASSERT_EQ(a.frames.size(), b.frames.size());
  for (size_t i = 0; i < a.frames.size(); ++i) {
    EXPECT_EQ(a.frames[i].confidence, b.frames[i].confidence);
    EXPECT_EQ(a.frames[i].pose.gripper_open, b.frames[i].pose.gripper_open);
    EXPECT_EQ(a.frames[i].pose.world_from_tool.translation,
              b.frames[i].pose.world_from_tool.translation);
    EXPECT_EQ(a.frames[i].pose.world_from_tool.rotation.coeffs(),
              b.frames[i].pose.world_from_tool.rotation.coeffs());
  }
}

// Openness is read from every frame's pictures, decodable or not, so it tells plans apart even
// where random weights draw no blobs.
bool SameOpenness(const Plan& a, const Plan& b) {
  for (size_t i = 1; i < a.frames.size(); ++i) {
    if (a.frames[i].pose.gripper_open != b.frames[i].pose.gripper_open) return false;
  }
  return true;
}

class ModelPolicyTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    testing::WriteTinyBundle(*folder_ / "model");
  }
  static void TearDownTestSuite() { delete folder_; }

  static ModelPolicyOptions Options(const std::string& mode = "i2a") {
    ModelPolicyOptions options;
    options.model.model = (*folder_ / "model").string();
    options.mode = mode;
    return options;
  }

  static TemporaryFolder* folder_;
};
TemporaryFolder* ModelPolicyTest::folder_ = nullptr;

TEST_F(ModelPolicyTest, NeedsWhatTheModelWasTrainedFor) {
  const PolicyNeeds needs = MakeModelPolicy(Options())->Needs();
  EXPECT_EQ(needs.image_size, testing::kTinySize);
  EXPECT_EQ(needs.frame_period_s, 1.0 / 8);
  EXPECT_EQ(needs.num_views, 2);
  EXPECT_EQ(needs.num_frames, testing::kTinyFrames);
}

TEST_F(ModelPolicyTest, PlanBeginsAtThePresentPose) {
  for (const char* mode : {"i2a", "i2va"}) {
    const Clip seen = FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 21));
    const Plan plan = MakeModelPolicy(Options(mode))->Act(seen, kRequest);
    EXPECT_EQ(plan.period_s, 1.0 / 8);
    ASSERT_EQ(plan.frames.size(), static_cast<size_t>(testing::kTinyFrames)) << mode;
    EXPECT_THAT(plan.frames[0].pose.world_from_tool,
                RigidNear(seen.poses[0].world_from_tool, 0.0, 1e-9));
    EXPECT_EQ(plan.frames[0].confidence, 1);
    EXPECT_TRUE(plan.frames[0].decodable);
  }
}

// The same inputs give the same plan, whatever was planned before and by whom.
TEST_F(ModelPolicyTest, PlansDependOnSeedReplanAndInputAlone) {
  Clip seen = FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 22));
  const auto policy = MakeModelPolicy(Options());
  const Plan plan = policy->Act(seen, kRequest);
  const Plan later_plan = policy->Act(seen, {.seed = 5, .replan = 1});
  const Plan reseeded_plan = policy->Act(seen, {.seed = 6});
  policy->Reset(99);
  ExpectSamePlan(policy->Act(seen, kRequest), plan);
  ExpectSamePlan(MakeModelPolicy(Options())->Act(seen, kRequest), plan);
  EXPECT_FALSE(SameOpenness(plan, later_plan));
  EXPECT_FALSE(SameOpenness(plan, reseeded_plan));
  seen.prompt = "push the green button";
  EXPECT_FALSE(SameOpenness(plan, policy->Act(seen, kRequest)));
}

// Whatever else is planned in the same pass, up to the rounding of its matrix products.
TEST_F(ModelPolicyTest, APlanMadeWithOthersIsThatMadeAlone) {
  const std::vector<Clip> seen = {FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 22)),
                                  FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 23)),
                                  FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 22))};
  const std::vector<PlanRequest> requests = {
      {.seed = 5}, {.seed = 5, .replan = 2}, {.seed = 6, .replan = 1}};
  const auto policy = MakeModelPolicy(Options());
  const std::vector<Plan> together = policy->ActTogether(seen, requests);
  ASSERT_EQ(together.size(), seen.size());
  for (size_t i = 0; i < seen.size(); ++i) {
    const Plan alone = policy->Act(seen[i], requests[i]);
    ASSERT_EQ(together[i].frames.size(), alone.frames.size());
    for (size_t k = 0; k < alone.frames.size(); ++k) {
      EXPECT_NEAR(together[i].frames[k].pose.gripper_open, alone.frames[k].pose.gripper_open, 1e-4);
      EXPECT_NEAR(together[i].frames[k].confidence, alone.frames[k].confidence, 1e-3);
    }
  }
  EXPECT_FALSE(SameOpenness(together[0], together[2]));
}

TEST_F(ModelPolicyTest, TellsWhereTheTimeWent) {
  const auto policy = MakeModelPolicy(Options());
  EXPECT_TRUE(policy->LastStages().empty());
  policy->Act(FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 27)), kRequest);
  const std::vector<PlanStage> stages = policy->LastStages();
  ASSERT_EQ(stages.size(), 3u);
  for (const PlanStage& stage : stages) EXPECT_GT(stage.seconds, 0) << stage.name;
}

// Side by side they plan what one plans alone, of a bundle that is read once.
TEST_F(ModelPolicyTest, PoliciesOfOneBundlePlanAtTheSameTime) {
  const testing::TemporaryFolder own;
  ModelPolicyOptions options = Options();
  std::filesystem::copy(options.model.model, own / "model",
                        std::filesystem::copy_options::recursive);
  options.model.model = (own / "model").string();
  const auto make = ModelPolicies(std::make_shared<SharedModel>(options.model, "cpu"), "i2a");
  std::vector<std::unique_ptr<Policy>> policies;
  policies.push_back(make());
  std::filesystem::remove_all(own / "model");
  while (policies.size() < 3) policies.push_back(make());
  const Clip seen = FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 26));
  const auto request = [](size_t i) {
    return PlanRequest{.seed = 5, .replan = static_cast<int>(i)};
  };
  std::vector<Plan> plans(policies.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < policies.size(); ++i) {
    threads.emplace_back([&, i] { plans[i] = policies[i]->Act(seen, request(i)); });
  }
  for (std::thread& thread : threads) thread.join();
  const auto alone = MakeModelPolicy(Options());
  for (size_t i = 0; i < plans.size(); ++i) ExpectSamePlan(plans[i], alone->Act(seen, request(i)));
}

TEST_F(ModelPolicyTest, StepsAndGuidanceReachTheSampler) {
  const Clip seen = FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 23));
  const Plan plan = MakeModelPolicy(Options())->Act(seen, kRequest);
  ModelPolicyOptions options = Options();
  options.model.steps = 2;
  EXPECT_FALSE(SameOpenness(plan, MakeModelPolicy(options)->Act(seen, kRequest)));
  options.model.steps = 1;  // the default of a clean prediction
  EXPECT_TRUE(SameOpenness(plan, MakeModelPolicy(options)->Act(seen, kRequest)));
  options.model.guidance = 3;
  EXPECT_FALSE(SameOpenness(plan, MakeModelPolicy(options)->Act(seen, kRequest)));
}

TEST_F(ModelPolicyTest, RefusesWhatTheModelWasNotTrainedFor) {
  Clip seen = FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 24));
  const auto policy = MakeModelPolicy(Options());
  Clip one_view = seen;
  one_view.views.pop_back();
  ExpectThrowsWith<ConfigError>([&] { policy->Act(one_view, kRequest); },
                                {"observation is of 1 view; expected 2, the number this model"});
  const Clip larger = FirstFrame(MakeSyntheticClip(2, 24, 48));
  ExpectThrowsWith<ConfigError>([&] { policy->Act(larger, kRequest); },
                                {"pictures of 48x48", "32x32, the size this model"});
}

struct BadOptions {
  std::string name;
  std::string mode;
  std::string model;  // relative to the test's folder
  std::vector<std::string> trained;
  std::vector<std::string> words;
};

class BadPolicyOptions : public ModelPolicyTest,
                         public ::testing::WithParamInterface<BadOptions> {};

TEST_P(BadPolicyOptions, AreRefusedInWords) {
  const BadOptions& bad = GetParam();
  if (!bad.trained.empty()) {
    BundleConfig config = testing::TinyConfig();
    config.trained_modes = bad.trained;
    testing::WriteTinyBundle(*folder_ / bad.model, config);
  }
  ModelPolicyOptions options;
  options.mode = bad.mode;
  if (!bad.model.empty()) options.model.model = (*folder_ / bad.model).string();
  ExpectThrowsWith<Error>([&] { MakeModelPolicy(options); }, bad.words);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadPolicyOptions,
    ::testing::Values(
        BadOptions{"no_model", "i2a", "", {}, {"--model is not given"}},
        BadOptions{"missing_model", "i2a", "nowhere", {}, {"nowhere is missing", "model bundle"}},
        BadOptions{"unknown_mode", "act", "model", {}, {"mode is \"act\"", "i2a, i2va, v2a"}},
        BadOptions{"mode_that_does_not_act", "v2a", "model", {}, {"\"v2a\"", "i2a or i2va"}},
        BadOptions{"untrained_mode",
                   "i2a",
                   "labeller",
                   {"v2a", "i2v"},
                   {"\"i2a\"", "not trained for", "v2a, i2v", "--allow-untrained"}}),
    testing::CaseName());

// What each job starts from, of a whole clip.
Clip GivenTo(const std::string& job, const Clip& clip) {
  if (job == "v2a") return clip;
  Clip given = FirstFrame(clip);
  if (job == "a2v") given.poses = clip.poses;
  if (job == "i2v") given.poses.clear();
  return given;
}

// One model, loaded once, does all jobs, and what it makes of a plan's request is the plan.
TEST_F(ModelPolicyTest, AServedModelDoesAllJobs) {
  const Clip clip = MakeSyntheticClip(testing::kTinyFrames, 26);
  const ServedModel model = MakeServedModel(Options());
  EXPECT_THAT(model.jobs->Jobs(), ::testing::ElementsAre("i2a", "i2va", "v2a", "a2v", "i2v"));
  const size_t frame_bytes = 3u * testing::kTinySize * testing::kTinySize;
  for (const std::string& job : model.jobs->Jobs()) {
    const MadeClip made = model.jobs->Run(job, GivenTo(job, clip), kRequest);
    const bool has_video = job == "i2va" || job == "a2v" || job == "i2v";
    const bool has_poses = job == "i2a" || job == "i2va" || job == "v2a";
    ASSERT_EQ(made.videos.size(), has_video ? 2u : 0u) << job;
    if (has_video) {
      EXPECT_EQ(made.videos[1].size(), testing::kTinyFrames * frame_bytes);
    }
    ASSERT_EQ(made.plan.frames.size(), has_poses ? size_t{testing::kTinyFrames} : 0u) << job;
  }
  ExpectSamePlan(model.jobs->Run("i2a", FirstFrame(clip), kRequest).plan,
                 model.policy->Act(FirstFrame(clip), kRequest));
  ExpectThrowsWith<ConfigError>([&] { model.jobs->Run("v2a", MakeSyntheticClip(2, 26, 48), {}); },
                                {"pictures of 48x48"});
}

TEST_F(ModelPolicyTest, AServedModelDoesWhatItWasTrainedFor) {
  BundleConfig config = testing::TinyConfig();
  config.trained_modes = {"i2a", "i2v"};
  testing::WriteTinyBundle(*folder_ / "two_jobs", config);
  ModelPolicyOptions options = Options();
  options.model.model = (*folder_ / "two_jobs").string();
  const ServedModel model = MakeServedModel(options);
  EXPECT_THAT(model.jobs->Jobs(), ::testing::ElementsAre("i2a", "i2v"));
  const Clip clip = MakeSyntheticClip(testing::kTinyFrames, 27);
  ExpectThrowsWith<ConfigError>([&] { model.jobs->Run("v2a", clip, {}); },
                                {"\"v2a\"", "not trained for"});
}

TEST_F(ModelPolicyTest, UntrainedModeRunsIfAllowed) {
  BundleConfig config = testing::TinyConfig();
  config.trained_modes = {"v2a"};
  testing::WriteTinyBundle(*folder_ / "allowed", config);
  ModelPolicyOptions options = Options();
  options.model.model = (*folder_ / "allowed").string();
  options.model.allow_untrained = true;
  EXPECT_EQ(MakeModelPolicy(options)
                ->Act(FirstFrame(MakeSyntheticClip(testing::kTinyFrames, 25)), kRequest)
                .frames.size(),
            static_cast<size_t>(testing::kTinyFrames));
}

}  // namespace
}  // namespace aim
