#include "aim/train/dataset.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/parallel.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/bundle/encoding.h"
#include "aim/data/cut_clip.h"
#include "aim/format/json_reader.h"
#include "train/held_out.h"

namespace aim {
namespace {

constexpr double kRateTolerance = 0.01;  // relative

// A number in [0, 1) that depends on the episode's name alone.
double NameFraction(const EpisodeRef& episode, uint64_t seed) {
  return Rng(StableHash(episode.name, seed)).Uniform();
}

// The same for an episode that was given twice, also as a part of another data set.
std::string Identity(const EpisodeRef& episode) {
  return std::filesystem::weakly_canonical(episode.path).string() + '\n' + episode.name;
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
  if (error != std::errc() || stop != end || !(source.ratio > 0 && source.ratio <= 1000)) {
    throw ConfigError({"--data ratio", "\"" + text.substr(at_sign + 1) + "\"",
                       "a number above 0, at most 1000", "write DIR@RATIO"});
  }
  return source;
}

// DIR of --data, however it was written.
std::string DataSetName(const std::string& dir) {
  const std::filesystem::path normal = std::filesystem::path(dir).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).string();
}

std::vector<DataSource> ParseSources(const std::vector<std::string>& data, const DataMixes& mixes) {
  std::vector<DataSource> sources;
  std::set<std::string> names;
  for (const std::string& text : data) {
    sources.push_back(ParseSource(text));
    names.insert(DataSetName(sources.back().dir));
  }
  mixes.RequireKnown(names);
  return sources;
}

std::vector<TrainingEpisode> ListAll(const std::vector<DataSource>& sources, uint64_t seed,
                                     const EpisodeEdit& edit, const DataMixes& mixes) {
  std::vector<TrainingEpisode> episodes;
  std::map<std::string, int> num_copies;
  for (const DataSource& source : sources) {
    const DataSet set = OpenDataSet(source.dir);
    const std::string name = DataSetName(source.dir);
    const bool may_lack_actions = !mixes.Of(name, false).empty();
    RequireFitting(set, edit, {.views = "clips.views", .fps = "clips.fps"});
    for (const EpisodeRef& ref : set.episodes()) {
      const double fraction = NameFraction(ref, seed + 1);
      if (fraction >= source.ratio) continue;
      const std::string stamp = set.Stamp(ref);
      int& copies = num_copies[Identity(ref)];
      for (int again = 0; fraction < source.ratio - again; ++again) {
        episodes.push_back({set, ref, stamp, copies++, name, may_lack_actions});
      }
    }
  }
  std::stable_sort(episodes.begin(), episodes.end(),
                   [&](const TrainingEpisode& a, const TrainingEpisode& b) {
                     return NameFraction(a.ref, seed) < NameFraction(b.ref, seed);
                   });
  return episodes;
}

// Whether chance decides about the clips.
bool IsDrawn(const CacheRequest& request, const EpisodeReader& reader) {
  return reader.num_views() > 0 || request.augment != AugmentOptions();
}

// Everything that decides what the cache holds.
std::string CacheKey(const CacheRequest& request, const EpisodeReader& reader) {
  nlohmann::json origin = {{"encoding", request.encoding},
                           {"clips_per_episode", request.clips_per_episode},
                           {"edit", OptionsToJson(reader.edit())}};
  if (IsDrawn(request, reader)) {
    origin["drawn"] = {{"num_views", reader.num_views()},
                       {"augment", OptionsToJson(request.augment)},
                       {"seed", request.seed}};
  }
  for (const TrainingEpisode& episode : request.episodes) {
    origin["episodes"].push_back({episode.ref.path.lexically_normal().string(), episode.ref.name,
                                  episode.stamp, episode.data_set, episode.may_lack_actions});
  }
  return std::to_string(StableHash(DumpJson(origin)));
}

std::string Text(const ClipShape& shape) {
  return SizeText(shape.width, shape.height) + " pixels in " + CountText(shape.num_views, "view") +
         " at " + RateText(shape.fps) + " frames a second";
}

// Nothing where it has a pose and cameras for each frame.
std::string WhatLacks(const OpenEpisode& episode) {
  const Clip& clip = episode.facts().clip;
  if (!IsCalibrated(clip)) return "an episode without calibrated cameras";
  const auto num_poses = static_cast<int64_t>(clip.poses.size());
  if (num_poses == episode.num_frames()) return "";
  return "an episode with " + CountText(num_poses, "pose") + " for " +
         CountText(episode.num_frames(), "frame");
}

void CheckViews(const Clip& clip, const std::string& where, int num_views) {
  const size_t has = clip.views.size();
  if (has >= static_cast<size_t>(num_views)) return;
  throw InputError({where, "with " + CountText(static_cast<int64_t>(has), "view"),
                    "at least " + std::to_string(num_views) + ", as clips.num_views asks for",
                    "ask for fewer"});
}

// What no loss can be of: float16 holds numbers up to 65504.
void CheckFinite(const EncodedClip& encoded, const std::string& where) {
  const auto is_finite = [](const at::Tensor& tensor) {
    return !tensor.defined() || tensor.isfinite().all().item<bool>();
  };
  if (is_finite(encoded.latents.to(at::kHalf)) && is_finite(encoded.camera)) return;
  throw InputError({.where = where,
                    .got = "encoded to numbers that are not finite",
                    .expected = "latents within float16",
                    .fix = "look at it with aim-data view"});
}

std::vector<CachedClip> EncodeEpisode(const CacheRequest& request, const TrainingEpisode& episode,
                                      EpisodeReader& reader) {
  std::vector<CachedClip> clips;
  const std::optional<Episode> read = reader.TryRead(episode);
  if (!read) return clips;
  const Rng of_copy = Rng(StableHash(episode.ref.name + '\n' + episode.stamp, request.seed))
                          .Derive(static_cast<uint64_t>(episode.copy), "copy");
  for (Clip& clip : CutClips(read->clip, request.clips_per_episode, request.config.num_frames)) {
    Rng rng = of_copy.Derive(clips.size(), "clip");
    const auto num_views = static_cast<int>(clip.views.size());
    if (reader.num_views() > 0)
      clip = TakeViews(clip, DrawViews(reader.num_views(), num_views, rng));
    clip = Augment(std::move(clip), request.augment, rng);
    EncodedClip encoded = request.encoder.Encode(clip);
    const auto check = [&] { CheckFinite(encoded, episode.ref.path.string()); };
    if (!reader.TryOrLeaveOut(episode, check)) return {};
    clips.push_back({.encoded = std::move(encoded),
                     .truth = std::move(clip),
                     .origin = {episode.data_set, episode.ref.name}});
  }
  return clips;
}

}  // namespace

ClipShape EpisodeReader::ShapeOf(const Clip& clip) const {
  const auto has = static_cast<int>(clip.views.size());
  return {clip.width, clip.height, num_views_ > 0 ? num_views_ : has, clip.fps};
}

void CheckShape(const ClipShape& shape, const ClipShape& expected, const std::string& where,
                const std::string& whose) {
  const bool fits = shape.width == expected.width && shape.height == expected.height &&
                    shape.num_views == expected.num_views &&
                    std::abs(shape.fps - expected.fps) <= kRateTolerance * expected.fps;
  if (fits) return;
  throw InputError(
      {where, Text(shape), Text(expected) + ", as " + whose,
       "bring all to one with clips.views or clips.num_views, clips.width, clips.height and "
       "clips.fps, with --init to the bundle's"});
}

std::vector<std::string> DataFolders(const std::vector<std::string>& data) {
  std::vector<std::string> folders;
  folders.reserve(data.size());
  for (const std::string& text : data) folders.push_back(ParseSource(text).dir);
  return folders;
}

DataSplit ListTrainingData(const std::vector<std::string>& data, int validation_episodes,
                           uint64_t seed, const EpisodeEdit& edit, const DataMixes& mixes) {
  if (data.empty())
    throw ConfigError({"--data", "missing",
                       "at least one data set, or a finished cache in clips.dir",
                       "make one with aim-data demos"});
  const std::vector<TrainingEpisode> episodes =
      ListAll(ParseSources(data, mixes), seed, edit, mixes);
  if (episodes.empty()) {
    throw InputError(
        {.where = "--data",
         .got = "without an episode to train on (" + Join(data) + ")",
         .expected = "at least one",
         .fix = "raise the ratio: of DIR@RATIO that share is taken, by a hash of names"});
  }
  std::set<std::string> distinct;
  for (const TrainingEpisode& episode : episodes) distinct.insert(Identity(episode.ref));
  const size_t num_held_out = NumHeldOut(validation_episodes, distinct.size());
  std::set<std::string> held_out;
  DataSplit split;
  for (const TrainingEpisode& episode : episodes) {
    const std::string identity = Identity(episode.ref);
    if (held_out.contains(identity)) continue;
    if (held_out.size() < num_held_out) {
      held_out.insert(identity);
      split.validation.push_back(episode);
    } else {
      split.training.push_back(episode);
    }
  }
  return split;
}

std::string ContentOf(const DataSplit& split) {
  std::multiset<std::string> lines;
  for (const auto* episodes : {&split.training, &split.validation}) {
    for (const TrainingEpisode& episode : *episodes) {
      lines.insert(episode.ref.name + '\n' + episode.stamp + '\n');
    }
  }
  std::string all;
  for (const std::string& line : lines) all += line;
  return HexText(StableHash(all));
}

bool EpisodeReader::TryOrLeaveOut(const TrainingEpisode& episode,
                                  const std::function<void()>& work) {
  const std::string key = Identity(episode.ref);
  {
    const std::lock_guard lock(mutex_);
    if (skipped_.contains(key)) return false;
  }
  std::vector<Skipped> skipped;
  TryOrSkip(episode.ref.name, skipped, work);
  const std::lock_guard lock(mutex_);
  for (Skipped& one : skipped) skipped_.emplace(key, std::move(one));
  return skipped.empty();
}

std::optional<Episode> EpisodeReader::TryRead(const TrainingEpisode& episode,
                                              const FrameRange& range) {
  std::optional<Episode> read;
  TryOrLeaveOut(episode, [&] {
    const std::unique_ptr<OpenEpisode> open = episode.data.Open(episode.ref);
    Episode part = ReadEdited(*open, edit_, range);
    const std::string lacks = WhatLacks(*open);
    if (!lacks.empty()) {
      if (!episode.may_lack_actions) throw UnfitError(LacksActions(open->where(), lacks));
      part.clip.poses.clear();
    }
    CheckViews(part.clip, open->where(), num_views_);
    if (expected_) {
      CheckShape(ShapeOf(part.clip), *expected_, episode.ref.path.string(), expected_by_);
    }
    read = std::move(part);
  });
  return read;
}

std::vector<Skipped> EpisodeReader::skipped() const {
  const std::lock_guard lock(mutex_);
  std::vector<Skipped> all;
  for (const auto& [key, one] : skipped_) all.push_back(one);
  return all;
}

void EpisodeReader::Keep(const std::filesystem::path& file) const {
  nlohmann::json lines = nlohmann::json::array();
  const std::lock_guard lock(mutex_);
  for (const auto& [key, one] : skipped_) {
    lines.push_back({{"key", key}, {"episode", one.episode}, {"problem", one.problem}});
  }
  WriteFileAtomic(file, DumpJson({{"left_out", lines}}, 1) + "\n");
}

void EpisodeReader::Recall(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return;
  const JsonReader kept = JsonReader::OfFile(file);
  const std::lock_guard lock(mutex_);
  for (const nlohmann::json& line : kept.At("left_out")) {
    const JsonReader one(line, kept.Where("left_out"));
    skipped_.emplace(one.Text("key"), Skipped{one.Text("episode"), one.Text("problem")});
  }
}

PcaAutoencoder FitAutoencoder(const std::vector<TrainingEpisode>& episodes, int num_episodes,
                              int num_frames, const PcaOptions& options,
                              const ActionImageSpec& spec, EpisodeReader& reader,
                              Progress& progress) {
  PcaFitter fitter(options);
  std::vector<const TrainingEpisode*> distinct;
  for (const TrainingEpisode& episode : episodes) {
    if (episode.copy == 0) distinct.push_back(&episode);
  }
  const size_t count = std::min(distinct.size(), static_cast<size_t>(num_episodes));
  bool has_actions = false;
  progress.Start("fit autoencoder", static_cast<int64_t>(count));
  for (size_t i = 0; i < count; ++i, progress.Advance(1)) {
    const std::optional<Episode> episode = reader.TryRead(*distinct[i]);
    if (!episode) continue;
    // Starts differ between episodes, so that first frames are not all frames 0.
    const int start = static_cast<int>(i % 4) * episode->clip.views.at(0).num_frames / 4;
    const Clip clip = CutClip(episode->clip, start, num_frames);
    has_actions = has_actions || !clip.poses.empty();
    for (const ClipView& view : clip.views) {
      fitter.AddClip(VideoTensor(view, clip.height, clip.width, num_frames).unsqueeze(0),
                     ContentKind::kVideo);
      if (clip.poses.empty()) continue;
      fitter.AddClip(ActionTensor(clip.poses, view.camera, spec).unsqueeze(0),
                     ContentKind::kAction);
    }
  }
  progress.Finish();
  if (!has_actions) {
    throw InputError({.where = "--data",
                      .got = "without an episode that has actions",
                      .expected = "at least one, to fit the small model's autoencoder to",
                      .fix = "add some, or train a finished bundle on with --init"});
  }
  return fitter.Solve();
}

std::optional<LatentCache> OpenOrBuildCache(const CacheRequest& request, EpisodeReader& reader,
                                            RunContext& run) {
  const std::string key = CacheKey(request, reader);
  const std::filesystem::path left_out = request.dir / "left_out.json";
  if (!LatentCache::IsComplete(request.dir, key)) {
    if (std::filesystem::exists(request.dir / "collection.json")) {
      throw ConfigError({.where = "clips.dir",
                         .got = "a cache that aim-data demos makes (" + request.dir.string() + ")",
                         .expected = "a folder for the clips of --data",
                         .fix = "choose another folder, or leave --data out to train from it"});
    }
    KeepEncoders(request.dir / "model", request.encoding, request.write_encoders);
    const ClipMaker make = [&](int64_t item) {
      return EncodeEpisode(request, request.episodes[static_cast<size_t>(item)], reader);
    };
    const int64_t num_items = static_cast<int64_t>(request.episodes.size());
    run.progress().Start("encode clips", num_items);
    const bool done = BuildLatentCache(
        request.dir, {.key = key,
                      .num_items = num_items,
                      .num_threads = NumProcessors(),
                      .start_worker = [&] { return make; },
                      .on_progress = [&](int64_t count) { run.progress().Advance(count); },
                      .should_stop = [&] { return run.stop_requested(); }});
    run.progress().Finish();
    if (!done) return std::nullopt;
    reader.Keep(left_out);
  } else {
    reader.Recall(left_out);
  }
  return LatentCache::Open(request.dir, key);
}

}  // namespace aim
