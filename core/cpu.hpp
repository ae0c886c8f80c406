// CPU features: declared in the public API.
#pragma once

#include "intact/cpu.hpp"
