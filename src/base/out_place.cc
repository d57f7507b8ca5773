#include "aim/base/out_place.h"

#include <system_error>

#include "aim/base/error.h"

namespace aim {

namespace fs = std::filesystem;

bool HoldsOrIs(const fs::path& above, const fs::path& below) {
  for (fs::path folder = below;; folder = folder.parent_path()) {
    std::error_code error;
    if (fs::equivalent(above, folder, error)) return true;
    if (folder == folder.parent_path()) return false;
  }
}

void RefuseOutInside(const fs::path& out, const fs::path& input, const char* flag) {
  std::error_code error;
  if (out.empty() || !fs::is_directory(input, error)) return;
  if (!HoldsOrIs(input, fs::weakly_canonical(fs::absolute(out)))) return;
  throw ConfigError({flag, out.string() + ", in " + input.string() + ", which is read",
                     "a place apart from what is read", "choose another folder"});
}

}  // namespace aim
