// XML as OpenCV's FileStorage writes it: elements in one another, text of numbers or words, <_> for
// the items of a list. Attributes say nothing that the values do not.
#include <charconv>

#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "calibration/calibration_tree.h"

namespace aim {
namespace {

using nlohmann::json;

[[noreturn]] void FailXml(const std::string& where, const std::string& got) {
  throw FormatError({.where = where,
                     .got = got,
                     .expected = "XML as OpenCV's FileStorage writes it",
                     .fix = "copy the file again, or save it as YAML"});
}

// One number, several, or a text.
json ValueOfText(std::string_view text) {
  json numbers = json::array();
  size_t at = text.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos) return "";
  const std::string_view trimmed = text.substr(at, text.find_last_not_of(" \t\r\n") + 1 - at);
  while (at != std::string_view::npos) {
    const size_t end = std::min(text.find_first_of(" \t\r\n", at), text.size());
    double number = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, number);
    if (error != std::errc() || stop != text.data() + end) {
      const bool is_quoted = trimmed.size() >= 2 && trimmed[0] == '"' && trimmed.back() == '"';
      return std::string(is_quoted ? trimmed.substr(1, trimmed.size() - 2) : trimmed);
    }
    numbers.push_back(number);
    at = text.find_first_not_of(" \t\r\n", end);
  }
  return numbers.size() == 1 ? numbers[0] : numbers;
}

struct OpenElement {
  std::string name;
  std::string text = {};
  json children = nullptr;
};

class XmlParser {
 public:
  XmlParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  json Parse() {
    stack_.push_back({.name = ""});
    size_t at = 0;
    while (true) {
      const size_t tag = text_.find('<', at);
      if (tag == std::string_view::npos) break;
      stack_.back().text += text_.substr(at, tag - at);
      at = TakeTag(tag);
    }
    if (stack_.size() != 1) FailXml(where_, "cut off in <" + stack_.back().name + ">");
    if (!stack_[0].children.is_object() || !stack_[0].children.contains("opencv_storage")) {
      FailXml(where_, "XML without <opencv_storage>");
    }
    return std::move(stack_[0].children["opencv_storage"]);
  }

 private:
  // Returns where the tag that begins at `tag` ends.
  size_t TakeTag(size_t tag) {
    const std::string_view rest = text_.substr(tag);
    const bool is_comment = rest.starts_with("<!--");
    const std::string_view closing = is_comment ? "-->" : ">";
    const size_t end = text_.find(closing, tag);
    if (end == std::string_view::npos) FailXml(where_, "cut off in " + Excerpt(rest.substr(0, 20)));
    const size_t next = end + closing.size();
    if (is_comment || rest.starts_with("<?") || rest.starts_with("<!")) return next;
    std::string_view inside = text_.substr(tag + 1, end - tag - 1);
    if (inside.starts_with('/')) {
      Close(inside.substr(1));
      return next;
    }
    const bool is_empty = inside.ends_with('/');
    const std::string name(inside.substr(0, inside.find_first_of(" \t\r\n/")));
    if (stack_.size() > kMaxJsonDepth) FailXml(where_, "nested too deeply");
    stack_.push_back({.name = name});
    if (is_empty) Close(name);
    return next;
  }

  void Close(std::string_view name) {
    OpenElement element = std::move(stack_.back());
    if (stack_.size() < 2 || element.name != name) {
      FailXml(where_, "</" + std::string(name.substr(0, 40)) + "> where no such element is open");
    }
    stack_.pop_back();
    json value = element.children.is_null() ? ValueOfText(element.text) : element.children;
    json& siblings = stack_.back().children;
    const bool is_item = element.name == "_";
    if (siblings.is_null()) siblings = is_item ? json::array() : json::object();
    if (siblings.is_array() != is_item) FailXml(where_, "mixing <_> with named elements");
    if (is_item) {
      siblings.push_back(std::move(value));
    } else if (!siblings.emplace(element.name, std::move(value)).second) {
      FailXml(where_, "naming <" + element.name + "> twice");
    }
  }

  std::string_view text_;
  const std::string& where_;
  std::vector<OpenElement> stack_;
};

}  // namespace

json ParseXmlTree(std::string_view text, const std::string& where) {
  return XmlParser(text, where).Parse();
}

}  // namespace aim
