// metrics.jsonl: one JSON object a line, whole lines only. The file only ever grows.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "train/run_history.h"

namespace aim {

class MetricsFile {
 public:
  // Goes on with a file that exists: its lines stay, but for a last one that was torn. The first
  // line then appended is {"resumed_at_step": train_step}: lines above it of later steps are those
  // of an attempt that was cut off.
  MetricsFile(std::filesystem::path path, int64_t train_step);

  // Appends one line and flushes it. Throws IoError.
  void Append(const nlohmann::json& line);

  // The newest line that has `key`, of those up to the step the file was opened at and those
  // appended since; null if there is none.
  nlohmann::json Last(const std::string& key) const;

  // The same lines, each step once.
  const RunHistory& history() const { return history_; }

 private:
  void Remember(const nlohmann::json& line);

  std::filesystem::path path_;
  std::map<std::string, nlohmann::json> last_;  // by key
  RunHistory history_;
};

}  // namespace aim
