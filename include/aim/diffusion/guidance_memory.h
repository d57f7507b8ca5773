// Whether both branches of guidance run as one batch: what memory and device allow and reward.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/DeviceType.h>
#include <c10/core/ScalarType.h>

#include <cstdint>

#include "aim/model/dit.h"
#include "aim/recipe/sampling_options.h"

namespace aim {

// Bytes that a pass of the network takes at its peak beside weights and context, estimated. A token
// (`num_tokens` a sample) holds in the widest part of a block
//
//   6 dim float32                        residual stream before and after, temporaries of a norm
//   max(6 dim, dim + 2 ffn_dim) `dtype`  attention (its input, queries, keys, values, their
//                                        rotation, result) or feed-forward (its input, before and
//                                        behind the activation)
//
// Attention holds no matrix of scores. The peak is linear in the batch: this is also what a second
// batch of the same size adds.
int64_t ForwardBytes(const DitOptions& options, int64_t num_tokens, int64_t batch,
                     c10::ScalarType dtype);

// Bytes of the keys and values that one branch of guidance makes of `num_keys` rows of text.
int64_t TextContextBytes(const DitOptions& options, int64_t num_keys, c10::ScalarType dtype);

// Bytes that the network's weights take where they lie.
int64_t NetworkBytes(const Dit& dit);

// What decides about one batch: a branch of guidance is `num_tokens` rows of `dim` numbers, all
// samples together.
struct GuidanceLoad {
  c10::DeviceType device = c10::kCPU;
  int64_t num_tokens = 0;
  int64_t dim = 0;
  int64_t added_bytes = 0;  // that one batch takes beside what one branch does
  int64_t free_bytes = 0;
};

// Whether one branch alone keeps a GPU busy, so that one batch of both is no faster than one after
// the other: from 8192 tokens of the released width on. On an H100 the matrix products of a block
// take 9 % less time in one batch at 6144 tokens and 8 % more at 11 264 (docs/results.md). Never
// of a CPU, whose products are the faster the more rows they have.
bool FillsDevice(const GuidanceLoad& load);

// kBatched if the device is not filled and `added_bytes` are at most 4/5 of what is free (the
// estimate is rough, and allocators round and fragment), else kSequential.
GuidanceMode FittingGuidanceMode(const GuidanceLoad& load);

// Bytes that can still be allocated: on the CPU AvailableMemoryBytes of base/memory.h; elsewhere
// what the device has free, and what PyTorch's allocator keeps of it unused.
int64_t FreeMemoryBytes(c10::Device device);

// The most that was taken so far: of PyTorch's allocator on a GPU, of this process on a CPU, where
// mapped files count too.
int64_t PeakBytes(c10::Device device);

}  // namespace aim
