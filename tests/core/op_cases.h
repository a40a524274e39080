// The op table of the tests: for every op, how to build it and a loop that says what it must give.
#pragma once

#include "tests/core/harness.h"

namespace drydock::test {

const std::vector<OpCase>& op_cases();

// Those of products and linear layers (product_cases.cpp).
std::vector<OpCase> product_cases();

// Those of sequences: normalisation, attention (sequence_cases.cpp).
std::vector<OpCase> sequence_cases();

}  // namespace drydock::test
