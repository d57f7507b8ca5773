// Which validation of a run was the best, by one number.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "train/run_history.h"

namespace aim {

// Of a mode that makes actions, the first there is: the median position error divided by the share
// of frames that can be decoded, so that a network that decodes only the easy ones does not win by
// it. (The loss on noised latents says little about a plan; and position errors are what a task
// fails by first.) Of a run that makes video alone: the PSNR.
struct ValidationScore {
  int64_t train_step = 0;
  std::string mode;
  std::string metric;  // position_mm_per_decodable or psnr_db
  double value = 0;

  bool IsBetterThan(const ValidationScore& other) const;
};

nlohmann::json ToJson(const ValidationScore& score);

// Nothing where the number cannot be had: no validation, or no frame that can be decoded.
std::optional<ValidationScore> ScoreOf(const RunHistory::Validation& validation);

// The earliest of the best.
std::optional<ValidationScore> BestOf(const std::vector<RunHistory::Validation>& validations);

}  // namespace aim
