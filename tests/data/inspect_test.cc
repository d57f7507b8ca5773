#include "aim/data/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/error.h"
#include "aim/data/action_images.h"
#include "data/make_episode.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::MakeEpisode;
using testing::TemporaryFolder;

TEST(InspectTest, CountsAndNamesTheDamaged) {
  Rng rng(1);
  const TemporaryFolder folder;
  for (int i = 0; i < 4; ++i) {
    Episode episode = MakeEpisode({.num_frames = 3 + i}, rng);
    episode.clip.prompt = i % 2 == 0 ? "push it" : "press it";
    WriteEpisode(EpisodeFolder(folder.path(), "push_button", i % 2, i), episode);
  }
  WriteEpisode(EpisodeFolder(folder.path(), "close_drawer", 0, 0), MakeEpisode({}, rng));
  fs::remove(EpisodeFolder(folder.path(), "push_button", 1, 1) / "actions.npy");
  Progress silent;
  const nlohmann::json report = ToJson(InspectData(OpenDataSet(folder.path()), silent));
  EXPECT_EQ(report["episodes"], 4);
  EXPECT_EQ(report["frames"], 3 + 5 + 6 + 9);
  EXPECT_EQ(report["tasks"]["push_button"]["episodes"], 3);
  EXPECT_EQ(report["tasks"]["push_button"]["variations"]["0"], 2);
  EXPECT_EQ(report["tasks"]["push_button"]["frames"]["min"], 3);
  EXPECT_EQ(report["tasks"]["push_button"]["frames"]["max"], 6);
  EXPECT_EQ(report["tasks"]["push_button"]["prompts"].size(), 2u);
  EXPECT_EQ(report["sizes"]["16x16"], 4);
  EXPECT_EQ(report["fps"]["8.333"], 4);
  EXPECT_EQ(report["views"]["2"], 4);
  ASSERT_EQ(report["damaged"].size(), 1u);
  EXPECT_EQ(report["damaged"][0]["episode"], "push_button/variation1/episode1");
  EXPECT_THAT(report["damaged"][0]["problem"].get<std::string>(), HasSubstr("actions.npy"));
}

}  // namespace
}  // namespace aim
