#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/geometry/camera.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/scene.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

using nlohmann::json;
using testing::ExpectThrowsWith;
using testing::kRoundTripM;
using testing::kThroughMatrixRad;
using testing::RigidNear;
using testing::TemporaryFolder;

std::vector<CameraTrack> FixedAndMovingViews() {
  Rng rng(5);
  const std::vector<Camera> rig = testing::MakeCameraRig({.num_views = 4}, rng);
  CameraTrack fixed{"front", {rig[0]}};
  CameraTrack moving{"wrist \"left\"", {rig[1], rig[1], rig[1]}};
  moving.frames[1].world_from_camera = rig[2].world_from_camera;
  moving.frames[2].world_from_camera = rig[3].world_from_camera;
  return {fixed, moving};
}

TEST(CameraJsonTest, RestoresFixedAndMovingCameras) {
  const TemporaryFolder folder;
  const std::vector<CameraTrack> views = FixedAndMovingViews();
  WriteCamerasJson(folder / "cameras.json", views);
  const std::vector<CameraTrack> restored = ReadCamerasJson(folder / "cameras.json");
  ASSERT_EQ(restored.size(), views.size());
  for (size_t view = 0; view < views.size(); ++view) {
    EXPECT_EQ(restored[view].name, views[view].name);
    ASSERT_EQ(restored[view].frames.size(), views[view].frames.size());
    for (size_t frame = 0; frame < views[view].frames.size(); ++frame) {
      const Camera& expected = views[view].frames[frame];
      const Camera& camera = restored[view].frames[frame];
      EXPECT_EQ(camera.width, expected.width);
      EXPECT_EQ(camera.height, expected.height);
      EXPECT_EQ(camera.fx, expected.fx);
      EXPECT_EQ(camera.fy, expected.fy);
      EXPECT_EQ(camera.cx, expected.cx);
      EXPECT_EQ(camera.cy, expected.cy);
      EXPECT_THAT(camera.world_from_camera,
                  RigidNear(expected.world_from_camera, kRoundTripM, kThroughMatrixRad));
    }
  }
}

TEST(CameraJsonTest, WritesTheDocumentedFields) {
  const TemporaryFolder folder;
  Camera camera{64, 48, 50, 51, 32, 24, {}};
  camera.world_from_camera.translation = {1, 2, 3};
  WriteCamerasJson(folder / "c.json", {{"front", {camera}}});
  EXPECT_EQ(json::parse(ReadFile(folder / "c.json")), json::parse(R"({
    "format": "aim-cameras-1",
    "views": [{"name": "front", "width": 64, "height": 48, "fx": 50.0, "fy": 51.0, "cx": 32.0,
               "cy": 24.0, "world_from_camera": [1.0,0.0,0.0,1.0, 0.0,1.0,0.0,2.0,
                                                 0.0,0.0,1.0,3.0, 0.0,0.0,0.0,1.0]}]})"));
}

TEST(CameraJsonTest, WriterRefusesWhatTheFormatCannotHold) {
  const TemporaryFolder folder;
  std::vector<CameraTrack> views = FixedAndMovingViews();
  views[1].frames[2].fx += 1;
  ExpectThrowsWith<InputError>([&] { WriteCamerasJson(folder / "c.json", views); },
                               {"changing size or intrinsics"});
  EXPECT_FALSE(std::filesystem::exists(folder / "c.json"));
}

TEST(CameraJsonTest, FileCutAtAnyByteIsRefused) {
  const TemporaryFolder folder;
  WriteCamerasJson(folder / "whole.json", FixedAndMovingViews());
  std::string whole = ReadFile(folder / "whole.json");
  while (whole.back() == '\n') whole.pop_back();
  for (size_t size = 0; size < whole.size(); ++size) {
    std::ofstream(folder / "cut.json") << whole.substr(0, size);
    EXPECT_THROW(ReadCamerasJson(folder / "cut.json"), FormatError) << size;
  }
}

struct BadFile {
  const char* name;
  std::function<void(json&)> spoil;
  std::vector<std::string> words;
};

class BadCameraJsonTest : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadCameraJsonTest, IsRefusedInOneSentence) {
  const TemporaryFolder folder;
  WriteCamerasJson(folder / "cameras.json", FixedAndMovingViews());
  json root = json::parse(ReadFile(folder / "cameras.json"));
  GetParam().spoil(root);
  WriteFileAtomic(folder / "cameras.json", root.dump());
  std::vector<std::string> words = GetParam().words;
  words.push_back("cameras.json: ");
  ExpectThrowsWith<InputError>([&] { ReadCamerasJson(folder / "cameras.json"); }, words);
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadCameraJsonTest,
    ::testing::Values(
        BadFile{"NegativeFocal",
                [](json& r) { r["views"][1]["fx"] = -612.4; },
                {"cameras.json: views[1].fx is -612.4; expected a positive focal length in pixels; "
                 "convert RLBench cameras with CameraFromRlbench"}},
        BadFile{"ZeroFocal", [](json& r) { r["views"][0]["fy"] = 0; }, {"views[0].fy is 0"}},
        BadFile{"TextFocal",
                [](json& r) { r["views"][0]["fx"] = "wide"; },
                {"views[0].fx is \"wide\"", "finite number"}},
        // JSON has no NaN: writers put null.
        BadFile{"NullCentre",
                [](json& r) { r["views"][0]["cx"] = nullptr; },
                {"views[0].cx is null", "finite number"}},
        BadFile{
            "MissingKey", [](json& r) { r["views"][1].erase("cy"); }, {"views[1].cy is missing"}},
        BadFile{"MissingPose",
                [](json& r) { r["views"][1].erase("world_from_camera"); },
                {"views[1].world_from_camera is missing"}},
        BadFile{"MissingName",
                [](json& r) { r["views"][0].erase("name"); },
                {"views[0].name is missing"}},
        BadFile{"NameNotText",
                [](json& r) { r["views"][0]["name"] = 3; },
                {"views[0].name is 3", "text"}},
        BadFile{"FarPrincipalPoint",
                [](json& r) { r["views"][0]["cx"] = 3 * r["views"][0]["width"].get<double>(); },
                {"views[0] is with the principal point", "scale the intrinsics"}},
        BadFile{"Distortion",
                [](json& r) {
                  r["views"][0]["distortion"] = {0.1, 0, 0, 0, 0};
                },
                {"views[0].distortion", "undistort"}},
        BadFile{"Skew", [](json& r) { r["views"][0]["skew"] = 0.5; }, {"views[0].skew", "pinhole"}},
        BadFile{"FractionalWidth",
                [](json& r) { r["views"][0]["width"] = 511.5; },
                {"views[0].width is 511.5", "whole number of pixels"}},
        BadFile{"NegativeHeight",
                [](json& r) { r["views"][0]["height"] = -1; },
                {"views[0].height is -1"}},
        BadFile{"HugeWidth", [](json& r) { r["views"][0]["width"] = 1e18; }, {"views[0].width"}},
        BadFile{"FifteenNumbers",
                [](json& r) { r["views"][0]["world_from_camera"].erase(15); },
                {"views[0].world_from_camera is a list of 15", "16 numbers, row-major"}},
        BadFile{"EmptyPose",
                [](json& r) { r["views"][0]["world_from_camera"] = json::array(); },
                {"views[0].world_from_camera is a list of 0"}},
        BadFile{"NullInPose",
                [](json& r) { r["views"][0]["world_from_camera"][7] = nullptr; },
                {"views[0].world_from_camera[7] is null"}},
        BadFile{"NotOrthonormal",
                [](json& r) { r["views"][0]["world_from_camera"][0] = 2.0; },
                {"views[0].world_from_camera is not a rotation", "orthonormal"}},
        BadFile{"LastRow",
                [](json& r) { r["views"][0]["world_from_camera"][12] = 1.0; },
                {"views[0].world_from_camera", "last row"}},
        BadFile{"BadFrame",
                [](json& r) { r["views"][1]["world_from_camera"][2][5] = "x"; },
                {"views[1].world_from_camera[2][5] is \"x\""}},
        BadFile{"FrameNotAList",
                [](json& r) { r["views"][1]["world_from_camera"][1] = 0.5; },
                {"views[1].world_from_camera[1] is 0.5"}},
        BadFile{"FramesDiffer",
                [](json& r) {
                  r["views"].push_back(r["views"][1]);
                  r["views"][2]["world_from_camera"].erase(0);
                },
                {"views[2].world_from_camera is a list of 2", "as many frames"}},
        BadFile{"ViewNotAnObject", [](json& r) { r["views"][0] = 5; }, {"views[0] is 5"}},
        BadFile{"NoViews",
                [](json& r) { r["views"] = json::array(); },
                {"views is a list of 0", "at least one view"}},
        BadFile{"ViewsMissing", [](json& r) { r.erase("views"); }, {"views is missing"}},
        BadFile{"ViewsNotAList", [](json& r) { r["views"] = "front"; }, {"views is \"front\""}},
        BadFile{"OtherFormat",
                [](json& r) { r["format"] = "aim-cameras-9"; },
                {"format is \"aim-cameras-9\"", "aim-cameras-1"}},
        BadFile{"NoFormat", [](json& r) { r.erase("format"); }, {"format is missing"}},
        BadFile{"RootIsAList", [](json& r) { r = json::array({1}); }, {"format is missing"}}),
    testing::CaseName());

TEST(CameraJsonTest, ALensOfZerosIsAPinhole) {
  const testing::TemporaryFolder folder;
  WriteCamerasJson(folder / "cameras.json", {{"front", {Camera{8, 6, 5, 5, 4, 3, {}}}}});
  json root = json::parse(ReadFile(folder / "cameras.json"));
  root["views"][0]["distortion"] = {0, 0.0, 0, 0, 0};
  root["views"][0]["skew"] = 0;
  WriteFileAtomic(folder / "cameras.json", root.dump());
  EXPECT_EQ(ReadCamerasJson(folder / "cameras.json").size(), 1u);
}

TEST(CameraJsonTest, NanAndRubbishAreNotJson) {
  const TemporaryFolder folder;
  for (const char* text : {"", "NaN", "{\"format\": NaN}", "\xff\xfe", "{\"a\": 1e999}"}) {
    WriteFileAtomic(folder / "cameras.json", text);
    ExpectThrowsWith<FormatError>([&] { ReadCamerasJson(folder / "cameras.json"); },
                                  {"cameras.json"});
  }
  ExpectThrowsWith<InputError>([&] { ReadCamerasJson(folder / "none.json"); }, {"missing"});
}

}  // namespace
}  // namespace aim
