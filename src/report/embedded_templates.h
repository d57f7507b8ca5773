// The files of assets/report as the build put them into the library.
#pragma once

#include <span>
#include <string_view>

namespace aim {

struct EmbeddedTemplate {
  std::string_view name;  // of the file, without ".mustache"
  std::string_view text;
};

std::span<const EmbeddedTemplate> EmbeddedTemplates();

}  // namespace aim
