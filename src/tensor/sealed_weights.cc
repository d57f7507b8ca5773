#include "aim/tensor/sealed_weights.h"

#include <utility>

#include "aim/base/error.h"
#include "aim/tensor/weights.h"

namespace aim {
namespace {

constexpr const char* kSeal = "fingerprint";

}  // namespace

void WriteSealed(const std::filesystem::path& path, const WeightMap& weights, Metadata metadata) {
  metadata[kSeal] = Fingerprint(weights);
  WriteSafetensors(path, weights, metadata);
}

void StreamSealed(const std::filesystem::path& path,
                  const std::map<std::string, TensorInfo>& tensors,
                  const std::function<at::Tensor(const std::string&)>& load,
                  const std::string& fingerprint) {
  StreamSafetensors(path, tensors, load, {{kSeal, fingerprint}});
}

SafetensorsFile OpenSealed(const std::filesystem::path& path) {
  SafetensorsFile file = OpenSafetensors(path);
  const auto seal = file.metadata.find(kSeal);
  if (seal == file.metadata.end()) return file;
  const std::string found = Fingerprint(file.tensors);
  if (found == seal->second) return file;
  throw FormatError({.where = path.string(),
                     .got = "damaged (fingerprint " + found + ")",
                     .expected = "the tensors that were written (" + seal->second + ")",
                     .fix = ""});
}

}  // namespace aim
