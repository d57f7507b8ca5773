// What every layout has to do; a new one is a row of layout_cases.h.
#include "aim/data/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <map>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/data/cut_clip.h"
#include "aim/data/inspect.h"
#include "data/layout_cases.h"
#include "support/case_name.h"
#include "support/matchers.h"
#include "support/temporary_folder.h"
#include "support/throws.h"
#include "support/tolerance.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::LayoutCase;
using testing::LayoutCases;
using testing::MissingPart;
using testing::RigidNear;
using testing::TemporaryFolder;

constexpr int kNumEpisodes = 3;
constexpr int kNumFrames = 9;

// What a layout's numbers may lose.
struct Losses {
  explicit Losses(const LayoutCase& layout_case) {
    if (!layout_case.is_float32) return;
    position_m = testing::kFloat32M;
    camera_rad = pose_rad = testing::kFloat32Rad;
    pinhole_px = testing::kFloat32Px;
    open = testing::kFloat32M;
  }
  double position_m = testing::kRoundTripM;
  double camera_rad = testing::kThroughMatrixRad;
  double pose_rad = testing::kThroughMatrixRad;
  double pinhole_px = testing::kRoundTripPx;
  double open = 1e-9;
};

void ExpectSameCameras(const CameraTrack& actual, const CameraTrack& expected,
                       const Losses& losses) {
  ASSERT_EQ(actual.frames.size(), expected.frames.size());
  for (size_t frame = 0; frame < expected.frames.size(); ++frame) {
    const Camera& a = actual.frames[frame];
    const Camera& e = expected.frames[frame];
    EXPECT_THAT(a.world_from_camera,
                RigidNear(e.world_from_camera, losses.position_m, losses.camera_rad));
    EXPECT_NEAR(a.fx, e.fx, losses.pinhole_px);
    EXPECT_NEAR(a.cy, e.cy, losses.pinhole_px);
    EXPECT_EQ(a.width, e.width);
  }
}

void ExpectNearPoses(const std::vector<ToolPose>& actual, const std::vector<ToolPose>& expected,
                     const Losses& losses) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t frame = 0; frame < expected.size(); ++frame) {
    EXPECT_THAT(actual[frame].world_from_tool,
                RigidNear(expected[frame].world_from_tool, losses.position_m, losses.pose_rad));
    EXPECT_NEAR(actual[frame].gripper_open, expected[frame].gripper_open, losses.open);
  }
}

// Numbers of a clip that must agree bit for bit.
std::vector<double> Numbers(const Clip& clip) {
  std::vector<double> numbers = {clip.fps, static_cast<double>(clip.width),
                                 static_cast<double>(clip.height)};
  const auto add = [&](const Rigid3d& motion) {
    for (const double value : motion.translation) numbers.push_back(value);
    for (const double value : motion.rotation.coeffs()) numbers.push_back(value);
  };
  for (const ClipView& view : clip.views) {
    numbers.push_back(view.num_frames);
    numbers.push_back(static_cast<double>(view.camera.frames.size()));
    for (const Camera& camera : view.camera.frames) {
      add(camera.world_from_camera);
      numbers.insert(numbers.end(), {camera.fx, camera.fy, camera.cx, camera.cy});
    }
  }
  for (const ToolPose& pose : clip.poses) {
    add(pose.world_from_tool);
    numbers.push_back(pose.gripper_open);
  }
  return numbers;
}

// DataSet::Read, also where there is no calibration.
Episode ReadWhole(const DataSet& data, const EpisodeRef& ref) { return data.Open(ref)->Read({}); }

// Three episodes of different lengths; the last one's second camera moves.
struct MadeData {
  explicit MadeData(const LayoutCase& layout_case) {
    Rng rng(11);
    for (int i = 0; i < kNumEpisodes; ++i) {
      episodes.push_back(testing::MakeEpisode(
          {.num_frames = kNumFrames - i,
           .moving_camera = layout_case.can_move_cameras && i == kNumEpisodes - 1},
          rng));
      Episode& episode = episodes.back();
      episode.clip.fps = layout_case.fps;
      episode.clip.prompt = "push button " + std::to_string(i);
      if (FindLayout(layout_case.layout).Limits().confidence) {
        for (size_t k = 0; k < episode.clip.poses.size(); ++k) {
          episode.confidence.push_back(1 - 0.1 * static_cast<double>(k));
        }
      }
    }
    layout_case.make(root, episodes);
  }

  TemporaryFolder folder;
  fs::path root = folder / "a data set" / "with spaces";
  std::vector<Episode> episodes;
};

// Encoding takes most of the time, so that tests which spoil nothing share the files.
class LayoutTest : public ::testing::TestWithParam<LayoutCase> {
 protected:
  static const MadeData& Made() {
    static std::map<std::string, MadeData> made;
    return made.try_emplace(GetParam().layout, GetParam()).first->second;
  }
  const Layout& layout() const { return FindLayout(GetParam().layout); }

  const fs::path& root_ = Made().root;
  const std::vector<Episode>& episodes_ = Made().episodes;
  TemporaryFolder folder_;
};

TEST_P(LayoutTest, EpisodesComeBackAsTheyWere) {
  const Losses losses(GetParam());
  const DataSet data = OpenDataSet(root_);
  EXPECT_EQ(data.layout().Name(), GetParam().layout);
  ASSERT_EQ(data.episodes().size(), episodes_.size());
  for (size_t i = 0; i < episodes_.size(); ++i) {
    SCOPED_TRACE(data.episodes()[i].name);
    const Clip read = ReadWhole(data, data.episodes()[i]).clip;
    const Clip& written = episodes_[i].clip;
    EXPECT_EQ(read.prompt, written.prompt);
    EXPECT_NEAR(read.fps, written.fps, 1e-9);
    ASSERT_EQ(read.views.size(), written.views.size());
    for (size_t view = 0; view < written.views.size(); ++view) {
      EXPECT_TRUE(read.views[view].rgb == written.views[view].rgb) << "view " << view;
      if (!layout().Limits().cameras) continue;
      ExpectSameCameras(read.views[view].camera, written.views[view].camera, losses);
    }
    ExpectNearPoses(read.poses, layout().Limits().poses ? written.poses : std::vector<ToolPose>(),
                    losses);
  }
}

// What it says it can hold comes back, what it says it cannot is empty.
TEST_P(LayoutTest, ItsLimitsAreTrue) {
  const LayoutLimits limits = layout().Limits();
  const DataSet data = OpenDataSet(root_);
  const Episode read = ReadWhole(data, data.episodes()[1]);
  const Episode& written = episodes_[1];
  const size_t num_frames = written.clip.poses.size();
  EXPECT_EQ(!read.clip.views[0].camera.frames.empty(), limits.cameras);
  EXPECT_EQ(read.clip.poses.size(), limits.poses ? num_frames : 0);
  EXPECT_EQ(read.measured.size(), limits.measured ? num_frames : 0);
  EXPECT_EQ(read.confidence.size(), limits.confidence ? num_frames : 0);
  EXPECT_EQ(read.clip.prompt, limits.prompt ? written.clip.prompt : "");
  EXPECT_EQ(read.task, limits.task ? written.task : "");
  EXPECT_EQ(read.variation, limits.task ? written.variation : 0);
  EXPECT_EQ(read.seed, limits.seed ? written.seed : 0);
}

// Episodes with the first pose alone, or none, are held, or refused by name.
TEST_P(LayoutTest, EpisodesWithoutActionsAreHeldOrRefused) {
  EXPECT_EQ(layout().Create(folder_ / "x", {}) != nullptr, GetParam().can_write);
  if (!GetParam().can_write) return;
  for (const size_t num_poses : {size_t{0}, size_t{1}}) {
    std::vector<Episode> episodes = {episodes_[0]};
    episodes[0].clip.poses.resize(num_poses);
    episodes[0].measured.clear();
    episodes[0].confidence.clear();
    const fs::path root = folder_ / ("without " + std::to_string(num_poses));
    const LayoutLimits limits = layout().Limits();
    if (num_poses == 0 ? limits.no_poses : limits.first_pose) {
      GetParam().make(root, episodes);
      const DataSet data = OpenDataSet(root);
      EXPECT_EQ(data.Read(data.episodes().at(0)).clip.poses.size(), num_poses);
      EXPECT_EQ(data.Read(data.episodes().at(0), {0, 3}).clip.poses.size(), num_poses);
      EXPECT_EQ(data.Read(data.episodes().at(0), {1, 3}).clip.poses.size(), 0u);
    } else {
      ExpectThrowsWith<InputError>([&] { GetParam().make(root, episodes); },
                                   {std::to_string(num_poses) + " pose", GetParam().layout});
    }
  }
}

// Who asks for an episode to draw or train on gets none without cameras.
TEST_P(LayoutTest, WithoutCamerasItIsForVideoOnly) {
  const DataSet data = OpenDataSet(root_);
  const EpisodeRef& ref = data.episodes()[0];
  if (layout().Limits().cameras) {
    EXPECT_TRUE(data.Read(ref).clip.views[0].rgb == episodes_[0].clip.views[0].rgb);
    return;
  }
  ExpectThrowsWith<InputError>([&] { data.Read(ref); }, {ref.name, "without calibration"});
  std::vector<Skipped> skipped;
  EXPECT_FALSE(data.TryRead(ref, skipped).has_value());
  EXPECT_EQ(skipped.size(), 1u);
}

TEST_P(LayoutTest, ItsShapeIsKnownWithoutReading) {
  const DataSet data = OpenDataSet(root_);
  for (size_t i = 0; i < episodes_.size(); ++i) {
    const EpisodeShape shape = data.Shape(data.episodes()[i]);
    const Clip& clip = episodes_[i].clip;
    EXPECT_EQ(shape.num_frames, clip.views[0].num_frames);
    EXPECT_EQ(shape.num_views, 2);
    EXPECT_EQ(shape.width, clip.width);
    EXPECT_EQ(shape.height, clip.height);
    EXPECT_NEAR(shape.fps, clip.fps, 1e-9);
  }
}

// Bit for bit, fixed and moving cameras, up to and past the end.
TEST_P(LayoutTest, ARangeIsTheCutOfTheWhole) {
  const DataSet data = OpenDataSet(root_);
  for (const EpisodeRef& ref : data.episodes()) {
    const Episode whole = ReadWhole(data, ref);
    const int num_frames = whole.clip.views[0].num_frames;
    for (const FrameRange range : {FrameRange{0, 3}, FrameRange{2, 5}, FrameRange{6, 7},
                                   FrameRange{4, -1}, FrameRange{5, 100}}) {
      SCOPED_TRACE(ref.name + " from " + std::to_string(range.begin));
      const Episode part = data.Open(ref)->Read(range);
      const int end = range.end < 0 ? num_frames : std::min(range.end, num_frames);
      const Clip cut = CutClip(whole.clip, range.begin, end - range.begin);
      EXPECT_TRUE(Numbers(part.clip) == Numbers(cut));
      EXPECT_EQ(part.clip.prompt, cut.prompt);
      for (size_t view = 0; view < cut.views.size(); ++view) {
        EXPECT_TRUE(part.clip.views[view].rgb == cut.views[view].rgb) << "view " << view;
        EXPECT_EQ(part.clip.views[view].camera.name, whole.clip.views[view].camera.name);
      }
      const auto first = static_cast<size_t>(range.begin);
      if (!whole.confidence.empty()) {
        EXPECT_EQ(part.confidence.at(0), whole.confidence[first]);
        EXPECT_EQ(part.confidence.size(), cut.poses.size());
      }
      EXPECT_EQ(part.measured.size(), whole.measured.empty() ? 0 : cut.poses.size());
    }
    ExpectThrowsWith<InputError>(
        [&] {
          data.Open(ref)->Read({num_frames, -1});
        },
        {std::to_string(num_frames) + " frames", "more than"});
  }
}

// A damaged episode is left out, counted and named; the others are read.
TEST_P(LayoutTest, MissingPartsAreNamedAndTheRestIsRead) {
  for (const MissingPart& part : GetParam().parts) {
    SCOPED_TRACE(part.name);
    const fs::path root = folder_ / ("without " + fs::path(part.name).filename().string());
    GetParam().make(root, episodes_);
    const EpisodeRef ref = OpenDataSet(root).episodes()[1];
    part.remove(root, ref);
    const DataSet data = OpenDataSet(root);
    std::vector<Skipped> skipped;
    int num_read = 0;
    for (const EpisodeRef& one : data.episodes()) {
      TryOrSkip(one.name, skipped, [&] {
        ReadWhole(data, one);
        ++num_read;
      });
    }
    const size_t num_hit = part.hits_all ? kNumEpisodes : 1;
    const size_t hit = part.hits_all ? 1 : 0;  // of those, the second episode
    EXPECT_EQ(num_read, kNumEpisodes - static_cast<int>(num_hit));
    ASSERT_EQ(skipped.size(), num_hit);
    EXPECT_EQ(skipped[hit].episode, ref.name);
    for (const std::string& word : part.words) EXPECT_THAT(skipped[hit].problem, HasSubstr(word));
    EXPECT_THROW(data.Read(ref, {0, 2}), InputError);
    Progress silent;
    const InspectReport report = InspectData(data, silent);
    EXPECT_EQ(report.statistics.num_episodes, kNumEpisodes - static_cast<int>(num_hit));
    EXPECT_EQ(report.layout, GetParam().layout);
    ASSERT_EQ(report.skipped.size(), num_hit);
    EXPECT_EQ(report.skipped[hit].episode, ref.name);
  }
}

TEST_P(LayoutTest, ItAloneRecognisesItsData) {
  for (const Layout* other : Layouts()) {
    const std::string why_not = other->WhyNot(root_);
    EXPECT_EQ(why_not.empty(), other->Name() == GetParam().layout) << other->Name() << why_not;
  }
  EXPECT_EQ(OpenDataSet(root_, GetParam().layout).episodes().size(), episodes_.size());
  EXPECT_EQ(OpenDataSet(root_ / "").episodes().size(), episodes_.size());
  if (GetParam().shares_files) return;
  const fs::path episode = OpenDataSet(root_).episodes()[1].path;
  EXPECT_EQ(OpenDataSet(episode).layout().Name(), GetParam().layout);
  ASSERT_EQ(OpenDataSet(episode).episodes().size(), 1u);
  EXPECT_EQ(OpenDataSet(episode).episodes()[0].path, episode);
}

TEST_P(LayoutTest, NamesAreUniqueAndFound) {
  const DataSet data = OpenDataSet(root_);
  for (const EpisodeRef& ref : data.episodes()) {
    ASSERT_NE(data.Find(ref.name), nullptr);
    EXPECT_EQ(data.Find(ref.name)->path, ref.path);
  }
  EXPECT_EQ(data.Find("none"), nullptr);
}

TEST_P(LayoutTest, ThreadsMayReadTogether) {
  const DataSet data = OpenDataSet(root_);
  std::vector<std::future<Episode>> reads;
  for (int i = 0; i < 3 * kNumEpisodes; ++i) {
    const EpisodeRef& ref = data.episodes()[static_cast<size_t>(i % kNumEpisodes)];
    reads.push_back(std::async(std::launch::async, [&data, &ref] { return ReadWhole(data, ref); }));
  }
  for (size_t i = 0; i < reads.size(); ++i) {
    EXPECT_EQ(reads[i].get().clip.prompt, episodes_[i % kNumEpisodes].clip.prompt);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, LayoutTest, ::testing::ValuesIn(LayoutCases()),
                         testing::CaseName());

TEST(LayoutsTest, EveryLayoutHasItsCase) {
  std::vector<std::string> tested;
  for (const LayoutCase& one : LayoutCases()) tested.push_back(one.layout);
  std::vector<std::string> known;
  for (const Layout* layout : Layouts()) known.emplace_back(layout->Name());
  EXPECT_EQ(tested, known);
}

TEST(LayoutsTest, AnUnknownFolderIsToldWhatIsKnown) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "notes/more");
  WriteFileAtomic(folder / "file", "text");
  std::vector<std::string> words = {"notes", "without episodes", "aim-data demos"};
  for (const Layout* layout : Layouts()) {
    words.push_back(std::string(layout->Name()) + " (" + layout->WhyNot(folder / "notes") + ")");
  }
  ExpectThrowsWith<InputError>([&] { OpenDataSet(folder / "notes"); }, words);
  ExpectThrowsWith<InputError>([&] { OpenDataSet(folder / "file"); }, {"file", "not a folder"});
  ExpectThrowsWith<InputError>([&] { OpenDataSet(folder / "none"); }, {"none", "missing"});
  ExpectThrowsWith<InputError>([&] { OpenDataSet(folder / "notes", "folder"); },
                               {"notes", "the layout folder", "no view0.mp4"});
  ExpectThrowsWith<ConfigError>(
      [&] { OpenDataSet(folder / "notes", "rlbanch"); },
      {"rlbanch",
       "auto|action-images|folder|labels|rlbench|lerobot|bridge|droid|bridge-raw|droid-raw"});
}

TEST(LayoutsTest, DataOfOthersIsNamedForWhatItIs) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"1.0.0/dataset_info.json", "an RLDS data set"},
      {"demo.hdf5", "HDF5 demonstrations"},
  };
  for (const auto& [file, words] : files) {
    SCOPED_TRACE(file);
    const TemporaryFolder folder;
    WriteFileAtomic(folder / file, "{}");
    ExpectThrowsWith<InputError>([&] { OpenDataSet(folder.path()); },
                                 {words, "action-images", "docs/data.md"});
  }
}

TEST(LayoutsTest, AnotherGeneratorsFilesInTheSameTreeAreNotClaimed) {
  const TemporaryFolder folder;
  const fs::path episode = folder / "open_drawer/variation0/episodes/episode0";
  WriteFileAtomic(episode / "waypoints.json", "{}");
  WriteFileAtomic(episode / "front_rgb/0.png", "x");
  ExpectThrowsWith<InputError>([&] { OpenDataSet(folder.path()); },
                               {"its episodes hold neither actions.npy nor view"});
}

TEST(LayoutsTest, TwoLayoutsInOneFolderAreNotGuessedAt) {
  const TemporaryFolder folder;
  Rng rng(3);
  const std::vector<Episode> episodes = {testing::MakeEpisode({.num_frames = 2}, rng)};
  testing::WriteThroughSink("folder", folder.path(), episodes);
  testing::WriteThroughSink("action-images", folder.path(), episodes);
  ExpectThrowsWith<InputError>([&] { OpenDataSet(folder.path()); },
                               {"action-images and of folder", "one layout"});
  EXPECT_EQ(OpenDataSet(folder.path(), "folder").episodes().size(), 1u);
}

}  // namespace
}  // namespace aim
