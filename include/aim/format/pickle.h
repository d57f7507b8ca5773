// The pickles that torch.save writes, read without executing anything. docs/reference/wan22.md 7.2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace aim {

// Index of a value in Pickle::values. Values name each other by index: a list may hold itself.
using PickleId = uint32_t;

enum class PickleKind {
  kNone,
  kBool,     // number
  kInt,      // number
  kFloat,    // its value is not kept
  kText,     // text; also bytes
  kTuple,    // items
  kList,     // items
  kDict,     // items: key, value, key, value, ...; a later key counts
  kGlobal,   // text: "module.name"
  kStorage,  // text: record key; number: elements; storage_type
  kTensor,   // items: storage; number: offset in elements; shape, strides; of an untyped storage
             // also storage_type: "uint16"
  kOpaque    // an object of no use here
};

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  int64_t number = 0;
  std::string text = {};
  std::string storage_type = {};  // "FloatStorage", "UntypedStorage" (its elements are bytes)
  std::vector<PickleId> items = {};
  std::vector<int64_t> shape = {};
  std::vector<int64_t> strides = {};
};

struct Pickle {
  std::vector<PickleValue> values;
  PickleId root = 0;

  const PickleValue& operator[](PickleId id) const { return values[id]; }
};

// Reads protocol 2 and the opcodes of 4 and 5 that torch.save may use. Nothing is looked up or
// called: the globals below are names that this reader understands, every other is refused with its
// name.
//   understood   torch.*Storage, torch._utils._rebuild_tensor_v2, _v3 and _rebuild_parameter,
//                collections.OrderedDict
//   kept opaque  what training checkpoints hold beside tensors and is data alone: torch.Size,
//                torch.device, torch dtypes, collections.defaultdict, sets, numpy arrays and
//                scalars, argparse.Namespace, pathlib paths (the list is in pickle_globals.cc)
// Work and memory are bounded by the number of bytes. Throws FormatError naming `where` (file and
// record) for anything that breaks the format, a forbidden global, a tensor of another layout.
Pickle ParsePickle(std::span<const std::byte> bytes, const std::string& where);

}  // namespace aim
