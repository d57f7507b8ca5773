// Command-line plumbing shared by the tools. CLI11 stays inside tools/.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "tools/cli/help.h"

namespace aim::cli {

// How Main reaches an option struct without knowing its type.
struct OptionBinding {
  std::vector<OptionLeaf> leaves;
  std::function<void()> validate;
  std::vector<std::pair<std::string, CLI::Option*>> flags;  // key -> flag
};

// `num_steps` -> "--num-steps", `train.batch_size` -> "--train.batch-size".
std::string FlagName(const std::string& key);

// Has --help show these first. That they are there is checked by what reads them, which says what
// it expected. Shared ones ("out") count, too.
void ShowAsRequired(CLI::App& app, const std::vector<std::string>& keys);

// One flag a field: `num_steps` becomes --num-steps, `train.lr` becomes --train.lr; a bool also
// gets --no-<name>. A list field may be repeated. Help shows default, range and unit. `app` may be
// a subcommand. Fields named in `positionals` are required arguments without a dash, in that order.
// `options` must outlive Main. Call it more than once to spread the flags over several structs.
void AddFlags(CLI::App& app, OptionBinding binding, const std::vector<std::string>& positionals);
template <class Options>
void AddFlags(CLI::App& app, Options& options, const std::vector<std::string>& positionals = {}) {
  const auto validate = [&options] {
    CheckRanges(options);
    if constexpr (requires { options.Validate(); }) options.Validate();
  };
  AddFlags(app, OptionBinding{LeavesOf(options), validate, {}}, positionals);
}

// Adds the shared flags (--config --set --seed --device --out --resume --overwrite --threads
// --log-level --version) to each subcommand, and to the app if it has none or flags of its own, by
// which it also runs without one; parses, applies default <
// --config <
// --set < flag, runs `body`, writes run.json if `body` prepared an output, and turns errors into
// one sentence on stderr and an exit code: 0 done, 2 usage, configuration or input, 128 + the
// signal for a job that StopSignals ended early, 1 everything else.
int Main(CLI::App& app, int argc, char** argv, const std::function<void(RunContext&)>& body);

}  // namespace aim::cli
