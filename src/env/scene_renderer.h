// Pictures of a simulator's state.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "aim/geometry/camera.h"
#include "env/gl_context.h"
#include "env/mujoco_handle.h"
#include "env/scene_spec.h"

namespace aim {

// What camera "view<view>" sees: [size, size, 3], top row first.
struct ViewPicture {
  int view = 0;
  std::span<uint8_t> rgb;
};

// Draws one model. All renderers of an environment share its OpenGL context.
class SceneRenderer {
 public:
  SceneRenderer(const mjModel* model, Look look, GlContext& context);
  ~SceneRenderer();
  SceneRenderer(const SceneRenderer&) = delete;
  SceneRenderer& operator=(const SceneRenderer&) = delete;

  // Square pictures of one instant. Positions in `data` must be up to date. A graphics card draws
  // them side by side and is read once; in software that saves nothing, and pixels at edges would
  // depend on where a picture lies in the buffer.
  void RenderInto(const mjData* data, int size, const std::vector<ViewPicture>& pictures);

 private:
  void MakeRoom(int width, int height);
  void DrawSideBySide(const mjData* data, int size, std::span<const ViewPicture> pictures);

  const mjModel* model_;
  GlContext& context_;
  int buffer_width_;
  int buffer_height_;
  std::vector<uint8_t> read_;  // what came back from OpenGL
  mjvScene scene_;
  mjrContext gl_;
  mjvOption option_;
};

// Calibration of camera "view<view>" for a square picture.
Camera CameraOfView(const mjModel* model, const mjData* data, int view, int size);

}  // namespace aim
