#include "format/pickle_globals.h"

#include <algorithm>
#include <string_view>

namespace aim {
namespace {

constexpr std::string_view kStorages[] = {
    "torch.FloatStorage",    "torch.DoubleStorage",        "torch.HalfStorage",
    "torch.BFloat16Storage", "torch.LongStorage",          "torch.IntStorage",
    "torch.ShortStorage",    "torch.CharStorage",          "torch.ByteStorage",
    "torch.BoolStorage",     "torch.Float8_e4m3fnStorage", "torch.Float8_e5m2Storage"};

// Data beside the tensors of a training checkpoint. Reading one only consumes its arguments.
constexpr std::string_view kOpaque[] = {"torch.Size",
                                        "torch.device",
                                        "torch.float32",
                                        "torch.float64",
                                        "torch.float16",
                                        "torch.bfloat16",
                                        "torch.int64",
                                        "torch.int32",
                                        "torch.bool",
                                        "collections.defaultdict",
                                        "builtins.dict",
                                        "builtins.list",
                                        "builtins.set",
                                        "builtins.frozenset",
                                        "__builtin__.dict",
                                        "__builtin__.list",
                                        "__builtin__.set",
                                        "__builtin__.frozenset",
                                        "_codecs.encode",
                                        "numpy.dtype",
                                        "numpy.core.multiarray.scalar",
                                        "numpy._core.multiarray.scalar",
                                        "argparse.Namespace",
                                        "pathlib.PosixPath",
                                        "pathlib.WindowsPath"};

}  // namespace

PickleGlobal ClassifyGlobal(const std::string& name) {
  if (name == "collections.OrderedDict") return PickleGlobal::kOrderedDict;
  if (name == "torch._utils._rebuild_tensor_v2") return PickleGlobal::kRebuildTensor;
  if (name == "torch._utils._rebuild_parameter") return PickleGlobal::kRebuildParameter;
  if (std::ranges::find(kStorages, name) != std::end(kStorages)) return PickleGlobal::kStorageType;
  if (std::ranges::find(kOpaque, name) != std::end(kOpaque)) return PickleGlobal::kOpaque;
  return PickleGlobal::kForbidden;
}

std::string AdviceOnGlobal(const std::string& name) {
  if (name == "torch._utils._rebuild_tensor_v3" || name == "torch._tensor._rebuild_from_type_v2") {
    return "this kind of torch tensor is not read: save plain tensors, or safetensors";
  }
  return "save the state_dict alone, or as safetensors, on a machine that trusts the file";
}

}  // namespace aim
