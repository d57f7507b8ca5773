// A forward pass for training in less memory ("gradient checkpointing", Chen et al. 2016).
#pragma once

#include "aim/model/dit.h"

namespace aim {

// As PrepareContext and ForwardDit take them.
struct DitInputs {
  at::Tensor latents;   // [B, C, F, h, w]
  at::Tensor timestep;  // [B] or [B, G]
  at::Tensor text;      // [B, L, text_dim]
  at::Tensor camera;    // [B, F, P, features]; undefined if camera.mode is none
};

// ForwardDit, bit for bit, and so are its gradients on the CPU. Of a block its input, [B, N, dim],
// is all that is kept for them: the rest, camera tokens included, is computed again when the
// backward pass comes to the block. The weights must not change in between.
at::Tensor ForwardRecomputed(const Dit& dit, const CanvasLayout& layout, const DitInputs& inputs);

}  // namespace aim
