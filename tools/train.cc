#include <iostream>

#include "aim/train/dry_run.h"
#include "aim/train/run_train.h"
#include "tools/cli/cli.h"
#include "tools/cli/stop_signals.h"

int main(int argc, char** argv) {
  CLI::App app{
      "Train a model on videos with action images by masked latent training.\n"
      "OUT/report.html shows how it goes, and samples of every mode at the end; so does\n"
      "tensorboard --logdir OUT.\n"
      "Ctrl-C (SIGINT) or SIGTERM: saves a checkpoint and ends with exit code 128 + the signal; a\n"
      "second one ends at once. --resume goes on from the newest checkpoint, exactly.\n"
      "Under torchrun --no-python, srun or mpirun the ranks share each batch.",
      "aim-train"};
  app.footer(
      "Example: aim-train --config configs/train/tiny.toml --data data/demos --out runs/tiny");
  aim::TrainRunOptions options;
  aim::cli::AddFlags(app, options);
  aim::cli::ShowAsRequired(app, {"data", "out"});
  return aim::cli::Main(app, argc, argv, [&](aim::RunContext& run) {
    if (options.dry_run) {
      std::cout << aim::RunDryTraining(options, run) << '\n';
      return;
    }
    const aim::cli::StopSignals signals(run);
    if (const auto report = aim::RunTrain(options, run)) std::cout << *report << '\n';
  });
}
