#include "eval/rollout_files.h"

#include <algorithm>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"

namespace aim {
namespace {

std::string WorldOf(const RolloutOptions& options) {
  if (!options.IsImagined()) return options.simulator.env;
  const std::string& own = options.imagination.env_model;
  return "what " + (own.empty() ? options.model.model : own) + " imagines";
}

std::string Title(const RolloutOptions& options) {
  const PolicyKind asked = options.Kind();
  return (asked == PolicyKind::kModel    ? options.model.model
          : asked == PolicyKind::kServer ? options.policy
                                         : options.policy + " policy") +
         " in " + WorldOf(options);
}

std::vector<TrialRecord> OfFirstCameras(const RolloutResults& results) {
  std::vector<TrialRecord> trials = results.trials;
  std::erase_if(trials, [&](const TrialRecord& trial) {
    return !trial.variant.empty() || trial.spec.cameras != results.options.cameras.front();
  });
  return trials;
}

}  // namespace

std::filesystem::path TrialFile(const std::filesystem::path& folder, const TrialKey& key) {
  return folder / "trials" / (FileStem(key) + ".json");
}

TrialRecord ReadTrial(const std::filesystem::path& folder, const TrialKey& key) {
  const std::filesystem::path path = TrialFile(folder, key);
  TrialRecord record = TrialRecordFromJson(ParseJson(ReadFile(path)), path.string());
  const TrialKey own{record.spec.task, record.trial, record.spec.cameras, record.variant};
  if (own == key) return record;
  throw FormatError({.where = path.string(),
                     .got = NameOf(own),
                     .expected = NameOf(key),
                     .fix = "remove it, and --resume plays it again"});
}

std::vector<TrialKey> ListTrials(const RolloutOptions& options) {
  return ListTrials({.tasks = options.task,
                     .episodes = options.episodes,
                     .cameras = options.cameras,
                     .variants = options.sensitivity});
}

std::vector<TrialKey> OfShard(const std::vector<TrialKey>& keys, const Shard& shard) {
  std::vector<TrialKey> part;
  for (size_t i = shard.index; i < keys.size(); i += shard.count) part.push_back(keys[i]);
  return part;
}

std::vector<std::pair<std::string, TrialTable>> ReadComparisons(const RolloutOptions& options) {
  std::vector<std::pair<std::string, TrialTable>> comparisons;
  for (const std::string& folder : options.compare) {
    TrialTable table = ReadTrialsCsv(std::filesystem::path(folder) / "episodes.csv");
    std::erase_if(table.rows, [&](const TrialOutcome& row) {
      return row.spec.cameras != options.cameras.front();
    });
    comparisons.emplace_back(folder, std::move(table));
  }
  return comparisons;
}

RolloutReport WriteResults(const RolloutResults& results, const std::filesystem::path& folder) {
  const RolloutOptions& options = results.options;
  WriteFileAtomic(folder / "episodes.csv", options.IsImagined()
                                               ? ImaginedCsv(results.trials, options.policy)
                                               : TrialsCsv(results.trials, options.policy));
  if (options.references) {
    for (const char* reference : {"gate", "null", "still"}) {
      WriteFileAtomic(folder / (std::string(reference) + ".csv"),
                      ReferenceCsv(results.trials, reference));
    }
  }
  nlohmann::json shown = OptionsToJson(options);
  shown.erase("workers");  // they change nothing
  const auto seed = results.run_record.at("seed").get<uint64_t>();
  const ReportSubject subject{.title = Title(options),
                              .policy = options.policy,
                              .seed = seed,
                              .replan = options.replan,
                              .period_s = results.run_record.at("frame_period_s"),
                              .options = std::move(shown),
                              .run_record = results.run_record};
  RolloutReport report = options.IsImagined() ? MakeImaginedReport(subject, results.trials)
                                              : MakeReport(subject, results.trials);
  const std::vector<TrialRecord> compared = OfFirstCameras(results);
  for (const auto& [other, table] : results.comparisons) {
    report.compare.push_back(CompareRollouts(compared, table, other, seed));
  }
  WriteFileAtomic(folder / "report.json", DumpJson(ToJson(report), 2) + "\n");
  WriteFileAtomic(folder / "report.html", ReportHtml(report, folder));
  return report;
}

}  // namespace aim
