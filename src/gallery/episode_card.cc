#include "gallery/episode_card.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "aim/base/text.h"
#include "aim/media/filmstrip.h"
#include "aim/media/overlay.h"
#include "aim/media/preview.h"
#include "aim/media/resize.h"
#include "aim/media/tip_path.h"
#include "aim/report/data_uri.h"
#include "aim/report/line_chart.h"
#include "aim/report/numbers.h"
#include "gallery/scene.h"

namespace aim {
namespace {

constexpr int kSheetFrames = 8;
constexpr int kSheetHeightPx = 132;
constexpr int kOverlayFrames = 4;
constexpr int kOverlayHeightPx = 288;
constexpr int kJpegQuality = 82;
constexpr size_t kMostViews = 6;
constexpr Rgb kTipPathColor = {255, 210, 60};

// What the page shows of one view.
struct ViewPictures {
  nlohmann::json sheet = nlohmann::json::array();
  nlohmann::json overlays = nlohmann::json::array();
};

Image Shrunk(const Image& image, int height) {
  if (image.height <= height) return image;
  return ResizeImage(image, std::max(1, image.width * height / image.height), height);
}

nlohmann::json PictureJson(const Image& image, const std::string& alt, const std::string& when) {
  return {{"alt", alt},
          {"when", when},
          {"width", image.width},
          {"height", image.height},
          {"picture", DataUri("image/jpeg", EncodeJpeg(image, kJpegQuality))}};
}

// The tool at `frame`, and the path of its tip up to there.
Image DrawTool(const Image& picture, const Camera& camera, std::span<const ToolPose> poses,
               int frame) {
  Image image = EnlargePixels(Shrunk(picture, kOverlayHeightPx));
  const Camera shown =
      CropAndResize(camera, 0, 0, camera.width, camera.height, image.width, image.height);
  const std::span<const ToolPose> path = poses.first(static_cast<size_t>(frame) + 1);
  if (path.size() >= 2) DrawTipPath(image, shown, path, kTipPathColor);
  DrawToolPose(image, shown, path.back());
  return image;
}

std::string TimeText(const Episode& facts, int frame) {
  return NumberText(facts.times_s[static_cast<size_t>(frame)] - facts.times_s[0], 1) + " s";
}

std::vector<ViewPictures> ReadPictures(OpenEpisode& episode) {
  const Clip& clip = episode.facts().clip;
  const std::set<int> sheet = SpreadFrames(episode.num_frames(), kSheetFrames);
  std::set<int> overlay = SpreadFrames(episode.num_frames(), kOverlayFrames);
  if (clip.poses.size() <= 1) overlay = {0};
  std::set<int> all = sheet;
  all.insert(overlay.begin(), overlay.end());
  std::vector<ViewPictures> views(std::min(clip.views.size(), kMostViews));
  for (const int frame : all) {
    const Episode one = episode.Read({frame, frame + 1});
    for (size_t v = 0; v < views.size(); ++v) {
      const CameraTrack& track = clip.views[v].camera;
      Image image(clip.width, clip.height);
      image.rgb = one.clip.views[v].rgb;
      const std::string when = TimeText(episode.facts(), frame);
      const std::string alt = ViewLabel(track, v) + ", frame " + std::to_string(frame);
      if (sheet.contains(frame)) {
        views[v].sheet.push_back(PictureJson(Shrunk(image, kSheetHeightPx), alt, when));
      }
      if (!overlay.contains(frame) || clip.poses.empty() || track.frames.empty()) continue;
      const Camera& camera = track.at(static_cast<size_t>(frame));
      views[v].overlays.push_back(
          PictureJson(DrawTool(image, camera, clip.poses, frame), alt + ", with the tool", when));
    }
  }
  return views;
}

// A line of one number of each pose over time.
ChartLine LineOf(const Episode& facts, const std::string& name,
                 const std::function<double(size_t)>& number) {
  std::vector<LinePoint> points;
  for (size_t k = 0; k < facts.clip.poses.size(); ++k) {
    points.push_back({facts.times_s.at(k) - facts.times_s[0], number(k)});
  }
  ChartLine line{.name = name};
  for (const std::span<const LinePoint> part : Stretches(std::span<const LinePoint>(points))) {
    line.points.push_back(part[0]);
  }
  return line;
}

std::string CurvesHtml(const Episode& facts) {
  const std::vector<ToolPose>& poses = facts.clip.poses;
  if (poses.size() < 2) return "";
  LineChart tip{.title = "position of the tip, metres", .x_name = "seconds", .lines = {}};
  for (const auto& [axis, name] : {std::pair(0, "x"), std::pair(1, "y"), std::pair(2, "z")}) {
    tip.lines.push_back(LineOf(facts, name, [&poses, index = axis](size_t k) {
      return poses[k].world_from_tool.translation[index];
    }));
  }
  LineChart gripper{.title = "gripper, 1 = open", .x_name = "seconds", .lines = {}};
  gripper.y_range = {0, 1};
  gripper.lines.push_back(LineOf(facts, "", [&](size_t k) { return poses[k].gripper_open; }));
  if (!facts.confidence.empty()) {
    gripper.title = "gripper, 1 = open; confidence of the labels";
    gripper.lines[0].name = "gripper";
    gripper.lines.push_back(
        LineOf(facts, "confidence", [&](size_t k) { return facts.confidence.at(k); }));
  }
  return LineChartHtml(tip) + LineChartHtml(gripper);
}

// What a person may look for in vain.
std::string MissingText(const Clip& clip) {
  std::vector<std::string> sentences;
  if (clip.poses.empty()) {
    sentences.emplace_back("No poses: neither the tool nor its path can be drawn.");
  } else if (clip.poses.size() == 1) {
    sentences.emplace_back("The first pose alone is known.");
  }
  std::vector<std::string> blind;
  for (size_t v = 0; v < clip.views.size(); ++v) {
    if (clip.views[v].camera.frames.empty()) blind.push_back(ViewLabel(clip.views[v].camera, v));
  }
  if (!blind.empty()) {
    sentences.push_back("No calibration of " + Join(blind, ", ") +
                        ": nothing is drawn over the pictures.");
  }
  if (clip.views.size() > kMostViews) {
    sentences.push_back("The first " + std::to_string(kMostViews) + " of " +
                        std::to_string(clip.views.size()) + " views are shown.");
  }
  return Join(sentences, " ");
}

}  // namespace

nlohmann::json EpisodeCard(const std::string& name, OpenEpisode& episode) {
  const Episode& facts = episode.facts();
  const Clip& clip = facts.clip;
  nlohmann::json views = nlohmann::json::array();
  std::vector<ViewPictures> pictures = ReadPictures(episode);
  for (size_t v = 0; v < pictures.size(); ++v) {
    const bool is_moving = clip.views[v].camera.frames.size() > 1;
    views.push_back({{"name", ViewLabel(clip.views[v].camera, v)},
                     {"note", is_moving ? "a camera a frame" : ""},
                     {"sheet", std::move(pictures[v].sheet)},
                     {"has_overlays", !pictures[v].overlays.empty()},
                     {"overlays", std::move(pictures[v].overlays)}});
  }
  const std::string missing = MissingText(clip);
  return {{"name", name},
          {"has_prompt", !clip.prompt.empty()},
          {"prompt", clip.prompt},
          {"how", CountText(episode.num_frames(), "frame") + " at " + RateText(clip.fps) +
                      " a second, " + CountText(static_cast<int64_t>(clip.views.size()), "view") +
                      " of " + SizeText(clip.width, clip.height)},
          {"has_missing", !missing.empty()},
          {"missing", missing},
          {"views", std::move(views)},
          {"scene_html", SceneHtml(clip)},
          {"curves_html", CurvesHtml(facts)}};
}

}  // namespace aim
