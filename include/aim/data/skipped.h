// Damaged episodes are left out, logged and named; they never stop a run over many.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/error.h"

namespace aim {

// An episode that was left out, and why.
struct Skipped {
  std::string episode;
  std::string problem;
};

nlohmann::json ToJson(const std::vector<Skipped>& skipped);  // [{"episode", "problem"}]

// Logs it and appends it to `skipped`.
void Skip(const std::string& episode, const std::string& problem, std::vector<Skipped>& skipped);

// Throws InputError naming `where` and the first problem if all of `count` episodes were left out.
void RequireOneRead(const std::string& where, size_t count, const std::vector<Skipped>& skipped);

// Runs `work` on an episode. An InputError leaves the episode out and returns false; any other
// error goes on to the caller.
template <class Work>
bool TryOrSkip(const std::string& episode, std::vector<Skipped>& skipped, Work&& work) {
  try {
    work();
    return true;
  } catch (const InputError& error) {
    Skip(episode, error.what(), skipped);
    return false;
  }
}

}  // namespace aim
