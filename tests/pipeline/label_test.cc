#include "aim/pipeline/label.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/codec/pose_csv.h"
#include "aim/data/action_images.h"
#include "aim/data/data_set.h"
#include "aim/media/video.h"
#include "media/make_video.h"
#include "pipeline/clip_files.h"
#include "support/case_name.h"
#include "support/count_parts.h"
#include "support/matchers.h"
#include "support/run_command.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::CountParts;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::kTinyFrames;
using testing::MakeSyntheticClip;
using testing::RigidNear;
using testing::TemporaryFolder;

constexpr int kLong = 2 * kTinyFrames + 3;

class LabelTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    testing::WriteTinyBundle(*folder_ / "model");
    testing::WriteClipFiles(*folder_ / "clips/a", MakeSyntheticClip(kTinyFrames, 41));
    testing::WriteClipFiles(*folder_ / "clips/b", MakeSyntheticClip(kLong, 42));
    testing::WriteClipFiles(*folder_ / "clips/c", MakeSyntheticClip(4, 43));
    for (int k = 0; k < 3; ++k) {
      Episode episode;
      episode.clip = MakeSyntheticClip(kTinyFrames + k, static_cast<uint64_t>(50 + k));
      episode.task = "reach";
      WriteEpisode(EpisodeFolder(*folder_ / "demos", "reach", 0, k), episode);
    }
  }
  static void TearDownTestSuite() { delete folder_; }

  static LabelOptions Options(const fs::path& data) {
    LabelOptions options;
    options.model.model = (*folder_ / "model").string();
    options.data.path = data.string();
    return options;
  }
  static nlohmann::json Label(const LabelOptions& options, const fs::path& out,
                              bool resume = false) {
    RunContext run({.seed = 2, .out = out, .resume = resume});
    return ToJson(RunLabel(options, run));
  }

  static TemporaryFolder* folder_;
  TemporaryFolder scratch_;
};
TemporaryFolder* LabelTest::folder_ = nullptr;

TEST_F(LabelTest, EveryClipGetsAPoseAFrame) {
  const nlohmann::json report = Label(Options(*folder_ / "clips"), scratch_ / "out");
  EXPECT_EQ(report["episodes"], 3);
  EXPECT_EQ(report["frames"], kTinyFrames + kLong + 4);
  EXPECT_EQ(report["errors"]["frames"], kTinyFrames + kLong + 4 - 3);
  EXPECT_TRUE(report["damaged"].empty());
  const std::map<std::string, int> lengths = {{"a", kTinyFrames}, {"b", kLong}, {"c", 4}};
  for (const auto& [name, length] : lengths) {
    const std::vector<PoseRow> rows = ReadPosesCsv(scratch_ / "out" / name / "poses.csv");
    ASSERT_EQ(rows.size(), static_cast<size_t>(length)) << name;
    EXPECT_NEAR(rows[1].time_s, 0.125, 1e-9);
    // The recorded first pose was given.
    const std::vector<PoseRow> truth = ReadPosesCsv(*folder_ / "clips" / name / "poses.csv");
    EXPECT_THAT(rows[0].decoded.pose.world_from_tool,
                RigidNear(truth[0].decoded.pose.world_from_tool, 1e-9, 1e-7));
    EXPECT_EQ(rows[0].decoded.confidence, 1);
  }
  const auto windows = [&](const char* name) {
    const fs::path path = scratch_ / "out" / name / "label.json";
    return nlohmann::json::parse(ReadFile(path))["windows"].get<int>();
  };
  EXPECT_EQ(windows("a"), 1);
  EXPECT_EQ(windows("b"), 4);  // 21 frames in windows of 9 that share 4
}

TEST_F(LabelTest, FirstPoseMayBeKeptFromTheModel) {
  LabelOptions options = Options(*folder_ / "clips");
  options.first_pose = FirstPose::kNone;
  Label(options, scratch_ / "out");
  EXPECT_LT(ReadPosesCsv(scratch_ / "out/a/poses.csv")[0].decoded.confidence, 1);
}

TEST_F(LabelTest, ReadsTheActionImagesLayout) {
  const nlohmann::json report = Label(Options(*folder_ / "demos"), scratch_ / "out");
  EXPECT_EQ(report["episodes"], 3);
  EXPECT_EQ(ReadPosesCsv(scratch_ / "out/reach/variation0/episode2/poses.csv").size(),
            static_cast<size_t>(kTinyFrames + 2));
}

// Shards together give what one run gives, byte for byte.
TEST_F(LabelTest, ShardsDivideTheWork) {
  Label(Options(*folder_ / "demos"), scratch_ / "whole");
  for (const char* shard : {"0/2", "1/2"}) {
    LabelOptions options = Options(*folder_ / "demos");
    options.shard = shard;
    const nlohmann::json report = Label(options, scratch_ / "parts", true);
    EXPECT_EQ(report["episodes"], shard[0] == '0' ? 2 : 1);
  }
  for (int k = 0; k < 3; ++k) {
    const std::string name = "reach/variation0/episode" + std::to_string(k) + "/poses.csv";
    EXPECT_EQ(ReadFile(scratch_ / "whole" / name), ReadFile(scratch_ / "parts" / name));
  }
  EXPECT_TRUE(fs::exists(scratch_ / "parts/report-0-of-2.json"));
  EXPECT_TRUE(fs::exists(scratch_ / "parts/report-1-of-2.json"));
}

TEST_F(LabelTest, ResumeMakesOnlyWhatIsMissing) {
  const nlohmann::json whole = Label(Options(*folder_ / "demos"), scratch_ / "out");
  const fs::path second = scratch_ / "out/reach/variation0/episode1";
  const std::string poses = ReadFile(second / "poses.csv");
  fs::remove_all(second);
  nlohmann::json resumed = Label(Options(*folder_ / "demos"), scratch_ / "out", true);
  EXPECT_EQ(resumed["resumed"], 2);
  EXPECT_EQ(ReadFile(second / "poses.csv"), poses);
  resumed["resumed"] = 0;
  EXPECT_EQ(resumed.dump(), whole.dump());  // as text: a NaN is not equal to itself
}

TEST_F(LabelTest, ResumeMakesDamagedLabelsAgain) {
  nlohmann::json whole = Label(Options(*folder_ / "demos"), scratch_ / "out");
  const fs::path task = scratch_ / "out/reach/variation0";
  const std::string poses = ReadFile(task / "episode0/poses.csv");
  WriteFileAtomic(task / "episode0/poses.csv", "not a table\n");
  nlohmann::json record = nlohmann::json::parse(ReadFile(task / "episode1/label.json"));
  record["errors"] = {{"position_mm", "many"}};
  WriteFileAtomic(task / "episode1/label.json", record.dump());
  const nlohmann::json resumed = Label(Options(*folder_ / "demos"), scratch_ / "out", true);
  EXPECT_EQ(resumed["resumed"], 1);
  EXPECT_EQ(ReadFile(task / "episode0/poses.csv"), poses);
  whole["resumed"] = 1;
  EXPECT_EQ(resumed.dump(), whole.dump());  // as text: a NaN is not equal to itself
}

TEST_F(LabelTest, ResumeLabelsWhatWasCutOffOrRecordedAgain) {
  fs::copy(*folder_ / "demos", scratch_ / "demos", fs::copy_options::recursive);
  const LabelOptions options = Options(scratch_ / "demos");
  const nlohmann::json whole = Label(options, scratch_ / "out");
  const int64_t num_episodes = whole["episodes"];
  const fs::path labels = scratch_ / "out/reach/variation0/episode0/poses.csv";
  const std::string poses = ReadFile(labels);
  WriteFileAtomic(labels, poses.substr(0, poses.rfind('\n', poses.size() - 2) + 1));
  EXPECT_EQ(Label(options, scratch_ / "out", true)["resumed"], num_episodes - 1);
  EXPECT_EQ(ReadFile(labels), poses);
  const fs::path meta = scratch_ / "demos/reach/variation0/episodes/episode1/meta.json";
  WriteFileAtomic(meta, ReadFile(meta) + "\n");
  EXPECT_EQ(Label(options, scratch_ / "out", true)["resumed"], num_episodes - 1);
  EXPECT_EQ(Label(options, scratch_ / "out", true)["resumed"], num_episodes);
}

TEST_F(LabelTest, ResumeWithOtherOptionsIsRefused) {
  Label(Options(*folder_ / "demos"), scratch_ / "out");
  LabelOptions options = Options(*folder_ / "demos");
  options.first_pose = FirstPose::kNone;
  ExpectThrowsWith<ConfigError>([&] { Label(options, scratch_ / "out", true); },
                                {"first_pose", "\"none\"", "--overwrite"});
}

// A damaged episode is left out, counted and named; the others are labelled.
TEST_F(LabelTest, DamagedEpisodesAreNamed) {
  fs::copy(*folder_ / "clips", scratch_ / "clips", fs::copy_options::recursive);
  fs::resize_file(scratch_ / "clips/a/view1.mp4", 200);
  fs::remove(scratch_ / "clips/c/cameras.json");
  const nlohmann::json report = Label(Options(scratch_ / "clips"), scratch_ / "out");
  EXPECT_EQ(report["episodes"], 1);
  ASSERT_EQ(report["damaged"].size(), 2u);
  EXPECT_EQ(report["damaged"][0]["episode"], "a");
  EXPECT_THAT(std::string(report["damaged"][0]["problem"]), HasSubstr("view1.mp4"));
  EXPECT_THAT(std::string(report["damaged"][1]["problem"]), HasSubstr("cameras.json is missing"));
  EXPECT_FALSE(fs::exists(scratch_ / "out/a"));
  fs::remove_all(scratch_ / "clips/b");
  ExpectThrowsWith<InputError>([&] { Label(Options(scratch_ / "clips"), scratch_ / "out2"); },
                               {"without an episode that can be read", "view1.mp4"});
}

// A video of twice the model's rate has twice the rows.
TEST_F(LabelTest, FasterVideosAreLabelledAtTheModelsRate) {
  Clip clip = MakeSyntheticClip(2 * kTinyFrames, 44);
  clip.fps = 16;
  clip.poses.resize(1);
  testing::WriteClipFiles(scratch_ / "fast", clip);
  const nlohmann::json report = Label(Options(scratch_ / "fast"), scratch_ / "out");
  EXPECT_FALSE(report.contains("errors"));  // no truth but the first pose
  const std::vector<PoseRow> rows = ReadPosesCsv(scratch_ / "out/fast/poses.csv");
  ASSERT_EQ(rows.size(), static_cast<size_t>(2 * kTinyFrames));
  EXPECT_NEAR(rows[1].time_s, 1.0 / 16, 1e-9);
  const nlohmann::json record = nlohmann::json::parse(ReadFile(scratch_ / "out/fast/label.json"));
  EXPECT_EQ(record["windows"], 1);
}

// Rows have the times of the file, gap and late start and all.
TEST_F(LabelTest, RowsHaveTheTimesOfTheFile) {
  const Clip clip = MakeSyntheticClip(8, 45);
  testing::WriteClipFiles(scratch_ / "uneven", clip);
  const std::vector<int> times_ms = {1500, 1625, 1750, 1875, 2000, 2500, 2625, 2750};
  for (size_t v = 0; v < 2; ++v) {
    const fs::path path = scratch_ / "uneven" / ("view" + std::to_string(v) + ".mp4");
    const Video even = ReadVideo(path);
    std::vector<Image> frames;
    for (int k = 0; k < 8; ++k) frames.push_back(FrameImage(even, k));
    fs::remove(path);
    testing::MakeVideo(fs::path(path).replace_extension(".mkv"),
                       {.container = "matroska", .times_ms = times_ms}, frames);
  }
  Label(Options(scratch_ / "uneven"), scratch_ / "out");
  const std::vector<PoseRow> rows = ReadPosesCsv(scratch_ / "out/uneven/poses.csv");
  ASSERT_EQ(rows.size(), times_ms.size());
  for (size_t k = 0; k < rows.size(); ++k) EXPECT_NEAR(rows[k].time_s, times_ms[k] / 1000.0, 1e-9);
}

// One page that holds its pictures, a card a clip, what was left out; small videos too.
TEST_F(LabelTest, OverlaysShowWhatWasFound) {
  fs::copy(*folder_ / "clips", scratch_ / "clips", fs::copy_options::recursive);
  fs::resize_file(scratch_ / "clips/c/view1.mp4", 200);
  LabelOptions options = Options(scratch_ / "clips");
  options.overlay = true;
  const nlohmann::json report = Label(options, scratch_ / "out");
  EXPECT_EQ(report["episodes"], 2);
  for (const char* name : {"a", "b"}) {
    for (const char* view : {"overlay0.mp4", "overlay1.mp4"}) {
      const Video overlay = ReadVideo(scratch_ / "out" / name / view);
      EXPECT_EQ(overlay.num_frames, name[0] == 'a' ? kTinyFrames : kLong);
      EXPECT_GE(std::min(overlay.format.width, overlay.format.height), 256);
    }
  }
  const std::string page = ReadFile(scratch_ / "out/report.html");
  EXPECT_EQ(CountParts(page, "data:image/jpeg;base64,"), 2u);
  EXPECT_EQ(CountParts(page, "data:video/mp4;base64,"), 4u);
  EXPECT_EQ(CountParts(page, "<polyline"), 2u);
  for (const char* words : {"title=\"b/overlay1.mp4\"", "cut into 4 overlapping windows",
                            "Left out", "view1.mp4", "clips left out"}) {
    EXPECT_THAT(page, HasSubstr(words));
  }
  EXPECT_EQ(CountParts(page, "http"), 0u);  // nothing from elsewhere
  // The labels are those of a run without it, and go on being a data set.
  Label(Options(scratch_ / "clips"), scratch_ / "plain");
  EXPECT_EQ(ReadFile(scratch_ / "out/b/poses.csv"), ReadFile(scratch_ / "plain/b/poses.csv"));
  EXPECT_EQ(OpenDataSet(scratch_ / "out").episodes().size(), 2u);
  EXPECT_FALSE(fs::exists(scratch_ / "plain/report.html"));
  // A later start shows what an earlier one made.
  Label(options, scratch_ / "out", true);
  EXPECT_EQ(ReadFile(scratch_ / "out/report.html"), page);
}

// What aim-label wrote is a data set: the labelled videos with the labels as poses.
TEST_F(LabelTest, ItsOutputIsADataSet) {
  for (const char* source : {"clips", "demos"}) {
    SCOPED_TRACE(source);
    const fs::path out = scratch_ / source;
    Label(Options(*folder_ / source), out);
    const DataSet labelled = OpenDataSet(*folder_ / source);
    const DataSet labels = OpenDataSet(out);
    EXPECT_EQ(labels.layout().Name(), "labels");
    ASSERT_EQ(labels.episodes().size(), labelled.episodes().size());
    for (const EpisodeRef& ref : labels.episodes()) {
      const Episode read = labels.Read(ref);
      ASSERT_NE(labelled.Find(ref.name), nullptr) << ref.name;
      const Episode recorded = labelled.Read(*labelled.Find(ref.name));
      EXPECT_EQ(read.clip.prompt, recorded.clip.prompt);
      EXPECT_EQ(read.task, recorded.task);
      EXPECT_TRUE(read.clip.views[1].rgb == recorded.clip.views[1].rgb);
      const std::vector<PoseRow> rows = ReadPosesCsv(out / ref.name / "poses.csv");
      ASSERT_EQ(read.clip.poses.size(), rows.size());
      ASSERT_EQ(read.clip.poses.size(), static_cast<size_t>(read.clip.views[0].num_frames));
      for (size_t frame = 0; frame < rows.size(); ++frame) {
        EXPECT_EQ(read.clip.poses[frame].world_from_tool.translation,
                  rows[frame].decoded.pose.world_from_tool.translation);
        EXPECT_EQ(read.confidence.at(frame), rows[frame].decoded.confidence);
      }
    }
  }
}

// The labels with their videos, as a data set that others load; written anew at every start.
TEST_F(LabelTest, WritesADataSetOfItsOwn) {
  LabelOptions options = Options(*folder_ / "clips");
  options.to = "lerobot";
  Label(options, scratch_ / "out");
  const fs::path root = scratch_ / "out/lerobot";
  EXPECT_EQ(nlohmann::json::parse(ReadFile(root / "meta/info.json"))["codebase_version"], "v3.0");
  const auto expect_same = [&] {
    const DataSet labels = OpenDataSet(scratch_ / "out", "labels");
    const DataSet written = OpenDataSet(root);
    EXPECT_EQ(written.layout().Name(), "lerobot");
    ASSERT_EQ(written.episodes().size(), labels.episodes().size());
    for (size_t i = 0; i < labels.episodes().size(); ++i) {
      const Episode label = labels.Read(labels.episodes()[i]);
      const Episode episode = written.Read(written.episodes()[i]);
      ASSERT_EQ(episode.clip.poses.size(), label.clip.poses.size());
      EXPECT_THAT(episode.clip.poses.back().world_from_tool,
                  RigidNear(label.clip.poses.back().world_from_tool, 1e-6, 1e-6));
      EXPECT_NEAR(episode.confidence.back(), label.confidence.back(), 1e-6);
      EXPECT_EQ(episode.clip.prompt, label.clip.prompt);
    }
  };
  expect_same();
  EXPECT_TRUE(OpenDataSet(scratch_ / "out").layout().Name() == "labels");
  fs::remove_all(root / "videos");  // as one that was damaged
  EXPECT_EQ(Label(options, scratch_ / "out", true)["resumed"], 3);
  expect_same();
}

TEST_F(LabelTest, ADataSetOfItsOwnIsOneProcessesWork) {
  LabelOptions options = Options(*folder_ / "clips");
  options.to = "folder";
  options.shard = "0/2";
  ExpectThrowsWith<ConfigError>([&] { Label(options, scratch_ / "out"); },
                                {"--to", "--shard", "aim-data convert OUT OTHER --to folder"});
  options.to = "parquet";
  options.shard = "";
  ExpectThrowsWith<ConfigError>([&] { Label(options, scratch_ / "out"); }, {"to is", "lerobot"});
}

// The videos are those of the first data set; labels are no truth to measure errors against.
TEST_F(LabelTest, LabelsCanBeLabelledAgain) {
  Label(Options(*folder_ / "demos"), scratch_ / "first");
  const nlohmann::json report = Label(Options(scratch_ / "first"), scratch_ / "second");
  EXPECT_EQ(report["episodes"], 3);
  EXPECT_FALSE(report.contains("errors"));
  const DataSet again = OpenDataSet(scratch_ / "second");
  const EpisodeOrigin origin = again.Origin(again.episodes().at(2));
  EXPECT_EQ(origin.data, *folder_ / "demos");
  EXPECT_EQ(origin.episode, "reach/variation0/episode2");
}

TEST_F(LabelTest, ItsOutputCanBeTrainedOn) {
  Label(Options(*folder_ / "demos"), scratch_ / "labels");
  for (const fs::path& data : {scratch_ / "labels", *folder_ / "clips"}) {
    const testing::CommandResult result =
        testing::RunCommand({testing::Binary("aim-train"), "--data", data.string(), "--init",
                             (*folder_ / "model").string(), "--out", (scratch_ / "run").string(),
                             "--overwrite", "--set", "train.steps=1", "--set", "train.batch_size=2",
                             "--set", "train.validation_episodes=0", "--set",
                             "clips.num_frames=" + std::to_string(kTinyFrames)});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_THAT(result.err, ::testing::Not(HasSubstr("left out")));
  }
}

struct BadLabel {
  std::string name;
  std::vector<std::string> flags;  // @ is the folder of the test
  std::vector<std::string> words;
};
class BadLabelInput : public LabelTest, public ::testing::WithParamInterface<BadLabel> {};

TEST_P(BadLabelInput, IsOneSentenceAndExitCodeTwo) {
  std::vector<std::string> command = {testing::Binary("aim-label"), "--out",
                                      (scratch_ / "out").string()};
  fs::create_directories(*folder_ / "empty");
  for (std::string flag : GetParam().flags) {
    if (flag.starts_with("@")) flag = (*folder_ / flag.substr(1)).string();
    command.push_back(flag);
  }
  const testing::CommandResult result = testing::RunCommand(command);
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  for (const std::string& word : GetParam().words) EXPECT_THAT(result.err, HasSubstr(word));
  EXPECT_FALSE(fs::exists(scratch_ / "out"));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadLabelInput,
    ::testing::Values(
        BadLabel{"no_model", {"--data", "@clips"}, {"--model is not given"}},
        BadLabel{"no_data", {"--model", "@model"}, {"--data is not given"}},
        BadLabel{"missing_data", {"--model", "@model", "--data", "@none"}, {"none is missing"}},
        BadLabel{"empty_data",
                 {"--model", "@model", "--data", "@empty"},
                 {"empty is a folder without episodes"}},
        BadLabel{"shard_out_of_range",
                 {"--model", "@model", "--data", "@clips", "--shard", "2/2"},
                 {"--shard is \"2/2\"", "0 <= i < n"}},
        BadLabel{"shard_of_words",
                 {"--model", "@model", "--data", "@clips", "--shard", "half"},
                 {"--shard is \"half\""}},
        BadLabel{"overlap_of_a_window",
                 {"--model", "@model", "--data", "@clips", "--overlap", "9"},
                 {"--overlap is 9", "below 9"}},
        BadLabel{"confidence_above_one",
                 {"--model", "@model", "--data", "@clips", "--min-confidence", "2"},
                 {"--min-confidence is 2", "[0, 1]"}},
        BadLabel{"unknown_first_pose",
                 {"--model", "@model", "--data", "@clips", "--first-pose", "both"},
                 {"\"both\"", "data|none"}}),
    testing::CaseName());

TEST_F(LabelTest, TheToolDoesWhatTheLibraryDoes) {
  Label(Options(*folder_ / "clips"), scratch_ / "library");
  const testing::CommandResult result = testing::RunCommand(
      {testing::Binary("aim-label"), "--model", (*folder_ / "model").string(), "--data",
       (*folder_ / "clips").string(), "--seed", "2", "--out", (scratch_ / "tool").string()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["episodes"], 3);
  for (const char* file : {"b/poses.csv", "report.json"}) {
    EXPECT_EQ(ReadFile(scratch_ / "tool" / file), ReadFile(scratch_ / "library" / file));
  }
}

}  // namespace
}  // namespace aim
