// Everything public.
#pragma once

#include "intact/cpu.hpp"
#include "intact/error.hpp"
#include "intact/isa.hpp"
#include "intact/onnx_tensor.hpp"
#include "intact/quantize.hpp"
#include "intact/session.hpp"
#include "intact/tensor.hpp"
#include "intact/version.hpp"
