#include "aim/codec/pose_csv.h"

#include <array>
#include <charconv>
#include <cmath>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"
#include "aim/format/csv.h"
#include "aim/geometry/value_error.h"

namespace aim {
namespace {

constexpr std::string_view kKnownHeader = "frame,time_s,x,y,z,qx,qy,qz,qw,gripper_open";
constexpr std::string_view kDecodedHeader =
    "frame,time_s,x,y,z,qx,qy,qz,qw,gripper_open,confidence,residual_px,visible";
constexpr size_t kFirstPoseColumn = 2;

// One line of the file; its fields know their names.
class Row {
 public:
  Row(std::string_view line, const std::vector<std::string>& columns, std::string where)
      : columns_(columns), fields_(SplitCsvLine(line, where)), where_(std::move(where)) {
    if (fields_.size() != columns.size()) {
      throw InputError({where_, "with " + std::to_string(fields_.size()) + " fields",
                        std::to_string(columns.size()) + " as in the header", ""});
    }
  }

  std::string Where(size_t column) const { return where_ + ", " + columns_[column]; }
  std::string_view Text(size_t column) const { return fields_[column]; }

  double Number(size_t column) const {
    const std::string_view text = fields_[column];
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
      throw PoseError({Where(column), Excerpt(text), "a finite number", ""});
    }
    return value;
  }

  double Number(size_t column, double low, double high) const {
    const double value = Number(column);
    if (!(value >= low && value <= high)) {
      throw InputError({Where(column), ToText(value),
                        "a number in [" + ToText(low) + ", " + ToText(high) + "]", ""});
    }
    return value;
  }

  int64_t Frame() const {
    const std::string_view text = fields_[0];
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) {
      throw InputError({Where(0), Excerpt(text), "a whole number from 0", ""});
    }
    return value;
  }

  ToolPose Pose() const {
    std::array<double, kPoseNumbers> numbers{};
    for (size_t i = 0; i < kPoseNumbers; ++i) numbers[i] = Number(kFirstPoseColumn + i);
    return ToolPoseFromNumbers(numbers, where_);
  }

 private:
  const std::vector<std::string>& columns_;
  std::vector<std::string> fields_;
  std::string where_;
};

std::vector<uint8_t> ParseVisible(const Row& row, size_t column) {
  std::vector<uint8_t> visible;
  for (const char c : row.Text(column)) {
    if (c != '0' && c != '1') {
      throw InputError(
          {row.Where(column), Excerpt(row.Text(column)), "a digit 0 or 1 per view and anchor", ""});
    }
    visible.push_back(c == '1' ? 1 : 0);
  }
  return visible;
}

PoseRow ParseRow(const Row& row, bool is_decoded) {
  PoseRow result;
  result.frame = row.Frame();
  result.time_s = row.Number(1);
  result.decoded.pose = row.Pose();
  result.decoded.confidence = 1;
  if (is_decoded) {
    result.decoded.confidence = row.Number(10, 0, 1);
    result.decoded.residual_px = row.Number(11);
    result.decoded.visible = ParseVisible(row, 12);
  }
  result.decoded.decodable = result.decoded.confidence > 0;
  return result;
}

std::string_view WithoutReturn(std::string_view line) {
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

void AppendPose(std::string& text, size_t frame, double time_s, const ToolPose& pose) {
  text += std::to_string(frame) + ',' + ToText(time_s);
  for (const double number : ToNumbers(pose)) text += ',' + ToText(number);
}

}  // namespace

std::vector<PoseRow> ParsePosesCsv(std::string_view text, const std::string& where) {
  std::vector<std::string_view> lines = SplitLines(text);
  while (!lines.empty() && WithoutReturn(lines.back()).empty()) lines.pop_back();
  const std::string_view header = lines.empty() ? std::string_view() : WithoutReturn(lines.front());
  const bool is_decoded = header == kDecodedHeader;
  if (!is_decoded && header != kKnownHeader) {
    throw InputError({where + ": header", Excerpt(header), std::string(kKnownHeader),
                      "confidence,residual_px,visible may follow, nothing else"});
  }
  const std::vector<std::string> columns = SplitCsvLine(header, where);
  std::vector<PoseRow> rows;
  for (size_t line = 1; line < lines.size(); ++line) {
    const Row row(WithoutReturn(lines[line]), columns,
                  where + ": line " + std::to_string(line + 1));
    rows.push_back(ParseRow(row, is_decoded));
    if (rows.size() > 1 && rows.back().frame <= rows[rows.size() - 2].frame) {
      throw InputError(
          {row.Where(0), std::to_string(rows.back().frame),
           "more than the row before (" + std::to_string(rows[rows.size() - 2].frame) + ")",
           "sort the rows by frame"});
    }
    if (rows.size() > 1 && rows.back().time_s < rows[rows.size() - 2].time_s) {
      throw InputError(
          {row.Where(1), ToText(rows.back().time_s),
           "not less than in the row before (" + ToText(rows[rows.size() - 2].time_s) + ")",
           "give the frames in the order of their times"});
    }
  }
  if (rows.empty()) throw InputError({where, "without rows", "one row a frame", ""});
  return rows;
}

std::vector<PoseRow> ReadPosesCsv(const std::filesystem::path& path) {
  return ParsePosesCsv(WithoutByteOrderMark(ReadFile(path)), path.string());
}

void RequireEveryFrame(std::span<const PoseRow> rows, const std::string& where) {
  for (size_t k = 0; k < rows.size(); ++k) {
    if (rows[k].frame == static_cast<int64_t>(k)) continue;
    throw PoseCountError({where + ": row " + std::to_string(k) + ", frame",
                          std::to_string(rows[k].frame),
                          std::to_string(k) + ", a row for every frame", ""});
  }
}

std::vector<ToolPose> ToolPoses(std::span<const PoseRow> rows) {
  std::vector<ToolPose> poses;
  poses.reserve(rows.size());
  for (const PoseRow& row : rows) poses.push_back(row.decoded.pose);
  return poses;
}

void WritePosesCsv(const std::filesystem::path& path, std::span<const ToolPose> poses,
                   double period_s) {
  std::string text(kKnownHeader);
  text += '\n';
  for (size_t frame = 0; frame < poses.size(); ++frame) {
    AppendPose(text, frame, static_cast<double>(frame) * period_s, poses[frame]);
    text += '\n';
  }
  WriteFileAtomic(path, text);
}

void WritePosesCsv(const std::filesystem::path& path, const Plan& plan,
                   std::span<const double> times_s) {
  AIM_CHECK(times_s.empty() || times_s.size() == plan.frames.size());
  std::string text(kDecodedHeader);
  text += '\n';
  for (size_t frame = 0; frame < plan.frames.size(); ++frame) {
    const DecodedPose& decoded = plan.frames[frame];
    const double even_s = static_cast<double>(frame) * plan.period_s;
    AppendPose(text, frame, times_s.empty() ? even_s : times_s[frame], decoded.pose);
    text += ',' + ToText(decoded.decodable ? decoded.confidence : 0.0);
    text += ',' + ToText(decoded.residual_px) + ',';
    for (const uint8_t visible : decoded.visible) text += visible ? '1' : '0';
    text += '\n';
  }
  WriteFileAtomic(path, text);
}

}  // namespace aim
