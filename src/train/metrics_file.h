// metrics.jsonl: one JSON object a line, whole lines only, consistent with the checkpoint in use.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace aim {

class MetricsFile {
 public:
  // Keeps the lines up to `train_step` (a resumed run may have logged beyond its checkpoint) and
  // drops a torn last line.
  MetricsFile(std::filesystem::path path, int64_t train_step);

  // Appends one line and flushes it. Throws IoError.
  void Append(const nlohmann::json& line);

 private:
  std::filesystem::path path_;
};

}  // namespace aim
