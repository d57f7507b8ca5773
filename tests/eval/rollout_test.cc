#include "aim/eval/rollout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "eval/pictures.h"
#include "eval/point_rollout.h"

namespace aim {
namespace {

using testing::FunctionPolicy;
using ::testing::HasSubstr;
using testing::Lines;
using testing::PointEnv;
using testing::PointFaults;
using testing::RolloutTest;
using testing::SmallOptions;

namespace fs = std::filesystem;

TEST_F(RolloutTest, ReplayPassesItsOwnGateAndReferencesStandBesideIt) {
  const nlohmann::json report = Roll("a", SmallOptions("replay"));
  EXPECT_EQ(report["mean_success"], 1.0);
  EXPECT_EQ(report["num_trials"], 8);
  const nlohmann::json& reach = report["tasks"][0];
  EXPECT_EQ(reach["task"], "reach");
  EXPECT_EQ(reach["n"], 4);
  EXPECT_EQ(reach["gate"]["rate"], 1.0);
  EXPECT_EQ(reach["null"]["rate"], 0.0);
  EXPECT_EQ(reach["still"]["rate"], 0.0);
  EXPECT_EQ(report["tasks"][1]["still"]["rate"], 1.0);
  EXPECT_TRUE(reach["versus_null"]["underpowered"]);
}

TEST_F(RolloutTest, EpisodesTableKeepsItsContract) {
  Roll("a", SmallOptions("replay"));
  const std::vector<std::string> lines = Lines(Text("a/episodes.csv"));
  ASSERT_EQ(lines.size(), 9u);
  EXPECT_EQ(lines[0].rfind(
                "task,variation,seed,success,steps,replans,ik_failures,termination,policy,", 0),
            0u);
  EXPECT_EQ(lines[1].rfind("reach,0,1000000,1,10,0,0,success,replay,0,", 0), 0u) << lines[1];
  EXPECT_EQ(lines[2].rfind("reach,1,1000001,1,10,0,0,success,replay,1,", 0), 0u) << lines[2];
  EXPECT_THAT(lines[1], HasSubstr("\"go to the \"\"goal\"\", please\""));
  EXPECT_EQ(Lines(Text("a/null.csv")).size(), 9u);
  EXPECT_THAT(Text("a/gate.csv"), HasSubstr(",gate,"));
}

TEST_F(RolloutTest, SameSeedSameEpisodesOtherSeedOtherScenes) {
  const RolloutOptions options = SmallOptions("null");
  Roll("a", options);
  Roll("b", options);
  EXPECT_EQ(Text("a/episodes.csv"), Text("b/episodes.csv"));
  RunContext run = Context("c", false, 1);
  RolloutParts parts;
  parts.make_env = [](const EnvOptions&) { return std::make_unique<PointEnv>(); };
  RunRollout(options, run, parts);
  EXPECT_THAT(Text("c/episodes.csv"), HasSubstr("reach,0,1100000,"));
}

TEST_F(RolloutTest, TheSimulatorIsMadeAsAsked) {
  RolloutOptions options = SmallOptions("still");
  options.image_size = 96;
  options.frame_period_s = 0.2;
  options.camera_raise_deg = -5;
  EnvOptions asked;
  RolloutParts parts;
  parts.make_env = [&](const EnvOptions& env_options) {
    asked = env_options;
    return std::make_unique<PointEnv>();
  };
  RunContext run = Context("a");
  RunRollout(options, run, parts);
  EXPECT_EQ(asked.image_size, 96);
  EXPECT_EQ(asked.frame_period_s, 0.2);
  EXPECT_EQ(asked.camera_raise_deg, -5);
}

TEST_F(RolloutTest, ModelIsPlayedBesideItsReferences) {
  const nlohmann::json report = Roll("a", SmallOptions("model"));
  EXPECT_EQ(report["tasks"][0]["rate"], 0.0);
  EXPECT_EQ(report["tasks"][1]["rate"], 1.0);
  EXPECT_EQ(report["mean_success"], 0.5);
  EXPECT_EQ(report["mean_gate"], 1.0);
  EXPECT_THAT(Text("a/report.html"), HasSubstr("<div class=big>50<small> %"));
}

TEST_F(RolloutTest, ReferencesCanBeSwitchedOff) {
  RolloutOptions options = SmallOptions("model");
  options.references = false;
  const nlohmann::json report = Roll("a", options);
  EXPECT_FALSE(report.contains("mean_gate"));
  EXPECT_FALSE(fs::exists(folder_ / "a/gate.csv"));
}

TEST_F(RolloutTest, PicturesOfSuccessesAndFailures) {
  RolloutOptions options = SmallOptions("model");
  options.num_videos = 1;
  options.picture_size = 32;
  const nlohmann::json report = Roll("a", options);
  ASSERT_EQ(report["filmstrips"].size(), 2u);
  const bool is_core = !LeftOut().empty();  // without an encoder of videos and JPEG
  const std::string extension = is_core ? ".png" : ".jpg";
  EXPECT_EQ(report["filmstrips"][0]["file"], "filmstrips/reach_1000000_failure" + extension);
  EXPECT_EQ(report["filmstrips"][1]["file"], "filmstrips/stay_1000000_success" + extension);
  EXPECT_EQ(fs::exists(folder_ / "a/videos/stay_1000000_success_view1.mp4"), !is_core);
  EXPECT_THAT(Text("a/report.html"),
              HasSubstr(is_core ? "data:image/png;base64,iVBOR" : "data:image/jpeg;base64,/9j/"));
  EXPECT_THAT(Text("a/report.html"), HasSubstr("go to the &quot;goal&quot;, please"));
  EXPECT_EQ(report["run"].contains("left_out"), is_core);
}

TEST_F(RolloutTest, WithoutATaskTheUsualOnesArePlayed) {
  RolloutOptions options = SmallOptions("still");
  options.task.clear();
  const nlohmann::json report = Roll("a", options, {.default_tasks = {"stay"}});
  ASSERT_EQ(report["tasks"].size(), 1U);
  EXPECT_EQ(report["tasks"][0]["task"], "stay");
  options.task = {"reach"};
  EXPECT_EQ(Roll("b", options, {.default_tasks = {"stay"}})["tasks"][0]["task"], "reach");
}

TEST_F(RolloutTest, ATaskOfASuiteHasNoFolderOfItsOwn) {
  RolloutOptions options = SmallOptions("still");
  options.task = {"goal/stay"};
  options.num_videos = 1;
  const nlohmann::json report = Roll("a", options, {.suite = "goal/"});
  EXPECT_EQ(report["tasks"][0]["task"], "goal/stay");
  EXPECT_TRUE(fs::exists(folder_ / "a/trials/goal_stay_3.json"));
  EXPECT_EQ(report["filmstrips"][0]["file"].get<std::string>().rfind(
                "filmstrips/goal_stay_1000000_success", 0),
            0u);
}

TEST_F(RolloutTest, ARunGoesOnWithWhatWasChosenBefore) {
  const auto roll = [&](const std::string& chosen, bool resume) {
    RolloutParts parts = Parts();
    parts.make_model_policy = [&] {
      const auto stay = [](const Clip& seen, const PlanRequest&) {
        return PlanFromPoses({seen.poses[0], seen.poses[0]}, 0.12);
      };
      return std::make_unique<FunctionPolicy>(stay, chosen);
    };
    RunContext run = Context("a", resume);
    RunRollout(SmallOptions("model"), run, parts);
  };
  EXPECT_EQ(ServedBefore(Context("a", true)), "");
  roll("i2a, 4 steps", false);
  EXPECT_EQ(ServedBefore(Context("a", true)), "i2a, 4 steps");
  EXPECT_EQ(ServedBefore(Context("a")), "");  // begins anew
  ExpectThrowsWith<ConfigError>([&] { roll("i2a, 3 steps", true); }, {"served", "4 steps"});
  roll(ServedBefore(Context("a", true)), true);
}

TEST_F(RolloutTest, CrashedTrialIsRunAgainWithTheSameSeed) {
  const RolloutOptions options = SmallOptions("replay");
  Roll("whole", options);
  std::multiset<uint64_t> tries;
  PointFaults faults;
  faults.on_reset = [&](const std::string& task, uint64_t seed) {
    if (task != "reach" || seed != 1000002) return;
    tries.insert(seed);
    // The second scene's null policy resets it first; then its own demonstration is cached.
    if (tries.size() == 2) throw IoError({"simulator", "gone", "alive", ""});
  };
  const nlohmann::json report = Roll("a", options, faults);
  EXPECT_EQ(report["num_reruns"], 1);
  EXPECT_TRUE(report["invalid"].empty());
  EXPECT_EQ(Text("a/episodes.csv"), Text("whole/episodes.csv"));
}

TEST_F(RolloutTest, TrialThatCrashesTwiceIsListedAndCountsAsFailure) {
  PointFaults faults;
  faults.on_reset = [](const std::string& task, uint64_t seed) {
    if (task == "stay" && seed == 1000003) throw IoError({"simulator", "gone", "alive", ""});
  };
  const nlohmann::json report = Roll("a", SmallOptions("replay"), faults);
  ASSERT_EQ(report["invalid"].size(), 2u);  // its own, and the one whose null policy it gives
  EXPECT_EQ(report["invalid"][1]["seed"], 1000003);
  EXPECT_THAT(report["invalid"][1]["error"].get<std::string>(), HasSubstr("simulator is gone"));
  EXPECT_EQ(report["tasks"][1]["n"], 4);
  EXPECT_EQ(report["tasks"][1]["rate"], 0.5);
  EXPECT_THAT(Text("a/episodes.csv"), HasSubstr("stay,0,1000003,0,0,0,0,invalid,replay"));
  EXPECT_THAT(Text("a/report.html"), HasSubstr("Invalid trials"));
}

TEST_F(RolloutTest, CompareTestsPairedScenes) {
  RolloutOptions options = SmallOptions("null");
  options.episodes = 6;
  Roll("null", options);
  options.policy = "replay";
  options.compare = {(folder_ / "null").string()};
  const nlohmann::json report = Roll("replay", options);
  ASSERT_EQ(report["compare"].size(), 1u);
  EXPECT_EQ(report["compare"][0]["policy"], "null");
  // The null policy moves in "stay" too, to another scene's start: twelve scenes, all won alone.
  EXPECT_EQ(report["compare"][0]["only_first"], 12);
  EXPECT_FALSE(report["compare"][0]["underpowered"]);
}

// Trials of cameras of a file are those of what is in it, and of no file of a similar name.
TEST_F(RolloutTest, CamerasOfAFileStayWhatTheyWere) {
  const auto write = [&](const std::string& name, double y) {
    Camera camera{64, 64, 80, 80, 32, 32, {}};
    camera.world_from_camera.translation = {0, y, -1};
    WriteCamerasJson(folder_ / name, {{"view0", {camera}}, {"view1", {camera}}});
    return "file:" + (folder_ / name).string();
  };
  fs::create_directory(folder_ / "a");
  RolloutOptions options = SmallOptions("still");
  options.references = false;
  options.cameras = {write("a/c.json", 0.1), write("a_c.json", 0.2)};
  Roll("out", options);
  size_t trials = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "out/trials")) {
    trials += entry.path().filename().string().starts_with("reach_") ? 1 : 0;
  }
  EXPECT_EQ(trials, 2 * static_cast<size_t>(options.episodes));
  Roll("out", options, {}, true);
  write("a/c.json", 0.3);
  ExpectThrowsWith<ConfigError>([&] { Roll("out", options, {}, true); }, {"content", "go on with"});
}

// The tables are of the first cameras; the others stand beside them, without references.
TEST_F(RolloutTest, SeveralCamerasPlayTheSameScenes) {
  RolloutOptions options = SmallOptions("model");
  Roll("usual", options);
  options.cameras = {"as-trained", "moved:30"};
  const nlohmann::json report = Roll("a", options);
  EXPECT_EQ(report["num_trials"], 8);
  EXPECT_EQ(report["mean_gate"], 1.0);
  ASSERT_EQ(report["cameras"].size(), 2u);
  EXPECT_EQ(report["cameras"][1]["cameras"], "moved:30");
  EXPECT_EQ(report["cameras"][1]["pooled"]["n"], 8);
  EXPECT_EQ(report["cameras"][1]["mean_success"], 0.5);
  EXPECT_EQ(report["cameras"][1]["tasks"]["stay"]["rate"], 1.0);
  EXPECT_EQ(Lines(Text("a/episodes.csv")).size(), 17u);
  EXPECT_EQ(Lines(Text("a/gate.csv")).size(), 9u);
  EXPECT_THAT(Lines(Text("a/episodes.csv"))[16], HasSubstr("\"moved:30\""));
  EXPECT_THAT(Text("a/report.html"), HasSubstr("moved:30"));
  EXPECT_TRUE(fs::exists(folder_ / "a/trials/stay_3_moved_30.json"));

  // Added later, they need no other run; and each compares with its own.
  Roll("usual", options, {}, true);
  EXPECT_EQ(Text("usual/episodes.csv"), Text("a/episodes.csv"));
  options.cameras = {"moved:30"};
  options.compare = {(folder_ / "a").string()};
  EXPECT_EQ(Roll("moved", options)["compare"][0]["only_first"], 0);
  EXPECT_TRUE(Roll("moved", options, {}, true)["cameras"].empty());
}

TEST_F(RolloutTest, ATaskThatNobodyDemonstratesIsPlayedWithinItsBudget) {
  RolloutOptions options = SmallOptions("model");
  options.replan = 1;
  options.max_steps_factor = 1;
  PointFaults faults;
  faults.frames_without_expert = 7;
  const nlohmann::json report = Roll("a", options, faults);
  EXPECT_FALSE(report.contains("mean_gate"));
  EXPECT_EQ(report["tasks"][0]["steps"], 7);
  EXPECT_EQ(report["tasks"][0]["terminations"]["timeout"], 4);
  EXPECT_EQ(report["tasks"][1]["still"]["rate"], 1.0);
  options.policy = "replay";
  EXPECT_THROW(Roll("b", options, faults), ConfigError);
}

// Names that differ in what files leave out would write over one another.
TEST_F(RolloutTest, TasksWhoseFilesWouldBeTheSameAreRefused) {
  RolloutOptions options = SmallOptions("model");
  PointFaults faults;
  faults.more_tasks = {"a/reach", "a_reach"};
  options.task = {"a/reach", "stay", "a_reach"};
  testing::ExpectThrowsWith<ConfigError>([&] { Roll("a", options, faults); },
                                         {"\"a_reach\" beside \"a/reach\""});
  options.task = {"a/reach", "stay"};
  Roll("b", options, faults);
}

// Refused targets are counted by their reason.
TEST_F(RolloutTest, RefusalsSayWhy) {
  RolloutParts parts;
  parts.make_env = [](const EnvOptions&) { return std::make_unique<PointEnv>(); };
  parts.make_model_policy = [] {
    return std::make_unique<FunctionPolicy>([](const Clip& seen, const PlanRequest&) {
      return PlanFromPoses({seen.poses[0], testing::PointPose({2, 0, 0})}, 0.12);
    });
  };
  RolloutOptions options = SmallOptions("model");
  options.hold_steps = 1;
  RunContext run = Context("a");
  const nlohmann::json report = ToJson(RunRollout(options, run, parts).value());
  EXPECT_EQ(report["tasks"][0]["refusals"], (nlohmann::json{{"ik_failure", 8}}));
}

// The trial was played; what was lost with the simulator are its pictures.
TEST_F(RolloutTest, ASimulatorLostWhilePicturesAreTakenCostsThePictures) {
  RolloutOptions options = SmallOptions("replay");
  options.episodes = 1;
  options.num_videos = 1;
  options.picture_size = 32;
  PointFaults faults;
  int num_renders = 0;
  faults.on_render = [&] {
    if (++num_renders == 1) throw IoError({"simulator", "gone", "alive", ""});
  };
  EXPECT_EQ(Roll("once", options, faults)["filmstrips"].size(), 2u);
  faults.on_render = [] { throw IoError({"simulator", "gone", "alive", ""}); };
  const nlohmann::json report = Roll("always", options, faults);
  EXPECT_EQ(report["mean_success"], 1.0);
  EXPECT_TRUE(report["filmstrips"].empty());
}

// A trial whose pictures cannot be written was not played.
TEST_F(RolloutTest, AFailureToWriteIsNoFailureOfTheTrial) {
  RolloutOptions options = SmallOptions("replay");
  options.episodes = 1;
  options.num_videos = 1;
  WriteFileAtomic(folder_ / "blocked/filmstrips", "a file where a folder should be");
  EXPECT_THROW(Roll("blocked", options, {}, true), IoError);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "blocked/trials/reach_0.json"));
  fs::remove(folder_ / "blocked/filmstrips");
  EXPECT_EQ(Roll("blocked", options, {}, true)["mean_success"], 1.0);
}

struct BadOptions {
  std::string name;
  std::function<void(RolloutOptions&, const fs::path& folder)> spoil;
  std::vector<std::string> words;
};

class BadOptionsTest : public RolloutTest, public ::testing::WithParamInterface<BadOptions> {};

TEST_P(BadOptionsTest, IsRefusedInOneSentenceAndLeavesNothing) {
  RolloutOptions options = SmallOptions("replay");
  Roll("earlier", options);
  GetParam().spoil(options, folder_.path());
  RunContext run = Context("out");
  RolloutParts parts;
  if (options.simulator.env == "point") {
    parts.make_env = [](const EnvOptions&) { return std::make_unique<PointEnv>(); };
  }
  try {
    RunRollout(options, run, parts);
    FAIL() << "accepted";
  } catch (const Error& error) {
    for (const std::string& word : GetParam().words) EXPECT_THAT(error.what(), HasSubstr(word));
  }
  EXPECT_FALSE(fs::exists(folder_ / "out/episodes.csv"));
}

RolloutOptions& OnPoint(RolloutOptions& options) {
  options.simulator.env = "point";
  return options;
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadOptionsTest,
    ::testing::Values(
        BadOptions{"UnknownEnv",
                   [](RolloutOptions& options, const fs::path&) { options.simulator.env = "moon"; },
                   {"--env is \"moon\"", "tabletop"}},
        BadOptions{"UnknownCameras",
                   [](RolloutOptions& options, const fs::path&) {
                     OnPoint(options).cameras = {"as-trained", "moved:120"};
                   },
                   {"--cameras is \"moved:120\"", "at most 90"}},
        BadOptions{"CamerasTwice",
                   [](RolloutOptions& options, const fs::path&) {
                     OnPoint(options).cameras = {"moved:20", "moved:20.0"};
                   },
                   {"\"moved:20.0\" twice"}},
        BadOptions{"UnknownTask",
                   [](RolloutOptions& options, const fs::path&) {
                     OnPoint(options).task = {"reach", "fly"};
                   },
                   {"--task is \"fly\"", "reach, stay"}},
        BadOptions{"TaskTwice",
                   [](RolloutOptions& options, const fs::path&) {
                     OnPoint(options).task = {"reach", "reach"};
                   },
                   {"\"reach\" twice"}},
        BadOptions{"NoEpisodes",
                   [](RolloutOptions& options, const fs::path&) { OnPoint(options).episodes = 0; },
                   {"episodes is 0", "[1, 1"}},
        BadOptions{"UnknownVariation",
                   [](RolloutOptions& options, const fs::path&) { OnPoint(options).variation = 1; },
                   {"--variation is 1", "variations of stay"}},
        BadOptions{"NoModelGiven",
                   [](RolloutOptions& options, const fs::path&) {
                     OnPoint(options).policy = "model";
                     options.model.model = "";
                   },
                   {"--model is not given"}},
        BadOptions{
            "UnknownPolicy",
            [](RolloutOptions& options, const fs::path&) { OnPoint(options).policy = "modle"; },
            {"policy is \"modle\"", "ws://HOST:PORT", "did you mean model?"}},
        BadOptions{
            "KeyForNoServer",
            [](RolloutOptions& options, const fs::path&) { OnPoint(options).api_key_file = "key"; },
            {"api_key_file is given", "ws://HOST:PORT"}},
        BadOptions{"ServerInABuildWithoutClient",
                   [](RolloutOptions& options, const fs::path&) {
                     OnPoint(options).policy = "ws://localhost:8000";
                   },
                   {"\"ws://localhost:8000\"", "no client of policy servers"}},
        BadOptions{"OutNotEmpty",
                   [](RolloutOptions& options, const fs::path& folder) {
                     OnPoint(options);
                     WriteFileAtomic(folder / "out/notes.txt", "mine");
                   },
                   {"--out is a folder that is not empty", "--resume"}},
        BadOptions{"NothingToCompare",
                   [](RolloutOptions& options, const fs::path& folder) {
                     OnPoint(options).compare = {(folder / "nowhere").string()};
                   },
                   {"nowhere/episodes.csv"}},
        BadOptions{"OtherScenesToCompare",
                   [](RolloutOptions& options, const fs::path& folder) {
                     OnPoint(options).compare = {(folder / "earlier").string()};
                     options.first_seed = 7;
                   },
                   {"the same scenes as this run"}}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace aim
