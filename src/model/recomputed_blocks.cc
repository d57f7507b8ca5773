#include "aim/model/recomputed_blocks.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>
#include <vector>

#include "model/dit_context.h"

namespace aim {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What a block works on. Differentiable but for the camera.
struct BlockInputs {
  at::Tensor tokens;                // [B, N, dim]
  at::Tensor time_blocks;           // [U, 6, dim]
  at::Tensor text_key, text_value;  // [B, heads, K, head_dim]
  at::Tensor camera;                // [B, F, P, features], empty without cameras
};

// A network of one block and the parts of its context that have no gradients.
struct OneBlock : torch::CustomClassHolder {
  Dit dit;
  DitContext context;
  at::Tensor time_rows;
};

// The tensors of a block that are there, adapters included.
std::vector<at::Tensor*> TensorsOf(Dit& one) {
  DitBlockWeights& block = one.weights.blocks.at(0);
  std::vector<at::Tensor*> found = {&block.modulation,       &block.norm3_weight,
                                    &block.norm3_bias,       &block.self_attn.norm_q,
                                    &block.self_attn.norm_k, &block.cross_attn.norm_q,
                                    &block.cross_attn.norm_k};
  DitBlockWeights::ForEachLinear(
      block, "", one.options, [&](const std::string&, LinearWeights& part, int64_t, int64_t) {
        found.insert(found.end(), {&part.weight, &part.bias, &part.lora_a, &part.lora_b});
      });
  std::erase_if(found, [](const at::Tensor* tensor) { return !tensor->defined(); });
  return found;
}

at::Tensor Run(const Dit& one, const OneBlock& block, const BlockInputs& inputs) {
  DitContext context = block.context;
  context.text_key = {inputs.text_key};
  context.text_value = {inputs.text_value};
  if (inputs.camera.numel() > 0)
    context.camera = {CameraTokens(one, one.weights.blocks[0], inputs.camera)};
  const DitState state{.tokens = inputs.tokens,
                       .time_head = {},
                       .time_blocks = inputs.time_blocks,
                       .time_rows = block.time_rows};
  return RunBlocks(one, state, context, 0, 1);
}

// The same tensor without its history; a leaf if a gradient is wanted.
at::Tensor Leaf(const at::Tensor& tensor) {
  return tensor.detach().requires_grad_(tensor.requires_grad());
}

struct BlockFunction : public torch::autograd::Function<BlockFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& tokens,
                            const at::Tensor& time_blocks, const at::Tensor& text_key,
                            const at::Tensor& text_value, const at::Tensor& camera,
                            at::TensorList /*weights*/, const c10::intrusive_ptr<OneBlock>& block) {
    context->save_for_backward({tokens, time_blocks, text_key, text_value, camera});
    context->saved_data["block"] = c10::IValue::make_capsule(block);
    // Attention without gradients is another kernel, of other last bits: a graph is made and
    // dropped.
    const c10::AutoGradMode with_graph(true);
    return Run(block->dit, *block, {tokens, time_blocks, text_key, text_value, camera}).detach();
  }

  static variable_list backward(AutogradContext* context, variable_list d_outs) {
    variable_list leaves;
    for (const at::Tensor& saved : context->get_saved_variables()) leaves.push_back(Leaf(saved));
    const BlockInputs inputs{leaves[0], leaves[1], leaves[2], leaves[3], leaves[4]};
    const auto block =
        c10::static_intrusive_pointer_cast<OneBlock>(context->saved_data["block"].toCapsule());
    Dit one = block->dit;
    for (at::Tensor* weight : TensorsOf(one)) {
      *weight = Leaf(*weight);
      leaves.push_back(*weight);
    }
    variable_list wanted;
    for (const at::Tensor& leaf : leaves) {
      if (leaf.requires_grad()) wanted.push_back(leaf);
    }
    const c10::AutoGradMode with_graph(true);
    const at::Tensor out = Run(one, *block, inputs);
    const variable_list found =
        torch::autograd::grad({out}, wanted, d_outs, false, false, /*allow_unused=*/true);
    variable_list gradients;
    size_t next = 0;
    for (const at::Tensor& leaf : leaves)
      gradients.push_back(leaf.requires_grad() ? found[next++] : at::Tensor());
    gradients.emplace_back();  // of the block itself
    return gradients;
  }
};

c10::intrusive_ptr<OneBlock> TakeBlock(const Dit& dit, const DitContext& context,
                                       const DitState& state, size_t index) {
  auto block = c10::make_intrusive<OneBlock>();
  block->dit.options = dit.options;
  block->dit.weights.blocks = {dit.weights.blocks[index]};
  block->dit.compute_dtype = dit.compute_dtype;
  block->dit.numerics = dit.numerics;
  block->context.layout = context.layout;
  block->context.rope_cos = context.rope_cos;
  block->context.rope_sin = context.rope_sin;
  block->context.text_bias = context.text_bias;
  block->time_rows = state.time_rows;
  return block;
}

}  // namespace

at::Tensor ForwardRecomputed(const Dit& dit, const CanvasLayout& layout, const DitInputs& inputs) {
  const DitContext context = PrepareWithoutCamera(dit, layout, inputs.text);
  at::Tensor camera = at::empty({0}, inputs.text.options());
  if (dit.options.camera.mode != CameraMode::kNone) {
    CheckCamera(dit.options, layout, inputs.text.size(0), inputs.camera);
    camera = inputs.camera;
  }
  DitState state = BeginForward(dit, inputs.latents, inputs.timestep, context);
  for (size_t i = 0; i < dit.weights.blocks.size(); ++i) {
    const auto block = TakeBlock(dit, context, state, i);
    std::vector<at::Tensor> weights;
    for (const at::Tensor* weight : TensorsOf(block->dit)) weights.push_back(*weight);
    state.tokens =
        BlockFunction::apply(state.tokens, state.time_blocks, context.text_key[i],
                             context.text_value[i], camera, at::TensorList(weights), block);
  }
  return FinishForward(dit, state, context);
}

}  // namespace aim
