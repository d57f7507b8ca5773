// What an optimizer step and a checkpoint take: one pass over each weight, against the tensor
// operations that it took the place of and ATen's fused AdamW, in one program on the same numbers.
//   build/release/bin/optimizer_bench [millions of numbers] [threads]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "aim/base/parallel.h"
#include "aim/train/optimizer.h"
#include "aim/train/trainer_state.h"

namespace aim {
namespace {

constexpr int kRounds = 7;
constexpr int64_t kSide = 1024;

struct Numbers {
  explicit Numbers(int64_t count) {
    at::manual_seed(1);
    for (int64_t i = 0; i < std::max<int64_t>(1, count / (kSide * kSide)); ++i) {
      weights["w" + std::to_string(1000 + i)] = at::randn({kSide, kSide});
      grads.push_back(0.01 * at::randn({kSide, kSide}));
      m.push_back(at::zeros({kSide, kSide}));
      v.push_back(at::zeros({kSide, kSide}));
      steps.push_back(at::zeros({}));
    }
  }
  std::vector<at::Tensor> List() const {
    std::vector<at::Tensor> list;
    for (const auto& [name, weight] : weights) list.push_back(weight);
    return list;
  }

  WeightMap weights;
  std::vector<at::Tensor> grads, m, v, steps;
};

double Seconds(const std::function<void()>& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TrainOptions Options(MomentDtype moments) {
  TrainOptions options;
  options.clip_norm = 1.0;  // below the norm: the gradients are scaled, as in most steps
  options.moments = moments;
  return options;
}

// Norm, scaling and the update as one tensor operation after the other, a thread a weight.
void StepByOperations(Numbers& numbers, const TrainOptions& options, double lr, int threads,
                      double step) {
  std::vector<at::Tensor> weights = numbers.List();
  double square = 0;
  for (const at::Tensor& grad : numbers.grads) square += std::pow(grad.norm().item<double>(), 2);
  const double factor = std::min(1.0, options.clip_norm / std::sqrt(square));
  for (at::Tensor& grad : numbers.grads) grad.mul_(factor);
  ParallelFor(std::ssize(weights), threads, [&](int64_t index) {
    const c10::NoGradGuard no_grad;
    at::set_num_threads(1);
    const auto i = static_cast<size_t>(index);
    const at::Tensor& grad = numbers.grads[i];
    weights[i].mul_(1.0 - lr * options.weight_decay);
    numbers.m[i].lerp_(grad, 1.0 - options.beta1);
    numbers.v[i].mul_(options.beta2).addcmul_(grad, grad, 1.0 - options.beta2);
    const double root = std::sqrt(1.0 - std::pow(options.beta2, step));
    weights[i].addcdiv_(numbers.m[i], numbers.v[i].sqrt().div_(root).add_(1e-8),
                        -lr / (1.0 - std::pow(options.beta1, step)));
  });
}

// Of weights, an average and two moments each: what a step waits for when a checkpoint is due, and
// what the thread then does.
nlohmann::json MeasureSaving(const Numbers& numbers) {
  TrainerState state;
  state.weights = state.average = numbers.weights;
  for (const auto& [name, weight] : numbers.weights) {
    for (const char* moment : {"/m", "/v"}) state.moments[name + moment] = weight;
  }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("aim-saving-" + std::to_string(::getpid()));
  TrainerState copy;
  nlohmann::json ms;
  ms["first_copy"] = 1e3 * Seconds([&] { CopyState(state, copy); });
  ms["copy"] = 1e3 * Seconds([&] { CopyState(state, copy); });
  ms["write"] = 1e3 * Seconds([&] { WriteState(copy, folder); });
  std::filesystem::remove_all(folder);
  return ms;
}

nlohmann::json Measure(int64_t count, int threads) {
  at::set_num_threads(threads);
  const TrainOptions options = Options(MomentDtype::kF32);
  Numbers by_operations(count), by_aten(count), in_one(count), in_bf16(count), averaged(count);
  Optimizer one(options, in_one.weights, at::kFloat);
  Optimizer half(Options(MomentDtype::kBf16), in_bf16.weights, at::kFloat);
  WeightMap average;
  for (const auto& [name, weight] : averaged.weights) average[name] = weight.clone();
  std::vector<std::vector<double>> times(5);
  for (int round = 0; round < kRounds; ++round) {
    const double lr = 1e-4;
    times[0].push_back(
        Seconds([&] { StepByOperations(by_operations, options, lr, threads, round + 1); }));
    times[1].push_back(Seconds([&] { one.Step(in_one.weights, in_one.grads, lr, threads); }));
    times[2].push_back(Seconds([&] { half.Step(in_bf16.weights, in_bf16.grads, lr, threads); }));
    times[3].push_back(Seconds([&] {
      for (const at::Tensor& grad : by_aten.grads) (void)grad.norm().item<double>();
      std::vector<at::Tensor> weights = by_aten.List();
      for (at::Tensor& steps : by_aten.steps) steps.add_(1);
      at::_fused_adamw_(weights, by_aten.grads, by_aten.m, by_aten.v, {}, by_aten.steps, lr,
                        options.beta1, options.beta2, options.weight_decay, 1e-8, false, false);
    }));
    times[4].push_back(Seconds([&] {
      for (auto& [name, weight] : average) weight.lerp_(averaged.weights.at(name), 0.002);
    }));
  }
  const std::vector<std::string> names = {"operations", "one_pass", "one_pass_bf16", "aten_fused",
                                          "average"};
  nlohmann::json report = {{"numbers", std::ssize(by_aten.grads) * kSide * kSide},
                           {"threads", threads}};
  for (size_t i = 0; i < names.size(); ++i) {
    std::sort(times[i].begin(), times[i].end());
    report["ms"][names[i]] = 1e3 * times[i][kRounds / 2];
  }
  for (const char* name : {"one_pass", "one_pass_bf16", "aten_fused"})
    report["times_faster_than_operations"][name] =
        report["ms"]["operations"].get<double>() / report["ms"][name].get<double>();
  report["saving_ms"] = MeasureSaving(averaged);
  double largest = 0;
  for (const auto& [name, weight] : in_one.weights) {
    const at::Tensor off = (weight - by_operations.weights.at(name)).abs().max();
    largest = std::max(largest, off.item<double>());
  }
  report["largest_difference_of_a_weight"] = largest;
  return report;
}

}  // namespace
}  // namespace aim

int main(int argc, char** argv) {
  const int64_t millions = argc > 1 ? std::atoll(argv[1]) : 64;
  const int threads = argc > 2 ? std::atoi(argv[2]) : aim::NumProcessors();
  std::cout << aim::Measure(millions * 1'000'000, threads).dump(1) << '\n';
}
