// scripts/gpu_train at a toy size, with the programs of this build: from nothing to packed parts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "aim/base/atomic_file.h"
#include "support/child_process.h"
#include "support/run_command.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"

namespace aim::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr size_t kMostFiles = 8;  // what comes back from a machine, and how large each may be
constexpr uintmax_t kMostBytes = uintmax_t{15} << 20;

std::vector<std::string> Rehearsal(const fs::path& folder, const std::string& out) {
  const fs::path build = fs::path(Binary("")).parent_path().parent_path();
  return {(SourceDir() / "scripts" / "gpu_train").string(),
          "--rehearse",
          "--build",
          build.string(),
          "--jobs",
          "2",
          "--minutes",
          "0.05",
          "--demo-seconds",
          "2",
          "--limit",
          "400",
          "--work",
          (folder / "work").string(),
          "--out",
          (folder / out).string()};
}

nlohmann::json ReportOf(const fs::path& folder) {
  return nlohmann::json::parse(ReadFile(folder / "report.json"));
}

// As README.txt says.
fs::path Unpacked(const fs::path& out) {
  const std::string words = ReadFile(out / "README.txt");
  const size_t begin = words.find("  cat ") + 2;
  const std::string command = words.substr(begin, words.find('\n', begin) - begin);
  const CommandResult tar =
      RunCommand({"/bin/bash", "-c", "cd '" + out.string() + "' && " + command});
  EXPECT_EQ(tar.exit_code, 0) << command << tar.err;
  return out / "result";
}

void ExpectFitsTheWayBack(const fs::path& out) {
  size_t num_files = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(out)) {
    ++num_files;
    EXPECT_LE(entry.file_size(), kMostBytes) << entry.path();
  }
  EXPECT_LE(num_files, kMostFiles);
}

void ExpectAllIsThere(const fs::path& out, const nlohmann::json& report) {
  EXPECT_EQ(report["partial"], false) << report["parts"];
  EXPECT_EQ(report["bundle"], "the average at the end");
  EXPECT_GE(report["training"]["steps"], 20);
  EXPECT_GT(report["demonstrations_per_s"], 0);
  for (const char* name : {"whole", "replan", "world"}) {
    EXPECT_EQ(report["success"][name]["num_trials"], 2) << name;  // two tasks, a scene each
    EXPECT_EQ(report["success"][name]["cameras"].size(), 2U) << name;
  }
  const fs::path result = Unpacked(out);
  for (const char* name :
       {"bundle/model.toml", "bundle/dit.safetensors", "training/metrics.jsonl", "report.json",
        "log.txt", "whole/report.json", "whole/gate.csv", "world/episodes.csv"}) {
    EXPECT_TRUE(fs::exists(result / name)) << name;
  }
  EXPECT_FALSE(fs::is_empty(result / "whole" / "filmstrips"));
  EXPECT_THAT(ReadFile(result / "command.txt"), HasSubstr("gpu_train --rehearse"));
}

// What processes were started with that have these words in it, words apart by spaces.
std::vector<std::string> ProcessesWith(const std::string& words) {
  std::vector<std::string> found;
  for (const fs::directory_entry& process : fs::directory_iterator("/proc")) {
    std::ifstream file(process.path() / "cmdline", std::ios::binary);
    std::string line{std::istreambuf_iterator<char>(file), {}};
    std::ranges::replace(line, '\0', ' ');
    if (line.find(words) != std::string::npos)
      found.push_back(process.path().filename().string() + ": " + line);
  }
  return found;
}

// A training that is cut off is ended at its last step, with the cache of a start before it.
void ExpectAnEndedTraining(const TemporaryFolder& folder) {
  for (const char* name : {"run", "rate", "schedule"}) fs::remove_all(folder / "work" / name);
  std::vector<std::string> words = Rehearsal(folder.path(), "ended");
  for (std::string& word : words) word = word == "0.05" ? "5" : word;
  ChildProcess run(words);
  ASSERT_TRUE(run.WaitForMessage("training, at most")) << run.messages();
  const fs::path lines = folder / "work" / "run" / "metrics.jsonl";
  while (!fs::exists(lines) && run.IsRunning()) std::this_thread::yield();
  run.Send(SIGTERM);
  EXPECT_EQ(run.Wait().exit_code, 128 + SIGTERM);
  const nlohmann::json ended = ReportOf(folder / "ended");
  EXPECT_EQ(ended["partial"], true);
  EXPECT_EQ(ended["parts"]["training"]["result"], "cut off");
  EXPECT_TRUE(fs::exists(Unpacked(folder / "ended") / "bundle" / "model.toml"));

  words.insert(words.end(), {"--world", "usual", "--out", (folder / "other").string()});
  const CommandResult other = RunCommand(words);
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("was begun with other settings (world wide;"));
}

// From nothing to a policy; then a second start, which goes on with cache and training, is ended
// while it plays.
TEST(GpuTrainTest, RehearsalLeavesAPolicyAndSigtermWhatThereIs) {
  const TemporaryFolder folder;
  const CommandResult whole = RunCommand(Rehearsal(folder.path(), "out"));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  ExpectFitsTheWayBack(folder / "out");
  const nlohmann::json report = ReportOf(folder / "out");
  EXPECT_EQ(nlohmann::json::parse(whole.out), report);
  ExpectAllIsThere(folder / "out", report);
  // No demonstration is of a scene that is played.
  const nlohmann::json demos =
      nlohmann::json::parse(ReadFile(folder / "work" / "cache" / "collection.json"));
  EXPECT_LT(demos["first_seed"].get<int64_t>() + demos["episodes"].get<int64_t>(), 1000000);

  for (const char* name : {"whole", "replan", "world"}) fs::remove_all(folder / "work" / name);
  ChildProcess run(Rehearsal(folder.path(), "cut"));
  ASSERT_TRUE(run.WaitForMessage("whole, at most")) << run.messages();
  const std::string played = (folder / "work" / "whole").string();
  while (ProcessesWith(played).empty() && run.IsRunning()) std::this_thread::yield();
  run.Send(SIGTERM);
  const CommandResult ended = run.Wait();
  EXPECT_EQ(ended.exit_code, 128 + SIGTERM) << ended.err;
  EXPECT_THAT(ProcessesWith(played), ::testing::IsEmpty());
  ExpectFitsTheWayBack(folder / "cut");
  const nlohmann::json cut = ReportOf(folder / "cut");
  EXPECT_EQ(cut["partial"], true);
  EXPECT_EQ(cut["parts"]["training"]["result"], "done");
  EXPECT_EQ(cut["parts"]["whole"]["result"], "cut off");
  EXPECT_EQ(cut["parts"]["replan"]["result"], "not started");
  EXPECT_EQ(cut["training"]["steps"], report["training"]["steps"]);
  EXPECT_THAT(ReadFile(folder / "cut" / "README.txt"), HasSubstr("when it was cut off"));
  EXPECT_TRUE(fs::exists(Unpacked(folder / "cut") / "bundle" / "model.toml"));
  ExpectAnEndedTraining(folder);
}

TEST(GpuTrainTest, WhatCannotBeIsSaid) {
  struct Row {
    std::vector<std::string> words;
    std::string said;
  };
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "there", "");
  for (const Row& row : {Row{{"--minuets", "3"}, "unknown argument --minuets"},
                         Row{{"--minutes"}, "--minutes needs a value"},
                         Row{{"--minutes", "x"}, "--minutes is \"x\""},
                         Row{{"--episodes", "0"}, "--episodes is \"0\"; expected a whole number"},
                         Row{{"--world", "round"}, "wide or usual"},
                         Row{{"--until", "dawn"}, "demonstrations or training"},
                         Row{{"--config", "nowhere.toml"}, "nowhere.toml is not there"},
                         Row{{"--out", folder.path().string()}, "is not empty"}}) {
    std::vector<std::string> command = {(SourceDir() / "scripts" / "gpu_train").string()};
    command.insert(command.end(), row.words.begin(), row.words.end());
    const CommandResult run = RunCommand(command);
    EXPECT_EQ(run.exit_code, 2) << row.said;
    EXPECT_THAT(run.err, HasSubstr(row.said));
  }
}

}  // namespace
}  // namespace aim::testing
