#include "aim/base/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"

namespace aim {
namespace {

// A value as the user would have typed it.
std::string Shown(const nlohmann::json& value) {
  if (value.is_number_float()) return ToText(value.get<double>());
  if (value.is_string()) return "\"" + value.get<std::string>() + "\"";
  return DumpJson(value);
}

[[noreturn]] void ThrowWrongType(const nlohmann::json& value, const std::string& key,
                                 const std::string& expected) {
  throw ConfigError({key, Shown(value), expected, ""});
}

// Whole numbers may be written as 1e4; what does not fit the field is refused, never cut.
template <class Integer>
void AssignInteger(Integer& field, const nlohmann::json& value, const std::string& key) {
  constexpr Integer low = std::numeric_limits<Integer>::min();
  constexpr Integer high = std::numeric_limits<Integer>::max();
  const std::string expected =
      "a whole number in [" + std::to_string(low) + ", " + std::to_string(high) + "]";
  if (value.is_number_unsigned()) {
    if (!std::in_range<Integer>(value.get<uint64_t>())) ThrowWrongType(value, key, expected);
    field = static_cast<Integer>(value.get<uint64_t>());
  } else if (value.is_number_integer()) {
    if (!std::in_range<Integer>(value.get<int64_t>())) ThrowWrongType(value, key, expected);
    field = static_cast<Integer>(value.get<int64_t>());
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    const bool exact = std::trunc(number) == number && std::abs(number) <= 0x1p53;
    if (!exact || number < static_cast<double>(low) || number > static_cast<double>(high)) {
      ThrowWrongType(value, key, expected);
    }
    field = static_cast<Integer>(number);
  } else {
    ThrowWrongType(value, key, expected);
  }
}

void Assign(bool& field, const nlohmann::json& value, const std::string& key) {
  if (!value.is_boolean()) ThrowWrongType(value, key, "true or false");
  field = value.get<bool>();
}

void Assign(int& field, const nlohmann::json& value, const std::string& key) {
  AssignInteger(field, value, key);
}

void Assign(int64_t& field, const nlohmann::json& value, const std::string& key) {
  AssignInteger(field, value, key);
}

void Assign(uint64_t& field, const nlohmann::json& value, const std::string& key) {
  AssignInteger(field, value, key);
}

void Assign(double& field, const nlohmann::json& value, const std::string& key) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    ThrowWrongType(value, key, "a finite number");
  }
  field = value.get<double>();
}

void Assign(std::string& field, const nlohmann::json& value, const std::string& key) {
  if (!value.is_string()) ThrowWrongType(value, key, "text in quotes");
  field = value.get<std::string>();
}

template <class Item>
void AssignList(std::vector<Item>& field, const nlohmann::json& value, const std::string& key,
                const std::string& expected) {
  if (!value.is_array()) ThrowWrongType(value, key, expected);
  std::vector<Item> items;
  for (size_t i = 0; i < value.size(); ++i) {
    Item item{};
    Assign(item, value[i], key + "[" + std::to_string(i) + "]");
    items.push_back(item);
  }
  field = std::move(items);
}

void Assign(std::vector<bool>& field, const nlohmann::json& value, const std::string& key) {
  AssignList(field, value, key, "a list of flags, like [true, false]");
}

void Assign(std::vector<int>& field, const nlohmann::json& value, const std::string& key) {
  AssignList(field, value, key, "a list of whole numbers, like [1, 2]");
}

void Assign(std::vector<double>& field, const nlohmann::json& value, const std::string& key) {
  AssignList(field, value, key, "a list of numbers, like [0.5, 1]");
}

void Assign(std::vector<std::string>& field, const nlohmann::json& value, const std::string& key) {
  const bool all_text =
      value.is_array() && std::all_of(value.begin(), value.end(),
                                      [](const nlohmann::json& item) { return item.is_string(); });
  if (!all_text) ThrowWrongType(value, key, "a list of texts, like [\"a\", \"b\"]");
  field = value.get<std::vector<std::string>>();
}

void Assign(const WordField& field, const nlohmann::json& value, const std::string& key) {
  std::string word;
  Assign(word, value, key);
  field.from_word(field.value, word, key);
}

// What a field refers to.
template <class T>
T& Target(T* field) {
  return *field;
}
const WordField& Target(const WordField& field) { return field; }

void AssignField(const OptionField& field, const nlohmann::json& value, const std::string& key) {
  std::visit([&](const auto& into) { Assign(Target(into), value, key); }, field);
}

nlohmann::json ToJson(const WordField& field) { return field.to_word(field.value); }
template <class T>
nlohmann::json ToJson(const T& value) {
  return value;
}

// Two for a letter too many, too few or wrong; one for two neighbours that are swapped, the
// commonest slip.
size_t EditDistance(std::string_view a, std::string_view b) {
  constexpr size_t kEdit = 2, kSwap = 1;
  std::vector<std::vector<size_t>> table(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) table[i][0] = kEdit * i;
  for (size_t j = 0; j <= b.size(); ++j) table[0][j] = kEdit * j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substituted = table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : kEdit);
      table[i][j] = std::min({table[i - 1][j] + kEdit, table[i][j - 1] + kEdit, substituted});
      const bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (is_swap) table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + kSwap);
    }
  }
  return table.back().back();
}

std::string LastPart(std::string_view key) {
  const size_t dot = key.rfind('.');
  return std::string(dot == std::string_view::npos ? key : key.substr(dot + 1));
}

// The known one with the smallest distance to `key`, and that.
std::pair<std::string, size_t> Nearest(std::string_view key,
                                       const std::vector<std::string>& known) {
  std::pair<std::string, size_t> nearest = {"", std::numeric_limits<size_t>::max()};
  for (const std::string& candidate : known) {
    if (candidate.empty()) continue;  // "not given", of a choice that must be made
    // A key whose section was left out or mistaken still matches by its last part, and a shortened
    // key by its beginning.
    size_t distance = std::min(EditDistance(key, candidate),
                               EditDistance(LastPart(key), LastPart(candidate)) + 1);
    if (key.size() > 2 && candidate.find(key.substr(0, key.size() - 1)) != std::string::npos) {
      distance = std::min(distance, size_t{1});
    }
    if (distance < nearest.second) nearest = {candidate, distance};
  }
  return nearest;
}

bool IsBareKey(const std::string& key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-';
  });
}

// A value as TOML writes it, which is UTF-8: a path may be of other bytes.
std::string TomlValue(const nlohmann::json& value, const std::string& key) {
  if (value.is_string() && !IsValidUtf8(value.get_ref<const std::string&>())) {
    throw ConfigError({key, Excerpt(value.get<std::string>()) + ", of bytes that are no UTF-8",
                       "UTF-8, which TOML files are in", "rename the file or folder"});
  }
  return value.dump();
}

std::string TomlKey(const std::string& key) {
  return IsBareKey(key) ? key : nlohmann::json(key).dump();
}

void AppendToml(const nlohmann::json& object, const std::string& section, std::string& text) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) continue;
    AIM_CHECK(!value.is_null());
    text += TomlKey(key) + " = " + TomlValue(value, key) + "\n";
  }
  for (const auto& [key, value] : object.items()) {
    if (!value.is_object()) continue;
    const std::string name = section.empty() ? TomlKey(key) : section + "." + TomlKey(key);
    if (!text.empty()) text += "\n";
    text += "[" + name + "]\n";
    AppendToml(value, name, text);
  }
}

// True if some key begins with "<section>.".
bool HasSection(const std::vector<OptionLeaf>& leaves, const std::string& section) {
  return std::any_of(leaves.begin(), leaves.end(),
                     [&](const OptionLeaf& leaf) { return leaf.key.starts_with(section + "."); });
}

const OptionLeaf* FindLeaf(const std::vector<OptionLeaf>& leaves, const std::string& key) {
  const auto found = std::find_if(leaves.begin(), leaves.end(),
                                  [&](const OptionLeaf& leaf) { return leaf.key == key; });
  return found == leaves.end() ? nullptr : &*found;
}

template <class... Fields>
bool IsOneOf(const OptionField& field) {
  return (std::holds_alternative<Fields>(field) || ...);
}

bool IsList(const OptionField& field) {
  return IsOneOf<std::vector<bool>*, std::vector<int>*, std::vector<double>*,
                 std::vector<std::string>*>(field);
}

}  // namespace

void OptionLeaves::Add(std::string_view name, const OptionField& field, Limits limits,
                       std::string_view help) {
  leaves_.push_back({prefix_ + std::string(name), field, std::move(limits), std::string(help)});
}

nlohmann::json FieldJson(const OptionField& field) {
  return std::visit([](const auto& one) { return ToJson(Target(one)); }, field);
}

std::vector<std::string> OptionKeys(const std::vector<OptionLeaf>& leaves) {
  std::vector<std::string> keys;
  keys.reserve(leaves.size());
  for (const OptionLeaf& leaf : leaves) keys.push_back(leaf.key);
  return keys;
}

void CheckRanges(const std::vector<OptionLeaf>& leaves, const std::string& section) {
  for (const OptionLeaf& leaf : leaves) {
    CheckLimits(FieldJson(leaf.field), leaf.limits,
                section.empty() ? leaf.key : section + "." + leaf.key);
  }
}

void SetOption(const std::vector<OptionLeaf>& leaves, const std::string& key,
               const nlohmann::json& value, const std::string& where) {
  const OptionLeaf* leaf = FindLeaf(leaves, key);
  if (leaf == nullptr) ThrowUnknownKey(key, OptionKeys(leaves), where);
  const std::string label = OptionLabel(where, key);
  AssignField(leaf->field, value, label);
  CheckLimits(FieldJson(leaf->field), leaf->limits, label);
}

void SetOptionText(const std::vector<OptionLeaf>& leaves, const std::string& key,
                   const std::string& text, const std::string& where) {
  nlohmann::json value = ParseOptionText(text);
  if (const OptionLeaf* leaf = FindLeaf(leaves, key)) {
    const OptionField& field = leaf->field;
    if (IsOneOf<std::string*, WordField>(field)) value = text;
    if (IsOneOf<std::vector<std::string>*>(field) && !value.is_array()) value = text;
    if (IsList(field) && !value.is_array()) value = nlohmann::json::array({value});
  }
  SetOption(leaves, key, value, where);
}

void ApplyOptions(const std::vector<OptionLeaf>& leaves, const nlohmann::json& object,
                  const std::string& where, const std::string& prefix) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() && (!value.empty() || HasSection(leaves, prefix + key))) {
      ApplyOptions(leaves, value, where, prefix + key + ".");
    } else {
      SetOption(leaves, prefix + key, value, where);
    }
  }
}

nlohmann::json OptionsToJson(const std::vector<OptionLeaf>& leaves) {
  nlohmann::json object = nlohmann::json::object();
  for (const OptionLeaf& leaf : leaves) {
    nlohmann::json* node = &object;
    size_t begin = 0;
    for (size_t dot; (dot = leaf.key.find('.', begin)) != std::string::npos; begin = dot + 1) {
      node = &(*node)[leaf.key.substr(begin, dot - begin)];
    }
    (*node)[leaf.key.substr(begin)] = FieldJson(leaf.field);
  }
  return object;
}

std::string ToText(double value) {
  char buffer[40];
  if (value == std::trunc(value) && std::abs(value) < 1e15) {
    return std::to_string(static_cast<int64_t>(value));
  }
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return std::string(buffer, end);
}

void ThrowUnknownWord(std::string_view text, const std::vector<std::string>& known,
                      const std::string& where) {
  throw ConfigError({where, "\"" + std::string(text) + "\"", DescribeLimits(Limits(known)),
                     DidYouMean(text, known)});
}

void CheckLimits(const nlohmann::json& value, const Limits& limits, const std::string& key) {
  if (value.is_array()) {
    for (const nlohmann::json& item : value) CheckLimits(item, limits, key);
    return;
  }
  if (limits.has_range && value.is_number()) {
    const double number = value.get<double>();
    if (!(number >= limits.range.low && number <= limits.range.high)) {
      throw ConfigError({key, Shown(value), DescribeLimits(limits), ""});
    }
  }
  if (!limits.choices.empty() && value.is_string()) {
    const auto& choices = limits.choices;
    const std::string word = value.get<std::string>();
    if (std::find(choices.begin(), choices.end(), word) == choices.end()) {
      ThrowUnknownWord(word, choices, key);
    }
  }
}

std::string DescribeLimits(const Limits& limits) {
  if (limits.has_range) {
    return "[" + ToText(limits.range.low) + ", " + ToText(limits.range.high) + "]";
  }
  std::string text;
  for (const std::string& choice : limits.choices) text += (text.empty() ? "" : "|") + choice;
  return text;
}

std::string OptionLabel(const std::string& where, const std::string& key) {
  if (where.empty() || where == "--set") return key;
  return where.starts_with("--") ? where : where + ": " + key;
}

std::string NearestKey(std::string_view key, const std::vector<std::string>& known) {
  return Nearest(key, known).first;
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& known) {
  const auto [nearest, distance] = Nearest(word, known);
  return distance <= word.size() ? "did you mean " + nearest + "?" : "";
}

void ThrowUnknownKey(const std::string& key, const std::vector<std::string>& known,
                     const std::string& where) {
  throw ConfigError(
      {where + ": " + key, "not a known key", "one of the keys of this tool",
       known.empty() ? "see --help" : "did you mean " + NearestKey(key, known) + "?"});
}

nlohmann::json ParseOptionText(const std::string& text) {
  const nlohmann::json parsed = ParseJson(text);
  if (parsed.is_number() || parsed.is_boolean() || parsed.is_array() || parsed.is_string()) {
    return parsed;
  }
  // Numbers that JSON does not know: +3, .5, 5.
  const char* const begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* const end = text.data() + text.size();
  double number = 0;
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (error == std::errc() && stop == end && begin != end && std::isfinite(number)) return number;
  return text;
}

std::string ToToml(const nlohmann::json& object) {
  std::string text;
  AppendToml(object, "", text);
  return text;
}

}  // namespace aim
