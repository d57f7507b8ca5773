// A build without Gloo's headers.
#include "aim/base/error.h"
#include "aim/train/launch.h"

namespace aim {

std::unique_ptr<Comm> MeetRanks(const Launch& launch, c10::Device) {
  throw ConfigError({.where = "the environment of " + launch.launcher,
                     .got = std::to_string(launch.size) + " ranks",
                     .expected = "1: this build has no communication between processes",
                     .fix = "install libgloo-dev and build again"});
}

}  // namespace aim
