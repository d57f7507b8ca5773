#include "pipeline/window_reader.h"

#include <gtest/gtest.h>

#include "aim/data/cut_clip.h"
#include "aim/data/data_set.h"
#include "aim/data/fit_view.h"
#include "data/make_episode.h"
#include "data/recorded_files.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

using testing::TemporaryFolder;

constexpr int kVideoFrames = 23;
constexpr int kSize = 12;  // smaller than the pictures

// A data set of one clip; its second camera moves.
class WindowReaderTest : public ::testing::Test {
 protected:
  WindowReaderTest() {
    Rng rng(6);
    const std::unique_ptr<EpisodeSink> sink = FindLayout("folder").Create(folder_.path(), {});
    sink->Write({.name = "clip", .path = {}, .task = {}},
                testing::MakeEpisode({.num_frames = kVideoFrames, .moving_camera = true}, rng));
  }

  // What a window must hold: the whole in memory, thinned, fitted and cut.
  Clip Expected(int stride, int start, int count) const {
    const DataSet data = OpenDataSet(folder_.path());
    const Clip whole = data.Read(data.episodes().at(0)).clip;
    Clip thin = CutClip(whole, 0, 1);
    for (int frame = stride; frame < kVideoFrames; frame += stride) {
      const Clip one = CutClip(whole, frame, 1);
      for (size_t v = 0; v < thin.views.size(); ++v) {
        ClipView& view = thin.views[v];
        view.rgb.insert(view.rgb.end(), one.views[v].rgb.begin(), one.views[v].rgb.end());
        ++view.num_frames;
        if (whole.views[v].camera.frames.size() == 1) continue;
        view.camera.frames.push_back(one.views[v].camera.at(0));
      }
    }
    thin.poses.clear();
    return CutClip(FitClip(thin, kSize, kSize), start, count);
  }

  TemporaryFolder folder_;
};

void ExpectSame(const Clip& read, const Clip& expected) {
  EXPECT_EQ(read.width, expected.width);
  EXPECT_EQ(read.prompt, expected.prompt);
  EXPECT_TRUE(read.poses.empty());
  ASSERT_EQ(read.views.size(), expected.views.size());
  for (size_t v = 0; v < expected.views.size(); ++v) {
    EXPECT_EQ(read.views[v].num_frames, expected.views[v].num_frames);
    EXPECT_TRUE(read.views[v].rgb == expected.views[v].rgb) << "view " << v;
    for (int k = 0; k < expected.views[v].num_frames; ++k) {
      const auto frame = static_cast<size_t>(k);
      const Camera& a = read.views[v].camera.at(frame);
      const Camera& e = expected.views[v].camera.at(frame);
      EXPECT_EQ(a.fx, e.fx);
      EXPECT_EQ(a.cx, e.cx);
      EXPECT_EQ(a.width, e.width);
      EXPECT_EQ(a.world_from_camera.translation, e.world_from_camera.translation) << frame;
    }
  }
}

// Labels need cameras. What needs pictures alone has the same as beside a camera.
TEST_F(WindowReaderTest, WithoutCalibrationThereAreNoWindows) {
  Rng rng(6);
  const Episode made = testing::MakeEpisode({.num_frames = 3}, rng);
  testing::WriteBridgeRaw(folder_ / "bridge", {made});
  const DataSet data = OpenDataSet(folder_ / "bridge");
  const std::unique_ptr<OpenEpisode> episode = data.Open(data.episodes().at(0));
  testing::ExpectThrowsWith<InputError>([&] { WindowReader(*episode, 1, kSize, kSize); },
                                        {"without calibration"});
  const Clip fitted = episode->ReadFitted({}, 1, kSize, kSize);
  const Clip expected = FitClip(made.clip, kSize, kSize);
  ASSERT_EQ(fitted.views.size(), expected.views.size());
  for (size_t v = 0; v < expected.views.size(); ++v) {
    EXPECT_TRUE(fitted.views[v].camera.frames.empty());
    EXPECT_FALSE(expected.views[v].camera.frames.empty());
    EXPECT_TRUE(fitted.views[v].rgb == expected.views[v].rgb) << "view " << v;
  }
}

// Overlapping, touching, apart, the same again, one frame long, past the end.
TEST_F(WindowReaderTest, WindowsAreCutsOfTheWhole) {
  const DataSet data = OpenDataSet(folder_.path());
  for (const int stride : {1, 2, 5}) {
    SCOPED_TRACE("every " + std::to_string(stride));
    const std::unique_ptr<OpenEpisode> episode = data.Open(data.episodes().at(0));
    WindowReader reader(*episode, stride, kSize, kSize);
    ASSERT_EQ(reader.num_frames(), (kVideoFrames + stride - 1) / stride);
    const int last = reader.num_frames() - 1;
    for (const auto& [start, count] : std::vector<std::pair<int, int>>{
             {0, 1}, {0, 3}, {1, 3}, {1, 3}, {last / 2, 2}, {last - 1, 2}, {last, 6}}) {
      SCOPED_TRACE("from " + std::to_string(start));
      ExpectSame(reader.Read(start, count), Expected(stride, start, count));
    }
  }
}

}  // namespace
}  // namespace aim
