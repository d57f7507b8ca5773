// Videos that other programs wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/media/file_names.h"
#include "aim/media/video.h"
#include "media/make_video.h"
#include "support/case_name.h"
#include "support/temporary_folder.h"
#include "support/throws.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ExpectThrowsWith;
using ::testing::HasSubstr;
using testing::MadeVideo;
using testing::MakeVideo;
using testing::TemporaryFolder;

constexpr int kWidth = 48;
constexpr int kHeight = 32;
constexpr std::array<Rgb, 4> kPatches = {
    {{200, 30, 30}, {30, 180, 60}, {40, 60, 210}, {220, 210, 40}}};

// Four patches: upper left, upper right, lower left, lower right.
Image Patches() {
  Image image(kWidth, kHeight);
  for (int row = 0; row < kHeight; ++row) {
    for (int col = 0; col < kWidth; ++col) {
      const Rgb& color =
          kPatches[static_cast<size_t>((row >= kHeight / 2) * 2 + (col >= kWidth / 2))];
      std::copy(color.begin(), color.end(),
                image.rgb.begin() + static_cast<std::ptrdiff_t>(row * kWidth + col) * 3);
    }
  }
  return image;
}

// Frame k has a bar at its own place, so that frames cannot be mistaken for each other.
std::vector<Image> BarFrames(int count) {
  std::vector<Image> frames;
  for (int k = 0; k < count; ++k) {
    frames.push_back(Patches());
    for (int row = 0; row < kHeight; ++row) {
      for (int col = 2 * (k % 22); col < 2 * (k % 22) + 4; ++col) {
        for (int c = 0; c < 3; ++c) {
          frames.back().rgb[static_cast<size_t>((row * kWidth + col) * 3 + c)] =
              static_cast<uint8_t>(k < 22 ? 250 : 5);
        }
      }
    }
  }
  return frames;
}

// Colour at the middle of each quarter of a picture.
std::vector<Rgb> QuarterColors(const Image& image) {
  std::vector<Rgb> colors;
  for (const int row : {image.height / 4, 3 * image.height / 4}) {
    for (const int col : {image.width / 4, 3 * image.width / 4}) {
      const auto at = static_cast<size_t>(row * image.width + col) * 3;
      colors.push_back({image.rgb[at], image.rgb[at + 1], image.rgb[at + 2]});
    }
  }
  return colors;
}

int FarthestApart(const Rgb& a, const Rgb& b) {
  int most = 0;
  for (size_t c = 0; c < 3; ++c) most = std::max(most, std::abs(a[c] - b[c]));
  return most;
}

struct ColorCase {
  std::string name;
  AVColorSpace space;
};
class VideoColors : public ::testing::TestWithParam<ColorCase> {};

// Within the rounding of 8 bits: another matrix is off by 10 and more.
TEST_P(VideoColors, AreThoseOfTheMatrixAndTheRange) {
  const TemporaryFolder folder;
  for (const AVColorRange range : {AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG}) {
    MakeVideo(folder / "v.mp4", {.space = GetParam().space, .range = range}, {Patches()});
    const std::vector<Rgb> colors = QuarterColors(FrameImage(ReadVideo(folder / "v.mp4"), 0));
    for (size_t i = 0; i < kPatches.size(); ++i) {
      EXPECT_LE(FarthestApart(colors[i], kPatches[i]), 3) << "range " << range << " patch " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, VideoColors,
                         ::testing::Values(ColorCase{"bt709", AVCOL_SPC_BT709},
                                           ColorCase{"bt601", AVCOL_SPC_SMPTE170M},
                                           ColorCase{"bt470bg", AVCOL_SPC_BT470BG},
                                           ColorCase{"fcc", AVCOL_SPC_FCC},
                                           ColorCase{"smpte240m", AVCOL_SPC_SMPTE240M},
                                           ColorCase{"bt2020", AVCOL_SPC_BT2020_NCL},
                                           ColorCase{"untagged", AVCOL_SPC_UNSPECIFIED}),
                         testing::CaseName());

// Chroma then covers a column and a row that are not there.
TEST(OddVideos, AreShownWhole) {
  const TemporaryFolder folder;
  Image image(kWidth - 1, kHeight - 1);
  const Image whole = Patches();
  for (int row = 0; row < image.height; ++row) {
    std::copy_n(whole.rgb.begin() + static_cast<std::ptrdiff_t>(row) * kWidth * 3, image.width * 3,
                image.rgb.begin() + static_cast<std::ptrdiff_t>(row) * image.width * 3);
  }
  MakeVideo(folder / "v.avi", {.container = "avi", .encoder = "mjpeg", .range = AVCOL_RANGE_JPEG},
            {image});
  const Image shown = FrameImage(ReadVideo(folder / "v.avi"), 0);
  EXPECT_EQ(shown.width, image.width);
  EXPECT_EQ(shown.height, image.height);
  const std::vector<Rgb> colors = QuarterColors(shown);
  for (size_t i = 0; i < kPatches.size(); ++i) {
    EXPECT_LE(FarthestApart(colors[i], kPatches[i]), 8) << "patch " << i;
  }
}

// All eight ways in which a camera is held or a picture mirrored: a point (x, y) of the stored
// picture, counted from its middle, is shown at (a x + c y, b x + d y).
TEST(TurnedVideos, AreShownAsTheFileSays) {
  const TemporaryFolder folder;
  constexpr int32_t kOne = 1 << 16;
  for (const std::vector<int32_t>& m : std::vector<std::vector<int32_t>>{{kOne, 0, 0, kOne},
                                                                         {0, kOne, -kOne, 0},
                                                                         {-kOne, 0, 0, -kOne},
                                                                         {0, -kOne, kOne, 0},
                                                                         {-kOne, 0, 0, kOne},
                                                                         {kOne, 0, 0, -kOne},
                                                                         {0, kOne, kOne, 0},
                                                                         {0, -kOne, -kOne, 0}}) {
    SCOPED_TRACE(std::to_string(m[0]) + " " + std::to_string(m[1]) + " " + std::to_string(m[2]));
    for (const std::string container : {"mp4", "mov"}) {
      const fs::path path = folder / ("v." + container);
      MakeVideo(path, {.container = container, .matrix = m}, {Patches(), Patches()});
      const bool crossed = m[0] == 0;
      const VideoInfo info = ProbeVideo(path);
      EXPECT_EQ(info.format.width, crossed ? kHeight : kWidth);
      EXPECT_EQ(info.format.height, crossed ? kWidth : kHeight);
      const Image shown = FrameImage(ReadVideo(path), 1);
      ASSERT_EQ(shown.width, info.format.width);
      const std::vector<Rgb> colors = QuarterColors(shown);
      for (int i = 0; i < 4; ++i) {
        const int x = i % 2 == 0 ? -1 : 1;
        const int y = i < 2 ? -1 : 1;
        const int out_x = (m[0] * x + m[2] * y) / kOne;
        const int out_y = (m[1] * x + m[3] * y) / kOne;
        const auto out = static_cast<size_t>((out_y > 0) * 2 + (out_x > 0));
        EXPECT_LE(FarthestApart(colors[out], kPatches[static_cast<size_t>(i)]), 3) << "patch " << i;
      }
    }
  }
  MakeVideo(folder / "v.mp4", {.matrix = {46341, 46341, -46341, 46341}}, {Patches()});
  ExpectThrowsWith<FormatError>([&] { ReadVideo(folder / "v.mp4"); }, {"v.mp4", "quarter turn"});
}

// A gap, a late start: whole and part alike.
TEST(VideoTimes, AreThoseOfTheFile) {
  const TemporaryFolder folder;
  const std::vector<int> times_ms = {1500, 1620, 1740, 1860, 1980, 2460, 2580, 2700};
  for (const std::string container : {"matroska", "mov"}) {
    const fs::path path = folder / (container == "mov" ? "v.mov" : "v.mkv");
    MakeVideo(path, {.container = container, .times_ms = times_ms}, BarFrames(8));
    const VideoInfo info = ProbeVideo(path);
    ASSERT_EQ(info.times_s.size(), times_ms.size());
    for (size_t k = 0; k < times_ms.size(); ++k) {
      EXPECT_NEAR(info.times_s[k], times_ms[k] / 1000.0, 1e-9) << container << " frame " << k;
    }
    EXPECT_NEAR(info.format.fps, 1 / 0.12, 1e-6);  // the gap does not count
    EXPECT_THAT(ReadVideoFrames(path, 4, 6).times_s, ElementsAre(info.times_s[4], info.times_s[5]));
  }
}

struct Container {
  std::string name;
  MadeVideo made;
  bool marked = true;  // it says where it ends
};
class Containers : public ::testing::TestWithParam<Container> {
 protected:
  static constexpr int kFrames = 26;
  Containers() { MakeVideo(path_, GetParam().made, BarFrames(kFrames)); }

  TemporaryFolder folder_;
  fs::path path_ = folder_ / "whole.bin";  // found by content, whatever the name
};

// Any order, forwards and backwards, by ones and by steps: the pixels of the whole.
TEST_P(Containers, PartsAreCutsOfTheWhole) {
  const Video whole = ReadVideo(path_);
  ASSERT_EQ(whole.num_frames, kFrames);
  ASSERT_EQ(whole.times_s.size(), static_cast<size_t>(kFrames));
  VideoReader reader(path_);
  for (const auto& [begin, stride] :
       std::vector<std::pair<int, int>>{{0, 1}, {20, 1}, {3, 4}, {25, 1}, {7, 2}, {12, 5}}) {
    std::vector<int> seen;
    reader.VisitFrames(begin, std::min(begin + 9, kFrames), stride,
                       [&](int frame, std::span<const uint8_t> rgb) {
                         seen.push_back(frame);
                         EXPECT_TRUE(std::ranges::equal(rgb, whole.frame(frame))) << frame;
                       });
    EXPECT_EQ(seen.front(), begin);
    for (size_t i = 1; i < seen.size(); ++i) EXPECT_EQ(seen[i], seen[i - 1] + stride);
  }
}

// The right frames in the right order: each has its own bar.
TEST_P(Containers, FramesAreInOrder) {
  const std::vector<Image> frames = BarFrames(kFrames);
  const Video video = ReadVideo(path_);
  for (int k = 0; k < kFrames; ++k) {
    double sum = 0;
    const std::span<const uint8_t> shown = video.frame(k);
    const std::vector<uint8_t>& drawn = frames[static_cast<size_t>(k)].rgb;
    for (size_t i = 0; i < drawn.size(); ++i) sum += std::abs(int{shown[i]} - int{drawn[i]});
    EXPECT_LE(sum / static_cast<double>(drawn.size()), 8.0) << k;  // a bar elsewhere: 15
  }
}

// Cut anywhere it is refused, by name; never shorter without a word.
TEST_P(Containers, CutFilesAreRefused) {
  const std::string bytes = ReadFile(path_);
  const fs::path cut = folder_ / "cut.bin";
  int num_warnings = 0;
  SetLogSink([&](LogLevel, const std::string& message) {
    num_warnings += message.find("does not say where it ends") != std::string::npos;
  });
  const size_t stride = std::max<size_t>(1, bytes.size() / 61);
  for (size_t length = 0; length < bytes.size(); length += stride) {
    WriteFileAtomic(cut, std::string_view(bytes).substr(0, length));
    const int before = num_warnings;
    try {
      const Video video = ReadVideo(cut);
      EXPECT_TRUE(!GetParam().marked && num_warnings > before) << "cut at " << length;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr("cut.bin")) << "cut at " << length;
    }
  }
  SetLogSink(nullptr);
}

TEST_P(Containers, BytesBehindAWholeFileDoNotMatter) {
  if (!GetParam().marked) GTEST_SKIP() << "cannot be told from a part of the recording";
  const std::string bytes = ReadFile(path_);
  for (const std::string& tail : {std::string("\n"), std::string(3, '\0'), std::string(100, '\0'),
                                  std::string("hello, a note of the camera\n")}) {
    WriteFileAtomic(folder_ / "tail.bin", bytes + tail);
    EXPECT_EQ(ReadVideo(folder_ / "tail.bin").num_frames, kFrames) << tail.size() << " bytes";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, Containers,
    ::testing::Values(
        Container{"mp4", {}}, Container{"mp4_b_frames", {.num_b_frames = 2}},
        Container{"mp4_index_first", {.movflags = "faststart"}},
        Container{"mp4_fragments", {.movflags = "frag_keyframe+empty_moov"}},
        Container{"mov", {.container = "mov"}}, Container{"mkv", {.container = "matroska"}},
        Container{"mkv_b_frames", {.container = "matroska", .num_b_frames = 2}},
        Container{"mkv_into_a_pipe", {.container = "matroska", .seekable = false}, false},
        Container{"webm", {.container = "webm", .encoder = "libvpx"}},
        Container{"avi", {.container = "avi", .encoder = "mpeg4"}},
        Container{"avi_b_frames", {.container = "avi", .encoder = "mpeg4", .num_b_frames = 2}}),
    testing::CaseName());

// A recording into a pipe is whole as far as anyone can tell; it says so.
TEST(LiveRecordings, AreReadWithAWarning) {
  const TemporaryFolder folder;
  MakeVideo(folder / "live.mkv", {.container = "matroska", .seekable = false}, BarFrames(7));
  std::string warning;
  SetLogSink([&](LogLevel, const std::string& message) { warning = message; });
  EXPECT_EQ(ReadVideo(folder / "live.mkv").num_frames, 7);
  SetLogSink(nullptr);
  EXPECT_THAT(warning, HasSubstr("live.mkv does not say where it ends"));
  EXPECT_THAT(warning, HasSubstr("7 frames"));
}

// Trimmed without coding anew: pictures that refer to what was cut away are left out, as players
// do, and the file says how many.
TEST(TrimmedRecordings, BeginWithTheFirstWholePicture) {
  const TemporaryFolder folder;
  MadeVideo made{.container = "matroska", .encoder = "mpeg4", .num_b_frames = 2};
  MakeVideo(folder / "whole.mkv", made, BarFrames(26));
  const Video whole = ReadVideo(folder / "whole.mkv");
  ASSERT_EQ(whole.num_frames, 26);
  made.first_key = 2;
  MakeVideo(folder / "trimmed.mkv", made, BarFrames(26));
  std::string warning;
  SetLogSink([&](LogLevel, const std::string& message) { warning = message; });
  const Video trimmed = ReadVideo(folder / "trimmed.mkv");
  SetLogSink(nullptr);
  EXPECT_THAT(warning, HasSubstr("trimmed.mkv: its first 2 frames refer to pictures"));
  ASSERT_GT(trimmed.num_frames, 10);
  const int shift = whole.num_frames - trimmed.num_frames;
  EXPECT_GT(shift, 6);
  for (int k = 0; k < trimmed.num_frames; ++k) {
    EXPECT_TRUE(std::ranges::equal(trimmed.frame(k), whole.frame(k + shift))) << k;
    EXPECT_NEAR(trimmed.times_s[static_cast<size_t>(k)],
                whole.times_s[static_cast<size_t>(k + shift)], 1e-9);
  }
}

TEST(VideoNames, AreKnownInAnyCase) {
  for (const char* name : {"a.mp4", "a.MP4", "a.mov", "a.MOV", "a.mkv", "a.WebM", "dir/a.avi"}) {
    EXPECT_TRUE(IsVideoName(name)) << name;
  }
  for (const char* name : {"a.png", "mp4", ".mp4", "._a.mp4", "a.mp4.part", ".DS_Store", ""}) {
    EXPECT_FALSE(IsVideoName(name)) << name;
  }
}

}  // namespace
}  // namespace aim
