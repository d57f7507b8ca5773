// Pickles of data, read without executing anything: what torch.save writes (docs/reference/wan22.md
// 7.2), and the recordings of RLBench (docs/reference/formats.md 1.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aim {

// Index of a value in Pickle::values. Values name each other by index: a list may hold itself.
using PickleId = uint32_t;

enum class PickleKind {
  kNone,
  kBool,       // number
  kInt,        // number
  kFloat,      // real
  kText,       // text; also bytes
  kTuple,      // items
  kList,       // items
  kDict,       // items: key, value, key, value, ...; a later key counts
  kGlobal,     // text: "module.name"
  kObject,     // text: "module.name" of its class; items: its state, once that is set
  kStorage,    // text: record key; number: elements; storage_type
  kTensor,     // items: storage; number: offset in elements; shape, strides; of an untyped storage
               // also storage_type: "uint16"
  kArrayType,  // of numpy; storage_type: "<f8"
  kArray,      // of numpy; items: its bytes (none where it is no array of numbers); number: 1 if it
               // is column-major; storage_type: "<f8"; shape
  kOpaque      // an object of no use here
};

struct PickleValue {
  PickleKind kind = PickleKind::kNone;
  int64_t number = 0;
  double real = 0;
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
//                numpy arrays and scalars of versions 1 and 2, RLBench's Demo and Observation
//   kept opaque  what training checkpoints hold beside tensors and is data alone: torch.Size,
//                torch.device, torch dtypes, collections.defaultdict, sets, argparse.Namespace,
//                pathlib paths (the list is in pickle_globals.cc)
// Work and memory are bounded by the number of bytes. Throws FormatError naming `where` (file and
// record) for anything that breaks the format, a forbidden global, a tensor of another layout.
Pickle ParsePickle(std::span<const std::byte> bytes, const std::string& where);

// The value of a key that is text in a dict, or in the state of an object; null if there is none.
const PickleValue* FindInPickle(const Pickle& pickle, const PickleValue& dict,
                                std::string_view key);

// Elements of a number, a list of numbers or an array of floats or integers, in row-major order.
// Throws FormatError naming `where` for anything else, and where shape and bytes contradict each
// other.
std::vector<double> NumbersInPickle(const Pickle& pickle, const PickleValue& value,
                                    const std::string& where);

}  // namespace aim
