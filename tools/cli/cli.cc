#include "tools/cli/cli.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>

#include "aim/base/atomic_file.h"
#include "aim/base/error.h"
#include "aim/base/log.h"
#include "aim/base/parallel.h"
#include "aim/base/parse_json.h"
#include "aim/base/text.h"
#include "aim/format/mapped_file.h"
#include "tools/cli/help.h"
#include "tools/cli/parse_error.h"
#include "tools/cli/stop_signals.h"
#include "tools/cli/thread_environment.h"

namespace aim::cli {
namespace {

constexpr int kExitDone = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitSignalled = 128;  // plus the signal's number, as shells have it

// The flags that every tool has, as an option struct like any other.
struct SharedOptions {
  uint64_t seed = 0;
  std::string device = "cpu";
  std::string out;
  bool resume = false;
  bool overwrite = false;
  LogLevel log_level = LogLevel::kInfo;
  int threads = 0;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("seed", self.seed, Any{}, "the same seed gives the same result");
    visit("device", self.device, Any{}, "cpu, cuda or cuda:N");
    visit("out", self.out, Any{}, "file or folder to write");
    visit("resume", self.resume, Any{}, "continue in an --out that exists");
    visit("overwrite", self.overwrite, Any{}, "replace an --out that exists");
    visit("threads", self.threads, Range{0, 1024},
          "threads to compute with; 0 = OMP_NUM_THREADS, else one a core");
    visit("log_level", self.log_level, Any{}, "messages on stderr; progress is shown from info on");
  }

  void Validate() const {
    if (resume && overwrite) {
      throw ConfigError({"--resume", "given with --overwrite", "one of them",
                         "--resume goes on with what is there, --overwrite begins anew"});
    }
    const bool numbered = device.starts_with("cuda:") && device.size() > 5 && device.size() < 9 &&
                          device.find_first_not_of("0123456789", 5) == std::string::npos;
    if (device != "cpu" && device != "cuda" && !numbered) {
      throw ConfigError({"device", "\"" + device + "\"", "cpu, cuda or cuda:N", ""});
    }
  }
};

// Carries the option structs of its app, so that no global table is needed.
class BoundFormatter : public HelpFormatter {
 public:
  explicit BoundFormatter(const CLI::App* app) : app_(app) {}
  // Subcommands inherit the formatter of their parent, whose bindings are not theirs.
  bool BelongsTo(const CLI::App& app) const { return app_ == &app; }
  std::vector<OptionBinding>& bindings() { return bindings_; }
  std::vector<std::string>& required() { return required_; }

 private:
  const CLI::App* app_;
  std::vector<OptionBinding> bindings_;
  std::vector<std::string> required_;
};

BoundFormatter& FormatterOf(CLI::App& app) {
  auto formatter = std::dynamic_pointer_cast<BoundFormatter>(app.get_formatter());
  if (formatter == nullptr || !formatter->BelongsTo(app)) {
    formatter = std::make_shared<BoundFormatter>(&app);
    app.formatter(formatter);
  }
  return *formatter;
}

std::vector<OptionBinding>& BindingsOf(CLI::App& app) { return FormatterOf(app).bindings(); }

// A TOML file, or the options in the run.json of an earlier run.
nlohmann::json ReadSettings(const std::string& path) {
  if (!path.ends_with(".json")) return ReadToml(path);
  const nlohmann::json record = ParseJson(ReadFile(path));
  if (record.is_object() && record.contains("options")) return record["options"];
  throw FormatError(
      {path, "without options", "the run.json of an earlier run, or a TOML file", ""});
}

// All option structs that one command line speaks about, as one set of keys.
class Settings {
 public:
  explicit Settings(std::vector<OptionBinding> bindings) : bindings_(std::move(bindings)) {
    for (const OptionBinding& binding : bindings_) {
      leaves_.insert(leaves_.end(), binding.leaves.begin(), binding.leaves.end());
    }
  }

  void ApplyFile(const std::string& path) const { ApplyOptions(leaves_, ReadSettings(path), path); }

  void ApplySet(const std::string& assignment) const {
    const size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw ConfigError({"--set", "\"" + assignment + "\"", "key=value", ""});
    }
    SetOptionText(leaves_, assignment.substr(0, equals), assignment.substr(equals + 1));
  }

  void ApplyFlags() const {
    for (const OptionBinding& binding : bindings_) {
      for (const auto& [key, flag] : binding.flags) {
        if (flag->count() == 0) continue;
        const std::vector<std::string> words = flag->results();
        if (flag->get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll) {
          SetOption(leaves_, key, words, FlagName(key));
        } else {
          SetOptionText(leaves_, key, words.back(), FlagName(key));
        }
      }
    }
  }

  void Validate() const {
    for (const OptionBinding& binding : bindings_) binding.validate();
  }

  nlohmann::json ToJson() const { return OptionsToJson(leaves_); }

  std::vector<std::string> FlagNames() const {
    std::vector<std::string> names;
    for (const OptionBinding& binding : bindings_) {
      for (const auto& [key, flag] : binding.flags) {
        if (!flag->get_positional()) names.push_back(FlagName(key));
      }
    }
    for (const char* name : {"--config", "--set", "--help", "--version", "--completion"}) {
      names.emplace_back(name);
    }
    return names;
  }

 private:
  std::vector<OptionBinding> bindings_;
  std::vector<OptionLeaf> leaves_;
};

// CLI11 only collects the words; they are assigned later, in order of precedence.
const CLI::callback_t kAccept = [](const CLI::results_t&) { return true; };

// "denoising steps; time is linear in it; [1, 1000]; default 50". Choices stand beside the name.
std::string FlagHelp(const OptionLeaf& leaf) {
  std::string text = leaf.help;
  const nlohmann::json value = FieldJson(leaf.field);
  if (leaf.limits.has_range) text += "; " + DescribeLimits(leaf.limits);
  const bool is_empty_text = value.is_string() && value.get_ref<const std::string&>().empty();
  if (value.is_array() || is_empty_text) return text;
  if (value.is_number_float()) return text + "; default " + ToText(value.get<double>());
  return text + "; default " + (value.is_string() ? value.get<std::string>() : value.dump());
}

// What stands for its value in --help.
std::string TypeName(const OptionLeaf& leaf, bool is_positional) {
  const std::string words = leaf.limits.choices.empty() ? "TEXT" : DescribeLimits(leaf.limits);
  if (std::holds_alternative<std::vector<std::string>*>(leaf.field)) {
    return is_positional ? words : words + std::string(kRepeated);
  }
  const nlohmann::json value = FieldJson(leaf.field);
  if (value.is_number_integer()) return "INT";
  return value.is_number() ? "NUMBER" : words;
}

CLI::Option* AddFlag(CLI::App& app, const OptionLeaf& leaf, bool is_positional) {
  const std::string name = is_positional ? leaf.key : FlagName(leaf.key);
  const std::string help = FlagHelp(leaf);
  if (std::holds_alternative<bool*>(leaf.field)) {
    return app.add_flag(name + ",!--no-" + name.substr(2), help)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  CLI::Option* flag = app.add_option(name, kAccept, help);
  if (std::holds_alternative<std::vector<std::string>*>(leaf.field)) {
    flag->take_all();
    if (is_positional) flag->expected(1, -1)->allow_extra_args();  // any number
  }
  flag->type_name(TypeName(leaf, is_positional));
  if (is_positional) flag->required();
  return flag;
}

// What the shared flags add to one app or subcommand.
struct SharedFlags {
  SharedOptions options;
  CLI::Option* config = nullptr;
  CLI::Option* set = nullptr;
};

// Required ones apart, the others by the section of their key.
void GroupOptions(CLI::App& app) {
  const std::vector<std::string>& required = FormatterOf(app).required();
  size_t num_required = 0;
  for (const OptionBinding& binding : BindingsOf(app)) {
    for (const auto& [key, flag] : binding.flags) {
      const size_t dot = key.find('.');
      if (std::find(required.begin(), required.end(), key) != required.end()) {
        flag->group(kRequiredGroup);
        ++num_required;
      } else if (dot != std::string::npos && !flag->get_positional()) {
        flag->group("Options " + FlagName(key.substr(0, dot)) + ".*");
      }
    }
  }
  AIM_CHECK(num_required == required.size());
}

void AddSharedFlags(CLI::App& app, SharedFlags& shared, const std::string& version) {
  shared.config = app.add_option("--config", kAccept, "TOML file of options; --set and flags win");
  shared.config->type_name("FILE ...")->take_all();
  shared.set = app.add_option("--set", kAccept, "key=value, as in the TOML file; repeatable");
  shared.set->type_name("KEY=VALUE ...")->take_all();
  AddFlags(app, shared.options);
  std::vector<CLI::Option*> common = {shared.config, shared.set};
  for (const auto& [key, flag] : BindingsOf(app).back().flags) common.push_back(flag);
  common.push_back(app.set_version_flag("--version", version));
  common.push_back(app.get_help_ptr());
  for (CLI::Option* option : common) option->group(kSharedGroup);
  GroupOptions(app);
  app.allow_extras();  // collected here, so that the message can name the nearest flag
}

// Arguments that no flag or subcommand took.
void RefuseExtras(const CLI::App& app, const CLI::App& active, const Settings& settings) {
  const std::vector<std::string> extras = app.remaining(true);
  if (extras.empty()) return;
  const std::string name =
      &active == &app ? app.get_name() : app.get_name() + " " + active.get_name();
  for (const std::string& extra : extras) {
    if (!extra.starts_with("-")) continue;
    const std::string flag = extra.substr(0, extra.find('='));
    throw ConfigError({flag, "not a flag of " + name, "one of its flags",
                       "did you mean " + NearestKey(flag, settings.FlagNames()) + "?"});
  }
  throw ConfigError({"\"" + extras[0] + "\"", "one argument too many", "flags and their values",
                     "put values with spaces in quotes"});
}

CommonOptions ToCommon(const SharedOptions& shared) {
  return {shared.seed,   shared.device,    shared.out,
          shared.resume, shared.overwrite, shared.log_level};
}

// Every option that names a file or folder which exists is taken for something that is read.
void AddInputs(const nlohmann::json& options, RunContext& run) {
  if (options.is_structured()) {
    for (const nlohmann::json& option : options) AddInputs(option, run);
  } else if (options.is_string()) {
    const std::filesystem::path path = options.get<std::string>();
    std::error_code error;
    if (!path.empty() && std::filesystem::exists(path, error)) run.AddInput(path);
  }
}

// What a run is repeated with: how it met an earlier result is no part of it.
nlohmann::json RecordedOptions(const Settings& settings) {
  nlohmann::json options = settings.ToJson();
  options.erase("resume");
  options.erase("overwrite");
  return options;
}

// Everything after CLI11 split the words: settings, body, run record. Returns the exit code.
int RunParsed(CLI::App& app, CLI::App& active, SharedFlags& shared,
              const std::vector<std::string>& command_line,
              const std::function<void(RunContext&)>& body) {
  const Settings settings(BindingsOf(active));
  RefuseExtras(app, active, settings);
  for (const std::string& path : shared.config->results()) settings.ApplyFile(path);
  for (const std::string& assignment : shared.set->results()) settings.ApplySet(assignment);
  settings.ApplyFlags();
  settings.Validate();

  const LogLevel level = shared.options.log_level;
  SetLogLevel(level);
  LimitThreads(shared.options.threads > 0 ? shared.options.threads : ThreadsOfEnvironment());
  RunContext run(ToCommon(shared.options), level <= LogLevel::kInfo ? &std::cerr : nullptr,
                 ::isatty(STDERR_FILENO) == 1);
  nlohmann::json inputs = settings.ToJson();
  inputs.erase("out");
  AddInputs(inputs, run);
  const auto start = std::chrono::steady_clock::now();
  body(run);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  if (run.prepared()) run.WriteRunRecord(RecordedOptions(settings), command_line, elapsed.count());
  std::cout.flush();
  if (!std::cout) {
    throw IoError({"stdout", "not writable", "an open pipe, file or terminal", ""});
  }
  if (!run.unfinished()) return kExitDone;
  return ReceivedStopSignal() == 0 ? kExitFailed : kExitSignalled + ReceivedStopSignal();
}

// CLI11's way to print something and end.
void AddCompletionFlag(CLI::App& app) {
  const CLI::callback_t print = [&app](const CLI::results_t& words) -> bool {
    if (words != CLI::results_t{"bash"}) {
      throw ConfigError({"--completion", "\"" + words.back() + "\"", "bash",
                         "write what it prints where your shell reads completions"});
    }
    throw CLI::CallForVersion(BashCompletion(app), kExitDone);
  };
  app.add_option("--completion", print, "print a script for the shell's completion and exit")
      ->type_name("bash")
      ->group(kSharedGroup);
}

int Parse(CLI::App& app, int argc, char** argv, const std::function<void(RunContext&)>& body) {
  const std::string version = app.get_name() + " " + Version() + " (" + Revision() + ")";
  std::vector<CLI::App*> apps = app.get_subcommands([](CLI::App*) { return true; });
  const bool has_subcommands = !apps.empty();
  const bool runs_itself = !has_subcommands || !BindingsOf(app).empty();
  if (has_subcommands) app.require_subcommand(runs_itself ? 0 : 1, 1);
  if (runs_itself) {
    apps.push_back(&app);
  } else {
    app.set_version_flag("--version", version);
    app.allow_extras();
  }
  std::vector<std::unique_ptr<SharedFlags>> shared;
  for (CLI::App* each : apps) {
    shared.push_back(std::make_unique<SharedFlags>());
    AddSharedFlags(*each, *shared.back(), version);
  }
  AddCompletionFlag(app);
  FormatterOf(app);  // for a tool that has commands alone, too
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    ThrowParseError(app, argc, argv, error);
  }
  const std::vector<std::string> command_line(argv, argv + argc);
  size_t active = 0;  // CLI11 saw to it that there is one, unless the app itself is the last
  while (apps[active] != &app && !app.got_subcommand(apps[active])) ++active;
  return RunParsed(app, *apps[active], *shared[active], command_line, body);
}

int Report(const CLI::App& app, const std::string& sentence, int exit_code) {
  std::cout.flush();
  std::cerr << app.get_name() << ": " << OneLine(sentence) << '\n';
  return exit_code;
}

}  // namespace

std::string FlagName(const std::string& key) {
  std::string name = "--" + key;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

void AddFlags(CLI::App& app, OptionBinding binding, const std::vector<std::string>& positionals) {
  for (const OptionLeaf& leaf : binding.leaves) {
    const bool is_positional =
        std::find(positionals.begin(), positionals.end(), leaf.key) != positionals.end();
    binding.flags.emplace_back(leaf.key, AddFlag(app, leaf, is_positional));
  }
  BindingsOf(app).push_back(std::move(binding));
}

void ShowAsRequired(CLI::App& app, const std::vector<std::string>& keys) {
  FormatterOf(app).required() = keys;
}

int Main(CLI::App& app, int argc, char** argv, const std::function<void(RunContext&)>& body) {
  // A closed pipe or a file-size limit is an error with a sentence, not a silent death.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  ExplainShortenedFiles();
  SetThreadEnvironment(argc, argv);
  try {
    return Parse(app, argc, argv, body);
  } catch (const ConfigError& error) {
    return Report(app, error.what(), kExitUsage);
  } catch (const InputError& error) {
    return Report(app, error.what(), kExitUsage);
  } catch (const Error& error) {
    return Report(app, error.what(), kExitFailed);
  } catch (const std::filesystem::filesystem_error& error) {
    return Report(app, error.what(), IsTheCallers(error.code()) ? kExitUsage : kExitFailed);
  } catch (const std::bad_alloc&) {
    return Report(app, "memory is exhausted; make the job smaller or the machine bigger",
                  kExitFailed);
  } catch (const std::exception& error) {
    return Report(app, std::string("internal error: ") + error.what() + "; please report it",
                  kExitFailed);
  }
}

}  // namespace aim::cli
