#include "aim/media/video.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "support/temporary_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class VideoTest : public ::testing::Test {
 protected:
  size_t NumFiles() const {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : fs::recursive_directory_iterator(folder_.path()))
      ++count;
    return count;
  }

  testing::TemporaryFolder folder_;
};

// Noise: the hardest pixels to keep.
std::vector<uint8_t> NoiseFrames(int num_frames, int width, int height) {
  Rng rng(11);
  std::vector<uint8_t> rgb(static_cast<size_t>(num_frames) * static_cast<size_t>(width) *
                           static_cast<size_t>(height) * 3);
  for (uint8_t& value : rgb) value = static_cast<uint8_t>(rng.UniformInt(256));
  return rgb;
}

// Slow waves in all channels, moving with the frame.
std::vector<uint8_t> SmoothFrames(int num_frames, int width, int height) {
  std::vector<uint8_t> rgb;
  for (int frame = 0; frame < num_frames; ++frame) {
    for (int row = 0; row < height; ++row) {
      for (int col = 0; col < width; ++col) {
        for (int c = 0; c < 3; ++c) {
          const double phase = 0.05 * (col + row * (c + 1)) + 0.2 * frame + c;
          rgb.push_back(static_cast<uint8_t>(std::lround(127.5 + 100 * std::sin(phase))));
        }
      }
    }
  }
  return rgb;
}

std::string ReadProblem(const fs::path& path) {
  try {
    ReadVideo(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

// Bit for bit, at and between key frames (every 8th), lossless and not, up to and past the end.
TEST_F(VideoTest, ARangeIsACutOfTheWhole) {
  constexpr int kFrames = 27;
  const std::vector<uint8_t> rgb = SmoothFrames(kFrames, 48, 32);
  for (const VideoOptions& options : {VideoOptions{.lossless = true}, VideoOptions{},
                                      VideoOptions{.gop = 1}, VideoOptions{.gop = 100}}) {
    const fs::path path = folder_ / ("gop" + std::to_string(options.gop) + ".mp4");
    WriteVideo(path, {48, 32, 10}, rgb, options);
    const Video whole = ReadVideo(path);
    ASSERT_EQ(whole.num_frames, kFrames);
    for (const auto& [begin, end] : std::vector<std::pair<int, int>>{
             {0, 1}, {0, kFrames}, {7, 9}, {8, 9}, {15, 16}, {16, 24}, {23, 27}, {26, 99}}) {
      SCOPED_TRACE(path.filename().string() + " from " + std::to_string(begin));
      const Video part = ReadVideoFrames(path, begin, end);
      ASSERT_EQ(part.num_frames, std::min(end, kFrames) - begin);
      for (int frame = 0; frame < part.num_frames; ++frame) {
        EXPECT_TRUE(std::ranges::equal(part.frame(frame), whole.frame(begin + frame))) << frame;
      }
      EXPECT_EQ(part.format.fps, whole.format.fps);
    }
    EXPECT_THROW(ReadVideoFrames(path, kFrames, kFrames + 1), FormatError);
  }
}

// Frames before the key frame are not even looked at: a long video is not decoded from its start.
TEST_F(VideoTest, ARangeStartsAtItsKeyFrame) {
  const fs::path path = folder_ / "v.mp4";
  const std::vector<uint8_t> rgb = NoiseFrames(20, 64, 64);
  WriteVideo(path, {64, 64, 10}, rgb, {.lossless = true});
  std::string bytes = ReadFile(path);
  const size_t pictures = bytes.find("mdat");
  ASSERT_NE(pictures, std::string::npos);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(pictures) + 3000, 200, '\0');
  WriteFileAtomic(path, bytes);
  EXPECT_THROW(ReadVideoFrames(path, 0, 2), FormatError);
  const Video part = ReadVideoFrames(path, 17, 20);
  EXPECT_TRUE(std::ranges::equal(part.rgb, std::span(rgb).last(part.rgb.size())));
}

// Two readers of one file, each at its own place; the second was not there for the run over it.
TEST_F(VideoTest, AnotherReaderNeedsNoSecondRunOverTheFile) {
  const fs::path path = folder_ / "video.mp4";
  const std::vector<uint8_t> rgb = NoiseFrames(20, 32, 16);
  WriteVideo(path, {32, 16, 10}, rgb, {.crf = 0});
  const Video whole = ReadVideo(path);
  VideoReader first(path);
  fs::resize_file(path, fs::file_size(path) - 10);  // a run over it would now refuse it
  EXPECT_THROW(VideoReader{path}, FormatError);
  VideoReader second = first.Another();
  EXPECT_EQ(second.info().times_s, whole.times_s);
  for (const int frame : {0, 13, 4, 9}) {
    for (VideoReader* reader : {&first, &second}) {
      const int place = reader == &first ? frame : frame + 2;
      reader->VisitFrames(place, place + 1, 1, [&](int number, std::span<const uint8_t> pixels) {
        EXPECT_EQ(number, place);
        EXPECT_TRUE(std::ranges::equal(pixels, whole.frame(place))) << place;
      });
    }
  }
}

TEST_F(VideoTest, AWriterSaysHowFarItIs) {
  const fs::path path = folder_ / "video.mp4";
  VideoWriter writer(path, {32, 16, 10}, {.gop = 1});
  int64_t size_bytes = writer.size_bytes();
  for (int frame = 0; frame < 60; ++frame) writer.Append(NoiseFrames(1, 32, 16));
  EXPECT_GT(writer.size_bytes(), size_bytes + 1000);
  size_bytes = writer.size_bytes();
  writer.Finish();
  EXPECT_GT(static_cast<int64_t>(fs::file_size(path)), size_bytes);
}

TEST_F(VideoTest, AProbeSaysWhatReadingWould) {
  for (const int num_frames : {1, 8, 9}) {
    const fs::path path = folder_ / ("v" + std::to_string(num_frames) + ".mp4");
    WriteVideo(path, {30, 16, 25.0 / 3.0}, SmoothFrames(num_frames, 30, 16));
    const VideoInfo info = ProbeVideo(path);
    const Video video = ReadVideo(path);
    EXPECT_EQ(info.num_frames, video.num_frames);
    EXPECT_EQ(info.format.width, video.format.width);
    EXPECT_EQ(info.format.height, video.format.height);
    EXPECT_EQ(info.format.fps, video.format.fps);
  }
  EXPECT_THROW(ProbeVideo(folder_ / "none.mp4"), InputError);
  WriteFileAtomic(folder_ / "text.mp4", "no video");
  EXPECT_THROW(ProbeVideo(folder_ / "text.mp4"), FormatError);
}

TEST_F(VideoTest, LosslessKeepsEveryBit) {
  struct Size {
    int width;
    int height;
  };
  for (const Size& size : {Size{64, 64}, Size{31, 17}, Size{2, 2}, Size{200, 5}}) {
    const std::vector<uint8_t> rgb = NoiseFrames(17, size.width, size.height);
    const fs::path path = folder_ / "noise.mp4";
    WriteVideo(path, {.width = size.width, .height = size.height, .fps = 25.0 / 3}, rgb,
               {.lossless = true});
    const Video video = ReadVideo(path);
    EXPECT_EQ(video.format.width, size.width);
    EXPECT_EQ(video.format.height, size.height);
    EXPECT_EQ(video.num_frames, 17);
    EXPECT_NEAR(video.format.fps, 25.0 / 3, 1e-9);
    EXPECT_TRUE(video.rgb == rgb) << size.width << "x" << size.height;
  }
}

TEST_F(VideoTest, KeepsOrderCountAndRateOfOneFrameAndOfMany) {
  for (const int num_frames : {1, 2, 9, 50}) {
    const std::vector<uint8_t> rgb = SmoothFrames(num_frames, 32, 32);
    WriteVideo(folder_ / "v.mp4", {.width = 32, .height = 32, .fps = 5}, rgb, {.lossless = true});
    const Video video = ReadVideo(folder_ / "v.mp4");
    EXPECT_EQ(video.num_frames, num_frames);
    EXPECT_NEAR(video.format.fps, 5.0, 1e-9);
    EXPECT_TRUE(video.rgb == rgb);
  }
}

TEST_F(VideoTest, ReadsOnlyTheFramesAskedFor) {
  const std::vector<uint8_t> rgb = NoiseFrames(12, 16, 16);
  WriteVideo(folder_ / "v.mp4", {.width = 16, .height = 16, .fps = 10}, rgb, {.lossless = true});
  const Video video = ReadVideo(folder_ / "v.mp4", 5);
  EXPECT_EQ(video.num_frames, 5);
  EXPECT_TRUE(std::equal(video.rgb.begin(), video.rgb.end(), rgb.begin()));
}

// Lossy video stays near the source: mean error below 2 grey levels, colours not swapped or shifted
// (a wrong matrix or range costs 5 and more).
TEST_F(VideoTest, ViewableVideoStaysNear) {
  const std::vector<uint8_t> rgb = SmoothFrames(9, 64, 48);
  WriteVideo(folder_ / "v.mp4", {.width = 64, .height = 48, .fps = 10}, rgb);
  const Video video = ReadVideo(folder_ / "v.mp4");
  ASSERT_EQ(video.rgb.size(), rgb.size());
  for (size_t c = 0; c < 3; ++c) {
    double sum = 0;
    double bias = 0;
    for (size_t i = c; i < rgb.size(); i += 3) {
      const double difference = static_cast<double>(video.rgb[i]) - rgb[i];
      sum += std::abs(difference);
      bias += difference;
    }
    EXPECT_LE(sum / static_cast<double>(rgb.size() / 3), 3.0) << "channel " << c;
    EXPECT_LE(std::abs(bias) / static_cast<double>(rgb.size() / 3), 1.0) << "channel " << c;
  }
}

TEST_F(VideoTest, ViewableVideoOfOddSizeGainsOneRowAndColumn) {
  WriteVideo(folder_ / "v.mp4", {.width = 33, .height = 21, .fps = 10}, SmoothFrames(3, 33, 21));
  const Video video = ReadVideo(folder_ / "v.mp4");
  EXPECT_EQ(video.format.width, 34);
  EXPECT_EQ(video.format.height, 22);
}

TEST_F(VideoTest, TheSameFramesMakeTheSameBytes) {
  const std::vector<uint8_t> rgb = NoiseFrames(5, 32, 32);
  const VideoFormat format{.width = 32, .height = 32, .fps = 10};
  for (const bool lossless : {true, false}) {
    WriteVideo(folder_ / "a.mp4", format, rgb, {.lossless = lossless});
    WriteVideo(folder_ / "b.mp4", format, rgb, {.lossless = lossless});
    EXPECT_TRUE(ReadFile(folder_ / "a.mp4") == ReadFile(folder_ / "b.mp4"));
  }
}

TEST_F(VideoTest, AWriterThatIsNotFinishedLeavesNothing) {
  {
    VideoWriter writer(folder_ / "v.mp4", {.width = 16, .height = 16, .fps = 10});
    writer.Append(Image(16, 16));
  }
  EXPECT_EQ(NumFiles(), 0u);
}

// Cut anywhere, a file is refused in a sentence that names it; nothing crashes or shortens quietly.
TEST_F(VideoTest, TruncatedFilesAreRefused) {
  for (const bool lossless : {true, false}) {
    const fs::path whole = folder_ / "whole.mp4";
    WriteVideo(whole, {.width = 16, .height = 16, .fps = 10}, NoiseFrames(6, 16, 16),
               {.lossless = lossless});
    const std::string bytes = ReadFile(whole);
    const fs::path cut = folder_ / "cut.mp4";
    const size_t stride = std::max<size_t>(1, bytes.size() / 97);
    for (size_t length = 0; length < bytes.size(); length += stride) {
      WriteFileAtomic(cut, std::string_view(bytes).substr(0, length));
      EXPECT_THAT(ReadProblem(cut), HasSubstr("cut.mp4")) << "cut at " << length;
    }
    WriteFileAtomic(cut, std::string_view(bytes).substr(0, bytes.size() - 1));
    EXPECT_THAT(ReadProblem(cut), HasSubstr("cut.mp4"));
  }
}

// Flipped bytes may or may not show in the pixels; reading must end, without an error of its own.
TEST_F(VideoTest, DamagedBytesNeverCrash) {
  const fs::path whole = folder_ / "whole.mp4";
  WriteVideo(whole, {.width = 16, .height = 16, .fps = 10}, NoiseFrames(6, 16, 16),
             {.lossless = true});
  const std::string bytes = ReadFile(whole);
  Rng rng(3);
  for (int trial = 0; trial < 150; ++trial) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 4; ++flips) {
      const auto position = static_cast<size_t>(rng.UniformInt(static_cast<int64_t>(bytes.size())));
      damaged[position] = static_cast<char>(rng.UniformInt(256));
    }
    WriteFileAtomic(folder_ / "damaged.mp4", damaged);
    const std::string problem = ReadProblem(folder_ / "damaged.mp4");
    if (!problem.empty()) {
      EXPECT_THAT(problem, HasSubstr("damaged.mp4"));
    }
  }
}

TEST_F(VideoTest, BadFilesAreNamed) {
  struct Row {
    const char* name;
    std::string bytes;
  };
  const std::vector<Row> rows = {
      {"empty.mp4", ""},
      {"text.mp4", "this is no video\n"},
      {"playlist.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:other.mp4\n"},
      {"zeros.mp4", std::string(5000, '\0')},
      {"png.mp4", "\x89PNG\r\n\x1a\n"},
  };
  for (const Row& row : rows) {
    WriteFileAtomic(folder_ / row.name, row.bytes);
    EXPECT_THAT(ReadProblem(folder_ / row.name), HasSubstr(row.name));
  }
  EXPECT_THAT(ReadProblem(folder_ / "none.mp4"), HasSubstr("missing"));
  EXPECT_THAT(ReadProblem(folder_.path()), HasSubstr("not a file"));
}

TEST_F(VideoTest, BadRequestsAreNamed) {
  struct Row {
    const char* name;
    const char* file;
    VideoFormat format;
    VideoOptions options;
    const char* words;
  };
  const std::vector<Row> rows = {
      {"extension", "v.avi", {.width = 8, .height = 8, .fps = 5}, {}, ".mp4"},
      {"no width", "v.mp4", {.width = 0, .height = 8, .fps = 5}, {}, "0x8"},
      {"too wide", "v.mp4", {.width = 100000, .height = 8, .fps = 5}, {}, "16384"},
      {"no rate", "v.mp4", {.width = 8, .height = 8, .fps = 0}, {}, "frames a second"},
      {"NaN rate", "v.mp4", {.width = 8, .height = 8, .fps = std::nan("")}, {}, "frames a second"},
      {"crf", "v.mp4", {.width = 8, .height = 8, .fps = 5}, {.crf = 60}, "crf 60"},
      {"gop", "v.mp4", {.width = 8, .height = 8, .fps = 5}, {.gop = 0}, "gop 0"},
  };
  for (const Row& row : rows) {
    try {
      VideoWriter writer(folder_ / row.file, row.format, row.options);
      ADD_FAILURE() << row.name << " was accepted";
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), HasSubstr(row.words)) << row.name;
    }
  }
  const VideoFormat format{.width = 8, .height = 8, .fps = 5};
  EXPECT_THROW(WriteVideo(folder_ / "v.mp4", format, std::vector<uint8_t>(100)), InputError);
  EXPECT_THROW(WriteVideo(folder_ / "v.mp4", format, {}), InputError);
  EXPECT_EQ(NumFiles(), 0u);
}

}  // namespace
}  // namespace aim
