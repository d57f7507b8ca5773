// Option structs list their fields once (ForEachField); everything else is a visitor over the list.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/words.h"

namespace aim {

struct Range {
  double low;
  double high;
};

struct Any {};  // no limits

// What a field accepts: a range of numbers, a set of words, or anything.
struct Limits {
  Limits(Any) {}                                                                 // NOLINT
  Limits(Range r) : has_range(true), range(r) {}                                 // NOLINT
  Limits(std::initializer_list<const char*> c) : choices(c.begin(), c.end()) {}  // NOLINT
  explicit Limits(std::vector<std::string> c) : choices(std::move(c)) {}

  bool has_range = false;
  Range range{0, 0};
  std::vector<std::string> choices;
};

// A struct with   template <class Self, class Visitor> static void ForEachField(Self&, Visitor&&)
// that calls visit(name, field, limits, help). Fields: bool, int, int64_t, uint64_t, double,
// std::string, an enum with words (limits Any{}: its table is the limit), lists (std::vector) of
// bool, int, double or std::string, or another option struct (limits Any{}). The limits of a list
// hold for each of its items.
template <class T>
concept OptionStruct = requires(T& options) {
  std::remove_cvref_t<T>::ForEachField(options, [](auto&&...) {});
};

// Calls visit(key, field, limits, help) for every leaf; keys of nested structs join with dots.
template <class Options, class Visitor>
void ForEachLeaf(Options& options, Visitor&& visit, const std::string& prefix = "") {
  std::remove_cvref_t<Options>::ForEachField(
      options,
      [&](std::string_view name, auto& field, const Limits& limits, std::string_view help) {
        using Field = std::remove_cvref_t<decltype(field)>;
        const std::string key = prefix + std::string(name);
        if constexpr (OptionStruct<Field>) {
          ForEachLeaf(field, visit, key + ".");
        } else if constexpr (WordEnum<Field>) {
          visit(key, field, Limits(AllWords<Field>()), help);
        } else {
          visit(key, field, limits, help);
        }
      });
}

// Parsing and checking of one value; `key` names it in errors. Throw ConfigError.
void AssignJson(bool& field, const nlohmann::json& value, const std::string& key);
void AssignJson(int& field, const nlohmann::json& value, const std::string& key);
void AssignJson(int64_t& field, const nlohmann::json& value, const std::string& key);
void AssignJson(uint64_t& field, const nlohmann::json& value, const std::string& key);
void AssignJson(double& field, const nlohmann::json& value, const std::string& key);
void AssignJson(std::string& field, const nlohmann::json& value, const std::string& key);
void AssignJson(std::vector<bool>& field, const nlohmann::json& value, const std::string& key);
void AssignJson(std::vector<int>& field, const nlohmann::json& value, const std::string& key);
void AssignJson(std::vector<double>& field, const nlohmann::json& value, const std::string& key);
void AssignJson(std::vector<std::string>& field, const nlohmann::json& value,
                const std::string& key);
template <WordEnum Enum>
void AssignJson(Enum& field, const nlohmann::json& value, const std::string& key) {
  std::string word;
  AssignJson(word, value, key);
  field = FromWord<Enum>(word, key);
}

// A field as files and run records show it: an enum by its word.
template <class Field>
nlohmann::json FieldJson(const Field& field) {
  if constexpr (WordEnum<Field>) {
    return ToWord(field);
  } else {
    return field;
  }
}

// Throws ConfigError unless a number lies in the range, a text (or each of a list) is a choice.
void CheckLimits(const nlohmann::json& value, const Limits& limits, const std::string& key);

// "[1, 1000]", "euler|unipc", or nothing; a number without needless digits. For messages and help.
std::string DescribeLimits(const Limits& limits);
std::string ToText(double value);

// How errors name a key: as typed for a flag, "key" for --set, "<file>: key" for a file.
std::string OptionLabel(const std::string& where, const std::string& key);

// The known key with the smallest edit distance, for error messages.
std::string NearestKey(std::string_view key, const std::vector<std::string>& known);

// "did you mean euler?" where one of the known words is near; else empty.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& known);
[[noreturn]] void ThrowUnknownKey(const std::string& key, const std::vector<std::string>& known,
                                  const std::string& where);

// Reads a TOML file into JSON (tables become objects). Throws InputError, FormatError.
nlohmann::json ReadToml(const std::filesystem::path& path);

// "3", "true", "0.5" and "[\"a\"]" become numbers, flags and lists; all else is a string.
nlohmann::json ParseOptionText(const std::string& text);

// True if some key begins with "<section>.".
bool HasSection(const std::vector<std::string>& keys, const std::string& section);

template <class Options>
std::vector<std::string> OptionKeys(const Options& options) {
  std::vector<std::string> keys;
  ForEachLeaf(options, [&](const std::string& key, auto&, const Limits&, std::string_view) {
    keys.push_back(key);
  });
  return keys;
}

// Every field must lie within its limits. Throws ConfigError naming "<section>.<key>".
template <class Options>
void CheckRanges(const Options& options, const std::string& section = "") {
  ForEachLeaf(options,
              [&](const std::string& key, auto& field, const Limits& limits, std::string_view) {
                CheckLimits(FieldJson(field), limits, section.empty() ? key : section + "." + key);
              });
}

// Sets the leaf called `key` (dotted). Throws ConfigError naming the nearest key if there is none.
template <class Options>
void SetOption(Options& options, const std::string& key, const nlohmann::json& value,
               const std::string& where = "--set") {
  bool found = false;
  ForEachLeaf(options,
              [&](const std::string& name, auto& field, const Limits& limits, std::string_view) {
                if (name != key) return;
                found = true;
                const std::string label = OptionLabel(where, name);
                AssignJson(field, value, label);
                CheckLimits(FieldJson(field), limits, label);
              });
  if (!found) ThrowUnknownKey(key, OptionKeys(options), where);
}

template <class Field>
inline constexpr bool kIsList = false;
template <class Item>
inline constexpr bool kIsList<std::vector<Item>> = true;

// The same for text from a command line: a text field takes it as it is, others parse it; a list
// is written "[1, 2]", a list of one item also as that item.
template <class Options>
void SetOptionText(Options& options, const std::string& key, const std::string& text,
                   const std::string& where = "--set") {
  nlohmann::json value = ParseOptionText(text);
  ForEachLeaf(options, [&](const std::string& name, auto& field, const Limits&, std::string_view) {
    using Field = std::remove_cvref_t<decltype(field)>;
    if (name != key) return;
    if constexpr (std::is_same_v<Field, std::string> || WordEnum<Field>) value = text;
    if constexpr (kIsList<Field>) {
      if (std::is_same_v<Field, std::vector<std::string>> && !value.is_array()) value = text;
      if (!value.is_array()) value = nlohmann::json::array({value});
    }
  });
  SetOption(options, key, value, where);
}

// Applies a JSON object (from TOML): nested objects are sections. Unknown keys are errors.
template <class Options>
void ApplyOptions(Options& options, const nlohmann::json& object, const std::string& where,
                  const std::string& prefix = "") {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object() && (!value.empty() || HasSection(OptionKeys(options), prefix + key))) {
      ApplyOptions(options, value, where, prefix + key + ".");
    } else {
      SetOption(options, prefix + key, value, where);
    }
  }
}

// {"section": {"key": value}} with every field, defaults included.
template <class Options>
nlohmann::json OptionsToJson(const Options& options) {
  nlohmann::json object = nlohmann::json::object();
  ForEachLeaf(options, [&](const std::string& key, auto& field, const Limits&, std::string_view) {
    nlohmann::json* node = &object;
    size_t begin = 0;
    for (size_t dot; (dot = key.find('.', begin)) != std::string::npos; begin = dot + 1) {
      node = &(*node)[key.substr(begin, dot - begin)];
    }
    (*node)[key.substr(begin)] = FieldJson(field);
  });
  return object;
}

// The same as TOML text, one section a nested struct.
std::string ToToml(const nlohmann::json& object);

}  // namespace aim
