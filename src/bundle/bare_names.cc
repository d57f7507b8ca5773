#include "bundle/bare_names.h"

#include <algorithm>

namespace aim {
namespace {

constexpr std::string_view kPrefixes[] = {"model.",
                                          "base_model.",
                                          "diffusion_model.",
                                          "first_stage_model.",
                                          "vae.",
                                          "text_encoder.",
                                          "pipe.",
                                          "pipeline.",
                                          "dit.",
                                          "generator.",
                                          "net.",
                                          "network.",
                                          "transformer.",
                                          "cond_stage_model.",
                                          "umt5xxl.",
                                          "text_encoders.",
                                          "conditioner.",
                                          "ema_model.",
                                          "generator_ema.",
                                          "state_dict."};

// What trainers wrap modules in, at any depth.
constexpr std::string_view kWrappers[] = {"module.", "_orig_mod.", "_fsdp_wrapped_module.",
                                          "_checkpoint_wrapped_module."};

std::string StripWrappers(std::string_view name) {
  std::string bare;
  for (size_t begin = 0; begin < name.size();) {
    const std::string_view rest = name.substr(begin);
    const auto* wrapper = std::ranges::find_if(kWrappers, [&](std::string_view candidate) {
      return rest.starts_with(candidate) && rest.size() > candidate.size();
    });
    if (wrapper != std::end(kWrappers)) {
      begin += wrapper->size();
      continue;
    }
    const size_t end = std::min(rest.find('.'), rest.size() - 1) + 1;
    bare += rest.substr(0, end);
    begin += end;
  }
  return bare;
}

}  // namespace

std::string StripPrefixes(std::string_view stored) {
  const std::string bare = StripWrappers(stored);
  std::string_view name = bare;
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view prefix : kPrefixes) {
      if (!name.starts_with(prefix) || name.size() == prefix.size()) continue;
      name.remove_prefix(prefix.size());
      found = true;
    }
  }
  return std::string(name);
}

bool DropSharedPart(std::vector<std::string>& names) {
  if (names.empty()) return false;
  const size_t length = names.front().find('.') + 1;
  if (length == 0) return false;
  const std::string head = names.front().substr(0, length);
  for (const std::string& name : names) {
    if (!name.starts_with(head) || name.size() == head.size()) return false;
  }
  for (std::string& name : names) name.erase(0, length);
  return true;
}

}  // namespace aim
