// Command-line plumbing shared by the tools. CLI11 stays inside tools/.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"

namespace aim::cli {

// How Main reaches an option struct without knowing its type: text of a flag, --set or TOML in,
// JSON of the resolved options out.
struct OptionBinding {
  std::function<void(const nlohmann::json& toml, const std::string& where)> apply;
  std::function<void(const std::string& key, const nlohmann::json& value, const std::string& where)> set;
  std::function<nlohmann::json()> to_json;
  std::vector<std::pair<std::string, CLI::Option*>> flags;  // key -> flag
};

// One flag a field: `num_steps` becomes --num-steps, `train.lr` becomes --train.lr. A list field
// may be repeated. Help shows default, range and unit. `app` may be a subcommand.
template <class Options>
void AddFlags(CLI::App& app, Options& options);

// Adds the shared flags (--config --set --seed --device --out --resume --overwrite --log-level
// --version) to the app (to each subcommand if it has some), parses, applies default < --config <
// --set < flag, runs `body`, writes run.json if `body` prepared an output, and turns errors into one
// sentence on stderr and an exit code: 0 done, 2 usage, configuration or input, 1 everything else.
int Main(CLI::App& app, int argc, char** argv, const std::function<void(RunContext&)>& body);

}  // namespace aim::cli
