// Faults put into a drawn clip, one at a time, and the doctor's verdicts.
#include "aim/calibration/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/codec/pose_csv.h"
#include "aim/media/image.h"
#include "calibration/drawn_clip.h"
#include "support/case_name.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using namespace testing;  // NOLINT: test support
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr double kPeriodS = 0.1;

// Drawn once: every test injures a copy of the numbers.
const DrawnClip& Clean() {
  static const DrawnClip kClip = DrawClip({});
  return kClip;
}

// A clip that was written.
struct ClipFiles {
  explicit ClipFiles(const DrawnClip& clip) : num_views(clip.views.size()) {
    WriteDrawnClip(folder.path(), clip, kPeriodS);
  }

  DoctorOptions Options() const {
    DoctorOptions options;
    for (size_t view = 0; view < num_views; ++view) {
      options.video.push_back((folder / ("view" + std::to_string(view) + ".mp4")).string());
    }
    options.poses = (folder / "poses.csv").string();
    options.cameras = (folder / "cameras.json").string();
    return options;
  }

  size_t num_views;
  TemporaryFolder folder;
};

DoctorReport Examine(const DoctorOptions& options, const fs::path& out) {
  RunContext run({.out = out});
  return RunDoctor(options, run);
}

DoctorReport ExamineClip(const DrawnClip& clip) {
  const ClipFiles files(clip);
  return Examine(files.Options(), files.folder / "out");
}

TEST(DoctorTest, ARightClipIsOk) {
  const DoctorReport report = ExamineClip(Clean());
  EXPECT_EQ(report.verdict, Verdict::kOk) << report.sentence;
  EXPECT_TRUE(report.usable);
  EXPECT_THAT(report.views_seen, ElementsAre(true, true));
  EXPECT_EQ(report.lag_frames, 0);
}

struct Fault {
  std::string name;
  std::function<void(DrawnClip&)> injure;
  Verdict verdict;
  double yaw_rad = DrawnClipOptions().yaw_rad;
};

void ForEachCamera(DrawnClip& clip, const std::function<void(Camera&)>& change) {
  for (CameraTrack& track : clip.cameras) {
    for (Camera& camera : track.frames) change(camera);
  }
}

void Delay(DrawnClip& clip, int num_frames) {
  const std::vector<ToolPose> poses = clip.poses;
  const int last = static_cast<int>(poses.size()) - 1;
  for (int k = 0; k <= last; ++k) {
    clip.poses[static_cast<size_t>(k)] =
        poses[static_cast<size_t>(std::clamp(k - num_frames, 0, last))];
  }
}

void TurnTool(DrawnClip& clip, double angle_rad) {
  const Eigen::Quaterniond turn(Eigen::AngleAxisd(angle_rad, Eigen::Vector3d::UnitZ()));
  for (ToolPose& pose : clip.poses) pose.world_from_tool.rotation *= turn;
}

std::vector<Fault> Faults() {
  const auto cameras = [](void (*change)(Camera&)) {
    return [change](DrawnClip& clip) { ForEachCamera(clip, change); };
  };
  return {
      {"inverted_extrinsics",
       cameras([](Camera& c) { c.world_from_camera = Inverse(c.world_from_camera); }),
       Verdict::kInvertedExtrinsics},
      {"inverted_in_one_view",
       [](DrawnClip& clip) {
         Camera& camera = clip.cameras[1].frames[0];
         camera.world_from_camera = Inverse(camera.world_from_camera);
       },
       Verdict::kInvertedExtrinsics},
      {"opengl_axes",
       cameras([](Camera& c) { c.world_from_camera.rotation *= Eigen::Quaterniond(0, 1, 0, 0); }),
       Verdict::kFlippedAxes},
      {"rlbench_axes",
       cameras([](Camera& c) { c.world_from_camera.rotation *= Eigen::Quaterniond(0, 0, 0, 1); }),
       Verdict::kFlippedAxes},
      {"negative_focal", cameras([](Camera& c) {
         c.fx = -c.fx;
         c.fy = -c.fy;
       }),
       Verdict::kNegativeFocal},
      {"rlbench_as_stored", cameras([](Camera& c) {
         c.fx = -c.fx;
         c.fy = -c.fy;
         c.world_from_camera.rotation *= Eigen::Quaterniond(0, 0, 0, 1);
       }),
       Verdict::kNegativeFocal},
      {"principal_point", cameras([](Camera& c) { c.cx += 0.06 * c.width; }),
       Verdict::kPrincipalPoint},
      {"twice_the_resolution", cameras([](Camera& c) { c = FromResolution(c, 0.5); }),
       Verdict::kOtherResolution},
      {"half_the_resolution", cameras([](Camera& c) { c = FromResolution(c, 2); }),
       Verdict::kOtherResolution},
      {"declared_for_larger_pictures", cameras([](Camera& c) {
         c = FromResolution(c, 0.25);
         c.width *= 4;
         c.height *= 4;
       }),
       Verdict::kOtherResolution},
      {"swapped_views",
       [](DrawnClip& clip) { std::swap(clip.cameras[0].frames, clip.cameras[1].frames); },
       Verdict::kSwappedViews},
      {"late", [](DrawnClip& clip) { Delay(clip, 3); }, Verdict::kTimeOffset},
      {"early", [](DrawnClip& clip) { Delay(clip, -3); }, Verdict::kTimeOffset},
      {"scalar_first",
       [](DrawnClip& clip) {
         for (ToolPose& pose : clip.poses) {
           Eigen::Quaterniond& q = pose.world_from_tool.rotation;
           q = Eigen::Quaterniond(q.z(), q.w(), q.x(), q.y());  // w x y z in place of x y z w
         }
       },
       Verdict::kQuaternionOrder, 1.2},  // turned: otherwise both orders look alike
      {"poses_in_millimetres",
       [](DrawnClip& clip) {
         for (ToolPose& pose : clip.poses) pose.world_from_tool.translation *= 1000;
       },
       Verdict::kMillimetres},
      {"cameras_in_millimetres",
       cameras([](Camera& c) { c.world_from_camera.translation *= 1000; }), Verdict::kMillimetres},
      {"inverted_gripper",
       [](DrawnClip& clip) {
         for (ToolPose& pose : clip.poses) pose.gripper_open = 1 - pose.gripper_open;
       },
       Verdict::kInvertedGripper},
      {"tool_turned", [](DrawnClip& clip) { TurnTool(clip, 0.5 * std::numbers::pi); },
       Verdict::kToolFrame},
      {"tool_turned_back", [](DrawnClip& clip) { TurnTool(clip, -0.5 * std::numbers::pi); },
       Verdict::kToolFrame},
  };
}

class DoctorFaultTest : public ::testing::TestWithParam<Fault> {};

// Found, and after what --fix writes nothing is left to find.
TEST_P(DoctorFaultTest, IsFoundAndMended) {
  const bool is_turned = GetParam().yaw_rad != DrawnClipOptions().yaw_rad;
  DrawnClip clip = is_turned ? DrawClip({.yaw_rad = GetParam().yaw_rad}) : Clean();
  GetParam().injure(clip);
  const ClipFiles files(clip);
  DoctorOptions options = files.Options();
  options.fix = true;
  const DoctorReport report = Examine(options, files.folder / "out");
  EXPECT_EQ(ToWord(report.verdict), ToWord(GetParam().verdict)) << report.sentence;
  EXPECT_FALSE(report.usable);
  ASSERT_EQ(report.files.size(), 3u) << report.sentence;
  const std::string mended = (files.folder / "out" / report.files[2]).string();
  (report.files[2] == "poses.csv" ? options.poses : options.cameras) = mended;
  const DoctorReport again = Examine(options, files.folder / "again");
  EXPECT_TRUE(again.usable) << again.sentence;
  if (!is_turned) {
    EXPECT_EQ(ToWord(again.verdict), "ok") << again.sentence;
  }
}

// Read either way, the tool points down and opens along the same line.
TEST(DoctorTest, AnOrderOfQuaternionsThatCannotBeSeenIsNotDecided) {
  DrawnClip clip = Clean();
  for (ToolPose& pose : clip.poses) {
    Eigen::Quaterniond& q = pose.world_from_tool.rotation;
    q = Eigen::Quaterniond(q.z(), q.w(), q.x(), q.y());
  }
  const DoctorReport report = ExamineClip(clip);
  EXPECT_EQ(ToWord(report.verdict), "undecided");
  EXPECT_FALSE(report.usable) << report.sentence;
  EXPECT_THAT(report.sentence, HasSubstr("w x y z"));
  EXPECT_THAT(report.sentence, HasSubstr("would tell"));
}

// Cameras that stand together see the same: right or swapped, nobody is told to go on.
TEST(DoctorTest, ViewsThatCannotBeToldApartAreNotDecided) {
  DrawnClip clip = DrawClip({.side_by_side = true});
  for (const bool swapped : {false, true}) {
    if (swapped) std::swap(clip.cameras[0].frames, clip.cameras[1].frames);
    const DoctorReport report = ExamineClip(clip);
    EXPECT_EQ(ToWord(report.verdict), "undecided") << report.sentence;
    EXPECT_FALSE(report.usable) << report.sentence;
    EXPECT_THAT(report.views, ElementsAre(0, 1));
    EXPECT_THAT(report.sentence, HasSubstr("cam0 and view cam1 would fit as well the other way"));
    EXPECT_THAT(report.sentence, HasSubstr("would tell"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, DoctorFaultTest, ::testing::ValuesIn(Faults()), CaseName());

TEST(DoctorTest, TellsByHowManyFramesThePosesAreLate) {
  DrawnClip clip = Clean();
  Delay(clip, 4);
  const DoctorReport report = ExamineClip(clip);
  EXPECT_EQ(report.lag_frames, 4);
  EXPECT_NEAR(ToJson(report)["lag_s"], 4 * kPeriodS, 1e-9);
  EXPECT_THAT(report.sentence, HasSubstr("4 frames late"));
}

TEST(DoctorTest, NamesTheViewThatIsWrong) {
  DrawnClip clip = Clean();
  Camera& camera = clip.cameras[1].frames[0];
  camera.world_from_camera = Inverse(camera.world_from_camera);
  const DoctorReport report = ExamineClip(clip);
  EXPECT_THAT(report.views, ElementsAre(1));
  EXPECT_THAT(report.sentence, HasSubstr("view cam1"));
  EXPECT_THAT(ToJson(report)["views"][1]["best_reading"], HasSubstr("inverted"));
}

// What the pictures do not show is not guessed.
TEST(DoctorTest, WithoutMotionNothingIsDecided) {
  const DoctorReport report = ExamineClip(DrawClip({.moves = false}));
  EXPECT_EQ(report.verdict, Verdict::kUndecided);
  EXPECT_FALSE(report.usable);
}

TEST(DoctorTest, AFrozenVideoDecidesNothing) {
  DrawnClip clip = Clean();
  for (std::vector<uint8_t>& video : clip.views) {
    const size_t frame = video.size() / clip.poses.size();
    for (size_t i = frame; i < video.size(); ++i) video[i] = video[i % frame];
  }
  EXPECT_EQ(ExamineClip(clip).verdict, Verdict::kUndecided);
}

TEST(DoctorTest, WithoutGraspTheGripperIsNotDecided) {
  for (const double open : {0.0, 1.0}) {
    DrawnClip clip = DrawClip({.grips = false});
    for (ToolPose& pose : clip.poses) pose.gripper_open = open;
    const DoctorReport report = ExamineClip(clip);
    EXPECT_EQ(report.verdict, Verdict::kUndecided) << report.sentence;
    EXPECT_TRUE(report.usable) << "all else fits";
    EXPECT_THAT(report.sentence, HasSubstr("gripper_open"));
  }
}

TEST(DoctorTest, AHandAsDeepAsWideDoesNotTellItsAxis) {
  DrawnClip clip = DrawClip({.grips = false, .wide_along_y = false});
  TurnTool(clip, 0.5 * std::numbers::pi);
  EXPECT_NE(ExamineClip(clip).verdict, Verdict::kOk);
}

TEST(DoctorTest, OneViewIsEnoughForTheCamera) {
  DrawnClip clip = DrawClip({.num_views = 1});
  EXPECT_TRUE(ExamineClip(clip).usable);
  ForEachCamera(clip, [](Camera& c) { c.world_from_camera = Inverse(c.world_from_camera); });
  EXPECT_EQ(ExamineClip(clip).verdict, Verdict::kInvertedExtrinsics);
}

// A camera that looks elsewhere is not accused, and hides no fault of the others.
TEST(DoctorTest, AViewWithoutTheToolSaysNothing) {
  DrawnClip clip = Clean();
  const size_t frame = clip.views[0].size() / clip.poses.size();
  clip.views.push_back({});
  for (size_t k = 0; k < clip.poses.size(); ++k) {
    clip.views[2].insert(clip.views[2].end(), frame, uint8_t{90});
  }
  clip.cameras.push_back({"aside", {LookAt({1.5, 1.5, 1.5}, {3, 4, 1}, 0.7, 128)}});
  const DoctorReport report = ExamineClip(clip);
  EXPECT_EQ(report.verdict, Verdict::kOk) << report.sentence;
  EXPECT_THAT(report.views_seen, ElementsAre(true, true, false));
  std::swap(clip.cameras[0].frames, clip.cameras[1].frames);
  EXPECT_EQ(ExamineClip(clip).verdict, Verdict::kSwappedViews);
}

// A tool that goes straight on at one speed looks alike at other times; its few frames must not be
// taken for late ones.
TEST(DoctorTest, AShortEvenMoveIsNotLate) {
  std::vector<ToolPose> path = DrawnPath({.grips = false});
  path.resize(8);
  for (size_t k = 0; k < path.size(); ++k) {
    path[k].world_from_tool = path[0].world_from_tool;
    path[k].world_from_tool.translation +=
        0.03 * static_cast<double>(std::min<size_t>(k, 4)) * Eigen::Vector3d(-0.6, -0.2, -0.7);
  }
  const DoctorReport report = ExamineClip(DrawPoses(path, {}));
  EXPECT_EQ(ToWord(report.verdict), "undecided") << report.sentence;
}

class DoctorLengthTest : public ::testing::TestWithParam<int> {};

// Never a fault, however few the frames.
TEST_P(DoctorLengthTest, AShortClipIsNotAccused) {
  DrawnClip clip = DrawClip({.num_frames = 12});
  clip.poses.resize(static_cast<size_t>(GetParam()));
  for (std::vector<uint8_t>& video : clip.views) {
    video.resize(video.size() / 12 * static_cast<size_t>(GetParam()));
  }
  const DoctorReport report = ExamineClip(clip);
  EXPECT_THAT(ToWord(report.verdict), ::testing::AnyOf("ok", "undecided")) << report.sentence;
}
INSTANTIATE_TEST_SUITE_P(Frames, DoctorLengthTest, ::testing::Values(1, 2, 3, 5, 8, 12));

TEST(DoctorTest, WritesWhatAPersonAndAProgramRead) {
  DrawnClip clip = Clean();
  ForEachCamera(clip, [](Camera& c) { c.fy = -c.fy; });
  const ClipFiles files(clip);
  const DoctorReport report = Examine(files.Options(), files.folder / "out");
  EXPECT_THAT(report.files, ElementsAre("doctor.json", "overlay.png"));
  const auto json = nlohmann::json::parse(ReadFile(files.folder / "out/doctor.json"));
  EXPECT_EQ(json["verdict"], "negative_focal");
  EXPECT_EQ(json["readings"].size(), 16u);
  EXPECT_GT(json["readings"][1]["score"], json["readings"][0]["score"]);
  const Image overlay = ReadImage(files.folder / "out/overlay.png");
  EXPECT_GT(overlay.height, 4 * 256);  // two views, as given and as corrected
}

TEST(DoctorTest, TheReadingThatIsLeftOpenIsDrawnToo) {
  const auto overlay_of = [](const DrawnClip& clip, const char* verdict) {
    const ClipFiles files(clip);
    EXPECT_EQ(ToWord(Examine(files.Options(), files.folder / "out").verdict), verdict);
    return ReadImage(files.folder / "out/overlay.png");
  };
  constexpr int kLine = 20, kRow = 2 + 256;  // of the legend; of frames, with the gap above them
  EXPECT_EQ(overlay_of(Clean(), "ok").height, 2 * kLine + 2 * kRow);
  EXPECT_EQ(overlay_of(DrawClip({.moves = false}), "undecided").height, 2 * kLine + 2 * kRow);
  EXPECT_EQ(overlay_of(DrawClip({.side_by_side = true}), "undecided").height, 3 * kLine + 4 * kRow);
}

TEST(DoctorTest, ReadsDataSetsAndPictureFolders) {
  TemporaryFolder folder;
  fs::create_directories(folder / "clips/first");
  WriteDrawnClip(folder / "clips/first", Clean(), kPeriodS);
  DoctorOptions options;
  options.data.path = (folder / "clips").string();
  EXPECT_EQ(Examine(options, folder / "out").verdict, Verdict::kOk);
  options.episode = "second";
  ExpectThrowsWith<ConfigError>([&] { Examine(options, folder / "out2"); },
                                {"--episode", "second", "first"});
  options = {};
  for (size_t view = 0; view < 2; ++view) {
    const fs::path pictures = folder / ("pictures" + std::to_string(view));
    const std::vector<uint8_t>& video = Clean().views[view];
    for (size_t k = 0; k < Clean().poses.size(); ++k) {
      Image image(128, 128);
      std::copy_n(video.begin() + static_cast<std::ptrdiff_t>(k * image.rgb.size()),
                  image.rgb.size(), image.rgb.begin());
      WriteImage(pictures / (std::to_string(k) + ".png"), image);
    }
    options.video.push_back(pictures.string());
  }
  options.poses = (folder / "clips/first/poses.csv").string();
  options.cameras = (folder / "clips/first/cameras.json").string();
  EXPECT_EQ(Examine(options, folder / "out3").verdict, Verdict::kOk);
}

struct BadInput {
  std::string name;
  std::function<void(DoctorOptions&, const fs::path&)> injure;
  std::vector<std::string> words;
  bool is_usage = false;  // a wrong call, not a wrong file
};

class DoctorBadInputTest : public ::testing::TestWithParam<BadInput> {};

TEST_P(DoctorBadInputTest, IsRefusedInWords) {
  const ClipFiles files(Clean());
  DoctorOptions options = files.Options();
  GetParam().injure(options, files.folder.path());
  const fs::path out = files.folder / "out";
  if (GetParam().is_usage) {
    ExpectThrowsWith<ConfigError>([&] { Examine(options, out); }, GetParam().words);
  } else {
    ExpectThrowsWith<InputError>([&] { Examine(options, out); }, GetParam().words);
  }
  EXPECT_FALSE(fs::exists(out));
}

INSTANTIATE_TEST_SUITE_P(
    All, DoctorBadInputTest,
    ::testing::Values(
        BadInput{"no_video",
                 [](DoctorOptions& o, const fs::path&) { o.video.clear(); },
                 {"--video", "missing"},
                 true},
        BadInput{"nothing_given",
                 [](DoctorOptions& o, const fs::path&) { o = {}; },
                 {"--data", "not given"},
                 true},
        BadInput{"both_given",
                 [](DoctorOptions& o, const fs::path& folder) { o.data.path = folder.string(); },
                 {"--data", "one or the other"},
                 true},
        BadInput{"one_video_of_two",
                 [](DoctorOptions& o, const fs::path&) { o.video.pop_back(); },
                 {"--video is given for 1 view; expected 2, as in"}},
        BadInput{"no_such_video",
                 [](DoctorOptions& o, const fs::path&) { o.video[1] = "nowhere.mp4"; },
                 {"nowhere.mp4"}},
        BadInput{"video_of_another_kind",
                 [](DoctorOptions& o, const fs::path&) { o.video[1] = o.poses; },
                 {"poses.csv", "of another kind"}},
        BadInput{"far_too_few_poses",
                 [](DoctorOptions& o, const fs::path&) {
                   WritePosesCsv(o.poses, std::vector<ToolPose>(5), kPeriodS);
                 },
                 {"poses.csv is with 5 rows; expected 36"}},
        BadInput{"zero_focal_length",
                 [](DoctorOptions& o, const fs::path&) {
                   DrawnClip clip = Clean();
                   clip.cameras[0].frames[0].fx = 0;
                   WriteCamerasJson(o.cameras, clip.cameras);
                 },
                 {"cameras.json", "views[0].fx is 0"}}),
    CaseName());

}  // namespace
}  // namespace aim
