"""Traces of CORL's Decision Transformer, for make_trace.py --algorithm dt.

The network, the cutting of episodes, the returns-to-go, the windows and their padding are CORL's own
classes. The update itself is a few lines of CORL's training loop, which is one function together with
the logging and cannot be called: it is repeated here on CORL's objects.
"""

import json
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch


def synthetic_episodes(rng, options):
    """Episodes of a smooth random system as a D4RL data set; the last one is cut by its end.

    Episodes have from one step to three windows, so that many windows need padding.
    """
    size, actions = options.observation_size, options.action_size
    mix = rng.normal(size=(size, size)) / np.sqrt(size)
    push = rng.normal(size=(actions, size)) / np.sqrt(actions)
    names = ("observations", "actions", "rewards", "terminals", "timeouts")
    columns = {name: [] for name in names}
    state, left, ends_itself = rng.normal(size=size), 1, True
    for _ in range(options.rows):
        action = 0.95 * options.max_action * np.tanh(rng.normal(size=actions))
        left -= 1
        row = (state, action, np.tanh(state[0]) + 1.0, left == 0 and ends_itself,
               left == 0 and not ends_itself)
        for name, value in zip(names, row):
            columns[name].append(value)
        state = 0.8 * state + 0.5 * np.tanh(state @ mix + action @ push)
        if left == 0:
            state, ends_itself = rng.normal(size=size), bool(rng.integers(2))
            left = int(rng.integers(1, 3 * options.context_length + 1))
    arrays = {name: np.asarray(values, dtype=np.float32) for name, values in columns.items()}
    return {**arrays, "terminals": arrays["terminals"] > 0, "timeouts": arrays["timeouts"] > 0}


def d4rl_episodes(options):
    """The first rows of a D4RL file."""
    import h5py

    with h5py.File(options.dataset, "r") as file:
        names = ("observations", "actions", "rewards", "terminals", "timeouts")
        return {name: file[name][:options.rows] for name in names}


def sequence_dataset(corl, columns, options):
    environment = SimpleNamespace(get_dataset=lambda: columns)
    with mock.patch.object(corl.gym, "make", lambda _name: environment), \
            mock.patch.object(corl, "trange", lambda n, **_: range(n)):
        return corl.SequenceDataset("trace", options.context_length, options.return_scale)


def data_tensors(dataset, options):
    """The rows of CORL's trajectories, one after another, as the network sees them."""
    trajectories = dataset.dataset
    join = lambda name: np.concatenate([t[name] for t in trajectories]).astype(np.float32)
    normalized = (join("observations") - dataset.state_mean) / dataset.state_std
    lengths = [len(t["rewards"]) for t in trajectories]
    return {
        "data/observations": normalized.astype(np.float32),
        "data/actions": join("actions"),
        "data/returns_to_go": (join("returns") * np.float32(options.return_scale)).astype(np.float32),
        "data/episode_offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    }


def draw_batches(rng, dataset, options, steps):
    """Episodes in proportion to their length, and a step of each evenly: two (steps, batch)."""
    shape = (steps, options.batch)
    episodes = rng.choice(len(dataset.dataset), size=shape, p=dataset.sample_prob)
    lengths = np.array([len(t["rewards"]) for t in dataset.dataset])[episodes]
    return episodes.astype(np.int64), rng.integers(0, lengths).astype(np.int64)


class Run:
    """CORL's network and optimizer in one precision."""

    def __init__(self, corl, options, sizes, dtype, parameters=None):
        self.options, self.dtype = options, dtype
        self.model = corl.DecisionTransformer(
            state_dim=sizes[0], action_dim=sizes[1], seq_len=options.context_length,
            episode_len=options.episode_len, embedding_dim=options.embedding_dim,
            num_layers=options.layers, num_heads=options.heads,
            max_action=options.max_action).to(dtype)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda done: min((done + 1) / options.warmup_steps, 1))
        if parameters is not None:
            with torch.no_grad():
                for name, parameter in self.named_parameters().items():
                    parameter.copy_(torch.from_numpy(parameters[name]))

    def named_parameters(self):
        """CORL's parameters by the names of a trace."""
        begins = {"return_emb": "embed_return", "state_emb": "embed_observation",
                  "action_emb": "embed_action", "timestep_emb": "embed_timestep",
                  "emb_norm": "embed_norm", "out_norm": "final_norm",
                  "action_head.0": "predict_action"}
        parts = {"attention.in_proj_weight": "attention.qkv.weight",
                 "attention.in_proj_bias": "attention.qkv.bias",
                 "attention.out_proj": "attention.out", "mlp.2": "mlp.1"}
        named = {}
        for name, parameter in self.model.named_parameters():
            for theirs, ours in begins.items():
                if name.startswith(theirs + "."):
                    name = ours + name[len(theirs):]
            for theirs, ours in parts.items():
                name = name.replace(theirs, ours) if name.startswith("blocks.") else name
            named[name] = parameter
        return named

    def snapshot(self):
        return {n: p.detach().numpy().copy() for n, p in self.named_parameters().items()}

    def update(self, windows):
        states, actions, returns, time_steps, mask = windows
        predicted = self.model(states, actions, returns, time_steps,
                               padding_mask=~mask.to(torch.bool))
        error = torch.nn.functional.mse_loss(predicted, actions, reduction="none")
        loss = (error * mask.unsqueeze(-1)).mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.gradient_clip)
        self.optimizer.step()
        self.schedule.step()
        return loss.item()

    def train(self, dataset, episodes, starts):
        """One update per row; returns the losses."""
        prepare = dataset._SequenceDataset__prepare_sample
        losses = []
        for batch in zip(episodes, starts):
            samples = zip(*(prepare(int(e), int(s)) for e, s in zip(*batch)))
            windows = [torch.from_numpy(np.stack(part)) for part in samples]
            # The values of the first three are fp32's, whatever the run computes in.
            windows[:3] = [w.to(torch.float32).to(self.dtype) for w in windows[:3]]
            losses.append(self.update(windows))
        return np.asarray(losses, np.float64 if self.dtype == torch.float64 else np.float32)

    def hyperparameters(self):
        options, adam = self.options, self.optimizer.defaults
        return {
            "batch_size": options.batch, "max_action": options.max_action,
            "context_length": options.context_length, "layers": options.layers,
            "heads": options.heads, "embedding_dim": options.embedding_dim,
            "episode_len": options.episode_len, "dropout": 0.0, "activation": "gelu",
            "layer_norm_epsilon": self.model.emb_norm.eps, "padding": "right",
            "loss_mean": "all", "reward_scale": options.return_scale,
            "adam_beta1": adam["betas"][0], "adam_beta2": adam["betas"][1],
            "adam_epsilon": adam["eps"], "weight_decay": adam["weight_decay"],
            "gradient_clip": options.gradient_clip, "learning_rate": options.learning_rate,
            "learning_rate_schedule": "warmup", "warmup_steps": options.warmup_steps,
            "max_steps": options.max_steps,
        }


def add_arguments(add):
    add("--context-length", type=int, default=5, help="steps of a window (dt)")
    add("--layers", type=int, default=2, help="transformer blocks (dt)")
    add("--heads", type=int, default=2, help="of the attention (dt)")
    add("--embedding-dim", type=int, default=16, help="width of a token (dt)")
    add("--episode-len", type=int, default=24, help="longest episode (dt)")
    add("--return-scale", type=float, default=0.05, help="of returns-to-go (dt)")
    add("--gradient-clip", type=float, default=0.25, help="global norm (dt)")
    add("--weight-decay", type=float, default=1e-4, help="AdamW's (dt)")
    add("--warmup-steps", type=int, default=10, help="of the learning rate (dt)")


def record(tools, options):
    """What make_trace.record() returns. `tools` is the module make_trace."""
    corl = tools.load_corl(options.corl, "dt")
    rng = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    columns = d4rl_episodes(options) if options.dataset else synthetic_episodes(rng, options)
    dataset = sequence_dataset(corl, columns, options)
    tensors = data_tensors(dataset, options)
    sizes = (columns["observations"].shape[1], columns["actions"].shape[1])
    warm = Run(corl, options, sizes, torch.float32)
    if options.warm_up:
        warm.train(dataset, *draw_batches(rng, dataset, options, options.warm_up))
    start = warm.snapshot()
    episodes, starts = draw_batches(rng, dataset, options, options.steps)

    def run(dtype, order=slice(None)):
        with tools.precision(dtype):
            one = Run(corl, options, sizes, dtype, start)
            losses = one.train(dataset, episodes[:, order], starts[:, order])
        return one, {"loss": losses}

    single, losses = run(torch.float32)
    final = single.snapshot()
    tensors.update({"batch/episode": episodes, "batch/start": starts})
    tensors.update({f"init/{k}": v for k, v in start.items()})
    tensors.update({f"final/{k}": v for k, v in final.items()})
    tensors["expect/loss"] = losses["loss"]
    lengths = np.diff(tensors["data/episode_offsets"])
    short = int((lengths[episodes] - starts < options.context_length).sum())
    print(f"{options.output}: {options.steps} updates of {options.batch} windows, {short} of "
          f"{episodes.size} padded, {len(lengths)} episodes of {lengths.min()} to {lengths.max()}, "
          f"last loss {losses['loss'][-1]:.4g}")

    good = True
    if options.fp64 or options.check:
        double, losses64 = run(torch.float64)
        final64 = double.snapshot()
    if options.fp64:
        tensors.update({f"final64/{k}": v for k, v in final64.items()})
        tensors["expect64/loss"] = losses64["loss"]
    if options.check:
        other, other_losses = run(torch.float32, slice(None, None, -1))
        other64, other_losses64 = run(torch.float64, slice(None, None, -1))
        fp32, fp64 = tools.TOLERANCES["fp32"], tools.TOLERANCES["fp64"]
        good = all([
            tools.report_conditioning("fp64 against fp32", fp32, losses, final, losses64, final64),
            tools.report_conditioning("fp32, reordered  ", fp32, losses, final, other_losses,
                                      other.snapshot()),
            tools.report_conditioning("fp64, reordered  ", fp64, losses64, final64, other_losses64,
                                      other64.snapshot()),
        ])
    metadata = {
        "drydock.trace": "1", "algorithm": "dt", "preset": "corl", "steps": str(options.steps),
        "hyperparameters": json.dumps(single.hyperparameters()),
        "generator": f"CORL algorithms/offline/dt.py, torch {torch.__version__}, "
                     f"seed {options.seed}",
    }
    return {k: np.ascontiguousarray(v) for k, v in tensors.items()}, metadata, good
