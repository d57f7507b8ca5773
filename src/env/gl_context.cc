#include "env/gl_context.h"

#include <EGL/egl.h>
#include <EGL/eglext.h>

#include <cstdlib>
#include <mutex>

#include "aim/base/error.h"

namespace aim {
namespace {

[[noreturn]] void FailGl(const std::string& call) {
  throw ConfigError({.where = "headless OpenGL (" + call + ")",
                     .got = "not available",
                     .expected = "an EGL driver that needs no display",
                     .fix = "install the packages libegl1 and libgl1-mesa-dri"});
}

// Small pictures are drawn faster by the calling thread alone than by Mesa's pool of workers.
// A value that the user has set stays.
void PreferCallingThread() {
  static std::once_flag once;
  std::call_once(once, [] { setenv("LP_NUM_THREADS", "0", /*overwrite=*/0); });
}

std::mutex& DrawingMutex() {
  static std::mutex mutex;
  return mutex;
}

EGLDisplay OpenDisplay() {
  const auto get_platform_display = reinterpret_cast<PFNEGLGETPLATFORMDISPLAYEXTPROC>(
      eglGetProcAddress("eglGetPlatformDisplayEXT"));
  if (get_platform_display != nullptr) {
    const EGLDisplay display =
        get_platform_display(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, nullptr);
    if (display != EGL_NO_DISPLAY && eglInitialize(display, nullptr, nullptr)) return display;
  }
  const EGLDisplay display = eglGetDisplay(EGL_DEFAULT_DISPLAY);
  if (display == EGL_NO_DISPLAY || !eglInitialize(display, nullptr, nullptr)) {
    FailGl("eglInitialize");
  }
  return display;
}

}  // namespace

GlContext::GlContext() {
  const DrawingTurn turn(DrawingMutex());
  PreferCallingThread();
  // Displays are shared by the whole process and never terminated: other contexts live on them.
  display_ = OpenDisplay();
  const EGLint config_wish[] = {EGL_RED_SIZE,
                                8,
                                EGL_GREEN_SIZE,
                                8,
                                EGL_BLUE_SIZE,
                                8,
                                EGL_DEPTH_SIZE,
                                24,
                                EGL_SURFACE_TYPE,
                                EGL_PBUFFER_BIT,
                                EGL_RENDERABLE_TYPE,
                                EGL_OPENGL_BIT,
                                EGL_NONE};
  EGLConfig config = nullptr;
  EGLint num_configs = 0;
  if (!eglChooseConfig(display_, config_wish, &config, 1, &num_configs) || num_configs < 1) {
    FailGl("eglChooseConfig");
  }
  if (!eglBindAPI(EGL_OPENGL_API)) FailGl("eglBindAPI");
  context_ = eglCreateContext(display_, config, EGL_NO_CONTEXT, nullptr);
  if (context_ == EGL_NO_CONTEXT) FailGl("eglCreateContext");
}

GlContext::~GlContext() {
  const DrawingTurn turn(DrawingMutex());
  if (eglGetCurrentContext() == context_) {
    eglMakeCurrent(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT);
  }
  eglDestroyContext(display_, context_);
}

DrawingTurn GlContext::MakeCurrent() {
  DrawingTurn turn(DrawingMutex());
  if (eglGetCurrentContext() == context_) return turn;
  // The client interface is a setting of the thread.
  eglBindAPI(EGL_OPENGL_API);
  if (!eglMakeCurrent(display_, EGL_NO_SURFACE, EGL_NO_SURFACE, context_)) {
    FailGl("eglMakeCurrent");
  }
  return turn;
}

}  // namespace aim
