// What the names in a pickle give when they are called: tensors, arrays, scalars. Nothing is: the
// values are made here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "aim/format/pickle.h"

namespace aim {

// A persistent id of torch: ('storage', type, key, location, number of elements).
std::optional<PickleValue> TorchStorage(const Pickle& pickle, const PickleValue& id);

// (storage, offset, shape, strides, requires_grad, hooks[, type][, metadata]). Where the type
// stands beside the storage, `has_type`, it is a torch dtype.
std::optional<PickleValue> TorchTensor(const Pickle& pickle, const std::vector<PickleId>& arguments,
                                       bool has_type);

// What the global `name`, one of numpy's (or Python's, by which numpy writes bytes), gives for
// these values of `pickle`; kOpaque where the result is no plain data.
PickleValue NumpyCall(const Pickle& pickle, const std::string& name,
                      const std::vector<PickleId>& arguments);

// Gives `value`, a kArray or kArrayType of NumpyCall, its state. What is no plain array of numbers
// (objects, records) stays without bytes.
void SetNumpyState(const Pickle& pickle, const PickleValue& state, PickleValue& value);

}  // namespace aim
