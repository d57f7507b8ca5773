// Fields of JSON objects out of untrusted files: every one is checked for its type and range and
// named in errors as the file does.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace aim {

// A whole file. Throws InputError if it is missing, FormatError naming the byte if it is no JSON or
// holds a number that no double can.
nlohmann::json ReadJsonFile(const std::filesystem::path& path);

// What an error shows of a value: numbers as they are, "a list of 3", "an object".
std::string ShownJson(const nlohmann::json& value);

// Readers without a fallback throw InputError if the key is absent; those with one return it if the
// key is absent or null. Another type, or a value out of range, throws InputError naming the key.
// Numbers must be finite.
class JsonReader {
 public:
  // `where` names the object: "cameras.json" (its key fx is then "cameras.json: fx") or
  // "cameras.json: views[1]" ("cameras.json: views[1].fx"). Throws FormatError unless it is one.
  JsonReader(nlohmann::json object, std::string where);
  // The object of a file. Throws as ReadJsonFile.
  static JsonReader OfFile(const std::filesystem::path& path);

  bool Has(const std::string& key) const;  // there, and not null
  const nlohmann::json& object() const { return object_; }
  const std::string& where() const { return where_; }
  std::string Where(const std::string& key) const;
  // Whether there is a whole number in [low, high].
  bool HasWhole(const std::string& key, double low, double high) const;

  const nlohmann::json& At(const std::string& key) const;
  double Number(const std::string& key) const;
  int Int(const std::string& key) const;  // [1, 2^24]
  std::string Text(const std::string& key) const;

  int Int(const std::string& key, int fallback) const;  // [1, 2^24]
  double Number(const std::string& key, double fallback) const;
  bool Flag(const std::string& key, bool fallback) const;
  std::string Text(const std::string& key, const std::string& fallback) const;
  std::vector<int> Ints(const std::string& key, const std::vector<int>& fallback) const;
  std::vector<double> Numbers(const std::string& key, const std::vector<double>& fallback) const;
  std::vector<bool> Flags(const std::string& key, const std::vector<bool>& fallback) const;

  // The value, `fallback` if absent, must be one of `accepted`; null counts as a value.
  void Require(const std::string& key, const nlohmann::json& fallback,
               const std::vector<nlohmann::json>& accepted) const;
  // The key must be absent, null or (for lists) empty.
  void RequireNone(const std::string& key, const std::string& reason) const;

  [[noreturn]] void Fail(const std::string& key, const std::string& expected,
                         const std::string& fix = "") const;

 private:
  nlohmann::json object_;
  std::string where_;
};

}  // namespace aim
