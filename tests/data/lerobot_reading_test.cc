// LeRobot data sets of others, and damaged ones.
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
  const Clip fitted = episode->ReadFitted({}, 1, 8, 8);
  EXPECT_EQ(fitted.views[0].rgb.size(), 4U * 8 * 8 * 3);
  EXPECT_TRUE(fitted.views[0].camera.frames.empty());
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
  WriteSet(folder.path(), MakeLeRobotEpisodes(1));
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
  WriteSet(folder.path(), MakeLeRobotEpisodes(2));
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
        LeRobotDamage{
            "pictures",
            [](const fs::path& root) {
              for (int view = 0; view < 2; ++view) {
                Replace(root / "meta/info.json", "\"video\"", "\"image\"");
              }
            },
            {"file-000.parquet: observation.images.view0", "missing", "bytes in each row"}},
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

}  // namespace
}  // namespace aim
