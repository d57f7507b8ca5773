#include "pipeline/label_page.h"

#include "aim/base/text.h"
#include "aim/report/data_uri.h"
#include "aim/report/numbers.h"
#include "aim/report/template.h"
#include "aim/report/time_chart.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

nlohmann::json Facts(const LabelReport& report) {
  nlohmann::json facts = {
      {{"value", report.num_episodes}, {"name", "clips"}},
      {{"value", report.num_frames}, {"name", "frames"}},
      {{"value", NumberText(report.median_confidence, 2)}, {"name", "median confidence"}},
      {{"value", report.num_low}, {"name", "frames filled in from their neighbours"}},
      {{"value", report.skipped.size()}, {"name", "clips left out"}}};
  if (report.errors && report.errors->poses) {
    facts.push_back(
        {{"value", NumberText(report.errors->poses->position_mm.median, 1) + " mm / " +
                       NumberText(report.errors->poses->rotation_deg.median, 1) + "\u00B0"},
         {"name", "from the recorded poses, median"}});
  }
  return facts;
}

// "3 to 7, 12" of the frames below the least confidence; the first of very many.
std::string HeldFrames(const std::vector<double>& confidence, double min_confidence) {
  constexpr int kMostRanges = 20;
  std::string text;
  int num_ranges = 0;
  for (size_t begin = 0; begin < confidence.size();) {
    if (confidence[begin] >= min_confidence) {
      ++begin;
      continue;
    }
    size_t end = begin + 1;
    while (end < confidence.size() && confidence[end] < min_confidence) ++end;
    if (++num_ranges > kMostRanges) return text + ", ...";
    text += (text.empty() ? "" : ", ") + std::to_string(begin);
    if (end - begin > 1) text += " to " + std::to_string(end - 1);
    begin = end;
  }
  return text;
}

std::string HowItWasRead(const nlohmann::json& record, size_t num_frames) {
  std::string text = CountText(static_cast<int64_t>(num_frames), "frame") + " at " +
                     NumberText(record.value("fps", 0.0), 2) + " a second";
  const int64_t windows = record.value("windows", int64_t{1});
  if (windows > 1) text += ", cut into " + std::to_string(windows) + " overlapping windows";
  const int64_t stride = record.value("stride", int64_t{1});
  if (stride > 1) {
    text += "; the model saw one frame in " + std::to_string(stride) + ", the others lie between";
  }
  return text;
}

std::vector<std::string> OverlayFiles(const ShownClip& clip, const fs::path& folder) {
  std::vector<std::string> files;
  for (size_t view = 0;; ++view) {
    const std::string name = clip.name + "/overlay" + std::to_string(view) + ".mp4";
    if (!fs::exists(folder / name)) return files;
    files.push_back(name);
  }
}

std::string ConfidenceChart(const ShownClip& clip, double min_confidence) {
  std::vector<TimePoint> points;
  for (size_t k = 0; k < clip.confidence.size(); ++k) {
    points.push_back({.time_s = clip.times_s.at(k),
                      .value = clip.confidence[k],
                      .marked = clip.confidence[k] < min_confidence});
  }
  return TimeChartHtml(points, min_confidence,
                       "confidence; shaded: below " + NumberText(min_confidence, 2));
}

nlohmann::json Card(const ShownClip& clip, double min_confidence, const fs::path& folder,
                    PageVideos& videos) {
  const std::string held = HeldFrames(clip.confidence, min_confidence);
  return {{"name", clip.name},
          {"prompt", clip.record.value("prompt", "")},
          {"how", HowItWasRead(clip.record, clip.confidence.size())},
          {"picture", DataUri(folder / clip.name / "strip.jpg")},
          {"videos", videos.Values(OverlayFiles(clip, folder))},
          {"chart_html", ConfidenceChart(clip, min_confidence)},
          {"held", held.empty() ? "Every frame was seen."
                                : "Filled in, or held, from frames beside them: " + held + "."}};
}

}  // namespace

std::string LabelPage(const LabelReport& report, std::span<const ShownClip> clips,
                      double min_confidence, const fs::path& folder) {
  PageVideos videos(folder);
  nlohmann::json cards = nlohmann::json::array();
  for (const ShownClip& clip : clips) cards.push_back(Card(clip, min_confidence, folder, videos));
  return RenderTemplate("labels", {{"title", "Labels"},
                                   {"reload_s", nullptr},
                                   {"model", report.model},
                                   {"data", report.data},
                                   {"facts", Facts(report)},
                                   {"has_skipped", !report.skipped.empty()},
                                   {"skipped", ToJson(report.skipped)},
                                   {"clips", std::move(cards)}});
}

}  // namespace aim
