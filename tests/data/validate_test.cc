#include "aim/data/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "aim/base/atomic_file.h"
#include "aim/base/parse_json.h"
#include "data/episode_checks.h"
#include "data/layout_cases.h"
#include "data/smooth_episode.h"
#include "support/case_name.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::EpisodeOptions;
using testing::ExpectThrowsWith;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LayoutCase;
using testing::MakeSmoothEpisodes;
using testing::TemporaryFolder;

ValidateReport ValidateSets(const std::vector<fs::path>& paths, const fs::path& out = {}) {
  ValidateOptions options;
  for (const fs::path& path : paths) options.paths.push_back(path.string());
  RunContext run({.out = out});
  return RunValidate(options, run);
}

std::vector<Finding> OfKind(const std::vector<Finding>& findings, FindingKind kind) {
  std::vector<Finding> found;
  for (const Finding& finding : findings) {
    if (finding.kind == kind) found.push_back(finding);
  }
  return found;
}

// The one finding of a report.
Finding OnlyOne(const std::vector<Finding>& findings) {
  EXPECT_EQ(findings.size(), 1u);
  for (size_t i = 1; i < findings.size(); ++i) ADD_FAILURE() << findings[i].problem;
  return findings.empty() ? Finding{} : findings[0];
}

// In every layout: nothing is found in what is whole, and each part that is taken away is.
class ValidateLayoutTest : public ::testing::TestWithParam<LayoutCase> {
 protected:
  ValidateLayoutTest() : episodes_(MakeSmoothEpisodes(2, {.num_frames = 8})) {
    for (Episode& episode : episodes_) episode.clip.fps = GetParam().fps;
  }

  std::vector<Episode> episodes_;
};

TEST_P(ValidateLayoutTest, FindsNothingInWhatIsWhole) {
  const TemporaryFolder folder;
  GetParam().make(folder / "set", episodes_);
  const ValidateReport report = ValidateSets({folder / "set"});
  EXPECT_EQ(report.num_episodes, 2);
  EXPECT_EQ(report.num_frames, 16);
  for (const Finding& finding : report.findings) ADD_FAILURE() << finding.problem;
}

TEST_P(ValidateLayoutTest, NamesWhatIsMissing) {
  for (const testing::MissingPart& part : GetParam().parts) {
    SCOPED_TRACE(part.name);
    const TemporaryFolder folder;
    GetParam().make(folder / "set", episodes_);
    const EpisodeRef ref = OpenDataSet(folder / "set").episodes().at(1);
    part.remove(folder / "set", ref);
    const ValidateReport report = ValidateSets({folder / "set"});
    std::vector<Finding> found = OfKind(report.findings, FindingKind::kUnreadable);
    for (const Finding& finding : OfKind(report.findings, FindingKind::kPoseCount)) {
      found.push_back(finding);
    }
    ASSERT_EQ(found.size(), part.hits_all ? 2u : 1u);
    EXPECT_EQ(found.back().episode, ref.name);
    EXPECT_EQ(found.back().severity, Severity::kError);
    for (const std::string& word : part.words) EXPECT_THAT(found.back().problem, HasSubstr(word));
  }
}

INSTANTIATE_TEST_SUITE_P(Table, ValidateLayoutTest, ::testing::ValuesIn(testing::LayoutCases()),
                         testing::CaseName());

// What is wrong in one episode's facts.
struct FactsCase {
  std::string name;
  std::function<void(Episode&)> plant;
  FindingKind kind;
  Severity severity;
  int frame;
  std::vector<std::string> words;
};

class CheckFactsTest : public ::testing::TestWithParam<FactsCase> {
 protected:
  CheckFactsTest() : episode_(MakeSmoothEpisodes(1, {})[0]) {
    for (int k = 0; k < 9; ++k) episode_.times_s.push_back(k / episode_.clip.fps);
  }

  Episode episode_;
};

TEST_P(CheckFactsTest, NamesIt) {
  ASSERT_THAT(CheckFacts(episode_, 9), IsEmpty());
  GetParam().plant(episode_);
  const Finding finding = OnlyOne(CheckFacts(episode_, 9));
  EXPECT_EQ(ToWord(finding.kind), ToWord(GetParam().kind));
  EXPECT_EQ(finding.severity, GetParam().severity);
  EXPECT_EQ(finding.frame, GetParam().frame);
  for (const std::string& word : GetParam().words) EXPECT_THAT(finding.problem, HasSubstr(word));
}

// All poses from frame 4 on are moved.
void MoveTool(Episode& episode, const Rigid3d& moved) {
  for (size_t k = 4; k < episode.clip.poses.size(); ++k) {
    Rigid3d& pose = episode.clip.poses[k].world_from_tool;
    pose = {moved.rotation * pose.rotation, pose.translation + moved.translation};
  }
}

std::vector<FactsCase> FactsCases() {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  return {
      {"pose_count",
       [](Episode& e) { e.clip.poses.resize(5); },
       FindingKind::kPoseCount,
       Severity::kError,
       -1,
       {"5 poses for 9 frames"}},
      {"nan",
       [](Episode& e) { e.measured[3].world_from_tool.translation.x() = kNan; },
       FindingKind::kBadPose,
       Severity::kError,
       3,
       {"measured pose of frame 3", "x"}},
      {"quaternion",
       [](Episode& e) { e.clip.poses[6].world_from_tool.rotation.coeffs() *= 1.1; },
       FindingKind::kBadPose,
       Severity::kError,
       6,
       {"pose of frame 6", "1.1"}},
      {"focal_length",
       [](Episode& e) { e.clip.views[1].camera.frames[0].fx = -3; },
       FindingKind::kBadCamera,
       Severity::kError,
       0,
       {"view1", "-3"}},
      {"jump",
       [](Episode& e) {
         MoveTool(e, {{1, 0, 0, 0}, {0, 0.7, 0}});
       },
       FindingKind::kJump,
       Severity::kError,
       4,
       {"before frame 4", "no robot moves faster than 5 m/s or 20 rad/s"}},
      {"turn",
       [](Episode& e) {
         MoveTool(e, {ExpRotation({0, 0, 3}), {0, 0, 0}});
       },
       FindingKind::kJump,
       Severity::kError,
       4,
       {"171.", "before frame 4"}},
      {"labels_may_jump",
       [](Episode& e) {
         MoveTool(e, {{1, 0, 0, 0}, {0, 0.7, 0}});
         e.confidence.assign(9, 0.5);
       },
       FindingKind::kJump,
       Severity::kWarning,
       4,
       {"before frame 4"}},
      {"blind_view",
       [](Episode& e) { e.clip.views[1].camera.frames[0].world_from_camera.translation.z() -= 9; },
       FindingKind::kDoubtfulCamera,
       Severity::kWarning,
       -1,
       {"view1 never shows the tool"}},
      {"blind_rig",
       [](Episode& e) {
         for (ClipView& view : e.clip.views) {
           view.camera.frames[0].world_from_camera.translation.z() -= 9;
         }
       },
       FindingKind::kBlindCameras,
       Severity::kError,
       -1,
       {"none sees the tool"}},
      {"times",
       [](Episode& e) { e.times_s[8] += 0.5; },
       FindingKind::kUnevenTimes,
       Severity::kWarning,
       -1,
       {"frame 8 comes 0.62 s after frame 7"}},
      {"prompt",
       [](Episode& e) { e.clip.prompt = " \n"; },
       FindingKind::kNoPrompt,
       Severity::kWarning,
       -1,
       {"prompt is empty"}},
  };
}

INSTANTIATE_TEST_SUITE_P(Table, CheckFactsTest, ::testing::ValuesIn(FactsCases()),
                         testing::CaseName());

class StillPicturesTest : public ::testing::Test {
 protected:
  static constexpr int kNumFrames = 30;
  StillPicturesTest()
      : episode_(MakeSmoothEpisodes(1, {.num_frames = kNumFrames, .size_px = 256})[0]) {}

  // Frame k shows what frame shown(k) was recorded as.
  std::vector<Finding> Look(const std::function<int(int)>& shown) const {
    const ClipView& view = episode_.clip.views[1];
    const size_t bytes = view.rgb.size() / kNumFrames;
    StillPictures still(episode_, 1);
    for (int k = 0; k < kNumFrames; ++k) {
      still.Add(k, std::span(view.rgb).subspan(static_cast<size_t>(shown(k)) * bytes, bytes));
    }
    return still.Findings();
  }

  Episode episode_;  // 8.333 frames a second
};

int FrozenFrom10To19(int k) { return k >= 10 && k < 20 ? 10 : k; }

TEST_F(StillPicturesTest, NamesTheLongestStretch) {
  EXPECT_THAT(Look([](int k) { return k; }), IsEmpty());
  const Finding finding = OnlyOne(Look(FrozenFrom10To19));
  EXPECT_EQ(finding.kind, FindingKind::kFrozenPictures);
  EXPECT_EQ(finding.frame, 10);
  EXPECT_THAT(finding.problem, HasSubstr("view1 shows one picture in frames 10 to 19 (1.08 s)"));
  EXPECT_THAT(Look([](int k) { return k >= 10 && k < 18 ? 10 : k; }), IsEmpty());  // 0.84 s
}

TEST_F(StillPicturesTest, AToolThatStandsStillMayLookSo) {
  for (ToolPose& pose : episode_.clip.poses) pose = episode_.clip.poses[0];
  EXPECT_THAT(Look(FrozenFrom10To19), IsEmpty());
  episode_.clip.poses.clear();
  EXPECT_EQ(Look(FrozenFrom10To19).size(), 1u);
}

TEST_F(StillPicturesTest, WhereTheToolIsNotInThePictureNothingNeedMove) {
  episode_.clip.views[1].camera.frames[0].world_from_camera.translation.z() -= 9;
  EXPECT_THAT(Look(FrozenFrom10To19), IsEmpty());
}

// A camera on the hand sees the tool where it always is, and the world go by.
TEST_F(StillPicturesTest, ACameraThatMovesMustShowIt) {
  std::vector<ToolPose>& poses = episode_.clip.poses;
  CameraTrack& track = episode_.clip.views[1].camera;
  const Rigid3d tool_from_camera =
      Inverse(poses[0].world_from_tool) * track.frames[0].world_from_camera;
  track.frames.resize(poses.size(), track.frames[0]);
  for (size_t k = 0; k < poses.size(); ++k) {
    track.frames[k].world_from_camera = poses[k].world_from_tool * tool_from_camera;
  }
  EXPECT_EQ(Look(FrozenFrom10To19).size(), 1u);
}

TEST_F(StillPicturesTest, ALowerRateIsTold) {
  const Finding finding = OnlyOne(Look([](int k) { return k - k % 2; }));
  EXPECT_EQ(finding.kind, FindingKind::kRepeatedPictures);
  EXPECT_THAT(finding.problem, HasSubstr("15 of 29 frames"));
  EXPECT_THAT(Look([](int k) { return k - (k % 5 == 4); }), IsEmpty());
}

// What only several episodes show.
class ValidateTest : public ::testing::Test {
 protected:
  ValidateTest() : episodes_(MakeSmoothEpisodes(3, {})) {}

  fs::path Write(const std::string& name, const std::string& layout = "folder") const {
    testing::WriteThroughSink(layout, folder_ / name, episodes_);
    return folder_ / name;
  }

  TemporaryFolder folder_;
  std::vector<Episode> episodes_;
};

TEST_F(ValidateTest, DamagedPicturesAreNamedViewByView) {
  for (Episode& episode : episodes_) episode.clip.fps = 20;
  testing::WriteRlbench(folder_ / "set", episodes_);
  const EpisodeRef ref = OpenDataSet(folder_ / "set").episodes().at(1);
  for (const char* picture : {"front_rgb/3.png", "left_shoulder_rgb/5.png"}) {
    fs::resize_file(ref.path / picture, fs::file_size(ref.path / picture) / 2);
  }
  const std::vector<Finding> findings = ValidateSets({folder_ / "set"}).findings;
  ASSERT_EQ(findings.size(), 2u);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.kind, FindingKind::kDamagedPictures);
    EXPECT_EQ(finding.episode, ref.name);
  }
  EXPECT_THAT(findings[0].problem, HasSubstr("front_rgb/3.png"));
  EXPECT_THAT(findings[1].problem, HasSubstr("left_shoulder_rgb/5.png"));
}

TEST_F(ValidateTest, CopiesAreNamedAcrossLayouts) {
  episodes_[2].clip.views = episodes_[0].clip.views;
  episodes_[2].clip.poses = episodes_[0].clip.poses;
  const fs::path path = Write("set");
  const Finding relabelled = OnlyOne(ValidateSets({path}).findings);
  EXPECT_EQ(relabelled.kind, FindingKind::kSamePictures);
  EXPECT_THAT(relabelled.problem, HasSubstr("reach_target_variation3_episode0, but other"));
  const ValidateReport both = ValidateSets({path, Write("again", "lerobot")});
  EXPECT_EQ(OfKind(both.findings, FindingKind::kCopy).size(), 2u);
  EXPECT_EQ(both.NumOf(Severity::kError), 0);
}

TEST_F(ValidateTest, NamesThatClashAreSaidOnceAPairOfSets) {
  const fs::path first = Write("first");
  episodes_ = MakeSmoothEpisodes(2, {}, 77);
  const Finding finding = OnlyOne(ValidateSets({first, Write("second")}).findings);
  EXPECT_EQ(finding.kind, FindingKind::kSameName);
  EXPECT_EQ(finding.data, (folder_ / "second").string());
  EXPECT_THAT(finding.problem, AllOf(HasSubstr("2 episodes"), HasSubstr("first")));
}

TEST_F(ValidateTest, OtherShapesAreNamed) {
  episodes_[1] = MakeSmoothEpisodes(1, {.size_px = 32}, 5)[0];
  const Finding size = OnlyOne(ValidateSets({Write("set")}).findings);
  EXPECT_EQ(size.kind, FindingKind::kOtherShape);
  EXPECT_EQ(size.episode, "reach_target_variation3_episode1");
  EXPECT_THAT(size.problem, AllOf(HasSubstr("alone has 2 calibrated views"), HasSubstr("32x32"),
                                  HasSubstr("2: 2 calibrated views")));
  episodes_ = MakeSmoothEpisodes(3, {});
  episodes_[2].clip.poses.clear();
  const Finding poses = OnlyOne(ValidateSets({Write("other")}).findings);
  EXPECT_EQ(poses.kind, FindingKind::kOtherShape);
  EXPECT_THAT(poses.problem, HasSubstr("no poses"));
}

TEST_F(ValidateTest, TheReportHasARowAFinding) {
  episodes_[1].clip.prompt.clear();
  const fs::path path = Write("set");
  fs::remove(path / "reach_target_variation3_episode2/view0.mp4");
  const ValidateReport report = ValidateSets({path}, folder_ / "findings.json");
  const nlohmann::json file = ParseJson(ReadFile(folder_ / "findings.json"));
  EXPECT_EQ(file, ToJson(report));
  EXPECT_EQ(file["errors"], 1);
  EXPECT_EQ(file["warnings"], 1);
  ASSERT_EQ(file["findings"].size(), 2u);
  EXPECT_EQ(file["findings"][0]["kind"], "no_prompt");
  EXPECT_EQ(file["findings"][0]["severity"], "warning");
  EXPECT_TRUE(file["findings"][0]["frame"].is_null());
  EXPECT_EQ(file["findings"][1]["episode"], "reach_target_variation3_episode2");
  EXPECT_EQ(Summary(report), "3 episodes, 18 frames: 1 error, 1 warning");
  ExpectThrowsWith<InputError>([&] { RequireValid(report); },
                               {"1 error, 1 warning", "unreadable", "episode2"});
  ExpectThrowsWith<ConfigError>([&] { ValidateSets({path}, folder_ / "findings.json"); },
                                {"--out", "exists"});
}

// Numbers that a reader refuses have the kinds of those that are found in what can be read.
TEST_F(ValidateTest, WrongNumbersOfFilesHaveTheirKind) {
  const fs::path path = Write("set") / "reach_target_variation3_episode1";
  const std::string poses = ReadFile(path / "poses.csv");
  const std::string cameras = ReadFile(path / "cameras.json");
  const auto kind = [&] { return ToWord(OnlyOne(ValidateSets({folder_ / "set"}).findings).kind); };
  const size_t last = poses.rfind('\n', poses.size() - 2);
  WriteFileAtomic(path / "poses.csv", poses.substr(0, last + 1));
  EXPECT_EQ(kind(), "pose_count");
  const size_t comma = poses.rfind(',');
  WriteFileAtomic(path / "poses.csv", poses.substr(0, comma) + ",nan\n");
  EXPECT_EQ(kind(), "bad_pose");
  WriteFileAtomic(path / "poses.csv", poses.substr(0, comma) + ",7\n");
  EXPECT_EQ(kind(), "bad_pose");
  WriteFileAtomic(path / "poses.csv", poses.substr(0, comma) + "\n");
  EXPECT_EQ(kind(), "unreadable");
  WriteFileAtomic(path / "poses.csv", poses);
  nlohmann::json wrong = ParseJson(cameras);
  wrong["views"][1]["fx"] = -20;
  WriteFileAtomic(path / "cameras.json", wrong.dump());
  EXPECT_EQ(kind(), "bad_camera");
}

TEST_F(ValidateTest, ShardsReadEveryEpisodeOnce) {
  const fs::path path = Write("set");
  fs::remove(path / "reach_target_variation3_episode2/view0.mp4");
  int64_t num_errors = 0;
  for (const auto& [shard, count] : {std::pair("0/2", 2), std::pair("1/2", 1)}) {
    RunContext run;
    const ValidateReport report = RunValidate({.paths = {path.string()}, .shard = shard}, run);
    EXPECT_EQ(report.num_episodes, count) << shard;
    num_errors += report.NumOf(Severity::kError);
  }
  EXPECT_EQ(num_errors, 1);
  RunContext run;
  ExpectThrowsWith<ConfigError>(
      [&] { RunValidate({.paths = {path.string()}, .shard = "2/2"}, run); }, {"--shard", "2/2"});
}

}  // namespace
}  // namespace aim
