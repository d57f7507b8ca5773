#include "aim/base/run_context.h"

#include <sys/resource.h>

#include <cstdlib>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

// Removing one of these would take more than an earlier run with it.
bool HoldsMoreThanARun(const fs::path& folder) {
  const fs::path target = fs::weakly_canonical(folder);
  const char* home = std::getenv("HOME");
  if (home != nullptr && target == fs::weakly_canonical(home)) return true;
  for (fs::path above = fs::current_path();; above = above.parent_path()) {
    if (above == target) return true;
    if (above == above.root_path()) return false;
  }
}

void RequireOut(const fs::path& out) {
  if (out.empty())
    throw ConfigError({"--out", "not given", "a path to write to", "add --out PATH"});
}

}  // namespace

RunContext::RunContext(CommonOptions common, std::ostream* progress_stream, bool is_terminal)
    : common_(std::move(common)), progress_(progress_stream, is_terminal) {}

void RunContext::PrepareOutFolder() {
  const fs::path& folder = out();
  RequireOut(folder);
  if (fs::exists(folder) && !fs::is_directory(folder)) {
    throw ConfigError({"--out", "the file " + folder.string(), "a folder", "choose another --out"});
  }
  if (fs::exists(folder) && !fs::is_empty(folder) && !common_.resume) {
    if (!common_.overwrite) {
      throw ConfigError({"--out", "a folder that is not empty (" + folder.string() + ")",
                         "a new or empty folder", "give --resume, --overwrite or another --out"});
    }
    if (HoldsMoreThanARun(folder)) {
      throw ConfigError({"--out", folder.string() + ", which --overwrite would remove",
                         "a folder that holds one run", "choose another --out"});
    }
    fs::remove_all(folder);
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw IoError({"--out", "not writable (" + folder.string() + ": " + error.message() + ")",
                   "a place that can be written", ""});
  }
  prepared_ = true;
  out_is_file_ = false;
}

void RunContext::PrepareOutFile() {
  const fs::path& file = out();
  RequireOut(file);
  if (fs::is_directory(file)) {
    throw ConfigError({"--out", "the folder " + file.string(), "a file", "add a file name"});
  }
  if (fs::exists(file) && !common_.resume && !common_.overwrite) {
    throw ConfigError({"--out", "a file that exists (" + file.string() + ")", "a new file",
                       "give --overwrite or another --out"});
  }
  if (file.has_parent_path()) {
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    if (error) {
      throw IoError({"--out", "not writable (" + file.string() + ": " + error.message() + ")",
                     "a place that can be written", ""});
    }
  }
  prepared_ = true;
  out_is_file_ = true;
}

void RunContext::PrepareOutFile(const fs::path& file) {
  if (!out().empty() && out() != file) {
    throw ConfigError({"--out", out().string(), "nothing: the output is an argument of its own",
                       "leave out --out"});
  }
  common_.out = file;
  PrepareOutFile();
}

void RunContext::Note(const std::string& key, nlohmann::json value) {
  notes_[key] = std::move(value);
}

void RunContext::WriteRunRecord(const nlohmann::json& options,
                                const std::vector<std::string>& command_line,
                                double seconds) const {
  RequireOut(out());
  const nlohmann::ordered_json record = {{"command_line", command_line},
                                         {"version", Version()},
                                         {"revision", Revision()},
                                         {"seed", seed()},
                                         {"device", device()},
                                         {"seconds", seconds},
                                         {"peak_memory_bytes", PeakMemoryBytes()},
                                         {"options", options},
                                         {"notes", notes_}};
  const fs::path path = out_is_file_ ? fs::path(out().string() + ".run.json") : out() / "run.json";
  // Paths and prompts may hold bytes that are not UTF-8: replaced, not refused.
  WriteFileAtomic(
      path, record.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

int64_t PeakMemoryBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace aim
