#include "train/metrics_file.h"

#include <fstream>
#include <sstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"

namespace aim {

MetricsFile::MetricsFile(std::filesystem::path path, int64_t train_step) : path_(std::move(path)) {
  std::string kept;
  if (train_step > 0 && std::filesystem::exists(path_)) {
    std::istringstream lines(ReadFile(path_));
    for (std::string line; std::getline(lines, line);) {
      const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
      if (object.is_object() && object.value("train_step", train_step + 1) <= train_step)
        kept += line + "\n";
    }
  }
  WriteFileAtomic(path_, kept);
}

void MetricsFile::Append(const nlohmann::json& line) {
  std::ofstream file(path_, std::ios::app);
  file << line.dump() << '\n' << std::flush;
  if (!file) throw IoError({path_.string(), "not writable", "", "free some space and resume"});
}

}  // namespace aim
