// The files that tests read.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace aim::testing {

// The repository. ctest sets AIM_SOURCE_DIR.
inline std::filesystem::path SourceDir() {
  const char* folder = std::getenv("AIM_SOURCE_DIR");
  EXPECT_NE(folder, nullptr) << "set AIM_SOURCE_DIR to the repository, or run ctest";
  return folder == nullptr ? "." : folder;
}

// A small random pipeline as Diffusers saves it.
inline std::filesystem::path DiffusersPipeline() {
  return SourceDir() / "tests/data/parity/pipeline";
}

}  // namespace aim::testing
