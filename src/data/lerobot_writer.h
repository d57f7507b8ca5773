// Writes LeRobot data sets, v3.0. docs/reference/formats.md 3.2, 3.4 and 9.10.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "aim/data/layout.h"

namespace aim {

// A file that has grown to its size is followed by another (0: after each episode); an episode lies
// in one.
struct LeRobotFileSizes {
  int64_t data_mb = 100;
  int64_t video_mb = 200;
};

// All lies in a hidden folder of `root` until Finish moves it up, meta/ last: a run that is killed
// leaves nothing that looks like a data set. Episodes differ in length, prompt and cameras alone;
// others are InputError.
std::unique_ptr<EpisodeSink> MakeLeRobotSink(const std::filesystem::path& root,
                                             const LayoutWriteOptions& options,
                                             const LeRobotFileSizes& sizes = {});

}  // namespace aim
