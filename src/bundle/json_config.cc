#include "bundle/json_config.h"

#include <cmath>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"

namespace aim {
namespace {

using nlohmann::json;

constexpr int kMaxInt = 1 << 24;
constexpr size_t kMaxItems = 4096;

bool IsInt(const json& value) {
  return value.is_number_integer() && value >= 1 && value <= kMaxInt;
}

bool IsNumber(const json& value) { return value.is_number() && std::isfinite(value.get<double>()); }

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

JsonConfig::JsonConfig(const std::filesystem::path& path) : path_(path.string()) {
  if (!std::filesystem::is_regular_file(path)) {
    throw InputError({.where = path_,
                      .got = "missing",
                      .expected = "a configuration file as Diffusers writes it",
                      .fix = "name the folder that holds model_index.json"});
  }
  root_ = json::parse(ReadFile(path), nullptr, false);
  if (!root_.is_object()) {
    throw FormatError(
        {.where = path_, .got = "not a JSON object", .expected = "a configuration", .fix = ""});
  }
}

bool JsonConfig::Has(const std::string& key) const {
  const auto place = root_.find(key);
  return place != root_.end() && !place->is_null();
}

void JsonConfig::Fail(const std::string& key, const std::string& expected,
                      const std::string& fix) const {
  const auto place = root_.find(key);
  const std::string got = place == root_.end() ? "missing" : place->dump().substr(0, 80);
  throw InputError({.where = path_ + ": " + key, .got = got, .expected = expected, .fix = fix});
}

int JsonConfig::Int(const std::string& key, int fallback) const {
  if (!Has(key)) return fallback;
  if (!IsInt(root_.at(key))) Fail(key, "an integer in [1, " + std::to_string(kMaxInt) + "]");
  return root_.at(key).get<int>();
}

double JsonConfig::Number(const std::string& key, double fallback) const {
  if (!Has(key)) return fallback;
  if (!IsNumber(root_.at(key))) Fail(key, "a number");
  return root_.at(key).get<double>();
}

bool JsonConfig::Flag(const std::string& key, bool fallback) const {
  if (!Has(key)) return fallback;
  if (!IsFlag(root_.at(key))) Fail(key, "true or false");
  return root_.at(key).get<bool>();
}

std::string JsonConfig::Text(const std::string& key, const std::string& fallback) const {
  if (!Has(key)) return fallback;
  if (!root_.at(key).is_string()) Fail(key, "a text");
  return root_.at(key).get<std::string>();
}

std::vector<int> JsonConfig::Ints(const std::string& key, const std::vector<int>& fallback) const {
  if (!Has(key)) return fallback;
  bool valid = false;
  std::vector<int> items = Items<int>(root_.at(key), IsInt, valid);
  if (!valid) Fail(key, "a list of integers in [1, " + std::to_string(kMaxInt) + "]");
  return items;
}

std::vector<double> JsonConfig::Numbers(const std::string& key,
                                        const std::vector<double>& fallback) const {
  if (!Has(key)) return fallback;
  bool valid = false;
  std::vector<double> items = Items<double>(root_.at(key), IsNumber, valid);
  if (!valid) Fail(key, "a list of numbers");
  return items;
}

std::vector<bool> JsonConfig::Flags(const std::string& key,
                                    const std::vector<bool>& fallback) const {
  if (!Has(key)) return fallback;
  bool valid = false;
  std::vector<bool> items = Items<bool>(root_.at(key), IsFlag, valid);
  if (!valid) Fail(key, "a list of true and false");
  return items;
}

void JsonConfig::Require(const std::string& key, const json& fallback,
                         const std::vector<json>& accepted) const {
  const json value = root_.value(key, fallback);
  std::string expected;
  for (const json& item : accepted) {
    if (value == item) return;
    expected += (expected.empty() ? "" : " or ") + item.dump();
  }
  Fail(key, expected + ", the only kind known here");
}

void JsonConfig::RequireNone(const std::string& key, const std::string& reason) const {
  if (Has(key) && !(root_.at(key).is_array() && root_.at(key).empty()))
    Fail(key, "null: " + reason);
}

}  // namespace aim
