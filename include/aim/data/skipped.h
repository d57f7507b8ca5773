// Damaged episodes are left out, logged and named; they never stop a run over many.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/error.h"

namespace aim {

// A sound episode that is not what was asked for: it has not the views or the rate, or the layout
// that is written cannot hold it.
class UnfitError : public InputError {
 public:
  // `asked` is what to say of the option if no episode has what it asks for; without `where` none
  // did.
  explicit UnfitError(const Problem& problem, Problem asked = {})
      : InputError(problem), asked_(std::move(asked)) {}
  const Problem& asked() const { return asked_; }

 private:
  Problem asked_;
};

// An episode that was left out, and why.
struct Skipped {
  std::string episode;
  std::string problem;
  bool is_damaged = true;  // or sound, but UnfitError
};

nlohmann::json ToJson(const std::vector<Skipped>& skipped);  // [{"episode", "problem"}]

// The keys of every report: "damaged" and "unfit", each as above.
void AddSkipped(const std::vector<Skipped>& skipped, nlohmann::json& report);

// Logs it and appends it to `skipped`.
void Skip(Skipped one, std::vector<Skipped>& skipped);

// Throws InputError naming `where` and the first problem if all of `count` episodes were left out.
void RequireOneRead(const std::string& where, size_t count, const std::vector<Skipped>& skipped);

// Runs `work` on an episode. An InputError leaves the episode out and returns false; any other
// error goes on to the caller.
template <class Work>
bool TryOrSkip(const std::string& episode, std::vector<Skipped>& skipped, Work&& work) {
  try {
    work();
    return true;
  } catch (const UnfitError& error) {
    Skip({episode, error.what(), false}, skipped);
    return false;
  } catch (const InputError& error) {
    Skip({episode, error.what()}, skipped);
    return false;
  }
}

}  // namespace aim
