#include "aim/pipeline/drift.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "pipeline/clip_files.h"
#include "support/source_dir.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::TemporaryFolder;

constexpr int kClips = 2;
constexpr int kFrames = 17;

// The shipped model: random weights make nothing that can be decoded.
class DriftTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    for (uint64_t seed = 0; seed < kClips; ++seed) {
      testing::WriteClipFiles(*folder_ / "clips" / std::to_string(seed),
                              testing::MakeSyntheticClip(kFrames, 30 + seed, 64));
    }
  }
  static void TearDownTestSuite() { delete folder_; }

  static DriftOptions Options(std::vector<std::string> against) {
    DriftOptions options;
    options.model.model = testing::SourceDir().string() + "/assets/tiny";
    options.data.path = (*folder_ / "clips").string();
    options.against = std::move(against);
    return options;
  }

  static TemporaryFolder* folder_;
};
TemporaryFolder* DriftTest::folder_ = nullptr;

TEST_F(DriftTest, TheSameSettingsGiveTheSamePoses) {
  RunContext run;
  const nlohmann::json report = ToJson(RunDrift(Options({"allow_untrained=true"}), run));
  EXPECT_EQ(report["clips"], kClips);
  EXPECT_EQ(report["frames"], kClips * (kFrames - 1));
  EXPECT_EQ(report["decodable_differs"], 0);
  EXPECT_EQ(report["gripper_differs"], 0);
  ASSERT_FALSE(report["position_mm"].is_null()) << "nothing was decoded";
  EXPECT_EQ(report["position_mm"]["max"], 0);
  EXPECT_NEAR(report["latent_cosine"]["min"].get<double>(), 1, 1e-6);
  EXPECT_NEAR(report["rotation_deg"]["max"].get<double>(), 0, 1e-5);
}

TEST_F(DriftTest, OtherSettingsAreMeasuredAndRecorded) {
  const std::filesystem::path out = *folder_ / "drift.json";
  RunContext run({.out = out});
  const nlohmann::json report = ToJson(RunDrift(Options({"steps=2"}), run));
  EXPECT_EQ(nlohmann::json::parse(ReadFile(out)), report);
  EXPECT_EQ(report["settings"][0]["steps"], 0);
  EXPECT_EQ(report["settings"][1]["steps"], 2);
  ASSERT_FALSE(report["position_mm"].is_null()) << "nothing was decoded";
  EXPECT_GT(report["position_mm"]["median"], 0);
  EXPECT_GE(report["position_mm"]["max"], report["position_mm"]["median"]);
}

// Eight bits move latents a little, and the poses that they show by less than the model's own
// error.
TEST_F(DriftTest, EightBitsAreMeasuredAndSmall) {
  RunContext run;
  const DriftReport report = RunDrift(Options({"dtype=fp8"}), run);
  EXPECT_LT(report.latent_cosine_min, 1);
  EXPECT_GT(report.latent_cosine_min, 0.986);
  EXPECT_LE(report.latent_cosine_min, report.latent_cosine_median);
  ASSERT_TRUE(report.position_mm.has_value());
  EXPECT_GT(report.position_mm->median, 0);
  EXPECT_LT(report.position_mm->median, 5);
}

TEST_F(DriftTest, IsRefusedInOneSentence) {
  RunContext run;
  const auto drift = [&](const DriftOptions& options) { RunDrift(options, run); };
  ExpectThrowsWith<ConfigError>([&] { drift(Options({})); }, {"--against", "dtype=bf16"});
  ExpectThrowsWith<ConfigError>([&] { drift(Options({"steps"})); }, {"--against", "key=value"});
  ExpectThrowsWith<ConfigError>([&] { drift(Options({"stepps=3"})); }, {"stepps", "steps"});
  DriftOptions no_actions = Options({"steps=3"});
  no_actions.mode = "i2v";
  ExpectThrowsWith<ConfigError>([&] { drift(no_actions); }, {"--mode", "i2a"});
  DriftOptions no_data = Options({"steps=3"});
  no_data.data.path.clear();
  ExpectThrowsWith<ConfigError>([&] { drift(no_data); }, {"--data"});
}

}  // namespace
}  // namespace aim
