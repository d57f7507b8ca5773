// One bundle for all who generate with it.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "aim/policy/clip_generator.h"

namespace aim {

// Loaded when it is first asked for, once. Thread-safe.
class SharedModel {
 public:
  SharedModel(ModelOptions options, std::string device);

  // Throws what ClipGenerator's constructor throws.
  ClipGenerator For(const std::string& mode);

  // Who holds it generates: one at a time has the memory and the threads that it has alone, and so
  // the same numbers.
  std::mutex& turns() { return turns_; }

  const ModelOptions& options() const { return options_; }

 private:
  const ModelOptions options_;
  const std::string device_;
  std::mutex loading_;
  std::mutex turns_;
  std::optional<ClipGenerator> loaded_;
};

}  // namespace aim
