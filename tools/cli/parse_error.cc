#include "tools/cli/parse_error.h"

#include <algorithm>
#include <vector>

#include "aim/base/error.h"
#include "aim/base/options.h"
#include "aim/base/text.h"

namespace aim::cli {
namespace {

std::vector<std::string> SubcommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(each->get_name());
  }
  return names;
}

// The first word of a command line, if it should be a subcommand and is none.
std::string UnknownSubcommand(const CLI::App& app, int argc, char** argv) {
  const std::vector<std::string> names = SubcommandNames(app);
  const std::string word = argc > 1 ? argv[1] : "";
  const bool is_known = std::find(names.begin(), names.end(), word) != names.end();
  return names.empty() || word.empty() || word.starts_with("-") || is_known ? "" : word;
}

}  // namespace

std::string OneLine(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

void ThrowParseError(const CLI::App& app, int argc, char** argv, const CLI::ParseError& error) {
  if (const std::string unknown = UnknownSubcommand(app, argc, argv); !unknown.empty()) {
    throw ConfigError({"\"" + unknown + "\"", "no command of " + app.get_name(),
                       "one of " + Join(SubcommandNames(app)),
                       "did you mean " + NearestKey(unknown, SubcommandNames(app)) + "?"});
  }

  const std::string text = OneLine(error.what());
  const std::string flag = text.substr(0, text.find(':'));
  const std::string see = "see " + app.get_name() + " --help";
  if (text.find("At Most 1 required") != std::string::npos) {
    throw ConfigError({flag, "given more than once", "it once", ""});
  }
  if (error.get_name() == "ArgumentMismatch") {
    throw ConfigError({flag, "without a value", "one behind it", see});
  }
  if (text.starts_with("A subcommand")) {
    throw ConfigError(
        {app.get_name(), "called without a command", "one of " + Join(SubcommandNames(app)), see});
  }
  const size_t required = text.find(" is required");
  if (required != std::string::npos) {
    throw ConfigError({text.substr(0, required), "missing", "an argument", see});
  }
  throw ConfigError({"the command line", text, "flags and their values", see});
}

}  // namespace aim::cli
