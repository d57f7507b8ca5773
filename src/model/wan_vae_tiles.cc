#include "model/wan_vae_tiles.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace aim {
namespace {

struct Span {
  int64_t begin;
  int64_t size;
};

// Spans of `size` that cover [0, length), each overlapping the one before by at least `overlap`.
std::vector<Span> Cover(int64_t length, int64_t size, int64_t overlap) {
  if (size >= length) return {{0, length}};
  std::vector<Span> spans;
  for (int64_t begin = 0;; begin += size - overlap) {
    spans.push_back({std::min(begin, length - size), size});
    if (begin + size >= length) return spans;
  }
}

// Weight of every place of a span along one axis, before they are divided by their sum: falls
// towards edges that are not the picture's.
at::Tensor Ramp(const std::vector<Span>& spans, size_t index, int64_t scale) {
  const Span& span = spans[index];
  at::Tensor weight = at::ones({span.size * scale}, at::kFloat);
  const auto overlap = [&](const Span& a, const Span& b) {
    return (a.begin + a.size - b.begin) * scale;
  };
  if (index > 0) {
    const int64_t width = overlap(spans[index - 1], span);
    const at::Tensor ramp = (at::arange(width, at::kFloat) + 0.5) / static_cast<double>(width);
    weight.narrow(0, 0, width).mul_(ramp);
  }
  if (index + 1 < spans.size()) {
    const int64_t width = overlap(span, spans[index + 1]);
    const at::Tensor ramp = (at::arange(width, at::kFloat) + 0.5) / static_cast<double>(width);
    weight.narrow(0, span.size * scale - width, width).mul_(ramp.flip({0}));
  }
  return weight;
}

}  // namespace

TilePlan::TilePlan(int64_t height, int64_t width, const WanVaeRunOptions& run, int64_t scale)
    : height_(height), width_(width) {
  const int64_t whole = std::max(height, width);
  const int64_t size = run.tile_px == 0 ? whole : std::max<int64_t>(1, run.tile_px / scale);
  const int64_t overlap = std::min(run.overlap_px / scale, size / 2);
  const std::vector<Span> rows = Cover(height, size, overlap);
  const std::vector<Span> columns = Cover(width, size, overlap);
  for (const Span& row : rows) {
    for (const Span& column : columns) {
      tiles_.push_back({row.begin, column.begin, row.size, column.size});
    }
  }
}

at::Tensor TilePlan::Blend(int64_t scale,
                           const std::function<at::Tensor(const PictureTile&)>& make) const {
  if (tiles_.size() == 1) return make(tiles_[0]);
  std::vector<Span> rows;
  std::vector<Span> columns;
  for (const PictureTile& tile : tiles_) {
    if (tile.left == 0) rows.push_back({tile.top, tile.height});
    if (tile.top == 0) columns.push_back({tile.left, tile.width});
  }
  at::Tensor joined;
  at::Tensor total = at::zeros({height_ * scale, width_ * scale}, at::kFloat);
  for (size_t i = 0; i < tiles_.size(); ++i) {
    const PictureTile& tile = tiles_[i];
    const at::Tensor picture = make(tile);
    if (!joined.defined()) {
      std::vector<int64_t> shape = picture.sizes().vec();
      shape[shape.size() - 2] = height_ * scale;
      shape[shape.size() - 1] = width_ * scale;
      joined = at::zeros(shape, picture.options());
      total = total.to(picture.device());
    }
    const at::Tensor weight =
        at::outer(Ramp(rows, i / columns.size(), scale), Ramp(columns, i % columns.size(), scale))
            .to(picture.device());
    const auto part = [&](const at::Tensor& all) {
      return all.narrow(-2, tile.top * scale, tile.height * scale)
          .narrow(-1, tile.left * scale, tile.width * scale);
    };
    part(joined).addcmul_(picture, weight);
    part(total).add_(weight);
  }
  return joined.div_(total);
}

}  // namespace aim
