// The work of a scheduled program's phases, cut into pieces for the threads.
#pragma once

#include <deque>
#include <span>
#include <vector>

#include "core/lowering.h"
#include "core/planner.h"

namespace drydock {

// What one thread does at a time: units [first, last) of a kernel call, or with last < 0 several
// calls, each whole, one after the other.
struct Piece {
    std::span<const Step> steps;
    std::int64_t first = 0, last = -1;
    // Which part of the phase's memory it touches, from 0 to 1. Pieces lie in this order, so that a
    // thread, which begins with its part of them, finds in its cache what it made a phase before.
    double place = 0.5;
    bool rows = false;  // some rows of a chain
};

// What runs between two meetings of all threads.
struct Phase {
    std::vector<Piece> pieces;
};

// The nodes that have work in a phase, ascending.
std::vector<NodeId> nodes_of(const Phase& phase);

// Computes pieces [first, last) of the Phase that is given: for the thread pool.
void run_pieces(const void* phase, std::int64_t first, std::int64_t last);

// A program that is ready to be cut: scheduled, planned, and lowered node by node to `steps`.
struct Lowered {
    const Program& program;
    const Schedule& schedule;
    const Plan& plan;
    Addresses addresses;
    std::span<const Step> steps;
};

// How finely. The defaults are what is fast; others are for tests.
struct CutOptions {
    double little = 16384;  // numbers touched, or eighths of multiply-adds, below which a node or a
                            // chain is not worth a meeting of threads
    std::int64_t rows = 0;  // of a piece of a chain; 0: as many as suit the cache and the threads
};

// The phases that have work. Nodes with little of it are one piece together; chains are cut by
// rows, for which more calls are bound and kept in `calls` and `kept`; all others by their kernels'
// units. The number of threads decides how finely, which changes no bit of the result.
std::vector<Phase> cut(const Lowered& lowered, int threads, const CutOptions& options,
                       CallStore& calls, std::deque<std::vector<Step>>& kept);

}  // namespace drydock
