"""Writes the small HDF5 files under data/ with h5py: the same 12 rows in several layouts.

The rows are those of example_dataset() in example.h; every number is a binary fraction, so that
float32 and float64 agree, except the rewards of float64_columns.hdf5. Needs h5py and numpy.
"""

import pathlib

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent / "data"
ROWS, OBSERVATION, ACTION = 12, 3, 2
TERMINAL_ROWS, TIMEOUT_ROWS = [4], [9]


def columns():
    row = np.arange(ROWS)[:, None]
    observations = row + np.arange(OBSERVATION) / 8
    actions = ((3 * row + np.arange(ACTION)) % 9 - 4) / 4
    rewards = np.arange(ROWS) / 2 - 3
    terminals = np.isin(np.arange(ROWS), TERMINAL_ROWS)
    timeouts = np.isin(np.arange(ROWS), TIMEOUT_ROWS)
    next_observations = observations + 1
    next_observations[terminals | timeouts] += 100
    return observations, actions, rewards, terminals, timeouts, next_observations


def main():
    observations, actions, rewards, terminals, timeouts, next_observations = columns()

    with h5py.File(HERE / "contiguous.hdf5", "w") as file:
        file["observations"] = observations.astype(np.float32)
        file["actions"] = actions.astype(np.float32)
        file["rewards"] = rewards.astype(np.float32)
        file["terminals"] = terminals
        file["timeouts"] = timeouts
        file["next_observations"] = next_observations.astype(np.float32)
        file.attrs["env"] = "Example-v0"
        file.attrs["seed"] = 31
        file.attrs["discount"] = 0.5
        file.attrs["fixed"] = np.bytes_("bytes")

    with h5py.File(HERE / "gzip_chunked.hdf5", "w") as file:
        packed = {"compression": "gzip", "shuffle": True}
        file.create_dataset("observations", data=observations.astype("<f4"), chunks=(5, 2), **packed)
        file.create_dataset("actions", data=actions.astype("<f4"), chunks=(4, 1), **packed)
        file.create_dataset("rewards", data=rewards.astype("<f4"), chunks=(5,), **packed)
        file.create_dataset("terminals", data=terminals, chunks=(5,), **packed)
        file.create_dataset("timeouts", data=timeouts, chunks=(5,), **packed)

    with h5py.File(HERE / "float64_columns.hdf5", "w") as file:
        file["observations"] = observations
        file["actions"] = actions.astype(">f8")
        file["rewards"] = 0.1 * np.arange(ROWS)[:, None]
        file["terminals"] = terminals.astype(np.float64)[:, None]
        file["timeouts"] = timeouts.astype(np.uint8)
        file["infos/qpos"] = np.zeros((ROWS, 4))
        file["metadata/algorithm"] = "SAC"
        file["metadata/iteration"] = np.int32(7)

    with h5py.File(HERE / "no_timeouts.hdf5", "w") as file:
        file["observations"] = observations.astype(np.float32)
        file["actions"] = actions.astype(np.float32)
        file["rewards"] = rewards.astype(np.float32)
        file["terminals"] = -terminals.astype(np.int64)


if __name__ == "__main__":
    main()
