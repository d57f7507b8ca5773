#include "data/lerobot_writer.h"

#include <bit>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/path_claim.h"
#include "aim/base/text.h"
#include "aim/base/utf8.h"
#include "aim/data/skipped.h"
#include "aim/media/video.h"
#include "data/camera_matrices.h"
#include "data/lerobot_columns.h"
#include "data/lerobot_meta.h"
#include "data/lerobot_rows.h"
#include "data/lerobot_statistics.h"
#include "data/lerobot_table.h"

namespace aim {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int64_t kMegabyte = 1 << 20;
constexpr size_t kEpisodesAtOnce = 100;  // rows in a group of meta/episodes
constexpr int kGop = 2;                  // as LeRobot's own encoder: access at random is cheap

// "observation.images.front" for a view called "front", which may be called anything.
std::vector<std::string> CameraNames(const Clip& clip) {
  std::vector<std::string> names;
  std::set<std::string> used;
  for (const ClipView& view : clip.views) {
    std::string name = view.camera.name;
    for (char& letter : name) {
      if (letter == '/' || letter == '\\' || letter == '{' || letter == '}') letter = '_';
    }
    if (name.empty() || name.starts_with('.')) name = "view" + std::to_string(names.size());
    while (!used.insert(name).second) name += "_";
    names.push_back(name);
  }
  return names;
}

// One camera's pictures: files that hold many episodes each.
struct CameraVideos {
  std::string key;
  ChunkedPlace place;
  std::unique_ptr<VideoWriter> writer;
  int64_t num_frames = 0;  // in this file
  LeRobotCamera camera;    // that of the first frame
};

// What all episodes of a data set have alike.
struct Shared {
  int width = 0;
  int height = 0;
  LeRobotRowFacts facts;
};

Shared SharedOf(const Episode& episode) {
  const Clip& clip = episode.clip;
  const auto is_calibrated = [](const ClipView& view) { return !view.camera.frames.empty(); };
  return {.width = clip.width,
          .height = clip.height,
          .facts = {.cameras = CameraNames(clip),
                    .fps = clip.fps,
                    .has_cameras = std::all_of(clip.views.begin(), clip.views.end(), is_calibrated),
                    .has_confidence = !episode.confidence.empty()}};
}

[[noreturn]] void RefuseEpisode(const EpisodeRef& ref, const std::string& got,
                                const std::string& expected, const std::string& fix = "") {
  throw UnfitError({.where = ref.name, .got = got, .expected = expected, .fix = fix});
}

void CheckEpisodeWhole(const EpisodeRef& ref, const Episode& episode) {
  const Clip& clip = episode.clip;
  if (clip.views.empty() || clip.views[0].num_frames < 1) {
    RefuseEpisode(ref, "without pictures", "at least one frame of one view");
  }
  const auto num_frames = static_cast<size_t>(clip.views[0].num_frames);
  for (const ClipView& view : clip.views) {
    const size_t num_cameras = view.camera.frames.size();
    AIM_CHECK(static_cast<size_t>(view.num_frames) == num_frames);
    AIM_CHECK(num_cameras <= 1 || num_cameras == num_frames);
  }
  const size_t num_poses = clip.poses.size();
  if (num_poses > 1 && num_poses != num_frames) {
    RefuseEpisode(ref, "with " + CountText(static_cast<int64_t>(num_poses), "pose"),
                  "one for each of " + std::to_string(num_frames) + " frames, the first or none");
  }
  AIM_CHECK(episode.measured.empty() || episode.measured.size() == num_frames);
  AIM_CHECK(episode.confidence.empty() || episode.confidence.size() == num_frames);
}

void CheckShared(const EpisodeRef& ref, const Shared& own, const Shared& first) {
  const std::string fix = "write such episodes as a data set of their own";
  if (own.facts.fps != first.facts.fps) {
    RefuseEpisode(
        ref, "of " + ToText(own.facts.fps) + " frames a second",
        ToText(first.facts.fps) + ", as the episodes before: a LeRobot data set has one rate", fix);
  }
  const auto pictures = [](const Shared& shared) {
    return Join(shared.facts.cameras) + " of " + SizeText(shared.width, shared.height) + " pixels";
  };
  if (pictures(own) != pictures(first)) {
    RefuseEpisode(ref, "of the views " + pictures(own),
                  pictures(first) + ", as the episodes before", fix);
  }
  const auto check = [&](bool has, bool first_has, const char* what) {
    if (has == first_has) return;
    RefuseEpisode(ref, std::string(has ? "with " : "without ") + what,
                  std::string(first_has ? "with" : "without") + " them, as the episodes before",
                  fix);
  };
  check(own.facts.has_cameras, first.facts.has_cameras, "calibrated cameras");
  check(own.facts.has_confidence, first.facts.has_confidence, "confidences");
}

class LeRobotSink : public EpisodeSink {
 public:
  LeRobotSink(fs::path root, const LayoutWriteOptions& options, const LeRobotFileSizes& sizes)
      : root_(std::move(root)), options_(options), sizes_(sizes) {}

  ~LeRobotSink() override {
    cameras_.clear();
    data_.reset();
    episodes_.reset();
    std::error_code ignored;
    if (!staged_.empty()) fs::remove_all(staged_, ignored);
  }

  // It numbers its episodes itself, and keeps these three of each.
  std::string NameOf(const EpisodeRef& ref) const override {
    return EpisodeName(ref.task, ref.variation, ref.index);
  }

  void Write(const EpisodeRef& ref, const Episode& episode) override {
    AIM_CHECK(!is_finished_);
    const Shared shared = SharedOf(episode);
    CheckEpisodeWhole(ref, episode);
    if (shared_) {
      CheckShared(ref, shared, *shared_);
    } else {
      Start(ref, shared);
    }
    const std::string prompt = ToUtf8(episode.clip.prompt);
    shared_->facts.episode = info_.num_episodes;
    shared_->facts.first_row = info_.num_frames;
    shared_->facts.task =
        prompts_.emplace(prompt, static_cast<int64_t>(prompts_.size())).first->second;
    const std::vector<LeRobotColumn> columns = LeRobotRows(episode, shared_->facts);
    if (features_.empty()) features_ = FeaturesJson(info_, VideoKeys(), columns);
    AddFacts(episode, prompt);
    AppendData(columns);
    for (size_t view = 0; view < cameras_.size(); ++view) {
      AppendVideo(episode.clip.views[view], cameras_[view]);
    }
    AddStatistics(episode, columns);
    EndEpisode(episode.clip.views[0].num_frames);
  }

  void Finish() override {
    if (!shared_) {
      throw InputError({.where = root_.string(),
                        .got = "a data set without episodes",
                        .expected = "at least one",
                        .fix = ""});
    }
    is_finished_ = true;
    for (CameraVideos& camera : cameras_) {
      if (camera.writer) camera.writer->Finish();
    }
    data_->Finish();
    if (rows_.num_rows() > 0) episodes_->Append(rows_.Take());
    episodes_->Finish();
    info_.num_tasks = prompts_.size();
    WriteTasks();
    WriteJson("info.json", InfoJson(info_, features_));
    WriteJson("stats.json", StatisticsJson(statistics_));
    if (shared_->facts.has_cameras) {
      std::vector<LeRobotCamera> cameras;
      for (const CameraVideos& one : cameras_) cameras.push_back(one.camera);
      WriteJson("cameras.json", CamerasJson(cameras));
    }
    FillFolderAtomic(root_, "meta", [&](const fs::path& folder) {
      for (const char* name : {"data", "videos", "meta"}) fs::rename(staged_ / name, folder / name);
    });
    fs::remove(staged_);
    staged_.clear();
    claim_.reset();
  }

 private:
  void Start(const EpisodeRef& ref, const Shared& shared) {
    if (!options_.lossless && (shared.width % 2 != 0 || shared.height % 2 != 0)) {
      RefuseEpisode(ref, "of pictures of " + SizeText(shared.width, shared.height) + " pixels",
                    "even sides for a video that everything plays",
                    "resize them, or write them lossless");
    }
    for (const char* name : {"meta", "data", "videos"}) {
      if (!fs::exists(root_ / name)) continue;
      throw InputError({.where = (root_ / name).string(),
                        .got = "there",
                        .expected = "a folder without a data set to write one in",
                        .fix = "choose another folder, or remove it"});
    }
    std::optional<PathClaim> claim = PathClaim::Take(root_ / "meta");
    if (!claim) {
      throw InputError({.where = root_.string(),
                        .got = "being written by another program",
                        .expected = "a folder of one's own",
                        .fix = "wait for it, or choose another folder"});
    }
    claim_.emplace(std::move(*claim));
    staged_ = TemporaryPath(root_ / "meta");
    shared_ = shared;
    info_ = {.width = shared.width,
             .height = shared.height,
             .fps = shared.facts.fps,
             .lossless = options_.lossless,
             .data_mb = std::max<int64_t>(1, sizes_.data_mb),
             .video_mb = std::max<int64_t>(1, sizes_.video_mb)};
    for (const std::string& name : shared.facts.cameras) {
      CameraVideos& camera = cameras_.emplace_back();
      camera.key = kLeRobotPictures + name;
      camera.camera.name = name;
    }
    data_.emplace(staged_ / "data", sizes_.data_mb * kMegabyte);
    episodes_.emplace(staged_ / "meta" / "episodes", sizes_.data_mb * kMegabyte);
    if (info_.fps != std::floor(info_.fps)) {
      LogWarning(root_.string() + ": " + ToText(info_.fps) +
                 " frames a second: LeRobot loads and trains on it, but its editing tools take the "
                 "rate for a whole number");
    }
  }

  std::vector<std::string> VideoKeys() const {
    std::vector<std::string> keys;
    for (const CameraVideos& camera : cameras_) keys.push_back(camera.key);
    return keys;
  }

  // The beginning of the episode's row.
  void AddFacts(const Episode& episode, const std::string& prompt) {
    const int64_t count = episode.clip.views[0].num_frames;
    rows_.Add("episode_index", info_.num_episodes);
    rows_.AddList("tasks", std::vector<std::string>{prompt});
    rows_.Add("length", count);
    rows_.Add("dataset_from_index", info_.num_frames);
    rows_.Add("dataset_to_index", info_.num_frames + count);
    rows_.Add("meta/episodes/chunk_index", episodes_->place().chunk);
    rows_.Add("meta/episodes/file_index", episodes_->place().file);
    rows_.Add(kLeRobotTask, episode.task);
    rows_.Add(kLeRobotVariation, static_cast<int64_t>(episode.variation));
    rows_.Add(kLeRobotSeed, std::bit_cast<int64_t>(episode.seed));
    rows_.Add("data/chunk_index", data_->place().chunk);
    rows_.Add("data/file_index", data_->place().file);
  }

  void AppendData(const std::vector<LeRobotColumn>& columns) {
    std::vector<ParquetColumn> typed;
    typed.reserve(columns.size());
    for (const LeRobotColumn& column : columns) typed.push_back(ToParquet(column));
    data_->Append(typed);
  }

  void AppendVideo(const ClipView& view, CameraVideos& camera) {
    if (camera.writer == nullptr) {
      const fs::path path = staged_ / "videos" / camera.key / (camera.place.Name() + ".mp4");
      camera.num_frames = 0;
      camera.writer =
          std::make_unique<VideoWriter>(path, VideoFormat{info_.width, info_.height, info_.fps},
                                        VideoOptions{.lossless = options_.lossless, .gop = kGop});
    }
    const std::span<const uint8_t> rgb(view.rgb);
    const size_t frame_bytes = rgb.size() / static_cast<size_t>(view.num_frames);
    for (size_t at = 0; at < rgb.size(); at += frame_bytes) {
      camera.writer->Append(rgb.subspan(at, frame_bytes));
    }
    const std::string key = "videos/" + camera.key;
    rows_.Add(key + "/chunk_index", camera.place.chunk);
    rows_.Add(key + "/file_index", camera.place.file);
    rows_.Add(key + "/from_timestamp", static_cast<double>(camera.num_frames) / info_.fps);
    camera.num_frames += view.num_frames;
    rows_.Add(key + "/to_timestamp", static_cast<double>(camera.num_frames) / info_.fps);
    for (const Camera& one : view.camera.frames) {
      LeRobotCamera& first = camera.camera;
      if (first.camera.width == 0) first.camera = one;
      first.is_fixed = first.is_fixed && IsSameCamera(one, first.camera);
    }
    if (camera.writer->size_bytes() < sizes_.video_mb * kMegabyte) return;
    camera.writer->Finish();
    camera.writer.reset();
    camera.place.Next();
  }

  void AddStatistics(const Episode& episode, const std::vector<LeRobotColumn>& columns) {
    for (size_t view = 0; view < cameras_.size(); ++view) {
      const ClipView& pictures = episode.clip.views[view];
      AddStatistics(cameras_[view].key, PictureStatistics(pictures.rgb, pictures.num_frames));
    }
    for (const LeRobotColumn& column : columns) {
      // LeRobot takes every name with "image" in it for one of pictures.
      if (column.name.find("image") != std::string::npos) continue;
      const std::vector<double>& values = column.counted.empty() ? column.values : column.counted;
      AddStatistics(column.name, StatisticsOf(values, column.width));
    }
  }

  void AddStatistics(const std::string& key, const ColumnStatistics& one) {
    const int nesting = IsLeRobotPicture(key) ? 2 : 0;
    const auto add = [&](const char* name, const std::vector<double>& values) {
      rows_.AddList("stats/" + key + "/" + name, values, nesting);
    };
    add("min", one.min);
    add("max", one.max);
    add("mean", one.mean);
    add("std", one.std);
    rows_.AddList("stats/" + key + "/count", std::vector<int64_t>{one.count});
    for (size_t q = 0; q < kStatisticQuantileNames.size(); ++q) {
      add(kStatisticQuantileNames[q], one.quantiles[q]);
    }
    Merge(one, statistics_[key]);
  }

  void EndEpisode(int num_frames) {
    rows_.EndRow();
    ++info_.num_episodes;
    info_.num_frames += num_frames;
    if (rows_.num_rows() == kEpisodesAtOnce) episodes_->Append(rows_.Take());
  }

  void WriteTasks() const {
    std::vector<std::string> texts(prompts_.size());
    std::vector<int64_t> numbers(prompts_.size());
    for (const auto& [prompt, number] : prompts_) {
      texts[static_cast<size_t>(number)] = prompt;
      numbers[static_cast<size_t>(number)] = number;
    }
    const std::vector<ParquetColumn> columns = {
        {.name = "task_index", .values = numbers, .row_ends = {}},
        {.name = "task", .values = texts, .row_ends = {}}};
    ParquetWriter writer(staged_ / "meta" / "tasks.parquet", columns,
                         {{"pandas", PandasMetadata().dump()}});
    writer.Append(columns);
    writer.Finish();
  }

  void WriteJson(const char* name, const ordered_json& document) const {
    WriteFileAtomic(staged_ / "meta" / name,
                    document.dump(4, ' ', false, ordered_json::error_handler_t::replace) + "\n");
  }

  fs::path root_;
  LayoutWriteOptions options_;
  LeRobotFileSizes sizes_;
  std::optional<PathClaim> claim_;
  fs::path staged_;
  std::optional<Shared> shared_;
  LeRobotInfo info_;
  std::vector<CameraVideos> cameras_;
  std::optional<ChunkedTable> data_;
  std::optional<ChunkedTable> episodes_;
  RowsBuilder rows_;  // of meta/episodes
  ordered_json features_;
  std::map<std::string, int64_t> prompts_;
  std::map<std::string, ColumnStatistics> statistics_;
  bool is_finished_ = false;
};

}  // namespace

std::unique_ptr<EpisodeSink> MakeLeRobotSink(const fs::path& root,
                                             const LayoutWriteOptions& options,
                                             const LeRobotFileSizes& sizes) {
  return std::make_unique<LeRobotSink>(root, options, sizes);
}

}  // namespace aim
