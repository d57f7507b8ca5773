#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"
#include "aim/env/child_env.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kScriptEnding = "_env.py";

// An installed tool has the scripts in its share/aim, wherever the folder was moved to.
fs::path ScriptFolder() {
  if (const char* wish = std::getenv("AIM_ENV_DIR")) return wish;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path installed = program.parent_path().parent_path() / "share" / "aim" / "env";
  return fs::is_directory(installed, error) ? installed : fs::path(AIM_ENV_SCRIPTS);
}

// Beside the folder of the scripts (share/aim of an installed aim), or beside the folder that this
// one is in, where scripts/setup makes the environments of a checkout.
std::string PythonFor(const std::string& name) {
  const fs::path beside = ScriptFolder().parent_path();
  for (const fs::path& folder : {beside, beside.parent_path()}) {
    const fs::path own = folder / (".venv-" + name) / "bin" / "python";
    if (fs::exists(own)) return own.string();
  }
  return "python3";
}

}  // namespace

std::vector<std::string> ChildNames() {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(ScriptFolder(), error)) {
    const std::string file = entry.path().filename().string();
    if (!file.ends_with(kScriptEnding)) continue;
    names.push_back(file.substr(0, file.size() - kScriptEnding.size()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

ChildOptions ChildOfName(const std::string& name, const std::string& python) {
  const bool is_path = name.ends_with(".py");
  const std::vector<std::string> known = ChildNames();
  const bool is_known = std::find(known.begin(), known.end(), name) != known.end();
  if (is_path ? !fs::exists(name) : !is_known) {
    throw ConfigError({.where = "--env",
                       .got = '"' + name + '"',
                       .expected = "tabletop, " + Join(known) + ", or the path of a script.py",
                       .fix = DidYouMean(name, known)});
  }
  const fs::path script =
      is_path ? fs::absolute(name) : ScriptFolder() / (name + std::string(kScriptEnding));
  const std::string shown = is_path ? script.stem().string() : name;
  const std::string chosen = !python.empty() ? python : is_path ? "python3" : PythonFor(name);
  return {.name = shown, .command = {chosen, script.string()}};
}

}  // namespace aim
