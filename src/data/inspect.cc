#include "aim/data/inspect.h"

namespace aim {

nlohmann::json ToJson(const InspectReport& report) {
  nlohmann::json document = ToJson(report.statistics);
  document["layout"] = report.layout;
  document["path"] = report.path.string();
  AddSkipped(report.skipped, document);
  return document;
}

InspectReport InspectData(const DataSet& data, Progress& progress) {
  InspectReport report;
  report.layout = data.layout().Name();
  report.path = data.root();
  progress.Start("reading", static_cast<int64_t>(data.episodes().size()));
  for (const EpisodeRef& ref : data.episodes()) {
    TryOrSkip(ref.name, report.skipped, [&] {
      const std::unique_ptr<OpenEpisode> episode = data.Open(ref);
      episode->CheckPictures();
      Add(*episode, report.statistics);
    });
    progress.Advance(1);
  }
  progress.Finish();
  return report;
}

}  // namespace aim
