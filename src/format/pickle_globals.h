// The names that a pickle may ask for, and what they stand for.
#pragma once

#include <string>

namespace aim {

enum class PickleGlobal {
  kForbidden,
  kOrderedDict,
  kRebuildTensor,
  kRebuildUntypedTensor,  // its type stands beside the storage
  kRebuildParameter,
  kStorageType,
  kNumpy,  // format/pickle_numpy.h
  kClass,  // of plain objects: a name and a state
  kOpaque
};

// `name` is "module.name".
PickleGlobal ClassifyGlobal(const std::string& name);

// Why a forbidden name that torch itself writes is not read, as a fix for the user; for any other
// name the advice that holds for all.
std::string AdviceOnGlobal(const std::string& name);

}  // namespace aim
