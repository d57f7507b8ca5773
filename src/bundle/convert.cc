#include "aim/bundle/convert.h"

#include <ATen/ATen.h>

#include "aim/base/error.h"
#include "aim/bundle/open_part.h"
#include "aim/bundle/options_of_weights.h"
#include "aim/bundle/scaled_weights.h"
#include "aim/model/dit_fp8.h"

namespace aim {
namespace {

// Elements checked at a time: the check needs little memory beside the weight.
constexpr int64_t kChunk = 1 << 22;

bool IsFinite(const at::Tensor& weight) {
  if (!weight.is_floating_point()) return true;
  const at::Tensor flat = weight.reshape({-1});
  for (int64_t begin = 0; begin < flat.numel(); begin += kChunk) {
    at::Tensor part = flat.slice(0, begin, std::min(flat.numel(), begin + kChunk));
    // Eight-bit floats have no isfinite of their own.
    if (part.element_size() == 1) part = part.to(at::kFloat);
    if (!part.isfinite().all().item<bool>()) return false;
  }
  return true;
}

void AddName(std::string& list, const std::string& name) {
  list += (list.empty() ? "" : ", ") + name;
}

at::ScalarType StoredType(const at::Tensor& weight, std::optional<at::ScalarType> dtype) {
  return dtype && weight.is_floating_point() ? *dtype : weight.scalar_type();
}

void RefuseBroken(const std::string& not_finite, const std::string& overflowed,
                  const std::string& where) {
  std::string got;
  if (!not_finite.empty()) got = "holding NaN or Inf in " + not_finite;
  if (!overflowed.empty()) {
    got += (got.empty() ? "" : ", and ") +
           ("holding values too large for the storage type in " + overflowed);
  }
  if (got.empty()) return;
  throw InputError({.where = where,
                    .got = got,
                    .expected = "finite weights that the type can hold",
                    .fix = not_finite.empty() ? "store them as bf16 or f32"
                                              : "the training that wrote it diverged or the file "
                                                "is damaged"});
}

void RefuseBundle(const std::string& source) {
  if (!std::filesystem::exists(std::filesystem::path(source) / "model.toml")) return;
  throw ConfigError({.where = source,
                     .got = "a bundle",
                     .expected = "one of its weight files, " + source + "/dit.safetensors",
                     .fix = "what comes of it takes its place in a copy of the bundle"});
}

// The weights as they will be named.
OpenedPart Named(const WeightFile& file, const ConvertOptions& options) {
  if (options.names == WeightNaming::kOriginal) {
    OpenedPart part = UsablePart(file, options.source);
    if (part.architecture != Architecture::kUnknown) return part;
    throw InputError({.where = options.source,
                      .got = "of an architecture that its names do not tell",
                      .expected = "weights of a Wan DiT, a Wan VAE or a UMT5 encoder",
                      .fix = "pass --names keep to convert it as it is"});
  }
  const Architecture architecture = DetectArchitecture(file.tensors);
  return {.weights = file.tensors,
          .architecture = architecture,
          .notes = NotesOn(file, Architecture::kUnknown, options.source)};
}

// What can be written of such weights in the type that is asked for.
void CheckStorage(const ConvertOptions& options, const OpenedPart& part) {
  if (options.dtype == StorageDtype::kKeep) return;
  if (HasRowScales(part.weights)) {
    throw InputError({.where = options.source,
                      .got = "matrices quantised to eight bits",
                      .expected = "--dtype keep for them",
                      .fix = "convert what they were made of"});
  }
  if (options.dtype != StorageDtype::kFp8) return;
  if (part.architecture != Architecture::kDit || options.names == WeightNaming::kKeep) {
    throw ConfigError(
        {.where = "--dtype fp8",
         .got = options.source + ", " + ArchitectureName(part.architecture) +
                (options.names == WeightNaming::kKeep ? " under names of its own" : ""),
         .expected = "a wan_dit under its original names: its large matrices are "
                     "what is multiplied in eight bits",
         .fix = "store it as bf16"});
  }
  ScaledMatrices(DitOptionsOf(part.weights, options.source));  // its sizes allow it
}

}  // namespace

std::optional<at::ScalarType> ScalarTypeOf(StorageDtype dtype) {
  switch (dtype) {
    case StorageDtype::kF32:
      return at::kFloat;
    case StorageDtype::kF16:
      return at::kHalf;
    case StorageDtype::kBf16:
      return at::kBFloat16;
    case StorageDtype::kFp8:
    case StorageDtype::kKeep:
      break;
  }
  return std::nullopt;
}

void StreamWeights(const std::filesystem::path& path, const WeightMap& weights,
                   std::optional<at::ScalarType> dtype, const Metadata& metadata,
                   const std::string& where, Progress& progress) {
  std::map<std::string, TensorInfo> infos;
  for (const auto& [name, weight] : weights) {
    infos[name] = {StoredType(weight, dtype), weight.sizes().vec()};
  }
  std::string not_finite;
  std::string overflowed;
  size_t done = 0;
  const auto load = [&](const std::string& name) {
    const at::Tensor& weight = weights.at(name);
    const at::ScalarType type = infos.at(name).dtype;
    at::Tensor stored;
    try {
      stored = LoadWeights({{name, weight}}, type, at::kCPU, where).at(name);
    } catch (const FormatError&) {
      throw;
    } catch (const InputError&) {
      AddName(IsFinite(weight) ? overflowed : not_finite, name);
      stored = weight.to(type);
    }
    progress.Advance(1, name);
    // Behind the last weight, while nothing is in place yet.
    if (++done == weights.size()) RefuseBroken(not_finite, overflowed, where);
    return stored;
  };
  progress.Start("convert", static_cast<int64_t>(weights.size()));
  StreamSafetensors(path, infos, load, metadata);
  progress.Finish();
}

nlohmann::json RunConvert(const ConvertOptions& options, RunContext& run) {
  const std::filesystem::path destination = options.destination;
  if (std::filesystem::exists(destination) && !run.common().overwrite) {
    throw ConfigError({.where = destination.string(),
                       .got = "there already",
                       .expected = "a file that does not exist",
                       .fix = "choose another name or pass --overwrite"});
  }
  if (std::filesystem::is_directory(destination)) {
    throw ConfigError({.where = destination.string(),
                       .got = "a folder",
                       .expected = "the name of a safetensors file",
                       .fix = ""});
  }
  RefuseBundle(options.source);
  const WeightFile file = OpenWeights(options.source, options.key);
  const OpenedPart part = Named(file, options);
  CheckStorage(options, part);
  Metadata metadata = file.metadata;
  run.PrepareOutFile(destination);
  metadata["format"] = "pt";  // what other readers of safetensors look for
  if (options.dtype == StorageDtype::kFp8) {
    StreamScaled(destination, part.weights, DitOptionsOf(part.weights, options.source), metadata,
                 options.source, run.progress());
  } else {
    StreamWeights(destination, part.weights, ScalarTypeOf(options.dtype), metadata, options.source,
                  run.progress());
  }

  nlohmann::json report = {{"path", destination.string()},
                           {"architecture", ArchitectureName(part.architecture)},
                           {"tensors", part.weights.size()},
                           {"bytes", std::filesystem::file_size(destination)},
                           {"notes", part.notes},
                           {"dtypes", nlohmann::json::object()}};
  int64_t parameters = 0;
  for (const auto& [name, weight] : part.weights) parameters += weight.numel();
  for (const auto& [name, weight] : OpenWeights(destination).tensors) {
    nlohmann::json& count = report["dtypes"][c10::toString(weight.scalar_type())];
    count = count.is_null() ? 1 : count.get<int>() + 1;
  }
  report["parameters"] = parameters;
  return report;
}

}  // namespace aim
