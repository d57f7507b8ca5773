#include "kernels/attention_cpu.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "kernels/attention_loops.h"

namespace aim {
namespace {

bool NeedsGradient(const at::Tensor& x) { return c10::GradMode::is_enabled() && x.requires_grad(); }

bool FitsLoops(const at::Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.stride(3) == 1 && x.numel() > 0 &&
         !NeedsGradient(x);
}

constexpr int64_t kProductsWorthAThread = 1 << 19;

// As few runs of queries as keep all threads busy.
int64_t LengthOfRun(int64_t num_queries, int64_t num_heads) {
  const int64_t wanted_runs = 4 * at::get_num_threads();
  const int64_t runs = std::max<int64_t>(1, (wanted_runs + num_heads - 1) / num_heads);
  const int64_t tiles = (num_queries + rows::kAttentionTile - 1) / rows::kAttentionTile;
  return std::min(rows::kAttentionRows, (tiles + runs - 1) / runs * rows::kAttentionTile);
}

rows::AttentionHead HeadOf(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           int64_t sample, int64_t head) {
  const auto start = [&](const at::Tensor& x) {
    return x.const_data_ptr<float>() + sample * x.stride(0) + head * x.stride(1);
  };
  rows::AttentionHead found{};
  found.query = start(query);
  found.key = start(key);
  found.value = start(value);
  found.query_stride = query.stride(2);
  found.key_stride = key.stride(2);
  found.value_stride = value.stride(2);
  found.num_keys = key.size(2);
  found.head_dim = key.size(3);
  return found;
}

}  // namespace

bool AttendCpuFits(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value) {
  return FitsLoops(query) && FitsLoops(key) && FitsLoops(value) &&
         rows::AttentionWidthFits(query.size(3)) && rows::HasAttentionKernel();
}

at::Tensor AttendCpu(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                     const at::Tensor& key_bias) {
  const int64_t heads = query.size(1), num_queries = query.size(2), width = query.size(3);
  const at::Tensor out = at::empty({query.size(0), num_queries, heads * width}, query.options());
  const at::Tensor bias = key_bias.defined() ? key_bias.contiguous() : key_bias;
  float* results = out.data_ptr<float>();
  const int64_t run_length = LengthOfRun(num_queries, query.size(0) * heads);
  const int64_t runs = (num_queries + run_length - 1) / run_length;
  const int64_t products_of_run = run_length * key.size(2) * width;
  const int64_t grain = std::max<int64_t>(1, kProductsWorthAThread / (products_of_run + 1));
  at::parallel_for(0, query.size(0) * heads * runs, grain, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t sample = item / runs / heads, index = item / runs % heads;
      rows::AttentionHead head = HeadOf(query, key, value, sample, index);
      if (bias.defined()) head.key_bias = bias.const_data_ptr<float>() + sample * key.size(2);
      head.out = results + sample * num_queries * heads * width + index * width;
      head.out_stride = heads * width;
      const int64_t first = item % runs * run_length;
      rows::AttendRows(head, first, std::min(run_length, num_queries - first));
    }
  });
  return out;
}

}  // namespace aim
