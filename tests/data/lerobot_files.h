// LeRobot data sets for their tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/data/data_set.h"
#include "aim/media/video.h"
#include "data/change_parquet.h"
#include "data/layout_cases.h"
#include "data/lerobot_writer.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/python.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim::testing {

namespace fs = std::filesystem;
using nlohmann::json;

inline constexpr const char* kData = "data/chunk-000/file-000.parquet";
inline constexpr const char* kVideo = "videos/observation.images.view0/chunk-000/file-000.mp4";

inline std::vector<Episode> MakeLeRobotEpisodes(int count, double fps = 10) {
  std::vector<Episode> episodes;
  Rng rng(3);
  for (int i = 0; i < count; ++i) {
    episodes.push_back(MakeEpisode({.num_frames = 4 + i}, rng));
    episodes.back().clip.fps = fps;
    episodes.back().clip.prompt = i == 1 ? "lift it" : "push it";
  }
  return episodes;
}

inline void WriteThrough(EpisodeSink& sink, const std::vector<Episode>& episodes) {
  for (size_t i = 0; i < episodes.size(); ++i) {
    sink.Write({.name = "number " + std::to_string(i), .path = {}, .task = {}}, episodes[i]);
  }
}

inline void WriteSet(const fs::path& root, const std::vector<Episode>& episodes,
                     const LayoutWriteOptions& options = {}, const LeRobotFileSizes& sizes = {}) {
  const std::unique_ptr<EpisodeSink> sink = MakeLeRobotSink(root, options, sizes);
  WriteThrough(*sink, episodes);
  sink->Finish();
}

inline json ReadMeta(const fs::path& root, const char* name) {
  return json::parse(ReadFile(root / "meta" / name));
}

inline void Replace(const fs::path& path, const std::string& from, const std::string& to) {
  std::string text = ReadFile(path);
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  WriteFileAtomic(path, text.replace(at, from.size(), to));
}

class LeRobotTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  fs::path root_ = folder_ / "set";
};

}  // namespace aim::testing
