// LeRobot data sets beyond what every layout has to do (layout_test.cc).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/data/data_set.h"
#include "aim/media/video.h"
#include "data/change_parquet.h"
#include "data/layout_cases.h"
#include "data/lerobot_writer.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/python.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using testing::RigidNear;
using testing::TemporaryFolder;

constexpr const char* kData = "data/chunk-000/file-000.parquet";
constexpr const char* kVideo = "videos/observation.images.view0/chunk-000/file-000.mp4";

std::vector<Episode> MakeEpisodes(int count, double fps = 10) {
  std::vector<Episode> episodes;
  Rng rng(3);
  for (int i = 0; i < count; ++i) {
    episodes.push_back(testing::MakeEpisode({.num_frames = 4 + i}, rng));
    episodes.back().clip.fps = fps;
    episodes.back().clip.prompt = i == 1 ? "lift it" : "push it";
  }
  return episodes;
}

void WriteThrough(EpisodeSink& sink, const std::vector<Episode>& episodes) {
  for (size_t i = 0; i < episodes.size(); ++i) {
    sink.Write({.name = "number " + std::to_string(i), .path = {}, .task = {}}, episodes[i]);
  }
}

void WriteSet(const fs::path& root, const std::vector<Episode>& episodes,
              const LayoutWriteOptions& options = {}, const LeRobotFileSizes& sizes = {}) {
  const std::unique_ptr<EpisodeSink> sink = MakeLeRobotSink(root, options, sizes);
  WriteThrough(*sink, episodes);
  sink->Finish();
}

json ReadMeta(const fs::path& root, const char* name) {
  return json::parse(ReadFile(root / "meta" / name));
}

void Replace(const fs::path& path, const std::string& from, const std::string& to) {
  std::string text = ReadFile(path);
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  WriteFileAtomic(path, text.replace(at, from.size(), to));
}

class LeRobotTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  fs::path root_ = folder_ / "set";
};

// The shape of what LeRobot 0.6.1 reads (docs/reference/formats.md 3.2).
TEST_F(LeRobotTest, WhatIsWrittenHasTheSchemaOfVersion3) {
  WriteSet(root_, MakeEpisodes(3));
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
  const std::vector<Episode> episodes = MakeEpisodes(2);
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
  const std::vector<Episode> episodes = MakeEpisodes(3);
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
  WriteSet(root_, MakeEpisodes(3), {.lossless = false});
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
    WriteThrough(*sink, MakeEpisodes(1));
    ExpectThrowsWith<InputError>([&] { OpenDataSet(root_); }, {"without episodes"});
    ExpectThrowsWith<InputError>(
        [&] { WriteThrough(*MakeLeRobotSink(root_, {}), MakeEpisodes(1)); },
        {"being written by another program"});
  }
  EXPECT_TRUE(fs::is_empty(root_));
  const std::unique_ptr<EpisodeSink> sink = MakeLeRobotSink(root_, {});
  WriteThrough(*sink, MakeEpisodes(1));
  sink->Finish();
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 3);
  EXPECT_EQ(OpenDataSet(root_).episodes().size(), 1U);
  ExpectThrowsWith<InputError>([&] { WriteSet(root_, MakeEpisodes(1)); },
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
  std::vector<Episode> episodes = MakeEpisodes(3);
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
        OddEpisode{"measured",
                   [](Episode& episode) { episode.measured.clear(); },
                   {"without measured poses"}},
        OddEpisode{"confidence",
                   [](Episode& episode) { episode.confidence.assign(5, 0.5); },
                   {"with confidences", "without them"}},
        OddEpisode{"poses",
                   [](Episode& episode) { episode.clip.poses.resize(3); },
                   {"3 poses", "one for each of 5 frames, the first or none"}}),
    testing::CaseName());

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
  std::vector<Episode> episodes = MakeEpisodes(2);
  for (size_t view = 0; view < 2; ++view) {
    episodes[1].clip.views[view].camera = episodes[0].clip.views[view].camera;
  }
  WriteSet(root_, episodes);
  const std::vector<CameraTrack> tracks = ReadCamerasJson(root_ / "meta/cameras.json");
  ASSERT_EQ(tracks.size(), 2U);
  EXPECT_EQ(tracks[1].name, "view1");
  EXPECT_EQ(tracks[1].frames[0].fx, episodes[0].clip.views[1].camera.frames[0].fx);
  WriteSet(folder_ / "other", MakeEpisodes(2));
  const json other = ReadMeta(folder_ / "other", "cameras.json");
  EXPECT_EQ(other.at("views").at(0).at("fixed"), false);
  EXPECT_FALSE(other.at("views").at(0).contains("fx"));
}

// A frame whose action is not valid has the pose before it, without confidence.
TEST_F(LeRobotTest, FramesWithoutAValidActionAreHeld) {
  const Episode episode = MakeEpisodes(1)[0];
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

// --- data sets of others ---

// A v2.1 data set of one camera as DROID's port has it: joints, Cartesian positions with Euler
// angles, and a gripper that is 1 when closed; two episodes.
struct Droid {
  explicit Droid(const fs::path& folder, bool with_intrinsics = true) : root(folder) {
    Rng rng(21);
    for (int i = 0; i < 2; ++i) {
      episodes.push_back(testing::MakeEpisode({.num_frames = 3 + i, .num_views = 1}, rng));
      episodes.back().clip.fps = 15;
      WriteEpisode(i, episodes.back().clip, with_intrinsics);
    }
    const json number = {{"dtype", "int64"}, {"shape", {1}}, {"names", nullptr}};
    const auto floats = [](int width, const json& names = nullptr) {
      return json{{"dtype", "float32"}, {"shape", {width}}, {"names", names}};
    };
    json features = {
        {"observation.images.wrist_left",
         {{"dtype", "video"}, {"shape", {16, 16, 3}}, {"names", {"height", "width", "channels"}}}},
        {"action", floats(8, {"j0", "j1", "j2", "j3", "j4", "j5", "j6", "gripper"})},
        {"action.cartesian_position",
         floats(6, {{"axes", {"x", "y", "z", "roll", "pitch", "yaw"}}})},
        {"action.gripper_position", floats(1)},
        {"camera_extrinsics.wrist_left",
         floats(6, {{"axes", {"x", "y", "z", "roll", "pitch", "yaw"}}})},
        {"timestamp", floats(1)},
        {"frame_index", number},
        {"episode_index", number},
        {"index", number},
        {"task_index", number}};
    if (with_intrinsics) features["camera_intrinsics.wrist_left"] = floats(4);
    info = {{"codebase_version", "v2.1"},
            {"fps", 15},
            {"chunks_size", 1000},
            {"total_episodes", 2},
            {"data_path", "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"},
            {"video_path",
             "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"},
            {"features", features}};
    Save();
    WriteFileAtomic(root / "meta/tasks.jsonl",
                    "{\"task_index\": 0, \"task\": \"wipe it\"}\n"
                    "{\"task_index\": 1, \"task\": \"fold it\"}\n");
    WriteFileAtomic(
        root / "meta/episodes.jsonl",
        "{\"episode_index\": 0, \"tasks\": [\"wipe it\"], \"length\": 3}\n"
        "{\"episode_index\": 1, \"tasks\": [\"wipe it\", \"fold it\"], \"length\": 4}\n");
  }

  void Save() const { WriteFileAtomic(root / "meta/info.json", info.dump()); }

  void WriteEpisode(int index, const Clip& clip, bool with_intrinsics) const {
    const std::string name = "episode_00000" + std::to_string(index);
    WriteVideo(root / "videos/chunk-000/observation.images.wrist_left" / (name + ".mp4"),
               {clip.width, clip.height, clip.fps}, clip.views[0].rgb, {.lossless = true});
    std::vector<float> joints, positions, closed, placed, pinhole, times;
    std::vector<int64_t> frames, episode, tasks;
    const Camera& camera = clip.views[0].camera.frames[0];
    const auto append = [](const Rigid3d& motion, std::vector<float>& numbers) {
      const Eigen::Vector3d euler = EulerFromRotation(motion.rotation);
      for (const double value : motion.translation) numbers.push_back(static_cast<float>(value));
      for (const double value : euler) numbers.push_back(static_cast<float>(value));
    };
    for (const ToolPose& pose : clip.poses) {
      const size_t frame = frames.size();
      joints.resize(joints.size() + 8, 0.1F);
      append(pose.world_from_tool, positions);
      closed.push_back(static_cast<float>(1 - pose.gripper_open));
      append(camera.world_from_camera, placed);
      for (const double value : {camera.fx, camera.fy, camera.cx, camera.cy}) {
        pinhole.push_back(static_cast<float>(value));
      }
      times.push_back(static_cast<float>(static_cast<double>(frame) / clip.fps));
      frames.push_back(static_cast<int64_t>(frame));
      episode.push_back(index);
      tasks.push_back(index);
    }
    std::vector<ParquetColumn> columns = {ListColumn("action", joints, 8),
                                          ListColumn("action.cartesian_position", positions, 6),
                                          ListColumn("camera_extrinsics.wrist_left", placed, 6)};
    if (with_intrinsics) {
      columns.push_back(ListColumn("camera_intrinsics.wrist_left", pinhole, 4));
    }
    columns.push_back({.name = "action.gripper_position", .values = closed, .row_ends = {}});
    columns.push_back({.name = "timestamp", .values = times, .row_ends = {}});
    columns.push_back({.name = "frame_index", .values = frames, .row_ends = {}});
    columns.push_back({.name = "episode_index", .values = episode, .row_ends = {}});
    columns.push_back({.name = "index", .values = frames, .row_ends = {}});
    columns.push_back({.name = "task_index", .values = tasks, .row_ends = {}});
    ParquetWriter writer(root / "data/chunk-000" / (name + ".parquet"), columns);
    writer.Append(columns);
    writer.Finish();
  }

  fs::path root;
  std::vector<Episode> episodes;
  json info;
};

TEST_F(LeRobotTest, Version2WithDroidsColumnsIsRead) {
  const Droid droid(root_);
  const DataSet data = OpenDataSet(root_);
  EXPECT_EQ(data.layout().Name(), "lerobot");
  ASSERT_EQ(data.episodes().size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    const Episode read = data.Read(data.episodes()[i]);
    const Clip& made = droid.episodes[i].clip;
    EXPECT_EQ(read.clip.fps, 15);
    EXPECT_EQ(read.clip.prompt, i == 0 ? "wipe it" : "fold it");  // that of its first frame
    EXPECT_EQ(read.clip.views[0].camera.name, "wrist_left");
    EXPECT_TRUE(read.clip.views[0].rgb == made.views[0].rgb);
    ASSERT_EQ(read.clip.views[0].camera.frames.size(), 1U);
    EXPECT_THAT(read.clip.views[0].camera.frames[0].world_from_camera,
                RigidNear(made.views[0].camera.frames[0].world_from_camera, testing::kFloat32M,
                          3 * testing::kFloat32Rad));
    ASSERT_EQ(read.clip.poses.size(), made.poses.size());
    for (size_t frame = 0; frame < made.poses.size(); ++frame) {
      EXPECT_THAT(read.clip.poses[frame].world_from_tool,
                  RigidNear(made.poses[frame].world_from_tool, testing::kFloat32M,
                            3 * testing::kFloat32Rad));
      EXPECT_NEAR(read.clip.poses[frame].gripper_open, made.poses[frame].gripper_open,
                  testing::kFloat32M);
    }
  }
}

// Pictures can be looked at; what needs a camera says which is missing. meta/cameras.json gives it.
TEST_F(LeRobotTest, WithoutIntrinsicsItIsForVideoOnly) {
  const Droid droid(root_, false);
  const DataSet data = OpenDataSet(root_);
  const EpisodeRef& ref = data.episodes()[1];
  const std::unique_ptr<OpenEpisode> episode = data.Open(ref);
  episode->CheckPictures();
  EXPECT_TRUE(episode->Read({}).clip.views[0].rgb == droid.episodes[1].clip.views[0].rgb);
  EXPECT_EQ(episode->facts().clip.poses.size(), 4U);
  ExpectThrowsWith<InputError>([&] { data.Read(ref); }, {"wrist_left", "without calibration"});
  ExpectThrowsWith<InputError>([&] { episode->ReadFitted({}, 1, 8, 8); },
                               {"wrist_left", "without calibration"});
  for (const char* layout : {"folder", "action-images"}) {
    const auto sink = FindLayout(layout).Create(folder_ / layout, {});
    ExpectThrowsWith<InputError>([&] { sink->Write(ref, episode->Read({})); },
                                 {"without calibration"});
  }
  CameraTrack track = droid.episodes[0].clip.views[0].camera;
  track.name = "wrist_left";
  WriteCamerasJson(root_ / "meta/cameras.json", {track});
  const DataSet calibrated = OpenDataSet(root_);
  const Episode read = calibrated.Read(calibrated.episodes()[1]);
  EXPECT_EQ(read.clip.views[0].camera.frames[0].fx, track.frames[0].fx);
  // Where it is stands in the columns, which go before.
  EXPECT_THAT(read.clip.views[0].camera.frames[0].world_from_camera,
              RigidNear(droid.episodes[1].clip.views[0].camera.frames[0].world_from_camera,
                        testing::kFloat32M, 3 * testing::kFloat32Rad));
  track.frames[0].width = 8;
  WriteCamerasJson(root_ / "meta/cameras.json", {track});
  const DataSet other = OpenDataSet(root_);
  ExpectThrowsWith<InputError>([&] { other.Read(other.episodes()[0]); },
                               {"cameras.json: wrist_left", "8x16", "16x16"});
}

// Uncalibrated videos can be written again as they were read.
TEST_F(LeRobotTest, WithoutCalibrationItIsWrittenWithout) {
  const Droid droid(root_, false);
  const DataSet data = OpenDataSet(root_);
  WriteSet(folder_ / "new", {data.Open(data.episodes()[0])->Read({})});
  EXPECT_FALSE(fs::exists(folder_ / "new/meta/cameras.json"));
  const DataSet again = OpenDataSet(folder_ / "new");
  EXPECT_EQ(again.Open(again.episodes()[0])->facts().clip.poses.size(), 3U);
}

struct PoseNames {
  std::string name;
  json names;  // of "action", 8 numbers
  bool has_poses;
};
class PoseNamesTest : public ::testing::TestWithParam<PoseNames> {};

// Joint angles, differences and a gripper that does not say which way it goes are no tool poses.
TEST_P(PoseNamesTest, SayWhetherTheActionIsATool) {
  const TemporaryFolder folder;
  WriteSet(folder.path(), MakeEpisodes(1));
  json info = ReadMeta(folder.path(), "info.json");
  info["features"]["action"]["names"] = GetParam().names;
  info["features"].erase("action_valid");
  WriteFileAtomic(folder / "meta/info.json", info.dump());
  const DataSet data = OpenDataSet(folder.path());
  const Episode read = data.Read(data.episodes()[0]);
  EXPECT_EQ(read.clip.poses.size(), GetParam().has_poses ? 4U : 0U);
  EXPECT_EQ(read.measured.size(), 4U);
}

INSTANTIATE_TEST_SUITE_P(
    Table, PoseNamesTest,
    ::testing::Values(
        PoseNames{"ours", {"x", "y", "z", "qx", "qy", "qz", "qw", "gripper_open"}, true},
        PoseNames{"axes", {{"axes", {"x", "y", "z", "qx", "qy", "qz", "qw", "grip"}}}, true},
        PoseNames{"none", nullptr, false},
        PoseNames{"joints", {"j0", "j1", "j2", "j3", "j4", "j5", "j6", "gripper_open"}, false},
        PoseNames{"deltas", {"dx", "dy", "dz", "qx", "qy", "qz", "qw", "gripper_open"}, false},
        PoseNames{"euler_deltas", {"x", "y", "z", "roll", "pitch", "yaw", "gripper", ""}, false}),
    testing::CaseName());

struct LeRobotDamage {
  std::string name;
  std::function<void(const fs::path& root)> spoil;
  std::vector<std::string> words;
};
class LeRobotDamageTest : public ::testing::TestWithParam<LeRobotDamage> {};

TEST_P(LeRobotDamageTest, IsNamed) {
  const TemporaryFolder folder;
  WriteSet(folder.path(), MakeEpisodes(2));
  GetParam().spoil(folder.path());
  ExpectThrowsWith<InputError>(
      [&] {
        const DataSet data = OpenDataSet(folder.path());
        data.Read(data.episodes().at(1));
      },
      GetParam().words);
}

LeRobotDamage InInfo(const std::string& name, const std::string& from, const std::string& to,
                     std::vector<std::string> words) {
  return {.name = name,
          .spoil = [=](const fs::path& root) { Replace(root / "meta/info.json", from, to); },
          .words = std::move(words)};
}

LeRobotDamage InColumn(const std::string& name, const std::string& file, const std::string& column,
                       int64_t from, int64_t to, std::vector<std::string> words) {
  return {.name = name,
          .spoil =
              [=](const fs::path& root) {
                testing::ChangeColumn(root / file, column, [=](std::vector<int64_t>& values) {
                  std::replace(values.begin(), values.end(), from, to);
                });
              },
          .words = std::move(words)};
}

constexpr const char* kTasks = "meta/tasks.parquet";

INSTANTIATE_TEST_SUITE_P(
    Table, LeRobotDamageTest,
    ::testing::Values(
        InInfo("version", "v3.0", "v1.6", {"info.json: codebase_version", "v2.0, v2.1 or v3.x"}),
        InInfo("rate", "\"fps\": 10", "\"fps\": 0", {"info.json: fps", "above 0"}),
        InInfo("another_rate", "\"fps\": 10", "\"fps\": 20",
               {"timestamp", "0.1 s in frame 1", "0.05 s, at 20 frames a second"}),
        InInfo("place", "{chunk_index:03d}", "{chunk:03d}", {"info.json: data_path", "places"}),
        InInfo("way_out", "data/chunk", "../chunk", {"data_path", "within the data set"}),
        LeRobotDamage{"pictures",
                      [](const fs::path& root) {
                        for (int view = 0; view < 2; ++view) {
                          Replace(root / "meta/info.json", "\"video\"", "\"image\"");
                        }
                      },
                      {"info.json: features", "pictures inside of parquet", "use_videos=True"}},
        InColumn("unsorted", kData, "frame_index", 2, 3, {"frame_index is 3", "expected 2"}),
        InColumn("far_task", kTasks, "task_index", 1, 1 << 28, {"task_index", "numbers in a row"}),
        InColumn("negative_task", kTasks, "task_index", 1, -1, {"task_index is -1"}),
        LeRobotDamage{"truncated_data",
                      [](const fs::path& root) { fs::resize_file(root / kData, 1000); },
                      {"file-000.parquet", "damaged or no Parquet file"}},
        LeRobotDamage{"no_episodes",
                      [](const fs::path& root) { fs::remove_all(root / "meta/episodes"); },
                      {"episodes", "the table of episodes"}},
        LeRobotDamage{"shorter_video",
                      [](const fs::path& root) {
                        const Video video = ReadVideo(root / kVideo, 7);
                        WriteVideo(root / kVideo, video.format, video.rgb, {.lossless = true});
                      },
                      {"file-000.mp4", "7 frames", "5 from 0.4 to 0.8 s for the episode"}},
        LeRobotDamage{"broken_json",
                      [](const fs::path& root) { WriteFileAtomic(root / "meta/info.json", "{"); },
                      {"info.json"}}),
    testing::CaseName());

// The real package (lerobot 0.4 or later) where it is, else what its loader demands, checked with
// pyarrow, pandas and datasets.
TEST_F(LeRobotTest, PythonReadsIt) {
  const std::string python = testing::PythonWith("pandas, datasets");
  if (python.empty()) GTEST_SKIP() << "no Python with pandas and datasets (requirements-dev.txt)";
  WriteSet(root_, MakeEpisodes(3), {.lossless = false});
  WriteSet(folder_ / "many", MakeEpisodes(3, 25.0 / 3), {}, {.data_mb = 0, .video_mb = 0});
  const testing::CommandResult result =
      testing::RunCommand({python, (testing::SourceDir() / "tests/data/lerobot_check.py").string(),
                           root_.string(), (folder_ / "many").string()});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

}  // namespace
}  // namespace aim
