// Cameras of others: each format gives back the rig that was written in it, lenses are never
// ignored, and bad files are refused in words.
#include "aim/calibration/cameras.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "aim/codec/pose_csv.h"
#include "aim/data/action_video.h"
#include "aim/media/video.h"
#include "calibration/foreign_files.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support
namespace fs = std::filesystem;

// A way to write a rig: returns what is given as FILE...
using WriteRig =
    std::function<std::vector<std::string>(const fs::path& folder, const ForeignRig& rig)>;

struct FormatCase {
  std::string name;
  std::string from;
  std::vector<std::string> names;
  WriteRig write;
  bool has_poses = true;
  bool is_metric = true;
  bool has_lenses = true;
  bool first_is_world = false;
};

WriteRig CvFiles(const std::string& extension, bool with_pose) {
  return [=](const fs::path& folder, const ForeignRig& rig) {
    std::vector<std::string> files;
    for (size_t i = 0; i < rig.cameras.size(); ++i) {
      files.push_back((folder / (rig.names[i] + extension)).string());
      WriteCvFile(files.back(), rig.cameras[i], rig.lens, with_pose);
    }
    return files;
  };
}

WriteRig RosFiles(bool as_topic) {
  return [=](const fs::path& folder, const ForeignRig& rig) {
    std::vector<std::string> files;
    for (size_t i = 0; i < rig.cameras.size(); ++i) {
      files.push_back((folder / (rig.names[i] + ".yaml")).string());
      WriteFileAtomic(files.back(), as_topic ? RosTopic(rig.cameras[i], rig.lens)
                                             : RosFile("narrow_stereo", rig.cameras[i], rig.lens));
    }
    return files;
  };
}

std::vector<std::string> WriteKalibr(const fs::path& folder, const ForeignRig& rig) {
  WriteFileAtomic(folder / "camchain.yaml", KalibrFile(rig));
  return {(folder / "camchain.yaml").string()};
}

std::vector<std::string> WriteVggtNpy(const fs::path& folder, const ForeignRig& rig) {
  const VggtFiles files = MakeVggtFiles(rig);
  WriteNpy(folder / "intrinsic.npy", files.intrinsic_shape, files.intrinsics);
  WriteNpy(folder / "extrinsic.npy", files.extrinsic_shape, files.extrinsics);
  return {(folder / "intrinsic.npy").string(), (folder / "extrinsic.npy").string()};
}

std::vector<std::string> WriteVggtNpz(const fs::path& folder, const ForeignRig& rig) {
  WriteVggtNpy(folder, rig);
  WriteFileAtomic(folder / "predictions.npz",
                  MakeZip({{"depth.npy", "?"},
                           {"extrinsics.npy", ReadFile(folder / "extrinsic.npy")},
                           {"intrinsic.npy", ReadFile(folder / "intrinsic.npy")}}));
  return {(folder / "predictions.npz").string()};
}

std::vector<FormatCase> FormatCases() {
  const std::vector<std::string> named = {"front", "left"};
  const std::vector<std::string> pictures = {"front/0001.png", "left/0001.png"};
  const auto colmap = [](void (*write)(const fs::path&, const ForeignRig&)) {
    return [write](const fs::path& folder, const ForeignRig& rig) {
      write(folder, rig);
      return std::vector<std::string>{folder.string()};
    };
  };
  return {{"opencv_yaml", "opencv", named, CvFiles(".yml", true)},
          {"opencv_xml", "opencv", named, CvFiles(".xml", true)},
          {"opencv_json", "opencv", named, CvFiles(".json", true)},
          {"opencv_without_poses", "opencv", named, CvFiles(".yaml", false), false},
          {"ros_file", "ros", named, RosFiles(false), false},
          {"ros_topic", "ros", named, RosFiles(true), false},
          {"kalibr", "kalibr", {"cam0", "cam1"}, WriteKalibr, true, true, true, true},
          {"colmap_text", "colmap", pictures, colmap(WriteColmapText), true, false},
          {"colmap_binary", "colmap", pictures, colmap(WriteColmapBinary), true, false},
          {"vggt_npy", "vggt", {"view0", "view1"}, WriteVggtNpy, true, false, false},
          {"vggt_npz", "vggt", {"view0", "view1"}, WriteVggtNpz, true, false, false}};
}

CamerasReport Convert(const CamerasOptions& options, const fs::path& out) {
  RunContext run({.out = out});
  return RunCameras(options, run);
}

class CameraFormatTest : public ::testing::TestWithParam<FormatCase> {
 protected:
  ForeignRig Rig(const Lens& lens) const { return MakeForeignRig(GetParam().names, lens); }

  CamerasOptions Write(const ForeignRig& rig) const {
    CamerasOptions options{.files = GetParam().write(folder_.path(), rig), .from = GetParam().from};
    if (options.from == "opencv") options.fisheye = rig.lens.model == LensModel::kFisheye;
    if (!GetParam().has_lenses) {
      options.width = rig.cameras[0].width;
      options.height = rig.cameras[0].height;
    }
    if (GetParam().has_poses) return options;
    WriteCamerasJson(folder_ / "places.json",
                     {{rig.names[0], {rig.cameras[0]}}, {rig.names[1], {rig.cameras[1]}}});
    options.extrinsics = (folder_ / "places.json").string();
    return options;
  }

  // Where the cameras must be: Kalibr's world is its first camera.
  Rigid3d Place(const ForeignRig& rig, size_t view) const {
    const Rigid3d& place = rig.cameras[view].world_from_camera;
    return GetParam().first_is_world ? Inverse(rig.cameras[0].world_from_camera) * place : place;
  }

  TemporaryFolder folder_;
};

TEST_P(CameraFormatTest, GivesTheRigBack) {
  const ForeignRig rig = Rig({});
  const CamerasReport report = Convert(Write(rig), folder_ / "out/cameras.json");
  EXPECT_EQ(report.is_metric, GetParam().is_metric);
  const std::vector<CameraTrack> tracks = ReadCamerasJson(folder_ / "out/cameras.json");
  ASSERT_EQ(tracks.size(), 2u);
  for (size_t view = 0; view < 2; ++view) {
    Camera read = tracks[view].at(0);
    EXPECT_EQ(tracks[view].name, rig.names[view]);
    EXPECT_EQ(read.width, 320);
    EXPECT_EQ(read.height, 240);
    EXPECT_THAT(read.world_from_camera, RigidNear(Place(rig, view), 1e-9, 1e-9));
    read.world_from_camera = rig.cameras[view].world_from_camera;
    if (!GetParam().has_lenses) continue;  // VGGT's principal point is in the middle
    for (const Eigen::Vector2d& place : DotPlaces(read)) {  // OpenCV counts as the file does
      const Eigen::Vector3d point = PointAt(rig.cameras[view], place);
      EXPECT_THAT(Project(read, point)->uv,
                  PixelNear(CvProject(rig.cameras[view], {}, point), 1e-6));
    }
  }
}

class CameraLensTest : public CameraFormatTest {};

TEST_P(CameraLensTest, IsRefusedOrTakenOut) {
  for (const Lens& lens : {RadialLens(), FisheyeLens()}) {
    if (GetParam().name == "ros_topic" && lens.model == LensModel::kFisheye) continue;
    ForeignRig rig = Rig(lens);
    const bool has_k3 = GetParam().from == "opencv" || GetParam().from == "ros";
    if (!has_k3) rig.lens.coefficients[4] = 0;  // four coefficients
    CamerasOptions options = Write(rig);
    const fs::path out = folder_ / "out/cameras.json";
    ExpectThrowsWith<InputError>([&] { Convert(options, out); },
                                 {"--undistort", "pixels", rig.names[0]});
    EXPECT_FALSE(fs::exists(folder_ / "out"));
    for (size_t view = 0; view < 2; ++view) {
      options.undistort.push_back((folder_ / ("seen" + std::to_string(view) + ".png")).string());
      WriteImage(options.undistort.back(), DrawDots(rig.cameras[view], rig.lens));
    }
    options.undistorted = (folder_ / "straight").string();
    const CamerasReport report = Convert(options, out);
    const std::vector<CameraTrack> tracks = ReadCamerasJson(out);
    for (size_t view = 0; view < 2; ++view) {
      EXPECT_GT(report.views[view].corner_shift_px, 5);
      const Image image = ReadImage(folder_ / "straight" / report.views[view].file);
      Camera camera = tracks[view].at(0);
      camera.world_from_camera = rig.cameras[view].world_from_camera;
      for (const Eigen::Vector2d& place : DotPlaces(rig.cameras[view])) {
        const Eigen::Vector2d seen = Project(camera, PointAt(rig.cameras[view], place))->uv;
        EXPECT_THAT(DotNear(image, seen), PixelNear(seen, 0.1));
      }
    }
    fs::remove_all(folder_ / "out");
    fs::remove_all(folder_ / "straight");
  }
}

INSTANTIATE_TEST_SUITE_P(All, CameraFormatTest, ::testing::ValuesIn(FormatCases()), CaseName());

std::vector<FormatCase> CasesWithLenses() {
  std::vector<FormatCase> cases = FormatCases();
  std::erase_if(cases, [](const FormatCase& format) { return !format.has_lenses; });
  return cases;
}
INSTANTIATE_TEST_SUITE_P(All, CameraLensTest, ::testing::ValuesIn(CasesWithLenses()), CaseName());

// The tool's own example of what comes after it.
TEST(CamerasTest, TheFileDrawsActionImages) {
  TemporaryFolder folder;
  const ForeignRig rig = MakeForeignRig({"cam0", "cam1"}, {});
  const std::vector<std::string> files = WriteKalibr(folder.path(), rig);
  WriteFileAtomic(folder / "place.toml",
                  "[[views]]\nname = \"cam0\"\nworld_from_camera = [" +
                      NumberList(RowMajor(ToMatrix(rig.cameras[0].world_from_camera), 4)) + "]\n");
  Convert({.files = files, .from = "kalibr", .extrinsics = (folder / "place.toml").string()},
          folder / "cameras.json");
  const std::vector<CameraTrack> tracks = ReadCamerasJson(folder / "cameras.json");
  for (size_t view = 0; view < 2; ++view) {  // one pose moves the rig
    EXPECT_THAT(tracks[view].at(0).world_from_camera,
                RigidNear(rig.cameras[view].world_from_camera, 1e-9, 1e-9));
  }
  Rng rng(3);
  WritePosesCsv(folder / "poses.csv", std::vector<ToolPose>{RandomToolPose(rng)}, 0.1);
  RunContext run({.out = folder / "action"});
  EncodeOptions encode;
  encode.poses = (folder / "poses.csv").string();
  encode.cameras = (folder / "cameras.json").string();
  encode.format = ActionVideoFormat::kPng;
  EXPECT_EQ(RunEncode(encode, run).num_views, 2);
  const Image image = ReadImage(folder / "action/view0/000000.png");
  EXPECT_EQ(image.width, 320);
  EXPECT_GT(*std::max_element(image.rgb.begin(), image.rgb.end()), 128);
}

TEST(CamerasTest, VideosAndFoldersAreUndistortedFrameByFrame) {
  TemporaryFolder folder;
  const ForeignRig rig = MakeForeignRig({"a", "b"}, RadialLens());
  CamerasOptions options{.files = CvFiles(".yml", true)(folder.path(), rig), .from = "opencv"};
  const std::vector<Image> seen = {DrawDots(rig.cameras[0], rig.lens),
                                   DrawDots(rig.cameras[0], {})};
  std::vector<uint8_t> rgb;
  for (int frame = 0; frame < 2; ++frame) {
    const Image& image = seen[static_cast<size_t>(frame)];
    rgb.insert(rgb.end(), image.rgb.begin(), image.rgb.end());
    WriteImage(folder / "pictures" / (std::to_string(frame) + ".png"), image);
  }
  WriteVideo(folder / "seen.mp4", {320, 240, 12.5}, rgb, {.lossless = true});
  options.undistort = {(folder / "seen.mp4").string(), (folder / "pictures").string()};
  options.undistorted = (folder / "straight").string();
  const CamerasReport report = Convert(options, folder / "cameras.json");
  EXPECT_EQ(report.views[0].file, "view0.mp4");
  EXPECT_EQ(report.views[1].file, "view1");
  const Video video = ReadVideo(folder / "straight/view0.mp4");
  ASSERT_EQ(video.num_frames, 2);
  EXPECT_EQ(video.format.fps, 12.5);
  for (int frame = 0; frame < 2; ++frame) {
    const Image picture = ReadImage(folder / "straight/view1" / (std::to_string(frame) + ".png"));
    EXPECT_EQ(FrameImage(video, frame).rgb, picture.rgb);
  }
  const Eigen::Vector2d place = DotPlaces(rig.cameras[0])[0];
  EXPECT_THAT(DotNear(FrameImage(video, 0), place), PixelNear(place, 0.1));
}

TEST(CamerasTest, AFolderOfColmapPicturesIsAMovingView) {
  TemporaryFolder folder;
  ForeignRig rig = MakeForeignRig({"wrist/8.png", "wrist/10.png", "wrist/9.png", "front.png"}, {});
  std::vector<Camera> cameras = rig.cameras;
  WriteColmapText(folder.path(), rig);
  const std::string text = ReadFile(folder / "images.txt");
  std::string one_camera = text;  // those of the wrist were taken by camera 3
  for (const char* name : {" 4 wrist/10.png", " 5 wrist/9.png"}) {
    one_camera.replace(one_camera.find(name) + 1, 1, "3");
  }
  CamerasOptions options{.files = {folder.path().string()},
                         .from = "colmap",
                         .view = {"front.png", "wrist"},
                         .scale = 2};
  ExpectThrowsWith<InputError>([&] { Convert(options, folder / "out.json"); },
                               {"--view wrist", "one camera"});
  WriteFileAtomic(folder / "images.txt", one_camera);
  EXPECT_TRUE(Convert(options, folder / "out.json").is_metric);
  const std::vector<CameraTrack> tracks = ReadCamerasJson(folder / "out.json");
  ASSERT_EQ(tracks[1].frames.size(), 3u);
  const std::vector<size_t> order = {0, 2, 1};
  for (size_t frame = 0; frame < 3; ++frame) {
    Rigid3d expected = cameras[order[frame]].world_from_camera;
    expected.translation *= 2;
    EXPECT_THAT(tracks[1].at(frame).world_from_camera, RigidNear(expected, 1e-9, 1e-9));
  }
}

TEST(CamerasTest, CamerasOfAnotherSizeAreScaled) {
  TemporaryFolder folder;
  const ForeignRig rig = MakeForeignRig({"a"}, {});
  CamerasOptions options{.files = CvFiles(".yml", true)(folder.path(), rig),
                         .from = "opencv",
                         .width = 160,
                         .height = 120};
  Convert(options, folder / "out.json");
  const Camera camera = ReadCamerasJson(folder / "out.json")[0].at(0);
  EXPECT_NEAR(camera.fx, 0.5 * rig.cameras[0].fx, 1e-9);
  EXPECT_NEAR(camera.cx, 0.5 * rig.cameras[0].cx, 1e-9);
  options.height = 160;
  ExpectThrowsWith<ConfigError>([&] { Convert(options, folder / "b.json"); },
                                {"--width and --height", "160x160", "320x240"});
}

// A board whose squares were measured in millimetres.
TEST(CamerasTest, CamerasThatStandTooFarAwayAreDoubted) {
  TemporaryFolder folder;
  const ForeignRig rig = MakeForeignRig({"camera1", "camera2"}, {});
  const std::string file = (folder / "stereo.yml").string();
  {
    cv::FileStorage stereo(file, cv::FileStorage::WRITE);
    stereo << "M1" << CvMatrix(rig.cameras[0]) << "D1" << cv::Mat::zeros(1, 5, CV_64F) << "M2"
           << CvMatrix(rig.cameras[1]) << "D2" << cv::Mat::zeros(1, 5, CV_64F) << "R"
           << cv::Mat::eye(3, 3, CV_64F) << "T" << cv::Mat(cv::Vec3d(-120, 0, 0));
  }
  CamerasOptions options{.files = {file}, .from = "opencv", .width = 320, .height = 240};
  ::testing::internal::CaptureStderr();
  Convert(options, folder / "far.json");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::HasSubstr("120 m from where its world begins"));
  options.scale = 0.001;
  ::testing::internal::CaptureStderr();
  Convert(options, folder / "near.json");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::Not(::testing::HasSubstr("120")));
}

TEST(CamerasTest, AStereoPairIsInOneFileOrTwo) {
  TemporaryFolder folder;
  const ForeignRig rig = MakeForeignRig({"camera1", "camera2"}, {});
  const Rigid3d second_from_first =
      Inverse(rig.cameras[1].world_from_camera) * rig.cameras[0].world_from_camera;
  const Eigen::Matrix3d turn = second_from_first.rotation.toRotationMatrix();
  const auto write = [&](cv::FileStorage& intrinsics, cv::FileStorage& pose) {
    intrinsics << "M1" << CvMatrix(rig.cameras[0]) << "D1" << cv::Mat::zeros(1, 5, CV_64F) << "M2"
               << CvMatrix(rig.cameras[1]) << "D2" << cv::Mat::zeros(1, 5, CV_64F);
    cv::Mat r(3, 3, CV_64F);
    for (int i = 0; i < 9; ++i) r.at<double>(i / 3, i % 3) = turn(i / 3, i % 3);
    const Eigen::Vector3d& t = second_from_first.translation;
    pose << "R" << r << "T" << cv::Mat(cv::Vec3d(t.x(), t.y(), t.z()));
  };
  {
    cv::FileStorage both((folder / "both.yml").string(), cv::FileStorage::WRITE);
    write(both, both);
    cv::FileStorage intrinsics((folder / "in.yml").string(), cv::FileStorage::WRITE);
    cv::FileStorage pose((folder / "ex.yml").string(), cv::FileStorage::WRITE);
    write(intrinsics, pose);
  }
  const std::vector<std::vector<std::string>> ways = {
      {(folder / "both.yml").string()},
      {(folder / "in.yml").string(), (folder / "ex.yml").string()},
      {(folder / "ex.yml").string(), (folder / "in.yml").string()}};
  for (const std::vector<std::string>& files : ways) {
    CamerasOptions options{.files = files, .from = "opencv"};
    ExpectThrowsWith<ConfigError>([&] { Convert(options, folder / "no.json"); },
                                  {"--width and --height", "not given"});
    options.width = 320;
    options.height = 240;
    const fs::path out = folder / (fs::path(files[0]).stem().string() + ".json");
    Convert(options, out);
    const std::vector<CameraTrack> tracks = ReadCamerasJson(out);
    EXPECT_THAT(tracks[0].at(0).world_from_camera, RigidNear(Rigid3d(), 1e-12, 1e-12));
    EXPECT_THAT(tracks[1].at(0).world_from_camera,
                RigidNear(Inverse(second_from_first), 1e-9, 1e-9));
  }
}

class ChosenViewsTest : public ::testing::Test {
 protected:
  // Converts with a file of the poses of the views `placed`.
  std::vector<CameraTrack> ConvertWith(const std::vector<size_t>& placed,
                                       const std::vector<std::string>& view) {
    std::vector<CameraTrack> places;
    for (const size_t i : placed) places.push_back({rig_.names[i], {PlaceOf(i)}});
    WriteCamerasJson(folder_ / "places.json", places);
    Convert({.files = WriteKalibr(folder_.path(), rig_),
             .from = "kalibr",
             .view = view,
             .extrinsics = (folder_ / "places.json").string()},
            folder_ / "out.json");
    std::vector<CameraTrack> tracks = ReadCamerasJson(folder_ / "out.json");
    fs::remove(folder_ / "out.json");
    return tracks;
  }
  // Where the file of extrinsics has a view: each elsewhere than the rig would have it.
  Camera PlaceOf(size_t view) const {
    Camera camera = rig_.cameras[view];
    camera.world_from_camera.translation.x() += 1 + static_cast<double>(view);
    return camera;
  }
  // Where a view is if the whole rig moves with another.
  Rigid3d MovedWith(size_t mover, size_t view) const {
    return PlaceOf(mover).world_from_camera * Inverse(rig_.cameras[mover].world_from_camera) *
           rig_.cameras[view].world_from_camera;
  }

  TemporaryFolder folder_;
  const ForeignRig rig_ = MakeForeignRig({"cam0", "cam1", "cam2"}, {});
};

TEST_F(ChosenViewsTest, ArePlacedWithoutTheOthers) {
  const std::vector<CameraTrack> tracks = ConvertWith({0, 2}, {"cam2", "cam0"});
  ASSERT_EQ(tracks.size(), 2u);
  EXPECT_EQ(tracks[0].name, "cam2");
  EXPECT_THAT(tracks[0].at(0).world_from_camera,
              RigidNear(PlaceOf(2).world_from_camera, 1e-9, 1e-9));
  EXPECT_THAT(tracks[1].at(0).world_from_camera,
              RigidNear(PlaceOf(0).world_from_camera, 1e-9, 1e-9));
}

TEST_F(ChosenViewsTest, AreMovedByOneThatWasNotAskedFor) {
  const std::vector<CameraTrack> tracks = ConvertWith({1}, {"cam0", "cam2"});
  ASSERT_EQ(tracks.size(), 2u);
  EXPECT_THAT(tracks[0].at(0).world_from_camera, RigidNear(MovedWith(1, 0), 1e-9, 1e-9));
  EXPECT_THAT(tracks[1].at(0).world_from_camera, RigidNear(MovedWith(1, 2), 1e-9, 1e-9));
}

TEST_F(ChosenViewsTest, PosesOfSomeAreRefused) {
  ExpectThrowsWith<InputError>(
      [&] {
        ConvertWith({0, 2}, {});
      },
      {"places.json", "2 of the views", "cam0, cam1, cam2"});
}

}  // namespace
}  // namespace aim
