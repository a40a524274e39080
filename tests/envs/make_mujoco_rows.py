"""Writes data/mujoco_rows_TASK.csv: single steps of gymnasium's own v4 classes.

Every row starts from a reset simulation (mj_resetData, then set_state as gymnasium does it), so that
it depends on nothing but its state and action. Columns: name of the row's kind, qpos and qvel before,
the raw action (float32 numbers, some beyond the bounds; the class gets it clipped, as float64, which
is what D4RL's wrapper hands on), qpos and qvel after, reward, terminated, observation after.

Kinds: `visited` states of episodes under random actions, `fast` ones with velocities
beyond the observation's clip, `saturated` actions beyond the bounds, and `edge` states on both sides
of every healthy limit. data/mujoco_limits_TASK.csv holds states without a step, to the last bit around
each limit, and what the class says of them.

Needs a virtual environment with gymnasium==1.0.0, mujoco==3.2.3, numpy<3 and imageio:
    python3 tests/envs/make_mujoco_rows.py [FOLDER]    (default: tests/envs/data)
"""

import csv
import pathlib
import sys

import mujoco
import numpy as np
from gymnasium.envs.mujoco.half_cheetah_v4 import HalfCheetahEnv
from gymnasium.envs.mujoco.hopper_v4 import HopperEnv
from gymnasium.envs.mujoco.walker2d_v4 import Walker2dEnv

TASKS = {"hopper": HopperEnv, "halfcheetah": HalfCheetahEnv, "walker2d": Walker2dEnv}


def float32(numbers):
    return np.asarray(numbers, dtype=np.float32).astype(np.float64)


def visited_states(environment, random, count):
    """States of episodes under random actions, each from a random step of its own episode or, where
    the episode ended before, from the step that ended it."""
    states = []
    while len(states) < count:
        environment.reset(seed=int(random.integers(1 << 31)))
        for _ in range(int(random.integers(1, 60))):
            state = environment.data.qpos.copy(), environment.data.qvel.copy()
            if environment.step(float32(random.uniform(-1, 1, environment.model.nu)))[2]:
                break
        states.append(state)
    return states


def edge_states(name, environment, random):
    """States near which the task ends, such that the step lands on either side of the limit."""
    edges = []
    if name == "halfcheetah":
        heights, angles = [0.2, -0.3], [3.0, -3.2]
    elif name == "hopper":
        heights, angles = [0.69, 0.7, 0.71, 0.72], [0.19, 0.2, 0.21, -0.19, -0.2, -0.21]
    else:
        heights = [0.79, 0.8, 0.81, 1.98, 2.0, 2.02]
        angles = [0.98, 1.0, 1.02, -0.98, -1.0, -1.02]
    rest = environment.init_qpos
    for height in heights:
        qpos = rest.copy()
        qpos[1] = height
        edges.append((qpos, random.normal(0, 0.5, rest.size)))
    for angle in angles:
        qpos = rest.copy()
        qpos[1] += 0.05
        qpos[2] = angle
        edges.append((qpos, random.normal(0, 0.5, rest.size)))
    # Single numbers at the limit of 100 (hopper), in the air so that contacts do not stop them.
    for speed in [95.0, 101.0, 130.0, -101.0, -130.0]:
        for index in [0, 1, rest.size - 1]:
            qpos, qvel = rest.copy(), np.zeros(rest.size)
            qpos[1] += 1.0 if name == "hopper" else 0.3
            qvel[index] = speed
            edges.append((qpos, qvel))
    return edges


def fast_states(environment, random, count):
    states = []
    for _ in range(count):
        qpos = environment.init_qpos + random.uniform(-0.1, 0.1, environment.model.nq)
        qpos[1] += random.uniform(0, 0.4)
        states.append((qpos, random.normal(0, 12, environment.model.nv)))
    return states


def around(limit):
    return [np.nextafter(limit, -np.inf), limit, np.nextafter(limit, np.inf)]


def limit_states(name, environment):
    """States to the last bit on, below and above each healthy limit, and some that are not finite.

    Left out is where gymnasium calls a state healthy that is not finite (it does not look at x, and
    in walker2d at nothing but height and angle): drydock ends there, as gym's v2 hopper does."""
    rest = environment.init_qpos
    if name == "hopper":
        heights, angles, looked_at = around(0.7) + [50.0], around(0.2) + around(-0.2), 12
    else:
        heights, angles, looked_at = around(0.8) + around(2.0), around(1.0) + around(-1.0), 3
    numbers = [(1, x) for x in heights] + [(2, x) for x in angles]
    for index in [5, 6, 7, 11] if name == "hopper" else [8, 9, 17]:
        numbers += [(index, x) for x in around(100.0) + around(-100.0)]
    numbers += [(i, x) for i in range(1, looked_at) for x in [np.nan, np.inf, -np.inf]]
    for index, number in numbers:
        state = np.concatenate([rest, np.zeros(rest.size)])
        state[index] = number
        yield state


def write_limits(name, environment, folder):
    nq, nv = environment.model.nq, environment.model.nv
    with open(folder / f"mujoco_limits_{name}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        header = [f"qpos{i}" for i in range(nq)] + [f"qvel{i}" for i in range(nv)]
        writer.writerow(["kind"] + header + ["terminated"])
        for state in limit_states(name, environment):
            environment.data.qpos[:], environment.data.qvel[:] = state[:nq], state[nq:]
            writer.writerow(["limit"] + [repr(float(x)) for x in [*state, environment.terminated]])


def rows_of(name, environment):
    random = np.random.default_rng(0)
    inside = lambda: float32(random.uniform(-1, 1, environment.model.nu))
    beyond = lambda: float32(random.uniform(-2.5, 2.5, environment.model.nu))
    for qpos, qvel in visited_states(environment, random, 40):
        yield "visited", qpos, qvel, inside()
    for qpos, qvel in visited_states(environment, random, 10):
        yield "saturated", qpos, qvel, beyond()
    for qpos, qvel in fast_states(environment, random, 15):
        yield "fast", qpos, qvel, inside()
    for qpos, qvel in edge_states(name, environment, random):
        yield "edge", qpos, qvel, inside()


def main():
    here = pathlib.Path(__file__).parent / "data"
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    print("MuJoCo", mujoco.__version__)
    for name, make in TASKS.items():
        environment = make()
        nq, nv, nu = environment.model.nq, environment.model.nv, environment.model.nu
        header = ["kind"]
        header += [f"qpos{i}" for i in range(nq)] + [f"qvel{i}" for i in range(nv)]
        header += [f"action{i}" for i in range(nu)]
        header += [f"next_qpos{i}" for i in range(nq)] + [f"next_qvel{i}" for i in range(nv)]
        header += ["reward", "terminated"]
        header += [f"observation{i}" for i in range(nq - 1 + nv)]
        ended = 0
        with open(folder / f"mujoco_rows_{name}.csv", "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            for kind, qpos, qvel, action in rows_of(name, environment):
                mujoco.mj_resetData(environment.model, environment.data)
                environment.set_state(qpos, qvel)
                observation, reward, terminated, _, _ = environment.step(np.clip(action, -1, 1))
                after = [environment.data.qpos, environment.data.qvel]
                result = [[reward, terminated], observation]
                numbers = np.concatenate([qpos, qvel, action, *after, *result])
                writer.writerow([kind] + [repr(float(x)) for x in numbers])
                ended += terminated
        print(f"{name}: {ended} rows end the task")
        if name != "halfcheetah":
            write_limits(name, environment, folder)


if __name__ == "__main__":
    main()
