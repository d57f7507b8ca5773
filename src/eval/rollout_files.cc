#include "eval/rollout_files.h"

#include <algorithm>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/text.h"

namespace aim {
namespace {

std::string Title(const RolloutOptions& options) {
  const PolicyKind asked = options.Kind();
  return (asked == PolicyKind::kModel    ? options.model.model
          : asked == PolicyKind::kServer ? options.policy
                                         : options.policy + " policy") +
         " in " + options.simulator.env;
}

std::vector<TrialRecord> OfFirstCameras(const RolloutResults& results) {
  std::vector<TrialRecord> trials = results.trials;
  std::erase_if(trials, [&](const TrialRecord& trial) {
    return trial.spec.cameras != results.options.cameras.front();
  });
  return trials;
}

}  // namespace

std::filesystem::path TrialFile(const std::filesystem::path& folder, const TrialKey& key) {
  return folder / "trials" / (FileStem(key) + ".json");
}

std::vector<TrialKey> ListTrials(const RolloutOptions& options) {
  return ListTrials(
      {.tasks = options.task, .episodes = options.episodes, .cameras = options.cameras});
}

RolloutReport WriteResults(const RolloutResults& results, const std::filesystem::path& folder) {
  const RolloutOptions& options = results.options;
  WriteFileAtomic(folder / "episodes.csv", TrialsCsv(results.trials, options.policy));
  if (options.references) {
    for (const char* reference : {"gate", "null", "still"}) {
      WriteFileAtomic(folder / (std::string(reference) + ".csv"),
                      ReferenceCsv(results.trials, reference));
    }
  }
  nlohmann::json shown = OptionsToJson(options);
  shown.erase("workers");  // they change nothing
  const auto seed = results.run_record.at("seed").get<uint64_t>();
  RolloutReport report = MakeReport({.title = Title(options),
                                     .policy = options.policy,
                                     .seed = seed,
                                     .replan = options.replan,
                                     .options = std::move(shown),
                                     .run_record = results.run_record},
                                    results.trials);
  const std::vector<TrialRecord> compared = OfFirstCameras(results);
  for (const auto& [other, table] : results.comparisons) {
    report.compare.push_back(CompareRollouts(compared, table, other, seed));
  }
  WriteFileAtomic(folder / "report.json", DumpJson(ToJson(report), 2) + "\n");
  WriteFileAtomic(folder / "report.html", ReportHtml(report, folder));
  return report;
}

}  // namespace aim
