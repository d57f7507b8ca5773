#include "train/sample_strips.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/tiny_bundle.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SampleStripsTest : public ::testing::Test {
 protected:
  SampleStripsTest() {
    testing::WriteTinyBundle(folder_ / "model");
    bundle_ = LoadBundle(folder_ / "model");
  }

  std::vector<SampleStrip> Strips(const std::string& mode, const std::vector<Clip>& clips) {
    const GeneratorModel model{&bundle_.dit, bundle_.autoencoder.get(), bundle_.text.get(),
                               bundle_.config.action_image, bundle_.config.num_frames};
    GenerateOptions options;
    options.sampler.sampling = bundle_.config.diffusion;
    return MakeSampleStrips(model, FindMode(mode), clips, options, Rng(5));
  }

  static std::vector<std::string> Labels(const SampleStrip& strip) {
    std::vector<std::string> labels;
    for (const SampleRow& row : strip.rows) labels.push_back(row.label);
    return labels;
  }

  // Width and height in the head of a PNG file.
  static int64_t PngNumber(const std::string& png, size_t at) {
    int64_t number = 0;
    for (size_t i = at; i < at + 4; ++i) number = number << 8 | static_cast<uint8_t>(png.at(i));
    return number;
  }

  testing::TemporaryFolder folder_;
  Bundle bundle_;
};

TEST_F(SampleStripsTest, AModeShowsWhatItMakes) {
  const std::vector<Clip> clips = {testing::MakeSyntheticClip(testing::kTinyFrames, 1),
                                   testing::MakeSyntheticClip(testing::kTinyFrames, 2)};
  for (const char* mode : {"i2a", "v2a"}) {
    const std::vector<SampleStrip> strips = Strips(mode, clips);
    ASSERT_EQ(strips.size(), 2U);
    EXPECT_THAT(Labels(strips[1]), ElementsAre("recorded actions", "model's actions"));
    EXPECT_THAT(strips[1].result, HasSubstr("decod"));
    EXPECT_EQ(strips[1].prompt, "reach the red ball");
    EXPECT_NE(strips[0].rows[0].png, strips[1].rows[0].png);
  }
  EXPECT_THAT(Labels(Strips("a2v", clips)[0]), ElementsAre("recorded", "model"));
  EXPECT_EQ(Strips("i2v", clips)[0].result, "");
  EXPECT_THAT(Labels(Strips("i2va", clips)[0]),
              ElementsAre("recorded", "model", "recorded actions", "model's actions"));
}

// Every frame: recorded on the left, the model's on the right, actions below the pictures.
TEST_F(SampleStripsTest, FramesShowAllOfItBesideTheRecordedOnes) {
  const Clip clip = testing::MakeSyntheticClip(testing::kTinyFrames, 1);
  constexpr int kPair = 2 * testing::kTinySize + 2;
  for (const auto& [mode, height] :
       std::vector<std::pair<std::string, int>>{{"i2va", kPair}, {"i2a", testing::kTinySize}}) {
    for (const SampleStrip& strip : Strips(mode, {clip, clip})) {
      ASSERT_EQ(strip.frames.size(), static_cast<size_t>(testing::kTinyFrames));
      EXPECT_EQ(strip.frames[8].width, kPair);
      EXPECT_EQ(strip.frames[8].height, height);
      EXPECT_EQ(strip.fps, clip.fps);
      if (mode != "i2va") continue;  // whose first pixel is that of the picture that was recorded
      const size_t bytes = clip.views[0].rgb.size() / testing::kTinyFrames;
      EXPECT_EQ(strip.frames[5].rgb[1], clip.views[0].rgb[5 * bytes + 1]);
    }
  }
}

// Six moments of nine frames, two white pixels between them.
TEST_F(SampleStripsTest, AStripIsAPictureOfSixMoments) {
  const Clip clip = testing::MakeSyntheticClip(testing::kTinyFrames, 1);
  const std::vector<SampleStrip> strips = Strips("i2va", {clip});
  for (const SampleRow& row : strips.at(0).rows) {
    EXPECT_EQ(row.png.substr(1, 3), "PNG");
    EXPECT_EQ(row.width_px, 6 * testing::kTinySize + 5 * 2);
    EXPECT_EQ(PngNumber(row.png, 16), row.width_px);
    EXPECT_EQ(PngNumber(row.png, 20), testing::kTinySize);
  }
}

}  // namespace
}  // namespace aim
