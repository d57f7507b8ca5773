// Demonstrations as RLBench writes them, and as PerAct does.
//
//   <root>/<task>/variation<N>/variation_descriptions.pkl     list of the variation's instructions
//   <root>/<task>/variation<N>/episodes/episode<K>/
//     low_dim_obs.pkl                     a pickled Demo: poses, gripper, cameras of every frame
//     <camera>_rgb/0.png, 1.png, ...      front, left_shoulder, right_shoulder, overhead, wrist
//     <camera>_depth, <camera>_mask       not read
//
// PerAct: all_variations in place of variation<N>, and in each episode variation_descriptions.pkl
// and variation_number.pkl.
#include <algorithm>
#include <array>
#include <string>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/data/layout.h"
#include "aim/media/picture_folder.h"
#include "data/rlbench_demo.h"
#include "data/task_folders.h"
#include "data/variation_prompt.h"
#include "data/view_videos.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDemoFile = "low_dim_obs.pkl";
constexpr const char* kVariationFile = "variation_number.pkl";
constexpr std::string_view kPictures = "_rgb";
constexpr double kFps = 20.0;  // one observation a simulator step of 0.05 s

// RLBench's own cameras come first, in its order; those of others by name.
constexpr std::array<std::string_view, 5> kCameras = {"front", "left_shoulder", "right_shoulder",
                                                      "overhead", "wrist"};

size_t RankOf(const std::string& camera) {
  return static_cast<size_t>(std::find(kCameras.begin(), kCameras.end(), camera) -
                             kCameras.begin());
}

std::vector<std::string> CamerasWithPictures(const fs::path& episode) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(episode)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || !name.ends_with(kPictures)) continue;
    names.push_back(name.substr(0, name.size() - kPictures.size()));
  }
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair(RankOf(a), a) < std::pair(RankOf(b), b);
  });
  return names;
}

fs::path PictureFolderOf(const fs::path& episode, const std::string& camera) {
  return episode / (camera + std::string(kPictures));
}

std::unique_ptr<ViewVideos> OpenPictures(const fs::path& episode) {
  std::vector<ViewFrames> views;
  for (const std::string& name : CamerasWithPictures(episode)) {
    const fs::path folder = PictureFolderOf(episode, name);
    views.push_back({name, folder, std::make_unique<PictureFolder>(folder, kFps)});
  }
  if (views.empty()) {
    throw InputError({.where = episode.string(),
                      .got = "an episode without pictures",
                      .expected = "front_rgb/0.png, ..., of one camera at least",
                      .fix = "copy the episode again"});
  }
  return std::make_unique<ViewVideos>(std::move(views));
}

class RlbenchSource : public EpisodeSource {
 public:
  explicit RlbenchSource(fs::path root) : root_(std::move(root)) {}

  std::vector<EpisodeRef> List() const override {
    std::vector<EpisodeRef> refs = ListTaskEpisodes(root_, kDemoFile);
    WarnOfMissingPrompts(root_, refs);
    return refs;
  }

  // Of what is read: depths and masks are three quarters of an episode.
  std::string Stamp(const EpisodeRef& ref) const override {
    std::string stamp = FileStamp(ref.path / kDemoFile) + FileStamp(ref.path / kVariationFile);
    for (const std::string& name : CamerasWithPictures(ref.path)) {
      stamp += name + FileStamp(PictureFolderOf(ref.path, name));
    }
    return HexText(StableHash(stamp + DescriptionStamp(ref)));
  }

  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const override {
    const RlbenchDemo demo = ReadRlbenchDemo(ref.path / kDemoFile);
    auto pictures = OpenPictures(ref.path);
    CheckNumbers(ref, demo, *pictures);
    Episode episode;
    episode.task = ref.task;
    episode.variation = fs::exists(ref.path / kVariationFile)
                            ? ReadRlbenchVariation(ref.path / kVariationFile)
                            : ref.variation;
    Clip& clip = episode.clip = pictures->EmptyClip();
    clip.prompt = VariationPrompt(ref);
    clip.poses = demo.Poses();
    for (ClipView& view : clip.views) {
      view.camera = demo.Cameras(view.camera.name, clip.width, clip.height);
    }
    const int num_frames = pictures->num_frames();
    return std::make_unique<OpenEpisode>(std::move(episode), std::move(pictures), num_frames,
                                         ref.path.string());
  }

 private:
  static void CheckNumbers(const EpisodeRef& ref, const RlbenchDemo& demo,
                           const ViewVideos& pictures) {
    const auto num_frames = static_cast<size_t>(pictures.num_frames());
    if (demo.size() == num_frames) return;
    throw InputError({.where = (ref.path / kDemoFile).string(),
                      .got = "with " + CountText(std::ssize(demo), "observation"),
                      .expected = std::to_string(num_frames) + ", as many as pictures of a camera",
                      .fix = "copy the episode again"});
  }

  fs::path root_;
};

class Rlbench : public Layout {
 public:
  std::string_view Name() const override { return "rlbench"; }

  std::string WhyNot(const fs::path& root) const override {
    const bool found = VisitTaskEpisodes(
        root, kDemoFile, [](const fs::path& path) { return fs::exists(path / kDemoFile); });
    return found ? "" : "no <task>/variation<N>/episodes/episode<K>/low_dim_obs.pkl in it";
  }

  LayoutLimits Limits() const override {
    return {.cameras = true,
            .poses = true,
            .prompt = true,
            .task = true,
            .many_sizes = true,
            .rlbench_axes = true};
  }

  std::unique_ptr<EpisodeSource> Open(const fs::path& root) const override {
    return std::make_unique<RlbenchSource>(root);
  }
};

}  // namespace

const Layout& RlbenchLayout() {
  static const Rlbench kLayout;
  return kLayout;
}

}  // namespace aim
