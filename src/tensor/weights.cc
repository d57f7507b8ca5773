#include "aim/tensor/weights.h"

#include <ATen/ATen.h>

#include <bit>
#include <cstring>

#include "aim/base/error.h"
#include "aim/base/rng.h"
#include "aim/base/text.h"
#include "aim/tensor/fingerprint.h"
#include "aim/tensor/shape.h"
#include "tensor/finite.h"

namespace aim {
namespace {

void AddPart(std::string& text, const std::string& part) {
  text += (text.empty() ? "" : ", and ") + part;
}

// Mixes eight bytes a step: a file of gigabytes takes seconds.
uint64_t HashBytes(const void* data, size_t size_bytes, uint64_t hash) {
  const char* bytes = static_cast<const char*>(data);
  uint64_t word = 0;
  for (; size_bytes >= sizeof(word); size_bytes -= sizeof(word), bytes += sizeof(word)) {
    std::memcpy(&word, bytes, sizeof(word));
    hash = std::rotl((hash ^ word) * 0x9e3779b97f4a7c15ULL, 29);
  }
  word = 0;
  if (size_bytes > 0) std::memcpy(&word, bytes, size_bytes);  // an empty tensor has no address
  return std::rotl((hash ^ word) * 0x9e3779b97f4a7c15ULL, 29);
}

}  // namespace

void CheckWeights(const WeightMap& weights, const ShapeMap& expected, const std::string& where) {
  std::vector<std::string> missing;
  std::vector<std::string> unknown;
  std::vector<std::string> misshapen;
  for (const auto& [name, shape] : expected) {
    const auto found = weights.find(name);
    if (found == weights.end()) {
      missing.push_back(name + " " + ShapeText(shape));
    } else if (found->second.sizes() != at::IntArrayRef(shape)) {
      misshapen.push_back(name + " is " + ShapeText(found->second.sizes()) + " instead of " +
                          ShapeText(shape));
    }
  }
  for (const auto& [name, tensor] : weights) {
    if (!expected.contains(name)) unknown.push_back(name + " " + ShapeText(tensor.sizes()));
  }
  std::string got;
  if (!missing.empty()) {
    AddPart(got, "missing " + std::to_string(missing.size()) + " (" + Join(missing) + ")");
  }
  if (!unknown.empty()) {
    AddPart(got, "holding " + std::to_string(unknown.size()) + " unknown (" + Join(unknown) + ")");
  }
  if (!misshapen.empty()) {
    AddPart(got, "holding " + std::to_string(misshapen.size()) + " of wrong shape (" +
                     Join(misshapen) + ")");
  }
  if (got.empty()) return;
  throw InputError({.where = where,
                    .got = got,
                    .expected = "the " + std::to_string(expected.size()) +
                                " weights of the configured architecture",
                    .fix = "use the weight file that belongs to this configuration"});
}

void CheckFinite(const WeightMap& weights, const std::string& where) {
  std::vector<std::string> broken;
  for (const auto& [name, weight] : weights) {
    if (!HasOnlyFinite(weight)) broken.push_back(name);
  }
  if (broken.empty()) return;
  throw InputError({.where = where,
                    .got = "holding NaN or Inf in " + Join(broken),
                    .expected = "finite weights",
                    .fix = "the training that wrote it diverged or the file is damaged"});
}

WeightMap ConvertWeights(const WeightMap& weights, at::ScalarType dtype, c10::Device device) {
  WeightMap converted;
  std::vector<std::string> overflowed;
  for (const auto& [name, weight] : weights) {
    if (!weight.is_floating_point()) {
      converted[name] = weight.to(device);
      continue;
    }
    converted[name] = weight.to(device, dtype);
    const bool narrows = static_cast<int64_t>(c10::elementSize(dtype)) < weight.element_size();
    if (narrows && HasOnlyFinite(weight) && !HasOnlyFinite(converted[name])) {
      overflowed.push_back(name);
    }
  }
  if (overflowed.empty()) return converted;
  throw InputError({.where = "weights",
                    .got = "too large for the storage type in " + Join(overflowed),
                    .expected = "values that it can hold",
                    .fix = "store them as float32"});
}

ShapeMap ShapesOf(const WeightMap& weights) {
  ShapeMap shapes;
  for (const auto& [name, weight] : weights) shapes[name] = weight.sizes().vec();
  return shapes;
}

Fingerprinter::Fingerprinter() : state_(StableHash("aim weights")) {}

void Fingerprinter::Add(const std::string& name, const at::Tensor& weight) {
  const std::string head =
      name + " " + c10::toString(weight.scalar_type()) + " " + ShapeText(weight.sizes());
  state_ = StableHash(head, state_);
  const at::Tensor bytes = weight.detach().cpu().contiguous();
  state_ = HashBytes(bytes.const_data_ptr(), bytes.nbytes(), state_);
}

std::string Fingerprinter::Text() const { return HexText(StableHash("end", state_)); }

std::string Fingerprint(const WeightMap& weights) {
  Fingerprinter print;
  for (const auto& [name, weight] : weights) print.Add(name, weight);
  return print.Text();
}

}  // namespace aim
