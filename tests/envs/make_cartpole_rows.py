"""Writes data/cartpole_rows.csv: single steps of Gymnasium's CartPole-v1.

States reach beyond the track's ends and the angle at which an episode stops. Needs gymnasium and
numpy.
"""

import csv
import pathlib

import gymnasium
import numpy as np

ROWS = 60
NAMES = ["position", "velocity", "angle", "angular_velocity"]


def main():
    environment = gymnasium.make("CartPole-v1").unwrapped
    random = np.random.default_rng(0)
    path = pathlib.Path(__file__).parent / "data" / "cartpole_rows.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*NAMES, "action", *(f"next_{name}" for name in NAMES), "reward", "terminal"])
        for _ in range(ROWS):
            state = random.uniform([-2.6, -3, -0.25, -3], [2.6, 3, 0.25, 3])
            action = int(random.integers(2))
            environment.reset(seed=0)
            environment.state = state.copy()
            _, reward, terminal, _, _ = environment.step(action)
            numbers = [*state, action, *environment.state, reward, terminal]
            writer.writerow([repr(float(x)) for x in numbers])


if __name__ == "__main__":
    main()
