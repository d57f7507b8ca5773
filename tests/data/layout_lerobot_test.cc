// LeRobot data sets that are written, beyond what every layout has to do (layout_test.cc).
#include "data/lerobot_files.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using testing::RigidNear;
using testing::TemporaryFolder;

using testing::kData;
using testing::kVideo;
using testing::LeRobotTest;
using testing::MakeLeRobotEpisodes;
using testing::ReadMeta;
using testing::Replace;
using testing::WriteSet;
using testing::WriteThrough;

// The shape of what LeRobot 0.6.1 reads (docs/reference/formats.md 3.2).
TEST_F(LeRobotTest, WhatIsWrittenHasTheSchemaOfVersion3) {
  WriteSet(root_, MakeLeRobotEpisodes(3));
  const json info = ReadMeta(root_, "info.json");
  EXPECT_EQ(info.at("codebase_version"), "v3.0");
  EXPECT_TRUE(info.at("fps").is_number_integer());
  EXPECT_EQ(info.at("total_episodes"), 3);
  EXPECT_EQ(info.at("total_frames"), 4 + 5 + 6);
  EXPECT_EQ(info.at("total_tasks"), 2);
  EXPECT_EQ(info.at("splits").at("train"), "0:3");
  const json& features = info.at("features");
  EXPECT_EQ(features.at("observation.images.view1").at("shape"), json({16, 16, 3}));
  EXPECT_EQ(features.at("action").at("names").at(7), "gripper_open");
  EXPECT_EQ(features.at("action_valid").at("dtype"), "bool");
  EXPECT_EQ(features.at("camera_extrinsics_c2w.view0").at("shape"), json({16}));
  EXPECT_TRUE(features.at("timestamp").at("names").is_null());

  const ParquetTable rows =
      ParquetFile(root_ / kData)
          .Read({"index", "frame_index", "episode_index", "task_index", "timestamp"});
  EXPECT_THAT(rows.Ints("index"), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14));
  EXPECT_THAT(rows.Ints("frame_index"), ElementsAre(0, 1, 2, 3, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5));
  EXPECT_THAT(rows.Ints("task_index"), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0));
  EXPECT_FLOAT_EQ(static_cast<float>(rows.Numbers("timestamp")[8]), 0.4F);
  EXPECT_EQ(ParquetFile(root_ / kData).columns().size() + 2, features.size());  // but the videos

  const ParquetTable tasks = ParquetFile(root_ / "meta/tasks.parquet").Read({"task_index", "task"});
  EXPECT_THAT(tasks.Texts("task"), ElementsAre("push it", "lift it"));
  const std::string view = "videos/observation.images.view0/";
  const ParquetTable episodes =
      ParquetFile(root_ / "meta/episodes/chunk-000/file-000.parquet")
          .Read({"length", "dataset_from_index", "dataset_to_index", view + "from_timestamp",
                 view + "to_timestamp", "meta/episodes/file_index", "stats/action/count"});
  EXPECT_THAT(episodes.Ints("length"), ElementsAre(4, 5, 6));
  EXPECT_THAT(episodes.Ints("dataset_from_index"), ElementsAre(0, 4, 9));
  EXPECT_THAT(episodes.Ints("dataset_to_index"), ElementsAre(4, 9, 15));
  EXPECT_THAT(episodes.Numbers(view + "from_timestamp"), ElementsAre(0, 0.4, 0.9));
  EXPECT_THAT(episodes.Numbers(view + "to_timestamp"), ElementsAre(0.4, 0.9, 1.5));
  EXPECT_THAT(episodes.Numbers("stats/action/count"), ElementsAre(4, 5, 6));
}

TEST_F(LeRobotTest, StatisticsAreThoseOfAllEpisodes) {
  const std::vector<Episode> episodes = MakeLeRobotEpisodes(2);
  WriteSet(root_, episodes);
  double sum = 0;
  for (const Episode& episode : episodes) {
    for (const ToolPose& pose : episode.clip.poses) sum += pose.world_from_tool.translation.x();
  }
  const json statistics = ReadMeta(root_, "stats.json");
  EXPECT_NEAR(statistics.at("action").at("mean").at(0).get<double>(), sum / 9, 1e-9);
  EXPECT_EQ(statistics.at("action").at("count"), json({9}));
  const json& picture = statistics.at("observation.images.view0");
  EXPECT_EQ(picture.at("q50").size(), 3U);
  EXPECT_GE(picture.at("min").at(0).at(0).at(0).get<double>(), 0);
  EXPECT_LE(picture.at("max").at(2).at(0).at(0).get<double>(), 1);
}

// One file an episode, then all over the other way round: what is read does not depend on it.
TEST_F(LeRobotTest, EpisodesGoIntoAsManyFilesAsTheyNeed) {
  const std::vector<Episode> episodes = MakeLeRobotEpisodes(3);
  WriteSet(root_, episodes, {}, {.data_mb = 0, .video_mb = 0});
  EXPECT_TRUE(fs::exists(root_ / "data/chunk-000/file-002.parquet"));
  EXPECT_TRUE(fs::exists(root_ / "videos/observation.images.view1/chunk-000/file-002.mp4"));
  const DataSet data = OpenDataSet(root_);
  ASSERT_EQ(data.episodes().size(), 3U);
  for (size_t i = 0; i < episodes.size(); ++i) {
    const Episode read = data.Read(data.episodes()[i]);
    EXPECT_TRUE(read.clip.views[1].rgb == episodes[i].clip.views[1].rgb);
    EXPECT_EQ(read.clip.prompt, episodes[i].clip.prompt);
  }
}

// The second episode is opened without another run over the file, which has lost its end by then.
TEST_F(LeRobotTest, ASharedVideoIsRunOverOnce) {
  WriteSet(root_, MakeLeRobotEpisodes(3), {.lossless = false});
  const DataSet data = OpenDataSet(root_);
  data.Read(data.episodes()[0]);
  fs::resize_file(root_ / kVideo, fs::file_size(root_ / kVideo) - 10);
  EXPECT_EQ(data.Read(data.episodes()[1]).clip.views[0].num_frames, 5);
  const DataSet again = OpenDataSet(root_);
  EXPECT_THROW(again.Read(again.episodes()[1]), FormatError);
}

// A run that is killed, or ended by an error, leaves nothing that looks like a data set, and the
// next one is not in its way.
TEST_F(LeRobotTest, WithoutItsEndThereIsNoDataSet) {
  {
    const std::unique_ptr<EpisodeSink> sink = MakeLeRobotSink(root_, {});
    WriteThrough(*sink, MakeLeRobotEpisodes(1));
    ExpectThrowsWith<InputError>([&] { OpenDataSet(root_); }, {"without episodes"});
    ExpectThrowsWith<InputError>(
        [&] { WriteThrough(*MakeLeRobotSink(root_, {}), MakeLeRobotEpisodes(1)); },
        {"being written by another program"});
  }
  EXPECT_TRUE(fs::is_empty(root_));
  const std::unique_ptr<EpisodeSink> sink = MakeLeRobotSink(root_, {});
  WriteThrough(*sink, MakeLeRobotEpisodes(1));
  sink->Finish();
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 3);
  EXPECT_EQ(OpenDataSet(root_).episodes().size(), 1U);
  ExpectThrowsWith<InputError>([&] { WriteSet(root_, MakeLeRobotEpisodes(1)); },
                               {"meta", "a folder without a data set"});
  ExpectThrowsWith<InputError>([&] { MakeLeRobotSink(folder_ / "x", {})->Finish(); },
                               {"a data set without episodes"});
}

struct OddEpisode {
  std::string name;
  std::function<void(Episode&)> change;
  std::vector<std::string> words;
};
class OddEpisodeTest : public ::testing::TestWithParam<OddEpisode> {};

// It is left out, and what was written before and comes after is whole.
TEST_P(OddEpisodeTest, IsRefusedAndTheOthersAreWritten) {
  const TemporaryFolder folder;
  std::vector<Episode> episodes = MakeLeRobotEpisodes(3);
  GetParam().change(episodes[1]);
  const std::unique_ptr<EpisodeSink> sink = MakeLeRobotSink(folder.path(), {});
  std::vector<Skipped> skipped;
  for (const Episode& episode : episodes) {
    TryOrSkip("one", skipped,
              [&] { sink->Write({.name = "that one", .path = {}, .task = {}}, episode); });
  }
  sink->Finish();
  ASSERT_EQ(skipped.size(), 1U);
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(skipped[0].problem, ::testing::HasSubstr(word));
  }
  const DataSet data = OpenDataSet(folder.path());
  ASSERT_EQ(data.episodes().size(), 2U);
  EXPECT_TRUE(data.Read(data.episodes()[1]).clip.views[0].rgb == episodes[2].clip.views[0].rgb);
}

INSTANTIATE_TEST_SUITE_P(
    Table, OddEpisodeTest,
    ::testing::Values(
        OddEpisode{"rate",
                   [](Episode& episode) { episode.clip.fps = 12; },
                   {"that one is of 12 frames a second", "10, as the episodes before"}},
        OddEpisode{"size",
                   [](Episode& episode) {
                     Rng rng(4);
                     episode = testing::MakeEpisode({.num_frames = 3, .size_px = 32}, rng);
                     episode.clip.fps = 10;
                   },
                   {"view0, view1 of 32x32 pixels", "16x16"}},
        OddEpisode{"views",
                   [](Episode& episode) { episode.clip.views.pop_back(); },
                   {"of the views view0 of 16x16", "view0, view1 of"}},
        OddEpisode{"cameras",
                   [](Episode& episode) { episode.clip.views[1].camera.frames.clear(); },
                   {"without calibrated cameras", "with them"}},
        OddEpisode{"confidence",
                   [](Episode& episode) { episode.confidence.assign(5, 0.5); },
                   {"with confidences", "without them"}},
        OddEpisode{"poses",
                   [](Episode& episode) { episode.clip.poses.resize(3); },
                   {"3 poses", "one for each of 5 frames, the first or none"}}),
    testing::CaseName());

// LeRobot's policies want a state; one that is the action again was not measured.
TEST_F(LeRobotTest, WithoutMeasuredPosesTheStateIsTheAction) {
  std::vector<Episode> episodes = MakeLeRobotEpisodes(2);
  for (Episode& episode : episodes) episode.measured.clear();
  WriteSet(root_, episodes);
  const nlohmann::json info = nlohmann::json::parse(ReadFile(root_ / "meta/info.json"));
  EXPECT_EQ(info["features"]["observation.state"]["shape"], info["features"]["action"]["shape"]);
  const DataSet data = OpenDataSet(root_);
  const Episode read = data.Read(data.episodes()[0]);
  EXPECT_EQ(read.clip.poses.size(), episodes[0].clip.poses.size());
  EXPECT_TRUE(read.measured.empty());
}

TEST_F(LeRobotTest, LossyPicturesNeedEvenSides) {
  Rng rng(4);
  Episode episode = testing::MakeEpisode({.num_frames = 2, .size_px = 15}, rng);
  ExpectThrowsWith<InputError>([&] { WriteSet(root_, {episode}, {.lossless = false}); },
                               {"15x15", "even sides"});
  WriteSet(root_, {episode});
  EXPECT_EQ(OpenDataSet(root_).Shape(OpenDataSet(root_).episodes()[0]).width, 15);
}

// meta/cameras.json is a camera file as any other where every camera is fixed.
TEST_F(LeRobotTest, FixedCamerasStandInMetaToo) {
  std::vector<Episode> episodes = MakeLeRobotEpisodes(2);
  for (size_t view = 0; view < 2; ++view) {
    episodes[1].clip.views[view].camera = episodes[0].clip.views[view].camera;
  }
  WriteSet(root_, episodes);
  const std::vector<CameraTrack> tracks = ReadCamerasJson(root_ / "meta/cameras.json");
  ASSERT_EQ(tracks.size(), 2U);
  EXPECT_EQ(tracks[1].name, "view1");
  EXPECT_EQ(tracks[1].frames[0].fx, episodes[0].clip.views[1].camera.frames[0].fx);
  WriteSet(folder_ / "other", MakeLeRobotEpisodes(2));
  const json other = ReadMeta(folder_ / "other", "cameras.json");
  EXPECT_EQ(other.at("views").at(0).at("fixed"), false);
  EXPECT_FALSE(other.at("views").at(0).contains("fx"));
}

// A frame whose action is not valid has the pose before it, without confidence.
TEST_F(LeRobotTest, FramesWithoutAValidActionAreHeld) {
  const Episode episode = MakeLeRobotEpisodes(1)[0];
  WriteSet(root_, {episode});
  std::vector<ParquetColumn> columns =
      ParquetFile(root_ / kData).Read(ParquetFile(root_ / kData).columns()).columns();
  for (ParquetColumn& column : columns) {
    if (column.name == "action_valid") {
      std::vector<bool>& valid = std::get<std::vector<bool>>(column.values);
      ASSERT_EQ(valid.size(), 32U);
      valid[3] = valid[8 + 7] = valid[3 * 8] = false;  // frames 0, 1 and 3
    }
  }
  ParquetWriter writer(root_ / kData, columns);
  writer.Append(columns);
  writer.Finish();
  const DataSet data = OpenDataSet(root_);
  const Episode read = data.Read(data.episodes()[0]);
  EXPECT_THAT(read.confidence, ElementsAre(0, 0, 1, 0));
  for (const ToolPose& pose : read.clip.poses) {
    EXPECT_THAT(pose.world_from_tool, RigidNear(episode.clip.poses[2].world_from_tool,
                                                testing::kFloat32M, testing::kFloat32Rad));
  }
}

// The real package (lerobot 0.4 or later) where it is, else what its loader demands, checked with
// pyarrow, pandas and datasets.
TEST_F(LeRobotTest, PythonReadsIt) {
  const std::string python = testing::PythonWith("pandas, datasets");
  if (python.empty()) GTEST_SKIP() << "no Python with pandas and datasets (requirements-dev.txt)";
  WriteSet(root_, MakeLeRobotEpisodes(3), {.lossless = false});
  WriteSet(folder_ / "many", MakeLeRobotEpisodes(3, 25.0 / 3), {}, {.data_mb = 0, .video_mb = 0});
  const testing::CommandResult result =
      testing::RunCommand({python, (testing::SourceDir() / "tests/data/lerobot_check.py").string(),
                           root_.string(), (folder_ / "many").string()});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

}  // namespace
}  // namespace aim
