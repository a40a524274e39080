"""Makes data/not_finite.hdf5: a file in D4RL's layout with one NaN among its rewards."""

import pathlib

import h5py
import numpy as np

rows = 20
generator = np.random.default_rng(1)
rewards = generator.normal(size=rows).astype(np.float32)
rewards[7] = np.nan
path = pathlib.Path(__file__).parent / "data" / "not_finite.hdf5"
with h5py.File(path, "w") as file:
    file["observations"] = generator.normal(size=(rows, 3)).astype(np.float32)
    file["actions"] = generator.uniform(-1, 1, size=(rows, 2)).astype(np.float32)
    file["rewards"] = rewards
    file["terminals"] = np.zeros(rows, dtype=bool)
    file["timeouts"] = np.arange(rows) % 10 == 9
