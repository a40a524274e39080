// The order of a layer's weights in memory, chosen so that the inner loop of the forward pass reads
// them front to back and keeps one running sum per output in a register.
//
// Outputs, padded to a multiple of 8, are cut into tiles: as many of 64 as fit, then 32, 16 and 8
// as needed; the last layer has tiles of 8 only. The weights of a tile that begins at output
// `first` are stored from first * in on, as (in, width). Outputs that are padding have weights and
// bias 0.
#pragma once

#include <cstdint>

#include "policy/model.h"

namespace drydock::policy {

struct Tile {
    std::uint32_t first, width;
};

// The tile that output `output` of a layer with `outputs` (padded) outputs is in.
constexpr Tile tile_of(std::uint32_t output, std::uint32_t outputs, bool last_layer) {
    if (last_layer) {
        return {output / 8 * 8, 8};
    }
    std::uint32_t first = outputs / 64 * 64;
    if (output < first) {
        return {output / 64 * 64, 64};
    }
    for (std::uint32_t width = 32; width > 8; width /= 2) {
        if ((outputs & width) != 0) {
            if (output < first + width) {
                return {first, width};
            }
            first += width;
        }
    }
    return {first, 8};
}

// Where in a layer's memory the weight from input `i` to output `o` is.
constexpr std::uint64_t packed_position(std::uint32_t o, std::uint32_t i, std::uint32_t in,
                                        std::uint32_t outputs, bool last_layer) {
    const Tile tile = tile_of(o, outputs, last_layer);
    return std::uint64_t{tile.first} * in + std::uint64_t{i} * tile.width + (o - tile.first);
}

}  // namespace drydock::policy
