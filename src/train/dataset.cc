#include "aim/train/dataset.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/parallel.h"
#include "aim/base/rng.h"
#include "aim/data/cut_clip.h"

namespace aim {
namespace {

// A number in [0, 1) that depends on the episode's name alone.
double NameFraction(const EpisodeRef& episode, uint64_t seed) {
  return Rng(StableHash(episode.name, seed)).Uniform();
}

struct DataSource {
  std::string dir;
  double ratio = 1.0;
};

DataSource ParseSource(const std::string& text) {
  const size_t at_sign = text.rfind('@');
  if (at_sign == std::string::npos) return {text};
  DataSource source{text.substr(0, at_sign)};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + at_sign + 1, end, source.ratio);
  if (error != std::errc() || stop != end || !(source.ratio > 0 && source.ratio <= 1)) {
    throw ConfigError({"--data ratio", "\"" + text.substr(at_sign + 1) + "\"", "a number in (0, 1]",
                       "write DIR@RATIO"});
  }
  return source;
}

// Reads an episode, or says why not and returns false.
bool TryRead(const TrainingEpisode& episode, Episode& read) {
  std::vector<Skipped> skipped;
  return TryOrSkip(episode.ref.name, skipped, [&] { read = ReadTrainingEpisode(episode); });
}

}  // namespace

DataSplit ListTrainingData(const std::vector<std::string>& data, int validation_episodes,
                           uint64_t seed) {
  if (data.empty())
    throw ConfigError(
        {"--data", "missing", "at least one data set", "make one with aim-data demos"});
  std::vector<TrainingEpisode> episodes;
  for (const std::string& text : data) {
    const DataSource source = ParseSource(text);
    const DataSet set = OpenDataSet(source.dir);
    for (const EpisodeRef& ref : set.episodes()) {
      if (NameFraction(ref, seed + 1) < source.ratio) episodes.push_back({set, ref});
    }
  }
  if (static_cast<int>(episodes.size()) <= validation_episodes) {
    throw ConfigError({"train.validation_episodes", std::to_string(validation_episodes),
                       "fewer than the " + std::to_string(episodes.size()) + " episodes found",
                       "add data or hold out fewer"});
  }
  std::stable_sort(episodes.begin(), episodes.end(),
                   [&](const TrainingEpisode& a, const TrainingEpisode& b) {
                     return NameFraction(a.ref, seed) < NameFraction(b.ref, seed);
                   });
  DataSplit split;
  split.validation.assign(episodes.begin(), episodes.begin() + validation_episodes);
  split.training.assign(episodes.begin() + validation_episodes, episodes.end());
  return split;
}

Episode ReadTrainingEpisode(const TrainingEpisode& episode) {
  Episode read = episode.data.Read(episode.ref);
  const auto num_frames = static_cast<size_t>(read.clip.views[0].num_frames);
  if (read.clip.poses.size() == num_frames) return read;
  throw InputError({.where = episode.ref.path.string(),
                    .got = std::to_string(read.clip.poses.size()) + " poses",
                    .expected = "one for each of " + std::to_string(num_frames) + " frames",
                    .fix = "label the videos first (aim-label)"});
}

PcaAutoencoder FitAutoencoder(const std::vector<TrainingEpisode>& episodes, int num_episodes,
                              int num_frames, const PcaOptions& options,
                              const ActionImageSpec& spec, Progress& progress) {
  PcaFitter fitter(options);
  const size_t count = std::min(episodes.size(), static_cast<size_t>(num_episodes));
  progress.Start("fit autoencoder", static_cast<int64_t>(count));
  for (size_t i = 0; i < count; ++i) {
    Episode episode;
    if (TryRead(episodes[i], episode)) {
      // Starts differ between episodes, so that first frames are not all frames 0.
      const int start = static_cast<int>(i % 4) * static_cast<int>(episode.clip.poses.size()) / 4;
      const Clip clip = CutClip(episode.clip, start, num_frames);
      for (const ClipView& view : clip.views) {
        fitter.AddClip(VideoTensor(view, clip.height, clip.width, num_frames).unsqueeze(0),
                       ContentKind::kVideo);
        fitter.AddClip(ActionTensor(clip.poses, view.camera, spec).unsqueeze(0),
                       ContentKind::kAction);
      }
    }
    progress.Advance(1);
  }
  progress.Finish();
  return fitter.Solve();
}

LatentCache OpenOrBuildCache(const std::filesystem::path& dir,
                             const std::vector<TrainingEpisode>& episodes,
                             const ClipEncoder& encoder, const std::string& autoencoder_fingerprint,
                             int clips_per_episode, Progress& progress) {
  std::ostringstream origin;
  origin << autoencoder_fingerprint << ' ' << ToWord(encoder.dit.camera.mode) << ' ' << encoder.num_frames
         << ' ' << clips_per_episode << ' ' << encoder.text->dim();
  for (const TrainingEpisode& episode : episodes)
    origin << '\n' << episode.ref.path.lexically_normal().string();
  const std::string key = std::to_string(StableHash(origin.str()));
  if (!LatentCache::IsComplete(dir, key)) {
    progress.Start("encode clips", static_cast<int64_t>(episodes.size()));
    const auto make = [&](int64_t item) {
      std::vector<EncodedClip> clips;
      Episode episode;
      if (!TryRead(episodes[static_cast<size_t>(item)], episode)) return clips;
      const int num_poses = static_cast<int>(episode.clip.poses.size());
      for (int i = 0; i < clips_per_episode; ++i) {
        const int start = i * std::max(1, num_poses - 2) / clips_per_episode;
        clips.push_back(encoder.Encode(CutClip(episode.clip, start, encoder.num_frames)));
      }
      return clips;
    };
    BuildLatentCache(dir, key, static_cast<int64_t>(episodes.size()), NumProcessors(), make,
                     [&](int64_t count) { progress.Advance(count); });
    progress.Finish();
  }
  return LatentCache::Open(dir, key);
}

}  // namespace aim
