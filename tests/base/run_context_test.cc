#include "aim/base/run_context.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

TEST(RunContextTest, RecordHoldsWhatReproducesTheRun) {
  const TemporaryFolder folder;
  RunContext run({.seed = 7, .device = "cuda:1", .out = folder / "run"});
  EXPECT_FALSE(run.prepared());
  run.PrepareOutFolder();
  EXPECT_TRUE(run.prepared());
  run.Note("episodes", 12);
  run.WriteRunRecord({{"num_steps", 16}}, {"aim-rollout", "--episodes", "12"}, 2.5);
  const nlohmann::json record = nlohmann::json::parse(ReadFile(folder / "run/run.json"));
  EXPECT_EQ(record["seed"], 7);
  EXPECT_EQ(record["device"], "cuda:1");
  EXPECT_EQ(record["options"]["num_steps"], 16);
  EXPECT_EQ(record["command_line"][2], "12");
  EXPECT_EQ(record["seconds"], 2.5);
  EXPECT_EQ(record["notes"]["episodes"], 12);
  EXPECT_EQ(record["version"], Version());
  EXPECT_EQ(record["revision"], Revision());
  EXPECT_GT(record["peak_memory_bytes"].get<int64_t>(), 1 << 20);
}

TEST(RunContextTest, AJobLearnsThatItShouldStopAndSaysThatItDid) {
  RunContext run;
  EXPECT_FALSE(run.stop_requested() || run.unfinished());
  run.RequestStop();
  EXPECT_TRUE(run.stop_requested());
  EXPECT_FALSE(run.unfinished()) << "it may have been done before it looked";
  run.MarkUnfinished();
  EXPECT_TRUE(run.unfinished());
}

TEST(RunContextTest, RecordOfAFileStandsBesideIt) {
  const TemporaryFolder folder;
  RunContext run({.out = folder / "poses.csv"});
  run.PrepareOutFile();
  run.WriteRunRecord({}, {}, 0);
  EXPECT_TRUE(fs::exists(folder / "poses.csv.run.json"));
}

TEST(RunContextTest, OutputMayBeAnArgument) {
  const TemporaryFolder folder;
  RunContext run;
  run.PrepareOutFile(folder / "argument.txt");
  run.WriteRunRecord({}, {"aim-model"}, 1.0);
  EXPECT_TRUE(fs::exists(folder / "argument.txt.run.json"));
  ExpectThrowsWith<ConfigError>([&] { run.PrepareOutFile(folder / "another.txt"); },
                                {"--out", "leave out --out"});
}

TEST(RunContextTest, RecordSurvivesBytesThatAreNotText) {
  const TemporaryFolder folder;
  RunContext run({.out = folder / "r"});
  run.PrepareOutFolder();
  run.WriteRunRecord({{"prompt", "\xff\xfe"}}, {"aim", "\xc3"}, 0);
  EXPECT_TRUE(nlohmann::json::accept(ReadFile(folder / "r/run.json")));
}

TEST(RunContextTest, UsedFolderIsRefusedUnlessAskedFor) {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  WriteFileAtomic(out / "old.txt", "old");
  ExpectThrowsWith<ConfigError>([&] { RunContext({.out = out}).PrepareOutFolder(); },
                                {"--out is a folder that is not empty", "--overwrite"});
  RunContext resumed({.out = out, .resume = true});
  resumed.PrepareOutFolder();
  EXPECT_TRUE(fs::exists(out / "old.txt"));
  RunContext replaced({.out = out, .overwrite = true});
  replaced.PrepareOutFolder();
  EXPECT_TRUE(fs::is_directory(out));
  EXPECT_TRUE(fs::is_empty(out));
}

TEST(RunContextTest, OverwriteNeverRemovesTheFolderWeStandIn) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "precious.txt", "x");
  const fs::path before = fs::current_path();
  fs::create_directory(folder / "inside");
  fs::current_path(folder / "inside");
  for (const fs::path& out : {folder.path(), fs::path(".."), fs::path("/")}) {
    ExpectThrowsWith<ConfigError>(
        [&] { RunContext({.out = out, .overwrite = true}).PrepareOutFolder(); },
        {"--overwrite would remove"});
  }
  fs::current_path(before);
  EXPECT_TRUE(fs::exists(folder / "precious.txt"));
}

TEST(RunContextTest, UsedFileIsRefusedUnlessAskedForAndStaysUntilReplaced) {
  const TemporaryFolder folder;
  const fs::path out = folder / "p.csv";
  WriteFileAtomic(out, "old");
  ExpectThrowsWith<ConfigError>([&] { RunContext({.out = out}).PrepareOutFile(); },
                                {"--out is a file that exists", "--overwrite"});
  RunContext replaced({.out = out, .overwrite = true});
  replaced.PrepareOutFile();
  EXPECT_EQ(ReadFile(out), "old");
}

TEST(RunContextTest, WrongKindOfOutIsAConfigError) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "file", "x");
  ExpectThrowsWith<ConfigError>([] { RunContext().PrepareOutFolder(); }, {"--out is not given"});
  ExpectThrowsWith<ConfigError>([] { RunContext().PrepareOutFile(); }, {"--out is not given"});
  ExpectThrowsWith<ConfigError>(
      [&] { RunContext({.out = folder / "file", .overwrite = true}).PrepareOutFolder(); },
      {"--out is the file"});
  ExpectThrowsWith<ConfigError>(
      [&] { RunContext({.out = folder.path(), .overwrite = true}).PrepareOutFile(); },
      {"--out is the folder"});
  EXPECT_THROW(RunContext({.out = folder / "file/below"}).PrepareOutFolder(), IoError);
}

}  // namespace
}  // namespace aim
