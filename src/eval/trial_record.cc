#include "aim/eval/trial_record.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/format/csv.h"
#include "aim/metrics/statistics.h"

namespace aim {
namespace {

constexpr const char* kHeader =
    "task,variation,seed,success,steps,replans,ik_failures,termination,policy,trial,first_frame,"
    "tracking_mm,final_error_mm,confidence_mean,confidence_min,undecodable,plan_to_expert_mm,"
    "plan_to_expert_deg,prompt,cameras\n";
constexpr size_t kNumColumns = 20;

std::string Fixed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::string Row(const TrialRecord& record, const TrialResult& result, const std::string& policy,
                const std::optional<PlanDistance>& distance) {
  std::ostringstream row;
  row << record.spec.task << ',' << record.spec.variation << ',' << record.spec.seed << ','
      << (result.success ? 1 : 0) << ',' << result.env_steps << ',' << result.replans << ','
      << result.ik_failures << ',' << ToWord(result.termination) << ',' << policy << ','
      << record.trial << ',' << HexText(result.first_frame_hash) << ',' << Fixed(result.tracking_mm)
      << ',' << Fixed(result.final_error_mm) << ',' << Fixed(result.confidence_mean) << ','
      << Fixed(result.confidence_min) << ',' << Fixed(result.undecodable) << ','
      << (distance ? Fixed(distance->position_mm) : "") << ','
      << (distance ? Fixed(distance->rotation_deg) : "") << ',' << QuotedCell(result.prompt) << ','
      << QuotedCell(record.spec.cameras) << '\n';
  return row.str();
}

template <class Number>
Number ParseNumber(const std::string& text, const std::string& where) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw FormatError({.where = where,
                       .got = '"' + text + '"',
                       .expected = "a whole number",
                       .fix = "give a folder that a rollout wrote"});
  }
  return number;
}

// The report shows these: only files that a rollout keeps in its own folder.
void CheckPicture(const std::string& file, const std::string& where) {
  if (file.empty()) return;
  const std::filesystem::path path = file;
  const bool is_ours = (file.starts_with("filmstrips/") || file.starts_with("videos/")) &&
                       path.lexically_normal() == path &&
                       std::distance(path.begin(), path.end()) == 2;
  if (is_ours) return;
  throw FormatError({.where = where,
                     .got = "a trial with the picture " + Excerpt(file),
                     .expected = "files in filmstrips/ and videos/ of the rollout",
                     .fix = "remove it, or start over with --overwrite"});
}

}  // namespace

PlanDistance DistanceToExpert(const TimedPlan& first_plan, const Demonstration& demo,
                              double period_s) {
  AIM_CHECK(demo.clip.poses.size() >= 2);
  const std::vector<ToolPose> targets =
      ExecutionTargets(first_plan.plan, demo.clip.poses[0], period_s);
  const size_t count = std::min(targets.size(), demo.clip.poses.size() - 1);
  std::vector<double> positions_mm;
  std::vector<double> rotations_deg;
  double same_gripper = 0;
  for (size_t k = 0; k < count; ++k) {
    const ToolPose& expert = demo.clip.poses[k + 1];
    const PoseDifference difference = Difference(targets[k], expert);
    positions_mm.push_back(difference.position_mm());
    rotations_deg.push_back(difference.rotation_deg());
    same_gripper += difference.is_same_gripper;
  }
  return {Median(positions_mm), Median(rotations_deg), same_gripper / static_cast<double>(count)};
}

nlohmann::json ToJson(const TrialRecord& record) {
  nlohmann::json references = nlohmann::json::object();
  for (const auto& [name, result] : record.references) references[name] = ToJson(result);
  nlohmann::json json = {{"trial", record.trial},
                         {"task", record.spec.task},
                         {"variation", record.spec.variation},
                         {"seed", record.spec.seed},
                         {"cameras", record.spec.cameras},
                         {"variant", record.variant},
                         {"result", ToJson(record.result)},
                         {"references", std::move(references)},
                         {"num_reruns", record.num_reruns},
                         {"demo_frames", record.demo_frames},
                         {"filmstrip", record.filmstrip},
                         {"videos", record.videos}};
  if (record.distance) {
    json["to_expert"] = {{"position_mm", record.distance->position_mm},
                         {"rotation_deg", record.distance->rotation_deg},
                         {"gripper", record.distance->gripper}};
  }
  return json;
}

TrialRecord TrialRecordFromJson(const nlohmann::json& json, const std::string& where) {
  try {
    TrialRecord record;
    json.at("trial").get_to(record.trial);
    json.at("task").get_to(record.spec.task);
    json.at("variation").get_to(record.spec.variation);
    json.at("seed").get_to(record.spec.seed);
    json.at("cameras").get_to(record.spec.cameras);
    json.at("variant").get_to(record.variant);
    json.at("num_reruns").get_to(record.num_reruns);
    json.at("demo_frames").get_to(record.demo_frames);
    json.at("filmstrip").get_to(record.filmstrip);
    json.at("videos").get_to(record.videos);
    CheckPicture(record.filmstrip, where);
    for (const std::string& video : record.videos) CheckPicture(video, where);
    record.result = TrialResultFromJson(json.at("result"), where);
    for (const auto& [name, result] : json.at("references").items()) {
      record.references[name] = TrialResultFromJson(result, where);
    }
    if (json.contains("to_expert")) {
      const nlohmann::json& distance = json.at("to_expert");
      record.distance = {distance.at("position_mm").get<double>(),
                         distance.at("rotation_deg").get<double>(),
                         distance.at("gripper").get<double>()};
    }
    return record;
  } catch (const nlohmann::json::exception& error) {
    throw FormatError({.where = where,
                       .got = std::string("not a trial (") + error.what() + ")",
                       .expected = "what a rollout wrote",
                       .fix = "remove it, or start over with --overwrite"});
  }
}

std::string TrialsCsv(const std::vector<TrialRecord>& trials, const std::string& policy) {
  std::string csv = kHeader;
  for (const TrialRecord& record : trials) {
    if (record.variant.empty()) csv += Row(record, record.result, policy, record.distance);
  }
  return csv;
}

std::string ReferenceCsv(const std::vector<TrialRecord>& trials, const std::string& reference) {
  std::string csv = kHeader;
  for (const TrialRecord& record : trials) {
    const auto found = record.references.find(reference);
    if (found != record.references.end()) {
      csv += Row(record, found->second, reference, std::nullopt);
    }
  }
  return csv;
}

TrialTable ReadTrialsCsv(const std::filesystem::path& path) {
  std::istringstream stream(ReadFile(path));
  std::string line;
  std::getline(stream, line);
  if (line + "\n" != kHeader) {
    throw FormatError({.where = path.string(),
                       .got = "without the header of a table of trials",
                       .expected = "task,variation,seed,success,...",
                       .fix = "give a folder that a rollout wrote"});
  }
  TrialTable table;
  for (int number = 2; std::getline(stream, line); ++number) {
    const std::string where = path.string() + ": line " + std::to_string(number);
    const std::vector<std::string> cells = SplitCsvLine(line, where);
    if (cells.size() < kNumColumns) {
      throw FormatError({.where = where,
                         .got = std::to_string(cells.size()) + " columns long",
                         .expected = "at least " + std::to_string(kNumColumns),
                         .fix = "the file is damaged; run that rollout again"});
    }
    TrialOutcome row;
    row.spec = {cells[0], ParseNumber<int>(cells[1], where), ParseNumber<uint64_t>(cells[2], where),
                cells.back()};
    row.success = ParseNumber<int>(cells[3], where) != 0;
    row.valid = cells[7] != ToWord(Termination::kInvalid);
    row.first_frame = cells[10];
    table.policy = cells[8];
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace aim
