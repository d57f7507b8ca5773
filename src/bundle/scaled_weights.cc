#include "aim/bundle/scaled_weights.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <set>

#include "aim/base/error.h"
#include "aim/kernels/scaled_product.h"
#include "aim/model/dit_fp8.h"
#include "aim/tensor/weight_file.h"

namespace aim {
namespace {

std::string ScaleOf(const std::string& weight) { return weight + std::string(kScaleEnding); }

// What a scale belongs to, or nothing for another name.
std::optional<std::string> WeightOf(const std::string& name) {
  if (!name.ends_with(".weight" + std::string(kScaleEnding))) return std::nullopt;
  return name.substr(0, name.size() - kScaleEnding.size());
}

bool Fits(const at::Tensor& scale, const at::Tensor& weight) {
  return weight.scalar_type() == at::kFloat8_e4m3fn && weight.dim() == 2 &&
         scale.scalar_type() == at::kFloat && scale.numel() == weight.size(0) && scale.dim() > 0 &&
         scale.size(0) == weight.size(0);
}

}  // namespace

bool HasRowScales(const WeightMap& weights) {
  size_t scales = 0, narrow = 0;
  for (const auto& [name, weight] : weights) {
    narrow += weight.is_floating_point() && weight.element_size() == 1;
    const std::optional<std::string> scaled = WeightOf(name);
    if (!scaled) continue;
    const auto found = weights.find(*scaled);
    if (found == weights.end() || !Fits(weight, found->second)) return false;
    ++scales;
  }
  return scales > 0 && scales == narrow;
}

WeightMap TakeRowScales(WeightMap& weights) {
  WeightMap scales;
  if (!HasRowScales(weights)) return scales;
  for (auto entry = weights.begin(); entry != weights.end();) {
    const std::optional<std::string> scaled = WeightOf(entry->first);
    if (!scaled) {
      ++entry;
      continue;
    }
    scales[*scaled] = entry->second.flatten();
    entry = weights.erase(entry);
  }
  return scales;
}

void StreamScaled(const std::filesystem::path& path, const WeightMap& weights,
                  const DitOptions& options, const Metadata& metadata, const std::string& where,
                  Progress& progress) {
  if (HasRowScales(weights)) {
    throw InputError({.where = where,
                      .got = "quantised already",
                      .expected = "weights of 16 or 32 bits",
                      .fix = "copy it, or quantise what it was made of"});
  }
  std::set<std::string> scaled;
  for (const std::string& matrix : ScaledMatrices(options)) scaled.insert(matrix + ".weight");
  std::map<std::string, TensorInfo> infos;
  for (const auto& [name, weight] : weights) {
    const bool is_scaled = scaled.contains(name);
    infos[name] = {is_scaled ? at::kFloat8_e4m3fn : weight.scalar_type(), weight.sizes().vec()};
    if (is_scaled) infos[ScaleOf(name)] = {at::kFloat, {weight.size(0)}};
  }
  WeightMap scales;
  const auto checked = [&](const std::string& name) {
    const at::Tensor& weight = weights.at(name);
    return LoadWeights({{name, weight}}, weight.scalar_type(), at::kCPU, where).at(name);
  };
  const auto load = [&](const std::string& name) {
    const std::optional<std::string> of_scale = WeightOf(name);
    const std::string& weight = of_scale ? *of_scale : name;
    if (!of_scale) progress.Advance(1, name);
    if (!scaled.contains(weight)) return checked(name);
    const auto known = scales.find(weight);
    if (of_scale && known != scales.end()) return known->second;
    const ScaledRows rows = QuantiseRows(checked(weight).to(at::kFloat));
    scales[weight] = rows.scale;
    return of_scale ? rows.scale : rows.values;
  };
  progress.Start("convert", static_cast<int64_t>(weights.size()));
  StreamSafetensors(path, infos, load, metadata);
  progress.Finish();
}

}  // namespace aim
