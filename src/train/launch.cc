#include "aim/train/launch.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "aim/base/error.h"
#include "aim/base/text.h"

namespace aim {
namespace {

// A variable that counts; nothing where it is not set.
std::optional<int> CountIn(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits = text;
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc() && end == digits.data() + digits.size() && value >= 0) return value;
  throw ConfigError({.where = std::string("the environment's ") + name,
                     .got = Excerpt(text),
                     .expected = "a number",
                     .fix = "start the run with torchrun --no-python, srun or mpirun"});
}

struct Launcher {
  const char* name;
  const char* rank;
  const char* size;
  const char* local_size;  // may not be set; nor the next
  const char* local_rank;
};

// The first of which a rank is set counts: torchrun under srun is torchrun's.
constexpr Launcher kLaunchers[] = {
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "LOCAL_RANK"},
    {"mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE",
     "OMPI_COMM_WORLD_LOCAL_RANK"},
    {"mpirun", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"},
    // Batch scripts have SLURM_PROCID as well, steps alone this number of tasks.
    {"srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS_PER_NODE", "SLURM_LOCALID"}};

Launch FromVariables(const Launcher& launcher, int rank, int size) {
  if (rank >= size) {
    throw ConfigError(
        {.where = std::string("the environment's ") + launcher.rank,
         .got = std::to_string(rank),
         .expected = "less than " + std::string(launcher.size) + ", " + std::to_string(size),
         .fix = ""});
  }
  Launch launch{.launcher = launcher.name, .rank = rank, .size = size, .master_addr = ""};
  launch.local_size = CountIn(launcher.local_size).value_or(size);
  launch.local_rank = CountIn(launcher.local_rank).value_or(rank % launch.local_size);
  launch.master_port = CountIn("MASTER_PORT").value_or(launch.master_port);
  if (launch.master_port < 1 || launch.master_port > 65535) {
    throw ConfigError({.where = "the environment's MASTER_PORT",
                       .got = std::to_string(launch.master_port),
                       .expected = "from 1 to 65535",
                       .fix = ""});
  }
  const char* address = std::getenv("MASTER_ADDR");
  if (address != nullptr) launch.master_addr = address;
  if (!launch.master_addr.empty()) return launch;
  if (launch.local_size < size) {
    throw ConfigError({.where = "the environment's MASTER_ADDR",
                       .got = "not set",
                       .expected = "the name or address of rank 0's host, as " +
                                   std::to_string(size) + " ranks run on several",
                       .fix = "export MASTER_ADDR and MASTER_PORT"});
  }
  launch.master_addr = "127.0.0.1";
  return launch;
}

}  // namespace

std::optional<Launch> LaunchFromEnvironment() {
  for (const Launcher& launcher : kLaunchers) {
    const std::optional<int> rank = CountIn(launcher.rank), size = CountIn(launcher.size);
    if (!rank && !size) continue;
    const bool is_slurm_batch = std::string_view(launcher.name) == "srun" && !size;
    if (is_slurm_batch) continue;
    if (rank && size) {
      if (*size <= 1) return std::nullopt;
      return FromVariables(launcher, *rank, *size);
    }
    throw ConfigError(
        {.where = std::string("the environment's ") + (rank ? launcher.size : launcher.rank),
         .got = "not set",
         .expected = std::string("set, as ") + (rank ? launcher.rank : launcher.size) + " is",
         .fix = "unset that one to train in one process"});
  }
  return std::nullopt;
}

}  // namespace aim
