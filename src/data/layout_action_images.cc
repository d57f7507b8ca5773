#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/data/action_images.h"
#include "aim/data/skipped.h"
#include "aim/format/npy.h"
#include "aim/geometry/value_error.h"
#include "data/action_images_files.h"
#include "data/task_folders.h"
#include "data/variation_prompt.h"
#include "data/view_videos.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kMetaFormat = "aim-episode-1";
constexpr const char* kActionsFile = "actions.npy";

json ReadJson(const fs::path& path) {
  json value = ParseJson(ReadFile(path));
  if (value.is_discarded()) {
    throw FormatError({.where = path.string(),
                       .got = "broken JSON",
                       .expected = "a JSON file",
                       .fix = "write or copy the file again"});
  }
  return value;
}

template <class T>
T Field(const json& object, const char* key, bool (json::*is_kind)() const noexcept,
        const char* kind, const fs::path& path) {
  if (!object.is_object() || !object.contains(key) || !(object.at(key).*is_kind)()) {
    throw InputError(
        {.where = path.string() + " " + key,
         .got = !object.is_object() || !object.contains(key) ? "missing" : object.at(key).dump(),
         .expected = kind,
         .fix = ""});
  }
  return object.at(key).get<T>();
}

struct Meta {
  std::optional<size_t> num_frames;
  std::optional<double> fps;
};

// Fills what only meta.json knows; a data set of others has none.
Meta ReadMeta(const EpisodeRef& where, Episode& episode) {
  const fs::path path = where.path / "meta.json";
  if (!fs::exists(path)) {
    episode.clip.prompt = VariationPrompt(where);
    return {};
  }
  const json meta = ReadJson(path);
  if (!meta.is_object() || meta.value("format", json()) != kMetaFormat) {
    // Other generators keep a meta.json of their own beside the same files.
    episode.clip.prompt = VariationPrompt(where);
    return {};
  }
  episode.seed = Field<uint64_t>(meta, "seed", &json::is_number_unsigned, "a whole number", path);
  episode.clip.prompt = Field<std::string>(meta, "prompt", &json::is_string, "a sentence", path);
  const auto frames =
      Field<size_t>(meta, "num_frames", &json::is_number_unsigned, "a whole number", path);
  const auto fps = Field<double>(meta, "fps", &json::is_number, "frames a second", path);
  if (!(fps > 0 && fps <= 1000)) {
    throw InputError({.where = path.string() + " fps",
                      .got = std::to_string(fps),
                      .expected = "frames a second, above 0 and at most 1000",
                      .fix = ""});
  }
  return {.num_frames = frames, .fps = fps};
}

std::vector<ViewFile> StreamFiles(const fs::path& folder) {
  std::vector<ViewFile> files;
  for (const auto& [number, path] : NumberedFolders(folder, "view")) {
    files.push_back({"view" + std::to_string(number), VideoNamed(path / "rgb", "video")});
  }
  if (!files.empty()) return files;
  throw InputError({.where = folder.string(),
                    .got = "an episode without views",
                    .expected = "view0/rgb/video.mp4, view1/rgb/video.mp4, ...",
                    .fix = "copy the episode again"});
}

void ReadCameras(const std::vector<ViewFile>& files, int num_frames, CameraTrust trust,
                 Clip& clip) {
  for (size_t view = 0; view < files.size(); ++view) {
    const fs::path path = files[view].path.parent_path().parent_path() / "camera_params.json";
    CameraTrack& camera = clip.views[view].camera;
    camera = ReadCameraParams(path, num_frames, clip.width, clip.height, trust);
    camera.name = files[view].name;
  }
}

// Actions a frame, or an error if the numbers contradict each other.
int MatchActions(const fs::path& path, size_t num_actions, size_t num_frames, const Meta& meta) {
  const int stride = ActionStride(num_actions, num_frames);
  const bool mismatch =
      meta.num_frames && (num_actions != *meta.num_frames || num_frames != *meta.num_frames);
  if (stride != 0 && !mismatch) return stride;
  throw PoseCountError(
      {.where = path.string(),
       .got = "with " + std::to_string(num_actions) + " actions for " + std::to_string(num_frames) +
              " video frames",
       .expected = meta.num_frames
                       ? std::to_string(*meta.num_frames) + " of each (meta.json)"
                       : "a whole number of actions a frame (within one frame at the end)",
       .fix = "leave the episode out, or record it again"});
}

std::vector<ToolPose> EveryNth(const std::vector<ToolPose>& poses, int stride, int max_count) {
  std::vector<ToolPose> result;
  for (size_t i = 0; i < poses.size() && result.size() < static_cast<size_t>(max_count);
       i += static_cast<size_t>(stride)) {
    result.push_back(poses[i]);
  }
  return result;
}

// Pairs actions with frames: the poses of all frames that have one.
void ReadPoses(const fs::path& folder, int num_frames, const Meta& meta, Episode& episode) {
  const fs::path path = folder / kActionsFile;
  const std::vector<ToolPose> actions = ReadActions(path);
  const int stride = MatchActions(path, actions.size(), static_cast<size_t>(num_frames), meta);
  episode.clip.poses = EveryNth(actions, stride, num_frames);
  const fs::path measured_path = folder / "measured.npy";
  if (!fs::exists(measured_path)) return;
  const std::vector<ToolPose> measured = ReadActions(measured_path);
  if (measured.size() != actions.size()) {
    throw PoseCountError({.where = measured_path.string(),
                          .got = "with " + CountText(std::ssize(measured), "pose"),
                          .expected = std::to_string(actions.size()) + " as in actions.npy",
                          .fix = "leave the episode out, or record it again"});
  }
  episode.measured = EveryNth(measured, stride, num_frames);
}

void WritePoses(const fs::path& path, const std::vector<ToolPose>& poses) {
  WriteNpy(path, {static_cast<int64_t>(poses.size()), static_cast<int64_t>(kActionColumns)},
           ActionRows(poses));
}

class ActionImagesSource : public EpisodeSource {
 public:
  explicit ActionImagesSource(fs::path root) : root_(std::move(root)) {}

  std::vector<EpisodeRef> List() const override {
    std::vector<EpisodeRef> refs = ListTaskEpisodes(root_, kActionsFile);
    WarnOfMissingPrompts(root_, refs);
    return refs;
  }

  std::string Stamp(const EpisodeRef& ref) const override {
    return FileStamp(ref.path) + DescriptionStamp(ref);
  }

  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const override {
    return OpenAs(ref, CameraTrust::kChecked);
  }

  std::unique_ptr<OpenEpisode> OpenSuspect(const EpisodeRef& ref) const override {
    return OpenAs(ref, CameraTrust::kSuspect);
  }

 private:
  static std::unique_ptr<OpenEpisode> OpenAs(const EpisodeRef& ref, CameraTrust trust) {
    Episode episode;
    episode.task = ref.task;
    episode.variation = ref.variation;
    const Meta meta = ReadMeta(ref, episode);
    const std::vector<ViewFile> files = StreamFiles(ref.path);
    auto videos = std::make_unique<ViewVideos>(files);
    const std::string prompt = std::move(episode.clip.prompt);
    Clip& clip = episode.clip = videos->EmptyClip();
    clip.prompt = prompt;
    if (meta.fps) {
      clip.fps = *meta.fps;
    } else {
      episode.times_s = videos->times_s();
    }
    ReadCameras(files, videos->num_frames(), trust, clip);
    ReadPoses(ref.path, videos->num_frames(), meta, episode);
    const int num_frames = static_cast<int>(clip.poses.size());
    return std::make_unique<OpenEpisode>(std::move(episode), std::move(videos), num_frames,
                                         ref.path.string());
  }

  fs::path root_;
};

class ActionImagesSink : public EpisodeSink {
 public:
  ActionImagesSink(fs::path root, const LayoutWriteOptions& options)
      : root_(std::move(root)), options_(options) {}

  std::string NameOf(const EpisodeRef& ref) const override {
    return EpisodeName(ref.task, ref.variation, ref.index);
  }

  void Write(const EpisodeRef& ref, const Episode& episode) override {
    const auto num_frames = static_cast<size_t>(episode.clip.views.at(0).num_frames);
    if (episode.clip.poses.size() != num_frames) {
      throw UnfitError(
          {.where = ref.name,
           .got = "with " + CountText(static_cast<int64_t>(episode.clip.poses.size()), "pose"),
           .expected = "one for each of " + std::to_string(num_frames) +
                       " frames, or action-images cannot hold it",
           .fix = "label the videos first (aim-label)"});
    }
    RequireCameras(episode.clip, ref.name);
    WriteEpisode(FolderOf(ref), episode, options_);
  }

  bool Holds(const EpisodeRef& ref) const override { return fs::is_directory(FolderOf(ref)); }

  void Finish() override {
    if (fs::is_directory(root_)) WriteVariationDescriptions(root_);
  }

 private:
  fs::path FolderOf(const EpisodeRef& ref) const {
    return EpisodeFolder(root_, ref.task, ref.variation, ref.index);
  }

  fs::path root_;
  LayoutWriteOptions options_;
};

class ActionImages : public Layout {
 public:
  std::string_view Name() const override { return "action-images"; }

  std::string WhyNot(const fs::path& root) const override {
    bool any = false;
    const bool found = VisitTaskEpisodes(root, kActionsFile, [&](const fs::path& path) {
      any = true;
      return fs::exists(path / kActionsFile) || !NumberedFolders(path, "view").empty();
    });
    if (found) return "";
    return any ? "its episodes hold neither actions.npy nor view<J>/rgb/video.mp4"
               : "no <task>/variation<N>/episodes/episode<K> in it";
  }

  LayoutLimits Limits() const override {
    return {.cameras = true,
            .poses = true,
            .measured = true,
            .prompt = true,
            .task = true,
            .seed = true,
            .many_sizes = true,
            .many_rates = true,
            .rlbench_axes = true,
            .apart = true};
  }

  bool CanBeWritten() const override { return true; }

  std::unique_ptr<EpisodeSource> Open(const fs::path& root) const override {
    return std::make_unique<ActionImagesSource>(root);
  }

  std::unique_ptr<EpisodeSink> Create(const fs::path& root,
                                      const LayoutWriteOptions& options) const override {
    return std::make_unique<ActionImagesSink>(root, options);
  }
};

}  // namespace

const Layout& ActionImagesLayout() {
  static const ActionImages kLayout;
  return kLayout;
}

fs::path EpisodeFolder(const fs::path& root, const std::string& task, int variation, int index) {
  return root / task / ("variation" + std::to_string(variation)) / "episodes" /
         ("episode" + std::to_string(index));
}

void WriteEpisode(const fs::path& path, const Episode& episode, const LayoutWriteOptions& options) {
  const Clip& clip = episode.clip;
  AIM_CHECK(!clip.poses.empty() && !clip.views.empty());
  AIM_CHECK(episode.measured.empty() || episode.measured.size() == clip.poses.size());
  for (const ClipView& view : clip.views) {
    AIM_CHECK(static_cast<size_t>(view.num_frames) == clip.poses.size());
  }
  WriteFolderAtomic(path, [&](const fs::path& folder) {
    WritePoses(folder / kActionsFile, clip.poses);
    if (!episode.measured.empty()) WritePoses(folder / "measured.npy", episode.measured);
    for (size_t view = 0; view < clip.views.size(); ++view) {
      const fs::path view_folder = folder / ("view" + std::to_string(view));
      WriteViewVideo(view_folder / "rgb" / "video.mp4", clip, view, options);
      WriteCameraParams(view_folder / "camera_params.json", clip.views[view].camera);
    }
    const json meta = {{"format", kMetaFormat},          {"task", episode.task},
                       {"variation", episode.variation}, {"seed", episode.seed},
                       {"prompt", clip.prompt},          {"fps", clip.fps},
                       {"num_frames", clip.poses.size()}};
    WriteFileAtomic(folder / "meta.json", DumpJson(meta, 1) + "\n");
  });
}

void WriteVariationDescriptions(const fs::path& root) {
  std::map<fs::path, std::set<std::string>> prompts;
  VisitTaskEpisodes(root, kActionsFile, [&](const fs::path& path) {
    const fs::path meta_path = path / "meta.json";
    if (!fs::exists(meta_path)) return false;
    prompts[path.parent_path().parent_path()].insert(Field<std::string>(
        ReadJson(meta_path), "prompt", &json::is_string, "a sentence", meta_path));
    return false;
  });
  for (const auto& [folder, sentences] : prompts) {
    WriteFileAtomic(folder / "variation_descriptions.json", DumpJson(json(sentences), 1) + "\n");
  }
}

}  // namespace aim
