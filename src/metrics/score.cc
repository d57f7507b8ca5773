#include "aim/metrics/score.h"

#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "metrics/bootstrap.h"

namespace aim {
namespace {

// The values of one score under draws of the episodes that have it. A draw in which it has none
// (nothing of what it counts was drawn) is left out.
std::vector<double> DrawValues(std::span<const Score* const> episodes, Rng rng, int num_draws) {
  std::vector<double> values;
  for (int draw = 0; draw < num_draws; ++draw) {
    Score all;
    for (size_t i = 0; i < episodes.size(); ++i)
      all.Add(*episodes[DrawIndex(episodes.size(), rng)]);
    if (const std::optional<double> value = all.Value()) values.push_back(*value);
  }
  return values;
}

}  // namespace

void Score::AddValue(double value) {
  ratios.resize(1);
  ratios[0].sum += value;
  ratios[0].count += 1;
  ++num_values;
}

void Score::Add(const Score& more) {
  if (ratios.empty()) ratios.resize(more.ratios.size());
  AIM_CHECK(ratios.size() == more.ratios.size());
  for (size_t i = 0; i < ratios.size(); ++i) {
    ratios[i].sum += more.ratios[i].sum;
    ratios[i].count += more.ratios[i].count;
  }
  num_values += more.num_values;
}

std::optional<double> Score::Value() const {
  double sum = 0;
  for (const Ratio& ratio : ratios) {
    if (ratio.count == 0) return std::nullopt;
    sum += ratio.sum / ratio.count;
  }
  if (ratios.empty()) return std::nullopt;
  return sum / static_cast<double>(ratios.size());
}

Score ShareOf(double count, double total) {
  return {.num_values = static_cast<int64_t>(total), .ratios = {{count, total}}};
}

std::map<std::string, ScoreSummary> SummarizeScores(std::span<const Scores> episodes,
                                                    const Rng& rng, int num_draws) {
  std::map<std::string, std::vector<const Score*>> by_name;
  for (const Scores& scores : episodes) {
    for (const auto& [name, score] : scores) by_name[name].push_back(&score);
  }
  std::map<std::string, ScoreSummary> summaries;
  for (const auto& [name, parts] : by_name) {
    Score all;
    for (const Score* part : parts) all.Add(*part);
    const std::optional<double> value = all.Value();
    if (!value) continue;
    ScoreSummary& summary = summaries[name];
    summary = {.num_values = all.num_values,
               .num_episodes = static_cast<int64_t>(parts.size()),
               .value = *value,
               .interval = std::nullopt};
    if (parts.size() > 1) {
      summary.interval = CentralInterval(DrawValues(parts, rng.Derive(0, name), num_draws));
    }
  }
  return summaries;
}

nlohmann::json ToJson(const Scores& scores) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, score] : scores) {
    if (const std::optional<double> value = score.Value()) {
      json[name] = {{"n", score.num_values}, {"value", *value}};
    }
  }
  return json;
}

nlohmann::json ToJson(const ScoreSummary& summary) {
  nlohmann::json json = {
      {"n", summary.num_values}, {"episodes", summary.num_episodes}, {"value", summary.value}};
  if (summary.interval) json["interval"] = ToJson(*summary.interval);
  return json;
}

}  // namespace aim
