#include "aim/eval/trial_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numbers>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"
#include "eval/small_trials.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::RigidNear;
using testing::SmallTrials;
using testing::TemporaryFolder;

// A trial that uses every field, with words that no format likes.
TrialRecord FullTrial() {
  TrialRecord record = SmallTrials()[0];
  record.result.prompt = "put the \"red\" block,\nthen the blue one, away";
  record.result.error = "line 1\nline 2";
  record.result.first_frame_hash = 0xFEDCBA9876543210U;  // does not fit a signed number
  record.result.confidence_min = 0.125;
  ToolPose target;
  target.world_from_tool = {Eigen::Quaterniond(0.5, 0.5, -0.5, 0.5), {0.1, -0.2, 0.3}};
  target.gripper_open = 1;
  record.result.targets = {target, ToolPose{}};
  record.references["still"] = record.result;
  record.num_reruns = 2;
  return record;
}

TEST(TrialRecordTest, JsonHoldsEveryField) {
  const TrialRecord record = FullTrial();
  const std::string text = DumpJson(ToJson(record));
  const TrialRecord read = TrialRecordFromJson(nlohmann::json::parse(text), "trial.json");
  EXPECT_EQ(ToJson(read), ToJson(record));
  EXPECT_EQ(read.result.prompt, record.result.prompt);
  EXPECT_EQ(read.result.first_frame_hash, record.result.first_frame_hash);
  EXPECT_EQ(read.result.termination, Termination::kSuccess);
  EXPECT_EQ(read.references.size(), 3U);
  EXPECT_EQ(read.videos, record.videos);
  ASSERT_EQ(read.result.targets.size(), 2U);
  EXPECT_THAT(read.result.targets[0].world_from_tool,
              RigidNear(record.result.targets[0].world_from_tool, 1e-12, 1e-7));
  ASSERT_TRUE(read.distance);
  EXPECT_EQ(read.distance->rotation_deg, record.distance->rotation_deg);
}

TEST(TrialRecordTest, WhatIsAbsentStaysAbsent) {
  TrialRecord record = FullTrial();
  record.distance.reset();
  record.references.clear();
  record.filmstrip.clear();
  record.videos.clear();
  const TrialRecord read = TrialRecordFromJson(ToJson(record), "trial.json");
  EXPECT_FALSE(read.distance);
  EXPECT_TRUE(read.references.empty());
  EXPECT_TRUE(read.filmstrip.empty());
  EXPECT_EQ(ToJson(read), ToJson(record));
}

// Every key is needed, and each but the texts refuses a text.
TEST(TrialRecordTest, DamagedJsonIsRefusedByName) {
  const nlohmann::json whole = ToJson(FullTrial());
  for (const auto& [key, value] : whole.items()) {
    if (key == "to_expert") continue;  // may be absent
    nlohmann::json damaged = whole;
    damaged.erase(key);
    ExpectThrowsWith<FormatError>([&] { TrialRecordFromJson(damaged, "a/trial.json"); },
                                  {"a/trial.json", key});
    if (value.is_string()) continue;
    damaged[key] = "no";
    EXPECT_THROW(TrialRecordFromJson(damaged, "a/trial.json"), FormatError) << key;
  }
  for (const auto& [key, value] : whole["result"].items()) {
    nlohmann::json damaged = whole;
    damaged["result"].erase(key);
    ExpectThrowsWith<FormatError>([&] { TrialRecordFromJson(damaged, "a/trial.json"); },
                                  {"a/trial.json", key});
  }
  nlohmann::json damaged = whole;
  damaged["result"]["termination"] = "bored";
  ExpectThrowsWith<Error>([&] { TrialRecordFromJson(damaged, "a/trial.json"); },
                          {"a/trial.json", "termination", "bored"});
  damaged = whole;
  damaged["result"]["targets"][0] = {1, 2, 3};
  ExpectThrowsWith<InputError>([&] { TrialRecordFromJson(damaged, "a/trial.json"); },
                               {"a/trial.json", "targets"});
  for (const char* text : {"null", "[]", "3", "\"trial\""}) {
    EXPECT_THROW(TrialRecordFromJson(nlohmann::json::parse(text), "t"), FormatError) << text;
  }
}

// A prompt with commas, quotes and a line end stays one cell of one row.
TEST(TrialsCsvTest, TableIsReadBack) {
  std::vector<TrialRecord> trials = SmallTrials();
  trials[1].result.prompt = FullTrial().result.prompt;
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "episodes.csv", TrialsCsv(trials, "model"));
  const TrialTable table = ReadTrialsCsv(folder / "episodes.csv");
  EXPECT_EQ(table.policy, "model");
  ASSERT_EQ(table.rows.size(), trials.size());
  for (size_t i = 0; i < trials.size(); ++i) {
    EXPECT_EQ(table.rows[i].spec.task, trials[i].spec.task) << i;
    EXPECT_EQ(table.rows[i].spec.variation, trials[i].spec.variation) << i;
    EXPECT_EQ(table.rows[i].spec.seed, trials[i].spec.seed) << i;
    EXPECT_EQ(table.rows[i].success, trials[i].result.success) << i;
    EXPECT_EQ(table.rows[i].valid, i != 5) << i;
    EXPECT_EQ(table.rows[i].first_frame, "0000000000abcdef") << i;
  }
}

TEST(TrialRecordTest, PicturesOutsideTheRunAreRefused) {
  for (const std::string file : {"../../../etc/hostname", "/etc/hostname", "javascript:alert(3)",
                                 "videos/../../x.mp4", "trials/a.json", "videos/a/b.mp4"}) {
    nlohmann::json json = ToJson(SmallTrials()[0]);
    json["filmstrip"] = file;
    ExpectThrowsWith<FormatError>([&] { TrialRecordFromJson(json, "t.json"); },
                                  {"t.json", "filmstrips/"});
    json["filmstrip"] = "";
    json["videos"] = {file};
    ExpectThrowsWith<FormatError>([&] { TrialRecordFromJson(json, "t.json"); },
                                  {"t.json", "videos/"});
  }
}

TEST(TrialsCsvTest, RowIsKnown) {
  const std::string csv = TrialsCsv({SmallTrials()[3]}, "model");
  EXPECT_EQ(csv,
            "task,variation,seed,success,steps,replans,ik_failures,termination,policy,trial,"
            "first_frame,tracking_mm,final_error_mm,confidence_mean,confidence_min,undecodable,"
            "plan_to_expert_mm,plan_to_expert_deg,prompt,cameras\n"
            "reach,1,103,0,13,3,5,timeout,model,3,0000000000abcdef,2.0000,1.0000,0.2000,0.0000,"
            "0.2500,4.0000,5.0000,\"move, \"\"now\"\"\",\"as-trained\"\n");
}

// Without wall times: the same trials give the same table.
TEST(TrialsCsvTest, WallTimesDoNotShow) {
  std::vector<TrialRecord> slow = SmallTrials();
  for (TrialRecord& trial : slow) trial.result.plan_s = 100;
  EXPECT_EQ(TrialsCsv(slow, "model"), TrialsCsv(SmallTrials(), "model"));
}

TEST(TrialsCsvTest, ReferenceHasTheTrialsThatHaveIt) {
  std::vector<TrialRecord> trials = SmallTrials();
  trials[2].references.erase("null");
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "null.csv", ReferenceCsv(trials, "null"));
  const TrialTable table = ReadTrialsCsv(folder / "null.csv");
  EXPECT_EQ(table.policy, "null");
  ASSERT_EQ(table.rows.size(), 5U);
  EXPECT_TRUE(table.rows[1].success);
  EXPECT_EQ(table.rows[2].spec.seed, 103U);
}

TEST(TrialsCsvTest, DamagedTablesAreRefusedByNameAndLine) {
  const TemporaryFolder folder;
  const auto path = folder / "episodes.csv";
  ExpectThrowsWith<InputError>([&] { ReadTrialsCsv(path); }, {"episodes.csv"});
  const std::string good = TrialsCsv(SmallTrials(), "model");
  const auto refuse = [&](const std::string& text, const std::vector<std::string>& words) {
    WriteFileAtomic(path, text);
    ExpectThrowsWith<FormatError>([&] { ReadTrialsCsv(path); }, words);
  };
  refuse("", {"episodes.csv", "header"});
  refuse("task,success\n", {"episodes.csv", "header"});
  refuse(good.substr(good.find('\n') + 1), {"episodes.csv", "header"});
  const std::string header = good.substr(0, good.find('\n') + 1);
  refuse(header + "reach,0,100,1\n", {"line 2", "4 columns", "at least 20"});
  refuse(header + "reach,0,many,1,10,0,0,success,model,0,ab,,,,,,,,,as-trained\n",
         {"line 2", "\"many\""});
  refuse(header + "reach,0,100,,10,0,0,success,model,0,ab,,,,,,,,,as-trained\n",
         {"line 2", "\"\""});
  refuse(header + "reach,0,-1,1,10,0,0,success,model,0,ab,,,,,,,,,as-trained\n",
         {"line 2", "\"-1\""});
  refuse(good + "\"reach,0,100\n", {"line 8", "quotes"});
}

// The expert moves along x for two steps; the plan stands 3 mm beside it, turned by a tenth, and
// closes the gripper one frame early.
TEST(PlanDistanceTest, MediansOverTheFramesBothHave) {
  Demonstration demo;
  TimedPlan plan;
  plan.plan.period_s = 0.1;
  for (int frame = 0; frame < 5; ++frame) {
    ToolPose pose;
    pose.world_from_tool.translation = {0.01 * frame, 0, 0};
    pose.gripper_open = frame < 3 ? 1 : 0;
    if (frame < 3) demo.clip.poses.push_back(pose);
    pose.world_from_tool.translation.y() = 0.003;
    pose.world_from_tool.rotation =
        Eigen::Quaterniond(Eigen::AngleAxisd(0.1, Eigen::Vector3d::UnitZ()));
    pose.gripper_open = frame < 2 ? 1 : 0;
    DecodedPose decoded;
    decoded.pose = pose;
    decoded.decodable = true;
    decoded.confidence = 1;
    plan.plan.frames.push_back(decoded);
  }
  const PlanDistance distance = DistanceToExpert(plan, demo, 0.1);
  EXPECT_NEAR(distance.position_mm, 3.0, 1e-9);
  EXPECT_NEAR(distance.rotation_deg, 0.1 * 180 / std::numbers::pi, 1e-9);
  EXPECT_EQ(distance.gripper, 0.5);
}

}  // namespace
}  // namespace aim
