#include "aim/pipeline/compare.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "pipeline/clip_files.h"
#include "pipeline/compare_episode.h"
#include "pipeline/made_weights.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::MakeSyntheticClip;
using testing::TemporaryFolder;
using testing::WriteClipFiles;

constexpr int kComparedFrames = 6;

// The same clip, its tool 3 mm to the side and its pictures one level lighter.
Clip Disturbed(Clip clip) {
  for (ToolPose& pose : clip.poses) pose.world_from_tool.translation.x() += 0.003;
  for (ClipView& view : clip.views) {
    for (uint8_t& value : view.rgb) value = static_cast<uint8_t>(value < 255 ? value + 1 : 254);
  }
  return clip;
}

class CompareTest : public ::testing::Test {
 protected:
  CompareTest() {
    SetLogSink([](LogLevel, const std::string&) {});
    for (uint64_t seed = 0; seed < 3; ++seed) {
      const Clip clip = MakeSyntheticClip(kComparedFrames, 60 + seed);
      WriteClipFiles(Truth(seed), clip);
      WriteClipFiles(Judged(seed), Disturbed(clip));
    }
  }
  ~CompareTest() override { SetLogSink(nullptr); }

  fs::path Truth(uint64_t seed) const {
    return folder_ / "truth" / ("clip" + std::to_string(seed));
  }
  fs::path Judged(uint64_t seed) const {
    return folder_ / "judged" / ("clip" + std::to_string(seed));
  }

  CompareOptions Options(const std::vector<std::string>& metrics = {"psnr,ssim,pose"}) const {
    CompareOptions options;
    options.judged.path = (folder_ / "judged").string();
    options.truth.path = (folder_ / "truth").string();
    options.measure.metrics = metrics;
    return options;
  }

  // Of a pair alone that cannot be compared.
  void ExpectRefused(const CompareOptions& options, std::vector<std::string> words) const {
    RunContext run;
    ExpectThrowsWith<InputError>([&] { RunCompare(options, run); }, words);
  }

  // Both sets have one episode.
  CompareOptions OnePair(const Clip& judged, const Clip& truth) const {
    WriteClipFiles(folder_ / "one/judged", judged);
    WriteClipFiles(folder_ / "one/truth", truth);
    CompareOptions options = Options();
    options.judged.path = (folder_ / "one/judged").string();
    options.truth.path = (folder_ / "one/truth").string();
    return options;
  }

  TemporaryFolder folder_;
};

TEST_F(CompareTest, FindsWhatWasDisturbed) {
  const fs::path out = folder_ / "report.json";
  RunContext run({.out = out});
  const CompareReport report = RunCompare(Options(), run);
  ASSERT_EQ(report.episodes.size(), 3u);
  const ScoreSummary& position = report.overall.at("position_mm");
  EXPECT_NEAR(position.value, 3, 1e-4);
  EXPECT_EQ(position.num_values, 3 * (kComparedFrames - 1));
  EXPECT_NEAR(position.interval->low, 3, 1e-4);
  EXPECT_NEAR(report.overall.at("rotation_deg").value, 0, 1e-4);
  // One level: 20 log10(255).
  EXPECT_NEAR(report.overall.at("psnr_db").value, 48.1308, 1e-4);
  EXPECT_EQ(report.overall.at("psnr_db").num_values, 3 * 2 * (kComparedFrames - 1));
  EXPECT_EQ(report.overall.at("equal_pictures").value, 0);
  EXPECT_GT(report.overall.at("ssim").value, 0.95);
  EXPECT_LT(report.overall.at("ssim").value, 1);
  EXPECT_GT(report.overall.at("error_2d_px/view0/tip").value, 0);
  EXPECT_EQ(report.overall.at("jaccard_16").value, 1);
  const auto written = nlohmann::json::parse(ReadFile(out));
  EXPECT_EQ(written["overall"]["position_mm"]["value"], position.value);
  EXPECT_EQ(written["episodes"][1]["episode"], "clip1");
  EXPECT_EQ(written["episodes"][1]["size"], "32x32");
  EXPECT_NEAR(written["episodes"][1]["scores"]["position_mm"]["value"], 3, 1e-4);
  const std::string table = CompareTable(report);
  EXPECT_THAT(table, HasSubstr("| 3-D error of the tip, mm | 15 | 3.00 | 3.00 to 3.00 |"));
  EXPECT_THAT(table, HasSubstr("| PSNR, dB | 30 | 48.13 | 48.13 to 48.13 |"));
  EXPECT_THAT(table, HasSubstr("2-D error of view0/tip, px at 32x32"));
}

// No number stands for what there is none of.
TEST_F(CompareTest, EqualSetsHaveNoDecibels) {
  CompareOptions options = Options();
  options.judged.path = options.truth.path;
  RunContext run;
  const CompareReport report = RunCompare(options, run);
  EXPECT_FALSE(report.overall.contains("psnr_db"));
  EXPECT_EQ(report.overall.at("equal_pictures").value, 1);
  EXPECT_EQ(report.overall.at("ssim").value, 1);
  EXPECT_EQ(report.overall.at("position_mm").value, 0);
  EXPECT_EQ(report.overall.at("jaccard").value, 1);
  const nlohmann::json object = ToJson(report);
  EXPECT_FALSE(object["episodes"][0]["scores"].contains("psnr_db"));
  EXPECT_THAT(object["episodes"][0]["missing"]["psnr_db"], HasSubstr("equals"));
  EXPECT_THAT(CompareTable(report), HasSubstr("not measured: psnr_db of 3 episodes (clip0)"));
  EXPECT_THAT(object.dump(), ::testing::Not(HasSubstr("null")));
}

TEST_F(CompareTest, EpisodesWithoutACounterpartAndDamagedOnesAreNamed) {
  fs::rename(Truth(0), folder_ / "truth/other");
  std::ofstream(Judged(2) / "view1.mp4") << "no video";
  RunContext run;
  const CompareReport report = RunCompare(Options(), run);
  ASSERT_EQ(report.episodes.size(), 1u);
  EXPECT_EQ(report.episodes[0].episode, "clip1");
  EXPECT_THAT(report.only_judged, ElementsAre("clip0"));
  EXPECT_THAT(report.only_true, ElementsAre("other"));
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_EQ(report.skipped[0].episode, "clip2");
  EXPECT_FALSE(report.overall.at("ssim").interval);
  const std::string table = CompareTable(report);
  for (const char* words : {"1 episode in ", "alone: clip0", "alone: other",
                            "left out: clip2: ", "One episode: no intervals"}) {
    EXPECT_THAT(table, HasSubstr(words));
  }
  fs::remove_all(folder_ / "truth");
  WriteClipFiles(folder_ / "truth/a", MakeSyntheticClip(kComparedFrames, 1));
  WriteClipFiles(folder_ / "truth/b", MakeSyntheticClip(kComparedFrames, 2));
  ExpectRefused(Options(), {"clip0, clip1, clip2", "a, b", "--pair order"});
}

// Writes a clip as an episode of a data set in another layout.
void WriteEpisodes(const fs::path& root, const char* layout, const std::vector<Clip>& clips) {
  const std::unique_ptr<EpisodeSink> sink = FindLayout(layout).Create(root, {});
  for (size_t i = 0; i < clips.size(); ++i) {
    Episode episode;
    episode.clip = clips[i];
    episode.measured = clips[i].poses;
    episode.task = "reach_target";
    const auto index = static_cast<int>(i);
    sink->Write({.name = EpisodeName("reach_target", 0, index),
                 .path = {},
                 .task = "reach_target",
                 .variation = 0,
                 .index = index},
                episode);
  }
  sink->Finish();
}

// A conversion to clips flattens names, one to LeRobot numbers them.
TEST_F(CompareTest, EpisodesArePairedByFlatNamesOrByOrder) {
  const std::vector<Clip> clips = {MakeSyntheticClip(kComparedFrames, 70),
                                   MakeSyntheticClip(kComparedFrames, 71)};
  for (const char* layout : {"action-images", "folder", "lerobot"}) {
    WriteEpisodes(folder_ / layout, layout, clips);
  }
  RunContext run;
  CompareOptions options = Options({"psnr,pose"});
  options.truth.path = (folder_ / "action-images").string();
  options.judged.path = (folder_ / "folder").string();
  CompareReport report = RunCompare(options, run);
  ASSERT_EQ(report.episodes.size(), 2u);
  EXPECT_EQ(report.episodes[1].episode, "reach_target_variation0_episode1");
  EXPECT_EQ(report.overall.at("equal_pictures").value, 1);
  options.judged.path = (folder_ / "lerobot").string();
  ExpectRefused(options, {"reach_target/variation0/episode0", "--pair order"});
  options.pair = Pairing::kOrder;
  report = RunCompare(options, run);
  ASSERT_EQ(report.episodes.size(), 2u);
  EXPECT_EQ(report.overall.at("equal_pictures").value, 1);
  EXPECT_NEAR(report.overall.at("position_mm").value, 0, 1e-3);
  options.truth.path = (folder_ / "truth").string();
  ExpectRefused(options, {"2 episodes where the truth has 3", "as many, to pair them by order"});
}

// Damage in the middle of a video: what was measured before it counts nowhere.
TEST_F(CompareTest, HalfAnEpisodeCountsNowhere) {
  CompareOptions options = Options({"ssim", "pose"});
  options.measure.fvd_frames = kI3dMinFrames;
  const Clip clip = MakeSyntheticClip(3 * kI3dMinFrames, 80);
  for (const char* side : {"judged", "truth"}) WriteClipFiles(folder_ / side / "long", clip);
  const fs::path video = folder_ / "judged/long/view0.mp4";
  std::string bytes = ReadFile(video);
  const size_t begin = bytes.find("mdat");
  const size_t index = bytes.find("moov");
  ASSERT_NE(begin, std::string::npos);
  const size_t end = index > begin ? index - 4 : bytes.size();
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>((begin + end) / 2),
            bytes.begin() + static_cast<std::ptrdiff_t>(end), '\0');
  WriteFileAtomic(video, bytes);
  RunContext run;
  const CompareReport report = RunCompare(options, run);
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_EQ(report.skipped[0].episode, "long");
  EXPECT_EQ(report.episodes.size(), 3u);
  EXPECT_EQ(report.overall.at("ssim").num_values, 3 * 2 * (kComparedFrames - 1));
}

TEST_F(CompareTest, WhatDiffersIsOneSentence) {
  const Clip clip = MakeSyntheticClip(kComparedFrames, 70);
  Clip other = clip;
  other.fps = 4;
  ExpectRefused(OnePair(other, clip), {"4 frames a second where the truth has 8", "--fps 4"});
  ExpectRefused(OnePair(MakeSyntheticClip(kComparedFrames - 1, 70), clip),
                {"5 frames long where the truth has 6"});
  ExpectRefused(OnePair(MakeSyntheticClip(kComparedFrames, 70, 16), clip),
                {"of 16x16 pixels where the truth has 32x32", "--width and --height"});
  other = clip;
  other.views[1].camera.name = "wrist";
  ExpectRefused(OnePair(other, clip),
                {"view0, wrist where the truth has view0, view1", "--truth-views"});
  other = clip;
  other.views.pop_back();
  fs::remove_all(folder_ / "one");
  ExpectRefused(OnePair(other, clip), {"seen by view0 where", "the same views"});
  fs::remove_all(folder_ / "one");
  ExpectRefused(OnePair(MakeSyntheticClip(1, 70), MakeSyntheticClip(1, 70)), {"one frame"});
}

TEST_F(CompareTest, BringsBothToOneRateAndSizeWhenAsked) {
  const Clip fast = MakeSyntheticClip(2 * kComparedFrames - 1, 70);  // 8 frames a second
  Clip slow = fast;
  slow.fps = 4;
  slow.poses.clear();
  const size_t picture = static_cast<size_t>(3 * fast.width * fast.height);
  for (ClipView& view : slow.views) {
    view.num_frames = kComparedFrames;
    view.rgb.clear();
  }
  for (size_t k = 0; k < fast.poses.size(); k += 2) {
    slow.poses.push_back(fast.poses[k]);
    for (size_t v = 0; v < slow.views.size(); ++v) {
      const auto begin = fast.views[v].rgb.begin() + static_cast<std::ptrdiff_t>(k * picture);
      slow.views[v].rgb.insert(slow.views[v].rgb.end(), begin,
                               begin + static_cast<std::ptrdiff_t>(picture));
    }
  }
  CompareOptions options = OnePair(slow, fast);
  options.edit.fps = 4;
  options.edit.width = options.edit.height = 16;
  RunContext run;
  const CompareReport report = RunCompare(options, run);
  EXPECT_EQ(report.episodes[0].num_frames, kComparedFrames);
  EXPECT_EQ(report.overall.at("equal_pictures").value, 1);
  EXPECT_EQ(report.overall.at("position_mm").value, 0);
  EXPECT_EQ(report.overall.at("position_mm").num_values, kComparedFrames - 1);
}

// Errors in pixels are those of the pictures that are compared: half as large, half the pixels.
TEST_F(CompareTest, PixelsOfPosesAreOfTheSizeAskedFor) {
  const Clip clip = MakeSyntheticClip(kComparedFrames, 70);
  CompareOptions options = OnePair(Disturbed(clip), clip);
  options.measure.metrics = {"pose"};
  RunContext run;
  const CompareReport whole = RunCompare(options, run);
  options.edit.width = options.edit.height = 16;
  const CompareReport half = RunCompare(options, run);
  EXPECT_EQ(half.episodes[0].size, "16x16");
  for (const char* score : {"error_2d_px/view0/tip", "trajectory_px"}) {
    ASSERT_GT(whole.overall.at(score).value, 0) << score;
    EXPECT_NEAR(half.overall.at(score).value, whole.overall.at(score).value / 2, 1e-9) << score;
  }
  const std::string table = CompareTable(half);
  EXPECT_THAT(table, HasSubstr("| trajectory, px (at 16x16) |"));
  EXPECT_THAT(table, HasSubstr("| Jaccard at 4 px, % (at 16x16) |"));
  EXPECT_THAT(table, HasSubstr("2-D error of view0/tip, px at 16x16"));
}

TEST_F(CompareTest, ViewsArePairedByNameOrAsTold) {
  const Clip clip = MakeSyntheticClip(kComparedFrames, 70);
  Clip swapped = clip;
  std::swap(swapped.views[0].rgb, swapped.views[1].rgb);
  CompareOptions options = OnePair(swapped, clip);
  options.judged.views = {"view0"};
  options.truth.views = {"view1"};
  RunContext run;
  EXPECT_EQ(RunCompare(options, run).overall.at("equal_pictures").value, 1);
  options.truth.views = {};
  EXPECT_EQ(RunCompare(options, run).overall.at("equal_pictures").value, 0);
  options.truth.views = {"view1", "view0"};
  ExpectThrowsWith<ConfigError>([&] { RunCompare(options, run); }, {"--truth-views", "2 names"});
}

TEST_F(CompareTest, WithoutPosesOrCamerasTheReasonIsGiven) {
  const Clip clip = MakeSyntheticClip(kComparedFrames, 70);
  Clip blind = clip;
  for (ClipView& view : blind.views) view.camera.frames.clear();
  WriteEpisodes(folder_ / "blind", "lerobot", {blind});
  CompareOptions options = OnePair(clip, clip);
  const std::string seeing = options.judged.path;
  options.judged.path = options.truth.path = (folder_ / "blind").string();
  RunContext run;
  CompareReport report = RunCompare(options, run);
  EXPECT_TRUE(report.overall.contains("position_mm"));
  EXPECT_FALSE(report.overall.contains("jaccard"));
  EXPECT_EQ(report.episodes[0].missing.at("jaccard"), "no cameras are known");
  EXPECT_EQ(report.episodes[0].missing.at("error_2d_px/view0"), "no camera of the view is known");
  options.judged.path = seeing;  // whose cameras stand in
  report = RunCompare(options, run);
  EXPECT_EQ(report.overall.at("jaccard").value, 1);
  EXPECT_TRUE(report.overall.contains("error_2d_px/view1/tip"));
  Clip large = MakeSyntheticClip(kComparedFrames, 70, 2 * testing::kTinySize);
  for (ClipView& view : large.views) view.camera.frames.clear();
  WriteEpisodes(folder_ / "large", "lerobot", {large});
  options.truth.path = (folder_ / "large").string();
  Clip moved = clip;
  for (ToolPose& pose : moved.poses) pose.world_from_tool.translation.x() += 0.02;
  const auto error_px = [&](const std::string& truth) {
    CompareOptions pair = OnePair(moved, clip);
    pair.measure.metrics = {"pose"};
    if (!truth.empty()) pair.truth.path = truth;
    return RunCompare(pair, run).overall.at("error_2d_px/view1/tip").value;
  };
  EXPECT_NEAR(error_px(options.truth.path), 2 * error_px(""), 1e-6);  // pixels of its pictures
  options = OnePair(clip, clip);
  fs::remove(folder_ / "one/truth/poses.csv");
  report = RunCompare(options, run);
  EXPECT_FALSE(report.overall.contains("position_mm"));
  EXPECT_EQ(report.episodes[0].missing.at("pose"), "the truth has no poses");
  Clip first_pose = clip;
  first_pose.poses.resize(1);
  report = RunCompare(OnePair(first_pose, clip), run);
  EXPECT_EQ(report.episodes[0].missing.at("pose"), "no more than the first pose");
}

// Frames without confidence: those of the judged are not decodable, those of the truth no truth.
TEST_F(CompareTest, PosesWithoutConfidenceAreNotCompared) {
  CompareOptions options = Options({"pose"});
  const DataSet judged = options.judged.Open();
  const DataSet truth = options.truth.Open();
  const auto compare = [&](const std::vector<double>& ours, const std::vector<double>& theirs) {
    const auto open = [](const DataSet& data, const std::vector<double>& confidence) {
      auto episode = data.Open(data.episodes()[0]);
      episode->SetPoses(episode->facts().clip.poses, confidence);
      return episode;
    };
    const auto first = open(judged, ours);
    const auto second = open(truth, theirs);
    ClipFeatures features;
    return CompareEpisode(options, {}, *first, *second, features);
  };
  const std::vector<double> sure(kComparedFrames, 1);
  const EpisodeComparison ours = compare({1, 0, 0, 1, 1, 1}, sure);
  EXPECT_EQ(ours.scores.at("position_mm").num_values, 3);
  EXPECT_EQ(ours.scores.at("not_decodable").Value(), 0.4);
  const EpisodeComparison theirs = compare(sure, {0, 1, 1, 0, 1, 1});
  EXPECT_EQ(theirs.scores.at("position_mm").num_values, 4);
  EXPECT_EQ(theirs.scores.at("not_decodable").Value(), 0);
  EXPECT_EQ(theirs.missing.at("pose_of_frames"), "the truth has no pose in 1 frame");
}

// With made weights: a clip a view, a picture with itself at no distance.
TEST_F(CompareTest, NetworksMeasureEveryView) {
  const at::InferenceMode guard;
  MetricNetworks networks;
  networks.lpips.emplace(LpipsNetwork::kAlexnet,
                         testing::MadeWeights(LpipsShapes(LpipsNetwork::kAlexnet)), "made");
  networks.i3d.emplace(testing::MadeWeights(I3dShapes()), "made");
  const Clip clip = MakeSyntheticClip(kI3dMinFrames + 2, 70);
  CompareOptions options = OnePair(Disturbed(clip), clip);
  options.measure.metrics = {"lpips", "fvd"};
  options.measure.fvd_frames = kI3dMinFrames;
  const auto measure = [&](const CompareOptions& asked, ClipFeatures& features) {
    const DataSet judged = asked.judged.Open();
    const DataSet truth = asked.truth.Open();
    const auto first = judged.Open(judged.episodes()[0]);
    const auto second = truth.Open(truth.episodes()[0]);
    return CompareEpisode(asked, networks, *first, *second, features);
  };
  ClipFeatures features;
  const EpisodeComparison apart = measure(options, features);
  EXPECT_EQ(apart.scores.at("lpips").num_values, 2 * (kI3dMinFrames + 1));
  EXPECT_GT(*apart.scores.at("lpips").Value(), 0);
  EXPECT_FALSE(apart.scores.contains("psnr_db"));
  ASSERT_EQ(features.judged.size(), 2u);
  ASSERT_EQ(features.truth.size(), 2u);
  EXPECT_GT((features.judged[0] - features.truth[0]).norm(), 0);
  EXPECT_GT((features.truth[0] - features.truth[1]).norm(), 0);
  options.measure.fvd_frames = kI3dMinFrames + 3;
  const EpisodeComparison short_of_a_clip = measure(options, features);
  EXPECT_EQ(features.judged.size(), 2u);
  EXPECT_EQ(short_of_a_clip.missing.at("fvd"), "fewer than the 12 frames of a clip");
  options = OnePair(MakeSyntheticClip(2, 70, 16), MakeSyntheticClip(2, 70, 16));
  options.measure.metrics = {"lpips"};
  EXPECT_EQ(measure(options, features).missing.at("lpips"), "pictures with sides below 31 pixels");
}

TEST_F(CompareTest, RefusesBeforeAnythingIsWritten) {
  const fs::path out = folder_ / "report.json";
  RunContext run({.out = out});
  CompareOptions options = Options({"psnr", "lpips"});
  options.measure.weights = (folder_ / "nowhere").string();
  ExpectThrowsWith<InputError>([&] { RunCompare(options, run); },
                               {"alexnet.ckpt", "scripts/setup --metrics"});
  options = Options({"psnr,blur"});
  ExpectThrowsWith<ConfigError>([&] { RunCompare(options, run); }, {"--metrics", "blur", "psnr"});
  options = Options({});
  ExpectThrowsWith<ConfigError>([&] { RunCompare(options, run); }, {"--metrics", "empty"});
  options = Options();
  options.truth.path = (folder_ / "nothing").string();
  ExpectThrowsWith<InputError>([&] { RunCompare(options, run); }, {"nothing", "missing"});
  EXPECT_FALSE(fs::exists(out));
}

}  // namespace
}  // namespace aim
