#include "cache/cache_shard.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "aim/base/error.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/tensor/sealed_weights.h"
#include "cache/cache_files.h"

namespace aim {
namespace {

at::Tensor Doubles(const std::vector<double>& values, at::IntArrayRef sizes) {
  return at::tensor(values, at::kDouble).reshape(sizes);
}

size_t NumPoses(const std::vector<CachedClip>& clips) {
  size_t count = 0;
  for (const CachedClip& clip : clips) count = std::max(count, clip.truth.poses.size());
  return count;
}

at::Tensor PosesOf(const Clip& clip, int64_t num_poses) {
  if (clip.poses.empty()) return at::zeros({num_poses, kPoseNumbers}, at::kDouble);
  std::vector<double> values;
  for (const ToolPose& pose : clip.poses) {
    const auto numbers = ToNumbers(pose);
    values.insert(values.end(), numbers.begin(), numbers.end());
  }
  return Doubles(values, {num_poses, kPoseNumbers});
}

// Cameras that move in one view only are written a frame in all.
size_t NumCameraFrames(const std::vector<CachedClip>& clips) {
  size_t count = 1;
  for (const CachedClip& clip : clips) {
    for (const ClipView& view : clip.truth.views)
      count = std::max(count, view.camera.frames.size());
  }
  return count;
}

bool HasCameras(const Clip& clip) {
  return std::ranges::none_of(clip.views,
                              [](const ClipView& view) { return view.camera.frames.empty(); });
}

void PutCameras(const Clip& clip, size_t num_frames, std::vector<at::Tensor>& intrinsics,
                std::vector<at::Tensor>& poses) {
  const auto views = static_cast<int64_t>(clip.views.size());
  const auto frames = static_cast<int64_t>(num_frames);
  if (!HasCameras(clip)) {
    intrinsics.push_back(at::zeros({views, frames, 4}, at::kDouble));
    poses.push_back(at::zeros({views, frames, 7}, at::kDouble));
    return;
  }
  std::vector<double> lens, place;
  for (const ClipView& view : clip.views) {
    for (size_t frame = 0; frame < num_frames; ++frame) {
      const Camera& camera = view.camera.at(frame);
      const Eigen::Vector3d& origin = camera.world_from_camera.translation;
      const Eigen::Quaterniond& turn = camera.world_from_camera.rotation;
      lens.insert(lens.end(), {camera.fx, camera.fy, camera.cx, camera.cy});
      place.insert(place.end(),
                   {origin.x(), origin.y(), origin.z(), turn.x(), turn.y(), turn.z(), turn.w()});
    }
  }
  intrinsics.push_back(Doubles(lens, {views, frames, 4}));
  poses.push_back(Doubles(place, {views, frames, 7}));
}

at::Tensor PicturesOf(const Clip& clip) {
  std::vector<at::Tensor> views;
  for (const ClipView& view : clip.views) {
    views.push_back(at::from_blob(const_cast<uint8_t*>(view.rgb.data()),
                                  {view.num_frames, clip.height, clip.width, 3}, at::kByte));
  }
  return at::stack(views);
}

// What many clips share is kept once, and a row a clip says which.
template <class Value>
class Distinct {
 public:
  // Whether it is new.
  bool Add(const Value& value) {
    const auto known = std::ranges::find(values_, value);
    const bool is_new = known == values_.end();
    rows_.push_back(known - values_.begin());
    if (is_new) values_.push_back(value);
    return is_new;
  }
  const std::vector<Value>& values() const { return values_; }
  at::Tensor Rows() const { return at::tensor(rows_, at::kLong); }

 private:
  std::vector<Value> values_;
  std::vector<int64_t> rows_;
};

struct Shared {
  Distinct<std::string> prompts = {};
  Distinct<ClipOrigin> origins = {};
};

WeightMap Stack(const std::vector<CachedClip>& clips, bool keep_pictures, Shared& shared) {
  std::map<std::string, std::vector<at::Tensor>> rows;
  std::vector<at::Tensor> texts;
  const size_t camera_frames = NumCameraFrames(clips);
  const auto num_poses = static_cast<int64_t>(NumPoses(clips));
  for (const CachedClip& clip : clips) {
    const auto flag = [](bool value) { return at::scalar_tensor(value ? 1 : 0, at::kByte); };
    rows["latents"].push_back(clip.encoded.latents.to(at::kHalf));
    if (clip.encoded.camera.defined()) rows["camera"].push_back(clip.encoded.camera);
    rows["item"].push_back(at::scalar_tensor(clip.item, at::kLong));
    rows["has_actions"].push_back(flag(!clip.truth.poses.empty()));
    rows["has_cameras"].push_back(flag(HasCameras(clip.truth)));
    rows["poses"].push_back(PosesOf(clip.truth, num_poses));
    PutCameras(clip.truth, camera_frames, rows["intrinsics"], rows["world_from_camera"]);
    if (keep_pictures) rows["rgb"].push_back(PicturesOf(clip.truth));
    if (shared.prompts.Add(clip.truth.prompt)) texts.push_back(clip.encoded.text);
    shared.origins.Add(clip.origin);
  }
  WeightMap tensors = {{"text", at::stack(texts)},
                       {"text_row", shared.prompts.Rows()},
                       {"origin_row", shared.origins.Rows()}};
  for (const auto& [name, row] : rows) tensors.emplace(name, at::stack(row));
  return tensors;
}

nlohmann::json ToJson(const std::vector<ClipOrigin>& origins) {
  nlohmann::json list = nlohmann::json::array();
  for (const ClipOrigin& origin : origins) list.push_back({origin.data_set, origin.episode});
  return list;
}

[[noreturn]] void ThrowDamaged(const std::filesystem::path& path, const std::string& what) {
  throw FormatError({path.string(), what, "a shard of a latent cache, " + std::string(kCacheFormat),
                     "remove the file; its clips are encoded again"});
}

// Takes the tensors out of the file's and checks what readers rely on.
class ShardReader {
 public:
  ShardReader(const std::filesystem::path& path, WeightMap tensors)
      : path_(path), tensors_(std::move(tensors)) {}

  bool Has(const std::string& name) const { return tensors_.contains(name); }

  // `sizes` without the first: -1 stands for any size.
  at::Tensor Take(const std::string& name, at::ScalarType dtype, int64_t rows,
                  const std::vector<int64_t>& sizes) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) ThrowDamaged(path_, "without " + name);
    const at::Tensor& tensor = found->second;
    bool fits = tensor.scalar_type() == dtype &&
                tensor.dim() == static_cast<int64_t>(sizes.size()) + 1 &&
                (rows < 0 || tensor.size(0) == rows);
    for (size_t i = 0; fits && i < sizes.size(); ++i)
      fits = sizes[i] < 0 || tensor.size(static_cast<int64_t>(i) + 1) == sizes[i];
    if (!fits) {
      ThrowDamaged(path_, name + " is " + c10::toString(tensor.scalar_type()) + " " +
                              ShapeText(tensor.sizes()));
    }
    return tensor;
  }

  // Of each clip the row of a list of `size`.
  at::Tensor TakeRows(const std::string& name, int64_t rows, int64_t size) const {
    const at::Tensor tensor = Take(name, at::kLong, rows, {});
    if (rows > 0 && (tensor.min().item<int64_t>() < 0 || tensor.max().item<int64_t>() >= size))
      ThrowDamaged(path_, name + " points beyond the " + std::to_string(size) + " there are");
    return tensor;
  }

 private:
  std::filesystem::path path_;
  WeightMap tensors_;
};

nlohmann::json MetadataJson(const std::filesystem::path& path, const Metadata& metadata,
                            const std::string& key) {
  const auto found = metadata.find(key);
  const nlohmann::json json = found == metadata.end() ? nlohmann::json() : ParseJson(found->second);
  if (json.is_null() || json.is_discarded()) ThrowDamaged(path, "without readable " + key);
  return json;
}

void ReadMetadata(const std::filesystem::path& path, const Metadata& metadata, CacheShard& shard) {
  try {
    shard.prompts = MetadataJson(path, metadata, "prompts").get<std::vector<std::string>>();
    for (const nlohmann::json& origin : MetadataJson(path, metadata, "origins"))
      shard.origins.push_back({origin.at(0).get<std::string>(), origin.at(1).get<std::string>()});
    const nlohmann::json picture = MetadataJson(path, metadata, "picture");
    picture.at("height").get_to(shard.height);
    picture.at("width").get_to(shard.width);
    picture.at("fps").get_to(shard.fps);
  } catch (const nlohmann::json::exception& error) {
    ThrowDamaged(path, std::string("damaged: ") + error.what());
  }
}

}  // namespace

void WriteCacheShard(const std::filesystem::path& path, const std::string& key,
                     const std::vector<CachedClip>& clips, bool keep_pictures) {
  Metadata metadata = {{"format", kCacheFormat}, {"key", key}};
  if (clips.empty()) return WriteSealed(path, {}, metadata);
  Shared shared;
  const WeightMap tensors = Stack(clips, keep_pictures, shared);
  const Clip& first = clips[0].truth;
  metadata["prompts"] = DumpJson(shared.prompts.values());
  metadata["origins"] = DumpJson(ToJson(shared.origins.values()));
  metadata["picture"] =
      DumpJson({{"height", first.height}, {"width", first.width}, {"fps", first.fps}});
  WriteSealed(path, tensors, metadata);
}

bool IsShardOf(const std::filesystem::path& path, const std::string& key) {
  if (!std::filesystem::exists(path)) return false;
  const Metadata metadata = OpenSafetensors(path).metadata;
  const auto has = [&](const char* name, const std::string& value) {
    const auto found = metadata.find(name);
    return found != metadata.end() && found->second == value;
  };
  return has("format", kCacheFormat) && has("key", key);
}

CacheShard OpenCacheShard(const std::filesystem::path& path) {
  SafetensorsFile file = OpenSealed(path);
  CacheShard shard;
  shard.key = file.metadata["key"];
  if (file.metadata["format"] != kCacheFormat) ThrowDamaged(path, "of another kind");
  if (file.tensors.empty()) return shard;
  ReadMetadata(path, file.metadata, shard);
  const ShardReader reader(path, std::move(file.tensors));
  shard.latents = reader.Take("latents", at::kHalf, -1, {-1, 2, -1, -1, -1, -1});
  const int64_t n = shard.num_clips = shard.latents.size(0);
  const int64_t views = shard.latents.size(1);
  if (reader.Has("camera"))
    shard.camera = reader.Take("camera", at::kFloat, n, {views, -1, -1, -1});
  shard.text =
      reader.Take("text", at::kFloat, static_cast<int64_t>(shard.prompts.size()), {-1, -1});
  shard.text_row = reader.TakeRows("text_row", n, shard.text.size(0));
  shard.origin_row = reader.TakeRows("origin_row", n, std::ssize(shard.origins));
  shard.item = reader.Take("item", at::kLong, n, {});
  shard.has_actions = reader.Take("has_actions", at::kByte, n, {});
  shard.has_cameras = reader.Take("has_cameras", at::kByte, n, {});
  shard.poses = reader.Take("poses", at::kDouble, n, {-1, kPoseNumbers});
  shard.intrinsics = reader.Take("intrinsics", at::kDouble, n, {views, -1, 4});
  shard.world_from_camera =
      reader.Take("world_from_camera", at::kDouble, n, {views, shard.intrinsics.size(2), 7});
  if (reader.Has("rgb"))
    shard.rgb = reader.Take("rgb", at::kByte, n, {views, -1, shard.height, shard.width, 3});
  return shard;
}

const ClipOrigin& CacheShard::Origin(int64_t row) const {
  return origins[static_cast<size_t>(origin_row[row].item<int64_t>())];
}

Clip CacheShard::Truth(int64_t row) const {
  Clip clip;
  clip.height = height;
  clip.width = width;
  clip.fps = fps;
  clip.prompt = prompts[static_cast<size_t>(text_row[row].item<int64_t>())];
  const at::Tensor rows = poses[row];
  const bool acts = has_actions[row].item<bool>(), is_calibrated = has_cameras[row].item<bool>();
  for (int64_t frame = 0; acts && frame < rows.size(0); ++frame) {
    const double* numbers = rows[frame].const_data_ptr<double>();
    clip.poses.push_back(ToolPoseFromNumbers({numbers, kPoseNumbers}, "poses"));
  }
  for (int64_t v = 0; v < intrinsics.size(1); ++v) {
    ClipView view;
    view.camera.name = "view" + std::to_string(v);
    for (int64_t frame = 0; is_calibrated && frame < intrinsics.size(2); ++frame) {
      const double* lens = intrinsics[row][v][frame].const_data_ptr<double>();
      const double* place = world_from_camera[row][v][frame].const_data_ptr<double>();
      view.camera.frames.push_back({width,
                                    height,
                                    lens[0],
                                    lens[1],
                                    lens[2],
                                    lens[3],
                                    {Eigen::Quaterniond(place[6], place[3], place[4], place[5]),
                                     Eigen::Vector3d(place[0], place[1], place[2])}});
    }
    if (rgb.defined()) {
      const at::Tensor frames = rgb[row][v].contiguous();
      view.num_frames = static_cast<int>(frames.size(0));
      view.rgb.assign(frames.const_data_ptr<uint8_t>(),
                      frames.const_data_ptr<uint8_t>() + frames.numel());
    }
    clip.views.push_back(std::move(view));
  }
  return clip;
}

}  // namespace aim
