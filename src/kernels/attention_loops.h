// The inner loops of attention in float32, compiled for the widest vectors they pay for.
#pragma once

#include <cstdint>

namespace aim::rows {

// One head of one sample. Rows are `*_stride` floats apart; a row's `head_dim` floats are adjacent.
struct AttentionHead {
  const float* query;
  const float* key;
  const float* value;
  const float* key_bias;  // [num_keys], added to the scores; null for none
  float* out;
  int64_t query_stride;
  int64_t key_stride;
  int64_t value_stride;
  int64_t out_stride;
  int64_t num_keys;
  int64_t head_dim;
};

// Queries that AttendRows takes at once, and the widths it knows.
inline constexpr int64_t kAttentionRows = 384;
inline constexpr int64_t kAttentionTile = 48;
inline bool AttentionWidthFits(int64_t head_dim) { return head_dim % 8 == 0 && head_dim <= 128; }

// Whether this processor has the instructions.
bool HasAttentionKernel();

// out[q] = sum_k softmax_k(query[q] key[k] / sqrt(head_dim) + key_bias[k]) value[k] for
// `num_queries` <= kAttentionRows queries from `first_query` on, a multiple of kAttentionTile.
// Where the runs of queries begin changes no bit. A bias may be -infinity, but not of all first 128
// keys.
void AttendRows(const AttentionHead& head, int64_t first_query, int64_t num_queries);

}  // namespace aim::rows
