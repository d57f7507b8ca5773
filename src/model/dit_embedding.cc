#include "model/dit_embedding.h"

#include <ATen/ATen.h>

#include <cstring>
#include <unordered_map>

namespace aim {

at::Tensor TimeSinusoid(const at::Tensor& timestep, int64_t width) {
  const int64_t half = width / 2;
  const at::Tensor frequency =
      at::pow(10000.0,
              at::arange(half, timestep.options().dtype(at::kDouble)) / -static_cast<double>(half));
  const at::Tensor angle = timestep.to(at::kDouble).unsqueeze(-1) * frequency;
  return at::cat({angle.cos(), angle.sin()}, -1);
}

DistinctTimesteps FindDistinct(const at::Tensor& timestep) {
  const at::Tensor all = timestep.to(at::kCPU, at::kFloat).contiguous();
  const int64_t batch = all.size(0), given = all.size(1);
  const float* data = all.const_data_ptr<float>();
  DistinctTimesteps distinct;
  std::unordered_map<uint32_t, int64_t> seen;
  std::vector<int64_t> index;
  for (int64_t i = 0; i < batch * given; ++i) {
    uint32_t bits;
    std::memcpy(&bits, data + i, sizeof(bits));
    const auto [entry, is_new] = seen.emplace(bits, static_cast<int64_t>(seen.size()));
    if (is_new) distinct.values.push_back(data[i]);
    index.push_back(entry->second);
  }
  const auto runs_agree = [&](int64_t groups) {
    const int64_t run = given / groups;
    for (int64_t i = 0; i < batch * given; ++i) {
      if (index[static_cast<size_t>(i)] != index[static_cast<size_t>(i / run * run)]) return false;
    }
    return true;
  };
  while (given % distinct.groups != 0 || !runs_agree(distinct.groups)) ++distinct.groups;
  for (int64_t i = 0; i < batch * distinct.groups; ++i)
    distinct.index.push_back(index[static_cast<size_t>(i * (given / distinct.groups))]);
  return distinct;
}

at::Tensor AxisAngles(const at::Tensor& positions, int64_t n) {
  const at::Tensor frequency =
      at::pow(10000.0, at::arange(n / 2, at::kDouble) * (-2.0 / static_cast<double>(n)));
  return positions.to(at::kDouble).unsqueeze(1) * frequency.unsqueeze(0);
}

at::Tensor RopeAngles(const CanvasLayout& layout, int64_t head_dim, int64_t patch) {
  const int64_t frames = static_cast<int64_t>(layout.frame_positions.size());
  const int64_t rows = layout.height / patch;
  const int64_t columns = layout.width / patch;
  const int64_t space = 2 * (head_dim / 6);
  const int64_t time = head_dim - 2 * space;
  const at::Tensor f =
      AxisAngles(at::tensor(layout.frame_positions), time).view({frames, 1, 1, -1});
  const at::Tensor r = AxisAngles(at::arange(rows), space).view({1, rows, 1, -1});
  const at::Tensor c = AxisAngles(at::arange(columns), space).view({1, 1, columns, -1});
  return at::cat({f.expand({frames, rows, columns, time / 2}),
                  r.expand({frames, rows, columns, space / 2}),
                  c.expand({frames, rows, columns, space / 2})},
                 -1)
      .reshape({frames * rows * columns, head_dim / 2});
}

at::Tensor Patchify(const at::Tensor& latents, int64_t patch) {
  const int64_t b = latents.size(0), c = latents.size(1), f = latents.size(2);
  const int64_t rows = latents.size(3) / patch, columns = latents.size(4) / patch;
  return latents.reshape({b, c, f, rows, patch, columns, patch})
      .permute({0, 2, 3, 5, 1, 4, 6})
      .reshape({b, f * rows * columns, c * patch * patch});
}

at::Tensor Unpatchify(const at::Tensor& tokens, const CanvasLayout& layout, int64_t channels,
                      int64_t patch) {
  const int64_t b = tokens.size(0);
  const int64_t f = static_cast<int64_t>(layout.frame_positions.size());
  const int64_t rows = layout.height / patch, columns = layout.width / patch;
  return tokens.view({b, f, rows, columns, patch, patch, channels})
      .permute({0, 6, 1, 2, 4, 3, 5})
      .reshape({b, channels, f, layout.height, layout.width});
}

int64_t TokensPerFrame(const DitOptions& options, const CanvasLayout& layout) {
  return (layout.height / options.patch) * (layout.width / options.patch);
}

}  // namespace aim
