#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/data/action_images.h"
#include "aim/format/npy.h"
#include "aim/media/video.h"
#include "data/action_images_files.h"
#include "data/make_episode.h"
#include "data/read_single.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::EpisodeOptions;
using testing::ExpectThrowsWith;
using testing::kRoundTripM;
using testing::kRoundTripPx;
using testing::kRoundTripRad;
using testing::kThroughMatrixRad;
using testing::MakeEpisode;
using testing::ReadSingle;
using testing::RigidNear;
using testing::TemporaryFolder;

void ExpectSamePoses(const std::vector<ToolPose>& actual, const std::vector<ToolPose>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    EXPECT_THAT(actual[i].world_from_tool,
                RigidNear(expected[i].world_from_tool, kRoundTripM, 1e-7));  // acos near 1
    EXPECT_EQ(actual[i].gripper_open, expected[i].gripper_open);
    EXPECT_GE(actual[i].world_from_tool.rotation.w(), 0);
  }
}

void ExpectSameCamera(const Camera& actual, const Camera& expected) {
  EXPECT_EQ(actual.width, expected.width);
  EXPECT_EQ(actual.height, expected.height);
  EXPECT_NEAR(actual.fx, expected.fx, kRoundTripPx);
  EXPECT_NEAR(actual.fy, expected.fy, kRoundTripPx);
  EXPECT_NEAR(actual.cx, expected.cx, kRoundTripPx);
  EXPECT_NEAR(actual.cy, expected.cy, kRoundTripPx);
  EXPECT_THAT(actual.world_from_camera,
              RigidNear(expected.world_from_camera, kRoundTripM, kThroughMatrixRad));
}

json ReadJsonFile(const fs::path& path) { return json::parse(ReadFile(path)); }

TEST(ActionImagesLayoutTest, EpisodesComeBackAsTheyWere) {
  Rng rng(1);
  for (const EpisodeOptions& options :
       {EpisodeOptions{}, EpisodeOptions{.num_frames = 1, .num_views = 1},
        EpisodeOptions{.num_frames = 12, .num_views = 3, .moving_camera = true}}) {
    const TemporaryFolder folder;
    const Episode written = MakeEpisode(options, rng);
    const fs::path path = EpisodeFolder(folder.path(), written.task, written.variation, 5);
    WriteEpisode(path, written);
    const Episode read = ReadSingle(path);
    EXPECT_EQ(read.task, written.task);
    EXPECT_EQ(read.variation, written.variation);
    EXPECT_EQ(read.seed, written.seed);
    EXPECT_EQ(read.clip.prompt, written.clip.prompt);
    EXPECT_EQ(read.clip.fps, written.clip.fps);
    ExpectSamePoses(read.clip.poses, written.clip.poses);
    ExpectSamePoses(read.measured, written.measured);
    ASSERT_EQ(read.clip.views.size(), written.clip.views.size());
    for (size_t view = 0; view < read.clip.views.size(); ++view) {
      const ClipView& actual = read.clip.views[view];
      const ClipView& expected = written.clip.views[view];
      EXPECT_EQ(actual.num_frames, expected.num_frames);
      EXPECT_TRUE(actual.rgb == expected.rgb) << "view " << view;
      ASSERT_EQ(actual.camera.frames.size(), expected.camera.frames.size());
      for (size_t frame = 0; frame < actual.camera.frames.size(); ++frame) {
        ExpectSameCamera(actual.camera.frames[frame], expected.camera.frames[frame]);
      }
    }
  }
}

// A copy for people beside each video, which no reader takes for one.
TEST(ActionImagesLayoutTest, PreviewsLieBesideTheVideos) {
  Rng rng(1);
  const TemporaryFolder folder;
  const Episode written = MakeEpisode({.num_frames = 3, .num_views = 2}, rng);
  const fs::path path = EpisodeFolder(folder.path(), written.task, written.variation, 5);
  WriteEpisode(path, written, {.previews = true});
  for (const char* view : {"view0", "view1"}) {
    const Video preview = ReadVideo(path / view / "rgb/video_preview.mp4");
    EXPECT_EQ(preview.num_frames, 3) << view;
    EXPECT_EQ(std::min(preview.format.width, preview.format.height), 256) << view;
  }
  const Episode read = ReadSingle(path);
  ASSERT_EQ(read.clip.views.size(), 2u);
  EXPECT_TRUE(read.clip.views[1].rgb == written.clip.views[1].rgb);
}

// On disk it is what the released files are: negative focal lengths, camera-to-world, x left, y up.
TEST(ActionImagesLayoutTest, CamerasOnDiskFollowRlbench) {
  Rng rng(2);
  const TemporaryFolder folder;
  const Episode episode = MakeEpisode({}, rng);
  WriteEpisode(folder / "episode0", episode);
  const json stored = ReadJsonFile(folder / "episode0" / "view0" / "camera_params.json");
  ASSERT_TRUE(stored.contains("0000"));
  const json& k = stored["0000"]["intrinsics"];
  const json& e = stored["0000"]["extrinsics"];
  const Camera& camera = episode.clip.views[0].camera.frames[0];
  EXPECT_NEAR(k[0][0].get<double>(), -camera.fx, kRoundTripPx);
  EXPECT_NEAR(k[1][1].get<double>(), -camera.fy, kRoundTripPx);
  // A point projected by docs/reference/formats.md 1.4 lies where the camera in memory sees it.
  const Eigen::Vector3d p_in_world(0.25, 0.05, 1.0);
  Eigen::Matrix3d world_from_camera;
  Eigen::Vector3d origin;
  for (int row = 0; row < 3; ++row) {
    for (int col = 0; col < 3; ++col) world_from_camera(row, col) = e[row][col].get<double>();
    origin[row] = e[row][3].get<double>();
  }
  const Eigen::Vector3d p_in_camera = world_from_camera.transpose() * (p_in_world - origin);
  const Eigen::Vector2d uv(
      k[0][2].get<double>() + k[0][0].get<double>() * p_in_camera.x() / p_in_camera.z(),
      k[1][2].get<double>() + k[1][1].get<double>() * p_in_camera.y() / p_in_camera.z());
  EXPECT_LE((uv - Project(camera, p_in_world)->uv).norm(), 1e-9);
}

TEST(ActionImagesLayoutTest, KeysMayBePaddedOrNotAndTheLargestStandsIn) {
  Rng rng(3);
  const TemporaryFolder folder;
  CameraTrack track;
  for (int i = 0; i < 3; ++i) track.frames.push_back(testing::MakeCameraRig({}, rng)[0]);
  WriteCameraParams(folder / "padded.json", track);
  const json padded = ReadJsonFile(folder / "padded.json");
  json unpadded;
  for (int i = 0; i < 3; ++i) {
    unpadded[std::to_string(i)] = padded["000" + std::to_string(i)];
  }
  unpadded["10"] = padded["0001"];  // as text it sorts before "2"
  WriteFileAtomic(folder / "unpadded.json", unpadded.dump());
  for (const char* name : {"padded.json", "unpadded.json"}) {
    const CameraTrack read = ReadCameraParams(folder / name, 5, 512, 512);
    ASSERT_EQ(read.frames.size(), 5u);
    for (size_t i = 0; i < 3; ++i) ExpectSameCamera(read.frames[i], track.frames[i]);
    const bool padded_file = std::string(name) == "padded.json";
    ExpectSameCamera(read.frames[4], track.frames[padded_file ? 2 : 1]);
  }
}

TEST(ActionImagesLayoutTest, EqualCamerasBecomeOne) {
  Rng rng(4);
  const TemporaryFolder folder;
  CameraTrack track;
  track.frames.assign(4, testing::MakeCameraRig({}, rng)[0]);
  WriteCameraParams(folder / "c.json", track);
  EXPECT_EQ(ReadCameraParams(folder / "c.json", 4, 512, 512).frames.size(), 1u);
}

TEST(ActionImagesLayoutTest, StrideIsDerived) {
  EXPECT_EQ(ActionStride(149, 38), 4);  // the released example
  EXPECT_EQ(ActionStride(149, 37), 4);
  EXPECT_EQ(ActionStride(152, 38), 4);
  EXPECT_EQ(ActionStride(17, 17), 1);
  EXPECT_EQ(ActionStride(33, 17), 2);
  EXPECT_EQ(ActionStride(1, 1), 1);
  EXPECT_EQ(ActionStride(10, 20), 0);
  EXPECT_EQ(ActionStride(150, 60), 0);
  EXPECT_EQ(ActionStride(0, 5), 0);
  for (int stride = 1; stride <= 8; ++stride) {
    for (size_t frames = 6; frames <= 60; ++frames) {
      const size_t last = (frames - 1) * static_cast<size_t>(stride);
      EXPECT_EQ(ActionStride(last + 1, frames), stride) << frames;
    }
  }
}

// The released layout: four actions a frame, no meta.json.
TEST(ActionImagesLayoutTest, ReadsFourActionsAFrame) {
  Rng rng(5);
  const TemporaryFolder folder;
  Episode episode = MakeEpisode({.num_frames = 10}, rng);
  const fs::path path = EpisodeFolder(folder.path(), "wipe_desk", 0, 0);
  WriteEpisode(path, episode);
  fs::remove(path / "meta.json");
  fs::remove(path / "measured.npy");
  std::vector<ToolPose> actions;
  for (int i = 0; i < 38; ++i) actions.push_back(testing::RandomToolPose(rng));
  WriteNpy(path / "actions.npy", {38, 8}, ActionRows(actions));
  const Episode read = ReadSingle(path);
  ASSERT_EQ(read.clip.poses.size(), 10u);
  std::vector<ToolPose> expected;
  for (size_t i = 0; i < 38; i += 4) expected.push_back(actions[i]);
  ExpectSamePoses(read.clip.poses, expected);
  EXPECT_NEAR(read.clip.fps, 25.0 / 3.0, 1e-9);  // the video's
  EXPECT_EQ(read.clip.prompt, "wipe desk");
  EXPECT_TRUE(read.measured.empty());
  WriteFileAtomic(path.parent_path().parent_path() / "variation_descriptions.txt",
                  "wipe the dirt off\nclean the desk\n");
  EXPECT_EQ(ReadSingle(path).clip.prompt, "wipe the dirt off");
  WriteFileAtomic(path.parent_path().parent_path() / "variation_descriptions.json",
                  R"(["clean up", "wipe"])");
  EXPECT_EQ(ReadSingle(path).clip.prompt, "clean up");
}

TEST(ActionImagesLayoutTest, ListsInOrderWhateverTheRoot) {
  Rng rng(6);
  const TemporaryFolder folder;
  const Episode episode = MakeEpisode({.num_frames = 2, .num_views = 1}, rng);
  for (const auto& [task, variation, index] : std::vector<std::tuple<std::string, int, int>>{
           {"b", 0, 10}, {"b", 0, 9}, {"b", 2, 1}, {"a", 10, 0}, {"a", 9, 3}}) {
    WriteEpisode(EpisodeFolder(folder.path(), task, variation, index), episode);
  }
  fs::create_directories(folder / "b" / "variation0" / "episodes" / ".episode4.tmp-1-1");
  fs::create_directories(folder / "notes");
  const auto names = [](const fs::path& root) {
    std::string text;
    for (const EpisodeRef& ref : OpenDataSet(root).episodes()) text += ref.name + " ";
    return text;
  };
  EXPECT_EQ(names(folder.path()),
            "a/variation9/episode3 a/variation10/episode0 b/variation0/episode9 "
            "b/variation0/episode10 b/variation2/episode1 ");
  EXPECT_EQ(names(folder / "a"), "a/variation9/episode3 a/variation10/episode0 ");
  EXPECT_EQ(names(folder / "b" / "variation2" / ""), "b/variation2/episode1 ");
  EXPECT_EQ(names(EpisodeFolder(folder.path(), "b", 0, 9)), "b/variation0/episode9 ");
  ExpectThrowsWith<InputError>([&] { OpenDataSet(folder / "notes"); },
                               {"notes", "without episodes", "aim-data demos"});
  ExpectThrowsWith<InputError>([&] { OpenDataSet(folder / "none"); }, {"none", "missing"});
}

TEST(ActionImagesLayoutTest, DescriptionsAreTheEpisodesPrompts) {
  Rng rng(7);
  const TemporaryFolder folder;
  Episode episode = MakeEpisode({.num_frames = 2, .num_views = 1}, rng);
  for (int i = 0; i < 3; ++i) {
    episode.clip.prompt = i == 1 ? "touch it" : "reach it";
    WriteEpisode(EpisodeFolder(folder.path(), "t", 0, i), episode);
  }
  WriteVariationDescriptions(folder.path());
  EXPECT_EQ(ReadJsonFile(folder / "t" / "variation0" / "variation_descriptions.json"),
            json({"reach it", "touch it"}));
}

// What `pickle.dump(["open the top drawer", "pull it"], file)` writes by default.
constexpr std::string_view kPickledSentences(
    "\x80\x04\x95\x25\0\0\0\0\0\0\0]\x94(\x8c\x13open the top drawer\x94\x8c\x07pull it\x94"
    "e.",
    48);

TEST(ActionImagesLayoutTest, InstructionsOfRlbenchAreRead) {
  Rng rng(8);
  const TemporaryFolder folder;
  const Episode episode = MakeEpisode({.num_frames = 2, .num_views = 1}, rng);
  const fs::path path = EpisodeFolder(folder.path(), "open_drawer", 1, 0);
  WriteEpisode(path, episode);
  fs::remove(path / "meta.json");
  EXPECT_EQ(ReadSingle(path).clip.prompt, "open drawer");
  const fs::path variation = folder / "open_drawer" / "variation1";
  WriteFileAtomic(variation / "variation_descriptions.txt", "slide it\n");
  EXPECT_EQ(ReadSingle(path).clip.prompt, "slide it");
  WriteFileAtomic(variation / "variation_descriptions.pkl", kPickledSentences);
  EXPECT_EQ(ReadSingle(path).clip.prompt, "open the top drawer");
  WriteFileAtomic(variation / "variation_descriptions.pkl", "\x80\x04N.");
  ExpectThrowsWith<InputError>([&] { ReadSingle(path); },
                               {"variation_descriptions.pkl", "no list of sentences"});
}

TEST(ActionImagesLayoutTest, ANewCaptionChangesTheStamp) {
  Rng rng(9);
  const TemporaryFolder folder;
  const Episode episode = MakeEpisode({.num_frames = 2, .num_views = 1}, rng);
  WriteEpisode(EpisodeFolder(folder.path(), "open_drawer", 1, 0), episode);
  const auto stamp = [&] {
    const DataSet data = OpenDataSet(folder.path());
    return data.Stamp(data.episodes().at(0));
  };
  const std::string before = stamp();
  WriteFileAtomic(folder / "open_drawer" / "variation1" / "variation_descriptions.txt", "pull\n");
  EXPECT_NE(stamp(), before);
}

// One way to spoil an episode, and the words that the sentence must hold.
struct Damage {
  const char* name;
  std::function<void(const fs::path&)> spoil;
  std::vector<std::string> words;
};

void SetAction(const fs::path& folder, size_t row, size_t col, double value) {
  std::vector<double> values = ToDoubles(ReadNpy(folder / "actions.npy"));
  values[row * kActionColumns + col] = value;
  WriteNpy(folder / "actions.npy", {static_cast<int64_t>(values.size() / 8), 8}, values);
}

void EditJson(const fs::path& path, const std::function<void(json&)>& edit) {
  json object = ReadJsonFile(path);
  edit(object);
  WriteFileAtomic(path, object.dump());
}

void CutFile(const fs::path& path, size_t keep) {
  WriteFileAtomic(path, ReadFile(path).substr(0, keep));
}

void EditCamera(const fs::path& folder, const std::function<void(json&)>& edit) {
  EditJson(folder / "view1" / "camera_params.json", edit);
}

std::vector<Damage> ActionDamages() {
  return {
      {"NaN", [](auto& f) { SetAction(f, 5, 1, std::nan("")); }, {"actions.npy row 5", "NaN"}},
      {"infinite",
       [](auto& f) { SetAction(f, 0, 7, std::numeric_limits<double>::infinity()); },
       {"row 0, gripper_open", "infinite"}},
      {"quaternion",
       [](auto& f) { SetAction(f, 3, 6, 5.0); },
       {"row 3, qx qy qz qw", "quaternion of length", "within 0.001"}},
      {"openness", [](auto& f) { SetAction(f, 2, 7, 1.5); }, {"row 2, gripper_open", "1.5"}},
      {"no actions", [](auto& f) { fs::remove(f / "actions.npy"); }, {"actions.npy", "missing"}},
      {"cut actions", [](auto& f) { CutFile(f / "actions.npy", 200); }, {"actions.npy"}},
      {"shape",
       [](auto& f) {
         WriteNpy(f / "actions.npy", {9, 7}, std::vector<double>(63));
       },
       {"actions.npy", "[9, 7]", "[T, 8]"}},
      {"fewer actions",
       [](auto& f) {
         std::vector<double> values = ToDoubles(ReadNpy(f / "actions.npy"));
         values.resize(8 * 8);
         WriteNpy(f / "actions.npy", {8, 8}, values);
       },
       {"actions.npy", "8 actions", "9 video frames"}},
      {"measured", [](auto& f) { CutFile(f / "measured.npy", 128 + 64); }, {"measured.npy"}},
  };
}

std::vector<Damage> ViewDamages() {
  return {
      {"no views",
       [](auto& f) {
         fs::remove_all(f / "view0");
         fs::remove_all(f / "view1");
       },
       {"without views"}},
      {"no video",
       [](auto& f) { fs::remove(f / "view1/rgb/video.mp4"); },
       {"video.mp4", "missing"}},
      {"cut video",
       [](auto& f) { CutFile(f / "view1/rgb/video.mp4", 2000); },
       {"view1", "video.mp4"}},
      {"short video",
       [](auto& f) {
         WriteVideo(f / "view1/rgb/video.mp4", {.width = 16, .height = 16, .fps = 5},
                    std::vector<uint8_t>(16 * 16 * 3 * 4));
       },
       {"view1", "4 frames", "9 frames"}},
      {"other size",
       [](auto& f) {
         WriteVideo(f / "view1/rgb/video.mp4", {.width = 32, .height = 16, .fps = 5},
                    std::vector<uint8_t>(32 * 16 * 3 * 9));
       },
       {"view1", "32x16", "16x16"}},
  };
}

std::vector<Damage> CameraDamages() {
  return {
      {"no camera",
       [](auto& f) { fs::remove(f / "view1/camera_params.json"); },
       {"camera_params.json", "missing"}},
      {"broken JSON",
       [](auto& f) { CutFile(f / "view1/camera_params.json", 50); },
       {"camera_params.json", "broken JSON"}},
      {"positive focal length",
       [](auto& f) { EditCamera(f, [](json& j) { j["0000"]["intrinsics"][0][0] = 20.0; }); },
       {"\"0\".intrinsics", "focal", "negative"}},
      {"no rotation",
       [](auto& f) { EditCamera(f, [](json& j) { j["0000"]["extrinsics"][0][0] = 7.0; }); },
       {"extrinsics"}},
      {"not a number",
       [](auto& f) { EditCamera(f, [](json& j) { j["0000"]["extrinsics"][1][2] = "x"; }); },
       {"extrinsics", "row 1"}},
      {"short matrix",
       [](auto& f) { EditCamera(f, [](json& j) { j["0000"]["intrinsics"].erase(2); }); },
       {"intrinsics", "3 rows"}},
      {"another size's intrinsics",
       [](auto& f) { EditCamera(f, [](json& j) { j["0000"]["intrinsics"][0][2] = 256.0; }); },
       {"principal point", "256", "16x16"}},
      {"strange key",
       [](auto& f) { EditCamera(f, [](json& j) { j["frame1"] = j["0000"]; }); },
       {"frame1"}},
      {"meta without seed",
       [](auto& f) { EditJson(f / "meta.json", [](json& j) { j.erase("seed"); }); },
       {"meta.json seed", "missing"}},
      {"meta broken", [](auto& f) { CutFile(f / "meta.json", 10); }, {"meta.json", "broken"}},
  };
}

TEST(ActionImagesLayoutTest, DamagedEpisodesAreNamed) {
  Rng rng(8);
  const Episode episode = MakeEpisode({}, rng);
  std::vector<Damage> damages = ActionDamages();
  for (const auto& more : {ViewDamages(), CameraDamages()}) {
    damages.insert(damages.end(), more.begin(), more.end());
  }
  for (const Damage& damage : damages) {
    SCOPED_TRACE(damage.name);
    const TemporaryFolder folder;
    const fs::path path = EpisodeFolder(folder.path(), "t", 0, 0);
    WriteEpisode(path, episode);
    const DataSet data = OpenDataSet(folder.path());
    damage.spoil(path);
    ExpectThrowsWith<InputError>([&] { data.Read(data.episodes().at(0)); }, damage.words);
  }
}

// Every small text file cut at every byte: read whole, or refused; nothing else.
TEST(ActionImagesLayoutTest, TruncatedTextsAreRefused) {
  Rng rng(9);
  const TemporaryFolder folder;
  const fs::path path = folder / "episode0";
  WriteEpisode(path, MakeEpisode({.num_frames = 2, .num_views = 1}, rng));
  for (const char* name : {"meta.json", "view0/camera_params.json", "actions.npy"}) {
    const std::string bytes = ReadFile(path / name);
    for (size_t keep = 0; keep + 1 < bytes.size(); keep += 1 + bytes.size() / 200) {
      std::ofstream(path / name, std::ios::binary) << bytes.substr(0, keep);
      EXPECT_THROW(ReadSingle(path), InputError) << name << " cut at " << keep;
    }
    std::ofstream(path / name, std::ios::binary) << bytes;
  }
  EXPECT_EQ(ReadSingle(path).clip.poses.size(), 2u);
}

}  // namespace
}  // namespace aim
