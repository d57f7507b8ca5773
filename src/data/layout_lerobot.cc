// LeRobot data sets, read in v2.0, v2.1 and v3.0 and written in v3.0 (lerobot_writer.h).
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/options.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/data/layout.h"
#include "data/lerobot_columns.h"
#include "data/lerobot_index.h"
#include "data/lerobot_writer.h"
#include "data/padded_number.h"
#include "data/parquet.h"
#include "data/stored_pictures.h"
#include "data/video_part.h"
#include "data/view_videos.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr double kSameTimeS = 1e-4;  // as LeRobot's loader

std::string LeRobotName(int index) { return "episode_" + PaddedNumber(index, 6); }

// "0.1" of 0.10000000149.
std::string ShortNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// The frames of a video file that an episode's times speak of.
FrameRange PartOf(const VideoInfo& info, const LeRobotVideo& video,
                  const std::vector<double>& times_s) {
  const auto nearest = [&](double time_s) {
    const std::vector<double>& shown_s = info.times_s;
    const auto after = std::lower_bound(shown_s.begin(), shown_s.end(), time_s);
    if (after == shown_s.begin()) return after;
    if (after == shown_s.end()) return std::prev(after);
    return time_s - *std::prev(after) < *after - time_s ? std::prev(after) : after;
  };
  const double begin_s = video.begin_s + times_s.front();
  const double end_s = video.begin_s + times_s.back();
  const auto first = nearest(begin_s);
  const auto last = nearest(end_s);
  const double half_s = 0.5 / info.format.fps;
  if (std::abs(*first - begin_s) > half_s || std::abs(*last - end_s) > half_s ||
      static_cast<size_t>(last - first) + 1 != times_s.size()) {
    throw InputError({.where = video.path.string(),
                      .got = "of " + CountText(info.num_frames, "frame") + " from " +
                             ShortNumber(info.times_s.front()) + " to " +
                             ShortNumber(info.times_s.back()) + " s",
                      .expected = std::to_string(times_s.size()) + " from " + ShortNumber(begin_s) +
                                  " to " + ShortNumber(end_s) + " s for the episode",
                      .fix = "copy or write the data set again"});
  }
  const auto begin = static_cast<int>(first - info.times_s.begin());
  return {begin, begin + static_cast<int>(times_s.size())};
}

class LeRobotSource : public EpisodeSource {
 public:
  explicit LeRobotSource(const fs::path& root)
      : root_(root), index_(ReadLeRobotIndex(root)), columns_(root, index_) {
    for (const LeRobotEpisode& episode : index_.episodes) {
      by_name_.emplace(LeRobotName(episode.index), &episode);
    }
    for (const std::string& lack : columns_.lacks()) LogWarning(root_.string() + ": " + lack);
  }

  std::vector<EpisodeRef> List() const override {
    std::vector<EpisodeRef> refs;
    for (const auto& [name, episode] : by_name_) {
      refs.push_back({.name = name,
                      .path = root_ / name,
                      .task = episode->task,
                      .variation = episode->variation,
                      .index = episode->index});
    }
    return refs;
  }

  std::string Stamp(const EpisodeRef& ref) const override {
    const LeRobotEpisode& episode = Find(ref);
    std::string text = FileStamp(episode.data) + FileStamp(root_ / "meta" / "cameras.json") + ' ' +
                       std::to_string(episode.first_row) + ' ' +
                       std::to_string(episode.num_frames) + ' ' + Join(episode.prompts, "\n");
    for (const LeRobotVideo& video : episode.videos) {
      text += FileStamp(video.path) + ' ' + ToText(video.begin_s) + '\n';
    }
    return HexText(StableHash(text));
  }

  std::unique_ptr<OpenEpisode> Open(const EpisodeRef& ref) const override {
    const LeRobotEpisode& found = Find(ref);
    const ParquetTable rows = ReadRows(found);
    const std::vector<double> times_s = TimesOf(rows);
    auto videos = std::make_unique<ViewVideos>(OpenViews(found, times_s));
    Episode episode;
    episode.task = found.task;
    episode.variation = found.variation;
    episode.seed = found.seed;
    episode.clip = videos->EmptyClip();
    episode.clip.fps = index_.fps;
    episode.clip.prompt = PromptOf(found, rows);
    if (!IsEven(times_s)) episode.times_s = times_s;
    columns_.Fill(rows, found.num_frames, episode);
    return std::make_unique<OpenEpisode>(std::move(episode), std::move(videos), found.num_frames,
                                         ref.path.string());
  }

 private:
  const LeRobotEpisode& Find(const EpisodeRef& ref) const {
    const auto found = by_name_.find(ref.name);
    AIM_CHECK(found != by_name_.end());
    return *found->second;
  }

  ParquetTable ReadRows(const LeRobotEpisode& episode) const {
    const ParquetFile file(episode.data);
    const int64_t end = episode.first_row + episode.num_frames;
    if (end > file.num_rows() || (!index_.shares_files && end != file.num_rows())) {
      throw InputError({.where = episode.data.string(),
                        .got = "with " + CountText(file.num_rows(), "row"),
                        .expected = std::to_string(end) + " for the " +
                                    CountText(episode.num_frames, "frame") + " of " +
                                    LeRobotName(episode.index),
                        .fix = "copy or write the data set again"});
    }
    std::vector<std::string> names = {"episode_index", "frame_index", "timestamp"};
    if (index_.Find("task_index") != nullptr) names.emplace_back("task_index");
    names.insert(names.end(), columns_.needed().begin(), columns_.needed().end());
    ParquetTable rows = file.Read(names, episode.first_row, end);
    CheckOrder(rows, "episode_index", episode.index, 0);
    CheckOrder(rows, "frame_index", 0, 1);
    return rows;
  }

  static void CheckOrder(const ParquetTable& rows, const std::string& name, int64_t first,
                         int64_t step) {
    int64_t expected = first;
    for (const int64_t value : rows.Ints(name)) {
      if (value != expected) {
        throw InputError({.where = rows.Where(name),
                          .got = std::to_string(value),
                          .expected = std::to_string(expected) + " in that row",
                          .fix = "write the data set again with its rows in order"});
      }
      expected += step;
    }
  }

  // Those of the rows, which are those of the rate within half an interval.
  std::vector<double> TimesOf(const ParquetTable& rows) const {
    std::vector<double> times_s = rows.Numbers("timestamp");
    for (size_t k = 0; k < times_s.size(); ++k) {
      const double expected_s = static_cast<double>(k) / index_.fps;
      if (std::abs(times_s[k] - expected_s) < 0.5 / index_.fps) continue;
      throw InputError({.where = rows.Where("timestamp"),
                        .got = ShortNumber(times_s[k]) + " s in frame " + std::to_string(k),
                        .expected = ShortNumber(expected_s) + " s, at " + ShortNumber(index_.fps) +
                                    " frames a second",
                        .fix = "correct fps in meta/info.json, or write the data set again"});
    }
    return times_s;
  }

  bool IsEven(const std::vector<double>& times_s) const {
    for (size_t k = 0; k < times_s.size(); ++k) {
      if (std::abs(times_s[k] - static_cast<double>(k) / index_.fps) > kSameTimeS) return false;
    }
    return true;
  }

  std::vector<ViewFrames> OpenViews(const LeRobotEpisode& episode,
                                    const std::vector<double>& times_s) const {
    std::vector<ViewFrames> views;
    for (size_t view = 0; view < episode.videos.size(); ++view) {
      const LeRobotVideo& video = episode.videos[view];
      const std::string& key = index_.cameras[view];
      if (!index_.HasVideo(key)) {
        views.push_back({LeRobotCameraName(key), video.path,
                         std::make_unique<StoredPictures>(video.path, key, episode.first_row,
                                                          episode.num_frames, index_.fps)});
        continue;
      }
      std::unique_ptr<FrameReader> whole =
          index_.shares_files ? shelf_.Open(video.path) : std::make_unique<VideoReader>(video.path);
      const FrameRange part = PartOf(whole->info(), video, times_s);
      views.push_back({LeRobotCameraName(key), video.path,
                       std::make_unique<VideoPart>(std::move(whole), part.begin, part.end)});
    }
    return views;
  }

  // Where an episode has several tasks, that of its first frame.
  std::string PromptOf(const LeRobotEpisode& episode, const ParquetTable& rows) const {
    if (episode.prompts.size() == 1) return episode.prompts[0];
    if (rows.Has("task_index")) {
      const int64_t task = rows.Ints("task_index")[0];
      if (task >= 0 && static_cast<size_t>(task) < index_.prompts.size()) {
        return index_.prompts[static_cast<size_t>(task)];
      }
    }
    return episode.prompts.empty() ? "" : episode.prompts[0];
  }

  fs::path root_;
  LeRobotIndex index_;
  LeRobotColumns columns_;
  std::map<std::string, const LeRobotEpisode*> by_name_;
  mutable VideoShelf shelf_;
};

class LeRobot : public Layout {
 public:
  std::string_view Name() const override { return "lerobot"; }

  std::string WhyNot(const fs::path& root) const override {
    return fs::exists(root / "meta" / "info.json") ? "" : "no meta/info.json in it";
  }

  LayoutLimits Limits() const override {
    return {.cameras = true,
            .poses = true,
            .first_pose = true,
            .no_poses = true,
            .measured = true,
            .confidence = true,
            .prompt = true,
            .task = true,
            .seed = true};
  }

  std::unique_ptr<EpisodeSource> Open(const fs::path& root) const override {
    return std::make_unique<LeRobotSource>(root);
  }

  bool CanBeWritten() const override { return true; }
  std::unique_ptr<EpisodeSink> Create(const fs::path& root,
                                      const LayoutWriteOptions& options) const override {
    return MakeLeRobotSink(root, options);
  }
};

}  // namespace

const Layout& LeRobotLayout() {
  static const LeRobot kLayout;
  return kLayout;
}

}  // namespace aim
