#include "aim/model/autoencoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"

namespace aim {
namespace {

TEST(LatentFramesTest, CountsAndInverts) {
  for (int64_t latent_frames = 1; latent_frames < 12; ++latent_frames) {
    EXPECT_EQ(LatentFrames(VideoFrames(latent_frames, 4), 4), latent_frames);
  }
  EXPECT_EQ(LatentFrames(41, 4), 11);
}

TEST(LatentFramesTest, NamesTheClipAndTheRule) {
  for (const int64_t num_frames : {-3, 0, 2, 4, 16, 40}) {
    try {
      LatentFrames(num_frames, 4, "actions.npy");
      FAIL() << num_frames;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("actions.npy is " +
                                                     std::to_string(num_frames) + " frames long"));
      EXPECT_THAT(error.what(), ::testing::HasSubstr("multiple of 4, plus 1"));
    }
  }
}

}  // namespace
}  // namespace aim
