// Command-line plumbing shared by the tools. CLI11 stays inside tools/.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "aim/base/options.h"
#include "aim/base/run_context.h"
#include "tools/cli/help.h"

namespace aim::cli {

// How Main reaches an option struct without knowing its type.
struct OptionBinding {
  std::function<void(const std::string& key, const nlohmann::json& value, const std::string& where)>
      set;
  std::function<void(const std::string& key, const std::string& text, const std::string& where)>
      set_text;
  std::function<nlohmann::json()> to_json;
  std::function<void()> validate;
  std::vector<std::string> keys;
  std::vector<std::pair<std::string, CLI::Option*>> flags;  // key -> flag
};

// `num_steps` -> "--num-steps", `train.batch_size` -> "--train.batch-size".
std::string FlagName(const std::string& key);

// "denoising steps; time is linear in it; [1, 1000]; default 50". Choices stand beside the name.
std::string FlagHelp(std::string_view help, const Limits& limits, const nlohmann::json& value);

// Keeps the binding with the app; Main finds it there.
void Bind(CLI::App& app, OptionBinding binding);

// Has --help show these first. That they are there is checked by what reads them, which says what
// it expected. Shared ones ("out") count, too.
void ShowAsRequired(CLI::App& app, const std::vector<std::string>& keys);

// One flag a field: `num_steps` becomes --num-steps, `train.lr` becomes --train.lr; a bool also
// gets --no-<name>. A list field may be repeated. Help shows default, range and unit. `app` may be
// a subcommand. Fields named in `positionals` are required arguments without a dash, in that order.
// `options` must outlive Main. Call it more than once to spread the flags over several structs.
template <class Options>
void AddFlags(CLI::App& app, Options& options, const std::vector<std::string>& positionals = {}) {
  OptionBinding binding;
  binding.keys = OptionKeys(options);
  binding.set = [&options](const std::string& key, const nlohmann::json& value,
                           const std::string& where) { SetOption(options, key, value, where); };
  binding.set_text = [&options](const std::string& key, const std::string& text,
                                const std::string& where) {
    SetOptionText(options, key, text, where);
  };
  binding.to_json = [&options] { return OptionsToJson(options); };
  binding.validate = [&options] {
    CheckRanges(options);
    if constexpr (requires { options.Validate(); }) options.Validate();
  };
  // CLI11 only collects the words; they are assigned later, in order of precedence.
  const CLI::callback_t accept = [](const CLI::results_t&) { return true; };
  ForEachLeaf(options, [&](const std::string& key, auto& field, const Limits& limits,
                           std::string_view help) {
    using Field = std::remove_cvref_t<decltype(field)>;
    const bool positional =
        std::find(positionals.begin(), positionals.end(), key) != positionals.end();
    const std::string name = positional ? key : FlagName(key);
    const std::string text = FlagHelp(help, limits, FieldJson(field));
    CLI::Option* flag = nullptr;
    if constexpr (std::is_same_v<Field, bool>) {
      flag = app.add_flag(name + ",!--no-" + name.substr(2), text)
                 ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    } else {
      flag = app.add_option(name, accept, text);
      if constexpr (std::is_same_v<Field, std::vector<std::string>>) {
        flag->take_all();
        const std::string words = limits.choices.empty() ? "TEXT" : DescribeLimits(limits);
        flag->type_name(words + std::string(kRepeated));
        if (positional) flag->expected(1, 1 << 20);
      } else if constexpr (std::is_integral_v<Field>) {
        flag->type_name("INT");
      } else if constexpr (std::is_floating_point_v<Field>) {
        flag->type_name("NUMBER");
      } else {
        flag->type_name(limits.choices.empty() ? "TEXT" : DescribeLimits(limits));
      }
      if (positional) flag->required();
    }
    binding.flags.emplace_back(key, flag);
  });
  Bind(app, std::move(binding));
}

// Adds the shared flags (--config --set --seed --device --out --resume --overwrite --threads
// --log-level --version) to the app (to each subcommand if it has some), parses, applies default <
// --config <
// --set < flag, runs `body`, writes run.json if `body` prepared an output, and turns errors into
// one sentence on stderr and an exit code: 0 done, 2 usage, configuration or input, 128 + the
// signal for a job that StopSignals ended early, 1 everything else.
int Main(CLI::App& app, int argc, char** argv, const std::function<void(RunContext&)>& body);

}  // namespace aim::cli
