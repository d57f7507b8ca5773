#include "aim/model/lora.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "aim/base/error.h"
#include "aim/base/text.h"
#include "aim/tensor/shape.h"

namespace aim {
namespace {

std::string NameOfA(const std::string& matrix) { return matrix + std::string(kLoraA); }
std::string NameOfB(const std::string& matrix) { return matrix + std::string(kLoraB); }

// Calls visit(name, part, out, in) for every matrix of every block.
template <class Blocks, class Visitor>
void ForEachBlockMatrix(Blocks& blocks, const DitOptions& options, Visitor&& visit) {
  for (size_t i = 0; i < blocks.size(); ++i)
    DitBlockWeights::ForEachLinear(blocks[i], "blocks." + std::to_string(i), options, visit);
}

struct MatrixShape {
  int64_t out = 0;
  int64_t in = 0;
};

std::map<std::string, MatrixShape> BlockMatrices(const DitOptions& options) {
  const std::vector<DitBlockWeights> blocks(static_cast<size_t>(options.num_layers));
  std::map<std::string, MatrixShape> shapes;
  ForEachBlockMatrix(blocks, options,
                     [&](const std::string& name, const LinearWeights&, int64_t out, int64_t in) {
                       shapes[name] = {out, in};
                     });
  return shapes;
}

// What is wrong with the factors of one matrix; empty if nothing is.
std::string FaultOf(const std::string& name, const MatrixShape& shape, const WeightMap& weights) {
  const auto a = weights.find(NameOfA(name)), b = weights.find(NameOfB(name));
  if (a == weights.end()) return NameOfA(name) + " missing";
  if (b == weights.end()) return NameOfB(name) + " missing";
  const auto text = [](const at::Tensor& tensor) { return ShapeText(tensor.sizes()); };
  if (a->second.dim() != 2 || a->second.size(1) != shape.in) {
    return NameOfA(name) + " " + text(a->second) + ", not [rank, " + std::to_string(shape.in) + "]";
  }
  const int64_t rank = a->second.size(0);
  const std::vector<int64_t> expected = {shape.out, rank};
  if (b->second.sizes() != at::IntArrayRef(expected))
    return NameOfB(name) + " " + text(b->second) + ", not " + ShapeText(expected);
  return "";
}

// The parts of names between dots that are no numbers, each once.
std::vector<std::string> WordsIn(const std::vector<std::string>& names) {
  std::set<std::string> words;
  for (const std::string& name : names) {
    std::istringstream parts(name);
    for (std::string word; std::getline(parts, word, '.');) {
      if (word.find_first_not_of("0123456789") != std::string::npos) words.insert(word);
    }
  }
  return {words.begin(), words.end()};
}

}  // namespace

std::optional<std::string> LoraMatrix(const std::string& name) {
  for (const std::string_view ending : {kLoraA, kLoraB}) {
    if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
  }
  return std::nullopt;
}

bool HoldsWord(const std::string& name, const std::string& word) {
  return !word.empty() && ("." + name + ".").find("." + word + ".") != std::string::npos;
}

std::vector<std::string> NamesThatHold(const std::vector<std::string>& names,
                                       const std::vector<std::string>& words,
                                       const std::string& key) {
  for (const std::string& word : words) {
    if (std::ranges::any_of(names, [&](const auto& name) { return HoldsWord(name, word); }))
      continue;
    throw ConfigError({.where = key,
                       .got = Excerpt(word),
                       .expected = "words of weights' names: " + Join(WordsIn(names)),
                       .fix = ""});
  }
  std::vector<std::string> found;
  for (const std::string& name : names) {
    if (std::ranges::any_of(words, [&](const auto& word) { return HoldsWord(name, word); }))
      found.push_back(name);
  }
  return found;
}

std::vector<std::string> LoraTargets(const DitOptions& dit, const LoraOptions& options) {
  std::vector<std::string> names;
  for (const auto& [name, shape] : BlockMatrices(dit)) names.push_back(name);
  return NamesThatHold(names, options.targets, "lora.targets");
}

ShapeMap LoraShapes(const DitOptions& dit, const LoraOptions& options) {
  const std::map<std::string, MatrixShape> matrices = BlockMatrices(dit);
  ShapeMap shapes;
  for (const std::string& name : LoraTargets(dit, options)) {
    const MatrixShape& shape = matrices.at(name);
    shapes[NameOfA(name)] = {options.rank, shape.in};
    shapes[NameOfB(name)] = {shape.out, options.rank};
  }
  return shapes;
}

Lora InitialLora(const DitOptions& dit, const LoraOptions& options, const Rng& rng) {
  Lora lora{.scale = options.scale()};
  for (const auto& [name, shape] : LoraShapes(dit, options)) {
    at::Tensor& factor = lora.weights[name] = at::zeros(shape, at::kFloat);
    if (name.ends_with(kLoraB)) continue;
    Rng numbers = rng.Derive(0, LoraMatrix(name).value());
    const double bound = 1 / std::sqrt(static_cast<double>(shape[1]));
    for (int64_t i = 0; i < factor.numel(); ++i)
      factor.data_ptr<float>()[i] = static_cast<float>(bound * (2 * numbers.Uniform() - 1));
  }
  return lora;
}

void CheckLora(const DitOptions& dit, const Lora& lora, const std::string& where) {
  const std::map<std::string, MatrixShape> matrices = BlockMatrices(dit);
  std::vector<std::string> faults;
  for (const auto& [name, shape] : matrices) {
    if (!lora.weights.contains(NameOfA(name)) && !lora.weights.contains(NameOfB(name))) continue;
    if (const std::string fault = FaultOf(name, shape, lora.weights); !fault.empty())
      faults.push_back(fault);
  }
  for (const auto& [name, tensor] : lora.weights) {
    const std::optional<std::string> matrix = LoraMatrix(name);
    if (!matrix || !matrices.contains(*matrix)) faults.push_back(name + " unknown");
  }
  if (lora.weights.empty()) faults.emplace_back("no factors at all");
  if (faults.empty()) return;
  throw InputError({.where = where,
                    .got = Join(faults),
                    .expected = "two factors a matrix of this network, " + NameOfA("MATRIX") +
                                " and " + NameOfB("MATRIX"),
                    .fix = "take an adapter that was trained for this model"});
}

void AttachLora(Dit& dit, const Lora& lora) {
  ForEachBlockMatrix(dit.weights.blocks, dit.options,
                     [&](const std::string& name, LinearWeights& part, int64_t, int64_t) {
                       const auto a = lora.weights.find(NameOfA(name));
                       if (a == lora.weights.end()) return;
                       part.lora_a = a->second;
                       part.lora_b = lora.weights.at(NameOfB(name));
                       part.lora_scale = lora.scale;
                     });
}

at::Tensor MergedWeight(const std::string& name, const at::Tensor& weight, const Lora& lora) {
  constexpr std::string_view kWeight = ".weight";
  if (!name.ends_with(kWeight)) return weight;
  const std::string matrix = name.substr(0, name.size() - kWeight.size());
  const auto a = lora.weights.find(NameOfA(matrix));
  if (a == lora.weights.end()) return weight;
  const auto whole = [&](const at::Tensor& tensor) {
    return tensor.to(weight.device(), at::kFloat);
  };
  const at::Tensor change = at::mm(whole(lora.weights.at(NameOfB(matrix))), whole(a->second));
  return whole(weight).add(change, lora.scale).to(weight.scalar_type());
}

}  // namespace aim
