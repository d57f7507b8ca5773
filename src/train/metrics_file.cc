#include "train/metrics_file.h"

#include <fstream>
#include <sstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"

namespace aim {

MetricsFile::MetricsFile(std::filesystem::path path, int64_t train_step) : path_(std::move(path)) {
  if (!std::filesystem::exists(path_)) {
    WriteFileAtomic(path_, "");
    return;
  }
  const std::string text = ReadFile(path_);
  const size_t whole = text.rfind('\n') + 1;  // 0 if there is no line
  if (whole < text.size()) WriteFileAtomic(path_, text.substr(0, whole));
  if (whole == 0) return;
  std::istringstream lines(text.substr(0, whole));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json object = ParseJson(line);
    history_.Add(object);
    if (!object.is_object() || !object.contains("train_step")) continue;
    const nlohmann::json& step = object["train_step"];
    if (step.is_number_integer() && step <= train_step) Remember(object);
  }
  Append({{"resumed_at_step", train_step}});
}

void MetricsFile::Append(const nlohmann::json& line) {
  std::ofstream file(path_, std::ios::app);
  file << line.dump() << '\n' << std::flush;
  if (!file) throw IoError({path_.string(), "not writable", "", "free some space and resume"});
  Remember(line);
  history_.Add(line);
}

nlohmann::json MetricsFile::Last(const std::string& key) const {
  const auto found = last_.find(key);
  return found == last_.end() ? nlohmann::json() : found->second;
}

void MetricsFile::Remember(const nlohmann::json& line) {
  for (const auto& [key, value] : line.items()) last_[key] = line;
}

}  // namespace aim
