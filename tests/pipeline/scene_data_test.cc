#include "aim/pipeline/scene_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/data/action_images.h"
#include "policy/tiny_bundle.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::kTinyFrames;
using testing::kTinySize;
using testing::MakeSyntheticClip;

namespace fs = std::filesystem;

class SceneDataTest : public ::testing::Test {
 protected:
  SceneDataTest() { SetLogLevel(LogLevel::kError); }

  // Episode `index` of a task, at twice the model's size.
  Clip Write(const std::string& task, int index, double fps = 8) const {
    Episode episode;
    episode.clip =
        MakeSyntheticClip(kTinyFrames, 100 + static_cast<uint64_t>(index), 2 * kTinySize);
    episode.clip.fps = fps;
    episode.task = task;
    WriteEpisode(EpisodeFolder(folder_ / "data", task, 0, index), episode, {.previews = false});
    return episode.clip;
  }

  SceneSet Scenes() const {
    ImaginationOptions options;
    options.scene_data = (folder_ / "data").string();
    return ScenesOfData(options, testing::TinyConfig());
  }

  testing::TemporaryFolder folder_;
};

TEST_F(SceneDataTest, AnEpisodeIsAScene) {
  const Clip clip = Write("reach", 0);
  Write("reach", 1);
  Write("wave", 0);
  const SceneSet scenes = Scenes();
  ASSERT_EQ(scenes.tasks.size(), 2u);
  EXPECT_EQ(scenes.tasks[0].name, "reach");
  EXPECT_EQ(scenes.tasks[0].num_scenes, 2);
  EXPECT_TRUE(scenes.tasks[0].has_commands);
  const ImaginedScene scene = scenes.read(0, 0);
  EXPECT_EQ(scene.commands.size(), clip.poses.size());
  EXPECT_EQ(scene.first.width, kTinySize);
  EXPECT_EQ(scene.first.prompt, clip.prompt);
  ASSERT_EQ(scene.first.poses.size(), 1u);
  EXPECT_LT(Difference(scene.first.poses[0], clip.poses[0]).position_mm(), 1e-3);
  for (const ClipView& view : scene.first.views) {
    EXPECT_EQ(view.num_frames, 1);
    EXPECT_EQ(view.rgb.size(), static_cast<size_t>(3 * kTinySize * kTinySize));
    EXPECT_EQ(view.camera.frames.size(), 1u);
  }
  EXPECT_NE(scenes.read(0, 1).first.views[0].rgb, scene.first.views[0].rgb);
}

// Commands of another rate are none of this model's; the scene is one all the same.
TEST_F(SceneDataTest, EpisodesOfAnotherRateHaveNoCommands) {
  Write("reach", 0, 20);
  const SceneSet scenes = Scenes();
  EXPECT_FALSE(scenes.tasks[0].has_commands);
  EXPECT_TRUE(scenes.read(0, 0).commands.empty());
}

TEST_F(SceneDataTest, ItsFingerprintChangesWithTheData) {
  Write("reach", 0);
  const std::string before = Scenes().content;
  EXPECT_EQ(Scenes().content, before);
  Write("reach", 1);
  EXPECT_NE(Scenes().content, before);
}

TEST_F(SceneDataTest, DamagedEpisodesAreLeftOut) {
  Write("reach", 0);
  Write("reach", 1);
  const fs::path damaged = EpisodeFolder(folder_ / "data", "reach", 0, 0);
  for (const auto& entry : fs::recursive_directory_iterator(damaged)) {
    if (entry.is_regular_file()) fs::resize_file(entry.path(), fs::file_size(entry.path()) / 2);
  }
  EXPECT_EQ(Scenes().tasks[0].num_scenes, 1);
  fs::remove_all(EpisodeFolder(folder_ / "data", "reach", 0, 1));
  EXPECT_THROW(Scenes(), InputError);
}

// Of a model that was trained for three views none of these is a scene.
TEST_F(SceneDataTest, OtherViewsThanTheModelsAreRefused) {
  Write("reach", 0);
  BundleConfig config = testing::TinyConfig();
  config.num_views = 3;
  ImaginationOptions options;
  options.scene_data = (folder_ / "data").string();
  ExpectThrowsWith<InputError>([&] { ScenesOfData(options, config); }, {"2 views", "3"});
  options.scene_views = {"top"};
  EXPECT_THROW(ScenesOfData(options, config), Error);
}

// Several of one model list the data once, and imagine the same.
TEST_F(SceneDataTest, EnvironmentsShareModelAndScenes) {
  Write("reach", 0);
  testing::WriteTinyBundle(folder_ / "model");
  ModelOptions model;
  model.model = (folder_ / "model").string();
  ImaginationOptions options;
  options.scene_data = (folder_ / "data").string();
  const auto make = ImaginedEnvs(options, std::make_shared<SharedModel>(model, "cpu"));
  const EnvOptions fitting{.image_size = kTinySize, .frame_period_s = 0.125};
  const auto first = make(fitting);
  fs::remove_all(folder_ / "model");
  const auto second = make(fitting);
  const Demonstration one = first->Demo("reach", 0, 3);
  EXPECT_EQ(one.clip.views[0].num_frames, kTinyFrames);
  EXPECT_EQ(one.clip.views[0].rgb, second->Demo("reach", 0, 3).clip.views[0].rgb);
}

}  // namespace
}  // namespace aim
