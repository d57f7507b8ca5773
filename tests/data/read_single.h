// Data sets of one episode.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "aim/data/data_set.h"

namespace aim::testing {

// The episode at `root`, which holds no other.
inline Episode ReadSingle(const std::filesystem::path& root, std::string_view layout = "auto") {
  const DataSet data = OpenDataSet(root, layout);
  EXPECT_EQ(data.episodes().size(), 1u);
  return data.Read(data.episodes().at(0));
}

}  // namespace aim::testing
