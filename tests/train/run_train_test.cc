// Runs of aim-train as a user starts, stops and resumes them.
#include "aim/train/run_train.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/bundle/bundle.h"
#include "aim/train/dataset.h"
#include "support/child_process.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "train/training_data.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class RunTrainTest : public ::testing::Test {
 protected:
  RunTrainTest() : options_(testing::TinyTraining(folder_ / "data")) {
    testing::WriteTrainingData(folder_ / "data");
    options_.train.validation_episodes = 0;
    options_.train.checkpoint_every = 1;
  }

  // aim-train with `options_`, `steps` and more words.
  std::vector<std::string> Command(const std::string& out, int64_t steps,
                                   const std::vector<std::string>& more = {}) {
    options_.train.steps = steps;
    WriteFileAtomic(folder_ / "run.toml", ToToml(OptionsToJson(options_)));
    std::vector<std::string> words = {testing::Binary("aim-train"),
                                      "--config",
                                      (folder_ / "run.toml").string(),
                                      "--out",
                                      (folder_ / out).string(),
                                      "--log-level",
                                      "debug"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  testing::CommandResult Run(const std::string& out, int64_t steps,
                             const std::vector<std::string>& more = {}) {
    return testing::RunCommand(Command(out, steps, more));
  }

  // In this process.
  TrainReport RunHere(const std::string& out, bool resume = false) {
    RunContext run({.out = folder_ / out, .resume = resume});
    return RunTrain(options_, run).value();
  }

  fs::path NewestCheckpoint(const std::string& out) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(folder_ / out / "checkpoints")) {
      if (entry.path().filename().string().starts_with("step_")) found.push_back(entry.path());
    }
    EXPECT_FALSE(found.empty());
    return found.empty() ? fs::path() : *std::max_element(found.begin(), found.end());
  }

  int64_t NewestStep(const std::string& out) const {
    return nlohmann::json::parse(ReadFile(NewestCheckpoint(out) / "state.json"))["train_step"];
  }

  // The last bit of the first number of one episode's actions.
  void ChangeData() const {
    const fs::path path = OpenDataSet(folder_ / "data").episodes()[0].path / "actions.npy";
    std::string bytes = ReadFile(path);
    bytes[128] = static_cast<char>(bytes[128] ^ 1);
    WriteFileAtomic(path, bytes);
  }

  // Weights, averages, moments, state and the bundle.
  void ExpectSameBits(const std::string& a, const std::string& b) const {
    for (const char* file :
         {"weights.safetensors", "average.safetensors", "optimizer.safetensors", "state.json"})
      EXPECT_EQ(ReadFile(NewestCheckpoint(a) / file), ReadFile(NewestCheckpoint(b) / file)) << file;
    for (const char* file : {"dit.safetensors", "autoencoder.safetensors", "model.toml"})
      EXPECT_EQ(ReadFile(folder_ / a / "bundle" / file), ReadFile(folder_ / b / "bundle" / file));
  }

  // Points of the first curve of the page, that of the loss.
  int64_t LossPoints(const std::string& out) const {
    const std::string page = ReadFile(folder_ / out / "report.html");
    const size_t begin = page.find("points=\"");
    const size_t end = page.find('"', begin + 8);
    return std::count(page.begin() + static_cast<std::ptrdiff_t>(begin),
                      page.begin() + static_cast<std::ptrdiff_t>(end), ',');
  }

  // Of its TensorBoard file: equal steps with equal names make equal lengths.
  uintmax_t EventBytes(const std::string& out) const {
    uintmax_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / out)) {
      if (entry.path().filename().string().starts_with("events.out.tfevents."))
        bytes += entry.file_size();
    }
    return bytes;
  }

  std::vector<nlohmann::json> Metrics(const std::string& out) const {
    return testing::ReadMetrics(folder_ / out);
  }

  testing::TemporaryFolder folder_;
  TrainRunOptions options_;
};

// Killed wherever it was after its third checkpoint: in a step, in a save.
TEST_F(RunTrainTest, KilledAndResumedGivesTheBitsOfAWholeRun) {
  {
    testing::ChildProcess child(Command("killed", 1000000));
    ASSERT_TRUE(child.WaitForMessage("step_00000003"));
    child.Send(SIGKILL);
    EXPECT_EQ(child.Wait().exit_code, -1);
  }
  const int64_t step = NewestStep("killed");
  EXPECT_GE(step, 3);
  const std::string lines = ReadFile(folder_ / "killed" / "metrics.jsonl");
  const testing::CommandResult resumed = Run("killed", step + 3, {"--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("resuming at step " + std::to_string(step) + " of " +
                                     std::to_string(step + 3)));
  const testing::CommandResult whole = Run("whole", step + 3);
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  ExpectSameBits("killed", "whole");
  const std::string whole_lines = lines.substr(0, lines.rfind('\n') + 1);
  EXPECT_TRUE(ReadFile(folder_ / "killed" / "metrics.jsonl").starts_with(whole_lines));
  // Each step once, on the page and for TensorBoard; the lines of a whole run.
  EXPECT_EQ(LossPoints("killed"), step + 3);
  EXPECT_EQ(EventBytes("killed"), EventBytes("whole"));
  const nlohmann::json report = nlohmann::json::parse(resumed.out);
  EXPECT_EQ(report["train_step"], step + 3);
  EXPECT_EQ(report["loss"], nlohmann::json::parse(whole.out)["loss"]);
}

TEST_F(RunTrainTest, SigtermSavesAndEnds) {
  testing::ChildProcess child(Command("run", 1000000));
  ASSERT_TRUE(child.WaitForMessage("step_00000002"));
  child.Send(SIGTERM);
  const testing::CommandResult ended = child.Wait();
  EXPECT_EQ(ended.exit_code, 128 + SIGTERM) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("--resume goes on"));
  const nlohmann::json report = nlohmann::json::parse(ended.out);
  EXPECT_EQ(report["finished"], false);
  EXPECT_EQ(report["train_step"], NewestStep("run"));
  EXPECT_EQ(Metrics("run").back()["train_step"], NewestStep("run"));
  EXPECT_FALSE(fs::exists(folder_ / "run" / "bundle"));
  EXPECT_TRUE(fs::exists(folder_ / "run" / "run.json"));
  const std::string page = ReadFile(folder_ / "run" / "report.html");
  EXPECT_THAT(page, HasSubstr("Stopped at step " + std::to_string(NewestStep("run")) + " of"));
  EXPECT_THAT(page, Not(HasSubstr("http-equiv=refresh")));

  const int64_t steps = NewestStep("run") + 2;
  EXPECT_EQ(Run("run", steps, {"--resume"}).exit_code, 0);
  EXPECT_EQ(Run("whole", steps).exit_code, 0);
  ExpectSameBits("run", "whole");
}

// While it goes on: where it stands and how long it will take, read again by the browser.
TEST_F(RunTrainTest, ThePageOfARunThatGoesOnTellsHowLongItWillTake) {
  testing::ChildProcess child(Command("run", 1000000));
  ASSERT_TRUE(child.WaitForMessage("step_00000002"));
  ASSERT_TRUE(child.WaitForMessage("step_00000003"));
  child.Send(SIGKILL);
  child.Wait();
  const std::string page = ReadFile(folder_ / "run" / "report.html");
  for (const char* words : {"Running: step ", " of 1000000.", "http-equiv=refresh content=60",
                            "<b>about ", "left, without validation"})
    EXPECT_THAT(page, HasSubstr(words));
}

// Asked to stop before anything was done: what there is can be resumed.
TEST_F(RunTrainTest, AStopWhileClipsAreEncodedIsNoHarm) {
  options_.train.steps = 2;
  RunContext run({.out = folder_ / "run"});
  run.RequestStop();
  const TrainReport report = RunTrain(options_, run).value();
  EXPECT_FALSE(report.finished);
  EXPECT_TRUE(run.unfinished());
  EXPECT_EQ(report.train_step, 0);
  EXPECT_FALSE(fs::exists(folder_ / "run" / "cache" / "cache.json"));
  EXPECT_TRUE(RunHere("run", true).finished);
  EXPECT_TRUE(RunHere("whole").finished);
  ExpectSameBits("run", "whole");
}

// A cache that was cut off, or belongs to other clips, is completed; the rest is as before.
TEST_F(RunTrainTest, AnInterruptedCacheIsCompleted) {
  options_.train.steps = 2;
  RunHere("run");
  fs::create_directories(folder_ / "resumed" / "cache");
  fs::copy(folder_ / "run" / "cache", folder_ / "resumed" / "cache");
  fs::remove(folder_ / "resumed" / "cache" / "cache.json");
  RunHere("resumed", true);
  ExpectSameBits("run", "resumed");
}

// Clips of another kind in the same folder are encoded anew.
TEST_F(RunTrainTest, ACacheOfOtherClipsIsReplaced) {
  options_.train.steps = 1;
  options_.clips.dir = (folder_ / "cache").string();
  RunHere("run");
  const std::string before = ReadFile(folder_ / "cache" / "cache.json");
  RunHere("same");
  EXPECT_EQ(ReadFile(folder_ / "cache" / "cache.json"), before);
  options_.dit.camera.frame = CameraFrame::kAbsolute;
  RunHere("other");
  EXPECT_NE(ReadFile(folder_ / "cache" / "cache.json"), before);
  options_.clips.dir = "";
  RunHere("alone");
  ExpectSameBits("other", "alone");
}

// It may hold hours of work and no videos to make it again of.
TEST_F(RunTrainTest, ACacheOfDemonstrationsIsNotReplaced) {
  options_.clips.dir = (folder_ / "cache").string();
  fs::create_directories(folder_ / "cache");
  WriteFileAtomic(folder_ / "cache" / "collection.json", "{}");
  RunContext run({.out = folder_ / "run"});
  testing::ExpectThrowsWith<ConfigError>([&] { RunTrain(options_, run); },
                                         {"clips.dir", "aim-data demos", "leave --data out"});
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "cache"), {}), 1);
}

// The cache that a run made is enough to repeat it: no video is read.
TEST_F(RunTrainTest, TheCacheOfARunAloneTrainsTheSame) {
  options_.train.steps = 2;
  RunHere("run");
  options_.data.clear();
  options_.clips.dir = (folder_ / "run" / "cache").string();
  fs::remove_all(folder_ / "data");
  RunHere("alone");
  ExpectSameBits("run", "alone");
}

TEST_F(RunTrainTest, ResumeWithoutACheckpointSaysSoAndKeepsTheMetrics) {
  ASSERT_EQ(Run("run", 2).exit_code, 0);
  const std::string before = ReadFile(folder_ / "run" / "metrics.jsonl");
  fs::remove_all(folder_ / "run" / "checkpoints");
  const testing::CommandResult result = Run("run", 2, {"--resume"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("no checkpoint in"));
  EXPECT_THAT(result.err, HasSubstr("starting at step 0"));
  EXPECT_TRUE(ReadFile(folder_ / "run" / "metrics.jsonl").starts_with(before));
  EXPECT_EQ(Metrics("run").size(), 5U);
  EXPECT_EQ(Metrics("run")[2]["resumed_at_step"], 0);
  EXPECT_EQ(Metrics("run")[4]["loss"], Metrics("run")[1]["loss"]);
}

// A finished run goes on when it is asked for more steps, and says so when it is not.
TEST_F(RunTrainTest, AFinishedRunCanBeContinued) {
  ASSERT_EQ(Run("run", 2).exit_code, 0);
  const testing::CommandResult more = Run("run", 4, {"--resume"});
  EXPECT_EQ(more.exit_code, 0) << more.err;
  EXPECT_THAT(more.err, HasSubstr("resuming at step 2 of 4"));
  ASSERT_EQ(Run("whole", 4).exit_code, 0);
  ExpectSameBits("run", "whole");

  fs::remove_all(folder_ / "run" / "bundle");
  const testing::CommandResult none = Run("run", 4, {"--resume"});
  EXPECT_EQ(none.exit_code, 0) << none.err;
  EXPECT_THAT(none.err, HasSubstr("nothing is left to train"));
  ExpectSameBits("run", "whole");
  EXPECT_EQ(nlohmann::json::parse(none.out)["loss"], nlohmann::json::parse(more.out)["loss"]);

  const testing::CommandResult fewer = Run("run", 3, {"--resume"});
  EXPECT_EQ(fewer.exit_code, 2);
  EXPECT_THAT(fewer.err, HasSubstr("train.steps is 3; expected at least 4"));
}

TEST_F(RunTrainTest, AnotherRunIsNotGoneOnWith) {
  ASSERT_EQ(Run("run", 2).exit_code, 0);
  const auto refuse = [&](const std::vector<std::string>& more, const std::string& word) {
    std::vector<std::string> words = {"--resume"};
    words.insert(words.end(), more.begin(), more.end());
    const testing::CommandResult result = Run("run", 3, words);
    EXPECT_EQ(result.exit_code, 2) << word;
    EXPECT_THAT(result.err, HasSubstr(word + " is"));
    EXPECT_THAT(result.err, HasSubstr("settings.json"));
  };
  refuse({"--seed", "99"}, "seed");
  refuse({"--set", "train.lr=0.5"}, "train.lr");
  refuse({"--set", "dit.num_layers=2"}, "dit.num_layers");
  refuse({"--set", "train.validation_episodes=2"}, "train.validation_episodes");
  ChangeData();
  refuse({}, "data_content");
  EXPECT_EQ(NewestStep("run"), 2);
}

TEST_F(RunTrainTest, ADamagedCheckpointIsPassedOver) {
  ASSERT_EQ(Run("run", 3).exit_code, 0);
  ASSERT_EQ(Run("whole", 4).exit_code, 0);
  const fs::path weights = NewestCheckpoint("run") / "weights.safetensors";
  std::string bytes = ReadFile(weights);
  bytes[bytes.size() - 9] = static_cast<char>(bytes[bytes.size() - 9] ^ 1);
  WriteFileAtomic(weights, bytes);
  WriteFileAtomic(folder_ / "run" / "checkpoints" / "step_zzz", "mine");
  const testing::CommandResult resumed = Run("run", 4, {"--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("step_00000003 is passed over"));
  EXPECT_THAT(resumed.err, HasSubstr("resuming at step 2 of 4"));
  EXPECT_TRUE(fs::exists(folder_ / "run" / "checkpoints" / "step_zzz"));
  fs::remove(folder_ / "run" / "checkpoints" / "step_zzz");
  ExpectSameBits("run", "whole");
}

// Of another host's clock or none: which checkpoint is the newest is said by its step alone.
TEST_F(RunTrainTest, DatesOfCheckpointsSayNothing) {
  ASSERT_EQ(Run("run", 3).exit_code, 0);
  ASSERT_EQ(Run("whole", 5).exit_code, 0);
  const auto now = fs::file_time_type::clock::now();
  const auto year = std::chrono::hours(24 * 365);
  const fs::path newest = NewestCheckpoint("run");
  for (const auto& entry : fs::directory_iterator(newest.parent_path()))
    fs::last_write_time(entry.path(), entry.path() == newest ? now - year : now + year);
  fs::last_write_time(folder_ / "run" / "metrics.jsonl", now + year);
  const testing::CommandResult resumed = Run("run", 5, {"--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.err, HasSubstr("resuming at step 3 of 5"));
  ExpectSameBits("run", "whole");
}

// A disk that fills up while a checkpoint is written: one sentence, exit code 1, and nothing is
// lost but the steps since the one before.
TEST_F(RunTrainTest, AFullDiskEndsTheRunAndHarmsNoCheckpoint) {
  ASSERT_EQ(Run("run", 2).exit_code, 0);
  ASSERT_EQ(Run("whole", 4).exit_code, 0);
  const uintmax_t weights = fs::file_size(NewestCheckpoint("run") / "weights.safetensors");
  std::string words =
      "trap '' XFSZ; ulimit -f " + std::to_string(weights * 3 / 2 / 1024) + "; exec";
  for (const std::string& word : Command("run", 4, {"--resume"})) words += " '" + word + "'";
  const testing::CommandResult full = testing::RunCommand({"/bin/bash", "-c", words});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, HasSubstr("optimizer.safetensors is not written"));
  EXPECT_THAT(full.err, HasSubstr("space on the disk"));
  EXPECT_EQ(NewestStep("run"), 2);
  EXPECT_EQ(Run("run", 4, {"--resume"}).exit_code, 0);
  ExpectSameBits("run", "whole");
}

// Saved between the steps or beside them, recomputed or not: the same run, and each may go on with
// what the other began.
TEST_F(RunTrainTest, HowItIsSavedAndComputedChangesNoBit) {
  options_.train.steps = 2;
  options_.train.async_save = false;
  RunHere("run");
  options_.train.steps = 4;
  options_.train.async_save = true;
  options_.train.gradient_checkpointing = true;
  RunHere("run", true);
  options_.train.gradient_checkpointing = false;
  RunHere("whole");
  ExpectSameBits("run", "whole");
}

// What was encoded is known by its content, not by where it lay.
TEST_F(RunTrainTest, ReRecordedDataIsEncodedAgain) {
  options_.clips.dir = (folder_ / "cache").string();
  options_.train.steps = 1;
  RunHere("before");
  const std::string key = LatentCache::Open(folder_ / "cache").key();
  RunHere("again");
  EXPECT_EQ(LatentCache::Open(folder_ / "cache").key(), key);
  ChangeData();
  RunHere("after");
  EXPECT_NE(LatentCache::Open(folder_ / "cache").key(), key);
}

// run.json holds all that --config needs to do the same again.
TEST_F(RunTrainTest, TheRecordOfARunRepeatsIt) {
  ASSERT_EQ(Run("run", 2).exit_code, 0);
  const testing::CommandResult again = testing::RunCommand(
      {testing::Binary("aim-train"), "--config", (folder_ / "run" / "run.json").string(), "--out",
       (folder_ / "again").string()});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  ExpectSameBits("run", "again");
}

TEST_F(RunTrainTest, AValidationThatWasCutOffIsMadeUp) {
  options_.train.validation_episodes = 2;
  options_.train.steps = 2;
  RunHere("run");
  std::vector<nlohmann::json> lines = Metrics("run");
  ASSERT_EQ(lines.size(), 3U);
  const nlohmann::json validation = lines.back();
  for (const char* mode : {"i2a", "i2va", "v2a", "a2v", "i2v"})
    EXPECT_EQ(validation["validation"][mode]["clips"], 2) << mode;
  WriteFileAtomic(folder_ / "run" / "metrics.jsonl",
                  lines[0].dump() + "\n" + lines[1].dump() + "\n");
  RunHere("run", true);
  EXPECT_EQ(Metrics("run").back(), validation);
  RunHere("run", true);
  EXPECT_EQ(Metrics("run").size(), 5U) << "it is not measured twice";
}

// Long warm-up and decay, few steps: the schedule is shortened and the log says so.
TEST_F(RunTrainTest, AShortRunReachesThePeakRate) {
  options_.train.warmup_steps = 150;
  options_.train.decay_steps = 2000;
  const testing::CommandResult result = Run("run", 20);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("shortened to 1 and 19"));
  double largest = 0;
  for (const nlohmann::json& line : Metrics("run")) largest = std::max<double>(largest, line["lr"]);
  EXPECT_DOUBLE_EQ(largest, options_.train.lr);
  options_.train.warmup_steps = options_.train.decay_steps = 5;
  EXPECT_THAT(Run("fits", 20).err, Not(HasSubstr("shortened")));
}

// Three steps, and nothing is left of them; the run that follows is the one without it.
TEST_F(RunTrainTest, ADryRunSaysWhatARunTakesAndKeepsNothing) {
  const testing::CommandResult dry = Run("dry", 500, {"--dry-run"});
  ASSERT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_FALSE(fs::exists(folder_ / "dry"));
  const nlohmann::json report = nlohmann::json::parse(dry.out);
  EXPECT_EQ(report["steps"], 500);
  EXPECT_EQ(report["num_episodes"], std::ssize(OpenDataSet(folder_ / "data").episodes()));
  EXPECT_EQ(report["num_clips"],
            options_.clips.per_episode * report["num_episodes"].get<int64_t>());
  EXPECT_EQ(report["memory"]["num_trained"], report["memory"]["num_weights"]);
  EXPECT_GT(report["step_s"].get<double>(), 0);
  EXPECT_NEAR(report["steps_s"].get<double>(), 500 * report["step_s"].get<double>(), 1e-6);
  EXPECT_GT(report["cache_bytes"].get<int64_t>(), 0);
}

// It reads some of the episodes: that no more of them are left than are held out says nothing.
TEST_F(RunTrainTest, ADryRunDoesNotTakeWhatItReadsForAllThereIs) {
  const testing::CommandResult dry =
      Run("dry", 500,
          {"--dry-run", "--set", "clips.per_episode=50", "--set", "train.validation_episodes=2"});
  ASSERT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_GT(nlohmann::json::parse(dry.out)["num_episodes"], 2);
  EXPECT_EQ(dry.err.find("held out"), std::string::npos) << dry.err;
}

TEST_F(RunTrainTest, ReportIsJson) {
  options_.train.steps = 1;
  const TrainReport report = RunHere("run");
  const nlohmann::json json = ToJson(report);
  EXPECT_EQ(json["train_step"], 1);
  EXPECT_EQ(json["finished"], true);
  EXPECT_EQ(json["bundle"], (folder_ / "run" / "bundle").string());
  EXPECT_TRUE(json["skipped"].empty());
  std::ostringstream text;
  text << report;
  EXPECT_EQ(nlohmann::json::parse(text.str()), json);
  EXPECT_EQ(LoadBundleConfig(report.bundle).trained_modes, options_.train.mix.Names());
}

}  // namespace
}  // namespace aim
