// RMS norm over the full width and the rotation of each head's pairs, for one or two tensors.
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>

#include "kernels/rows_cuda.h"
#include "kernels/rows_launch.cuh"

namespace aim::cuda {
namespace {

constexpr size_t kMostTensors = 2;

struct Tables {
  const float* cos = nullptr;  // null: no rotation
  const float* sin = nullptr;
  unsigned tokens = 1;
  int head_dim = 1;
  bool whole_vectors = false;  // no vector of a row lies in two heads
};

// Turns the pairs of a vector of numbers, of a row's `column` on, by the angles of `token`; sign -1
// turns back.
template <class S>
__device__ inline void Turn(const Tables& tables, unsigned token, int column, float sign,
                            float (&x)[S::kVector]) {
  constexpr int kPairs = S::kVector / 2;
  const int64_t row = static_cast<int64_t>(token) * (tables.head_dim / 2);
  float cos[kPairs], sin[kPairs];
  if (tables.whole_vectors) {
    const int64_t first = row + column % tables.head_dim / 2;
    Load<S::kAligned, Use::kShared>(tables.cos + first, cos);
    Load<S::kAligned, Use::kShared>(tables.sin + first, sin);
  } else {
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int64_t pair = row + (column + 2 * i) % tables.head_dim / 2;
      cos[i] = tables.cos[pair];
      sin[i] = tables.sin[pair];
    }
  }
#pragma unroll
  for (int i = 0; i < kPairs; ++i) {
    const float re = x[2 * i], im = x[2 * i + 1], s = sign * sin[i];
    x[2 * i] = re * cos[i] - im * s;
    x[2 * i + 1] = re * s + im * cos[i];
  }
}

template <class T>
struct RopeForward {
  struct Item {
    const T* x;
    const float* weight;
    T* out;
    float* inv_rms;
  };
  Item items[kMostTensors];  // blockIdx.y chooses
  Tables tables;
  int64_t stride;  // from a row of x to the next
  int width;
  float eps;
};

template <class S, class T>
__global__ void __launch_bounds__(S::kMaxThreads) RopeForwardKernel(const RopeForward<T> a) {
  const typename RopeForward<T>::Item item = blockIdx.y == 0 ? a.items[0] : a.items[1];
  const unsigned row = blockIdx.x;
  float x[S::kSteps][S::kVector];
  ForEachVector<S>(a.width, [&](int step, int column) {
    Load<S::kAligned>(item.x + row * a.stride + column, x[step]);
  });
  float squares[1] = {0.0f};
  ForEachVector<S>(a.width, [&](int step, int) {
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) squares[0] = fmaf(x[step][i], x[step][i], squares[0]);
  });
  BlockSum(squares, 0);
  const float inv_rms = 1.0f / sqrtf(squares[0] / static_cast<float>(a.width) + a.eps);
  if (threadIdx.x == 0) item.inv_rms[row] = inv_rms;
  const unsigned token = row % a.tables.tokens;
  ForEachVector<S>(a.width, [&](int step, int column) {
    float weight[S::kVector];
    Load<S::kAligned, Use::kShared>(item.weight + column, weight);
#pragma unroll
    for (int i = 0; i < S::kVector; ++i) x[step][i] *= inv_rms * weight[i];
    if (a.tables.cos != nullptr) Turn<S>(a.tables, token, column, 1.0f, x[step]);
    Store<S::kAligned>(x[step], item.out + static_cast<int64_t>(row) * a.width + column);
  });
}

template <class T>
struct RopeBackward {
  struct Item {
    const T* d_out;
    const T* x;
    const float* weight;
    const float* inv_rms;
    T* d_x;
    float* d_weight;  // sums of the parts: [parts, D]
  };
  Item items[kMostTensors];
  Tables tables;
  int64_t stride;
  unsigned num_rows, parts;
  int width;
};

template <class S, class T>
__global__ void __launch_bounds__(S::kMaxThreads) RopeBackwardKernel(const RopeBackward<T> a) {
  const typename RopeBackward<T>::Item item = blockIdx.y == 0 ? a.items[0] : a.items[1];
  const RowRange rows = RowsOfPart(a.num_rows, a.parts);
  float d_weight[S::kSteps][S::kVector] = {};
  for (unsigned row = rows.begin; row < rows.end; ++row) {
    const int64_t begin = static_cast<int64_t>(row) * a.width;
    const float inv_rms = item.inv_rms[row];
    const unsigned token = row % a.tables.tokens;
    float x[S::kSteps][S::kVector];  // normalised
    float d[S::kSteps][S::kVector];
    ForEachVector<S>(a.width, [&](int step, int column) {
      Load<S::kAligned>(item.x + row * a.stride + column, x[step]);
      Load<S::kAligned>(item.d_out + begin + column, d[step]);
    });
    float sums[1] = {0.0f};
    ForEachVector<S>(a.width, [&](int step, int column) {
      if (a.tables.cos != nullptr) Turn<S>(a.tables, token, column, -1.0f, d[step]);
      float weight[S::kVector];
      Load<S::kAligned, Use::kShared>(item.weight + column, weight);
#pragma unroll
      for (int i = 0; i < S::kVector; ++i) {
        x[step][i] *= inv_rms;
        d_weight[step][i] = fmaf(d[step][i], x[step][i], d_weight[step][i]);
        d[step][i] *= weight[i];
        sums[0] = fmaf(d[step][i], x[step][i], sums[0]);
      }
    });
    BlockSum(sums, static_cast<int>((row - rows.begin) % 2));
    const float mean = sums[0] / static_cast<float>(a.width);
    ForEachVector<S>(a.width, [&](int step, int column) {
#pragma unroll
      for (int i = 0; i < S::kVector; ++i) d[step][i] = inv_rms * (d[step][i] - x[step][i] * mean);
      Store<S::kAligned>(d[step], item.d_x + begin + column);
    });
  }
  const int64_t part = static_cast<int64_t>(blockIdx.x) * a.width;
  ForEachVector<S>(a.width, [&](int step, int column) {
    Store<S::kAligned>(d_weight[step], item.d_weight + part + column);
  });
}

// Rows that may lie apart, but equally far everywhere.
void CheckStridedRows(const at::Tensor& x, const at::Tensor& like) {
  AIM_CHECK(x.is_cuda() && x.device() == like.device() && x.dim() == 3);
  AIM_CHECK(x.sizes() == like.sizes() && x.strides() == like.strides());
  AIM_CHECK(x.scalar_type() == like.scalar_type());
  AIM_CHECK(x.stride(2) == 1 || x.size(2) == 1);
  AIM_CHECK(x.size(0) == 1 || x.stride(0) == x.size(1) * x.stride(1));
  AIM_CHECK(x.size(0) * x.size(1) < (int64_t{1} << 31));
}

void CheckVector(const at::Tensor& row, const at::Tensor& x) {
  AIM_CHECK(row.device() == x.device() && row.scalar_type() == at::kFloat && row.is_contiguous());
  AIM_CHECK(row.dim() == 1 && row.size(0) == x.size(2));
}

Tables TablesOf(const Rotation& rotation, const at::Tensor& x, int vector) {
  Tables tables;
  if (!rotation.cos.defined()) return tables;
  const int64_t head_dim = x.size(2) / rotation.num_heads;
  for (const at::Tensor& table : {rotation.cos, rotation.sin}) {
    AIM_CHECK(table.device() == x.device() && table.scalar_type() == at::kFloat);
    AIM_CHECK(table.is_contiguous() && table.dim() == 2 && table.size(0) == x.size(1));
    AIM_CHECK(2 * table.size(1) * rotation.num_heads == x.size(2));
  }
  tables.cos = Pointer<float>(rotation.cos);
  tables.sin = Pointer<float>(rotation.sin);
  tables.tokens = static_cast<unsigned>(x.size(1));
  tables.head_dim = static_cast<int>(head_dim);
  tables.whole_vectors = head_dim % vector == 0;
  return tables;
}

template <class T>
std::vector<RopeOutput> RunForward(const std::vector<RopeInput>& inputs, const Rotation& rotation,
                                   double eps) {
  const at::Tensor& x = inputs.front().x;
  constexpr int kVector = kVectorOf<T>;
  RopeForward<T> a{};
  a.tables = TablesOf(rotation, x, kVector);
  a.stride = x.stride(1);
  a.width = static_cast<int>(x.size(2));
  a.eps = static_cast<float>(eps);
  bool aligned = a.stride % kVector == 0 && AreAligned({rotation.cos, rotation.sin});
  std::vector<RopeOutput> outputs;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const RopeInput& input = inputs[i];
    CheckStridedRows(input.x, x);
    CheckVector(input.weight, x);
    const at::Tensor rows = at::empty(x.sizes(), x.options());
    const at::Tensor inv_rms = at::empty({x.size(0) * x.size(1)}, x.options().dtype(at::kFloat));
    outputs.push_back({rows, inv_rms});
    aligned = aligned && AreAligned({input.x, input.weight, rows});
    a.items[i] = {Pointer<T>(input.x), Pointer<float>(input.weight), MutablePointer<T>(rows),
                  MutablePointer<float>(inv_rms)};
  }
  const dim3 grid(static_cast<unsigned>(x.size(0) * x.size(1)),
                  static_cast<unsigned>(inputs.size()));
  ForShape<kVector>(a.width, aligned, [&](auto shape, unsigned threads) {
    Launch(RopeForwardKernel<decltype(shape), T>, grid, threads, a);
  });
  return outputs;
}

template <class T>
std::vector<RopeGradients> RunBackward(const std::vector<RopeBackwardInput>& inputs,
                                       const Rotation& rotation) {
  const at::Tensor& x = inputs.front().x;
  const int64_t width = x.size(2), num_rows = x.size(0) * x.size(1);
  constexpr int kVector = kVectorOf<T>;
  RopeBackward<T> a{};
  a.tables = TablesOf(rotation, x, kVector);
  a.stride = x.stride(1);
  a.num_rows = static_cast<unsigned>(num_rows);
  a.parts = PartsOf(1, num_rows, width);
  a.width = static_cast<int>(width);
  bool aligned = a.stride % kVector == 0 && AreAligned({rotation.cos, rotation.sin});
  std::vector<RopeGradients> gradients;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const RopeBackwardInput& input = inputs[i];
    CheckStridedRows(input.x, x);
    CheckVector(input.weight, x);
    CheckRows(input.d_rows, x);
    AIM_CHECK(input.d_rows.scalar_type() == x.scalar_type());
    AIM_CHECK(input.inv_rms.scalar_type() == at::kFloat && input.inv_rms.numel() == num_rows);
    const at::Tensor d_x = at::empty(x.sizes(), x.options());
    const at::Tensor d_weight =
        at::empty({static_cast<int64_t>(a.parts), width}, x.options().dtype(at::kFloat));
    gradients.push_back({d_x, d_weight});
    aligned = aligned && AreAligned({input.d_rows, input.x, input.weight, d_x});
    a.items[i] = {Pointer<T>(input.d_rows),     Pointer<T>(input.x),
                  Pointer<float>(input.weight), Pointer<float>(input.inv_rms),
                  MutablePointer<T>(d_x),       MutablePointer<float>(d_weight)};
  }
  const dim3 grid(a.parts, static_cast<unsigned>(inputs.size()));
  ForShape<kVector>(width, aligned, [&](auto shape, unsigned threads) {
    Launch(RopeBackwardKernel<decltype(shape), T>, grid, threads, a);
  });
  for (RopeGradients& gradient : gradients) gradient.d_weight = gradient.d_weight.sum(0);
  return gradients;
}

}  // namespace

std::vector<RopeOutput> NormRope(const std::vector<RopeInput>& inputs, const Rotation& rotation,
                                 double eps) {
  AIM_CHECK(!inputs.empty() && inputs.size() <= kMostTensors);
  const c10::cuda::CUDAGuard guard(inputs.front().x.device());
  std::vector<RopeOutput> outputs;
  ForType(inputs.front().x.scalar_type(), [&](auto type) {
    outputs = RunForward<typename decltype(type)::Type>(inputs, rotation, eps);
  });
  return outputs;
}

std::vector<RopeGradients> NormRopeBackward(const std::vector<RopeBackwardInput>& inputs,
                                            const Rotation& rotation) {
  AIM_CHECK(!inputs.empty() && inputs.size() <= kMostTensors);
  const c10::cuda::CUDAGuard guard(inputs.front().x.device());
  std::vector<RopeGradients> gradients;
  ForType(inputs.front().x.scalar_type(), [&](auto type) {
    gradients = RunBackward<typename decltype(type)::Type>(inputs, rotation);
  });
  return gradients;
}

}  // namespace aim::cuda
