// What libFuzzer found to reach every branch of a reader: tests/data/fuzz/<name>/.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "support/source_dir.h"

namespace aim::testing {

inline bool HasCorpus(const std::string& name) {
  return std::filesystem::is_directory(SourceDir() / "tests/data/fuzz" / name);
}

// The inputs, in the order of their names.
inline std::vector<std::string> ReadCorpus(const std::string& name) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(SourceDir() / "tests/data/fuzz" / name))
    files.push_back(entry.path());
  std::ranges::sort(files);
  std::vector<std::string> inputs;
  for (const std::filesystem::path& file : files) inputs.push_back(ReadFile(file));
  EXPECT_FALSE(inputs.empty()) << name;
  return inputs;
}

}  // namespace aim::testing
