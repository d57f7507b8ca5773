#include "aim/base/run_context.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "base/out_folder.h"

namespace aim {
namespace {

namespace fs = std::filesystem;

void RequireOut(const fs::path& out) {
  if (out.empty())
    throw ConfigError({"--out", "not given", "a path to write to", "add --out PATH"});
}

void RefuseUsedFile(const CommonOptions& common) {
  if (common.overwrite || !fs::exists(common.out)) return;
  throw ConfigError({"--out", "a file that exists (" + common.out.string() + ")", "a new file",
                     "give --overwrite or another --out"});
}

}  // namespace

RunContext::RunContext(CommonOptions common, std::ostream* progress_stream, bool is_terminal)
    : common_(std::move(common)), progress_(progress_stream, is_terminal) {}

RunContext::RunContext() = default;
RunContext::RunContext(CommonOptions common) : common_(std::move(common)) {}
RunContext::~RunContext() = default;

const fs::path& RunContext::out() const { return folder_ ? folder_->path() : common_.out; }

void RunContext::PrepareOutFolder(OutUse use) {
  RequireOut(common_.out);
  folder_ = std::make_unique<OutFolder>(common_, use, inputs_);
  prepared_ = true;
  out_is_file_ = false;
}

void RunContext::CommitOut() {
  if (folder_) folder_->Commit();
}

void RunContext::PrepareOutFile() {
  RequireOut(common_.out);
  if (fs::is_symlink(common_.out)) common_.out = fs::weakly_canonical(common_.out);
  const fs::path& file = common_.out;
  if (fs::is_directory(file)) {
    throw ConfigError({"--out", "the folder " + file.string(), "a file", "add a file name"});
  }
  RefuseResume(common_);
  if (fs::exists(file) && !fs::is_regular_file(file)) {
    throw ConfigError(
        {"--out", file.string() + ", a device, pipe or socket", "a file", "choose another --out"});
  }
  RefuseUsedFile(common_);
  if (fs::exists(file)) RefuseOutAmongInputs(file, inputs_);
  if (file.has_parent_path()) {
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    if (error) ThrowNotWritable("--out", file.string(), error);
  }
  // Removes what a killed run left, too.
  file_claim_.reset();
  std::optional<PathClaim> claim = PathClaim::Take(file);
  if (!claim) {
    throw ConfigError({"--out", file.string() + ", in use by another run",
                       "a file that no run is writing", "wait for it or choose another --out"});
  }
  file_claim_.emplace(std::move(*claim));
  RefuseUsedFile(common_);  // another run may have written it before it let go
  prepared_ = true;
  out_is_file_ = true;
}

void RunContext::PrepareOutFile(const fs::path& file) {
  TakeOutArgument(file);
  PrepareOutFile();
}

void RunContext::PrepareOutFolder(OutUse use, const fs::path& folder) {
  TakeOutArgument(folder);
  PrepareOutFolder(use);
}

void RunContext::TakeOutArgument(const fs::path& path) {
  if (!out().empty() && out() != path) {
    throw ConfigError({"--out", out().string(), "nothing: the output is an argument of its own",
                       "leave out --out"});
  }
  // As an option of the tool the output was taken for an input.
  const auto found = std::find(inputs_.begin(), inputs_.end(), path);
  if (found != inputs_.end()) inputs_.erase(found);
  common_.out = path;
}

void RunContext::Note(const std::string& key, nlohmann::json value) {
  notes_[key] = std::move(value);
}

void RunContext::WriteRunRecord(const nlohmann::json& options,
                                const std::vector<std::string>& command_line,
                                double seconds) const {
  RequireOut(out());
  const nlohmann::ordered_json record = {
      {"command_line", command_line}, {"version", Version()},
      {"revision", Revision()},       {"seed", seed()},
      {"device", device()},           {"finished", !unfinished_},
      {"seconds", seconds},           {"peak_memory_bytes", PeakMemoryBytes()},
      {"options", options},           {"notes", notes_}};
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
