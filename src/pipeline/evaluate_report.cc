// What an evaluation found, for programs and for people.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>

#include "aim/base/text.h"
#include "aim/pipeline/evaluate_model.h"

namespace aim {
namespace {

// Of a number that may not be there, or not be one.
std::string Fixed(std::optional<double> value, int digits, double scale = 1) {
  if (!value || !std::isfinite(*value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.*f", digits, scale * *value);
  return text;
}

// "5.2 [4.8, 5.9]".
std::string WithInterval(std::optional<double> value, const std::optional<Interval>& range,
                         int digits, double scale = 1) {
  const std::string text = Fixed(value, digits, scale);
  if (!value || !range) return text;
  return text + " [" + Fixed(range->low, digits, scale) + ", " + Fixed(range->high, digits, scale) +
         "]";
}

// A member of the poses or pictures of a summary, where there are any.
template <class Part, class Value>
std::optional<double> Of(const std::optional<Part>& part, Value&& value) {
  if (!part) return std::nullopt;
  return value(*part);
}

struct Column {
  std::string head;
  std::function<std::string(const std::string& name, const ModeReport& mode)> cell;
};

// Of a number of the summary, which may have an interval of that name.
template <class Value>
Column SummaryColumn(const std::string& head, const char* interval, int digits, double scale,
                     Value value) {
  return {head, [=](const std::string&, const ModeReport& mode) {
            const QualitySummary& summary = mode.quality.summary;
            const auto found = summary.intervals.find(interval);
            const bool has_interval = found != summary.intervals.end();
            return WithInterval(value(summary),
                                has_interval ? std::optional(found->second) : std::nullopt, digits,
                                scale);
          }};
}

Column ScoreColumn(const std::string& head, const char* name, int digits, double scale) {
  return {head, [=](const std::string&, const ModeReport& mode) -> std::string {
            const auto found = mode.quality.pictures.find(name);
            if (found == mode.quality.pictures.end()) return "-";
            return WithInterval(found->second.value, found->second.interval, digits, scale);
          }};
}

// What stands in every table, and what stands where it was asked for.
std::vector<Column> Columns(const EvaluationReport& report) {
  const auto poses = [](auto&& value) {
    return [value](const QualitySummary& summary) { return Of(summary.poses, value); };
  };
  const auto pictures = [](auto&& value) {
    return [value](const QualitySummary& summary) { return Of(summary.pictures, value); };
  };
  std::vector<Column> columns = {
      {"mode", [](const std::string& name, const ModeReport&) { return name; }},
      {"clips",
       [](const std::string&, const ModeReport& mode) {
         return std::to_string(mode.quality.summary.num_clips);
       }},
      SummaryColumn("position, median mm", "position_mm.median", 1, 1,
                    poses([](auto& p) { return p.position_mm.median; })),
      SummaryColumn("p90 mm", "", 1, 1, poses([](auto& p) { return p.position_mm.p90; })),
      SummaryColumn("rotation, median deg", "rotation_deg.median", 2, 1,
                    poses([](auto& p) { return p.rotation_deg.median; })),
      SummaryColumn("gripper %", "gripper_accuracy", 1, 100,
                    poses([](auto& p) { return p.gripper_accuracy; })),
      SummaryColumn("not decodable %", "", 1, 100, poses([](auto& p) { return p.not_decodable; })),
      SummaryColumn("video PSNR dB", "psnr_db", 2, 1, pictures([](auto& p) { return p.psnr_db; })),
      SummaryColumn("static copy dB", "static_copy_psnr_db", 2, 1,
                    pictures([](auto& p) { return p.static_copy_psnr_db; }))};
  const auto any = [&](auto&& has) {
    return std::ranges::any_of(report.modes, [&](const auto& mode) { return has(mode.second); });
  };
  const auto measured = [&](const char* name) {
    return any([&](const ModeReport& mode) { return mode.quality.pictures.contains(name); });
  };
  if (measured("ssim")) columns.push_back(ScoreColumn("SSIM %", "ssim", 2, 100));
  if (measured("lpips")) {
    columns.push_back(ScoreColumn("LPIPS (" + report.lpips + ")", "lpips", 4, 1));
  }
  if (any([](const ModeReport& mode) { return mode.fvd.has_value(); })) {
    columns.push_back({"FVD", [](const std::string&, const ModeReport& mode) {
                         return Fixed(Of(mode.fvd, [](auto& fvd) { return fvd.distance; }), 1);
                       }});
  }
  return columns;
}

// What a reader must know beside the numbers.
std::string Remarks(const EvaluationReport& report) {
  std::string text;
  for (const auto& [metric, reason] : report.missing) {
    text += "not measured: " + metric + ": " + reason + "\n";
  }
  for (const auto& [name, mode] : report.modes) {
    if (!mode.fvd || FewClips(*mode.fvd).empty()) continue;
    return text + FewClips(*mode.fvd) + ".\n";  // the same of all modes
  }
  return text;
}

}  // namespace

nlohmann::json ToJson(const MeasuredQuality& quality) {
  nlohmann::json json = ToJson(quality.summary);
  for (const auto& [name, score] : quality.pictures) {
    json[name] = score.value;
    if (score.interval) json["interval"][name] = ToJson(*score.interval);
  }
  return json;
}

nlohmann::json ToJson(const EvaluationReport& report) {
  nlohmann::json json = {{"model", report.model},
                         {"fingerprint", report.fingerprint},
                         {"data", report.data},
                         {"steps", report.steps},
                         {"guidance", report.guidance}};
  if (!report.lpips.empty()) json["lpips_network"] = report.lpips;
  if (!report.missing.empty()) json["missing"] = report.missing;
  AddSkipped(report.skipped, json);
  for (const auto& [name, mode] : report.modes) {
    nlohmann::json& entry = json["modes"][name];
    entry = ToJson(mode.quality);
    entry["seconds_per_clip"] = mode.seconds_per_clip;
    if (mode.fvd) entry["fvd"] = ToJson(*mode.fvd);
    for (const auto& [task, quality] : mode.tasks) entry["tasks"][task] = ToJson(quality);
  }
  return json;
}

std::string EvaluationTable(const EvaluationReport& report) {
  const std::vector<Column> columns = Columns(report);
  std::string heads = "|", rule = "|";
  for (const Column& column : columns) {
    heads += " " + column.head + " |";
    rule += "---|";
  }
  std::string table = heads + "\n" + rule + "\n";
  for (const auto& [name, mode] : report.modes) {
    table += "|";
    for (const Column& column : columns) table += " " + column.cell(name, mode) + " |";
    table += "\n";
  }
  const std::string remarks = Remarks(report);
  return remarks.empty() ? table : table + "\n" + remarks;
}

}  // namespace aim
