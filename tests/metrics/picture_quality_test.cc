#include "aim/metrics/picture_quality.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "support/made_numbers.h"
#include "support/source_dir.h"

namespace aim {
namespace {

using testing::MadePictures;
using testing::MakePicturePair;

// Values of scikit-image and torchmetrics: scripts/make_metric_fixture.py. Both sum in float64.
TEST(PictureQuality, AgreesWithScikitImage) {
  const auto fixture = nlohmann::json::parse(
      ReadFile(testing::SourceDir() / "tests/data/metric_fixture.json"))["pictures"];
  ASSERT_EQ(fixture.size(), 2u);
  for (const auto& [name, expected] : fixture.items()) {
    const int width = expected["width"];
    const int height = expected["height"];
    const MadePictures pair = MakePicturePair(width, height);
    EXPECT_NEAR(PicturePsnrDb(pair.first, pair.second), expected["psnr_db"], 1e-9) << name;
    EXPECT_NEAR(Ssim(pair.first, pair.second, width, height), expected["ssim"], 1e-9) << name;
  }
}

TEST(PictureQuality, OfAPictureWithItself) {
  const std::vector<uint8_t> picture = MakePicturePair(16, 12).first;
  EXPECT_TRUE(std::isinf(PicturePsnrDb(picture, picture)));
  EXPECT_EQ(Ssim(picture, picture, 16, 12), 1);
}

TEST(PictureQuality, IsSymmetricAndFallsWithNoise) {
  const MadePictures pair = MakePicturePair(24, 24);
  EXPECT_EQ(PicturePsnrDb(pair.first, pair.second), PicturePsnrDb(pair.second, pair.first));
  EXPECT_NEAR(Ssim(pair.first, pair.second, 24, 24), Ssim(pair.second, pair.first, 24, 24), 1e-12);
  double psnr_db = 100;
  double ssim = 1;
  for (const int noise : {1, 4, 16}) {
    std::vector<uint8_t> noisy = pair.first;
    for (size_t i = 0; i < noisy.size(); i += 2) noisy[i] = static_cast<uint8_t>(noisy[i] ^ noise);
    EXPECT_LT(PicturePsnrDb(pair.first, noisy), psnr_db);
    EXPECT_LT(Ssim(pair.first, noisy, 24, 24), ssim);
    psnr_db = PicturePsnrDb(pair.first, noisy);
    ssim = Ssim(pair.first, noisy, 24, 24);
  }
}

// One level everywhere: 20 log10(255).
TEST(PictureQuality, OneLevelIsFortyEightDecibels) {
  const std::vector<uint8_t> dark(12, 10), light(12, 11);
  EXPECT_NEAR(PicturePsnrDb(dark, light), 48.1308036, 1e-6);
}

}  // namespace
}  // namespace aim
