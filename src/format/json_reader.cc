#include "aim/format/json_reader.h"

#include <cmath>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr int kMaxInt = 1 << 24;
constexpr const char* kIntRange = "a whole number in [1, 16777216]";
constexpr size_t kMaxItems = 4096;

bool IsNumber(const json& value) { return value.is_number() && std::isfinite(value.get<double>()); }

// 64.0 is a whole number too.
bool IsWhole(const json& value, double low, double high) {
  return IsNumber(value) && value >= low && value <= high &&
         std::trunc(value.get<double>()) == value.get<double>();
}

bool IsInt(const json& value) { return IsWhole(value, 1, kMaxInt); }

bool IsFlag(const json& value) { return value.is_boolean(); }

template <class Item, class Test>
std::vector<Item> Items(const json& list, const Test& is_item, bool& valid) {
  std::vector<Item> items;
  valid = list.is_array() && list.size() <= kMaxItems;
  if (!valid) return items;
  for (const json& item : list) {
    valid = valid && is_item(item);
    if (valid) items.push_back(item.get<Item>());
  }
  return items;
}

}  // namespace

nlohmann::json ReadJsonFile(const std::filesystem::path& path) {
  const std::string text = WithoutByteOrderMark(ReadFile(path));
  if (JsonDepth(text) > kMaxJsonDepth) {
    throw FormatError({.where = path.string(),
                       .got = "nested deeper than " + std::to_string(kMaxJsonDepth) + " levels",
                       .expected = "a file of a few",
                       .fix = ""});
  }
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    throw FormatError({.where = path.string(),
                       .got = "not valid JSON from byte " + std::to_string(error.byte) + " on",
                       .expected = "a whole JSON file",
                       .fix = "it may be cut short, or hold NaN or Infinity"});
  } catch (const json::out_of_range&) {
    throw FormatError({.where = path.string(),
                       .got = "holding a number too large for a double",
                       .expected = "finite numbers",
                       .fix = ""});
  }
}

std::string ShownJson(const json& value) {
  if (value.is_number_float()) return ToText(value.get<double>());
  if (value.is_array()) return "a list of " + std::to_string(value.size());
  if (value.is_object()) return "an object";
  return DumpJson(value).substr(0, 80);
}

JsonReader::JsonReader(json object, std::string where)
    : object_(std::move(object)), where_(std::move(where)) {
  if (object_.is_object()) return;
  throw FormatError(
      {.where = where_, .got = ShownJson(object_), .expected = "a JSON object", .fix = ""});
}

JsonReader JsonReader::OfFile(const std::filesystem::path& path) {
  return {ReadJsonFile(path), path.string()};
}

std::string JsonReader::Where(const std::string& key) const {
  return where_ + (where_.find(": ") == std::string::npos ? ": " : ".") + key;
}

bool JsonReader::HasWhole(const std::string& key, double low, double high) const {
  return Has(key) && IsWhole(object_.at(key), low, high);
}

const json& JsonReader::At(const std::string& key) const {
  const auto place = object_.find(key);
  if (place == object_.end()) Fail(key, "a value");
  return *place;
}

double JsonReader::Number(const std::string& key) const {
  const auto place = object_.find(key);
  if (place == object_.end() || !IsNumber(*place)) Fail(key, "a finite number");
  return place->get<double>();
}

int JsonReader::Int(const std::string& key) const {
  if (!HasWhole(key, 1, kMaxInt)) Fail(key, kIntRange);
  return object_.at(key).get<int>();
}

std::string JsonReader::Text(const std::string& key) const {
  const auto place = object_.find(key);
  if (place == object_.end() || !place->is_string()) Fail(key, "text in quotes");
  return place->get<std::string>();
}

bool JsonReader::Has(const std::string& key) const {
  const auto place = object_.find(key);
  return place != object_.end() && !place->is_null();
}

void JsonReader::Fail(const std::string& key, const std::string& expected,
                      const std::string& fix) const {
  const auto place = object_.find(key);
  throw InputError({.where = Where(key),
                    .got = place == object_.end() ? "missing" : ShownJson(*place),
                    .expected = expected,
                    .fix = fix});
}

int JsonReader::Int(const std::string& key, int fallback) const {
  return Has(key) ? Int(key) : fallback;
}

double JsonReader::Number(const std::string& key, double fallback) const {
  return Has(key) ? Number(key) : fallback;
}

bool JsonReader::Flag(const std::string& key, bool fallback) const {
  if (!Has(key)) return fallback;
  if (!IsFlag(object_.at(key))) Fail(key, "true or false");
  return object_.at(key).get<bool>();
}

std::string JsonReader::Text(const std::string& key, const std::string& fallback) const {
  return Has(key) ? Text(key) : fallback;
}

std::vector<int> JsonReader::Ints(const std::string& key, const std::vector<int>& fallback) const {
  if (!Has(key)) return fallback;
  bool valid = false;
  std::vector<int> items = Items<int>(object_.at(key), IsInt, valid);
  if (!valid) Fail(key, std::string("a list, each ") + kIntRange);
  return items;
}

std::vector<double> JsonReader::Numbers(const std::string& key,
                                        const std::vector<double>& fallback) const {
  if (!Has(key)) return fallback;
  bool valid = false;
  std::vector<double> items = Items<double>(object_.at(key), IsNumber, valid);
  if (!valid) Fail(key, "a list of numbers");
  return items;
}

std::vector<bool> JsonReader::Flags(const std::string& key,
                                    const std::vector<bool>& fallback) const {
  if (!Has(key)) return fallback;
  bool valid = false;
  std::vector<bool> items = Items<bool>(object_.at(key), IsFlag, valid);
  if (!valid) Fail(key, "a list of true and false");
  return items;
}

void JsonReader::Require(const std::string& key, const json& fallback,
                         const std::vector<json>& accepted) const {
  const json value = object_.value(key, fallback);
  std::string expected;
  for (const json& item : accepted) {
    if (value == item) return;
    expected += (expected.empty() ? "" : " or ") + item.dump();
  }
  Fail(key, expected + ", the only kind known here");
}

void JsonReader::RequireNone(const std::string& key, const std::string& reason) const {
  if (Has(key) && !(object_.at(key).is_array() && object_.at(key).empty()))
    Fail(key, "null: " + reason);
}

}  // namespace aim
