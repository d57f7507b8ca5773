// A headless OpenGL context: EGL without any surface.
#pragma once

#include <mutex>

namespace aim {

// Held while a thread draws. Only one thread of a process draws at a time: llvmpipe (seen in Mesa
// 22.3) looks through the scenes of all contexts of a display when it flushes one, without a lock,
// and crashed after 9000 episodes recorded by two threads.
using DrawingTurn = std::unique_lock<std::mutex>;

// Owns one context. Made on any thread; used by whoever holds its turn. Drawn in software where
// there is Mesa's, else by what EGL has; the environment variable AIM_EGL_DEVICE chooses one of
// EGL's devices by its number, or a graphics card ("gpu"). Throws ConfigError if the machine has no
// headless OpenGL, or not that device.
class GlContext {
 public:
  GlContext();
  ~GlContext();
  GlContext(const GlContext&) = delete;
  GlContext& operator=(const GlContext&) = delete;

  // Waits for the process's turn to draw and binds this context to the calling thread; the thread
  // may draw until the turn goes out of scope. Does not nest.
  [[nodiscard]] DrawingTurn MakeCurrent();

  bool is_chosen_device() const { return is_chosen_device_; }  // by AIM_EGL_DEVICE

 private:
  void* display_ = nullptr;
  void* context_ = nullptr;
  bool is_chosen_device_ = false;
};

}  // namespace aim
