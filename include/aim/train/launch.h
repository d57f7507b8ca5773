// Which of several processes of one training run this is, from the environment of its launcher.
#pragma once

#include <c10/core/Device.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "aim/train/comm.h"

namespace aim {

struct Launch {
  std::string launcher;  // "torchrun", "srun" or "mpirun"
  int rank = 0;
  int size = 1;
  int local_size = 1;  // ranks on this host
  int local_rank = 0;  // of this process among them
  std::string master_addr;
  int master_port = 29500;
  // A rank of which nothing was heard for so long is lost: TrainOptions::rank_timeout_s.
  std::chrono::seconds lost_after{60};
};

// Of torchrun and whatever else sets RANK and WORLD_SIZE; of srun's steps (SLURM_PROCID and
// SLURM_STEP_NUM_TASKS); of Open MPI (OMPI_COMM_WORLD_RANK) and MPICH (PMI_RANK). MASTER_ADDR and
// MASTER_PORT say where rank 0 listens; a run on one host can do without. Nothing for a process
// alone. Throws ConfigError for a variable that is missing, no number or contradicts another.
std::optional<Launch> LaunchFromEnvironment();

// Meets the other ranks at the master's address: c10d over Gloo, and over NCCL for tensors on GPUs,
// if `device` is one. All ranks call it. Throws ConfigError in a build without the headers of
// either that is needed, IoError if they do not meet within five minutes.
std::unique_ptr<Comm> MeetRanks(const Launch& launch, c10::Device device = c10::kCPU);

}  // namespace aim
