#include "aim/data/action_images_layout.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string_view>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/format/npy.h"
#include "aim/media/video.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kMetaFormat = "aim-episode-1";

// 12 of "episode12"; nothing of "episode", "episode1x" or ".episode1.tmp-7".
std::optional<int> NumberAfter(std::string_view prefix, const std::string& name) {
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return std::nullopt;
  int number = -1;
  const char* begin = name.data() + prefix.size();
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || stop != end || number < 0) return std::nullopt;
  return number;
}

// Sub-folders called <prefix><number>, by number.
std::map<int, fs::path> NumberedFolders(const fs::path& folder, std::string_view prefix) {
  std::map<int, fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::optional<int> number = NumberAfter(prefix, entry.path().filename().string());
    if (number && entry.is_directory()) folders[*number] = entry.path();
  }
  return folders;
}

fs::path WithoutTrailingSlash(const fs::path& path) {
  const fs::path normal = fs::absolute(path).lexically_normal();
  return normal.has_filename() ? normal : normal.parent_path();
}

// Task and numbers from .../<task>/variation<N>/episodes/episode<K>.
EpisodePath PathParts(const fs::path& path) {
  const fs::path normal = WithoutTrailingSlash(path);
  const fs::path variation = normal.parent_path().parent_path();
  EpisodePath parts;
  parts.path = path;
  parts.index = NumberAfter("episode", normal.filename().string()).value_or(0);
  parts.variation = NumberAfter("variation", variation.filename().string()).value_or(0);
  parts.task = variation.parent_path().filename().string();
  return parts;
}

void ListVariation(const fs::path& variation_folder, std::vector<EpisodePath>& episodes) {
  const fs::path folder = variation_folder / "episodes";
  if (!fs::is_directory(folder)) return;
  for (const auto& [number, path] : NumberedFolders(folder, "episode")) {
    episodes.push_back(PathParts(path));
  }
}

void ListTask(const fs::path& task_folder, std::vector<EpisodePath>& episodes) {
  for (const auto& [number, path] : NumberedFolders(task_folder, "variation")) {
    ListVariation(path, episodes);
  }
}

json ReadJson(const fs::path& path) {
  json value = json::parse(ReadFile(path), nullptr, false);
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

// The variation's first instruction; its task's name in words if there is no list.
std::string VariationPrompt(const EpisodePath& episode) {
  const fs::path folder = episode.path.parent_path().parent_path();
  const fs::path as_json = folder / "variation_descriptions.json";
  if (fs::exists(as_json)) {
    const json list = ReadJson(as_json);
    if (list.is_array() && !list.empty() && list[0].is_string()) return list[0];
    throw InputError({.where = as_json.string(),
                      .got = "no list of sentences",
                      .expected = "[\"instruction\", ...]",
                      .fix = ""});
  }
  const fs::path as_text = folder / "variation_descriptions.txt";
  if (fs::exists(as_text)) {
    const std::string text = ReadFile(as_text);
    return text.substr(0, text.find_first_of("\r\n"));
  }
  std::string words = episode.task;
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

struct Meta {
  std::optional<size_t> num_frames;
  std::optional<double> fps;
};

// Fills what only meta.json knows; a data set of others has none.
Meta ReadMeta(const EpisodePath& where, Episode& episode) {
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

void ReadViews(const fs::path& folder, Clip& clip) {
  const std::map<int, fs::path> folders = NumberedFolders(folder, "view");
  if (folders.empty()) {
    throw InputError({.where = folder.string(),
                      .got = "an episode without views",
                      .expected = "view0/rgb/video.mp4, view1/rgb/video.mp4, ...",
                      .fix = "remove the folder or copy it again"});
  }
  for (const auto& [number, view_folder] : folders) {
    const fs::path video_path = view_folder / "rgb" / "video.mp4";
    Video video = ReadVideo(video_path);
    if (clip.views.empty()) {
      clip.width = video.format.width;
      clip.height = video.format.height;
      clip.fps = video.format.fps;
    }
    if (video.format.width != clip.width || video.format.height != clip.height ||
        (!clip.views.empty() && video.num_frames != clip.views[0].num_frames)) {
      const auto text = [](int frames, int width, int height) {
        return std::to_string(frames) + " frames of " + std::to_string(width) + "x" +
               std::to_string(height);
      };
      throw InputError(
          {.where = video_path.string(),
           .got = text(video.num_frames, video.format.width, video.format.height),
           .expected = text(clip.views.empty() ? video.num_frames : clip.views[0].num_frames,
                            clip.width, clip.height) +
                       " as in the first view",
           .fix = "remove the episode or record it again"});
    }
    ClipView view;
    view.camera = ReadCameraParams(view_folder / "camera_params.json", video.num_frames,
                                   video.format.width, video.format.height);
    view.camera.name = "view" + std::to_string(number);
    view.num_frames = video.num_frames;
    view.rgb = std::move(video.rgb);
    clip.views.push_back(std::move(view));
  }
}

// Keeps the first `num_frames` frames.
void CutFrames(Clip& clip, int num_frames) {
  const size_t frame_bytes = static_cast<size_t>(clip.width) * static_cast<size_t>(clip.height) * 3;
  for (ClipView& view : clip.views) {
    view.num_frames = num_frames;
    view.rgb.resize(static_cast<size_t>(num_frames) * frame_bytes);
    if (view.camera.frames.size() > 1) view.camera.frames.resize(static_cast<size_t>(num_frames));
  }
}

std::vector<ToolPose> EveryNth(const std::vector<ToolPose>& poses, int stride, int max_count) {
  std::vector<ToolPose> result;
  for (size_t i = 0; i < poses.size() && result.size() < static_cast<size_t>(max_count);
       i += static_cast<size_t>(stride)) {
    result.push_back(poses[i]);
  }
  return result;
}

// Pairs actions with frames.
void MatchActions(const fs::path& folder, const Meta& meta, Episode& episode) {
  const fs::path path = folder / "actions.npy";
  const std::vector<ToolPose> actions = ReadActions(path);
  Clip& clip = episode.clip;
  const auto num_frames = static_cast<size_t>(clip.views[0].num_frames);
  const int stride = ActionStride(actions.size(), num_frames);
  const bool mismatch =
      meta.num_frames && (actions.size() != *meta.num_frames || num_frames != *meta.num_frames);
  if (stride == 0 || mismatch) {
    throw InputError(
        {.where = path.string(),
         .got = std::to_string(actions.size()) + " actions for " + std::to_string(num_frames) +
                " video frames",
         .expected = meta.num_frames
                         ? std::to_string(*meta.num_frames) + " of each (meta.json)"
                         : "a whole number of actions a frame (within one frame at the end)",
         .fix = "remove the episode or record it again"});
  }
  clip.poses = EveryNth(actions, stride, clip.views[0].num_frames);
  CutFrames(clip, static_cast<int>(clip.poses.size()));
  const fs::path measured_path = folder / "measured.npy";
  if (!fs::exists(measured_path)) return;
  const std::vector<ToolPose> measured = ReadActions(measured_path);
  if (measured.size() != actions.size()) {
    throw InputError({.where = measured_path.string(),
                      .got = std::to_string(measured.size()) + " poses",
                      .expected = std::to_string(actions.size()) + " as in actions.npy",
                      .fix = "remove the episode or record it again"});
  }
  episode.measured = EveryNth(measured, stride, clip.views[0].num_frames);
}

void WritePoses(const fs::path& path, const std::vector<ToolPose>& poses) {
  WriteNpy(path, {static_cast<int64_t>(poses.size()), static_cast<int64_t>(kActionColumns)},
           ActionRows(poses));
}

}  // namespace

fs::path EpisodeFolder(const fs::path& root, const std::string& task, int variation, int index) {
  return root / task / ("variation" + std::to_string(variation)) / "episodes" /
         ("episode" + std::to_string(index));
}

std::vector<EpisodePath> ListEpisodes(const fs::path& root) {
  std::vector<EpisodePath> episodes;
  if (!fs::is_directory(root)) {
    throw InputError({.where = root.string(),
                      .got = fs::exists(root) ? "not a folder" : "missing",
                      .expected = "a data folder",
                      .fix = "check the path"});
  }
  if (fs::exists(root / "actions.npy")) {
    episodes.push_back(PathParts(root));
  } else {
    ListVariation(root, episodes);
    ListTask(root, episodes);
    for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
      const std::string name = entry.path().filename().string();
      const bool listed = NumberAfter("variation", name).has_value();
      if (entry.is_directory() && !name.starts_with(".") && !listed) ListTask(entry, episodes);
    }
  }
  if (episodes.empty()) {
    throw InputError({.where = root.string(),
                      .got = "a folder without episodes",
                      .expected = "<task>/variation<N>/episodes/episode<K>/actions.npy",
                      .fix = "check the path, or make episodes with aim-data demos"});
  }
  std::sort(episodes.begin(), episodes.end(), [](const EpisodePath& a, const EpisodePath& b) {
    return std::tie(a.task, a.variation, a.index) < std::tie(b.task, b.variation, b.index);
  });
  return episodes;
}

Episode ReadEpisode(const EpisodePath& where) {
  Episode episode;
  episode.task = where.task;
  episode.variation = where.variation;
  const Meta meta = ReadMeta(where, episode);
  ReadViews(where.path, episode.clip);
  MatchActions(where.path, meta, episode);
  if (meta.fps) episode.clip.fps = *meta.fps;
  return episode;
}

Episode ReadEpisode(const fs::path& path) { return ReadEpisode(PathParts(path)); }

void WriteEpisode(const fs::path& path, const Episode& episode,
                  const EpisodeWriteOptions& options) {
  const Clip& clip = episode.clip;
  AIM_CHECK(!clip.poses.empty() && !clip.views.empty());
  AIM_CHECK(episode.measured.empty() || episode.measured.size() == clip.poses.size());
  for (const ClipView& view : clip.views) {
    AIM_CHECK(static_cast<size_t>(view.num_frames) == clip.poses.size());
  }
  WriteFolderAtomic(path, [&](const fs::path& folder) {
    WritePoses(folder / "actions.npy", clip.poses);
    if (!episode.measured.empty()) WritePoses(folder / "measured.npy", episode.measured);
    for (size_t view = 0; view < clip.views.size(); ++view) {
      const fs::path view_folder = folder / ("view" + std::to_string(view));
      WriteVideo(view_folder / "rgb" / "video.mp4",
                 {.width = clip.width, .height = clip.height, .fps = clip.fps},
                 clip.views[view].rgb, {.lossless = options.lossless});
      WriteCameraParams(view_folder / "camera_params.json", clip.views[view].camera);
    }
    const json meta = {{"format", kMetaFormat},          {"task", episode.task},
                       {"variation", episode.variation}, {"seed", episode.seed},
                       {"prompt", clip.prompt},          {"fps", clip.fps},
                       {"num_frames", clip.poses.size()}};
    WriteFileAtomic(folder / "meta.json", meta.dump(1) + "\n");
  });
}

void WriteVariationDescriptions(const fs::path& root) {
  std::map<fs::path, std::set<std::string>> prompts;
  for (const EpisodePath& episode : ListEpisodes(root)) {
    const fs::path meta_path = episode.path / "meta.json";
    if (!fs::exists(meta_path)) continue;
    const json meta = ReadJson(meta_path);
    prompts[episode.path.parent_path().parent_path()].insert(
        Field<std::string>(meta, "prompt", &json::is_string, "a sentence", meta_path));
  }
  for (const auto& [folder, sentences] : prompts) {
    WriteFileAtomic(folder / "variation_descriptions.json", json(sentences).dump(1) + "\n");
  }
}

}  // namespace aim
