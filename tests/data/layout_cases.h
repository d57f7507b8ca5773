// A small data set in every layout, for the suite that all of them pass.
#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "aim/base/rng.h"
#include "aim/data/action_images.h"
#include "aim/data/data_set.h"
#include "aim/data/labels.h"
#include "data/change_parquet.h"
#include "data/make_episode.h"
#include "data/project_files.h"
#include "data/recorded_files.h"
#include "data/rlbench_files.h"

namespace aim::testing {

// One part of an episode that is taken away, and the words that the sentence must hold.
struct MissingPart {
  std::string name;
  std::function<void(const std::filesystem::path& root, const EpisodeRef& ref)> remove;
  std::vector<std::string> words;
  bool hits_all = false;  // every episode needs it, not the second alone
};

// `make` writes episodes 0, 1, ... of the layout at `root`; where it needs files beside the data
// set, they lie in a folder beside `root`.
struct LayoutCase {
  std::string name;  // of the layout, as a test may be called
  std::string layout;
  bool can_write = false;
  double fps = 25.0 / 3.0;  // of its episodes
  bool can_move_cameras = true;
  std::function<void(const std::filesystem::path& root, const std::vector<Episode>& episodes)> make;
  std::vector<MissingPart> parts;
  bool shares_files = false;  // an episode has no folder of its own that could be opened
  bool is_float32 = false;    // how it holds poses and cameras
};

// Through the layout's own sink. The names are what each layout would choose itself.
inline void WriteThroughSink(const std::string& layout, const std::filesystem::path& root,
                             const std::vector<Episode>& episodes) {
  const std::unique_ptr<EpisodeSink> sink = FindLayout(layout).Create(root, {});
  for (size_t i = 0; i < episodes.size(); ++i) {
    const Episode& episode = episodes[i];
    const int index = static_cast<int>(i);
    sink->Write({.name = EpisodeName(episode.task, episode.variation, index),
                 .path = {},
                 .task = episode.task,
                 .variation = episode.variation,
                 .index = index},
                episode);
  }
  sink->Finish();
}

// Labels of frame k have confidence 1, 0.9, 0.8, ... at most.
inline Plan LabelsOf(const Episode& episode) {
  Plan labels;
  labels.period_s = 1 / episode.clip.fps;
  for (const ToolPose& pose : episode.clip.poses) {
    const double confidence = 1 - 0.1 * static_cast<double>(labels.frames.size() % 10);
    labels.frames.push_back(
        {.pose = pose, .decodable = true, .confidence = confidence, .visible = {}});
  }
  return labels;
}

inline std::filesystem::path LabelledData(const std::filesystem::path& root) {
  return root.string() + " videos";
}

// The videos lie in the ActionImages layout beside `root`, with poses that are not the labels.
inline void MakeLabels(const std::filesystem::path& root, const std::vector<Episode>& episodes) {
  std::vector<Episode> recorded = episodes;
  Rng rng(99);
  for (Episode& episode : recorded) {
    for (ToolPose& pose : episode.clip.poses) pose = RandomToolPose(rng);
  }
  WriteThroughSink("action-images", LabelledData(root), recorded);
  const DataSet data = OpenDataSet(LabelledData(root));
  for (size_t i = 0; i < episodes.size(); ++i) {
    const EpisodeRef& ref = data.episodes().at(i);
    WriteLabels(root / ref.name, LabelsOf(episodes[i]), data.Origin(ref),
                {{"frames", episodes[i].clip.poses.size()}, {"low_confidence", 0}});
  }
}

inline MissingPart MissingFile(const std::string& file, std::vector<std::string> words) {
  return {.name = file,
          .remove =
              [file](const std::filesystem::path&, const EpisodeRef& ref) {
                EXPECT_TRUE(std::filesystem::remove_all(ref.path / file) > 0) << file;
              },
          .words = std::move(words)};
}

inline MissingPart MissingVideoOfLabels() {
  return {.name = "video that was labelled",
          .remove =
              [](const std::filesystem::path& root, const EpisodeRef& ref) {
                const std::filesystem::path data = LabelledData(root);
                const DataSet labelled = OpenDataSet(data);
                const EpisodeRef* found = labelled.Find(ref.name);
                std::filesystem::remove(found->path / "view0/rgb/video.mp4");
              },
          .words = {"video.mp4", "missing"}};
}

// Of a file of the episode the second half.
inline MissingPart CutFile(const std::string& file, std::vector<std::string> words) {
  return {.name = file + " cut",
          .remove =
              [file](const std::filesystem::path&, const EpisodeRef& ref) {
                std::filesystem::resize_file(ref.path / file,
                                             std::filesystem::file_size(ref.path / file) / 2);
              },
          .words = std::move(words)};
}

inline MissingPart MissingMetadata() {
  return {.name = "metadata",
          .remove =
              [](const std::filesystem::path&, const EpisodeRef& ref) {
                std::vector<std::filesystem::path> files;
                for (const auto& entry : std::filesystem::directory_iterator(ref.path)) {
                  if (entry.path().extension() == ".json") files.push_back(entry.path());
                }
                EXPECT_EQ(files.size(), 1u);
                std::filesystem::remove(files.at(0));
              },
          .words = {"without metadata_<episode>.json"}};
}

inline MissingPart MissingSharedFile(const std::string& file, std::vector<std::string> words) {
  return {.name = file,
          .remove =
              [file](const std::filesystem::path& root, const EpisodeRef&) {
                EXPECT_TRUE(std::filesystem::remove(root / file)) << file;
              },
          .words = std::move(words),
          .hits_all = true};
}

// The rows of the second episode's data are said to be another's.
inline MissingPart RowsOfAnotherEpisode() {
  return {.name = "rows of the second episode",
          .remove =
              [](const std::filesystem::path& root, const EpisodeRef& ref) {
                ChangeColumn(root / "data/chunk-000/file-000.parquet", "episode_index",
                             [&](std::vector<int64_t>& values) {
                               std::replace(values.begin(), values.end(), int64_t{ref.index},
                                            int64_t{7});
                             });
              },
          .words = {"file-000.parquet: episode_index", "is 7", "expected 1"}};
}

inline std::vector<LayoutCase> LayoutCases() {
  const auto through_sink = [](const std::string& layout) {
    return [layout](const std::filesystem::path& root, const std::vector<Episode>& episodes) {
      WriteThroughSink(layout, root, episodes);
    };
  };
  return {
      {.name = "action_images",
       .layout = "action-images",
       .can_write = true,
       .make = through_sink("action-images"),
       .parts = {MissingFile("actions.npy", {"actions.npy", "missing"}),
                 MissingFile("view1/rgb/video.mp4", {"view1", "video.mp4", "missing"}),
                 MissingFile("view0/camera_params.json", {"camera_params.json", "missing"})}},
      {.name = "folder",
       .layout = "folder",
       .can_write = true,
       .make = through_sink("folder"),
       .parts = {MissingFile("view0.mp4", {"view0.mp4", "missing"}),
                 MissingFile("view1.mp4", {"cameras.json", "2 views", "one for each video"}),
                 MissingFile("cameras.json", {"cameras.json", "missing"})}},
      {.name = "labels",
       .layout = "labels",
       .make = MakeLabels,
       .parts = {MissingFile("label.json", {"label.json", "missing"}),
                 MissingFile("poses.csv", {"poses.csv", "missing"}), MissingVideoOfLabels()}},
      {.name = "rlbench",
       .layout = "rlbench",
       .fps = 20,
       .make = WriteRlbench,
       .parts = {MissingFile("low_dim_obs.pkl", {"low_dim_obs.pkl", "missing"}),
                 MissingFile("front_rgb/3.png", {"front_rgb", "a gap", "frame 3"}),
                 MissingFile("left_shoulder_rgb/7.png", {"left_shoulder_rgb", "7 frames"})}},
      {.name = "lerobot",
       .layout = "lerobot",
       .can_write = true,
       .make = through_sink("lerobot"),
       .parts = {RowsOfAnotherEpisode(),
                 MissingSharedFile("videos/observation.images.view1/chunk-000/file-000.mp4",
                                   {"view1", "file-000.mp4", "missing"}),
                 MissingSharedFile("data/chunk-000/file-000.parquet",
                                   {"file-000.parquet", "missing"})},
       .shares_files = true,
       .is_float32 = true},
      {.name = "bridge",
       .layout = "bridge",
       .can_move_cameras = false,
       .make = WriteBridge,
       .parts = {MissingFile("video/1.mp4", {"extrinsic.npy", "of shape [2, 3, 4]"}),
                 MissingFile("instruction.txt", {"instruction.txt", "missing"}),
                 MissingFile("vggt/0/intrinsic.npy", {"intrinsic.npy", "missing"})}},
      {.name = "droid",
       .layout = "droid",
       .can_move_cameras = false,
       .make = WriteDroid,
       .parts = {MissingFile("camera.json", {"camera.json", "missing"}),
                 MissingFile("instruction.txt", {"instruction.txt", "missing"}),
                 MissingFile("action.npz", {"action.npz", "missing"})}},
      {.name = "bridge_raw",
       .layout = "bridge-raw",
       .fps = 5,
       .make = WriteBridgeRaw,
       .parts = {MissingFile("images1/im_3.jpg", {"images1", "a gap", "frame 3"}),
                 MissingFile("images0/im_7.jpg", {"obs_dict.pkl: time_stamp", "8 times", "7"}),
                 CutFile("obs_dict.pkl", {"obs_dict.pkl"})}},
      {.name = "droid_raw",
       .layout = "droid-raw",
       .fps = 15,
       .can_move_cameras = false,
       .make = WriteDroidRaw,
       .parts = {MissingMetadata(), MissingFile("recordings/MP4", {"MP4", "without a video"}),
                 CutFile("trajectory.h5", {"trajectory.h5", "damaged, cut off"})}},
  };
}

}  // namespace aim::testing
