#!/usr/bin/env python3
"""Record a trace file by running a published implementation of an algorithm.

A trace (docs/traces.md) holds everything that a replay needs: the data, the rows of every batch, the
parameters before and after, and the losses of every update. This script has no reading of its own of
an algorithm: it imports the classes of a checkout of CORL, which the user supplies, and runs them.

    pip install -r scripts/requirements-trace.txt
    git clone https://github.com/tinkoff-ai/CORL corl
    scripts/make_trace.py --corl corl --seed 1 --fp64 --check -o iql.safetensors
    scripts/make_trace.py --corl corl --algorithm bc --seed 1 --fp64 --check -o bc.safetensors
    scripts/make_trace.py --corl corl --algorithm cql --lagrange --fp64 --check -o cql.safetensors
    scripts/make_trace.py --corl corl --algorithm td3bc --seed 1 --fp64 --check -o td3bc.safetensors
    scripts/make_trace.py --corl corl --algorithm dt --seed 1 --fp64 --check -o dt.safetensors
"""

import argparse
import contextlib
import copy
import importlib.util
import json
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from safetensors.numpy import save_file

import trace_dt

# What `drydock verify` allows: the metrics, then the parameters of a run.
TOLERANCES = {"fp32": (1e-4, 5e-3), "fp64": (1e-10, 1e-6)}
# A committed trace must leave room for other machines: the check demands this share of a tolerance.
CHECK_SHARE = 0.25


# What CORL imports for its training loops alone.
UNUSED_PACKAGES = ("d4rl", "gym", "pyrallis", "tqdm", "tqdm.auto", "wandb")


def load_corl(checkout, name):
    """Import one of CORL's single files without the packages that only its training loop needs."""
    if not checkout:
        sys.exit("make_trace: expected --corl, the root of a CORL checkout, for this algorithm")
    path = Path(checkout) / "algorithms" / "offline" / f"{name}.py"
    if not path.is_file():
        sys.exit(f"make_trace: expected CORL's {path}; pass --corl the root of a CORL checkout")
    spec = importlib.util.spec_from_file_location(f"corl_{name}", path)
    module = importlib.util.module_from_spec(spec)
    stubs = {package: mock.MagicMock() for package in UNUSED_PACKAGES}
    with mock.patch.dict(sys.modules, {**stubs, spec.name: module}):
        spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def precision(dtype, fp32_masks=False):
    """Run a block in `dtype`.

    CORL casts masks with .float() and multiplies them by Python floats before anything in double
    meets them, which rounds the discount and the expectile to fp32. In an fp64 run .float() therefore
    means .double(): otherwise the twin would be off by 1e-8 and could not be held to 1e-10. With
    `fp32_masks` it stays as CORL wrote it; `drydock verify` recognises such recordings.
    """
    if dtype == torch.float32:
        yield
        return
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        cast = torch.Tensor.float if fp32_masks else torch.Tensor.double
        with mock.patch.object(torch.Tensor, "float", cast):
            yield
    finally:
        torch.set_default_dtype(default)


def synthetic_transitions(rng, rows, observation_size, action_size, max_action, reward_scale):
    """Episodes of a smooth random system: some end in a terminal state, the others are cut."""
    mix = rng.normal(size=(observation_size, observation_size)) / np.sqrt(observation_size)
    push = rng.normal(size=(action_size, observation_size)) / np.sqrt(action_size)
    goal = rng.normal(size=observation_size)
    columns = {k: [] for k in ("observations", "actions", "rewards", "next_observations", "terminals")}
    state, age = rng.normal(size=observation_size), 0
    for _ in range(rows):
        action = 0.95 * max_action * np.tanh(rng.normal(size=action_size))
        following = 0.8 * state + 0.5 * np.tanh(state @ mix + action @ push)
        following += 0.05 * rng.normal(size=observation_size)
        reward = np.tanh(following @ goal / np.sqrt(observation_size)) - 0.1 * np.sum(action**2)
        terminal = following[0] > 0.8
        for name, value in zip(columns, (state, action, reward, following, terminal)):
            columns[name].append(value)
        state, age = following, age + 1
        if terminal or age == 50:
            state, age = rng.normal(size=observation_size), 0
    # Rewards around zero keep Q small next to the advantages: less is lost in Q - V.
    rewards = np.asarray(columns["rewards"])
    columns["rewards"] = reward_scale * (rewards - rewards.mean())
    return {name: np.asarray(values, dtype=np.float32) for name, values in columns.items()}


def d4rl_transitions(rng, rows, path, reward_scale):
    """Rows of a D4RL file in the (s, a, r, s', terminal) view that D4RL's users train on.

    The next observation is the row after, so the last row and rows that end by a timeout are left out.
    """
    import h5py

    with h5py.File(path, "r") as file:
        observations = file["observations"][:].astype(np.float32)
        terminals = file["terminals"][:].astype(bool)
        timeouts = file["timeouts"][:].astype(bool) if "timeouts" in file else np.zeros_like(terminals)
        keep = np.flatnonzero(~timeouts[:-1])
        keep = np.sort(rng.choice(keep, size=min(rows, keep.size), replace=False))
        return {
            "observations": observations[keep],
            "actions": file["actions"][:].astype(np.float32)[keep],
            "rewards": reward_scale * file["rewards"][:].astype(np.float32)[keep],
            "next_observations": observations[keep + 1],
            "terminals": terminals[keep].astype(np.float32),
        }


def prepare_data(corl, rng, options):
    """The data columns as the networks see them: fp32, observations normalised as CORL does it."""
    if options.dataset:
        data = d4rl_transitions(rng, options.rows, options.dataset, options.reward_scale)
    else:
        data = synthetic_transitions(rng, options.rows, options.observation_size,
                                     options.action_size, options.max_action,
                                     options.reward_scale)
    mean, std = data["observations"].mean(0), data["observations"].std(0) + 1e-3
    if corl:
        mean, std = corl.compute_mean_std(data["observations"], eps=1e-3)
    for name in ("observations", "next_observations"):
        data[name] = ((data[name] - mean) / std).astype(np.float32)
    return data


def linear_parameters(prefix, network):
    """{"q1.layers.0.weight": tensor, ...}: the linear layers of `network` in order."""
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Linear)]
    named = {}
    for index, layer in enumerate(layers):
        named[f"{prefix}.layers.{index}.weight"] = layer.weight
        named[f"{prefix}.layers.{index}.bias"] = layer.bias
    return named


def hidden_arguments(hidden):
    if len(set(hidden)) != 1:
        sys.exit(f"make_trace: CORL's networks have hidden layers of one size; got --hidden {hidden}")
    return {"hidden_dim": hidden[0], "n_hidden": len(hidden)}


class CorlRun:
    """One of CORL's trainers with networks of the wanted sizes, in one precision.

    A subclass makes `self.trainer` and says what its parameters, metrics and settings are called.
    """

    file = None  # of algorithms/offline/
    metrics = {}  # our name: CORL's
    columns = ("observations", "actions", "rewards", "next_observations", "terminals")

    def __init__(self, corl, options, dtype, parameters):
        self.corl, self.options, self.dtype = corl, options, dtype
        if parameters is not None:
            with torch.no_grad():
                for name, parameter in self.named_parameters().items():
                    parameter.copy_(torch.from_numpy(parameters[name]))

    def named_parameters(self):
        raise NotImplementedError

    def snapshot(self):
        return {n: p.detach().numpy().copy() for n, p in self.named_parameters().items()}

    @staticmethod
    def noise_shapes(options, sizes):
        """Streams of random numbers in one update: {name: (shape, "normal" or "uniform")}."""
        return {}

    def clipped_weights(self, batch):
        """How many weights of the next update meet an upper limit; for BC there are none."""
        return 0

    def drawing(self, _draws):
        """A block in which the trainer draws these numbers, {stream: tensor}, and no others."""
        return contextlib.nullcontext()

    @staticmethod
    def adapt(data, options):
        """The data as this algorithm takes them."""
        return data

    def train_one(self, batch):
        """One update; returns its losses under CORL's names."""
        return self.trainer.train(batch)

    def train(self, data, indices, noise):
        """One update per row of `indices`; returns the metric columns and the clipped weights.

        A metric that an update does not have is NaN there. `noise` is {stream: (updates, ...)}.
        """
        columns = {k: torch.from_numpy(v).to(self.dtype) for k, v in data.items()}
        losses = {name: [] for name in self.metrics}
        clipped = 0
        with precision(self.dtype, self.options.fp32_masks):
            for k, rows in enumerate(torch.from_numpy(indices)):
                batch = [columns["observations"][rows], columns["actions"][rows],
                         columns["rewards"][rows, None], columns["next_observations"][rows],
                         columns["terminals"][rows, None]]
                clipped += self.clipped_weights(batch)
                draws = {n: torch.from_numpy(v[k]).to(self.dtype) for n, v in noise.items()}
                with self.drawing(draws):
                    log = self.train_one(batch)
                for name, theirs in self.metrics.items():
                    losses[name].append(log.get(theirs, float("nan")))
        real = np.float64 if self.dtype == torch.float64 else np.float32
        return {name: np.asarray(v, dtype=real) for name, v in losses.items()}, clipped

    def shared_hyperparameters(self, optimizer):
        """Settings of any run, by drydock's names, read off the objects that were run."""
        adam = optimizer.defaults
        layer_sizes = {}
        for name, parameter in self.named_parameters().items():
            network, _, rest = name.partition(".")
            if rest.endswith("weight") and not network.endswith("_target"):
                out, inner = parameter.shape
                layer_sizes.setdefault(network, [inner]).append(out)
        return {
            "batch_size": self.options.batch, "max_action": self.options.max_action,
            "discount": self.options.discount, "adam_beta1": adam["betas"][0],
            "adam_beta2": adam["betas"][1], "adam_epsilon": adam["eps"],
            "weight_decay": adam["weight_decay"], "gradient_clip": None,
            "learning_rate_schedule": "constant", "max_steps": self.options.max_steps,
            "warmup_steps": 0, "layer_sizes": layer_sizes,
        }


class IqlRun(CorlRun):
    """CORL's ImplicitQLearning."""

    file = "iql"
    metrics = {"v_loss": "value_loss", "q_loss": "q_loss", "actor_loss": "actor_loss"}

    def __init__(self, corl, options, sizes, dtype, learning_rate, polyak, parameters=None):
        sizes_of = hidden_arguments(options.hidden)
        observation_size, action_size = sizes
        policy = corl.DeterministicPolicy if options.deterministic else corl.GaussianPolicy
        self.actor = policy(observation_size, action_size, options.max_action, **sizes_of).to(dtype)
        self.q = corl.TwinQ(observation_size, action_size, **sizes_of).to(dtype)
        self.v = corl.ValueFunction(observation_size, **sizes_of).to(dtype)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=learning_rate)
            for network in (self.actor, self.q, self.v)
        ]
        self.trainer = corl.ImplicitQLearning(
            max_action=options.max_action, actor=self.actor, actor_optimizer=self.optimizers[0],
            q_network=self.q, q_optimizer=self.optimizers[1], v_network=self.v,
            v_optimizer=self.optimizers[2], iql_tau=options.expectile, beta=options.temperature,
            max_steps=options.max_steps, discount=options.discount, tau=polyak)
        super().__init__(corl, options, dtype, parameters)

    def named_parameters(self):
        named = {}
        target = self.trainer.q_target
        for prefix, network in (("q1", self.q.q1), ("q2", self.q.q2), ("v", self.v),
                                ("actor", self.actor), ("q1_target", target.q1),
                                ("q2_target", target.q2)):
            named.update(linear_parameters(prefix, network))
        if not self.options.deterministic:
            named["actor.log_std"] = self.actor.log_std
        return named

    def clipped_weights(self, batch):
        with torch.no_grad():
            advantage = self.trainer.q_target(batch[0], batch[1]) - self.v(batch[0])
            weight = torch.exp(self.options.temperature * advantage)
        return int((weight > self.corl.EXP_ADV_MAX).sum())

    def hyperparameters(self):
        options = self.options
        return {
            **self.shared_hyperparameters(self.optimizers[0]),
            "polyak": options.polyak, "target_update_period": 1,
            "q_learning_rate": options.learning_rate, "v_learning_rate": options.learning_rate,
            "actor_learning_rate": options.learning_rate, "actor_learning_rate_schedule": "cosine",
            "expectile": options.expectile, "temperature": options.temperature,
            "exp_advantage_max": self.corl.EXP_ADV_MAX, "log_std_min": self.corl.LOG_STD_MIN,
            "log_std_max": self.corl.LOG_STD_MAX, "deterministic_policy": options.deterministic,
        }


class BcRun(CorlRun):
    """CORL's BC. Its actor has fixed sizes: its linear layers are exchanged, nothing else is."""

    file = "any_percent_bc"
    metrics = {"actor_loss": "actor_loss"}
    columns = ("observations", "actions")

    def __init__(self, corl, options, sizes, dtype, learning_rate, _polyak, parameters=None):
        observation_size, action_size = sizes
        self.actor = corl.Actor(observation_size, action_size, options.max_action)
        resize_layers(self.actor.net, [observation_size, *options.hidden, action_size])
        self.actor.to(dtype)
        self.optimizer = torch.optim.Adam(self.actor.parameters(), lr=learning_rate)
        self.trainer = corl.BC(
            max_action=options.max_action, actor=self.actor, actor_optimizer=self.optimizer,
            discount=options.discount)
        super().__init__(corl, options, dtype, parameters)

    def named_parameters(self):
        return linear_parameters("actor", self.actor)

    def hyperparameters(self):
        return {**self.shared_hyperparameters(self.optimizer),
                "learning_rate": self.options.learning_rate, "actor_learning_rate": None}


class CqlRun(CorlRun):
    """CORL's ContinuousCQL. Its networks are 256 wide: their linear layers are exchanged.

    The random numbers that it draws are taken from the recording: PyTorch's source of standard normal
    numbers for distributions and Tensor.uniform_ are replaced while an update runs.
    """

    file = "cql"
    metrics = {"q1_td_loss": "qf1_loss", "q2_td_loss": "qf2_loss",
               "q1_conservative_loss": "cql_min_qf1_loss", "q2_conservative_loss": "cql_min_qf2_loss",
               "alpha": "alpha", "alpha_prime": "alpha_prime", "actor_loss": "policy_loss"}
    # In the order in which CORL draws them.
    normal_streams = ("policy_action", "target_action", "current_actions", "next_actions")

    def __init__(self, corl, options, sizes, dtype, learning_rate, polyak, parameters=None):
        observation_size, action_size = sizes
        pair = observation_size + action_size
        hidden = options.hidden
        first = options.q1_hidden or hidden
        self.actor = corl.TanhGaussianPolicy(observation_size, action_size, options.max_action)
        resize_layers(self.actor.base_network, [observation_size, *hidden, 2 * action_size])
        self.critics = []
        for layers in (first, hidden):
            critic = corl.FullyConnectedQFunction(observation_size, action_size, True, len(layers))
            resize_layers(critic.network, [pair, *layers, 1])
            self.critics.append(critic.to(dtype))
        self.actor.to(dtype)
        faster = learning_rate / options.learning_rate  # of a warm-up
        self.actor_rate = options.actor_learning_rate
        adam = torch.optim.Adam
        self.optimizer = adam(self.critics[0].parameters(), lr=learning_rate)
        self.trainer = corl.ContinuousCQL(
            critic_1=self.critics[0], critic_1_optimizer=self.optimizer,
            critic_2=self.critics[1],
            critic_2_optimizer=adam(self.critics[1].parameters(), lr=learning_rate),
            actor=self.actor,
            actor_optimizer=adam(self.actor.parameters(), lr=faster * self.actor_rate),
            target_entropy=-action_size, discount=options.discount,
            alpha_multiplier=options.alpha_multiplier,
            use_automatic_entropy_tuning=not options.fixed_alpha,
            backup_entropy=options.backup_entropy, policy_lr=faster * self.actor_rate,
            qf_lr=learning_rate, soft_target_update_rate=polyak, bc_steps=0,
            target_update_period=options.target_update_period,
            cql_n_actions=options.n_actions,
            cql_importance_sample=not options.no_importance_sample,
            cql_lagrange=options.lagrange, cql_target_action_gap=options.target_action_gap,
            cql_temp=options.cql_temperature, cql_alpha=options.cql_alpha,
            cql_max_target_backup=options.max_target_backup,
            cql_clip_diff_min=options.clip_difference_min,
            cql_clip_diff_max=options.clip_difference_max)
        # CORL has no log_alpha where alpha is fixed; a trace always has one.
        self.log_alpha = self.trainer.log_alpha or corl.Scalar(0.0)
        for scalar in (self.log_alpha, self.trainer.log_alpha_prime):
            scalar.to(dtype)
        super().__init__(corl, options, dtype, parameters)

    @staticmethod
    def noise_shapes(options, sizes):
        one = (options.batch, sizes[1])
        several = (options.batch, options.n_actions, sizes[1])
        return {"policy_action": (one, "normal"),
                "target_action": (several if options.max_target_backup else one, "normal"),
                "current_actions": (several, "normal"), "next_actions": (several, "normal"),
                "random_actions": (several, "uniform")}

    @contextlib.contextmanager
    def drawing(self, draws):
        waiting = [draws[name] for name in self.normal_streams]

        def standard_normal(shape, dtype, device):
            values = waiting.pop(0)
            assert tuple(shape) == tuple(values.shape) and dtype == values.dtype, "order of draws"
            return values

        def uniform(tensor, low, high):
            assert (low, high) == (-1, 1) and tensor.shape == draws["random_actions"].shape
            return tensor.copy_(draws["random_actions"])

        with mock.patch("torch.distributions.normal._standard_normal", standard_normal), \
                mock.patch.object(torch.Tensor, "uniform_", uniform):
            yield
        assert not waiting, "CORL drew less often than expected"

    def named_parameters(self):
        named = {}
        trainer = self.trainer
        for prefix, network in (("q1", self.critics[0]), ("q2", self.critics[1]),
                                ("q1_target", trainer.target_critic_1),
                                ("q2_target", trainer.target_critic_2), ("actor", self.actor)):
            named.update(linear_parameters(prefix, network))
        named["actor.log_std_multiplier"] = self.actor.log_std_multiplier.constant
        named["actor.log_std_offset"] = self.actor.log_std_offset.constant
        named["log_alpha"] = self.log_alpha.constant
        named["log_alpha_prime"] = trainer.log_alpha_prime.constant
        return named

    def hyperparameters(self):
        options = self.options
        unlimited = {float("inf"): None, float("-inf"): None}
        return {
            **self.shared_hyperparameters(self.optimizer),
            "polyak": options.polyak, "target_update_period": options.target_update_period,
            "q_learning_rate": options.learning_rate, "actor_learning_rate": self.actor_rate,
            "alpha_learning_rate": self.actor_rate,
            "alpha_prime_learning_rate": options.learning_rate,
            "actor_learning_rate_schedule": "constant", "n_actions": options.n_actions,
            "cql_alpha": options.cql_alpha, "cql_temperature": options.cql_temperature,
            "importance_sample": not options.no_importance_sample, "lagrange": options.lagrange,
            "target_action_gap": options.target_action_gap,
            "max_target_backup": options.max_target_backup,
            "backup_entropy": options.backup_entropy,
            "clip_difference_min": unlimited.get(options.clip_difference_min,
                                                 options.clip_difference_min),
            "clip_difference_max": unlimited.get(options.clip_difference_max,
                                                 options.clip_difference_max),
            "automatic_entropy_tuning": not options.fixed_alpha,
            "target_entropy": self.trainer.target_entropy,
            "alpha_multiplier": options.alpha_multiplier, "bc_steps": 0, "log_alpha_init": 0.0,
            "log_alpha_prime_init": 1.0, "log_std_min": self.actor.tanh_gaussian.log_std_min,
            "log_std_max": self.actor.tanh_gaussian.log_std_max,
        }


class Td3BcRun(CorlRun):
    """CORL's TD3_BC. Its networks have fixed sizes: their linear layers are exchanged, nothing else."""

    file = "td3_bc"
    metrics = {"q_loss": "critic_loss", "actor_loss": "actor_loss"}

    @staticmethod
    def noise_shapes(options, sizes):
        return {"target_policy": ((options.batch, sizes[1]), "normal")}

    def __init__(self, corl, options, sizes, dtype, learning_rate, polyak, parameters=None):
        observation_size, action_size = sizes
        pair = observation_size + action_size
        actor = corl.Actor(observation_size, action_size, options.max_action)
        resize_layers(actor.net, [observation_size, *options.hidden, action_size])
        critics = [corl.Critic(observation_size, action_size) for _ in range(2)]
        for critic in critics:
            resize_layers(critic.net, [pair, *options.hidden, 1])
        networks = [network.to(dtype) for network in (actor, *critics)]
        self.optimizers = [torch.optim.Adam(n.parameters(), lr=learning_rate) for n in networks]
        config = corl.TrainConfig()
        self.policy_noise, self.noise_clip = config.policy_noise, config.noise_clip
        self.trainer = corl.TD3_BC(
            max_action=options.max_action, actor=networks[0], actor_optimizer=self.optimizers[0],
            critic_1=networks[1], critic_1_optimizer=self.optimizers[1],
            critic_2=networks[2], critic_2_optimizer=self.optimizers[2],
            discount=options.discount, tau=polyak,
            policy_noise=self.policy_noise * options.max_action,
            noise_clip=self.noise_clip * options.max_action, policy_freq=config.policy_freq,
            alpha=options.td3bc_alpha)
        super().__init__(corl, options, dtype, parameters)

    def named_parameters(self):
        named = {}
        trainer = self.trainer
        for prefix, network in (
                ("actor", trainer.actor), ("actor_target", trainer.actor_target),
                ("q1", trainer.critic_1), ("q1_target", trainer.critic_1_target),
                ("q2", trainer.critic_2), ("q2_target", trainer.critic_2_target)):
            named.update(linear_parameters(prefix, network))
        return named

    def drawing(self, draws):
        return mock.patch.object(self.corl.torch, "randn_like", lambda _: draws["target_policy"])

    def hyperparameters(self):
        options = self.options
        return {
            **self.shared_hyperparameters(self.optimizers[0]),
            "polyak": options.polyak, "q_learning_rate": options.learning_rate,
            "actor_learning_rate": options.learning_rate, "alpha": options.td3bc_alpha,
            "policy_noise": self.policy_noise, "noise_clip": self.noise_clip,
            "policy_period": self.trainer.policy_freq,
        }


class DiscreteCqlRun(CorlRun):
    """Discrete CQL, written here in plain PyTorch from the paper: CORL has no such class.

    So this trace compares two readings of one text; it says nothing about a published program.
    """

    metrics = {"td_loss": "td_loss", "conservative_loss": "conservative_loss"}

    def __init__(self, _corl, options, sizes, dtype, learning_rate, polyak, parameters=None):
        self.atoms = options.quantiles or 1
        layers = []
        widths = [sizes[0], *options.hidden, options.choices * self.atoms]
        for inner, out in zip(widths, widths[1:]):
            layers += [torch.nn.Linear(inner, out), torch.nn.ReLU()]
        self.q = torch.nn.Sequential(*layers[:-1]).to(dtype)
        self.target = torch.nn.Sequential(*(copy.deepcopy(layer) for layer in self.q)).to(dtype)
        self.optimizer = torch.optim.Adam(self.q.parameters(), lr=learning_rate)
        self.polyak, self.updates, self.trainer = polyak, 0, self
        super().__init__(None, options, dtype, parameters)

    @staticmethod
    def adapt(data, options):
        """The continuous actions of the data, cut into as many intervals as there are choices."""
        share = (data["actions"][:, 0] / options.max_action + 1) / 2
        choices = np.clip(share * options.choices, 0, options.choices - 1)
        return {**data, "actions": choices.astype(np.int64)}

    def returns(self, network, observations):
        return network(observations).reshape(-1, self.options.choices, self.atoms)

    def loss(self, batch):
        observations, choices, rewards, following, terminals = batch
        rows = torch.arange(len(observations))
        choices = choices.long()
        returns = self.returns(self.q, observations)
        with torch.no_grad():
            judged = self.returns(self.target, following)
            chooser = judged if self.options.no_double_dqn else self.returns(self.q, following)
            best = chooser.mean(2).argmax(1)
            target = rewards + self.options.discount * (1 - terminals) * judged[rows, best]
        predicted = returns[rows, choices]
        if self.options.quantiles:
            error = target[:, :, None] - predicted[:, None, :]
            huber = torch.nn.functional.huber_loss(
                predicted[:, None, :].expand_as(error), target[:, :, None].expand_as(error),
                reduction="none")
            tau = (torch.arange(self.atoms, dtype=self.dtype) + 0.5) / self.atoms
            weight = torch.where(error < 0, 1 - tau, tau)
            td = (weight.detach() * huber).sum(2).mean()
        else:
            td = torch.nn.functional.smooth_l1_loss(predicted, target)
        values = returns.mean(2)
        conservative = self.options.cql_alpha * torch.nn.functional.cross_entropy(values, choices)
        return td, conservative

    def train_one(self, batch):
        td, conservative = self.loss(batch)
        self.optimizer.zero_grad()
        (td + conservative).backward()
        self.optimizer.step()
        self.updates += 1
        if self.updates % self.options.target_update_period == 0:
            with torch.no_grad():
                for ours, theirs in zip(self.target.parameters(), self.q.parameters()):
                    ours.lerp_(theirs, self.polyak)
        return {"td_loss": td.item(), "conservative_loss": conservative.item()}

    def named_parameters(self):
        return {**linear_parameters("q", self.q), **linear_parameters("q_target", self.target)}

    def hyperparameters(self):
        options = self.options
        return {
            **self.shared_hyperparameters(self.optimizer), "action_count": options.choices,
            "learning_rate": options.learning_rate, "polyak": options.polyak,
            "target_update_period": options.target_update_period,
            "cql_alpha": options.cql_alpha, "double_dqn": not options.no_double_dqn,
            "head": "quantile" if options.quantiles else "mean",
            "quantiles": options.quantiles or 1, "td_error": "huber", "huber_threshold": 1.0,
        }


def resize_layers(net, sizes):
    """Put linear layers of other sizes in the place of those of a torch.nn.Sequential."""
    places = [i for i, module in enumerate(net) if isinstance(module, torch.nn.Linear)]
    if len(places) != len(sizes) - 1:
        sys.exit(f"make_trace: CORL's network has {len(places) - 1} hidden layers; "
                 f"got --hidden {sizes[1:-1]}")
    for place, inner, out in zip(places, sizes, sizes[1:]):
        net[place] = torch.nn.Linear(inner, out)


def warmed_up_parameters(run_class, corl, options, sizes, data, rng):
    """Parameters as they are somewhere inside a run, not as they are drawn.

    Fresh networks give advantages near zero: no weight would meet the clip, and a target would equal
    its network. A few fast updates change both; their optimizer state is thrown away.
    """
    run = run_class(corl, options, sizes, torch.float32, 10 * options.learning_rate, 0.02)
    if options.warm_up:
        run.train(data, rng.integers(0, options.rows, size=(options.warm_up, options.batch)),
                  draw_noise(run_class, rng, options, options.warm_up, sizes))
    return run.snapshot()


def draw_noise(run_class, rng, options, steps, sizes):
    """{stream: (steps, ...)} in fp32."""
    draw = {"normal": lambda shape: rng.standard_normal(shape, dtype=np.float32),
            "uniform": lambda shape: rng.uniform(-1, 1, shape).astype(np.float32)}
    return {name: draw[kind]((steps, *shape))
            for name, (shape, kind) in run_class.noise_shapes(options, sizes).items()}


def flip_hidden(parameters):
    """The same networks with the units of every hidden layer in reverse order; its own inverse."""
    flipped = {}
    for name, value in parameters.items():
        network, _, rest = name.partition(".layers.")
        if rest:
            index, kind = rest.split(".")
            if f"{network}.layers.{int(index) + 1}.weight" in parameters:
                value = value[::-1]
            if kind == "weight" and index != "0":
                value = value[:, ::-1]
        flipped[name] = value.copy()
    return flipped


def metric_deviation(got, want):
    scale = np.maximum(np.maximum(np.abs(want), np.nanmean(np.abs(want))), 1e-30)
    return float(np.nanmax(np.abs(got - want) / scale))


def parameter_deviation(got, want):
    return float(np.linalg.norm(got.astype(np.float64) - want) / max(np.linalg.norm(want), 1e-30))


def report_conditioning(title, tolerances, losses, final, other_losses, other_final):
    """Print the largest deviations between two runs; true when they leave the room we ask for."""
    metric = max(metric_deviation(other_losses[n].astype(np.float64), losses[n]) for n in losses)
    worst = max(final, key=lambda n: parameter_deviation(other_final[n], final[n]))
    parameter = parameter_deviation(other_final[worst], final[worst])
    print(f"  {title}: metrics {metric:.1e} of {tolerances[0]:.0e}, "
          f"parameters {parameter:.1e} of {tolerances[1]:.0e} ({worst})")
    return metric < CHECK_SHARE * tolerances[0] and parameter < CHECK_SHARE * tolerances[1]


def record(options):
    run_class = RUNS[options.algorithm]
    corl = load_corl(options.corl, run_class.file) if run_class.file else None
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    data = prepare_data(corl, rng, options)
    options.rows = len(data["rewards"])
    sizes = (data["observations"].shape[1], data["actions"].shape[1])
    data = run_class.adapt(data, options)
    start = warmed_up_parameters(run_class, corl, options, sizes, data, rng)
    indices = rng.integers(0, options.rows, size=(options.steps, options.batch))
    noise = draw_noise(run_class, rng, options, options.steps, sizes)

    def run(dtype, rows=indices, init=start, draws=noise):
        one = run_class(corl, options, sizes, dtype, options.learning_rate, options.polyak, init)
        losses, clipped = one.train(data, rows, draws)
        return one, losses, clipped

    single, losses, clipped = run(torch.float32)
    final = single.snapshot()
    tensors = {f"data/{k}": data[k] for k in run_class.columns}
    tensors["batch/indices"] = indices.astype(np.int64)
    tensors.update({f"noise/{k}": v for k, v in noise.items()})
    tensors.update({f"init/{k}": v for k, v in start.items()})
    tensors.update({f"final/{k}": v for k, v in final.items()})
    tensors.update({f"expect/{k}": v for k, v in losses.items()})
    note = f", {clipped} weights clipped" if options.algorithm == "iql" else ""
    print(f"{options.output}: {options.steps} updates of {options.batch} rows{note}, "
          f"{int(data['terminals'].sum())} of {options.rows} rows terminal, "
          f"last losses " + ", ".join(f"{k} {v[~np.isnan(v)][-1]:.4g}" for k, v in losses.items()))

    good = True
    if options.fp64 or options.check:
        double, losses64, _ = run(torch.float64)
        final64 = double.snapshot()
    if options.fp64:
        tensors.update({f"final64/{k}": v for k, v in final64.items()})
        tensors.update({f"expect64/{k}": v for k, v in losses64.items()})
    if options.check:
        # The same run with batches and hidden layers back to front: every sum rounds differently.
        backwards = (indices[:, ::-1].copy(), flip_hidden(start),
                     {name: draws[:, ::-1].copy() for name, draws in noise.items()})
        other, other_losses, _ = run(torch.float32, *backwards)
        other64, other_losses64, _ = run(torch.float64, *backwards)
        fp32, fp64 = TOLERANCES["fp32"], TOLERANCES["fp64"]
        good = all([
            report_conditioning("fp64 against fp32", fp32, losses, final, losses64, final64),
            report_conditioning("fp32, reordered  ", fp32, losses, final, other_losses,
                                flip_hidden(other.snapshot())),
            report_conditioning("fp64, reordered  ", fp64, losses64, final64, other_losses64,
                                flip_hidden(other64.snapshot())),
        ])
    source = (f"CORL algorithms/offline/{run_class.file}.py" if run_class.file
              else "scripts/make_trace.py's own PyTorch")
    metadata = {
        "drydock.trace": "1", "algorithm": options.algorithm,
        "preset": "corl" if run_class.file else "vector",
        "steps": str(options.steps),
        "hyperparameters": json.dumps(single.hyperparameters()),
        "generator": f"{source}, torch {torch.__version__}, "
                     f"seed {options.seed}{note}",
    }
    return tensors, metadata, good


RUNS = {"bc": BcRun, "cql": CqlRun, "discrete-cql": DiscreteCqlRun, "iql": IqlRun, "td3bc": Td3BcRun}


def add_cql_arguments(add):
    add("--actor-learning-rate", type=float, default=3e-5)
    add("--q1-hidden", metavar="N,N", help="of the first critic, where it differs")
    add("--n-actions", type=int, default=10)
    add("--cql-alpha", type=float, default=10.0)
    add("--cql-temperature", type=float, default=1.0)
    add("--no-importance-sample", action="store_true")
    add("--lagrange", action="store_true")
    add("--target-action-gap", type=float, default=-1.0)
    add("--max-target-backup", action="store_true")
    add("--backup-entropy", action="store_true")
    add("--clip-difference-min", type=float, default=float("-inf"))
    add("--clip-difference-max", type=float, default=float("inf"))
    add("--fixed-alpha", action="store_true", help="no automatic entropy tuning")
    add("--alpha-multiplier", type=float, default=1.0)
    add("--target-update-period", type=int, default=1)
    add("--choices", type=int, default=3, help="discrete-cql: among how many actions")
    add("--quantiles", type=int, default=0, help="discrete-cql: of its head; 0 is the mean")
    add("--no-double-dqn", action="store_true", help="discrete-cql: the target network chooses")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--corl", metavar="DIR", help="root of a checkout of CORL; discrete-cql needs none")
    add("--algorithm", choices=sorted([*RUNS, "dt"]), default="iql")
    add("--seed", type=int, default=0, help="draws the data, the parameters and the batches")
    add("--steps", type=int, default=40, help="updates to record")
    add("--batch", type=int, default=16)
    add("--hidden", default="32,32", metavar="N,N", help="sizes of the hidden layers")
    add("--dataset", metavar="FILE", help="a D4RL HDF5 file; without it the data are synthetic")
    add("--rows", type=int, default=200, help="transitions in the trace")
    add("--observation-size", type=int, default=11, help="of synthetic data")
    add("--action-size", type=int, default=3, help="of synthetic data")
    add("--reward-scale", type=float, default=10.0, help="large ones make weights meet the clip")
    add("--deterministic", action="store_true", help="CORL's deterministic policy")
    add("--max-action", type=float, default=1.0, help="of the environment, and of synthetic actions")
    add("--discount", type=float, default=0.99)
    add("--polyak", type=float, default=0.005)
    add("--expectile", type=float, default=0.7)
    add("--temperature", type=float, default=3.0)
    add("--td3bc-alpha", type=float, default=2.5, help="weight of Q against imitation")
    add("--learning-rate", type=float, default=3e-4)
    add_cql_arguments(parser.add_argument_group("cql").add_argument)
    add("--max-steps", type=int, help="horizon of the actor's cosine; default: --steps")
    add("--warm-up", type=int, default=300, metavar="N", help="fast updates before the recording")
    trace_dt.add_arguments(add)
    add("--fp64", action="store_true", help="add expect64/ and final64/")
    add("--fp32-masks", action="store_true", help="leave CORL's .float() alone in the fp64 run")
    add("--check", action="store_true", help="fail unless other summation orders agree well")
    add("-o", "--output", required=True, metavar="FILE")
    options = parser.parse_args()
    options.hidden = [int(size) for size in options.hidden.split(",")]
    if options.q1_hidden:
        options.q1_hidden = [int(size) for size in options.q1_hidden.split(",")]
    options.max_steps = options.max_steps or options.steps
    return options


def main():
    torch.set_num_threads(1)  # the file must not depend on the machine's number of cores
    options = parse_arguments()
    if options.algorithm == "dt":
        tensors, metadata, good = trace_dt.record(sys.modules[__name__], options)
    else:
        tensors, metadata, good = record(options)
    if not good:
        sys.exit(f"make_trace: {options.output} not written: the run is badly conditioned, its own "
                 f"rounding uses over {CHECK_SHARE:.0%} of a tolerance; take another --seed")
    save_file(tensors, options.output, metadata=metadata)


if __name__ == "__main__":
    main()
