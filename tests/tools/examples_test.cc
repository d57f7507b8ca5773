// The command at the end of every tool's --help works as it is written. In the order below each
// finds what it reads: the example data, and what the ones before it wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>

#include "support/run_command.h"
#include "support/source_dir.h"

namespace aim::testing {
namespace {

struct Example {
  const char* tool;        // with its subcommand
  const char* shortening;  // added so that the test is quick; the recipe itself takes an hour
};

constexpr Example kExamples[] = {
    {"aim-codec encode", ""},
    {"aim-codec decode", ""},
    {"aim-data demos", ""},
    {"aim-data inspect", ""},
    {"aim-data convert", ""},
    {"aim-data validate", ""},
    {"aim-data merge", ""},
    {"aim-data split", ""},
    {"aim-data view", ""},
    {"aim-data compare", ""},
    {"aim-data cameras", ""},
    {"aim-codec doctor", ""},
    {"aim-generate", ""},
    {"aim-label", ""},
    {"aim-model inspect", ""},
    {"aim-model convert", ""},
    {"aim-model bundle", ""},
    {"aim-model forward", ""},
    {"aim-model evaluate", ""},
    {"aim-model drift", ""},
    {"aim-rollout", ""},
    {"aim-rollout merge", ""},
    {"aim-train",
     " --set train.steps=2 --set train.validation_episodes=2 --set clips.per_episode=1"},
};

// The text behind "Example:", as a shell reads it.
std::string ExampleOf(const std::string& help) {
  const size_t begin = help.find("Example: ");
  if (begin == std::string::npos) return "";
  return help.substr(begin + 9);
}

void ExpectFitsATerminal(const std::string& help) {
  std::istringstream lines(help);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;
}

// What aim-label wrote is data for every tool that takes data.
constexpr const char* kOnLabels[] = {
    "aim-data inspect out/labels",
    "aim-label --model assets/tiny --data out/labels --out out/labels_again",
    "aim-model evaluate --model assets/tiny --data out/labels --episodes 2 --out out/e.json",
    "aim-model drift --model assets/tiny --data out/labels --episodes 1 --against steps=2 "
    "--out out/d.json",
    "aim-train --config configs/train/tiny.toml --data out/labels --out out/train_on_labels "
    "--set train.steps=1 --set train.validation_episodes=2 --set clips.per_episode=1",
};

TEST(ExamplesTest, ListsOfCommandsFitATerminal) {
  for (const char* tool : {"aim-codec", "aim-data", "aim-model"}) {
    ExpectFitsATerminal(RunCommand({Binary(tool), "--help"}).out);
  }
}

TEST(ExamplesTest, EveryToolsExampleWorks) {
  const TemporaryFolder folder;
  const std::filesystem::path source = testing::SourceDir();
  for (const char* name : {"assets", "configs", "tests"}) {
    std::filesystem::create_directory_symlink(source / name, folder / name);
  }
  const std::string here = "cd '" + folder.path().string() + "' && PATH=\"" +
                           std::getenv("AIM_BIN_DIR") + ":$PATH\" && ";
  for (const Example& example : kExamples) {
    const CommandResult help = RunCommand({"/bin/bash", "-c", here + example.tool + " --help"});
    const std::string command = ExampleOf(help.out);
    ASSERT_THAT(command, ::testing::HasSubstr(example.tool)) << help.err;
    ExpectFitsATerminal(help.out);
    const std::string line = command.substr(0, command.find_last_not_of('\n') + 1);
    const CommandResult run = RunCommand({"/bin/bash", "-c", here + line + example.shortening});
    ASSERT_EQ(run.exit_code, 0) << command << "\n" << run.err;
  }
  for (const char* command : kOnLabels) {
    const CommandResult run = RunCommand({"/bin/bash", "-c", here + command});
    EXPECT_EQ(run.exit_code, 0) << command << "\n" << run.err;
    EXPECT_THAT(run.err, ::testing::Not(::testing::HasSubstr("left out"))) << command;
  }
}

// A damaged data set is told from a whole one by the exit code, and wrong calls leave nothing.
TEST(DataToolTest, ExitCodesAndSentencesAreTheUsers) {
  const TemporaryFolder folder;
  const std::string demos = (folder / "demos").string();
  const std::string out = (folder / "out").string();
  const auto data = [](std::vector<std::string> words) {
    words.insert(words.begin(), Binary("aim-data"));
    return RunCommand(words);
  };
  ASSERT_EQ(data({"demos", "--task", "reach_target", "--episodes", "2", "--out", demos}).exit_code,
            0);
  const CommandResult whole = data({"validate", demos});
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_THAT(whole.err, ::testing::HasSubstr("0 errors, 0 warnings"));
  std::filesystem::path actions;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(demos)) {
    if (entry.path().filename() == "actions.npy") actions = entry.path();
  }
  std::filesystem::remove(actions);
  const CommandResult damaged = data({"validate", demos, "--out", out + ".json"});
  EXPECT_EQ(damaged.exit_code, 2);
  EXPECT_THAT(damaged.err, ::testing::HasSubstr("actions.npy"));
  EXPECT_THAT(damaged.err, ::testing::HasSubstr("not valid (2 episodes"));
  EXPECT_THAT(ReadFile(out + ".json"), ::testing::HasSubstr("\"unreadable\""));
  struct Wrong {
    std::vector<std::string> words;
    std::string sentence;
  };
  const std::vector<Wrong> wrong = {
      {{"validate", demos, folder / "nowhere"}, "nowhere is missing"},
      {{"merge", demos, out}, "two or more data sets, then the folder"},
      {{"merge", demos, folder / "nowhere", out}, "nowhere is missing"},
      {{"split", demos, "--out", out}, "--parts is not given"},
      {{"split", demos, "--parts", "train=0.9,val=0.2", "--out", out}, "sum is 1"},
      {{"view", demos}, "--out is not given"},
      {{"view", folder / "nowhere", "--out", out}, "nowhere is missing"},
  };
  for (const Wrong& one : wrong) {
    const CommandResult result = data(one.words);
    EXPECT_EQ(result.exit_code, 2) << one.sentence;
    EXPECT_THAT(result.err, ::testing::HasSubstr(one.sentence));
    EXPECT_FALSE(std::filesystem::exists(out)) << one.sentence;
  }
}

}  // namespace
}  // namespace aim::testing
