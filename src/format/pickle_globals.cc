#include "format/pickle_globals.h"

#include <algorithm>
#include <span>
#include <string_view>

namespace aim {
namespace {

constexpr std::string_view kStorages[] = {
    "torch.FloatStorage",          "torch.DoubleStorage",        "torch.HalfStorage",
    "torch.BFloat16Storage",       "torch.LongStorage",          "torch.IntStorage",
    "torch.ShortStorage",          "torch.CharStorage",          "torch.ByteStorage",
    "torch.BoolStorage",           "torch.Float8_e4m3fnStorage", "torch.Float8_e5m2Storage",
    "torch.ComplexFloatStorage",   "torch.ComplexDoubleStorage", "torch.UntypedStorage",
    "torch.storage.UntypedStorage"};

// Data beside the tensors of a training checkpoint. Reading one only consumes its arguments.
constexpr std::string_view kOpaque[] = {"torch.Size",
                                        "torch.device",
                                        "torch.torch_version.TorchVersion",
                                        "torch.serialization._get_layout",
                                        "torch.contiguous_format",
                                        "torch.preserve_format",
                                        "torch.channels_last",
                                        "torch.channels_last_3d",
                                        "collections.defaultdict",
                                        "collections.Counter",
                                        "collections.deque",
                                        "datetime.datetime",
                                        "datetime.timedelta",
                                        "builtins.complex",
                                        "builtins.bytearray",
                                        "builtins.range",
                                        "builtins.slice",
                                        "builtins.dict",
                                        "builtins.list",
                                        "builtins.set",
                                        "builtins.frozenset",
                                        "__builtin__.dict",
                                        "__builtin__.list",
                                        "__builtin__.set",
                                        "__builtin__.frozenset",
                                        "argparse.Namespace",
                                        "pathlib.PosixPath",
                                        "pathlib.PurePosixPath",
                                        "pathlib.WindowsPath",
                                        "pathlib._local.PosixPath",
                                        "pathlib._local.WindowsPath"};

constexpr std::string_view kNumpy[] = {"_codecs.encode",
                                       "numpy.dtype",
                                       "numpy.ndarray",
                                       "numpy.core.multiarray._reconstruct",
                                       "numpy._core.multiarray._reconstruct",
                                       "numpy.core.numeric._frombuffer",
                                       "numpy._core.numeric._frombuffer",
                                       "numpy.core.multiarray.scalar",
                                       "numpy._core.multiarray.scalar"};

constexpr std::string_view kClasses[] = {"rlbench.demo.Demo",
                                         "rlbench.backend.observation.Observation"};

bool IsIn(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// "torch.uint8", "torch.float8_e4m3fn": one of these words and then a number of bits. Names of
// types only, whichever torch has.
bool IsTorchDtype(std::string_view name) {
  if (!name.starts_with("torch.")) return false;
  name.remove_prefix(6);
  if (name == "bool") return true;
  const size_t number = name.find_first_of("0123456789");
  if (number == std::string_view::npos) return false;
  constexpr std::string_view kWords[] = {"float", "bfloat", "int",  "uint",
                                         "qint",  "quint",  "bits", "complex"};
  return IsIn(kWords, name.substr(0, number)) &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

}  // namespace

PickleGlobal ClassifyGlobal(const std::string& name) {
  if (name == "collections.OrderedDict") return PickleGlobal::kOrderedDict;
  if (name == "torch._utils._rebuild_tensor_v2") return PickleGlobal::kRebuildTensor;
  if (name == "torch._utils._rebuild_tensor_v3") return PickleGlobal::kRebuildUntypedTensor;
  if (name == "torch._utils._rebuild_parameter" ||
      name == "torch._utils._rebuild_parameter_with_state") {
    return PickleGlobal::kRebuildParameter;
  }
  if (IsTorchDtype(name)) return PickleGlobal::kOpaque;
  if (IsIn(kStorages, name)) return PickleGlobal::kStorageType;
  if (IsIn(kNumpy, name)) return PickleGlobal::kNumpy;
  if (IsIn(kClasses, name)) return PickleGlobal::kClass;
  if (IsIn(kOpaque, name)) return PickleGlobal::kOpaque;
  return PickleGlobal::kForbidden;
}

std::string AdviceOnGlobal(const std::string& name) {
  if (name.starts_with("torch._utils._rebuild_") || name == "torch._tensor._rebuild_from_type_v2") {
    return "this kind of torch tensor is not read: save plain tensors, or safetensors";
  }
  return "save the state_dict alone, or as safetensors, on a machine that trusts the file";
}

}  // namespace aim
