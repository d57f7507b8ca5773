// What torch.save has written since version 1.6: a ZIP archive of one pickle and raw storages.
// docs/reference/wan22.md 7.2.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "aim/format/mapped_file.h"
#include "aim/format/zip_archive.h"
#include "aim/tensor/weights.h"
#include "tensor/mapped_tensor.h"

namespace aim {

// A tensor of the file: which record holds its storage, and where it lies there.
struct TorchZipTensor {
  ZipRecord record;
  TensorLayout layout;
};

// One state dict of the file.
struct TorchZipWeights {
  std::map<std::string, TorchZipTensor> tensors = {};
  std::string key = {};  // where it stands in the object: "model"; empty if it is the object
  std::vector<std::string> other_keys = {};  // of others that hold at least half as many tensors
};

// The tensors of a state dict, by name: of the one that `key` names ("ema", "ema.state_dict" below
// another dict), if there is one; else the object itself, or the first under a usual name (model,
// state_dict, generator, ..., ema last; the list is in torch_zip.cc) that holds more tensors than
// the object does, or the only one there is. Optimizers are no candidates, and values that are no
// tensors are skipped. Checks the CRC of the pickle; reads no storage. Throws FormatError naming
// `file` and record or tensor for broken archives and pickles, for tensors that leave their storage
// or repeat its numbers to more than 2^26 in all, for storages that leave their record, and for
// several state dicts of which none has a usual name.
TorchZipWeights ParseTorchZip(std::span<const std::byte> bytes, const std::string& file,
                              const std::string& key = "");

// The same tensors as views of the mapping of the file called `name`.
WeightMap MapTensors(const TorchZipWeights& weights, const std::shared_ptr<const MappedFile>& file,
                     const std::string& name);

}  // namespace aim
