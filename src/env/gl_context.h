// A headless OpenGL context: EGL without any surface.
#pragma once

#include <mutex>

namespace aim {

// Held while a thread draws. Only one thread of a process draws at a time: llvmpipe (seen in Mesa
// 22.3) looks through the scenes of all contexts of a display when it flushes one, without a lock,
// and crashed after 9000 episodes recorded by two threads.
using DrawingTurn = std::unique_lock<std::mutex>;

// Owns one context. Made on any thread; used by whoever holds its turn. Throws ConfigError if the
// machine has no headless OpenGL.
class GlContext {
 public:
  GlContext();
  ~GlContext();
  GlContext(const GlContext&) = delete;
  GlContext& operator=(const GlContext&) = delete;

  // Waits for the process's turn to draw and binds this context to the calling thread; the thread
  // may draw until the turn goes out of scope. Does not nest.
  [[nodiscard]] DrawingTurn MakeCurrent();

 private:
  void* display_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace aim
