#include "aim/pipeline/generate_clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "pipeline/clip_files.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/run_command.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::kTinyFrames;
using testing::kTinySize;
using testing::MakeSyntheticClip;
using testing::RigidNear;
using testing::TemporaryFolder;

class GenerateClipTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    testing::WriteTinyBundle(*folder_ / "model");
    testing::WriteClipFiles(*folder_ / "clip", TheClip());
  }
  static void TearDownTestSuite() { delete folder_; }

  static Clip TheClip() { return MakeSyntheticClip(kTinyFrames, 31); }
  static fs::path ClipPath(const std::string& name) { return *folder_ / "clip" / name; }

  // What a mode needs, from the files of the clip.
  static GenerateClipOptions Options(const std::string& mode) {
    GenerateClipOptions options;
    options.model.model = (*folder_ / "model").string();
    options.mode = mode;
    options.cameras = ClipPath("cameras.json");
    options.prompt = "reach the red ball";
    for (const char* view : {"view0", "view1"}) {
      if (mode == "v2a") {
        options.video.push_back(ClipPath(std::string(view) + ".mp4"));
      } else {
        options.view.push_back(ClipPath(std::string(view) + ".png"));
      }
    }
    if (mode == "i2a" || mode == "i2va") {
      options.first_pose = testing::PoseText(TheClip().poses[0]);
    }
    if (mode == "a2v") options.poses = ClipPath("poses.csv");
    return options;
  }

  fs::path Out(const std::string& name) const { return *folder_ / ("out_" + name); }
  nlohmann::json Generate(const GenerateClipOptions& options, const std::string& name,
                          uint64_t seed = 0) const {
    RunContext run({.seed = seed, .out = Out(name), .overwrite = true});
    return ToJson(RunGenerate(options, run));
  }

  static TemporaryFolder* folder_;
};
TemporaryFolder* GenerateClipTest::folder_ = nullptr;

struct ModeFiles {
  std::string name;
  bool video;
  bool action;
};
class EveryMode : public GenerateClipTest, public ::testing::WithParamInterface<ModeFiles> {};

TEST_P(EveryMode, LeavesItsFilesAndNoOthers) {
  const ModeFiles& mode = GetParam();
  const nlohmann::json report = Generate(Options(mode.name), mode.name);
  EXPECT_EQ(report["frames"], kTinyFrames);
  const fs::path out = Out(mode.name);
  size_t num_files = 1;  // cameras.json
  for (const std::string view : {"0", "1"}) {
    EXPECT_EQ(fs::exists(out / ("view" + view + ".mp4")), mode.video);
    EXPECT_EQ(fs::exists(out / ("view" + view + "_action.mp4")), mode.action);
    EXPECT_EQ(fs::exists(out / ("overlay" + view + ".mp4")), mode.action);
    num_files += mode.video + 3 * mode.action;
    if (mode.video) {
      const Video video = ReadVideo(out / ("view" + view + ".mp4"));
      EXPECT_EQ(video.num_frames, kTinyFrames);
      EXPECT_EQ(video.format.width, kTinySize);
      EXPECT_NEAR(video.format.fps, 8, 1e-6);
    }
    if (!mode.action) continue;
    EXPECT_EQ(ReadVideo(out / ("view" + view + "_action.mp4")).num_frames, kTinyFrames);
    const Video overlay = ReadVideo(out / ("overlay" + view + ".mp4"));
    EXPECT_EQ(overlay.num_frames, kTinyFrames);
    EXPECT_EQ(overlay.format.width, 256);
  }
  EXPECT_EQ(fs::exists(out / "poses.csv"), mode.action);
  num_files += mode.action;
  if (mode.action) {
    EXPECT_EQ(ReadPosesCsv(out / "poses.csv").size(), static_cast<size_t>(kTinyFrames));
  }
  EXPECT_EQ(ReadCamerasJson(out / "cameras.json").size(), 2u);
  EXPECT_EQ(report["files"].size(), num_files);
}

INSTANTIATE_TEST_SUITE_P(Modes, EveryMode,
                         ::testing::Values(ModeFiles{"i2va", true, true},
                                           ModeFiles{"i2a", false, true},
                                           ModeFiles{"v2a", true, true},
                                           ModeFiles{"a2v", true, true},
                                           ModeFiles{"i2v", true, false}),
                         testing::CaseName());

TEST_F(GenerateClipTest, FirstPoseIsKept) {
  Generate(Options("i2va"), "first_pose");
  const PoseRow row = ReadPosesCsv(Out("first_pose") / "poses.csv")[0];
  EXPECT_EQ(row.decoded.confidence, 1);
  EXPECT_THAT(row.decoded.pose.world_from_tool,
              RigidNear(TheClip().poses[0].world_from_tool, 1e-9, 1e-7));
}

TEST_F(GenerateClipTest, GivenPosesComeBackAsTheyWere) {
  Generate(Options("a2v"), "given_poses");
  EXPECT_EQ(ReadFile(Out("given_poses") / "poses.csv"), ReadFile(ClipPath("poses.csv")));
}

TEST_F(GenerateClipTest, GivenVideoComesBackAsItWas) {
  Generate(Options("v2a"), "given_video");
  const Video out = ReadVideo(Out("given_video") / "view1.mp4");
  const Video in = ReadVideo(ClipPath("view1.mp4"));
  double sum = 0;
  for (size_t i = 0; i < in.rgb.size(); ++i) sum += std::abs(int{in.rgb[i]} - int{out.rgb[i]});
  EXPECT_LE(sum / static_cast<double>(in.rgb.size()), 4.0);  // colour at half resolution
}

TEST_F(GenerateClipTest, SameSeedSameBytesOtherSeedOthers) {
  Generate(Options("i2va"), "a", 3);
  Generate(Options("i2va"), "b", 3);
  Generate(Options("i2va"), "c", 4);
  for (const char* name : {"poses.csv", "view0.mp4", "view0_action.mp4", "overlay1.mp4"}) {
    EXPECT_EQ(ReadFile(Out("a") / name), ReadFile(Out("b") / name)) << name;
  }
  EXPECT_NE(ReadFile(Out("a") / "view0.mp4"), ReadFile(Out("c") / "view0.mp4"));
  EXPECT_NE(ReadFile(Out("a") / "view0_action.mp4"), ReadFile(Out("c") / "view0_action.mp4"));
}

// The video given to v2a may lack its first pose; the model's own then begins the poses.
TEST_F(GenerateClipTest, LabellingNeedsNoFirstPose) {
  GenerateClipOptions options = Options("v2a");
  Generate(options, "no_pose");
  options.first_pose = testing::PoseText(TheClip().poses[0]);
  Generate(options, "with_pose");
  EXPECT_LT(ReadPosesCsv(Out("no_pose") / "poses.csv")[0].decoded.confidence, 1);
  EXPECT_EQ(ReadPosesCsv(Out("with_pose") / "poses.csv")[0].decoded.confidence, 1);
}

TEST_F(GenerateClipTest, ShorterInputGivesAShorterResult) {
  testing::WriteClipFiles(*folder_ / "short", MakeSyntheticClip(6, 32));
  for (const char* mode : {"v2a", "a2v"}) {
    GenerateClipOptions options = Options(mode);
    options.cameras = *folder_ / "short" / "cameras.json";
    for (std::string& path : options.video) {
      path = *folder_ / "short" / fs::path(path).filename();
    }
    if (options.mode == "a2v") options.poses = *folder_ / "short" / "poses.csv";
    const nlohmann::json report = Generate(options, "short");
    EXPECT_EQ(report["frames"], 6);
    EXPECT_EQ(ReadVideo(Out("short") / "view0.mp4").num_frames, 6);
    EXPECT_EQ(ReadVideo(Out("short") / "view0_action.mp4").num_frames, 6);
    EXPECT_EQ(ReadPosesCsv(Out("short") / "poses.csv").size(), 6u);
  }
}

// A picture of another size and aspect is cut and resized, and its camera with it: what a point
// projects to stays the same part of the picture.
TEST_F(GenerateClipTest, PicturesOfOtherSizesAreFitted) {
  const Clip clip = MakeSyntheticClip(1, 33);
  GenerateClipOptions options = Options("i2a");
  std::vector<CameraTrack> cameras;
  for (size_t v = 0; v < 2; ++v) {
    const fs::path path = *folder_ / ("wide" + std::to_string(v) + ".png");
    WriteImage(path, Image(96, 64));
    options.view[v] = path;
    Camera camera = clip.views[v].camera.at(0);  // 32x32: twice as large, 16 more on each side
    camera = CropAndResize(camera, -8, 0, 48, 32, 96, 64);
    cameras.push_back({"", {camera}});
  }
  options.cameras = *folder_ / "wide.json";
  WriteCamerasJson(options.cameras, cameras);
  Generate(options, "wide");
  const std::vector<CameraTrack> fitted = ReadCamerasJson(Out("wide") / "cameras.json");
  for (size_t v = 0; v < 2; ++v) {
    const Camera& expected = clip.views[v].camera.at(0);
    const Camera& found = fitted[v].at(0);
    EXPECT_EQ(found.width, kTinySize);
    EXPECT_NEAR(found.fx, expected.fx, 1e-9);
    EXPECT_NEAR(found.cx, expected.cx, 1e-9);
    EXPECT_NEAR(found.cy, expected.cy, 1e-9);
  }
}

struct BadInput {
  std::string name;
  std::string mode;
  std::function<void(GenerateClipOptions&, const fs::path&)> break_it;
  std::vector<std::string> words;
};
class BadGenerateInput : public GenerateClipTest, public ::testing::WithParamInterface<BadInput> {};

// One sentence, exit code 2, nothing left behind: through the binary, as a user sees it.
TEST_P(BadGenerateInput, IsOneSentenceAndExitCodeTwo) {
  const BadInput& bad = GetParam();
  GenerateClipOptions options = Options(bad.mode);
  const TemporaryFolder scratch;
  bad.break_it(options, scratch.path());
  std::vector<std::string> command = {testing::Binary("aim-generate"), "--out",
                                      (scratch / "out").string()};
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) command.insert(command.end(), {flag, value});
  };
  add("--model", options.model.model);
  add("--mode", options.mode);
  for (const std::string& view : options.view) add("--view", view);
  for (const std::string& video : options.video) add("--video", video);
  add("--cameras", options.cameras);
  add("--first-pose", options.first_pose);
  add("--poses", options.poses);
  add("--prompt", options.prompt);
  const testing::CommandResult result = testing::RunCommand(command);
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  for (const std::string& word : bad.words) EXPECT_THAT(result.err, HasSubstr(word));
  EXPECT_FALSE(fs::exists(scratch / "out"));
}

void WriteWords(const fs::path& path, const std::string& text) { WriteFileAtomic(path, text); }

INSTANTIATE_TEST_SUITE_P(
    Table, BadGenerateInput,
    ::testing::Values(
        BadInput{"no_model", "i2a", [](auto& o, auto&) { o.model.model = ""; },
                 {"--model is not given"}},
        BadInput{"missing_model", "i2a", [](auto& o, auto& tmp) { o.model.model = tmp / "none"; },
                 {"none is missing", "a model bundle"}},
        BadInput{"unknown_mode", "i2a", [](auto& o, auto&) { o.mode = "i2b"; },
                 {"--mode is \"i2b\"", "i2va|i2a|v2a|a2v|i2v"}},
        BadInput{"untrained_mode", "a2v",
                 [](auto& o, auto& tmp) {
                   BundleConfig config = testing::TinyConfig();
                   config.trained_modes = {"i2a", "v2a"};
                   testing::WriteTinyBundle(tmp / "model", config);
                   o.model.model = tmp / "model";
                 },
                 {"\"a2v\"", "not trained for", "i2a, v2a", "--allow-untrained"}},
        BadInput{"no_views", "i2v", [](auto& o, auto&) { o.view.clear(); },
                 {"--view is not given", "mode i2v starts from it"}},
        BadInput{"one_view", "i2v", [](auto& o, auto&) { o.view.pop_back(); },
                 {"--view is given for 1 view", "2, the number this model was trained for"}},
        BadInput{"no_cameras", "i2a", [](auto& o, auto&) { o.cameras = ""; },
                 {"--cameras is not given"}},
        BadInput{"no_first_pose", "i2va", [](auto& o, auto&) { o.first_pose = ""; },
                 {"--first-pose is not given", "x y z qx qy qz qw open"}},
        BadInput{"first_pose_of_seven", "i2a", [](auto& o, auto&) { o.first_pose = "0 0 1 0 0 0 1"; },
                 {"--first-pose is \"0 0 1", "8 finite numbers"}},
        BadInput{"first_pose_not_finite", "i2a",
                 [](auto& o, auto&) { o.first_pose = "0 0 nan 0 0 0 1 1"; }, {"8 finite numbers"}},
        BadInput{"first_pose_not_unit", "i2a",
                 [](auto& o, auto&) { o.first_pose = "0 0 1 0 0 0.5 1 1"; },
                 {"a quaternion of length 1.1", "x, y, z, w"}},
        BadInput{"first_pose_too_open", "i2a",
                 [](auto& o, auto&) { o.first_pose = "0 0 1 0 0 0 1 2"; }, {"gripper_open is 2", "[0, 1]"}},
        BadInput{"first_pose_unused", "i2v",
                 [](auto& o, auto&) { o.first_pose = "0 0 1 0 0 0 1 1"; },
                 {"--first-pose is given", "i2v does not read it"}},
        BadInput{"video_unused", "i2a", [](auto& o, auto&) { o.video = o.view; },
                 {"--video is given", "i2a does not read it"}},
        BadInput{"no_video", "v2a", [](auto& o, auto&) { o.video.clear(); },
                 {"--video is not given"}},
        BadInput{"no_poses", "a2v", [](auto& o, auto&) { o.poses = ""; },
                 {"--poses is not given"}},
        BadInput{"missing_picture", "i2a", [](auto& o, auto& tmp) { o.view[1] = tmp / "none.png"; },
                 {"none.png is missing"}},
        BadInput{"broken_picture", "i2a",
                 [](auto& o, auto& tmp) {
                   WriteWords(tmp / "bad.png", "no picture");
                   o.view[1] = tmp / "bad.png";
                 },
                 {"bad.png"}},
        BadInput{"broken_video", "v2a",
                 [](auto& o, auto& tmp) {
                   WriteWords(tmp / "bad.mp4", "no video");
                   o.video[0] = tmp / "bad.mp4";
                 },
                 {"bad.mp4"}},
        BadInput{"video_too_long", "v2a",
                 [](auto& o, auto& tmp) {
                   testing::WriteClipFiles(tmp / "long", MakeSyntheticClip(kTinyFrames + 1, 1));
                   o.video = {tmp / "long/view0.mp4", tmp / "long/view1.mp4"};
                 },
                 {"view0.mp4 is 10 frames long", "at most 9", "aim-label"}},
        BadInput{"videos_of_two_lengths", "v2a",
                 [](auto& o, auto& tmp) {
                   testing::WriteClipFiles(tmp / "other", MakeSyntheticClip(5, 1));
                   o.video[1] = tmp / "other/view1.mp4";
                 },
                 {"view1.mp4 is 5 frames long", "9 as"}},
        BadInput{"one_camera", "i2a",
                 [](auto& o, auto& tmp) {
                   WriteCamerasJson(tmp / "c.json", {MakeSyntheticClip(1, 1).views[0].camera});
                   o.cameras = tmp / "c.json";
                 },
                 {"c.json is with 1 view", "2, one for each"}},
        BadInput{"camera_of_another_size", "i2a",
                 [](auto& o, auto& tmp) {
                   testing::WriteClipFiles(tmp / "large", MakeSyntheticClip(1, 1, 48));
                   o.cameras = tmp / "large/cameras.json";
                 },
                 {"cameras.json: views[0] is a camera of 48x48", "32x32, the size of"}},
        BadInput{"cameras_of_another_length", "i2a",
                 [](auto& o, auto& tmp) {
                   std::vector<CameraTrack> cameras;
                   for (const ClipView& view : MakeSyntheticClip(1, 1).views) {
                     cameras.push_back(view.camera);
                     cameras.back().frames.resize(4, view.camera.at(0));
                   }
                   WriteCamerasJson(tmp / "c.json", cameras);
                   o.cameras = tmp / "c.json";
                 },
                 {"views[0].world_from_camera is a list of 4 transforms", "one for each of 9 frames"}},
        BadInput{"poses_too_long", "a2v",
                 [](auto& o, auto& tmp) {
                   WritePosesCsv(tmp / "p.csv", MakeSyntheticClip(12, 1).poses, 0.125);
                   o.poses = tmp / "p.csv";
                 },
                 {"p.csv is 12 rows long", "at most 9"}},
        BadInput{"poses_with_a_gap", "a2v",
                 [](auto& o, auto& tmp) {
                   std::string text = ReadFile(o.poses);
                   const size_t third = text.find("\n2,");
                   text.erase(third, text.find('\n', third + 1) - third);
                   WriteWords(tmp / "p.csv", text);
                   o.poses = tmp / "p.csv";
                 },
                 {"p.csv: row 2, frame is 3", "a row for every frame"}},
        BadInput{"poses_with_nan", "a2v",
                 [](auto& o, auto& tmp) {
                   std::string text = ReadFile(o.poses);
                   const size_t x = text.find(',', text.find(',', text.find("\n0,")) + 1) + 1;
                   WriteWords(tmp / "p.csv", text.replace(x, text.find(',', x) - x, "nan"));
                   o.poses = tmp / "p.csv";
                 },
                 {"p.csv: line 2, x is \"nan\"", "a finite number"}}),
    testing::CaseName());

TEST_F(GenerateClipTest, TheToolDoesWhatTheLibraryDoes) {
  const GenerateClipOptions options = Options("i2a");
  Generate(options, "library");
  const fs::path out = *folder_ / "tool";
  const testing::CommandResult result = testing::RunCommand(
      {testing::Binary("aim-generate"), "--model", options.model.model, "--mode", "i2a", "--view",
       options.view[0], "--view", options.view[1], "--cameras", options.cameras, "--prompt",
       options.prompt, "--first-pose", options.first_pose, "--out", out.string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["mode"], "i2a");
  EXPECT_EQ(ReadFile(out / "poses.csv"), ReadFile(Out("library") / "poses.csv"));
  const nlohmann::json record = nlohmann::json::parse(ReadFile(out / "run.json"));
  EXPECT_EQ(record["options"]["mode"], "i2a");
  EXPECT_EQ(record["notes"]["steps"], 1);
}

}  // namespace
}  // namespace aim
