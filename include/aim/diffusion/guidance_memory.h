// Whether both branches of guidance fit into memory as one batch.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <cstdint>

#include "aim/model/dit_options.h"
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

// kBatched if `added_bytes` are at most 4/5 of what is free (the estimate is rough, and allocators
// round and fragment), else kSequential.
GuidanceMode FittingGuidanceMode(int64_t added_bytes, int64_t free_bytes);

// Bytes that can still be allocated: on the CPU AvailableMemoryBytes of base/memory.h; elsewhere
// what the device has free, and what PyTorch's allocator keeps of it unused.
int64_t FreeMemoryBytes(c10::Device device);

}  // namespace aim
