// A tool with two jobs that does nothing but show its options: what cli_test runs.
#include <iostream>

#include "aim/base/log.h"
#include "tools/cli/cli.h"

namespace {

struct TrainOptions {
  double lr = 1e-4;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("lr", self.lr, aim::Range{0, 1}, "learning rate");
  }
};

struct ShowOptions {
  std::string src;
  int num_steps = 50;
  bool fast = false;
  std::string sampler = "euler";
  std::vector<std::string> task;
  std::string first_pose;
  TrainOptions train;

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("src", self.src, aim::Any{}, "what to show");
    visit("num_steps", self.num_steps, aim::Range{1, 1000}, "denoising steps");
    visit("fast", self.fast, aim::Any{}, "take short cuts");
    visit("sampler", self.sampler, aim::Limits({"euler", "unipc"}), "sampler");
    visit("task", self.task, aim::Any{}, "task; repeatable");
    visit("first_pose", self.first_pose, aim::Any{}, "x y z qx qy qz qw open");
    visit("train", self.train, aim::Any{}, "");
  }

  void Validate() const {
    if (fast && num_steps > 100) {
      throw aim::ConfigError({"num_steps", std::to_string(num_steps), "at most 100 with fast", ""});
    }
  }
};

struct FailOptions {
  std::string how = "config";

  template <class Self, class Visitor>
  static void ForEachField(Self& self, Visitor&& visit) {
    visit("how", self.how, aim::Any{}, "the error to throw");
  }
};

[[noreturn]] void Fail(const std::string& how) {
  const aim::Problem problem{"a.csv", how, "something else", "try again"};
  if (how == "config") throw aim::ConfigError(problem);
  if (how == "input") throw aim::InputError(problem);
  if (how == "format") throw aim::FormatError(problem);
  if (how == "io") throw aim::IoError(problem);
  if (how == "memory") throw std::bad_alloc();
  if (how == "check") aim::FailCheck("1 == 2", "x.cc", 3);
  throw std::out_of_range("index 7");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Shows its options.", "example-tool"};
  ShowOptions show;
  FailOptions fail;
  CLI::App* show_app = app.add_subcommand("show", "print the options");
  CLI::App* fail_app = app.add_subcommand("fail", "throw an error");
  show_app->footer("Example: example-tool show a.csv --num-steps 8");
  aim::cli::AddFlags(*show_app, show, {"src"});
  aim::cli::ShowAsRequired(*show_app, {"first_pose", "out"});
  aim::cli::AddFlags(*fail_app, fail);
  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    if (app.got_subcommand(fail_app)) Fail(fail.how);
    if (!run.out().empty()) run.PrepareOutFolder(aim::OutUse::kResumable);
    run.Note("shown", 1);
    run.progress().Start("showing", 1);
    run.progress().Advance(1);
    run.progress().Finish();
    aim::LogInfo("a message");
    nlohmann::json shown = aim::OptionsToJson(show);
    shown["seed"] = run.seed();
    shown["device"] = run.device();
    std::cout << shown.dump() << '\n';
  });
}
