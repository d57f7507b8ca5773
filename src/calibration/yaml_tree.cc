#include <yaml-cpp/yaml.h>

#include <cctype>
#include <charconv>
#include <limits>

#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "calibration/calibration_tree.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr size_t kMaxYamlNodes = 1 << 20;  // aliases may stand for many more than the file has

[[noreturn]] void FailYaml(const std::string& where, const std::string& got) {
  throw FormatError({.where = where,
                     .got = got,
                     .expected = "a whole YAML file",
                     .fix = "copy it again; it may be cut short"});
}

std::string Lowered(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// What a word without quotes means.
json PlainYaml(const std::string& word) {
  const std::string lower = Lowered(word);
  const std::string_view unsigned_word =
      std::string_view(lower).substr(!lower.empty() && (lower[0] == '-' || lower[0] == '+'));
  if (lower.empty() || lower == "~" || lower == "null") return nullptr;
  if (lower == "true" || lower == "false") return lower == "true";
  if (unsigned_word == ".nan") return std::numeric_limits<double>::quiet_NaN();
  if (unsigned_word == ".inf") return std::numeric_limits<double>::infinity();
  const bool is_numeric =
      !unsigned_word.empty() && (std::isdigit(unsigned_word[0]) != 0 || unsigned_word[0] == '.');
  const char* begin = lower.data() + (lower[0] == '+' ? 1 : 0);
  const char* end = lower.data() + lower.size();
  double number = 0;
  if (is_numeric) {
    const auto [stop, error] = std::from_chars(begin, end, number);
    if (stop == end) return error == std::errc() ? number : std::numeric_limits<double>::infinity();
  }
  return word;
}

class YamlConverter {
 public:
  explicit YamlConverter(const std::string& where) : where_(where) {}

  json Convert(const YAML::Node& node, size_t depth) {
    if (depth > kMaxJsonDepth || ++num_nodes_ > kMaxYamlNodes) {
      FailYaml(where_, "nested too deeply, or larger than any calibration");
    }
    if (node.IsScalar()) {
      return node.Tag() == "!" ? json(node.Scalar()) : PlainYaml(node.Scalar());
    }
    if (node.IsSequence()) {
      json list = json::array();
      for (const YAML::Node& item : node) list.push_back(Convert(item, depth + 1));
      return list;
    }
    if (!node.IsMap()) return nullptr;
    json object = json::object();
    for (const auto& item : node) {
      if (!item.first.IsScalar()) FailYaml(where_, "holding a key that is no word");
      const std::string& key = item.first.Scalar();
      if (object.contains(key)) FailYaml(where_, "naming the key " + Excerpt(key) + " twice");
      object[key] = Convert(item.second, depth + 1);
    }
    return object;
  }

 private:
  const std::string& where_;
  size_t num_nodes_ = 0;
};

}  // namespace

json ParseYamlTree(std::string_view text, const std::string& where) {
  // OpenCV's first line, "%YAML:1.0", is no directive of YAML's.
  if (text.starts_with("%YAML:")) {
    const size_t end = text.find('\n');
    text.remove_prefix(end == std::string_view::npos ? text.size() : end);
  }
  try {
    return YamlConverter(where).Convert(YAML::Load(std::string(text)), 0);
  } catch (const YAML::Exception& error) {
    FailYaml(where,
             "no YAML in line " + std::to_string(error.mark.line + 1) + " (" + error.msg + ")");
  }
}

}  // namespace aim
