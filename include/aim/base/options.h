// Option structs list their fields once (ForEachField); everything else is a visitor over the list.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

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

// A choice among words whose enum is not known here.
struct WordField {
  void* value;
  std::string (*to_word)(const void* value);
  void (*from_word)(void* value, const std::string& word, const std::string& key);
};

using OptionField =
    std::variant<bool*, int*, int64_t*, uint64_t*, double*, std::string*, std::vector<bool>*,
                 std::vector<int>*, std::vector<double>*, std::vector<std::string>*, WordField>;

// One leaf of an option struct. A field of a const one is only read.
struct OptionLeaf {
  std::string key;  // dotted
  OptionField field;
  Limits limits;
  std::string help;
};

class OptionLeaves;

// A struct with   template <class Self, class Visitor> static void ForEachField(Self&, Visitor&&)
// that calls visit(name, field, limits, help). Fields: bool, int, int64_t, uint64_t, double,
// std::string, an enum with words (limits Any{}: its table is the limit), lists (std::vector) of
// bool, int, double or std::string, or another option struct (limits Any{}). The limits of a list
// hold for each of its items.
template <class T>
concept OptionStruct = requires(T& options, OptionLeaves& leaves) {
  std::remove_cvref_t<T>::ForEachField(options, leaves);
};

// Collects the leaves of option structs, so that all that is done with them is compiled once.
class OptionLeaves {
 public:
  explicit OptionLeaves(std::string prefix = "") : prefix_(std::move(prefix)) {}

  template <class Field>
  void operator()(std::string_view name, Field& field, const Limits& limits,
                  std::string_view help) {
    using Value = std::remove_const_t<Field>;
    auto* value = const_cast<Value*>(&field);
    if constexpr (WordEnum<Value>) {
      Add(name, WordField{value, &WordOf<Value>, &AssignWord<Value>}, Limits(AllWords<Value>()),
          help);
    } else if constexpr (std::is_constructible_v<OptionField, Value*>) {
      Add(name, value, limits, help);
    } else {
      const std::string outer = prefix_;
      prefix_ += std::string(name) + ".";
      Value::ForEachField(field, *this);
      prefix_ = outer;
    }
  }

  const std::vector<OptionLeaf>& leaves() const { return leaves_; }

 private:
  template <class Enum>
  static std::string WordOf(const void* value) {
    return ToWord(*static_cast<const Enum*>(value));
  }
  template <class Enum>
  static void AssignWord(void* value, const std::string& word, const std::string& key) {
    *static_cast<Enum*>(value) = FromWord<Enum>(word, key);
  }

  void Add(std::string_view name, const OptionField& field, Limits limits, std::string_view help);

  std::string prefix_;
  std::vector<OptionLeaf> leaves_;
};

// In the order in which they are listed.
template <OptionStruct Options>
std::vector<OptionLeaf> LeavesOf(Options& options) {
  OptionLeaves leaves;
  std::remove_const_t<Options>::ForEachField(options, leaves);
  return leaves.leaves();
}

// A field as files and run records show it: an enum by its word.
nlohmann::json FieldJson(const OptionField& field);

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

std::vector<std::string> OptionKeys(const std::vector<OptionLeaf>& leaves);
template <OptionStruct Options>
std::vector<std::string> OptionKeys(const Options& options) {
  return OptionKeys(LeavesOf(options));
}

// Every field must lie within its limits. Throws ConfigError naming "<section>.<key>".
void CheckRanges(const std::vector<OptionLeaf>& leaves, const std::string& section = "");
template <OptionStruct Options>
void CheckRanges(const Options& options, const std::string& section = "") {
  CheckRanges(LeavesOf(options), section);
}

// Sets the leaf called `key` (dotted). Throws ConfigError naming the nearest key if there is none.
void SetOption(const std::vector<OptionLeaf>& leaves, const std::string& key,
               const nlohmann::json& value, const std::string& where = "--set");
template <OptionStruct Options>
void SetOption(Options& options, const std::string& key, const nlohmann::json& value,
               const std::string& where = "--set") {
  SetOption(LeavesOf(options), key, value, where);
}

// The same for text from a command line: a text field takes it as it is, others parse it; a list
// is written "[1, 2]", a list of one item also as that item.
void SetOptionText(const std::vector<OptionLeaf>& leaves, const std::string& key,
                   const std::string& text, const std::string& where = "--set");
template <OptionStruct Options>
void SetOptionText(Options& options, const std::string& key, const std::string& text,
                   const std::string& where = "--set") {
  SetOptionText(LeavesOf(options), key, text, where);
}

// Applies a JSON object (from TOML): nested objects are sections. Unknown keys are errors.
void ApplyOptions(const std::vector<OptionLeaf>& leaves, const nlohmann::json& object,
                  const std::string& where, const std::string& prefix = "");
template <OptionStruct Options>
void ApplyOptions(Options& options, const nlohmann::json& object, const std::string& where,
                  const std::string& prefix = "") {
  ApplyOptions(LeavesOf(options), object, where, prefix);
}

// {"section": {"key": value}} with every field, defaults included.
nlohmann::json OptionsToJson(const std::vector<OptionLeaf>& leaves);
template <OptionStruct Options>
nlohmann::json OptionsToJson(const Options& options) {
  return OptionsToJson(LeavesOf(options));
}

// The same as TOML text, one section a nested struct.
std::string ToToml(const nlohmann::json& object);

}  // namespace aim
