// Files of calibration programs that are damaged or say what cannot be: refused in one sentence,
// and nothing is written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/error.h"
#include "aim/calibration/cameras.h"
#include "calibration/camera_formats.h"
#include "calibration/foreign_files.h"
#include "support/case_name.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support
namespace fs = std::filesystem;

ForeignRig PlainRig() { return MakeForeignRig({"a.png", "b.png"}, {}); }

void ConvertTo(const CamerasOptions& options, const fs::path& out) {
  RunContext run({.out = out});
  RunCameras(options, run);
}

std::string Changed(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

struct BadCamera {
  std::string name;
  std::string from;
  std::string file;  // what is written
  std::function<std::string()> text;
  std::vector<std::string> words;
  std::string more = "";  // TOML of other options
};

std::string Ros() { return RosFile("front", PlainRig().cameras[0], {}); }
std::string Kalibr() { return KalibrFile(PlainRig()); }

std::vector<BadCamera> BadCameras() {
  const auto ros = [](const std::string& from, const std::string& to) {
    return [=] { return Changed(Ros(), from, to); };
  };
  const auto kalibr = [](const std::string& from, const std::string& to) {
    return [=] { return Changed(Kalibr(), from, to); };
  };
  const auto text = [](const std::string& bytes) { return [=] { return bytes; }; };
  return {
      {"no_pose", "ros", "a.yaml", Ros, {"--extrinsics", "not given", "front", "a.yaml"}},
      {"empty", "ros", "a.yaml", text(""), {"a.yaml", "empty"}},
      {"no_yaml", "ros", "a.yaml", text("a: [1, 2\nb"), {"a.yaml", "line"}},
      {"a_list", "ros", "a.yaml", text("- 1\n- 2\n"), {"a.yaml", "a list of 2"}},
      {"twice", "ros", "a.yaml", text("a: 1\na: 2\n"), {"a.yaml", "twice"}},
      {"no_camera_info", "ros", "a.yaml", text("a: 1\n"), {"a.yaml: camera_matrix", "missing"}},
      {"nan", "ros", "a.yaml", ros("data: [260.25", "data: [.nan"), {"camera_matrix", "finite"}},
      {"a_word", "ros", "a.yaml", ros("data: [260.25", "data: [wide"), {"camera_matrix", "finite"}},
      {"too_few",
       "ros",
       "a.yaml",
       ros("  rows: 3\n  cols: 3\n  data: [260.25, 0,", "  data: [1,"),
       {"camera_matrix", "8 numbers", "9"}},
      {"rows_and_cols", "ros", "a.yaml", ros("rows: 3", "rows: 4"), {"camera_matrix.data", "12"}},
      {"huge_size",
       "ros",
       "a.yaml",
       ros("image_width: 320", "image_width: 99999999999"),
       {"image_width", "65536"}},
      {"another_lens", "ros", "a.yaml", ros("plumb_bob", "mei"), {"distortion_model", "mei"}},
      {"uncalibrated", "ros", "a.yaml", ros("data: [260.25", "data: [0"), {"camera_calibration"}},
      {"skew", "ros", "a.yaml", ros("[260.25, 0,", "[260.25, 0.5,"), {"skew"}},
      {"negative_focal",
       "ros",
       "a.yaml",
       ros("[260.25, 0,", "[-260.25, 0,"),
       {"a.yaml", "fx", "-260.25"},
       "extrinsics = \"places.csv\""},
      {"binned",
       "ros",
       "a.yaml",
       [] { return Changed(RosTopic(PlainRig().cameras[0], {}), "binning_x: 0", "binning_x: 2"); },
       {"binning_x", "2"}},
      {"omni", "kalibr", "a.yaml", kalibr("pinhole", "omni"), {"cam0.camera_model", "omni"}},
      {"fov", "kalibr", "a.yaml", kalibr("radtan", "fov"), {"cam0.distortion_model", "fov"}},
      {"no_chain", "kalibr", "a.yaml", kalibr("T_cn_cnm1", "T_cam_imu"), {"cam1.T_cn_cnm1"}},
      {"no_cam0", "kalibr", "a.yaml", kalibr("cam0", "camera"), {"cam0", "missing"}},
      {"three_intrinsics",
       "kalibr",
       "a.yaml",
       kalibr("intrinsics: [260.25, ", "intrinsics: ["),
       {"cam0.intrinsics", "3 numbers", "4"}},
      {"not_rigid",
       "kalibr",
       "a.yaml",
       kalibr("- [0, 0, 0, 1]", "- [0, 0, 0, 2]"),
       {"cam1.T_cn_cnm1", "last row"}},
      {"cut_xml",
       "opencv",
       "a.xml",
       text("<?xml version=\"1.0\"?>\n<opencv_storage><camera_matrix>"),
       {"a.xml", "cut off"}},
      {"other_xml", "opencv", "a.xml", text("<launch><a>1</a></launch>"), {"opencv_storage"}},
      {"crossed_xml",
       "opencv",
       "a.xml",
       text("<opencv_storage><a></b></opencv_storage>"),
       {"a.xml", "</b>"}},
      {"no_lens",
       "opencv",
       "a.json",
       text(R"({"K": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]})"),
       {"a.json", "distortion_coefficients", "zeros"}},
      {"no_size",
       "opencv",
       "a.json",
       text(R"({"K": [[9, 0, 5], [0, 9, 5], [0, 0, 1]], "D": [0, 0, 0, 0], "rvec": [0, 0, 0],
                "tvec": [0, 0, 1]})"),
       {"--width and --height", "not given", "a.json"}},
      {"deep_yaml", "ros", "a.yaml", text("a: " + std::string(400, '[')), {"a.yaml"}},
      {"many_aliases",
       "ros",
       "a.yaml",
       [] {
         std::string bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
         for (int i = 1; i < 12; ++i) {
           const std::string last = "*a" + std::to_string(i - 1);
           bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
           for (int k = 0; k < 9; ++k) bomb += ", " + last;
           bomb += "]\n";
         }
         return bomb;
       },
       {"a.yaml", "larger"}},
      {"not_colmap", "colmap", "points3D.bin", text("12345678"), {"sparse model"}},
  };
}

class BadCameraTest : public ::testing::TestWithParam<BadCamera> {};

TEST_P(BadCameraTest, IsRefusedInWords) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "places.csv", "name,x,y,z,qx,qy,qz,qw\nfront,1,2,3,0,0,0,1\n");
  const fs::path file = folder / GetParam().file;
  WriteFileAtomic(file, GetParam().text());
  CamerasOptions options{.files = {file.string()}, .from = GetParam().from};
  if (!GetParam().more.empty()) options.extrinsics = (folder / "places.csv").string();
  const fs::path out = folder / "out/cameras.json";
  try {
    ConvertTo(options, out);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    for (const std::string& word : GetParam().words) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr(word));
    }
  }
  EXPECT_FALSE(fs::exists(folder / "out"));
}

INSTANTIATE_TEST_SUITE_P(All, BadCameraTest, ::testing::ValuesIn(BadCameras()), CaseName());

// As it is, without waiting for the disk.
void WriteBytes(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// At every byte, of both files; and with every bit of them turned.
TEST(ColmapBytesTest, CutAndFlippedModelsAreRefusedOrRead) {
  const TemporaryFolder folder;
  const CamerasOptions options{.files = {folder.path().string()}, .from = "colmap"};
  WriteColmapBinary(folder.path(), PlainRig());
  const auto read = [&](const std::string& name, const std::string& bytes) {
    WriteBytes(folder / name, bytes);
    try {
      ReadColmapCameras(options);
      return true;
    } catch (const InputError&) {
      return false;
    }
  };
  for (const char* name : {"cameras.bin", "images.bin"}) {
    const std::string whole = ReadFile(folder / name);
    EXPECT_TRUE(read(name, whole));
    for (size_t length = 0; length < whole.size(); ++length) {
      EXPECT_FALSE(read(name, whole.substr(0, length))) << name << " " << length;
    }
    EXPECT_FALSE(read(name, whole + "x"));
    for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      std::string flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      read(name, flipped);  // may be another model; anything but an InputError ends the test
    }
    WriteBytes(folder / name, whole);
  }
}

TEST(ColmapBytesTest, NamesAreText) {
  const TemporaryFolder folder;
  const CamerasOptions options{.files = {folder.path().string()}, .from = "colmap"};
  ForeignRig rig = PlainRig();
  rig.names[1] = "b\xff.png";
  WriteColmapBinary(folder.path(), rig);
  ExpectThrowsWith<InputError>([&] { ConvertTo(options, folder / "out.json"); },
                               {"UTF-8", "b?.png"});
}

TEST(ColmapBytesTest, HugeCountsAndUnknownLensesAreNamed) {
  const TemporaryFolder folder;
  const ForeignRig rig = PlainRig();
  const CamerasOptions options{.files = {folder.path().string()}, .from = "colmap"};
  const auto expect = [&](const std::string& cameras, const std::string& images,
                          const std::vector<std::string>& words) {
    WriteFileAtomic(folder / "cameras.bin", cameras);
    WriteFileAtomic(folder / "images.bin", images);
    ExpectThrowsWith<InputError>([&] { ConvertTo(options, folder / "out.json"); }, words);
  };
  const std::string cameras = ColmapCameraBytes(rig);
  const std::string images = ColmapImageBytes(rig);
  const std::string huge = Number(~uint64_t{0});
  expect(huge + cameras.substr(8), images, {"cameras.bin", "cut off"});
  expect(cameras, huge + images.substr(8), {"images.bin", "cut off"});
  const size_t points = images.find("a.png") + 6;
  expect(cameras, images.substr(0, points) + huge + images.substr(points + 8), {"images.bin"});
  std::string fov = cameras;
  fov[12] = 7;
  expect(fov, images, {"cameras.bin: camera 3", "number 7", "OPENCV"});
  expect(cameras, Number(uint64_t{0}), {"images.bin", "without images"});
}

TEST(CamerasOptionsTest, WrongFlagsAreNamed) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "a.yaml", Kalibr());
  const CamerasOptions right{.files = {(folder / "a.yaml").string()}, .from = "kalibr"};
  const auto expect = [&](const std::function<void(CamerasOptions&)>& change,
                          const std::vector<std::string>& words) {
    CamerasOptions options = right;
    change(options);
    ExpectThrowsWith<ConfigError>([&] { ConvertTo(options, folder / "out.json"); }, words);
    EXPECT_FALSE(fs::exists(folder / "out.json"));
  };
  EXPECT_NO_THROW(CheckRanges(CamerasOptions()));  // tools check these first
  expect([](auto& o) { o.from = ""; }, {"--from", "not given", "colmap", "kalibr"});
  expect([](auto& o) { o.view = {"cam7"}; }, {"--view", "cam7", "cam0, cam1"});
  expect([](auto& o) { o.view = {"cam1", "cam1"}; }, {"--view", "\"cam1\" once more"});
  expect([](auto& o) { o.from = "kalib"; }, {"from", "kalib", "did you mean kalibr"});
  expect([](auto& o) { o.scale = -1; }, {"scale", "-1"});
  expect([](auto& o) { o.width = 320; }, {"--height", "not given"});
  expect([](auto& o) { o.undistorted = "x"; }, {"--undistort", "not given"});
  expect([](auto& o) { o.fisheye = true; }, {"--fisheye", "kalibr"});
  expect([](auto& o) { o.files.push_back("b.yaml"); }, {"files", "one camchain.yaml"});
  WriteFileAtomic(folder / "used/view0.mp4", "mine");
  expect(
      [&](auto& o) {
        o.undistorted = (folder / "used").string();
        for (const char* name : {"a.png", "b.png"}) {
          o.undistort.push_back((folder / name).string());
          WriteImage(o.undistort.back(), Image(320, 240));
        }
      },
      {"--undistorted", "exists"});
  EXPECT_EQ(ReadFile(folder / "used/view0.mp4"), "mine");
}

// One name with a slip of the pen would leave one pose, which moves the whole rig.
TEST(CamerasOptionsTest, PosesOfUnknownViewsAreRefused) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "a.yaml", Kalibr());
  WriteFileAtomic(folder / "places.csv",
                  "name,x,y,z,qx,qy,qz,qw\ncam0,1,2,3,0,0,0,1\ncam_1,1,2,3,0,0,0,1\n");
  const CamerasOptions options{.files = {(folder / "a.yaml").string()},
                               .from = "kalibr",
                               .extrinsics = (folder / "places.csv").string()};
  ExpectThrowsWith<InputError>([&] { ConvertTo(options, folder / "out.json"); },
                               {"places.csv", "\"cam_1\"", "cam0, cam1", "did you mean cam1?"});
  EXPECT_FALSE(fs::exists(folder / "out.json"));
}

TEST(CamerasOptionsTest, PicturesMustBeThoseOfTheCameras) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "a.yaml", Kalibr());
  CamerasOptions options{.files = {(folder / "a.yaml").string()},
                         .from = "kalibr",
                         .undistort = {(folder / "a.png").string()},
                         .undistorted = (folder / "new").string()};
  WriteImage(folder / "a.png", Image(64, 48));
  ExpectThrowsWith<InputError>([&] { ConvertTo(options, folder / "out.json"); },
                               {"--undistort", "1 view", "2"});
  options.view = {"cam1"};
  ExpectThrowsWith<InputError>([&] { ConvertTo(options, folder / "out.json"); },
                               {"a.png", "64x48", "320x240"});
  EXPECT_FALSE(fs::exists(folder / "new"));
}

// The file cannot be written where the pictures went: neither stays.
TEST(CamerasOptionsTest, PicturesGoIfTheirCamerasCannotBeWritten) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "a.yaml", Kalibr());
  WriteImage(folder / "a.png", Image(320, 240));
  const CamerasOptions options{.files = {(folder / "a.yaml").string()},
                               .from = "kalibr",
                               .view = {"cam0"},
                               .undistort = {(folder / "a.png").string()},
                               .undistorted = (folder / "same").string()};
  EXPECT_THROW(ConvertTo(options, folder / "same"), IoError);
  EXPECT_FALSE(fs::exists(folder / "same"));
}

// One camera, its picture, and a folder for it.
CamerasOptions OneUndistorted(const TemporaryFolder& folder, const std::string& to) {
  WriteFileAtomic(folder / "a.yaml", Kalibr());
  WriteImage(folder / "a.png", Image(320, 240));
  return {.files = {(folder / "a.yaml").string()},
          .from = "kalibr",
          .view = {"cam0"},
          .undistort = {(folder / "a.png").string()},
          .undistorted = (folder / to).string()};
}

void Overwrite(const CamerasOptions& options, const fs::path& out) {
  RunContext run({.out = out, .overwrite = true});
  RunCameras(options, run);
}

// --overwrite covers the pictures, too; not files of others, and not what is read.
TEST(CamerasOptionsTest, OverwriteReplacesUndistortedPictures) {
  const TemporaryFolder folder;
  CamerasOptions options = OneUndistorted(folder, "flat");
  ConvertTo(options, folder / "out.json");
  WriteFileAtomic(folder / "flat/view1.png", "of an earlier run");
  const auto again = [&] { Overwrite(options, folder / "out.json"); };
  again();
  EXPECT_TRUE(fs::exists(folder / "flat/view0.png"));
  EXPECT_FALSE(fs::exists(folder / "flat/view1.png"));
  WriteFileAtomic(folder / "flat/notes.txt", "mine");
  ExpectThrowsWith<ConfigError>(again, {"--undistorted", "notes.txt"});
  EXPECT_EQ(ReadFile(folder / "flat/notes.txt"), "mine");
  fs::remove(folder / "flat/notes.txt");
  options.undistort = {(folder / "flat/view0.png").string()};
  ExpectThrowsWith<ConfigError>(again, {"--undistorted", "is read from"});
  EXPECT_TRUE(fs::exists(folder / "flat/view0.png"));
}

// The calibration, too, may lie among what would be replaced; and a clip that somebody made by hand
// looks like what this command writes.
TEST(CamerasOptionsTest, WhatNoRunHasMadeIsNotReplaced) {
  const TemporaryFolder folder;
  WriteFileAtomic(folder / "clip/view0.yaml", Kalibr());
  CamerasOptions options = OneUndistorted(folder, "clip");
  const std::vector<std::string> elsewhere =
      std::exchange(options.files, {(folder / "clip/view0.yaml").string()});
  const auto overwrite = [&] { Overwrite(options, folder / "out.json"); };
  ExpectThrowsWith<ConfigError>(overwrite, {"is read from"});
  options.files = elsewhere;
  ExpectThrowsWith<ConfigError>(overwrite, {"--undistorted", "no earlier run", "undistorted.json"});
  EXPECT_TRUE(fs::exists(folder / "clip/view0.yaml"));
}

// cameras.json in the folder of the pictures is a clip; where it cannot be written, all stays.
TEST(CamerasOptionsTest, PicturesAndCamerasAreReplacedTogether) {
  const TemporaryFolder folder;
  const CamerasOptions options = OneUndistorted(folder, "clip");
  ConvertTo(options, folder / "clip/cameras.json");
  EXPECT_EQ(ReadCamerasJson(folder / "clip/cameras.json").size(), 1u);
  WriteFileAtomic(folder / "clip/view0.png", "the old one");
  WriteFileAtomic(folder / "file", "no folder");
  EXPECT_ANY_THROW(Overwrite(options, folder / "file/cameras.json"));
  EXPECT_EQ(ReadFile(folder / "clip/view0.png"), "the old one");
}

}  // namespace
}  // namespace aim
