// A headless OpenGL context: EGL without any surface.
#pragma once

namespace aim {

// Owns one context. Made on any thread; used by one thread at a time, which calls MakeCurrent
// before it draws. Throws ConfigError if the machine has no headless OpenGL.
class GlContext {
 public:
  GlContext();
  ~GlContext();
  GlContext(const GlContext&) = delete;
  GlContext& operator=(const GlContext&) = delete;

  void MakeCurrent();

 private:
  void* display_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace aim
