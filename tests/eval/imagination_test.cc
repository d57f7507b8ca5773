#include "aim/eval/imagination.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "aim/eval/rollout_merge.h"
#include "eval/pictures.h"
#include "eval/point_rollout.h"
#include "eval/timeless.h"
#include "support/case_name.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectSameRollout;
using testing::ExpectThrowsWith;
using testing::FunctionPolicy;
using ::testing::HasSubstr;
using testing::Lines;
using testing::PointEnv;
using testing::RolloutTest;
using testing::SmallOptions;

namespace fs = std::filesystem;

// A point that is where it was told to be. Its pictures are as bright as the steps before them are
// many, and labelled 1 mm further off with every step; the third has no pose.
class DreamtEnv : public PointEnv, public Imagination {
 public:
  Imagination* AsImagination() override { return this; }

  Observation Reset(const std::string& task, int variation, uint64_t seed) override {
    Observation seen = PointEnv::Reset(task, variation, seed);
    trial_ = {.clip = seen.clip, .labels = {}};
    num_looks_ = 0;
    return seen;
  }

  StepResult Step(const ToolPose& target) override {
    StepResult result = PointEnv::Step(target);
    result.observation.clip.views.clear();
    trial_.clip.poses.push_back(target);
    return result;
  }

  void Look(Observation& seen) override {
    ++num_looks_;
    seen.clip.views = trial_.clip.views;
  }

  ImaginedTrial Trial() override {
    ImaginedTrial trial = trial_;
    for (size_t i = 0; i < trial.clip.poses.size(); ++i) {
      DecodedPose label;
      label.pose = trial.clip.poses[i];
      label.decodable = i != 3;
      label.confidence = 0.5;
      label.pose.world_from_tool.translation.x() += 1e-3 * static_cast<double>(i);
      trial.labels.push_back(label);
      for (ClipView& view : trial.clip.views) {
        if (i > 0) view.rgb.insert(view.rgb.end(), 8 * 8 * 3, static_cast<uint8_t>(10 * i));
        view.num_frames = static_cast<int>(i) + 1;
      }
    }
    return trial;
  }

  int num_looks() const { return num_looks_; }

 private:
  ImaginedTrial trial_;
  int num_looks_ = 0;
};

RolloutOptions DreamOptions() {
  RolloutOptions options = SmallOptions("model");
  options.simulator.env = "model";
  options.imagination.scene_data = "scenes";
  options.replan = 4;
  options.task = {"reach"};
  return options;
}

class ImaginationTest : public RolloutTest {
 protected:
  RolloutReport Dream(const std::string& name, const RolloutOptions& options,
                      bool resume = false) const {
    RolloutParts parts = Parts();
    parts.make_env = nullptr;
    parts.make_imagined_env = [](const EnvOptions&) { return std::make_unique<DreamtEnv>(); };
    RunContext run = Context(name, resume);
    return RunRollout(options, run, parts).value();
  }
};

// The policy is shown a picture whenever it is asked, and only then.
TEST_F(ImaginationTest, PicturesAreImaginedWhenThePolicyLooks) {
  DreamtEnv env;
  int num_plans = 0;
  FunctionPolicy policy([&](const Clip& seen, const PlanRequest&) {
    ++num_plans;
    EXPECT_EQ(seen.views.size(), 2u);
    EXPECT_FALSE(seen.views.at(0).rgb.empty());
    return PlanFromPoses(std::vector<ToolPose>(9, seen.poses[0]), 0.12);
  });
  const TrialResult result =
      PlayTrial(env, policy, {.task = "reach", .variation = 0, .seed = 1}, 1,
                {.execution = {.horizon = 4}, .max_env_steps = 10, .limits = {}});
  EXPECT_EQ(num_plans, 3);
  EXPECT_EQ(env.num_looks(), 3);
  EXPECT_FALSE(result.success);
  ASSERT_TRUE(result.imagined);
  EXPECT_EQ(result.imagined->clip.poses.size(), 11u);
  ASSERT_EQ(result.labelled.size(), 10u);
  EXPECT_NEAR(*result.labelled[0].off_mm, 1, 1e-9);
  EXPECT_FALSE(result.labelled[2].off_mm);
  EXPECT_EQ(result.labelled[2].confidence, 0);
  const TrialResult read = TrialResultFromJson(ToJson(result), "trial");
  EXPECT_EQ(ToJson(read), ToJson(result));
}

TEST_F(ImaginationTest, TheReportSaysThatSuccessIsUnknown) {
  RolloutOptions options = DreamOptions();
  options.num_videos = 1;
  options.picture_size = 32;
  const RolloutReport report = Dream("a", options);
  const nlohmann::json json = nlohmann::json::parse(Text("a/report.json"));
  EXPECT_EQ(json["format"], "aim-imagination-1");
  EXPECT_THAT(json["success"].get<std::string>(), HasSubstr("unknown"));
  for (const char* key : {"mean_success", "pooled", "mean_gate", "compare"}) {
    EXPECT_FALSE(json.contains(key)) << key;
  }
  ASSERT_EQ(json["tasks"].size(), 1u);
  const nlohmann::json& reach = json["tasks"][0];
  EXPECT_EQ(reach["n"], 4);
  EXPECT_EQ(reach["steps"], 15);  // 1.5 demonstrations; no pose is held at the end
  EXPECT_EQ(reach["labelled"]["n"], 60);
  EXPECT_NEAR(reach["labelled"]["off_mm"].get<double>(), 8.5, 1e-6);
  EXPECT_NEAR(reach["labelled"]["undecodable"].get<double>(), 1.0 / 15, 1e-9);
  EXPECT_TRUE(reach["to_recorded"]["position_mm"].is_number());
  ASSERT_EQ(json["drift"].size(), 15u);
  EXPECT_EQ(json["drift"][1]["step"], 2);
  EXPECT_NEAR(json["drift"][1]["off_mm"].get<double>(), 2, 1e-6);
  EXPECT_TRUE(json["drift"][2]["off_mm"].is_null());

  const std::vector<std::string> lines = Lines(Text("a/episodes.csv"));
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines[0], ::testing::Not(HasSubstr("success")));
  EXPECT_EQ(lines[1].rfind("reach,0,1000000,15,14,timeout,model,0,", 0), 0u) << lines[1];
  EXPECT_FALSE(fs::exists(folder_ / "a/gate.csv"));
  EXPECT_THAT(ReportTable(report), HasSubstr("success: unknown"));
  const std::string html = Text("a/report.html");
  EXPECT_THAT(html, HasSubstr("Whether a task was solved is unknown"));
  EXPECT_THAT(html, HasSubstr("Does it drift?"));
  ASSERT_EQ(json["filmstrips"].size(), 1u);
  EXPECT_EQ(json["filmstrips"][0]["file"].get<std::string>().rfind(
                "filmstrips/reach_1000000_imagined", 0),
            0u);
}

// A whole plan ends the trial: no pose is held for a success that nobody sees.
TEST_F(ImaginationTest, NothingIsHeldAtTheEnd) {
  RolloutOptions options = DreamOptions();
  options.replan = 0;
  const nlohmann::json report = ToJson(Dream("a", options));
  EXPECT_EQ(report["tasks"][0]["steps"], 1);  // of plans of two frames
  EXPECT_EQ(report["options"]["hold_steps"], 0);
  EXPECT_EQ(report["options"]["references"], false);
}

// What was imagined stands plain above the same with the plan, and is not imagined again.
TEST_F(ImaginationTest, PicturesAreThoseOfTheTrial) {
  DreamtEnv env;
  FunctionPolicy policy([](const Clip& seen, const PlanRequest&) {
    return PlanFromPoses(std::vector<ToolPose>(5, seen.poses[0]), 0.12);
  });
  TrialResult result = PlayTrial(env, policy, {.task = "reach", .variation = 0, .seed = 1}, 1,
                                 {.execution = {}, .hold_env_steps = 0, .limits = {}});
  const TrialPictures pictures = ImaginedPictures(result, 0.12, 16);
  ASSERT_EQ(pictures.plain.size(), 2u);
  ASSERT_EQ(pictures.plain[0].size(), 5u);
  const int side = pictures.plain[0][3].width;
  EXPECT_EQ(pictures.plain[0][3].rgb,
            std::vector<uint8_t>(static_cast<size_t>(side * side * 3), 30));
  EXPECT_NE(pictures.views[0][3].rgb, pictures.plain[0][3].rgb);
  EXPECT_EQ(VideoFrame(pictures, 0, 3).width, 2 * side + 2);
  EXPECT_EQ(TrialFilmstrip(pictures, 3).height, 4 * side + 3 * 2);
}

TEST_F(ImaginationTest, ShardsTogetherAreTheWhole) {
  RolloutOptions options = DreamOptions();
  options.num_videos = 1;
  options.picture_size = 32;
  Dream("whole", options);
  RolloutMergeOptions merge;
  for (const char* shard : {"0/2", "1/2"}) {
    options.shard = shard;
    Dream(std::string("part") + shard[0], options);
    merge.folders.push_back((folder_ / (std::string("part") + shard[0])).string());
  }
  RunContext run = Context("merged");
  RunRolloutMerge(merge, run);
  ExpectSameRollout(folder_ / "whole", folder_ / "merged");
  options.shard.clear();
  options.episodes = 5;
  EXPECT_EQ(Dream("merged", options, true).num_trials, 5);
}

struct BadDream {
  std::string name;
  std::function<void(RolloutOptions&)> spoil;
  std::vector<std::string> words;
};

class BadDreamTest : public ImaginationTest, public ::testing::WithParamInterface<BadDream> {};

TEST_P(BadDreamTest, IsRefusedInOneSentence) {
  RolloutOptions options = DreamOptions();
  GetParam().spoil(options);
  ExpectThrowsWith<ConfigError>([&] { Dream("out", options); }, GetParam().words);
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadDreamTest,
    ::testing::Values(BadDream{"NoScenes",
                               [](RolloutOptions& o) { o.imagination.scene_data.clear(); },
                               {"--scene-data is not given", "first frames"}},
                      BadDream{"NoModel",
                               [](RolloutOptions& o) {
                                 o.policy = "still";
                                 o.model.model.clear();
                               },
                               {"--env-model is not given", "--model"}},
                      BadDream{"ScenesInASimulator",
                               [](RolloutOptions& o) { o.simulator.env = "tabletop"; },
                               {"--scene-data", "--env tabletop", "--env model"}},
                      BadDream{"Compared",
                               [](RolloutOptions& o) { o.compare = {"earlier"}; },
                               {"--compare", "neither success nor failure"}},
                      BadDream{"Turned",
                               [](RolloutOptions& o) { o.sensitivity = {"all"}; },
                               {"--sensitivity", "neither success nor failure"}}),
    testing::CaseName());

TEST_F(ImaginationTest, ABuildWithoutItSaysSo) {
  RolloutParts parts = Parts();
  parts.make_env = nullptr;
  RunContext run = Context("out");
  ExpectThrowsWith<ConfigError>([&] { RunRollout(DreamOptions(), run, parts); },
                                {"--env is model", "reads no recorded scenes"});
}

}  // namespace
}  // namespace aim
