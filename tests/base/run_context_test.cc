#include "aim/base/run_context.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/out_place.h"
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
  run.PrepareOutFolder(OutUse::kResumable);
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
  run.PrepareOutFolder(OutUse::kResumable);
  run.WriteRunRecord({{"prompt", "\xff\xfe"}}, {"aim", "\xc3"}, 0);
  EXPECT_TRUE(nlohmann::json::accept(ReadFile(folder / "r/run.json")));
}

TEST(RunContextTest, UsedFolderIsRefusedUnlessAskedFor) {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  WriteFileAtomic(out / "old.txt", "old");
  ExpectThrowsWith<ConfigError>(
      [&] { RunContext({.out = out}).PrepareOutFolder(OutUse::kResumable); },
      {"--out is a folder that is not empty", "--overwrite"});
  {
    RunContext resumed({.out = out, .resume = true});
    resumed.PrepareOutFolder(OutUse::kResumable);
    EXPECT_TRUE(fs::exists(out / "old.txt"));
    EXPECT_EQ(resumed.out(), out);
  }
  ExpectThrowsWith<ConfigError>(
      [&] { RunContext({.out = out, .resume = true}).PrepareOutFolder(OutUse::kNew); },
      {"--resume", "begins anew"});
}

// The folder of a run that is done.
void MakeRun(const fs::path& out, const std::string& text) {
  RunContext run({.out = out});
  run.PrepareOutFolder(OutUse::kNew);
  WriteFileAtomic(run.out() / "result.txt", text);
  run.CommitOut();
  run.WriteRunRecord({}, {"aim"}, 1);
}

TEST(RunContextTest, AnEarlierResultStaysUntilTheNewOneIsWhole) {
  const TemporaryFolder folder;
  const fs::path out = folder / "run";
  MakeRun(out, "old");
  {
    RunContext failed({.out = out, .overwrite = true});
    failed.PrepareOutFolder(OutUse::kResumable);
    EXPECT_NE(failed.out(), out);
    WriteFileAtomic(failed.out() / "half.txt", "half");
    EXPECT_EQ(ReadFile(out / "result.txt"), "old");
  }
  EXPECT_EQ(ReadFile(out / "result.txt"), "old");
  EXPECT_FALSE(fs::exists(out / "half.txt"));
  RunContext replaced({.out = out, .overwrite = true});
  replaced.PrepareOutFolder(OutUse::kResumable);
  WriteFileAtomic(replaced.out() / "new.txt", "new");
  replaced.CommitOut();
  EXPECT_EQ(replaced.out(), out);
  EXPECT_EQ(ReadFile(out / "new.txt"), "new");
  EXPECT_FALSE(fs::exists(out / "result.txt"));
  const auto left = std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator());
  EXPECT_EQ(left, 1) << "nothing beside it";
}

TEST(RunContextTest, OverwriteTakesOnlyWhatARunMade) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "photos/holiday.jpg", "x");
  RunContext run({.out = folder / "photos", .overwrite = true});
  ExpectThrowsWith<ConfigError>([&] { run.PrepareOutFolder(OutUse::kNew); },
                                {"photos", "no run made"});
  EXPECT_TRUE(fs::exists(folder / "photos/holiday.jpg"));
}

TEST(RunContextTest, OverwriteLeavesInputsAlone) {
  const TemporaryFolder folder;
  MakeRun(folder / "data", "precious");
  MakeRun(folder / "data/inner", "precious");
  fs::create_directory_symlink(folder / "data", folder / "link");
  const auto refuse = [&](const fs::path& input, const fs::path& out) {
    RunContext run({.out = out, .overwrite = true});
    run.AddInput(input);
    ExpectThrowsWith<ConfigError>([&] { run.PrepareOutFolder(OutUse::kNew); },
                                  {"--out", input.string(), "--overwrite"});
  };
  refuse(folder / "data", folder / "data");
  refuse(folder / "data/result.txt", folder / "data");
  refuse(folder / "link/result.txt", folder / "data");
  refuse(folder / "data", folder / "link");
  refuse(folder / "data", folder / "data/inner");
  EXPECT_EQ(ReadFile(folder / "data/result.txt"), "precious");
  RunContext file({.out = folder / "link/result.txt", .overwrite = true});
  file.AddInput(folder / "data/result.txt");
  ExpectThrowsWith<ConfigError>([&] { file.PrepareOutFile(); }, {"--out", "read from"});
}

TEST(RunContextTest, ALinkToAFolderIsFollowed) {
  const TemporaryFolder folder;
  MakeRun(folder / "there", "old");
  fs::create_directory_symlink(folder / "there", folder / "link");
  RunContext run({.out = folder / "link", .overwrite = true});
  run.PrepareOutFolder(OutUse::kNew);
  WriteFileAtomic(run.out() / "new.txt", "new");
  run.CommitOut();
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(ReadFile(folder / "there/new.txt"), "new");
}

TEST(RunContextTest, OneRunAFolderAtATime) {
  const TemporaryFolder folder;
  RunContext first({.out = folder / "run"});
  first.PrepareOutFolder(OutUse::kNew);
  RunContext second({.out = folder / "run"});
  ExpectThrowsWith<ConfigError>([&] { second.PrepareOutFolder(OutUse::kNew); },
                                {"run", "in use by another run"});
  RunContext other({.out = folder / "other"});
  other.PrepareOutFolder(OutUse::kShared);
  RunContext helping({.out = folder / "other", .resume = true});
  EXPECT_NO_THROW(helping.PrepareOutFolder(OutUse::kShared));
}

TEST(RunContextTest, ARunThatWroteNothingLeavesNoUsedFolder) {
  const TemporaryFolder folder;
  { RunContext({.out = folder / "run"}).PrepareOutFolder(OutUse::kNew); }
  EXPECT_NO_THROW(RunContext({.out = folder / "run"}).PrepareOutFolder(OutUse::kNew));
}

// A call that is refused after its settings were kept, and one that is right.
TEST(RunContextTest, SettingsOfARunThatWroteNothingAreForgotten) {
  const TemporaryFolder folder;
  const auto begin = [&](OutUse use) {
    RunContext run({.out = folder / "run"});
    run.PrepareOutFolder(use);
    const bool is_fresh = !std::filesystem::exists(folder / "run/settings.json");
    WriteFileAtomic(folder / "run/settings.json", "{}");
    return is_fresh;
  };
  EXPECT_TRUE(begin(OutUse::kResumable));
  EXPECT_TRUE(begin(OutUse::kResumable));
  ExpectThrowsWith<ConfigError>([&] { begin(OutUse::kShared); }, {"not empty"});
  WriteFileAtomic(folder / "run/result", "");
  ExpectThrowsWith<ConfigError>([&] { begin(OutUse::kResumable); }, {"not empty"});
}

TEST(RunContextTest, DevicesAreNotReplaced) {
  RunContext run({.out = "/dev/null", .overwrite = true});
  ExpectThrowsWith<ConfigError>([&] { run.PrepareOutFile(); }, {"/dev/null", "device"});
}

TEST(RunContextTest, OverwriteNeverRemovesTheFolderWeStandIn) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "precious.txt", "x");
  const fs::path before = fs::current_path();
  fs::create_directory(folder / "inside");
  fs::current_path(folder / "inside");
  for (const fs::path& out : {folder.path(), fs::path(".."), fs::path("/")}) {
    ExpectThrowsWith<ConfigError>(
        [&] { RunContext({.out = out, .overwrite = true}).PrepareOutFolder(OutUse::kResumable); },
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

TEST(RunContextTest, TwoRunsDoNotWriteOneFile) {
  const TemporaryFolder folder;
  {
    RunContext first({.out = folder / "p.csv"});
    first.PrepareOutFile();
    ExpectThrowsWith<ConfigError>([&] { RunContext({.out = folder / "p.csv"}).PrepareOutFile(); },
                                  {"p.csv", "in use by another run"});
  }
  RunContext({.out = folder / "p.csv"}).PrepareOutFile();
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(RunContextTest, WhatAKilledRunLeftOfAFileIsRemoved) {
  const TemporaryFolder folder;
  WriteFileAtomic(PathClaim::LockPath(folder / "p.csv"), "");
  WriteFileAtomic(folder / ".p.tmp-1-2.csv", "half");
  WriteFileAtomic(folder / ".p.tmp-1-2.json", "another's");
  RunContext({.out = folder / "p.csv"}).PrepareOutFile();
  EXPECT_FALSE(fs::exists(folder / ".p.tmp-1-2.csv"));
  EXPECT_TRUE(fs::exists(folder / ".p.tmp-1-2.json"));
}

TEST(RunContextTest, WrongKindOfOutIsAConfigError) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "file", "x");
  ExpectThrowsWith<ConfigError>([] { RunContext().PrepareOutFolder(OutUse::kResumable); },
                                {"--out is not given"});
  ExpectThrowsWith<ConfigError>([] { RunContext().PrepareOutFile(); }, {"--out is not given"});
  ExpectThrowsWith<ConfigError>(
      [&] {
        RunContext({.out = folder / "file", .overwrite = true})
            .PrepareOutFolder(OutUse::kResumable);
      },
      {"--out is the file"});
  ExpectThrowsWith<ConfigError>(
      [&] { RunContext({.out = folder.path(), .overwrite = true}).PrepareOutFile(); },
      {"--out is the folder"});
  EXPECT_THROW(RunContext({.out = folder / "file/below"}).PrepareOutFolder(OutUse::kResumable),
               ConfigError);
}

TEST(OutPlaceTest, ResultsDoNotGoWhereInputsAreRead) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "data/episode0");
  fs::create_directory_symlink(folder / "data", folder / "link");
  for (const fs::path& out : {folder / "data", folder / "data/out", folder / "data/episode0/a/b",
                              folder / "link/out", folder / "data/../data/out"}) {
    ExpectThrowsWith<ConfigError>([&] { RefuseOutInside(out, folder / "data", "OUT"); },
                                  {"OUT is", "which is read", "apart"});
  }
  EXPECT_NO_THROW(RefuseOutInside(folder / "out", folder / "data"));
  EXPECT_NO_THROW(RefuseOutInside(folder / "data2", folder / "data"));
  EXPECT_NO_THROW(RefuseOutInside(folder / "data/out", folder / "data/episode0"));
  EXPECT_NO_THROW(RefuseOutInside(folder / "data/out", folder / "nowhere"));
  EXPECT_NO_THROW(RefuseOutInside("", folder / "data"));  // said by who needs an output
  const fs::path before = fs::current_path();
  fs::current_path(folder / "data");
  EXPECT_THROW(RefuseOutInside("out", "."), ConfigError);
  fs::current_path(before);
}

}  // namespace
}  // namespace aim
