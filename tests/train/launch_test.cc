#include "aim/train/launch.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "aim/base/error.h"
#include "support/throws.h"

namespace aim {
namespace {

class LaunchTest : public ::testing::Test {
 protected:
  void SetUp() override { Clear(); }
  void TearDown() override { Clear(); }

  static void Clear() {
    for (const char* name :
         {"RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
          "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "PMI_RANK",
          "PMI_SIZE", "MPI_LOCALNRANKS", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS",
          "SLURM_NTASKS_PER_NODE", "LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID",
          "SLURM_LOCALID"})
      unsetenv(name);
  }

  static void Set(const std::map<std::string, std::string>& variables) {
    Clear();
    for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
  }

  static void Refuses(const std::map<std::string, std::string>& variables,
                      const std::vector<std::string>& words) {
    Set(variables);
    testing::ExpectThrowsWith<ConfigError>([] { LaunchFromEnvironment(); }, words);
  }
};

TEST_F(LaunchTest, AProcessAloneHasNone) {
  EXPECT_FALSE(LaunchFromEnvironment());
  Set({{"RANK", "0"}, {"WORLD_SIZE", "1"}});
  EXPECT_FALSE(LaunchFromEnvironment());
  Set({{"SLURM_PROCID", "0"}});  // a batch script, whose step has several tasks
  EXPECT_FALSE(LaunchFromEnvironment());
}

TEST_F(LaunchTest, EveryLauncherIsKnownByItsVariables) {
  struct Case {
    const char* name;
    std::map<std::string, std::string> variables;
    int local_size, local_rank;
  };
  for (const Case& each :
       {Case{"torchrun", {{"RANK", "3"}, {"WORLD_SIZE", "4"}, {"LOCAL_WORLD_SIZE", "2"}}, 2, 1},
        Case{"torchrun",
             {{"RANK", "3"}, {"WORLD_SIZE", "4"}, {"LOCAL_WORLD_SIZE", "4"}, {"LOCAL_RANK", "2"}},
             4,
             2},
        Case{"mpirun",
             {{"OMPI_COMM_WORLD_RANK", "3"},
              {"OMPI_COMM_WORLD_SIZE", "4"},
              {"OMPI_COMM_WORLD_LOCAL_SIZE", "1"}},
             1,
             0},
        Case{"mpirun", {{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}, {"MPI_LOCALRANKID", "1"}}, 4, 1},
        Case{"srun",
             {{"SLURM_PROCID", "3"}, {"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_NTASKS_PER_NODE", "2"}},
             2,
             1}}) {
    std::map<std::string, std::string> variables = each.variables;
    variables["MASTER_ADDR"] = "node7";
    variables["MASTER_PORT"] = "1234";
    Set(variables);
    const auto launch = LaunchFromEnvironment();
    ASSERT_TRUE(launch) << each.name;
    EXPECT_EQ(launch->launcher, each.name);
    EXPECT_EQ(launch->rank, 3);
    EXPECT_EQ(launch->size, 4);
    EXPECT_EQ(launch->local_size, each.local_size);
    EXPECT_EQ(launch->local_rank, each.local_rank);
    EXPECT_EQ(launch->master_addr, "node7");
    EXPECT_EQ(launch->master_port, 1234);
  }
}

// Under srun, torchrun's agents start the ranks.
TEST_F(LaunchTest, TorchrunUnderAnotherLauncherCounts) {
  Set({{"RANK", "1"}, {"WORLD_SIZE", "4"}, {"SLURM_PROCID", "0"}, {"SLURM_STEP_NUM_TASKS", "2"}});
  EXPECT_EQ(LaunchFromEnvironment()->size, 4);
}

TEST_F(LaunchTest, OneHostNeedsNoAddressSeveralDo) {
  Set({{"RANK", "1"}, {"WORLD_SIZE", "2"}});
  EXPECT_EQ(LaunchFromEnvironment()->master_addr, "127.0.0.1");
  Refuses({{"RANK", "1"}, {"WORLD_SIZE", "4"}, {"LOCAL_WORLD_SIZE", "2"}}, {"MASTER_ADDR"});
}

TEST_F(LaunchTest, WhatContradictsItselfIsRefused) {
  Refuses({{"RANK", "1"}}, {"WORLD_SIZE", "RANK is"});
  Refuses({{"WORLD_SIZE", "2"}}, {"environment's RANK"});
  Refuses({{"RANK", "2"}, {"WORLD_SIZE", "2"}}, {"RANK is 2", "less than WORLD_SIZE"});
  Refuses({{"RANK", "-1"}, {"WORLD_SIZE", "2"}}, {"\"-1\"", "a number"});
  Refuses({{"RANK", "x"}, {"WORLD_SIZE", "2"}}, {"\"x\"", "a number"});
  for (const char* port : {"0", "65536"})
    Refuses({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_PORT", port}}, {"MASTER_PORT is", port});
}

}  // namespace
}  // namespace aim
