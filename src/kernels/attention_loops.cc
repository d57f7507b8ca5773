#include "kernels/attention_loops.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#if defined(__x86_64__)
#include <immintrin.h>
#define AIM_ATTENTION_TARGET __attribute__((target("avx512f")))
#endif

// Queries lie along the vectors, so that no sum crosses lanes: a tile of 48 queries is kept
// transposed, scores S^T = K Q^T and results O^T = V^T P^T are both products of a matrix whose
// elements are broadcast with one whose rows are three vectors. Softmax is the running one over
// blocks of keys (Milakov and Gimelshein 2018; FlashAttention, arXiv 2205.14135), in powers of two.

namespace aim::rows {

#if defined(__x86_64__)
namespace {

constexpr int64_t kLanes = 16;
constexpr int64_t kTile = kAttentionTile;
constexpr int64_t kVectors = kTile / kLanes;
constexpr int64_t kTiles = kAttentionRows / kTile;
constexpr int64_t kRows = 8;    // broadcast elements a step: 24 sums of 16 stay in registers
constexpr int64_t kKeys = 128;  // keys of a block
constexpr int64_t kMaxWidth = 128;
constexpr float kLog2E = 1.44269504f;

struct alignas(64) Workspace {
  float query[kTiles][kMaxWidth * kTile];  // [head_dim, tile], scaled
  float out[kTiles][kMaxWidth * kTile];
  float largest[kTiles][kTile];
  float total[kTiles][kTile];
  float key[kKeys * kMaxWidth];    // [key, head_dim]
  float value[kKeys * kMaxWidth];  // [head_dim / 8, key, 8]
  float bias[kKeys];
  float score[kKeys * kTile];  // [key, tile]
};

// c[i, :] (+)= sum_k a[i * row + k * step] b[k, :] for kRows rows i; b and c have rows of kTile.
struct Product {
  const float* a;
  int64_t row;
  int64_t step;
  const float* b;
  int64_t depth;
  float* c;
};

template <bool kAccumulate>
AIM_ATTENTION_TARGET inline void Multiply(const Product& p) {
  __m512 sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v)
      sum[i][v] = kAccumulate ? _mm512_load_ps(p.c + i * kTile + v * kLanes) : _mm512_setzero_ps();
  }
  const float* a = p.a;
  const float* b = p.b;
  for (int64_t k = 0; k < p.depth; ++k, a += p.step, b += kTile) {
    const __m512 b0 = _mm512_load_ps(b);
    const __m512 b1 = _mm512_load_ps(b + kLanes);
    const __m512 b2 = _mm512_load_ps(b + 2 * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const __m512 element = _mm512_set1_ps(a[i * p.row]);
      sum[i][0] = _mm512_fmadd_ps(element, b0, sum[i][0]);
      sum[i][1] = _mm512_fmadd_ps(element, b1, sum[i][1]);
      sum[i][2] = _mm512_fmadd_ps(element, b2, sum[i][2]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 3
    for (int v = 0; v < kVectors; ++v) _mm512_store_ps(p.c + i * kTile + v * kLanes, sum[i][v]);
  }
}

// 2^x for x <= 0, to 1e-7 of it; 2^-126 below -126, so that nothing is denormal, and nothing beside
// a sum of 1 or more. A polynomial on [-1/2, 1/2], smallest largest relative error (Remez).
AIM_ATTENTION_TARGET inline __m512 PowerOfTwo(__m512 x) {
  x = _mm512_max_ps(_mm512_set1_ps(-126.0f), x);  // the second operand if x is NaN
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(x, whole);
  __m512 power = _mm512_set1_ps(1.3276472e-3f);
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(9.6755413e-3f));
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(5.5507133e-2f));
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(2.4022120e-1f));
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(6.9314697e-1f));
  power = _mm512_fmadd_ps(power, rest, _mm512_set1_ps(1.0000001f));
  return _mm512_scalef_ps(power, whole);
}

// Scores become weights 2^(score - largest); what was summed under a smaller maximum is scaled
// down.
AIM_ATTENTION_TARGET void WeighScores(Workspace& work, int64_t tile, int64_t width,
                                      int64_t num_keys) {
  for (int64_t v = 0; v < kTile; v += kLanes) {
    float* score = work.score + v;
    const __m512 before = _mm512_load_ps(work.largest[tile] + v);
    __m512 largest[2] = {before, before};
    for (int64_t key = 0; key < num_keys; key += 2) {
      largest[0] = _mm512_max_ps(largest[0], _mm512_load_ps(score + key * kTile));
      largest[1] = _mm512_max_ps(largest[1], _mm512_load_ps(score + (key + 1) * kTile));
    }
    const __m512 top = _mm512_max_ps(largest[0], largest[1]);
    __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                      _mm512_setzero_ps()};
    for (int64_t key = 0; key < num_keys; key += 4) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) {
        float* at = score + (key + i) * kTile;
        const __m512 weight = PowerOfTwo(_mm512_sub_ps(_mm512_load_ps(at), top));
        sums[i] = _mm512_add_ps(sums[i], weight);
        _mm512_store_ps(at, weight);
      }
    }
    const __m512 sum =
        _mm512_add_ps(_mm512_add_ps(sums[0], sums[1]), _mm512_add_ps(sums[2], sums[3]));
    const __m512 total = _mm512_load_ps(work.total[tile] + v);
    if (_mm512_cmp_ps_mask(top, before, _CMP_NEQ_UQ) == 0) {
      _mm512_store_ps(work.total[tile] + v, _mm512_add_ps(total, sum));
      continue;
    }
    const __m512 factor = PowerOfTwo(_mm512_sub_ps(before, top));
    _mm512_store_ps(work.largest[tile] + v, top);
    _mm512_store_ps(work.total[tile] + v, _mm512_fmadd_ps(total, factor, sum));
    for (int64_t d = 0; d < width; ++d) {
      float* at = work.out[tile] + d * kTile + v;
      _mm512_store_ps(at, _mm512_mul_ps(_mm512_load_ps(at), factor));
    }
  }
}

// The block's keys and values, next to each other. Returns their number, filled up to a multiple of
// kRows with keys that get no weight.
AIM_ATTENTION_TARGET int64_t LoadBlock(const AttentionHead& head, int64_t first_key,
                                       Workspace& work) {
  const int64_t width = head.head_dim;
  const int64_t count = std::min(kKeys, head.num_keys - first_key);
  const int64_t filled = (count + kRows - 1) / kRows * kRows;
  for (int64_t key = 0; key < count; ++key) {
    const float* own = head.key + (first_key + key) * head.key_stride;
    const float* value = head.value + (first_key + key) * head.value_stride;
    for (int64_t d = 0; d < width; d += kRows) {
      std::memcpy(work.key + key * width + d, own + d, kRows * sizeof(float));
      std::memcpy(work.value + d * kKeys + key * kRows, value + d, kRows * sizeof(float));
    }
    work.bias[key] = head.key_bias ? head.key_bias[first_key + key] * kLog2E : 0.0f;
  }
  for (int64_t key = count; key < filled; ++key) {
    for (int64_t d = 0; d < width; d += kRows) {
      std::fill_n(work.key + key * width + d, kRows, 0.0f);
      std::fill_n(work.value + d * kKeys + key * kRows, kRows, 0.0f);
    }
    work.bias[key] = -std::numeric_limits<float>::infinity();
  }
  return filled;
}

AIM_ATTENTION_TARGET void AddBias(Workspace& work, int64_t num_keys) {
  for (int64_t key = 0; key < num_keys; ++key) {
    const __m512 bias = _mm512_set1_ps(work.bias[key]);
    for (int64_t v = 0; v < kTile; v += kLanes) {
      float* at = work.score + key * kTile + v;
      _mm512_store_ps(at, _mm512_add_ps(_mm512_load_ps(at), bias));
    }
  }
}

AIM_ATTENTION_TARGET void AttendBlock(Workspace& work, int64_t tile, int64_t width,
                                      int64_t num_keys, bool has_bias) {
  for (int64_t key = 0; key < num_keys; key += kRows) {
    Multiply<false>(
        {work.key + key * width, width, 1, work.query[tile], width, work.score + key * kTile});
  }
  if (has_bias) AddBias(work, num_keys);
  WeighScores(work, tile, width, num_keys);
  for (int64_t d = 0; d < width; d += kRows) {
    Multiply<true>(
        {work.value + d * kKeys, 1, kRows, work.score, num_keys, work.out[tile] + d * kTile});
  }
}

// Starts the running sums of the tiles that hold the queries.
void StartTiles(int64_t num_tiles, int64_t width, Workspace& work) {
  for (int64_t tile = 0; tile < num_tiles; ++tile) {
    std::fill_n(work.query[tile], width * kTile, 0.0f);
    std::fill_n(work.out[tile], width * kTile, 0.0f);
    std::fill_n(work.total[tile], kTile, 0.0f);
    std::fill_n(work.largest[tile], kTile, -std::numeric_limits<float>::infinity());
  }
}

// Transposes go by patches of kLanes queries and kRows elements, which stay in the cache.
AIM_ATTENTION_TARGET void LoadQueries(const AttentionHead& head, int64_t first, int64_t num_queries,
                                      Workspace& work) {
  const float scale = kLog2E / std::sqrt(static_cast<float>(head.head_dim));
  for (int64_t i = 0; i < num_queries; i += kLanes) {
    const int64_t count = std::min(kLanes, num_queries - i);
    for (int64_t d = 0; d < head.head_dim; d += kRows) {
      float* to = work.query[i / kTile] + d * kTile + i % kTile;
      for (int64_t lane = 0; lane < count; ++lane) {
        const float* row = head.query + (first + i + lane) * head.query_stride + d;
        for (int64_t k = 0; k < kRows; ++k) to[k * kTile + lane] = row[k] * scale;
      }
    }
  }
}

AIM_ATTENTION_TARGET void StoreRows(const AttentionHead& head, int64_t first, int64_t num_queries,
                                    const Workspace& work) {
  for (int64_t i = 0; i < num_queries; i += kLanes) {
    const int64_t count = std::min(kLanes, num_queries - i);
    const float* total = work.total[i / kTile] + i % kTile;
    for (int64_t d = 0; d < head.head_dim; d += kRows) {
      const float* from = work.out[i / kTile] + d * kTile + i % kTile;
      for (int64_t lane = 0; lane < count; ++lane) {
        float* row = head.out + (first + i + lane) * head.out_stride + d;
        for (int64_t k = 0; k < kRows; ++k) row[k] = from[k * kTile + lane] / total[lane];
      }
    }
  }
}

}  // namespace

bool HasAttentionKernel() { return __builtin_cpu_supports("avx512f"); }

void AttendRows(const AttentionHead& head, int64_t first_query, int64_t num_queries) {
  thread_local const std::unique_ptr<Workspace> kept = std::make_unique<Workspace>();
  Workspace& work = *kept;
  const int64_t num_tiles = (num_queries + kTile - 1) / kTile;
  StartTiles(num_tiles, head.head_dim, work);
  LoadQueries(head, first_query, num_queries, work);
  for (int64_t first_key = 0; first_key < head.num_keys; first_key += kKeys) {
    const int64_t num_keys = LoadBlock(head, first_key, work);
    const bool has_bias = head.key_bias != nullptr || head.num_keys - first_key < num_keys;
    for (int64_t tile = 0; tile < num_tiles; ++tile)
      AttendBlock(work, tile, head.head_dim, num_keys, has_bias);
  }
  StoreRows(head, first_query, num_queries, work);
}

#else

bool HasAttentionKernel() { return false; }
void AttendRows(const AttentionHead&, int64_t, int64_t) {}

#endif

}  // namespace aim::rows
