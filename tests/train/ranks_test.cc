// Runs of aim-train by several processes, as a launcher starts them.
#include <ATen/ATen.h>
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "aim/base/atomic_file.h"
#include "aim/tensor/sealed_weights.h"
#include "aim/train/train_options.h"
#include "support/child_process.h"
#include "support/temporary_folder.h"
#include "train/training_data.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// A port that nobody listens at now.
int FreePort() {
  const int socket_end = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* any = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(bind(socket_end, any, length), 0);
  EXPECT_EQ(getsockname(socket_end, any, &length), 0);
  close(socket_end);
  return ntohs(address.sin_port);
}

// Two hosts, as far as the network is concerned: namespaces that a cable joins.
class TwoHosts {
 public:
  TwoHosts() {
    works_ = std::ranges::all_of(
        std::vector<std::string>{
            "netns add " + a_, "netns add " + b_,
            "link add veth0 netns " + a_ + " type veth peer name veth0 netns " + b_,
            "-n " + a_ + " addr add 10.77.0.1/24 dev veth0",
            "-n " + b_ + " addr add 10.77.0.2/24 dev veth0", "-n " + a_ + " link set veth0 up",
            "-n " + b_ + " link set veth0 up", "-n " + a_ + " link set lo up"},
        [](const std::string& words) { return Ip(words); });
  }
  ~TwoHosts() {
    Ip("netns del " + a_);
    Ip("netns del " + b_);
  }
  TwoHosts(const TwoHosts&) = delete;
  TwoHosts& operator=(const TwoHosts&) = delete;

  bool works() const { return works_; }
  void Part() const { EXPECT_TRUE(Ip("-n " + a_ + " link set veth0 down")); }
  // What a command on one of them begins with.
  std::vector<std::string> On(int host) const {
    return {"/usr/sbin/ip", "netns", "exec", host == 0 ? a_ : b_};
  }

 private:
  static bool Ip(const std::string& words) {
    return testing::RunCommand({"/bin/sh", "-c", "PATH=$PATH:/usr/sbin:/sbin ip " + words})
               .exit_code == 0;
  }

  std::string a_ = "aim" + std::to_string(getpid()) + "a";
  std::string b_ = "aim" + std::to_string(getpid()) + "b";
  bool works_ = false;
};

class RanksTest : public ::testing::Test {
 protected:
  RanksTest() : options_(testing::TinyTraining(folder_ / "data")) {
    testing::WriteTrainingData(folder_ / "data");
    options_.train.batch_size = 4;
    options_.train.optimizer = OptimizerKind::kAdamw;
    options_.train.checkpoint_every = 2;
    options_.train.validation_episodes = 0;
  }

  std::vector<std::string> Command(const std::string& out, int64_t steps,
                                   const std::vector<std::string>& more) {
    options_.train.steps = steps;
    WriteFileAtomic(folder_ / "run.toml", ToToml(OptionsToJson(options_)));
    std::vector<std::string> words = {testing::Binary("aim-train"), "--config",
                                      (folder_ / "run.toml").string(), "--out",
                                      (folder_ / out).string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  using Ranks = std::vector<std::unique_ptr<testing::ChildProcess>>;

  Ranks Start(int size, const std::string& out, int64_t steps,
              const std::vector<std::string>& more = {}) {
    const std::string port = std::to_string(FreePort());
    Ranks ranks;
    for (int rank = 0; rank < size; ++rank) {
      std::vector<std::string> words = {"/usr/bin/env", "RANK=" + std::to_string(rank),
                                        "WORLD_SIZE=" + std::to_string(size),
                                        "MASTER_ADDR=127.0.0.1", "MASTER_PORT=" + port};
      for (std::string& word : Command(out, steps, more)) words.push_back(std::move(word));
      ranks.push_back(std::make_unique<testing::ChildProcess>(words));
    }
    return ranks;
  }

  Ranks StartOn(const TwoHosts& hosts, const std::string& out, int64_t steps,
                const std::vector<std::string>& more = {}) {
    Ranks ranks;
    for (int rank = 0; rank < 2; ++rank) {
      std::vector<std::string> words = hosts.On(rank);
      for (const std::string& word :
           {std::string("/usr/bin/env"), "RANK=" + std::to_string(rank),
            std::string("WORLD_SIZE=2"), std::string("LOCAL_WORLD_SIZE=1"),
            std::string("MASTER_ADDR=10.77.0.1")})
        words.push_back(word);
      for (std::string& word : Command(out, steps, more)) words.push_back(std::move(word));
      ranks.push_back(std::make_unique<testing::ChildProcess>(words));
    }
    return ranks;
  }

  static void ExpectDone(Ranks& ranks) {
    for (const auto& rank : ranks) {
      const testing::CommandResult result = rank->Wait();
      EXPECT_EQ(result.exit_code, 0) << result.err;
      EXPECT_EQ(result.out.empty(), rank != ranks.front());  // rank 0 reports
    }
  }

  WeightMap Weights(const std::string& out, int64_t step) const {
    char name[32];
    std::snprintf(name, sizeof(name), "step_%08lld", static_cast<long long>(step));
    return OpenSealed(folder_ / out / "checkpoints" / name / "weights.safetensors").tensors;
  }

  int64_t NewestStep(const std::string& out) const {
    int64_t newest = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / out / "checkpoints")) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("step_")) newest = std::max(newest, int64_t{std::stoll(name.substr(5))});
    }
    return newest;
  }

  void ExpectNear(const std::string& a, const std::string& b, int64_t step) const {
    ExpectNear(Weights(a, step), Weights(b, step));
  }

  static void ExpectNear(const WeightMap& found, const WeightMap& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [tensor, weight] : found) {
      const at::Tensor difference = (weight - expected.at(tensor)).abs().max();
      const double largest = expected.at(tensor).abs().max().item<double>();
      EXPECT_LE(difference.item<double>(), 1e-5 * largest) << tensor;
    }
  }

  testing::TemporaryFolder folder_;
  TrainRunOptions options_;
};

TEST_F(RanksTest, TwoAndFourRanksTrainAsOneDoes) {
  const testing::CommandResult alone = testing::RunCommand(Command("alone", 10, {}));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  for (const int size : {2, 4}) {
    const std::string out = "of" + std::to_string(size);
    Ranks ranks = Start(size, out, 10);
    ExpectDone(ranks);
    ExpectNear(out, "alone", 10);
    EXPECT_TRUE(fs::exists(folder_ / out / "bundle" / "model.toml"));
    const nlohmann::json record = nlohmann::json::parse(ReadFile(folder_ / out / "run.json"));
    EXPECT_EQ(record["notes"]["ranks"], size);
    const nlohmann::json shares = testing::ReadMetrics(folder_ / out).back()["wait_shares"];
    ASSERT_EQ(shares.size(), static_cast<size_t>(size));
    for (const nlohmann::json& share : shares) EXPECT_TRUE(share > 0 && share < 1) << shares;
  }
}

// With validation, checkpoints and the bundle, for which rank 0 needs what the others have.
TEST_F(RanksTest, WhatIsDividedTrainsAsOneProcessDoes) {
  options_.train.validation_episodes = 1;
  options_.train.validate_every = 5;
  for (const auto& optimizer : WordsOf(OptimizerKind{})) {
    options_.train.optimizer = optimizer.value;
    options_.train.zero = 0;
    const std::string alone = std::string("alone_") + optimizer.text;
    const testing::CommandResult one = testing::RunCommand(Command(alone, 10, {}));
    ASSERT_EQ(one.exit_code, 0) << one.err;
    for (const auto& [stage, size] : {std::pair{1, 2}, {2, 4}}) {
      const std::string out = optimizer.text + std::to_string(stage) + "of" + std::to_string(size);
      options_.train.zero = stage;
      Ranks ranks = Start(size, out, 10);
      ExpectDone(ranks);
      ExpectNear(out, alone, 10);
      const auto shipped = [&](const std::string& run) {
        return ReadSafetensors(folder_ / run / "bundle" / "dit.safetensors");
      };
      ExpectNear(shipped(out), shipped(alone));
      EXPECT_EQ(testing::ReadMetrics(folder_ / out).size(),
                testing::ReadMetrics(folder_ / alone).size());
    }
  }
}

// Begun divided among three, gone on with by two at another stage, ended by one.
TEST_F(RanksTest, ADividedRunGoesOnWithOtherRanks) {
  const testing::CommandResult whole = testing::RunCommand(Command("whole", 6, {}));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  options_.train.zero = 2;
  Ranks first = Start(3, "changed", 2);
  ExpectDone(first);
  options_.train.zero = 1;
  Ranks second = Start(2, "changed", 4, {"--resume"});
  ExpectDone(second);
  options_.train.zero = 0;
  const testing::CommandResult last = testing::RunCommand(Command("changed", 6, {"--resume"}));
  EXPECT_EQ(last.exit_code, 0) << last.err;
  ExpectNear("changed", "whole", 6);
}

// Four ranks of which one has no microbatch, and three that divide sixteen samples.
TEST_F(RanksTest, AnyNumberOfRanksSharesABatch) {
  options_.train.mix = {{"i2a", 1}};  // one shape: as many microbatches as the sizes say
  for (const auto& [size, batch, microbatch] : {std::tuple{4, 3, 1}, {3, 16, 4}}) {
    options_.train.batch_size = batch;
    options_.train.microbatch = microbatch;
    const std::string name = std::to_string(batch);
    const testing::CommandResult one = testing::RunCommand(Command("one" + name, 2, {}));
    ASSERT_EQ(one.exit_code, 0) << one.err;
    for (const int stage : {0, 2}) {
      options_.train.zero = stage;
      const std::string out = "ranks" + name + std::to_string(stage);
      Ranks ranks = Start(size, out, 2);
      ExpectDone(ranks);
      ExpectNear(out, "one" + name, 2);
      EXPECT_EQ(ranks[0]->messages().find("of 4 ranks no more than so many have work") !=
                    std::string::npos,
                size > batch);
    }
    options_.train.zero = 0;
  }
}

TEST_F(RanksTest, ARunGoesOnWithAnotherNumberOfRanks) {
  const testing::CommandResult whole = testing::RunCommand(Command("whole", 6, {}));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  Ranks first = Start(3, "changed", 2);
  ExpectDone(first);
  Ranks second = Start(2, "changed", 4, {"--resume"});
  ExpectDone(second);
  const testing::CommandResult last = testing::RunCommand(Command("changed", 6, {"--resume"}));
  EXPECT_EQ(last.exit_code, 0) << last.err;
  ExpectNear("changed", "whole", 6);
}

// Neither's name leads to the other: the address by which each reaches rank 0 does.
TEST_F(RanksTest, RanksOnTwoHostsTrainAsOneDoes) {
  const TwoHosts hosts;
  if (!hosts.works()) GTEST_SKIP() << "needs root and ip (iproute2) to make network namespaces";
  const testing::CommandResult alone = testing::RunCommand(Command("alone", 3, {}));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  Ranks ranks = StartOn(hosts, "joined", 3);
  ExpectDone(ranks);
  ExpectNear("joined", "alone", 3);
}

// Killed in the middle: every other rank ends, and says so in one line.
TEST_F(RanksTest, ARankThatDiesEndsTheRun) {
  for (const size_t victim : {0U, 1U}) {
    const std::string out = "killed" + std::to_string(victim);
    options_.train.zero = static_cast<int>(victim);  // and saves with the others, half of the time
    Ranks ranks = Start(3, out, 1000000, {"--log-level", "debug"});
    ASSERT_TRUE(ranks[0]->WaitForMessage("step_00000002"));
    ranks[victim]->Send(SIGKILL);
    for (size_t i = 0; i < ranks.size(); ++i) {
      const testing::CommandResult result = ranks[i]->Wait();
      if (i == victim) continue;
      EXPECT_EQ(result.exit_code, 1);
      EXPECT_THAT(result.err, HasSubstr("rank " + std::to_string(i) + " of 3 is left by another"));
      EXPECT_THAT(result.err, Not(HasSubstr("frame #")));  // of c10d's stacks
    }
    Ranks again = Start(2, out, NewestStep(out) + 1, {"--resume"});
    ExpectDone(again);
  }
}

// Stopped in the middle, as if it hung: everybody says who it is, and nobody waits for it, though
// none of its connections is closed.
TEST_F(RanksTest, ARankThatHangsEndsTheRun) {
  options_.train.rank_timeout_s = 6;
  for (const auto& [victim, stage] : {std::pair{2U, 2}, {0U, 0}}) {
    options_.train.zero = stage;
    const std::string out = "hung" + std::to_string(victim);
    Ranks ranks = Start(3, out, 1000000, {"--log-level", "debug"});
    ASSERT_TRUE(ranks[0]->WaitForMessage("step_00000002"));
    ranks[victim]->Send(SIGSTOP);
    const auto begin = std::chrono::steady_clock::now();
    for (size_t i = 0; i < ranks.size(); ++i) {
      if (i == victim) continue;
      const testing::CommandResult result = ranks[i]->Wait();
      EXPECT_EQ(result.exit_code, 1);
      EXPECT_THAT(result.err, HasSubstr("rank " + std::to_string(i) +
                                        " of 3 is without a sign of life of rank " +
                                        std::to_string(victim) + " on "));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
    ranks[victim]->Send(SIGKILL);
  }
}

// The cable is pulled: no connection is closed.
TEST_F(RanksTest, AHostThatVanishesEndsTheRun) {
  const TwoHosts hosts;
  if (!hosts.works()) GTEST_SKIP() << "needs root and ip (iproute2) to make network namespaces";
  options_.train.rank_timeout_s = 6;
  Ranks ranks = StartOn(hosts, "joined", 1000000, {"--log-level", "debug"});
  ASSERT_TRUE(ranks[0]->WaitForMessage("step_00000002"));
  hosts.Part();
  for (size_t i = 0; i < ranks.size(); ++i) {
    const testing::CommandResult result = ranks[i]->Wait();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err,
                HasSubstr("rank " + std::to_string(i) + " of 2 is without a sign of life of rank " +
                          std::to_string(1 - i) + " on "));
  }
}

// Four fifths of the time it is stopped.
TEST_F(RanksTest, ASlowRankIsNamed) {
  options_.train.log_every = 10;
  Ranks ranks = Start(2, "slow", 1000000);
  std::atomic<bool> is_named = false;
  std::thread brake([&] {
    while (!is_named) {
      ranks[1]->Send(SIGSTOP);
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
      ranks[1]->Send(SIGCONT);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  EXPECT_TRUE(ranks[0]->WaitForMessage("rank 1 on "));
  is_named = true;
  brake.join();
  EXPECT_TRUE(ranks[0]->WaitForMessage("times as long for a sample as the others"));
  ranks[0]->Send(SIGTERM);
  for (const auto& rank : ranks) rank->Wait();
}

// For longer than a rank may be silent the thread of rank 0 that reads, validates and saves does
// nothing: its heart beats.
TEST_F(RanksTest, ALongWaitIsNoLoss) {
  options_.train.rank_timeout_s = 5;
  Ranks ranks = Start(2, "waited", 30, {"--log-level", "debug"});
  ASSERT_TRUE(ranks[0]->WaitForMessage("step_00000002"));
  ASSERT_EQ(ptrace(PTRACE_SEIZE, ranks[0]->pid(), nullptr, nullptr), 0) << std::strerror(errno);
  ASSERT_EQ(ptrace(PTRACE_INTERRUPT, ranks[0]->pid(), nullptr, nullptr), 0);
  int status = 0;
  ASSERT_EQ(waitpid(ranks[0]->pid(), &status, __WALL), ranks[0]->pid());
  std::this_thread::sleep_for(std::chrono::seconds(8));
  ASSERT_EQ(ptrace(PTRACE_DETACH, ranks[0]->pid(), nullptr, nullptr), 0);
  ExpectDone(ranks);
}

// One of them is asked; all take the same last step, and rank 0 saves it.
TEST_F(RanksTest, AskingOneRankToStopStopsAll) {
  Ranks ranks = Start(2, "stopped", 1000000, {"--log-level", "debug"});
  ASSERT_TRUE(ranks[0]->WaitForMessage("step_00000002"));
  ranks[1]->Send(SIGTERM);
  for (const auto& rank : ranks) rank->Wait();
  Ranks again = Start(2, "stopped", NewestStep("stopped") + 1, {"--resume"});
  ExpectDone(again);
}

// What rank 0 cannot read ends all; its own sentence says why.
TEST_F(RanksTest, AMistakeEndsAllRanks) {
  fs::remove_all(folder_ / "data");
  Ranks ranks = Start(2, "run", 2);
  const testing::CommandResult first = ranks[0]->Wait();
  EXPECT_EQ(first.exit_code, 2);
  EXPECT_THAT(first.err, HasSubstr("data"));
  const testing::CommandResult second = ranks[1]->Wait();
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("rank 1 of 2 is left by another"));
}

}  // namespace
}  // namespace aim
