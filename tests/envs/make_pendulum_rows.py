"""Writes data/pendulum_rows.csv: single steps of Gymnasium's Pendulum-v1.

States reach beyond what an episode visits (angles of several turns, speeds at the limit) and
torques beyond the bounds. Torques are float64, so that nothing in Gymnasium is rounded to float32.
Needs gymnasium and numpy.
"""

import csv
import pathlib

import gymnasium
import numpy as np

ROWS = 60


def main():
    environment = gymnasium.make("Pendulum-v1").unwrapped
    environment.reset(seed=0)
    random = np.random.default_rng(0)
    path = pathlib.Path(__file__).parent / "data" / "pendulum_rows.csv"
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["angle", "velocity", "torque", "next_angle", "next_velocity", "reward"])
        for row in range(ROWS):
            angle = random.uniform(-12, 12) if row % 3 else random.uniform(-np.pi, np.pi)
            velocity = random.uniform(-8, 8)
            torque = random.uniform(-3, 3)
            environment.state = np.array([angle, velocity])
            _, reward, _, _, _ = environment.step(np.array([torque], dtype=np.float64))
            next_angle, next_velocity = environment.state
            numbers = [angle, velocity, torque, next_angle, next_velocity, reward]
            writer.writerow([repr(float(x)) for x in numbers])


if __name__ == "__main__":
    main()
