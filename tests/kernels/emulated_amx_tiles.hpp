// The entries of the emulation. Plain header.
#pragma once

#include "kernels/conv/blocks.hpp"

namespace intact::kernels {

void run_emulated_amx_64(const BlockRows&, const BlockPanel*, int, const Epilogue&,
                         const BlockStage&);
void run_emulated_amx_32(const BlockRows&, const BlockPanel*, int, const Epilogue&,
                         const BlockStage&);
void run_emulated_amx_16(const BlockRows&, const BlockPanel*, int, const Epilogue&,
                         const BlockStage&);
void end_emulated_amx();
int emulated_amx_faults();

}  // namespace intact::kernels
