#include "aim/codec/action_image.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>

#include "aim/base/error.h"

// Picks the widest vector unit at run time; the sanitizers cannot run the resolver that does it.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define AIM_WIDE_VECTORS __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define AIM_WIDE_VECTORS
#endif

namespace aim {
namespace {

// Table entries below this are zero: products stay clear of slow subnormal numbers, and the error
// is far below what a float picture can show.
constexpr double kSmallestFactor = 1e-18;

// One axis of a Gaussian: exp(-(i - centre)^2 / (2 sigma^2)) for the indices in [begin, end), zero
// elsewhere.
struct AxisProfile {
  int begin = 0;
  int end = 0;
  std::vector<float> values;  // one an index of the whole axis
};

// Fills from the index nearest the centre outwards. The quotient of neighbours is itself a
// geometric series, so an entry costs two products in double instead of an exponential.
AxisProfile MakeAxisProfile(double centre, double sigma_px, int size) {
  AxisProfile profile;
  profile.values.assign(static_cast<size_t>(size), 0.0f);
  const double rate = 0.5 / (sigma_px * sigma_px);
  const double nearest = std::clamp(std::round(centre), 0.0, size - 1.0);
  const double offset = nearest - centre;
  const double peak = std::exp(-offset * offset * rate);
  const int start = static_cast<int>(nearest);
  profile.begin = profile.end = start;
  if (!(peak >= kSmallestFactor)) return profile;
  const double quotient_step = std::exp(-2.0 * rate);
  double value = peak;
  double quotient = std::exp(-(2.0 * offset + 1.0) * rate);
  for (int i = start; i < size && value >= kSmallestFactor; ++i) {
    profile.values[static_cast<size_t>(i)] = static_cast<float>(value);
    profile.end = i + 1;
    value *= quotient;
    quotient *= quotient_step;
  }
  quotient = std::exp((2.0 * offset - 1.0) * rate);
  value = peak * quotient;
  for (int i = start - 1; i >= 0 && value >= kSmallestFactor; --i) {
    profile.values[static_cast<size_t>(i)] = static_cast<float>(value);
    profile.begin = i;
    quotient *= quotient_step;
    value *= quotient;
  }
  return profile;
}

AIM_WIDE_VECTORS void ScaleInto(const float* factors, float scale, int count, float* out) {
  for (int i = 0; i < count; ++i) out[i] = scale * factors[i];
}

// A whole plane: the outer product of both axes, zeros where an axis has none. Wide stores that
// cross cache lines cost twice, so each row starts with single values up to a line's border.
AIM_WIDE_VECTORS void DrawGaussian(const float* columns, const float* rows, int width, int height,
                                   float* out) {
  constexpr size_t kLineBytes = 64;
  for (int row = 0; row < height; ++row, out += width) {
    const float scale = rows[row];
    const size_t past_bytes = reinterpret_cast<uintptr_t>(out) % kLineBytes;
    const size_t head = (kLineBytes - past_bytes) % kLineBytes / sizeof(float);
    const int start = std::min(width, static_cast<int>(head));
    for (int i = 0; i < start; ++i) out[i] = scale * columns[i];
    if (start == width) continue;
    float* line = std::assume_aligned<kLineBytes>(out + start);
    const float* factors = columns + start;
    for (int i = 0; i < width - start; ++i) line[i] = scale * factors[i];
  }
}

// The plane of B: the Gaussian where it exceeds `pedestal`, which is a disc, else `background`.
// The disc's edge is found in double: a float Gaussian would flip pixels on the edge.
void DrawOnPedestal(const Eigen::Vector2d& centre, double sigma_px, double pedestal,
                    float background, int width, int height, float* out) {
  std::fill(out, out + static_cast<ptrdiff_t>(width) * height, background);
  if (pedestal >= 1.0) return;
  const double radius = pedestal > 0 ? sigma_px * std::sqrt(-2.0 * std::log(pedestal))
                                     : sigma_px * std::sqrt(-4.0 * std::log(kSmallestFactor));
  if (!(centre.x() > -radius && centre.x() < width + radius)) return;
  if (!(centre.y() > -radius && centre.y() < height + radius)) return;
  const AxisProfile columns = MakeAxisProfile(centre.x(), sigma_px, width);
  const AxisProfile rows = MakeAxisProfile(centre.y(), sigma_px, height);
  for (int row = rows.begin; row < rows.end; ++row) {
    const double dy = row - centre.y();
    const double squared = radius * radius - dy * dy;
    if (squared <= 0) continue;
    const double half = std::sqrt(squared);
    // Strictly inside the disc: a pixel at the pedestal's own value is background.
    const int begin = std::max(static_cast<int>(std::floor(centre.x() - half)) + 1, columns.begin);
    const int end = std::min(static_cast<int>(std::ceil(centre.x() + half)), columns.end);
    if (begin >= end) continue;
    ScaleInto(columns.values.data() + begin, rows.values[static_cast<size_t>(row)], end - begin,
              out + static_cast<ptrdiff_t>(row) * width + begin);
  }
}

// One frame; plane c starts at out + c * plane_stride.
void DrawFrame(const ToolPose& pose, const Camera& camera, const ActionImageSpec& spec,
               ptrdiff_t plane_stride, float* out) {
  const double sigma_px = SigmaPx(spec, camera.width, camera.height);
  const std::array<Eigen::Vector3d, 3> anchors = AnchorPoints(pose, spec);
  const ptrdiff_t plane = static_cast<ptrdiff_t>(camera.width) * camera.height;
  const float background = static_cast<float>(spec.pedestal * pose.gripper_open);
  for (int channel = 0; channel < 3; ++channel, out += plane_stride) {
    const std::optional<Projection> projection =
        Project(camera, anchors[static_cast<size_t>(channel)]);
    if (!projection) {
      std::fill(out, out + plane, channel == 2 ? background : 0.0f);
    } else if (channel == 2) {
      DrawOnPedestal(projection->uv, sigma_px, spec.pedestal, background, camera.width,
                     camera.height, out);
    } else {
      DrawGaussian(MakeAxisProfile(projection->uv.x(), sigma_px, camera.width).values.data(),
                   MakeAxisProfile(projection->uv.y(), sigma_px, camera.height).values.data(),
                   camera.width, camera.height, out);
    }
  }
}

}  // namespace

double SigmaPx(const ActionImageSpec& spec, int width, int height) {
  return spec.sigma_fraction * std::min(width, height);
}

std::array<Eigen::Vector3d, 3> AnchorPoints(const ToolPose& pose, const ActionImageSpec& spec) {
  const Rigid3d& world_from_tool = pose.world_from_tool;
  return {world_from_tool.translation, world_from_tool * Eigen::Vector3d(spec.anchor_m, 0, 0),
          world_from_tool * Eigen::Vector3d(0, 0, -spec.anchor_m)};
}

void DrawActionImageInto(const ToolPose& pose, const Camera& camera, const ActionImageSpec& spec,
                         std::span<float> out) {
  const size_t plane = static_cast<size_t>(camera.width) * static_cast<size_t>(camera.height);
  AIM_CHECK(out.size() == 3 * plane);
  DrawFrame(pose, camera, spec, static_cast<ptrdiff_t>(plane), out.data());
}

void DrawActionVideoInto(std::span<const ToolPose> poses, const CameraTrack& camera,
                         const ActionImageSpec& spec, std::span<float> out) {
  if (poses.empty()) {
    AIM_CHECK(out.empty());
    return;
  }
  const size_t plane =
      static_cast<size_t>(camera.at(0).width) * static_cast<size_t>(camera.at(0).height);
  AIM_CHECK(out.size() == 3 * poses.size() * plane);
  const ptrdiff_t plane_stride = static_cast<ptrdiff_t>(poses.size() * plane);
  for (size_t frame = 0; frame < poses.size(); ++frame) {
    const Camera& frame_camera = camera.at(frame);
    AIM_CHECK(frame_camera.width == camera.at(0).width &&
              frame_camera.height == camera.at(0).height);
    DrawFrame(poses[frame], frame_camera, spec, plane_stride, out.data() + frame * plane);
  }
}

}  // namespace aim
