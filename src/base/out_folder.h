// Where a run writes: its folder, claimed for it alone, or one beside an earlier result that it
// will take the place of.
#pragma once

#include <filesystem>
#include <optional>
#include <span>

#include "aim/base/path_claim.h"
#include "aim/base/run_context.h"

namespace aim {

// Throws ConfigError if `out` is, holds or lies in one of `inputs` (compared as the file system
// does, links followed).
void RefuseOutAmongInputs(const std::filesystem::path& out,
                          std::span<const std::filesystem::path> inputs);

// Throws ConfigError if --resume was given to a tool that cannot go on with anything.
void RefuseResume(const CommonOptions& common);

class OutFolder {
 public:
  // RunContext::PrepareOutFolder.
  OutFolder(const CommonOptions& common, OutUse use, std::span<const std::filesystem::path> inputs);
  // Removes what was written beside an earlier result and did not take its place.
  ~OutFolder();
  OutFolder(const OutFolder&) = delete;
  OutFolder& operator=(const OutFolder&) = delete;

  // Where to write now.
  const std::filesystem::path& path() const { return staged_.empty() ? target_ : staged_; }

  // The new result takes the place of the earlier one in one step, and the claim ends.
  void Commit();

 private:
  void Claim(OutUse use);
  void Stage();

  std::filesystem::path target_;
  std::filesystem::path staged_;  // empty unless it replaces something
  std::optional<PathClaim> claim_;
};

}  // namespace aim
