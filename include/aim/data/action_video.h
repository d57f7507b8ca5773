// Action videos in files: poses to pictures and back. The work of aim-codec.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "aim/codec/decoder.h"

namespace aim {

enum class ActionVideoFormat { kNpy, kPng, kMp4 };
constexpr auto WordsOf(ActionVideoFormat) {
  using enum ActionVideoFormat;
  return WordTable<ActionVideoFormat, 3>{{{kNpy, "npy"}, {kPng, "png"}, {kMp4, "mp4"}}};
}

struct EncodeOptions {
  std::string poses;
  std::string cameras;
  ActionVideoFormat format = ActionVideoFormat::kNpy;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("poses", self.poses, Any{}, "poses.csv, one row a frame");
    visit("cameras", self.cameras, Any{}, "cameras.json, aim-cameras-1");
    visit(
        "format", self.format, Any{},
        "npy: float32 [T, 3, H, W] in [0, 1]; png: a folder of 8-bit frames; mp4: lossless H.264");
  }
  void Validate() const;  // throws ConfigError
};

struct DecodeOptions {
  std::vector<std::string> images;
  std::string cameras;
  double fps = 0;
  bool temporal_prior = true;
  double min_confidence = 0.2;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("images", self.images, Any{},
          "action video of one view: .npy float32 [T, 3, H, W], a folder of 000000.png, or a video "
          "(mp4, mov, mkv, webm, avi); once a view, in the cameras' order");
    visit("cameras", self.cameras, Any{}, "cameras.json, aim-cameras-1");
    visit("fps", self.fps, Range{0, 1000},
          "frames a second, for time_s; 0 = the times of the first video, else 5");
    visit("temporal_prior", self.temporal_prior, Any{},
          "fill frames of low confidence from their neighbours");
    visit("min_confidence", self.min_confidence, Range{0, 1}, "below it a frame counts as low");
  }
  void Validate() const;  // throws ConfigError
};

struct EncodeReport {
  int64_t num_frames = 0;
  int64_t num_views = 0;
  std::vector<std::string> files;  // below the run's folder
};
nlohmann::json ToJson(const EncodeReport& report);  // {"frames", "views", "files"}

struct DecodeReport {
  int64_t num_frames = 0;
  int64_t num_decoded = 0;
  int64_t num_from_prior = 0;    // filled in from their neighbours
  double median_confidence = 0;  // as MedianConfidence
};
// {"frames", "decoded", "from_prior", "median_confidence"}
nlohmann::json ToJson(const DecodeReport& report);

// Writes one action video a view into the run's folder: view0.npy, view0/000000.png or view0.mp4
// with view0_preview.mp4 for people (media/preview.h), and so on. Frames of 8 bits are rounded to
// nearest; an mp4 plays at the rate that the poses' times say (5 frames a second if they say none).
// Throws InputError if a view's cameras and the poses differ in number.
EncodeReport RunEncode(const EncodeOptions& options, RunContext& run);

// Decodes the views together and writes poses.csv. Throws InputError naming the view and file if
// sizes, lengths or numbers of views and cameras contradict each other.
DecodeReport RunDecode(const DecodeOptions& options, RunContext& run);

}  // namespace aim
