#include "env/gl_context.h"

#include <EGL/egl.h>
#include <EGL/eglext.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/log.h"

namespace aim {
namespace {

constexpr const char* kEglDeviceVariable = "AIM_EGL_DEVICE";

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

template <class Function>
Function Extension(const char* name) {
  return reinterpret_cast<Function>(eglGetProcAddress(name));
}

// EGL_NO_DISPLAY if there is none or it does not start.
EGLDisplay Started(EGLDisplay display) {
  const bool started = display != EGL_NO_DISPLAY && eglInitialize(display, nullptr, nullptr);
  return started ? display : EGL_NO_DISPLAY;
}

EGLDisplay StartedOf(EGLenum platform, void* device) {
  const auto get = Extension<PFNEGLGETPLATFORMDISPLAYEXTPROC>("eglGetPlatformDisplayEXT");
  return get == nullptr ? EGL_NO_DISPLAY : Started(get(platform, device, nullptr));
}

std::vector<EGLDeviceEXT> Devices() {
  const auto query = Extension<PFNEGLQUERYDEVICESEXTPROC>("eglQueryDevicesEXT");
  EGLint count = 0;
  if (query == nullptr || !query(0, nullptr, &count)) return {};
  std::vector<EGLDeviceEXT> devices(static_cast<size_t>(count));
  if (!query(count, devices.data(), &count)) return {};
  devices.resize(static_cast<size_t>(count));
  return devices;
}

bool IsSoftware(EGLDeviceEXT device) {
  const auto query = Extension<PFNEGLQUERYDEVICESTRINGEXTPROC>("eglQueryDeviceStringEXT");
  const char* words = query == nullptr ? nullptr : query(device, EGL_EXTENSIONS);
  return words != nullptr && std::strstr(words, "EGL_MESA_device_software") != nullptr;
}

// The devices of EGL that `wish` means: the one of that number, or for "gpu" all but software, of
// which a container opens those that it was given.
std::vector<EGLDeviceEXT> WishedDevices(const std::string& wish) {
  std::vector<EGLDeviceEXT> devices = Devices();
  if (wish == "gpu") {
    std::erase_if(devices, IsSoftware);
    return devices;
  }
  size_t number = devices.size();
  const auto [end, error] = std::from_chars(wish.data(), wish.data() + wish.size(), number);
  if (error != std::errc() || end != wish.data() + wish.size() || number >= devices.size()) {
    return {};
  }
  return {devices[number]};
}

EGLDisplay OpenWished(const std::string& wish) {
  for (const EGLDeviceEXT device : WishedDevices(wish)) {
    const EGLDisplay display = StartedOf(EGL_PLATFORM_DEVICE_EXT, device);
    if (display != EGL_NO_DISPLAY) return display;
  }
  throw ConfigError({.where = kEglDeviceVariable,
                     .got = '"' + wish + "\", which is none that opens",
                     .expected = "gpu, or a number below " + std::to_string(Devices().size()) +
                                 ", how many devices EGL has",
                     .fix = "leave it unset to draw in software where there is some"});
}

// Without a wish Mesa's software, which draws the same on all machines; where it is not there, what
// is.
EGLDisplay OpenDisplay() {
  if (const char* wish = std::getenv(kEglDeviceVariable)) return OpenWished(wish);
  EGLDisplay display = StartedOf(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY);
  if (display == EGL_NO_DISPLAY) display = Started(eglGetDisplay(EGL_DEFAULT_DISPLAY));
  for (const EGLDeviceEXT device : Devices()) {
    if (display != EGL_NO_DISPLAY) break;
    display = StartedOf(EGL_PLATFORM_DEVICE_EXT, device);
  }
  if (display == EGL_NO_DISPLAY) FailGl("eglInitialize");
  return display;
}

// Who draws, once a process. The context must be current.
void LogRenderer() {
  static std::once_flag once;
  std::call_once(once, [] {
    constexpr unsigned kGlRenderer = 0x1F01;
    using GetString = const unsigned char* (*)(unsigned);
    const auto get_string = Extension<GetString>("glGetString");
    if (get_string == nullptr) return;
    if (const unsigned char* name = get_string(kGlRenderer)) {
      LogDebug("pictures are drawn by " + std::string(reinterpret_cast<const char*>(name)));
    }
  });
}

}  // namespace

GlContext::GlContext() {
  const DrawingTurn turn(DrawingMutex());
  PreferCallingThread();
  // Displays are shared by the whole process and never terminated: other contexts live on them.
  is_chosen_device_ = std::getenv(kEglDeviceVariable) != nullptr;
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
  LogRenderer();
  return turn;
}

}  // namespace aim
