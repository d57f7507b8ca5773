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

}  // namespace
}  // namespace aim::testing
