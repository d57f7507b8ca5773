// What a comparison found, for programs and for people.
#include <set>

#include "aim/base/text.h"
#include "aim/pipeline/compare.h"
#include "aim/report/numbers.h"

namespace aim {
namespace {

struct ScoreText {
  const char* name;  // of the score, or what it begins with
  const char* text;  // how a table calls it
  int digits;
  double scale = 1;
  bool is_of_size = false;  // counts pixels of pictures of one size
};
constexpr ScoreText kScoreTexts[] = {{"psnr_db", "PSNR, dB", 2},
                                     {"equal_pictures", "equal pictures, %", 1, 100},
                                     {"ssim", "SSIM, %", 2, 100},
                                     {"lpips", "LPIPS", 4},
                                     {"position_mm", "3-D error of the tip, mm", 2},
                                     {"rotation_deg", "rotation, deg", 2},
                                     {"gripper_accuracy", "gripper, %", 1, 100},
                                     {"gripper_f1", "gripper F1 (closed), %", 1, 100},
                                     {"not_decodable", "not decodable, %", 1, 100},
                                     {"trajectory_px", "trajectory, px", 2, 1, true},
                                     {"jaccard_4", "Jaccard at 4 px, %", 1, 100, true},
                                     {"jaccard", "Jaccard, 1 to 16 px, %", 1, 100, true},
                                     {"behind_camera", "behind the camera, %", 1, 100}};
constexpr std::string_view kError2d = "error_2d_px/";

std::string StyledText(double value, const ScoreText& style) {
  return NumberText(value, style.digits, style.scale);
}

std::string Row(const std::string& name, const std::string& n, const std::string& value,
                const std::string& interval) {
  return "| " + Join({name, n, value, interval}, " | ") + " |\n";
}

std::string Row(const std::string& name, const ScoreSummary& summary, const ScoreText& style) {
  const std::string interval = summary.interval
                                   ? StyledText(summary.interval->low, style) + " to " +
                                         StyledText(summary.interval->high, style)
                                   : "-";
  return Row(name, std::to_string(summary.num_values), StyledText(summary.value, style), interval);
}

nlohmann::json ToJson(const EpisodeComparison& episode) {
  return {{"episode", episode.episode},
          {"frames", episode.num_frames},
          {"size", episode.size},
          {"scores", ToJson(episode.scores)},
          {"missing", episode.missing}};
}

nlohmann::json ToJson(const MissingCount& missing) {
  return {{"metric", missing.metric},
          {"reason", missing.reason},
          {"episodes", missing.num_episodes},
          {"first", missing.first}};
}

// Sizes of the true pictures, where pixels are counted.
std::string Sizes(const CompareReport& report) {
  std::set<std::string> sizes;
  for (const EpisodeComparison& episode : report.episodes) sizes.insert(episode.size);
  return Join({sizes.begin(), sizes.end()});
}

std::string Partnerless(const std::vector<std::string>& names, const std::string& where) {
  if (names.empty()) return "";
  return CountText(static_cast<int64_t>(names.size()), "episode") + " in " + where +
         " alone: " + names[0] + (names.size() > 1 ? ", ..." : "") + "\n";
}

// What a reader must know beside the numbers.
std::string Remarks(const CompareReport& report) {
  std::string text;
  if (report.fvd && !FewClips(*report.fvd).empty()) text += FewClips(*report.fvd) + ".\n";
  if (report.episodes.size() == 1) text += "One episode: no intervals.\n";
  for (const MissingCount& missing : report.missing) {
    text += "not measured: " + missing.metric + " of " +
            CountText(missing.num_episodes, "episode") + " (" + missing.first +
            "): " + missing.reason + "\n";
  }
  text += Partnerless(report.only_judged, report.judged);
  text += Partnerless(report.only_true, report.truth);
  for (const Skipped& skipped : report.skipped) {
    text += "left out: " + skipped.episode + ": " + skipped.problem + "\n";
  }
  return text;
}

}  // namespace

nlohmann::json ToJson(const CompareReport& report) {
  nlohmann::json overall = nlohmann::json::object();
  for (const auto& [name, summary] : report.overall) overall[name] = ToJson(summary);
  if (report.fvd) overall["fvd"] = ToJson(*report.fvd);
  nlohmann::json missing = nlohmann::json::array();
  for (const MissingCount& one : report.missing) missing.push_back(ToJson(one));
  nlohmann::json episodes = nlohmann::json::array();
  for (const EpisodeComparison& one : report.episodes) episodes.push_back(ToJson(one));
  nlohmann::json object = {{"judged", report.judged},
                           {"truth", report.truth},
                           {"overall", overall},
                           {"missing", missing},
                           {"episodes", episodes},
                           {"only_judged", report.only_judged},
                           {"only_truth", report.only_true}};
  AddSkipped(report.skipped, object);
  if (!report.lpips.empty()) object["lpips_network"] = report.lpips;
  return object;
}

std::string CompareTable(const CompareReport& report) {
  std::string table = "| " + CountText(static_cast<int64_t>(report.episodes.size()), "episode") +
                      " | n | value | 95 % |\n|---|---|---|---|\n";
  for (const ScoreText& style : kScoreTexts) {
    const auto found = report.overall.find(style.name);
    if (found == report.overall.end()) continue;
    const std::string of = found->first == "lpips" ? report.lpips
                           : style.is_of_size      ? "at " + Sizes(report)
                                                   : "";
    table += Row(style.text + (of.empty() ? "" : " (" + of + ")"), found->second, style);
  }
  if (report.fvd) {
    table += Row("FVD", CountText(report.fvd->num_judged, "clip"),
                 NumberText(report.fvd->distance, 1), "-");
  }
  for (const auto& [name, summary] : report.overall) {
    if (!name.starts_with(kError2d)) continue;
    const std::string mark = name.substr(kError2d.size());
    table += Row("2-D error of " + mark + ", px at " + Sizes(report), summary, {"", "", 2});
  }
  const std::string remarks = Remarks(report);
  return remarks.empty() ? table : table + "\n" + remarks;
}

}  // namespace aim
