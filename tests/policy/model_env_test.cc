#include "aim/policy/model_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"
#include "policy/tiny_bundle.h"
#include "support/case_name.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::ExpectThrowsWith;
using testing::kTinyFrames;
using testing::kTinySize;
using testing::MakeSyntheticClip;

constexpr EnvOptions kFitting{.image_size = kTinySize, .frame_period_s = 0.125};

// Two scenes of "reach", one of "wave", of which nobody knows what was done.
SceneSet TwoTasks() {
  return {.tasks = {{.name = "reach", .num_scenes = 2, .has_commands = true},
                    {.name = "wave", .num_scenes = 1}},
          .content = "abc",
          .read = [](size_t task, int scene) {
            const Clip clip =
                MakeSyntheticClip(kTinyFrames, 10 * task + static_cast<size_t>(scene));
            ImaginedScene made;
            made.first = clip;
            for (ClipView& view : made.first.views) {
              view.rgb.resize(view.rgb.size() / kTinyFrames);
              view.num_frames = 1;
            }
            made.first.poses.resize(1);
            if (task == 0) made.commands = clip.poses;
            return made;
          }};
}

class ModelEnvTest : public ::testing::Test {
 protected:
  ModelEnvTest() : model_(Model(testing::TinyConfig(), "model")) {}

  std::shared_ptr<SharedModel> Model(const BundleConfig& config, const std::string& name) const {
    testing::WriteTinyBundle(folder_ / name, config);
    ModelOptions options;
    options.model = (folder_ / name).string();
    return std::make_shared<SharedModel>(options, "cpu");
  }

  std::unique_ptr<Env> Make(const ImaginationOptions& options = {}) const {
    return MakeModelEnv(options, kFitting, model_, std::make_shared<const SceneSet>(TwoTasks()));
  }

  testing::TemporaryFolder folder_;
  std::shared_ptr<SharedModel> model_;
};

// Steps along the recorded commands [from, to).
void Follow(Env& env, const std::vector<ToolPose>& commands, size_t from, size_t to) {
  for (size_t i = from; i < to; ++i)
    EXPECT_TRUE(env.Step(commands[i]).observation.clip.views.empty());
}

TEST_F(ModelEnvTest, AScenesFirstFrameIsWhatTheDataHas) {
  const auto env = Make();
  EXPECT_EQ(env->Tasks(), (std::vector<std::string>{"reach", "wave"}));
  EXPECT_EQ(env->NumVariations("reach"), 2);
  EXPECT_EQ(env->FramesWithoutExpert("reach"), 0);
  EXPECT_EQ(env->FramesWithoutExpert("wave"), kTinyFrames - 1);
  const Observation seen = env->Reset("reach", 1, 7);
  const ImaginedScene scene = TwoTasks().read(0, 1);
  EXPECT_EQ(seen.clip.views[1].rgb, scene.first.views[1].rgb);
  EXPECT_EQ(seen.clip.prompt, scene.first.prompt);
  EXPECT_EQ(ToNumbers(seen.tool()), ToNumbers(scene.commands[0]));
  EXPECT_EQ(env->Plan("reach", 1, 7).commands.size(), scene.commands.size());
  EXPECT_EQ(env->Identity().settings.at("scene_data_content"), "abc");
}

// What is seen after some targets is what a2v makes of them, the last one held.
TEST_F(ModelEnvTest, TheNextPictureIsWhatTheModelMakesOfTheTargets) {
  const auto env = Make({.label_imagined = false});
  const ImaginedScene scene = TwoTasks().read(0, 0);
  env->Reset("reach", 0, 7);
  Follow(*env, scene.commands, 1, 4);
  Observation seen = env->Step(scene.commands[4]).observation;
  env->AsImagination()->Look(seen);
  EXPECT_EQ(ToNumbers(seen.tool()), ToNumbers(scene.commands[4]));
  EXPECT_NEAR(seen.time_s, 4 * 0.125, 1e-12);

  Clip given = scene.first;
  given.fps = model_->For("a2v").config().fps;
  given.poses.assign(scene.commands.begin(), scene.commands.begin() + 5);
  given.poses.resize(kTinyFrames, scene.commands[4]);
  const auto made = model_->For("a2v").Run({given}, {}, Rng(7).Derive(0, "imagine"))[0].videos[1];
  EXPECT_EQ(seen.clip.views[1].rgb, VideoBytes(made)[4]);
  EXPECT_NE(seen.clip.views[1].rgb, scene.first.views[1].rgb);
}

// From there on it goes on; looking is what divides a trial, and more steps than the model has
// frames divide it too.
TEST_F(ModelEnvTest, ATrialGoesOnFromTheLastPicture) {
  const auto env = Make();
  const ImaginedScene scene = TwoTasks().read(0, 0);
  env->Reset("reach", 0, 7);
  Follow(*env, scene.commands, 1, 6);
  Observation seen;
  env->AsImagination()->Look(seen);
  Follow(*env, scene.commands, 2, kTinyFrames);
  const ImaginedTrial trial = env->AsImagination()->Trial();
  const size_t num_frames = 1 + 5 + (kTinyFrames - 2);
  EXPECT_EQ(trial.clip.poses.size(), num_frames);
  EXPECT_EQ(trial.labels.size(), num_frames);
  for (const ClipView& view : trial.clip.views) {
    EXPECT_EQ(view.num_frames, static_cast<int>(num_frames));
    EXPECT_EQ(view.rgb.size(), num_frames * kTinySize * kTinySize * 3);
    EXPECT_TRUE(std::equal(seen.clip.views[0].rgb.begin(), seen.clip.views[0].rgb.end(),
                           trial.clip.views[0].rgb.begin() + 5 * kTinySize * kTinySize * 3));
  }
  EXPECT_FALSE(env->Success());
}

TEST_F(ModelEnvTest, ASeedIsItsNoiseAndTheSameThreeAreTheSameTrial) {
  const auto env = Make();
  const ImaginedScene scene = TwoTasks().read(0, 0);
  const auto play = [&](uint64_t seed) {
    env->Reset("reach", 0, seed);
    Follow(*env, scene.commands, 1, kTinyFrames - 1);
    env->Step(scene.commands.back());
    return env->AsImagination()->Trial();
  };
  const ImaginedTrial first = play(1);
  const ImaginedTrial other = play(2);
  const ImaginedTrial again = play(1);
  EXPECT_EQ(first.clip.views[0].rgb, again.clip.views[0].rgb);
  EXPECT_EQ(first.labels.back().confidence, again.labels.back().confidence);
  EXPECT_NE(first.clip.views[0].rgb, other.clip.views[0].rgb);
}

TEST_F(ModelEnvTest, APictureForPeopleIsThePictureInSquares) {
  const auto env = Make();
  const Observation seen = env->Reset("wave", 0, 7);
  EXPECT_EQ(env->RenderReport(0, kTinySize), seen.clip.views[0].rgb);
  const std::vector<uint8_t> large = env->RenderReport(1, 2 * kTinySize);
  ASSERT_EQ(large.size(), 4 * seen.clip.views[1].rgb.size());
  EXPECT_TRUE(std::equal(large.begin(), large.begin() + 3, large.begin() + 3));
}

TEST_F(ModelEnvTest, WhatCannotBeIsRefused) {
  const auto scenes = std::make_shared<const SceneSet>(TwoTasks());
  const auto make = [&](EnvOptions options) { MakeModelEnv({}, options, model_, scenes); };
  EnvOptions other = kFitting;
  other.image_size = 64;
  ExpectThrowsWith<ConfigError>([&] { make(other); }, {"--image-size is 64", "32x32"});
  other = kFitting;
  other.frame_period_s = 0.2;
  ExpectThrowsWith<ConfigError>([&] { make(other); }, {"--frame-period-s is 0.2", "0.125"});
  other = kFitting;
  other.camera_raise_deg = 5;
  ExpectThrowsWith<ConfigError>([&] { make(other); }, {"--camera-raise-deg", "of the data"});
  const auto env = Make();
  ExpectThrowsWith<ConfigError>([&] { env->PlaceCameras({.moved_deg = 10, .views = {}}); },
                                {"--cameras", "as-trained"});
  ExpectThrowsWith<ConfigError>([&] { env->Reset("reac", 0, 1); }, {"--task", "reach, wave"});
  ExpectThrowsWith<ConfigError>([&] { env->Reset("reach", 2, 1); }, {"--variation is 2", "0 to 1"});
  ExpectThrowsWith<ConfigError>([&] { env->Plan("wave", 0, 1); }, {"demonstration of wave"});
}

// A model that was not trained to imagine is no world, one that cannot label is asked not to.
TEST_F(ModelEnvTest, UntrainedModesAreRefused) {
  BundleConfig config = testing::TinyConfig();
  config.trained_modes = {"i2a", "v2a"};
  const auto scenes = std::make_shared<const SceneSet>(TwoTasks());
  ExpectThrowsWith<ConfigError>([&] { MakeModelEnv({}, kFitting, Model(config, "blind"), scenes); },
                                {"a2v", "i2a, v2a"});
  config.trained_modes = {"i2a", "a2v"};
  const auto model = Model(config, "unlabelled");
  ExpectThrowsWith<ConfigError>([&] { MakeModelEnv({}, kFitting, model, scenes); }, {"v2a"});
  MakeModelEnv({.label_imagined = false}, kFitting, model, scenes);
}

}  // namespace
}  // namespace aim
