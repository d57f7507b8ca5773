// Pictures of a simulator's state.
#pragma once

#include <cstdint>
#include <span>

#include "aim/geometry/camera.h"
#include "env/gl_context.h"
#include "env/mujoco_handle.h"
#include "env/scene_spec.h"

namespace aim {

// Draws one model. All renderers of an environment share its OpenGL context.
class SceneRenderer {
 public:
  SceneRenderer(const mjModel* model, Look look, GlContext& context);
  ~SceneRenderer();
  SceneRenderer(const SceneRenderer&) = delete;
  SceneRenderer& operator=(const SceneRenderer&) = delete;

  // Square picture of camera "view<view>" into `rgb` [size, size, 3], top row first. Positions in
  // `data` must be up to date.
  void RenderInto(const mjData* data, int view, int size, std::span<uint8_t> rgb);

 private:
  const mjModel* model_;
  GlContext& context_;
  int buffer_size_;
  mjvScene scene_;
  mjrContext gl_;
  mjvOption option_;
};

// Calibration of camera "view<view>" for a square picture.
Camera CameraOfView(const mjModel* model, const mjData* data, int view, int size);

}  // namespace aim
