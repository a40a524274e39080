// The tensors of a transformer's file, in the order of their use.
#pragma once

#include <span>
#include <string_view>

#include "policy/message.h"
#include "policy/model.h"

namespace drydock::policy {

// Calls visit(name, shape) for each until one is refused, and gives the last status.
template <class Visit>
drydock_status sequence_tensors(const Architecture& a, Visit visit) {
    drydock_status status = DRYDOCK_OK;
    const std::uint64_t D = a.embedding_dim;
    const auto pair = [&](std::string_view beginning, std::string_view name,
                          std::span<const std::uint64_t> shape) {
        for (const char* part : {".weight", ".bias"}) {
            char room[48];
            Message full(room);
            full << beginning << name << part;
            const bool bias = part[1] == 'b';
            if (status == DRYDOCK_OK) {
                status = visit(full.text(), bias ? shape.first(1) : shape);
            }
        }
    };
    const auto layer = [&](std::string_view beginning, std::string_view name, std::uint64_t out,
                           std::uint64_t in) {
        const std::uint64_t shape[] = {out, in};
        pair(beginning, name, shape);
    };
    const auto norm = [&](std::string_view beginning, std::string_view name) {
        const std::uint64_t shape[] = {D};
        pair(beginning, name, shape);
    };
    layer("", "embed_return", D, 1);
    layer("", "embed_observation", D, a.observation_size);
    layer("", "embed_action", D, a.action_size);
    norm("", "embed_norm");
    for (std::uint32_t b = 0; b < a.blocks; ++b) {
        char room[16];
        Message block(room);
        block << "blocks." << std::uint64_t{b} << ".";
        norm(block.text(), "norm1");
        layer(block.text(), "attention.qkv", 3 * D, D);
        layer(block.text(), "attention.out", D, D);
        norm(block.text(), "norm2");
        layer(block.text(), "mlp.0", a.mlp_dim, D);
        layer(block.text(), "mlp.1", D, a.mlp_dim);
    }
    norm("", "final_norm");
    layer("", "predict_action", a.action_size, D);
    if (status == DRYDOCK_OK) {
        const std::uint64_t shape[] = {a.episode_len, D};
        status = visit("embed_timestep.weight", shape);
    }
    return status;
}

}  // namespace drydock::policy
