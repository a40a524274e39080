"""Makes the data files of these tests, in D4RL's layout:

not_finite.hdf5  one reward is NaN
beware.hdf5      one of everything that `drydock data info` warns about, timeouts excepted
"""

import pathlib

import h5py
import numpy as np

ROWS = 20


def columns():
    generator = np.random.default_rng(1)
    observations = generator.normal(size=(ROWS + 1, 3)).astype(np.float32)
    return {
        "observations": observations[:-1],
        "next_observations": observations[1:].copy(),
        "actions": generator.uniform(-1, 1, size=(ROWS, 2)).astype(np.float32),
        "rewards": generator.normal(size=ROWS).astype(np.float32),
        "terminals": np.zeros(ROWS, dtype=bool),
        "timeouts": np.arange(ROWS) % 8 == 7,
    }


def write(name, columns):
    with h5py.File(pathlib.Path(__file__).parent / "data" / name, "w") as file:
        for key, column in columns.items():
            file.create_dataset(key, data=column, track_times=False)


not_finite = columns()
not_finite["rewards"][7] = np.nan
write("not_finite.hdf5", not_finite)

beware = columns()
beware["terminals"][15] = True  # a timeout as well
beware["next_observations"][3] += 1.0
beware["observations"][:, 2] = beware["next_observations"][:, 2] = 0.25
beware["actions"][5, 1] = 1.5
write("beware.hdf5", beware)
