// How the programs that a GPU machine runs are called: PROGRAM [--config FILE.json] [--KEY
// VALUE]...
#pragma once

#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/options.h"

namespace aim {

// Later words win.
template <class Options>
Options ParseArguments(const std::vector<std::string>& words) {
  Options options;
  for (size_t i = 0; i < words.size(); i += 2) {
    if (words[i].rfind("--", 0) != 0 || i + 1 == words.size())
      throw ConfigError({"argument", words[i], "--KEY VALUE; see --help", ""});
    if (words[i] != "--config") {
      SetOptionText(options, words[i].substr(2), words[i + 1], "argument");
      continue;
    }
    const nlohmann::json config = nlohmann::json::parse(ReadFile(words[i + 1]), nullptr, false);
    if (!config.is_object()) throw ConfigError({words[i + 1], "no JSON object", "one", ""});
    ApplyOptions(options, config, words[i + 1]);
  }
  options.Validate();
  return options;
}

// The body of a main(): --help, or what `run` returns as JSON on stdout. 2 and one sentence for
// wrong arguments or a device that is not there.
template <class Options>
int RunBench(const std::string& program, int argc, char** argv,
             const std::function<nlohmann::json(const Options&)>& run) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words == std::vector<std::string>{"--help"}) {
    std::cout << program << " [--config FILE.json] [--KEY VALUE]...\n";
    const Options options;
    for (const OptionLeaf& leaf : LeavesOf(options)) {
      std::cout << "  --" << leaf.key << "  " << leaf.help << "; " << DescribeLimits(leaf.limits)
                << "; default " << FieldJson(leaf.field).dump() << '\n';
    }
    return 0;
  }
  try {
    std::cout << run(ParseArguments<Options>(words)).dump(2) << '\n';
  } catch (const ConfigError& error) {
    std::cerr << program << ": " << error.what() << '\n';
    return 2;
  } catch (const InputError& error) {
    std::cerr << program << ": " << error.what() << '\n';
    return 2;
  }
  return 0;
}

}  // namespace aim
