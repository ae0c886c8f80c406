// Rounding of weights so that the outputs of their product change least.
#pragma once

#include <span>
#include <vector>

#include "core/grid.hpp"
#include "quantize/grids/grids.hpp"
#include "quantize/weights/moments.hpp"

namespace intact {

/// f32 weights as integers of `grid` (s8, symmetric, one scale or one per output channel), none
/// beyond `largest`. A
/// weight's rounding error is made up for by the weights of the same output that are rounded after
/// it, as far as their inputs vary together: the nearest plane of the lattice that the covariance
/// of the inputs spans (Babai 1986), which is what GPTQ (Frantar et al. 2022) computes, weights of
/// the most varying inputs first. Around the mean where a bias takes over what the change does to
/// the mean of the output.
Tensor round_by_moments(const Tensor& weights, const WeightLayout& layout, const Grid& grid,
                        const InputMoments& moments, bool around_mean, int largest = wide_weights);

}  // namespace intact
