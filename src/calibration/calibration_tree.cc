#include "calibration/calibration_tree.h"

#include <algorithm>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr size_t kMaxTreeBytes = size_t{16} << 20;
constexpr size_t kMaxTreeNumbers = 4096;

// Appends the numbers of a list or of its rows; false if something else is in it.
bool AppendNumbers(const json& value, int depth, std::vector<double>& numbers) {
  if (value.is_number()) {
    numbers.push_back(value.get<double>());
    return std::isfinite(numbers.back()) && numbers.size() <= kMaxTreeNumbers;
  }
  return value.is_array() && depth > 0 &&
         std::all_of(value.begin(), value.end(),
                     [&](const json& item) { return AppendNumbers(item, depth - 1, numbers); });
}

}  // namespace

json ReadCalibrationTree(const std::filesystem::path& path) {
  const std::string text = WithoutByteOrderMark(ReadFile(path));
  const std::string where = path.string();
  if (text.size() > kMaxTreeBytes) {
    throw FormatError({.where = where,
                       .got = std::to_string(text.size()) + " bytes long",
                       .expected = "at most 16 MiB of calibration",
                       .fix = ""});
  }
  const size_t first = text.find_first_not_of(" \t\r\n");
  const char begin = first == std::string::npos ? '\0' : text[first];
  json tree = begin == '<'   ? ParseXmlTree(text, where)
              : begin == '{' ? ReadJsonFile(path)
                             : ParseYamlTree(text, where);
  if (tree.is_object()) return tree;
  throw FormatError({.where = where,
                     .got = begin == '\0' ? "empty" : ShownJson(tree),
                     .expected = "keys with values",
                     .fix = "choose the file that the calibration wrote"});
}

std::string FirstKey(const JsonReader& fields, const std::vector<std::string>& keys) {
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const std::string& key) { return fields.Has(key); });
  return found == keys.end() ? "" : *found;
}

std::vector<double> NumbersAt(const JsonReader& fields, const std::string& key) {
  const json& value = fields.At(key);
  const bool is_matrix = value.is_object() && value.contains("data");
  std::vector<double> numbers;
  if (!AppendNumbers(is_matrix ? value["data"] : value, 2, numbers)) {
    fields.Fail(key, "finite numbers, in a list or a matrix {rows, cols, data}");
  }
  if (!is_matrix) return numbers;
  const JsonReader matrix(value, fields.Where(key));
  const int64_t size = int64_t{matrix.Int("rows", 1)} * matrix.Int("cols", 1);
  const bool has_size = matrix.Has("rows") && matrix.Has("cols");
  if (has_size && size != static_cast<int64_t>(numbers.size())) {
    matrix.Fail("data", std::to_string(size) + " numbers, rows times cols");
  }
  return numbers;
}

std::vector<double> NumbersAt(const JsonReader& fields, const std::string& key, size_t count) {
  std::vector<double> numbers = NumbersAt(fields, key);
  if (numbers.size() == count) return numbers;
  throw InputError({.where = fields.Where(key),
                    .got = "of " + CountText(std::ssize(numbers), "number"),
                    .expected = std::to_string(count),
                    .fix = ""});
}

Rigid3d RigidOfNumbers(const std::vector<double>& numbers, const std::string& where) {
  if (numbers.size() != 16 && numbers.size() != 12) {
    throw InputError({.where = where,
                      .got = "of " + CountText(std::ssize(numbers), "number"),
                      .expected = "the 16 of a 4x4 matrix, row-major, or 12 without its last row",
                      .fix = ""});
  }
  Eigen::Matrix4d matrix = Eigen::Matrix4d::Identity();
  for (size_t i = 0; i < numbers.size(); ++i) {
    matrix(static_cast<Eigen::Index>(i / 4), static_cast<Eigen::Index>(i % 4)) = numbers[i];
  }
  return RigidFromMatrix(matrix, where);
}

}  // namespace aim
