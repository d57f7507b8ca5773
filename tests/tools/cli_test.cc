#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "aim/base/atomic_file.h"
#include "aim/base/run_context.h"
#include "support/case_name.h"
#include "support/run_command.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using nlohmann::json;
using testing::CommandResult;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::TemporaryFolder;

std::string ExampleTool() {
  return std::string(std::getenv("AIM_BIN_DIR")) + "/../tests/tools_example_tool";
}

CommandResult RunTool(std::vector<std::string> words) {
  words.insert(words.begin(), ExampleTool());
  return testing::RunCommand(words);
}

json Shown(std::vector<std::string> words) {
  words.insert(words.begin(), {"show", "a.csv"});
  const CommandResult result = RunTool(words);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return json::parse(result.out, nullptr, false);
}

TEST(CliTest, FlagWinsOverSetOverConfigOverDefault) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "c.toml", "num_steps = 7\nseed = 3\n[train]\nlr = 0.5\n");
  const std::string config = (folder / "c.toml").string();
  EXPECT_EQ(Shown({})["num_steps"], 50);
  EXPECT_EQ(Shown({"--config", config})["num_steps"], 7);
  EXPECT_EQ(Shown({"--config", config})["train"]["lr"], 0.5);
  EXPECT_EQ(Shown({"--config", config})["seed"], 3);
  EXPECT_EQ(Shown({"--set", "num_steps=8", "--config", config})["num_steps"], 8);
  EXPECT_EQ(Shown({"--num-steps", "9", "--set", "num_steps=8", "--config", config})["num_steps"],
            9);
}

TEST(CliTest, LaterConfigAndSetWinOverEarlier) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "a.toml", "num_steps = 1\nfast = true\n");
  WriteFileAtomic(folder / "b.toml", "num_steps = 2\n");
  const json shown =
      Shown({"--config", (folder / "a.toml").string(), "--config", (folder / "b.toml").string()});
  EXPECT_EQ(shown["num_steps"], 2);
  EXPECT_EQ(shown["fast"], true);
  EXPECT_EQ(Shown({"--set", "num_steps=3", "--set", "num_steps=4"})["num_steps"], 4);
}

TEST(CliTest, EveryKindOfFlagReachesItsField) {
  const json shown =
      Shown({"--fast", "--sampler=unipc", "--task", "a", "--task", "b", "--train.lr", ".25",
             "--first-pose", "-0.1 .2 .3 0 0 0 1 1", "--seed", "18446744073709551615"});
  EXPECT_EQ(shown["fast"], true);
  EXPECT_EQ(shown["sampler"], "unipc");
  EXPECT_EQ(shown["task"], json({"a", "b"}));
  EXPECT_EQ(shown["train"]["lr"], 0.25);
  EXPECT_EQ(shown["first_pose"], "-0.1 .2 .3 0 0 0 1 1");
  EXPECT_EQ(shown["seed"], 18446744073709551615u);
  EXPECT_EQ(shown["src"], "a.csv");
  EXPECT_EQ(Shown({"--set", "fast=true", "--no-fast"})["fast"], false);
}

TEST(CliTest, HelpShowsDefaultsRangesChoicesAndAnExample) {
  const CommandResult help = RunTool({"show", "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_EQ(help.err, "");
  for (const char* words :
       {"--num-steps", "denoising steps; [1, 1000]; default 50", "--sampler euler|unipc",
        "sampler; default euler", "--train.lr", "--config", "--set", "--seed", "--device", "--out",
        "--resume", "--overwrite", "--log-level", "Example: example-tool show"}) {
    EXPECT_THAT(help.out, HasSubstr(words));
  }
  EXPECT_THAT(RunTool({"--help"}).out, HasSubstr("fail"));
}

TEST(CliTest, HelpFitsATerminal) {
  std::istringstream help(RunTool({"show", "--help"}).out);
  for (std::string line; std::getline(help, line);) EXPECT_LE(line.size(), 100u) << line;
}

TEST(CliTest, HelpShowsWhatIsRequiredFirstAndWhatEveryToolHasLast) {
  const std::string help = RunTool({"show", "--help"}).out;
  size_t place = 0;
  for (const char* words : {"Required:", "--first-pose", "--out", "Options:", "--num-steps",
                            "Options --train.*:", "--train.lr", "Options of every tool:", "--help",
                            "--seed", "Example:"}) {
    const size_t found = help.find(words, place);
    ASSERT_NE(found, std::string::npos) << words << " is not behind the others in\n" << help;
    place = found;
  }
}

// What bash offers for the last of `words`, which begins a command line of the tool.
std::string Completed(const std::vector<std::string>& words) {
  std::vector<std::string> command = {
      "/bin/bash", "-c",
      "source <(\"$0\" --completion bash) && COMP_WORDS=(example-tool \"$@\") && COMP_CWORD=$# && "
      "_example_tool && echo \"${COMPREPLY[*]}\"",
      ExampleTool()};
  command.insert(command.end(), words.begin(), words.end());
  const CommandResult result = testing::RunCommand(command);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  return result.out;
}

TEST(CliTest, CompletionKnowsCommandsFlagsAndWords) {
  EXPECT_EQ(Completed({""}), "show fail\n");
  EXPECT_EQ(Completed({"sh"}), "show\n");
  EXPECT_EQ(Completed({"show", "--nu"}), "--num-steps\n");
  EXPECT_EQ(Completed({"show", "--no-f"}), "--no-fast\n");
  EXPECT_EQ(Completed({"fail", "--nu"}), "\n");
  EXPECT_EQ(Completed({"show", "a.csv", "--sampler", ""}), "euler unipc\n");
  EXPECT_EQ(Completed({"show", "a.csv", "--sampler", "u"}), "unipc\n");
  EXPECT_EQ(Completed({"show", "a.c"}), "\n");  // bash itself names files
  EXPECT_EQ(Completed({"--ver"}), "--version\n");
}

TEST(CliTest, CompletionForAnotherShellIsRefused) {
  const CommandResult result = RunTool({"--completion", "tcsh"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("\"tcsh\""));
}

TEST(CliTest, VersionNamesTheRevision) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"--version"}, {"show", "--version"}}) {
    const CommandResult version = RunTool(words);
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_EQ(version.out, "example-tool " + Version() + " (" + Revision() + ")\n");
  }
}

TEST(CliTest, DataGoToStdoutMessagesToStderr) {
  const CommandResult result = RunTool({"show", "a.csv"});
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 1);
  EXPECT_THAT(result.err, HasSubstr("showing 1/1"));
  EXPECT_THAT(result.err, HasSubstr("a message"));
  EXPECT_EQ(RunTool({"show", "a.csv", "--log-level", "error"}).err, "");
}

TEST(CliTest, RunRecordReproducesTheRun) {
  const TemporaryFolder folder;
  const std::string out = (folder / "run").string();
  ASSERT_EQ(RunTool({"show", "a.csv", "--out", out, "--num-steps", "8", "--seed", "5"}).exit_code,
            0);
  const json record = json::parse(ReadFile(folder / "run/run.json"));
  EXPECT_EQ(record["options"]["num_steps"], 8);
  EXPECT_EQ(record["options"]["train"]["lr"], 1e-4);
  EXPECT_EQ(record["options"]["seed"], 5);
  EXPECT_EQ(record["seed"], 5);
  EXPECT_EQ(record["notes"]["shown"], 1);
  EXPECT_EQ(record["command_line"][1], "show");
  EXPECT_EQ(record["command_line"].size(), 9u);
}

TEST(CliTest, UsedOutIsRefusedUnlessOverwrite) {
  const TemporaryFolder folder;
  const std::string out = (folder / "run").string();
  ASSERT_EQ(RunTool({"show", "a.csv", "--out", out}).exit_code, 0);
  const CommandResult again = RunTool({"show", "a.csv", "--out", out});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("--overwrite"));
  EXPECT_EQ(RunTool({"show", "a.csv", "--out", out, "--overwrite"}).exit_code, 0);
  EXPECT_EQ(RunTool({"show", "a.csv", "--out", out, "--resume"}).exit_code, 0);
}

TEST(CliTest, FullStdoutIsAFailure) {
  const CommandResult result = testing::RunCommand({ExampleTool(), "show", "a.csv"}, "/dev/full");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("stdout is not writable"));
}

struct Failure {
  const char* name;
  std::vector<std::string> words;
  int exit_code;
  std::string message;
};

class FailureTest : public ::testing::TestWithParam<Failure> {};

TEST_P(FailureTest, EndsInOneSentenceAndItsExitCode) {
  const CommandResult result = RunTool(GetParam().words);
  EXPECT_EQ(result.exit_code, GetParam().exit_code);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, StartsWith("example-tool: "));
  EXPECT_THAT(result.err, HasSubstr(GetParam().message));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
}

INSTANTIATE_TEST_SUITE_P(
    Errors, FailureTest,
    ::testing::Values(
        Failure{"Config", {"fail"}, 2, "a.csv is config; expected something else; try again"},
        Failure{"Input", {"fail", "--how", "input"}, 2, "a.csv is input"},
        Failure{"Format", {"fail", "--how", "format"}, 2, "a.csv is format"},
        Failure{"Io", {"fail", "--how", "io"}, 1, "a.csv is io"},
        Failure{"Memory", {"fail", "--how", "memory"}, 1, "memory is exhausted"},
        Failure{"Check", {"fail", "--how", "check"}, 1, "internal error: check failed: 1 == 2"},
        Failure{"Other", {"fail", "--how", "other"}, 1, "internal error: index 7"}),
    testing::CaseName());

INSTANTIATE_TEST_SUITE_P(
    Usage, FailureTest,
    ::testing::Values(
        Failure{"NoSubcommand", {}, 2, "is called without a command; expected one of show, fail"},
        Failure{"UnknownSubcommand", {"shwo"}, 2, "did you mean show?"},
        Failure{"MissingArgument", {"show"}, 2, "src is missing"},
        Failure{"UnknownFlag",
                {"show", "a", "--num-stesp", "3"},
                2,
                "--num-stesp is not a flag of example-tool show; expected one of its flags; did "
                "you mean "
                "--num-steps?"},
        Failure{"UnknownFlagWithEquals",
                {"show", "a", "--num-stesp=3"},
                2,
                "did you mean --num-steps?"},
        Failure{"FlagOfTheOtherSubcommand",
                {"show", "a", "--how", "io"},
                2,
                "--how is not a flag of example-tool show"},
        Failure{"ExtraWord", {"show", "a", "b"}, 2, "\"b\" is one argument too many"},
        Failure{"BelowRange",
                {"show", "a", "--num-steps", "-3"},
                2,
                "--num-steps is -3; expected [1, 1000]"},
        Failure{"NotANumber", {"show", "a", "--num-steps", "ten"}, 2, "--num-steps is \"ten\""},
        Failure{"NotAChoice", {"show", "a", "--sampler", "eular"}, 2, "did you mean euler?"},
        Failure{"ResumeAndOverwrite",
                {"show", "a", "--resume", "--overwrite"},
                2,
                "--resume is given with --overwrite"},
        Failure{"FlagTwice",
                {"show", "a", "--num-steps", "3", "--num-steps", "4"},
                2,
                "--num-steps is given more than once"},
        Failure{"ValueMissing", {"show", "a", "--num-steps"}, 2, "--num-steps is without a value"},
        Failure{"UnknownKey",
                {"show", "a", "--set", "train.rl=1"},
                2,
                "--set: train.rl is not a known key; expected one of the keys of this tool; did "
                "you mean train.lr?"},
        Failure{"SetWithoutValue", {"show", "a", "--set", "num_steps"}, 2, "expected key=value"},
        Failure{"SetOutOfRange", {"show", "a", "--set", "train.lr=2"}, 2, "train.lr is 2"},
        Failure{"NegativeSeed", {"show", "a", "--seed", "-1"}, 2, "--seed is -1"},
        Failure{"UnknownDevice",
                {"show", "a", "--device", "tpu"},
                2,
                "device is \"tpu\"; expected cpu, cuda or cuda:N"},
        Failure{"UnknownLevel", {"show", "a", "--log-level", "loud"}, 2, "debug|info"},
        Failure{"FieldsContradict",
                {"show", "a", "--fast", "--num-steps", "200"},
                2,
                "num_steps is 200; expected at most 100 with fast"},
        Failure{"ConfigMissing",
                {"show", "a", "--config", "no/such.toml"},
                2,
                "no/such.toml is missing"}),
    testing::CaseName());

TEST(CliTest, UnknownKeyOfAConfigNamesFileAndNearestKey) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "c.toml", "[trian]\nlr = 0.5\n");
  const CommandResult result = RunTool({"show", "a", "--config", (folder / "c.toml").string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("c.toml: trian.lr is not a known key"));
  EXPECT_THAT(result.err, HasSubstr("did you mean train.lr?"));
}

TEST(CliTest, OutThatCannotBeMadeIsTheCallers) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "file", "x");
  const CommandResult result = RunTool({"show", "a", "--out", (folder / "file/below").string()});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--out is not writable"));
}

}  // namespace
}  // namespace aim
