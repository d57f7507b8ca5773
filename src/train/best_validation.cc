#include "train/best_validation.h"

#include "aim/recipe/mode.h"

namespace aim {
namespace {

constexpr const char* kPosition = "position_mm_per_decodable";
constexpr const char* kPicture = "psnr_db";

using Place = nlohmann::json::json_pointer;

}  // namespace

bool ValidationScore::IsBetterThan(const ValidationScore& other) const {
  if (metric != other.metric || mode != other.mode) return false;
  return metric == kPicture ? value > other.value : value < other.value;
}

nlohmann::json ToJson(const ValidationScore& score) {
  return {{"train_step", score.train_step},
          {"mode", score.mode},
          {"metric", score.metric},
          {"value", score.value}};
}

std::optional<ValidationScore> ScoreOf(const RunHistory::Validation& validation) {
  const auto find = [&](const char* key) -> const Mode* {
    for (const Mode& mode : AllModes()) {
      if (validation.modes.contains(mode.name) && validation.modes[mode.name].contains(key))
        return &mode;
    }
    return nullptr;
  };
  if (const Mode* mode = find("position_mm")) {
    const nlohmann::json& measured = validation.modes[mode->name];
    const std::optional<double> error = MeasuredAt(measured, Place("/position_mm/median"));
    const std::optional<double> lost = MeasuredAt(measured, Place("/not_decodable"));
    if (!error || !lost || *lost >= 1) return std::nullopt;
    return ValidationScore{validation.train_step, mode->name, kPosition, *error / (1 - *lost)};
  }
  if (const Mode* mode = find(kPicture)) {
    const auto psnr = MeasuredAt(validation.modes[mode->name], Place("/psnr_db"));
    if (psnr) return ValidationScore{validation.train_step, mode->name, kPicture, *psnr};
  }
  return std::nullopt;
}

std::optional<ValidationScore> BestOf(const std::vector<RunHistory::Validation>& validations) {
  std::optional<ValidationScore> best;
  for (const RunHistory::Validation& validation : validations) {
    const std::optional<ValidationScore> score = ScoreOf(validation);
    if (score && (!best || score->IsBetterThan(*best))) best = score;
  }
  return best;
}

}  // namespace aim
