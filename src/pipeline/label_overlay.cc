#include "pipeline/label_overlay.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "aim/media/filmstrip.h"
#include "aim/media/overlay.h"
#include "aim/media/preview.h"
#include "aim/media/resize.h"
#include "aim/media/tip_path.h"
#include "aim/media/video.h"

namespace aim {
namespace {

constexpr int kMostSidePx = 960;
constexpr int kStripFrames = 8;
constexpr int kStripHeightPx = 140;
constexpr Rgb kPathColor = {255, 210, 60};
constexpr Rgb kSeenColor = {255, 255, 255};
constexpr Rgb kHeldColor = {255, 200, 60};
constexpr Rgb kLostColor = {255, 110, 90};

std::string ConfidenceText(double confidence) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", confidence);
  return text;
}

// A label that was neither seen nor filled in has no pose.
bool HasPose(const DecodedPose& label) { return label.decodable || label.from_prior; }

class Overlay {
 public:
  Overlay(OpenEpisode& episode, std::span<const DecodedPose> labels, const OverlayOptions& options)
      : episode_(episode), labels_(labels), options_(options) {
    const Clip& clip = episode.facts().clip;
    const double shrink =
        std::min(1.0, static_cast<double>(kMostSidePx) / std::max(clip.width, clip.height));
    width_ = std::max(2, static_cast<int>(std::lround(clip.width * shrink)));
    height_ = std::max(2, static_cast<int>(std::lround(clip.height * shrink)));
    strip_frames_ = SpreadFrames(episode.num_frames(), kStripFrames);
  }

  void Write(const std::filesystem::path& folder) {
    const Clip& clip = episode_.facts().clip;
    std::vector<std::unique_ptr<VideoWriter>> writers;
    std::vector<std::vector<Image>> strip(clip.views.size());
    for (int frame = 0; frame < episode_.num_frames(); ++frame) {
      const Clip fitted = episode_.ReadFitted({frame, frame + 1}, 1, width_, height_);
      for (size_t v = 0; v < fitted.views.size(); ++v) {
        const Image image = Draw(fitted.views[v], frame);
        if (frame == 0) {
          const std::string name = "overlay" + std::to_string(v) + ".mp4";
          writers.push_back(std::make_unique<VideoWriter>(
              folder / name, VideoFormat{image.width, image.height, clip.fps}));
        }
        writers[v]->Append(image);
        if (!strip_frames_.contains(frame)) continue;
        const int width = std::max(1, image.width * kStripHeightPx / image.height);
        strip[v].push_back(ResizeImage(image, width, kStripHeightPx));
      }
    }
    for (const auto& writer : writers) writer->Finish();
    std::vector<Image> rows;
    rows.reserve(strip.size());
    for (const std::vector<Image>& row : strip) rows.push_back(Filmstrip(row));
    WriteImage(folder / "strip.jpg", StackImages(rows));
  }

 private:
  Image Draw(const ClipView& view, int frame) const {
    Image small(width_, height_);
    small.rgb = view.rgb;
    Image image = EnlargePixels(small);
    const Camera camera =
        CropAndResize(view.camera.at(0), 0, 0, width_, height_, image.width, image.height);
    const DecodedPose& label = labels_[static_cast<size_t>(frame)];
    const std::vector<ToolPose> path = PathTo(frame);
    if (path.size() >= 2) DrawTipPath(image, camera, path, kPathColor);
    if (HasPose(label)) DrawToolPose(image, camera, label.pose, options_.anchor_m);
    const int height_px = std::max(8, image.height / 40);
    if (!HasPose(label)) {
      DrawLabel(image, "not decoded", 4, 4, height_px, kLostColor);
    } else if (label.confidence < options_.min_confidence || !label.decodable) {
      DrawLabel(image, "filled in " + ConfidenceText(label.confidence), 4, 4, height_px,
                kHeldColor);
    } else {
      DrawLabel(image, ConfidenceText(label.confidence), 4, 4, height_px, kSeenColor);
    }
    return image;
  }

  // Where the tip was over the last second.
  std::vector<ToolPose> PathTo(int frame) const {
    const int length = std::max(1, static_cast<int>(std::lround(episode_.facts().clip.fps)));
    std::vector<ToolPose> path;
    for (int k = std::max(0, frame - length); k <= frame; ++k) {
      const DecodedPose& label = labels_[static_cast<size_t>(k)];
      if (HasPose(label)) path.push_back(label.pose);
    }
    return path;
  }

  OpenEpisode& episode_;
  std::span<const DecodedPose> labels_;
  OverlayOptions options_;
  int width_ = 0;  // of what is read
  int height_ = 0;
  std::set<int> strip_frames_;
};

}  // namespace

void WriteOverlays(OpenEpisode& episode, std::span<const DecodedPose> labels,
                   const OverlayOptions& options, const std::filesystem::path& folder) {
  AIM_CHECK(labels.size() == static_cast<size_t>(episode.num_frames()));
  Overlay(episode, labels, options).Write(folder);
}

}  // namespace aim
