// In place of demo_videos.cc in a core build, which writes no videos.
#include "aim/base/error.h"
#include "pipeline/demo_jobs.h"

namespace aim {

DemoReport CollectVideos(const DemoCollectionOptions&, const EnvFactory&, RunContext&) {
  throw ConfigError(
      {.where = "--cache",
       .got = "not given",
       .expected = "--cache --model BUNDLE: this build (AIM_CORE_ONLY) writes no videos",
       .fix = "give both, or use a full build"});
}

}  // namespace aim
