// What torch.save has written since version 1.6: a ZIP archive of one pickle and raw storages.
// docs/reference/wan22.md 7.2.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>

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

// The tensors of the state dict, by name. The dict is the whole object, or what stands under
// state_dict, module, model or model_state (the first of these that is a dict) where the object
// itself holds no tensors; other values beside the tensors are skipped. Checks the CRC of the
// pickle; reads no storage. Throws FormatError naming `file` and record or tensor for broken
// archives and pickles, and tensors that leave their storage or storages that leave their record.
std::map<std::string, TorchZipTensor> ParseTorchZip(std::span<const std::byte> bytes,
                                                    const std::string& file);

// The same as tensors that view the mapping; `name` is the file's, for messages.
WeightMap MapTorchZip(const std::shared_ptr<const MappedFile>& file, const std::string& name);

}  // namespace aim
