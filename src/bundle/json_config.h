// A configuration file in JSON whose keys are all optional.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace aim {

// Every reader returns the fallback if the key is absent or null; another type or a value out of
// range throws InputError naming file and key.
class JsonConfig {
 public:
  // Throws InputError if the file is missing, FormatError if it is no JSON object.
  explicit JsonConfig(const std::filesystem::path& path);

  bool Has(const std::string& key) const;  // there, and not null
  const nlohmann::json& root() const { return root_; }
  const std::string& path() const { return path_; }

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
  std::string path_;
  nlohmann::json root_;
};

}  // namespace aim
