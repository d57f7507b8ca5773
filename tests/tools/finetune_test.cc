// The commands of docs/finetune.md work as they are written, and a model that is trained on is
// better where it was trained on. Shortened: the page itself takes minutes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "support/run_command.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"

namespace aim::testing {
namespace {

namespace fs = std::filesystem;

struct Shortening {
  const char* words;  // of the page, each found in it
  const char* shorter;
};

constexpr Shortening kShortenings[] = {
    {"--episodes 20 ", "--episodes 10 "},
    {"--episodes 60 ", "--episodes 16 "},
    {"--episodes 50 ", "--episodes 1 --num-videos 0 "},
    {"--config configs/train/finetune.toml ",
     "--config configs/train/finetune.toml --set train.steps=60 --set train.batch_size=4 "
     "--set train.microbatch=2 --set train.validate_every=1000 "},
};

// The indented lines that begin with a tool's name, with what a backslash continues.
std::vector<std::string> CommandsOf(const std::string& page) {
  std::vector<std::string> commands;
  std::istringstream lines(page);
  bool continues = false;
  for (std::string line; std::getline(lines, line);) {
    if (!continues && line.rfind("    aim-", 0) != 0) continue;
    if (continues) {
      commands.back() += line;
    } else {
      commands.push_back(line);
    }
    continues = line.ends_with('\\');
    if (continues) commands.back().pop_back();
  }
  return commands;
}

void Shorten(std::vector<std::string>& commands) {
  for (const Shortening& shortening : kShortenings) {
    int count = 0;
    for (std::string& command : commands) {
      const size_t at = command.find(shortening.words);
      if (at == std::string::npos) continue;
      command.replace(at, std::string(shortening.words).size(), shortening.shorter);
      ++count;
    }
    EXPECT_GT(count, 0) << "not in the page: " << shortening.words;
  }
}

// Of the planned frames, those whose action images hold no pose: what cameras that a model does not
// know do to it first, and what training on mends first.
double NotDecodable(const fs::path& evaluation) {
  return nlohmann::json::parse(ReadFile(evaluation))["modes"]["i2a"]["not_decodable"];
}

TEST(FinetuneTest, ThePagesCommandsWorkAndTheModelLearns) {
  const TemporaryFolder folder;
  const fs::path source = SourceDir();
  for (const char* name : {"assets", "configs"}) {
    fs::create_directory_symlink(source / name, folder / name);
  }
  const std::string here = "cd '" + folder.path().string() + "' && PATH=\"" +
                           std::getenv("AIM_BIN_DIR") + ":$PATH\" && ";
  std::vector<std::string> commands = CommandsOf(ReadFile(source / "docs/finetune.md"));
  ASSERT_GE(commands.size(), 7U);
  Shorten(commands);
  for (const std::string& command : commands) {
    const CommandResult run = RunCommand({"/bin/bash", "-c", here + command});
    ASSERT_EQ(run.exit_code, 0) << command << "\n" << run.err;
  }
  const double before = NotDecodable(folder / "out/before.json");
  EXPECT_GT(before, 0.1);
  EXPECT_LT(NotDecodable(folder / "out/after.json"), 0.6 * before);
}

}  // namespace
}  // namespace aim::testing
