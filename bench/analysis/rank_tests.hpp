// SPDX-License-Identifier: Apache-2.0
// Are two sets of timings told apart by more than chance? Tests that ask for no distribution, only for ranks.
#pragma once

#include <span>
#include <vector>

namespace speedwell::bench {

// Mann and Whitney's U (1947), two-sided: the probability that two sets from one distribution are at least as unevenly
// mixed as these. Exact for up to 60 values without ties, by the normal approximation with its corrections for ties and
// continuity beyond. 1 if a set is empty.
double mann_whitney_p(std::span<const double> a, std::span<const double> b);

// Wilcoxon's signed ranks (1945), two-sided: the probability that differences which are as often above as below zero
// lie at least as much to one side as these. Zeros are left out. Exact and approximate as above.
double signed_rank_p(std::span<const double> differences);

// Benjamini and Hochberg's step-up (1995): each p value so enlarged that among those which are then at most q, a share
// of at most q is by chance.
std::vector<double> false_discovery_adjusted(std::span<const double> p_values);

}  // namespace speedwell::bench
