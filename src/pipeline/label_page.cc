#include "pipeline/label_page.h"

#include <sstream>

#include "aim/report/html.h"
#include "aim/report/time_chart.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

std::string Facts(const LabelReport& report) {
  std::ostringstream html;
  html << "<div class='card facts'>" << FactHtml(std::to_string(report.num_episodes), "clips")
       << FactHtml(std::to_string(report.num_frames), "frames")
       << FactHtml(NumberHtml(report.median_confidence, 2), "median confidence")
       << FactHtml(std::to_string(report.num_low), "frames filled in from their neighbours")
       << FactHtml(std::to_string(report.skipped.size()), "clips left out");
  if (report.errors && report.errors->poses) {
    html << FactHtml(NumberHtml(report.errors->poses->position_mm.median, 1) + " mm / " +
                         NumberHtml(report.errors->poses->rotation_deg.median, 1) + "&deg;",
                     "from the recorded poses, median");
  }
  return html.str() + "</div>";
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
  std::ostringstream html;
  html << num_frames << (num_frames == 1 ? " frame at " : " frames at ")
       << NumberHtml(record.value("fps", 0.0), 2) << " a second";
  const int64_t windows = record.value("windows", int64_t{1});
  if (windows > 1) html << ", cut into " << windows << " overlapping windows";
  const int64_t stride = record.value("stride", int64_t{1});
  if (stride > 1) {
    html << "; the model saw one frame in " << stride << ", the others lie between";
  }
  return html.str();
}

std::string Links(const ShownClip& clip, const fs::path& folder) {
  std::string html;
  for (size_t view = 0;; ++view) {
    const std::string name = clip.name + "/overlay" + std::to_string(view) + ".mp4";
    if (!fs::exists(folder / name)) return html;
    html += " &middot; <a href=\"" + EscapeHtml(name) + "\">video " + std::to_string(view) + "</a>";
  }
}

std::string Card(const ShownClip& clip, double min_confidence, const fs::path& folder) {
  std::vector<TimePoint> points;
  for (size_t k = 0; k < clip.confidence.size(); ++k) {
    points.push_back({.time_s = clip.times_s.at(k),
                      .value = clip.confidence[k],
                      .marked = clip.confidence[k] < min_confidence});
  }
  const std::string held = HeldFrames(clip.confidence, min_confidence);
  std::ostringstream html;
  html << "<div class='card strip'><b>" << EscapeHtml(clip.name) << "</b> &ensp;&ldquo;"
       << EscapeHtml(clip.record.value("prompt", "")) << "&rdquo;<div class='soft small'>"
       << HowItWasRead(clip.record, clip.confidence.size()) << Links(clip, folder) << "</div>"
       << EmbeddedImageHtml(folder / clip.name / "strip.jpg", clip.name)
       << TimeChartSvg(points, min_confidence,
                       "confidence; shaded: below " + NumberHtml(min_confidence, 2))
       << "<p class=small>"
       << (held.empty() ? "Every frame was seen."
                        : "Filled in, or held, from frames beside them: " + held + ".")
       << "</p></div>";
  return html.str();
}

std::string LeftOut(const LabelReport& report) {
  if (report.skipped.empty()) return "";
  std::string html = "<h2>Left out</h2><div class='card warn'>";
  for (const Skipped& one : report.skipped) {
    html += "<p><b>" + EscapeHtml(one.episode) + "</b>: " + EscapeHtml(one.problem) + "</p>";
  }
  return html + "</div>";
}

}  // namespace

std::string LabelPage(const LabelReport& report, std::span<const ShownClip> clips,
                      double min_confidence, const fs::path& folder) {
  std::string body = "<p class=soft>Poses found by " + EscapeHtml(report.model) +
                     " in the videos of " + EscapeHtml(report.data) + ".</p>" + Facts(report) +
                     LeftOut(report) +
                     "<h2>Clips</h2><p class='soft small'>Moments from start (left) to end, one "
                     "row a camera. Red: the tip, a ring when the gripper is open. Green: the "
                     "tool's x axis, blue: against its approach axis. Yellow: where the tip "
                     "was in the last second.</p>";
  for (const ShownClip& clip : clips) body += Card(clip, min_confidence, folder);
  return PageHtml("Labels", body);
}

}  // namespace aim
